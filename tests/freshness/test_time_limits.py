"""`timeout` and `soft_timeout`: how long a load may take, and how long anybody waits for it."""

import asyncio
import gc
import pickle
import weakref
from collections.abc import Awaitable
from typing import Any, Final

import pytest

from asynccache import MISSING, CacheError, async_cached
from asynccache.errors import LoadTimeout
from asynccache.testing import ManualClock, live_flights
from tests.flight.cancelling import FAR, CancelledAtWait, at_turns
from tests.flight.gates import Gate, callers, outcome, together, turns
from tests.flight.virtual_time import run, virtual_loops
from tests.freshness.aging import MOMENT, Scene, aged

LIMITED: Final[dict[str, Any]] = {
    "ttl": 10, "stale": 5, "stale_if_error": 50, "error_backoff": 0, "timeout": 30, "soft_timeout": 3,
    "errors": {KeyError: 7}, "tags": ("all",),
}  # fmt: skip


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


# --- soft_timeout ---------------------------------------------------------------------------------------------------


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


# --- cancelled anywhere ---------------------------------------------------------------------------------------------


class Waits:
    """What loads wait for here, and what a scenario leaves behind."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.calls = 0
        self.load = async_cached(clock=self.clock, **LIMITED)(self._load)

    async def _load(self, key: int) -> int:
        self.calls += 1
        number = self.calls
        for _ in range(4):
            await asyncio.sleep(0)
        return number

    async def life(self) -> None:
        """See a value through all that can happen to it."""
        await self.load(1)
        self.clock.advance(10)
        await self.load(1)
        self.clock.advance(20)
        loading = asyncio.ensure_future(self.load(1))
        try:
            await asyncio.sleep(0)
            self.clock.advance(3)
            await loading
            await self.load.cache_refresh(1)
        finally:
            loading.cancel()

    async def check(self) -> None:
        """See that the function is as good as new, and that nothing is left."""
        await turns(30)
        assert live_flights() == []
        self.clock.advance(1_000)
        before = self.calls
        assert await together(*(self.load(1) for _ in range(5))) == [before + 1] * 5
        assert self.load.cache_stats().in_flight == 0


async def test_cancelled_after_any_number_of_turns() -> None:
    """Whenever a caller is cancelled, nothing is left behind, and the function works on."""
    scenarios: list[Waits] = []

    def start() -> Any:
        scenarios.append(Waits())
        return scenarios[-1].life()

    async for task in at_turns(start):
        await asyncio.wait([task])
        await scenarios[-1].check()
    assert len(scenarios) > 10


async def test_cancelled_at_any_wait() -> None:
    """The same, with a cancellation at each wait as it begins."""
    for number in range(1, FAR):
        scenario = Waits()
        life = CancelledAtWait(scenario.life(), number)
        task = asyncio.ensure_future(_awaited(life))
        await asyncio.wait([task])
        assert task.cancelled() is life.reached
        await scenario.check()
        if not life.reached:
            return
    raise AssertionError("the scenario does not end")


async def _awaited(what: Awaitable[object]) -> None:
    await what


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
