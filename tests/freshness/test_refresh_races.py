"""A refresh, and what happens while it runs: what is said about a key later holds, in every interleaving.

The cases are those that Caffeine (`RefreshAfterWrite`, its schedule tests) and FusionCache (eager refresh, background
completion) test: each is written out here, with gates.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest

from asynccache import MISSING, CachedFunction, async_cached
from asynccache.flight.loading import current_load
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import Gate, callers, outcome, together, turns
from tests.freshness.aging import TTL, Scene, aged

SAID: Final[dict[str, Callable[[Scene], object]]] = {
    "put": lambda scene: scene.load.cache_put("put", 1),
    "invalidate": lambda scene: scene.load.cache_invalidate(1),
    "clear": lambda scene: scene.load.cache_clear(),
    "tags": lambda scene: scene.load.cache_invalidate_tags("all"),
}
"""What can be said about a key."""


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("ends", ["well", "badly"])
async def test_what_is_said_while_it_runs_holds(said: str, ends: str) -> None:
    """A refresh that is overtaken stores nothing and takes nothing away, whether it gives a value or fails."""
    scene = await aged(stale=50, tags=("all",))
    await scene.read()
    SAID[said](scene)
    if ends == "well":
        await scene.end("too late")
    else:
        await scene.break_down()
    assert scene.load.cache_peek(1) == ("put" if said == "put" else MISSING)
    assert scene.load.cache_info().currsize == int(said in ("put", "tags"))  # what a tag has ended is swept later
    assert live_flights() == []


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("turn", range(5))
async def test_what_is_said_as_it_lands_holds(said: str, turn: int) -> None:
    """However close to a refresh's landing, before or after, something is said: that is what counts from then on."""
    scene = await aged(stale=50, tags=("all",))
    await scene.read()
    scene.gate.give("new")
    await turns(turn)
    SAID[said](scene)
    await turns()
    assert scene.load.cache_peek(1) == ("put" if said == "put" else MISSING)


@pytest.mark.parametrize("said", ["invalidate", "clear", "tags"])
async def test_who_reads_after_that_gets_a_newer_value(said: str) -> None:
    """A reader that comes after an invalidation is not given what an earlier refresh brings."""
    scene = await aged(stale=50, tags=("all",))
    await scene.read()
    SAID[said](scene)
    (reader,) = await callers(scene.load, 1)
    await scene.end("of before", 1)
    assert not reader.done()
    await scene.end("of after", 2)
    assert await together(reader) == ["of after"]
    assert scene.load.cache_peek(1) == "of after"
    assert len(scene.gate.calls) == 3


async def test_an_overtaken_refresh_does_not_stop_the_next() -> None:
    """What was put grows old itself: then it is refreshed, though the refresh that it overtook still runs."""
    scene = await aged(stale=50)
    await scene.read()
    scene.load.cache_put("put", 1)
    scene.clock.advance(TTL)
    assert (await scene.read(), len(scene.gate.calls)) == ("put", 3)
    await scene.end("newest", 2)
    await scene.end("too late", 1)
    assert await scene.read() == "newest"


async def test_an_overtaken_refresh_that_fails_holds_up_nobody() -> None:
    """Its failure says nothing about what was put meanwhile: when that is due, it is refreshed at once."""
    scene = await aged(stale=50)
    await scene.read()
    scene.load.cache_put("put", 1)
    scene.clock.advance(TTL)
    await scene.break_down(number=1)
    assert (await scene.read(), len(scene.gate.calls)) == ("put", 3)
    await scene.end("new", 2)
    assert await scene.read() == "new"


async def test_a_key_that_is_evicted_while_it_is_refreshed() -> None:
    """The cache stays within its bound, and whoever asks gets what the refresh brings, not another load."""
    scene = await aged(stale=50, maxsize=2)
    await scene.read()
    for key in (2, 3):
        await scene.fill("other", key)
    assert scene.load.cache_peek(1) is MISSING
    (reader,) = await callers(scene.load, 1)
    await scene.end("new", 1)
    assert await together(reader) == ["new"]
    assert scene.load.cache_info().currsize == 2
    assert scene.gate.calls == [1, 1, 2, 3]


async def test_a_key_that_ends_while_it_is_refreshed() -> None:
    """Readers that come after the old value's end wait for the refresh that is under way, and are given its value."""
    scene = await aged(stale=5)
    await scene.read()
    scene.clock.advance(5)
    waiting = await callers(scene.load, 3)
    assert scene.load.cache_peek(1) is MISSING
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 3
    assert scene.gate.calls == [1, 1]


async def test_a_key_that_ends_while_its_refresh_fails() -> None:
    """Who waits for that refresh by then is told of the failure; the next call loads anew."""
    scene = await aged(stale=5)
    await scene.read()
    scene.clock.advance(5)
    (waiting,) = await callers(scene.load, 1)
    await scene.break_down()
    assert isinstance(await outcome(waiting), OSError)
    await scene.fill("new")


