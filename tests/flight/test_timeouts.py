"""A timeout around a call ends that call and nothing else, whoever made the timeout."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import anyio
import pytest

from asynccache import async_cached
from asynccache.testing import live_flights
from tests.flight.gates import callers, gated, outcome, turns
from tests.flight.virtual_time import run, virtual_loops

Limit: TypeAlias = Callable[[Awaitable[str], float], Awaitable[str]]


async def with_timeout(call: Awaitable[str], seconds: float) -> str:
    """By asyncio's context manager."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        return "too late"


async def with_wait_for(call: Awaitable[str], seconds: float) -> str:
    """By asyncio's function."""
    try:
        return await asyncio.wait_for(call, seconds)
    except TimeoutError:
        return "too late"


async def with_fail_after(call: Awaitable[str], seconds: float) -> str:
    """By anyio's scope that raises."""
    try:
        with anyio.fail_after(seconds):
            return await call
    except TimeoutError:
        return "too late"


async def with_move_on_after(call: Awaitable[str], seconds: float) -> str:
    """By anyio's scope that does not."""
    with anyio.move_on_after(seconds):
        return await call
    return "too late"


LIMITS: Final[dict[str, Limit]] = {
    "asyncio.timeout": with_timeout,
    "asyncio.wait_for": with_wait_for,
    "anyio.fail_after": with_fail_after,
    "anyio.move_on_after": with_move_on_after,
}


@pytest.fixture(params=virtual_loops())
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of loop on which time passes by itself."""
    return str(request.param)


@pytest.fixture(params=LIMITS)
def limit(request: pytest.FixtureRequest) -> Limit:
    """A way to put a limit on a call."""
    return LIMITS[request.param]


def test_each_caller_has_the_patience_that_it_has(kind: str, limit: Limit) -> None:
    """Of callers with deadlines before and after the load's end, exactly those in time get its value, from one load."""
    loads = 0

    @async_cached
    async def load(key: int) -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(10)
        return "value"

    async def caller(seconds: float) -> tuple[str, float, int]:
        result = await limit(load(1), seconds)
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)  # a cancellation that was left over would come out here
        return result, asyncio.get_running_loop().time(), task.cancelling()

    async def main() -> None:
        results = await asyncio.gather(*(caller(seconds) for seconds in (2, 5, 30, 3, 20)))
        assert results == [
            ("too late", 2, 0),
            ("too late", 5, 0),
            ("value", 10, 0),
            ("too late", 3, 0),
            ("value", 10, 0),
        ]
        assert loads == 1
        assert live_flights() == []

    run(main(), kind)


def test_all_too_impatient(kind: str, limit: Limit) -> None:
    """When the last one's patience ends the load is cancelled, then and not before."""
    ended_at: list[float] = []

    @async_cached
    async def load(key: int) -> str:
        try:
            await asyncio.sleep(100)
        finally:
            ended_at.append(asyncio.get_running_loop().time())
        return "value"

    async def main() -> None:
        assert await asyncio.gather(*(limit(load(1), seconds) for seconds in (2, 5, 3))) == [
            "too late",
            "too late",
            "too late",
        ]
        await asyncio.sleep(1)
        assert ended_at == [5]
        assert live_flights() == []

    run(main(), kind)


def test_impatient_callers_that_overlap_fill_the_cache(kind: str, limit: Limit) -> None:
    """A load that takes longer than each of its callers waits still ends, as long as somebody waits at each moment."""
    loads = 0

    @async_cached
    async def load(key: int) -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(15)
        return "value"

    async def caller(start: float) -> str:
        await asyncio.sleep(start)
        return await limit(load(1), 10)

    async def main() -> None:
        results = await asyncio.gather(*(caller(start) for start in (0, 6, 12, 18)))
        assert results == ["too late", "value", "value", "value"]
        assert loads == 1

    run(main(), kind)


def test_a_load_that_ends_at_the_deadline_s_own_moment_serves_or_stores(kind: str, limit: Limit) -> None:
    """Whichever comes first, the caller gets the value or runs out of time, and no third thing."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(5)
        return "value"

    async def main() -> None:
        assert await limit(load(1), 5) in ("value", "too late")
        await asyncio.sleep(0)
        assert live_flights() == []
        assert await load(1) == "value"

    run(main(), kind)


def test_a_timeout_inside_of_the_load_is_the_load_s_failure(kind: str, limit: Limit) -> None:
    """What the load does within limits of its own is its own business: all callers get what it makes of it."""

    @async_cached
    async def load(key: int) -> str:
        async def slow() -> str:
            await asyncio.sleep(100)
            return "value"

        return await limit(slow(), 3)

    async def main() -> None:
        results = list(await asyncio.gather(load(1), limit(load(1), 2), load(1)))
        assert results == ["too late"] * 3

    run(main(), kind)


async def test_a_timeout_leaves_no_cancellation_behind() -> None:
    """After a timeout around a call its task is as if it had never been cancelled, and the others wait on."""
    gate, load = gated()
    (other,) = await callers(load, 1)
    task = asyncio.current_task()
    assert task is not None

    async def in_scope() -> str:
        async with asyncio.timeout(None) as scope:
            asyncio.get_running_loop().call_soon(scope.reschedule, 0)
            return await load(1)

    with pytest.raises(TimeoutError):
        await in_scope()
    assert task.cancelling() == 0
    gate.give("value")
    assert await other == "value"


@pytest.mark.parametrize("turn", range(6))
async def test_a_scope_that_cancels_again_and_again_does_no_harm(turn: int) -> None:
    """A scope of anyio cancels at every wait until it is left; a call's way out has no wait."""
    gate, load = gated()
    (other,) = await callers(load, 1)
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            await turns(turn)
            scope.cancel()

        canceller = asyncio.create_task(cancel())
        await load(1)
    assert scope.cancelled_caught
    await canceller
    (flight,) = live_flights()
    assert len(flight.waiters) == 1
    gate.give("value")
    assert await other == "value"


async def test_a_scope_cancelled_before_it_is_entered_stops_its_lone_load() -> None:
    """The call begins, is cancelled as it waits, and takes its load with it."""
    gate, load = gated()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await load(1)
    await turns()
    assert scope.cancelled_caught
    assert live_flights() == []
    (again,) = await callers(load, 1)
    gate.give("value")
    assert await outcome(again) == "value"
