"""What becomes of a load that nobody waits for any more: `on_abandon`."""

import asyncio
from datetime import timedelta

import pytest

from asynccache import async_cached
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import Gate, callers, gated, outcome, turns


async def leave(tasks: "list[asyncio.Task[str]]") -> None:
    """Cancel them all, and wait until they are gone."""
    for task in tasks:
        task.cancel()
    assert [await outcome(task) for task in tasks] == [asyncio.CancelledError] * len(tasks)
    await turns()


async def test_finish_stores_the_value_that_nobody_waits_for() -> None:
    """The load goes on by itself; who comes later finds its value."""
    gate, load = gated(on_abandon="finish")
    await leave(await callers(load, 3))
    assert gate.cancelled == 0
    gate.give("value")
    await turns()
    assert live_flights() == []
    assert await load(1) == "value"
    assert (len(gate.calls), load.cache_stats().abandoned) == (1, 0)


async def test_finish_lets_newcomers_join() -> None:
    """Who comes while the load goes on by itself waits for that one."""
    gate, load = gated(on_abandon="finish")
    await leave(await callers(load, 1))
    newcomers = await callers(load, 2)
    gate.give("value")
    assert await asyncio.gather(*newcomers) == ["value"] * 2
    assert len(gate.calls) == 1


async def test_finish_that_fails_is_nobody_s_news(loop_errors: list[object]) -> None:
    """The failure of a load that nobody waits for is counted, logged nowhere, and the next call loads anew."""
    gate, load = gated(on_abandon="finish")
    await leave(await callers(load, 1))
    gate.fail(OSError("down"))
    await turns()
    assert load.cache_stats().failures == 1
    assert loop_errors == []
    (again,) = await callers(load, 1)
    gate.give("value")
    assert await again == "value"


@pytest.mark.parametrize("grace", [5, timedelta(seconds=5)])
async def test_grace_over_the_load_is_cancelled(grace: float | timedelta) -> None:
    """Nobody came within the seconds of grace: from then on the load is out of reach, and cancelled."""
    clock = ManualClock()
    gate, load = gated(on_abandon=grace, clock=clock)
    await leave(await callers(load, 2))
    clock.advance(4.9)
    await turns()
    assert (gate.cancelled, load.cache_contains(1)) == (0, True)
    clock.advance(0.1)
    assert not load.cache_contains(1)
    await turns()
    assert (gate.cancelled, load.cache_stats().abandoned) == (1, 1)
    assert live_flights() == []


async def test_a_newcomer_within_the_grace_saves_the_load() -> None:
    """It joins, the load goes on however long it takes, and its value is stored."""
    clock = ManualClock()
    gate, load = gated(on_abandon=5, clock=clock)
    await leave(await callers(load, 1))
    clock.advance(4)
    newcomers = await callers(load, 1)
    clock.advance(100)
    await turns()
    gate.give("value")
    assert await newcomers[0] == "value"
    assert (len(gate.calls), gate.cancelled, load.cache_peek(1)) == (1, 0, "value")


async def test_each_time_of_grace_counts_from_the_last_leaver() -> None:
    """Who comes and goes within the grace begins it anew; the first one's end does not count any more."""
    clock = ManualClock()
    gate, load = gated(on_abandon=5, clock=clock)
    await leave(await callers(load, 1))
    clock.advance(4)
    await leave(await callers(load, 1))
    clock.advance(4)
    await turns()
    assert gate.cancelled == 0
    clock.advance(1)
    await turns()
    assert gate.cancelled == 1


async def test_a_load_that_ends_within_its_grace_is_stored() -> None:
    """The end of the grace then means nothing, neither to it nor to a load that came later."""
    clock = ManualClock()
    gate, load = gated(on_abandon=5, clock=clock)
    await leave(await callers(load, 1))
    gate.give("value")
    await turns()
    assert load.cache_peek(1) == "value"
    load.cache_invalidate(1)
    (later,) = await callers(load, 1)
    clock.advance(10)
    await turns()
    gate.give("later")
    assert await later == "later"
    assert gate.cancelled == 0


async def test_an_invalidated_load_is_cancelled_when_its_grace_is_over() -> None:
    """Nobody can join it any more, but it still ends when it should, and does no harm to the load that came after."""
    clock = ManualClock()
    gate, load = gated(on_abandon=5, clock=clock)
    await leave(await callers(load, 1))
    assert load.cache_invalidate(1)
    (newcomer,) = await callers(load, 1)
    clock.advance(5)
    await turns()
    assert (len(gate.calls), gate.cancelled) == (2, 1)
    gate.give("new")
    assert await newcomer == "new"


async def test_no_grace_at_all_is_cancel() -> None:
    """Zero seconds of grace are over at once."""
    gate, load = gated(on_abandon=0)
    await leave(await callers(load, 1))
    assert gate.cancelled == 1


async def test_grace_by_the_loop_s_own_time() -> None:
    """Without a test's clock the loop's timers wait; a load that is joined again takes its timer back."""
    gate, load = gated(on_abandon=1_000)
    await leave(await callers(load, 1))
    (newcomer,) = await callers(load, 1)
    gate.give("value")
    assert await newcomer == "value"
    assert live_flights() == []


async def test_abandoned_loads_abandon_what_they_wait_for() -> None:
    """A load that is cancelled leaves the loads that it waits for, and those end too if nobody else waits for them."""
    gate = Gate[str]()

    @async_cached
    async def inner(key: int) -> str:
        return await gate.load(key)

    @async_cached
    async def outer(key: int) -> str:
        return await inner(key)

    await leave(await callers(outer, 2))
    assert gate.cancelled == 1
    both = [*await callers(outer, 1), *await callers(inner, 1)]
    await leave(both[:1])
    gate.give("value")
    assert await both[1] == "value"
