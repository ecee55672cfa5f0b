"""`refresh_ahead` and `early`: values are refreshed behind before their ttl ends."""

import math
import random

import pytest

from tests.flight.gates import callers, together
from tests.freshness.aging import MOMENT, TTL, Scene, aged


async def test_refresh_ahead() -> None:
    """From the given share of the ttl on a read gets the value that is still fresh, and one refresh runs behind."""
    scene = await aged(TTL * 0.8 - MOMENT, refresh_ahead=0.8)
    assert (await scene.read(), scene.gate.calls) == ("old", [1])
    scene.clock.advance(MOMENT)
    for _ in range(3):
        assert (await scene.read(), scene.gate.calls) == ("old", [1, 1])
    assert (scene.load.cache_stats().hits, scene.load.cache_stats().stale) == (4, 0)
    await scene.end("new")
    assert await scene.read() == "new"


async def test_refresh_ahead_promises_nothing_beyond_the_ttl() -> None:
    """If the refresh has not come by then, readers wait for it: for that one, and no other."""
    scene = await aged(TTL * 0.9, refresh_ahead=0.8)
    assert await scene.read() == "old"
    scene.clock.advance(TTL)
    waiting = await callers(scene.load, 3)
    assert not any(task.done() for task in waiting)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 3
    assert scene.gate.calls == [1, 1]


@pytest.mark.parametrize(("chance", "refreshes"), [(math.exp(-1) - 0.001, True), (math.exp(-1) + 0.001, False)])
async def test_early(chance: float, refreshes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read refreshes when its chance, in units of the load's own time, reaches beyond the ttl's end (XFetch)."""
    scene = Scene(early=1.0)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)  # so long the load takes, and so long before its end the chance is 1 to e
    await scene.end("old")
    await first
    scene.clock.advance(TTL - 2)
    monkeypatch.setattr(random, "random", lambda: chance)
    assert await scene.read() == "old"
    assert len(scene.gate.calls) == 1 + refreshes
    await scene.load.cache_close()


async def test_early_grows_with_its_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factor stretches the time before the end in which a given chance refreshes."""
    monkeypatch.setattr(random, "random", lambda: math.exp(-1))
    begun: dict[float, bool] = {}
    for factor in (0.5, 2.0):
        scene = Scene(early=factor)
        (first,) = await callers(scene.load, 1)
        scene.clock.advance(2)
        await scene.end("old")
        await first
        scene.clock.advance(TTL - 2)
        await scene.read()
        begun[factor] = len(scene.gate.calls) > 1
        await scene.load.cache_close()
    assert begun == {0.5: False, 2.0: True}
