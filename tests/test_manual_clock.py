"""The clock that passes when told."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache import async_cached
from asynccache.testing import ManualClock


def test_stands_still_until_told() -> None:
    """A clock starts where it is told to, and moves by what it is told, exactly."""
    clock = ManualClock()
    assert clock() == clock() == 0.0
    clock.advance(1.5)
    clock.advance(0)
    assert clock() == 1.5
    assert ManualClock(start=100.0)() == 100.0


@pytest.mark.parametrize("by", [-1, -0.001, -math.inf, math.nan])
def test_does_not_go_back(by: float) -> None:
    """Time that would go back, or is no time, is refused, and the clock stays as it was."""
    clock = ManualClock(5.0)
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(by)
    assert clock() == 5.0


def test_calls_fall_due_in_order_at_their_time() -> None:
    """Each call is made once, in the order of what is due and then of what was asked first, when its time has come."""
    clock = ManualClock(10.0)
    made: list[tuple[str, float]] = []
    for name, delay in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("now", 0.0), ("late", 9.0)):
        clock.call_later(delay, lambda name=name: made.append((name, clock())))  # type: ignore[misc]
    assert made == []
    clock.advance(0)
    assert made == [("now", 10.0)]
    clock.advance(5)
    assert made[1:] == [("a", 11.0), ("b1", 12.0), ("b2", 12.0), ("c", 13.0)]
    assert clock() == 15.0
    clock.advance(100)
    assert made[5:] == [("late", 19.0)]


def test_cancelled_calls_are_not_made() -> None:
    """A call that was taken back is not made; taking it back twice, or afterwards, does nothing."""
    clock = ManualClock()
    made: list[str] = []
    one = clock.call_later(1, lambda: made.append("one"))
    other = clock.call_later(1, lambda: made.append("other"))
    one.cancel()
    one.cancel()
    clock.advance(2)
    other.cancel()
    assert made == ["other"]


def test_calls_may_ask_for_calls() -> None:
    """A call that asks for another within the same stretch of time gets it in that stretch."""
    clock = ManualClock()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(clock())
        clock.call_later(1.0, tick)

    clock.call_later(1.0, tick)
    clock.advance(3.5)
    assert ticks == [1.0, 2.0, 3.0]
    clock.advance(0.5)
    assert ticks[3:] == [4.0]


def test_a_call_may_let_time_pass() -> None:
    """A call that lets time pass itself does not make the clock go back."""
    clock = ManualClock()
    seen: list[float] = []
    clock.call_later(1.0, lambda: clock.advance(10.0))
    clock.call_later(2.0, lambda: seen.append(clock()))
    clock.advance(5.0)
    assert clock() >= 11.0
    assert seen == [2.0]


def test_a_call_that_raises_can_be_passed_over() -> None:
    """What a call raises reaches whoever lets time pass; the calls after it are made when time passes again."""
    clock = ManualClock()
    made: list[str] = []

    def broken() -> None:
        raise LookupError

    clock.call_later(1.0, broken)
    clock.call_later(2.0, lambda: made.append("after"))
    with pytest.raises(LookupError):
        clock.advance(5.0)
    clock.advance(5.0)
    assert made == ["after"]


@given(delays=st.lists(st.floats(0, 100), max_size=20), steps=st.lists(st.floats(0, 50), max_size=10))
def test_what_is_due_has_been_made(delays: list[float], steps: list[float]) -> None:
    """However time passes, exactly those calls have been made whose time has come."""
    clock = ManualClock()
    made: list[float] = []
    for delay in delays:
        clock.call_later(delay, lambda delay=delay: made.append(delay))  # type: ignore[misc]
    for step in steps:
        clock.advance(step)
        assert made == sorted(delay for delay in delays if delay <= clock())


async def test_everything_of_a_cache_waits_by_it() -> None:
    """Expiry, sweeping and seconds of grace all go by the clock that was given."""
    clock = ManualClock()

    @async_cached(ttl=10, on_abandon=5, clock=clock)
    async def load(x: int) -> int:
        if x:
            await asyncio.Event().wait()
        return x

    await load(0)
    waiting = asyncio.ensure_future(load(1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    clock.advance(4.9)
    assert load.cache_stats().in_flight == 1
    clock.advance(0.1)
    assert (load.cache_stats().in_flight, load.cache_stats().abandoned) == (0, 1)
    clock.advance(10)
    assert load.cache_info().currsize == 0
