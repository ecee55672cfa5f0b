"""`timeout`: how long a load may take, and what becomes of one that takes longer."""

import asyncio
import gc
import pickle
import weakref

import pytest

from asynccache import MISSING, CacheError, async_cached
from asynccache.errors import LoadTimeout
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import Gate, callers, outcome, together, turns
from tests.flight.virtual_time import run, virtual_loops
from tests.freshness.aging import MOMENT, Scene, aged


def loop_time() -> float:
    """A clock that shows the running loop's time."""
    return asyncio.get_running_loop().time()


async def test_a_load_that_takes_too_long() -> None:
    """At the given moment and not before, all who wait get `LoadTimeout`, and the load is cancelled."""
    scene = Scene(timeout=4)
    waiting = await callers(scene.load, 10)
    scene.clock.advance(4 - MOMENT)
    await turns()
    assert not any(task.done() for task in waiting)
    scene.clock.advance(MOMENT)
    errors = [await outcome(task) for task in waiting]
    assert [type(error) for error in errors] == [LoadTimeout] * 10
    assert scene.gate.cancelled == 1
    stats = scene.load.cache_stats()
    assert (stats.timeouts, stats.failures, stats.loads, stats.abandoned) == (1, 1, 0, 0)


async def test_what_the_error_says() -> None:
    """It is a `CacheError` and a `TimeoutError`, names the function, keeps the key out of its message, and pickles."""
    scene = Scene(timeout=4, name="prices")
    (waiting,) = await callers(scene.load, 1, 4711)
    scene.clock.advance(4)
    error = await outcome(waiting)
    assert isinstance(error, LoadTimeout)
    assert isinstance(error, CacheError)
    assert isinstance(error, TimeoutError)
    assert (error.name, error.key) == ("prices", scene.load.cache_key(4711))
    assert "prices" in str(error)
    assert "4711" not in str(error)
    assert pickle.loads(pickle.dumps(error)).key == error.key  # our own


async def test_a_load_in_time_hears_nothing_of_its_limit() -> None:
    """A value that comes before the limit is stored, and the limit's moment passes unnoticed."""
    scene = Scene(timeout=4)
    (waiting,) = await callers(scene.load, 1)
    scene.clock.advance(4 - MOMENT)
    await scene.end("value")
    scene.clock.advance(3)
    assert (await together(waiting), await scene.read()) == (["value"], "value")
    assert (scene.load.cache_stats().timeouts, scene.gate.cancelled) == (0, 0)


async def test_a_call_after_the_limit_begins_anew() -> None:
    """The key is free at the moment of the timeout: the next call starts a load of its own, which is stored."""
    scene = Scene(timeout=4)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(4)
    second = asyncio.create_task(scene.load(1))
    assert isinstance(await outcome(first), LoadTimeout)
    await scene.end("value")
    assert await together(second) == ["value"]
    assert await scene.read() == "value"
    assert scene.gate.calls == [1, 1]


async def test_a_load_that_ignores_its_cancellation() -> None:
    """Its callers are told at the limit, the next call does not wait for it, and what it brings late is not stored."""
    clock = ManualClock()
    gate: Gate[str] = Gate()
    calls = 0

    @async_cached(ttl=100, timeout=4, clock=clock)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        number = calls
        while True:
            try:
                return f"{await gate.load(key)} of load {number}"
            except asyncio.CancelledError:
                continue

    waiting = await callers(load, 3)
    clock.advance(4)
    assert [type(await outcome(task)) for task in waiting] == [LoadTimeout] * 3
    assert not load.cache_contains(1)
    (second,) = await callers(load, 1)
    assert calls == 2
    gate.give("value")
    assert await together(second) == ["value of load 2"]
    gate.give("late", 1)
    await turns()
    assert load.cache_peek(1) == "value of load 2"
    assert live_flights() == []


async def test_a_stubborn_load_that_ends_while_its_successor_runs() -> None:
    """What comes too late reaches neither the store nor those who wait for the next load."""
    clock = ManualClock()
    gate: Gate[str] = Gate()

    @async_cached(ttl=100, timeout=4, clock=clock)
    async def load(key: int) -> str:
        try:
            return await gate.load(key)
        except asyncio.CancelledError:
            return await gate.load(key)

    (first,) = await callers(load, 1)
    clock.advance(4)
    assert isinstance(await outcome(first), LoadTimeout)
    (second,) = await callers(load, 1)
    gate.give("late", 1)
    await turns()
    assert not second.done()
    assert load.cache_peek(1) is MISSING
    gate.give("value", 2)
    assert await together(second) == ["value"]


async def test_a_refresh_has_the_same_limit() -> None:
    """A refresh that takes too long is cancelled, nobody is told, the old value stays, and it counts as a failure."""
    scene = await aged(stale=50, timeout=4)
    await scene.read()
    scene.clock.advance(4)
    await turns()
    assert scene.gate.cancelled == 1
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 2)
    scene.clock.advance(1)
    assert (await scene.read(), len(scene.gate.calls)) == ("old", 3)
    await scene.end("new")
    assert await scene.read() == "new"


async def test_a_load_that_nobody_waits_for_has_the_same_limit() -> None:
    """With `on_abandon="finish"` a load without callers goes on up to its `timeout`, and no further."""
    scene = Scene(timeout=4, on_abandon="finish")
    (caller,) = await callers(scene.load, 1)
    caller.cancel()
    scene.clock.advance(4 - MOMENT)
    await turns()
    assert scene.gate.cancelled == 0
    scene.clock.advance(MOMENT)
    await turns()
    assert scene.gate.cancelled == 1


@pytest.mark.parametrize("kind", virtual_loops())
def test_three_callers_with_limits_of_their_own(kind: str) -> None:
    """Each caller's own timeout is its own business, shorter or longer than the load's: one load, and one each."""
    calls = 0

    @async_cached(ttl=100, timeout=10, clock=loop_time)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(1_000)
        return "never"

    async def caller(patience: float) -> tuple[str, float]:
        try:
            async with asyncio.timeout(patience):
                return await load(1), loop_time()
        except LoadTimeout:
            return "the load's limit", loop_time()
        except TimeoutError:
            return "its own", loop_time()

    async def main() -> None:
        found = [asyncio.create_task(caller(patience)) for patience in (2, 5, 60)]
        await asyncio.wait(found)
        assert [task.result() for task in found] == [("its own", 2), ("its own", 5), ("the load's limit", 10)]
        assert calls == 1

    run(main(), kind)


async def test_limits_hold_nothing() -> None:
    """When a load has ended, its timers keep neither it nor its value."""
    clock = ManualClock()

    class Value:
        """Can be referred to weakly."""

    @async_cached(maxsize=0, ttl=10, timeout=1_000, clock=clock)
    async def load(key: int) -> Value:
        await asyncio.sleep(0)
        return Value()

    value = weakref.ref(await load(1))
    await turns()
    gc.collect()
    assert value() is None
