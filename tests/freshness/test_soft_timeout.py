"""`soft_timeout`: who can be served an old value does not wait long for a load, which goes on."""

import asyncio
import gc

import pytest

from asynccache import MISSING
from asynccache.testing import live_flights
from tests.flight.gates import callers, together, turns
from tests.freshness.aging import MOMENT, Scene, aged


async def test_a_load_that_is_slow_where_there_is_an_old_value() -> None:
    """At the soft limit and not before, all who wait get the old value; the load goes on, and is stored."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    waiting = await callers(scene.load, 10)
    scene.clock.advance(2 - MOMENT)
    await turns()
    assert not any(task.done() for task in waiting)
    scene.clock.advance(MOMENT)
    assert await together(*waiting) == ["old"] * 10
    assert scene.gate.cancelled == 0
    await scene.end("new")
    assert await scene.read() == "new"
    assert scene.gate.calls == [1, 1]
    stats = scene.load.cache_stats()
    assert (stats.stale, stats.timeouts, stats.failures, stats.loads) == (10, 0, 0, 2)


async def test_who_comes_while_a_slow_load_goes_on() -> None:
    """They are given the old value at once, and start nothing."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    await together(first)
    assert [await scene.read() for _ in range(3)] == ["old"] * 3
    await scene.end("new")
    assert (await scene.read(), scene.gate.calls) == ("new", [1, 1])


async def test_who_comes_while_a_slow_load_goes_on_and_the_window_has_ended() -> None:
    """When the old value may not be served any more, they wait for that load."""
    scene = await aged(stale_if_error=5, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    await together(first)
    scene.clock.advance(3)
    waiting = await callers(scene.load, 2)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 2
    assert scene.gate.calls == [1, 1]


async def test_a_slow_load_where_there_is_no_old_value() -> None:
    """The soft limit passes unnoticed: the callers wait on."""
    scene = Scene(stale_if_error=50, soft_timeout=2)
    waiting = await callers(scene.load, 3)
    scene.clock.advance(3)
    await scene.end("value")
    assert await together(*waiting) == ["value"] * 3


async def test_both_limits() -> None:
    """At the soft one the old value is served, at the hard one the load is given up, and counts as a failure."""
    scene = await aged(stale_if_error=50, soft_timeout=2, timeout=6)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    assert await together(first) == ["old"]
    scene.clock.advance(4)
    await turns()
    assert scene.gate.cancelled == 1
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 2)
    scene.clock.advance(1)
    (next_one,) = await callers(scene.load, 1)
    await scene.end("new")
    assert await together(next_one) == ["new"]


async def test_a_slow_load_that_fails_in_the_end() -> None:
    """Nobody is told, the old value stays, and the load is left in peace for a while."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    await together(first)
    await scene.break_down()
    gc.collect()
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 2)
    scene.clock.advance(1)
    (next_one,) = await callers(scene.load, 1)
    await scene.end("new")
    assert await together(next_one) == ["new"]


@pytest.mark.parametrize("said", ["put", "invalidate", "clear", "tags"])
async def test_what_is_said_while_a_slow_load_goes_on_holds(said: str) -> None:
    """What a load brings behind is not stored over what was put, nor after an invalidation (FusionCache's case)."""
    scene = await aged(stale_if_error=50, soft_timeout=2, tags=("all",))
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    await together(first)
    if said == "put":
        scene.load.cache_put("put", 1)
    elif said == "invalidate":
        scene.load.cache_invalidate(1)
    elif said == "clear":
        scene.load.cache_clear()
    else:
        scene.load.cache_invalidate_tags("all")
    await scene.end("late")
    assert scene.load.cache_peek(1) == ("put" if said == "put" else MISSING)


async def test_an_old_value_that_is_invalidated_before_the_soft_limit() -> None:
    """There is nothing to serve then: those who wait wait on."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.load.cache_invalidate(1)
    scene.clock.advance(2)
    await turns()
    assert not first.done()
    await scene.end("of before")
    assert await together(first) == ["of before"]
    assert scene.load.cache_peek(1) is MISSING


async def test_callers_who_were_served_leave_the_load_alone() -> None:
    """A load that goes on behind belongs to nobody: that its callers end, or are cancelled, does not end it."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    first, second = await callers(scene.load, 2)
    scene.clock.advance(2)
    second.cancel()
    assert await together(first) == ["old"]
    await asyncio.wait([second])
    await scene.end("new")
    assert (scene.gate.cancelled, await scene.read()) == (0, "new")


async def test_who_joins_a_slow_load_and_leaves() -> None:
    """Once callers were served the old value the load goes on for its own sake, whoever joins it and is cancelled."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    assert await together(first) == ["old"]
    joining = asyncio.create_task(scene.load.cache_refresh(1))
    await turns()
    joining.cancel()
    await asyncio.wait([joining])
    await scene.end("new")
    assert (scene.gate.cancelled, await scene.read()) == (0, "new")


@pytest.mark.parametrize("wait", [False, True])
async def test_closing_sees_slow_loads_to_their_end(wait: bool) -> None:
    """A load that goes on behind is cancelled or waited for, as any other."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)
    await together(first)
    closing = asyncio.create_task(scene.load.cache_close(wait=wait))
    await turns()
    assert closing.done() is not wait
    if wait:
        await scene.end("new")
    await together(closing)
    assert scene.gate.cancelled == int(not wait)
    assert live_flights() == []


async def test_closing_waits_through_the_limits() -> None:
    """Closing with `wait` waits until the load has really ended, though a limit serves its callers before."""
    scene = await aged(stale_if_error=50, soft_timeout=2)
    (first,) = await callers(scene.load, 1)
    closing = asyncio.create_task(scene.load.cache_close(wait=True))
    await turns()
    scene.clock.advance(2)
    await turns()
    assert (first.done(), closing.done()) == (True, False)
    await scene.end("new")
    await together(closing)