async def test_a_second_reader_that_finds_the_value_due() -> None:
    """Whether it comes before the refresh's first step, in the midst of it, or as it lands: it starts no second."""
    for turn in range(6):
        scene = await aged(stale=50)
        first = asyncio.create_task(scene.load(1))
        await turns(turn)
        second = asyncio.create_task(scene.load(1))
        await turns()
        scene.gate.give("new")
        await turns(turn)
        third = asyncio.create_task(scene.load(1))
        await turns()
        assert await together(first, second) == ["old", "old"]
        assert await third in ("old", "new")
        assert (scene.gate.calls, scene.load.cache_peek(1)) == ([1, 1], "new")


async def test_a_refresh_whose_load_was_cancelled() -> None:
    """A load that is cancelled by what it does itself has failed: the old value stays, and nobody is cancelled."""
    scene = await aged(stale=50)
    readers = await callers(scene.load, 3)
    await scene.break_down(asyncio.CancelledError())
    assert await together(*readers) == ["old"] * 3
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 2)
    scene.clock.advance(1)
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 3)
    await scene.end("new")
    assert await scene.read() == "new"


async def test_who_asks_for_a_new_value_joins_the_refresh() -> None:
    """`cache_refresh` while a refresh is under way waits for that one."""
    scene = await aged(stale=50)
    await scene.read()
    asking = [asyncio.create_task(scene.load.cache_refresh(1)) for _ in range(3)]
    await turns()
    await scene.end("new")
    assert await together(*asking) == ["new"] * 3
    assert scene.gate.calls == [1, 1]


async def test_no_refresh_beside_a_load_that_somebody_waits_for() -> None:
    """While `cache_refresh` loads, readers get the old value and start nothing."""
    scene = await aged(stale=50)
    asking = asyncio.create_task(scene.load.cache_refresh(1))
    await turns()
    assert [await scene.read() for _ in range(3)] == ["old"] * 3
    await scene.end("new")
    assert await together(asking) == ["new"]
    assert scene.gate.calls == [1, 1]
    assert scene.load.cache_stats().refreshes == 0


async def test_a_load_that_is_abandoned_leaves_the_old_value_refreshable() -> None:
    """A `cache_refresh` whose only caller leaves is no failure: the next reader starts a refresh at once."""
    scene = await aged(stale=50)
    asking = asyncio.create_task(scene.load.cache_refresh(1))
    await turns()
    asking.cancel()
    await turns()
    assert scene.gate.cancelled == 1
    assert (await scene.read(), scene.gate.calls) == ("old", [1, 1, 1])
    await scene.end("new")
    assert await scene.read() == "new"


async def test_a_put_of_a_refresh_s_own() -> None:
    """A load that stores a value for its own key while it runs has said something newer than what it returns."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=50, clock=clock)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        if calls > 1:
            load.cache_put("put", key)
        return "returned"

    await load(1)
    clock.advance(10)
    assert await load(1) == "returned"
    await turns()
    assert (await load(1), calls) == ("put", 2)


# --- values that are not to be stored -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["store_if", "the load says so"])
async def test_a_value_that_is_not_stored_serves_all_who_wait(how: str) -> None:
    """A hundred callers get it from one load, not one after the other from a hundred; the next call loads anew."""
    gate: Gate[str] = Gate()
    options: dict[str, Any] = {"store_if": lambda value: value != "error page"} if how == "store_if" else {}

    async def from_gate(key: int) -> str:
        value = await gate.load(key)
        if how != "store_if" and value == "error page":
            current_load().store = False
        return value

    load: CachedFunction[[int], str] = async_cached(ttl=10, stale=50, **options)(from_gate)
    for _ in range(2):
        waiting = await callers(load, 100)
        gate.give("error page")
        assert await together(*waiting) == ["error page"] * 100
        assert load.cache_info().currsize == 0
    assert gate.calls == [1, 1]


async def test_a_refresh_that_is_not_stored() -> None:
    """Readers get the old value until it comes; then that is known to be out of date, and the next reader waits."""
    scene = await aged(stale=50, store_if=lambda value: value != "error page")
    assert [await scene.read() for _ in range(3)] == ["old"] * 3
    await scene.end("error page")
    assert scene.load.cache_peek(1) is MISSING
    waiting = await callers(scene.load, 100)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 100
    assert len(scene.gate.calls) == 3


async def test_calls_of_a_turn_in_which_nothing_waits() -> None:
    """A hundred calls of one moment share a value that is not stored, also if its load never waits."""
    calls = 0

    @async_cached(ttl=10, stale=50, store_if=lambda _: False)
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    assert await together(*(asyncio.create_task(load(1)) for _ in range(100))) == [1] * 100
    await turns()
    assert await load(1) == 2
