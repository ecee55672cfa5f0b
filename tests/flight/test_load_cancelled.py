"""A load that is cancelled, while its callers are not, tells them so by an error that nothing swallows."""

import asyncio

import anyio
import pytest

from asynccache import LoadCancelled, async_cached
from asynccache.testing import live_flights
from tests.flight.gates import callers, gated, outcome


@async_cached
async def cancels_itself(key: int) -> str:
    """A load in which something is cancelled that should not have been."""
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def test_callers_get_load_cancelled() -> None:
    """None of them was cancelled, so none sees CancelledError; the error knows the key and its cause."""
    tasks = await callers(cancels_itself, 3)
    for task in tasks:
        error = await outcome(task)
        assert isinstance(error, LoadCancelled)
        assert error.key == 1
        assert isinstance(error.__cause__, asyncio.CancelledError)
        assert "cancels_itself" in str(error)
    assert not cancels_itself.cache_contains(1)


async def test_the_next_call_loads_anew() -> None:
    """A load that was cancelled once does not poison its key."""
    gate, load = gated()
    (first,) = await callers(load, 1)
    gate.fail(asyncio.CancelledError())
    assert isinstance(await outcome(first), LoadCancelled)
    (second,) = await callers(load, 1)
    gate.give("value")
    assert await second == "value"
    assert (load.cache_stats().failures, load.cache_stats().abandoned) == (1, 0)


async def test_a_task_group_does_not_take_it_for_the_end() -> None:
    """A group of asyncio's would take CancelledError for a quiet end and lose the result; this comes out of it."""

    async def in_group() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(cancels_itself(1))

    with pytest.raises(ExceptionGroup) as caught:
        await in_group()
    assert {type(error) for error in caught.value.exceptions} == {LoadCancelled}


async def test_an_anyio_task_group_does_not_either() -> None:
    """Nor is it lost in a group of anyio's."""

    async def in_group() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(cancels_itself, 1)

    with pytest.raises(ExceptionGroup) as caught:
        await in_group()
    assert {type(error) for error in caught.value.exceptions} == {LoadCancelled}


async def test_one_error_in_a_group_of_callers_stops_no_strangers() -> None:
    """A group that fails cancels its own callers of a load; those of others wait on."""
    gate, load = gated()
    (stranger,) = await callers(load, 1)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise OSError("down")

    async def in_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(load(1))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await in_group()
    gate.give("value")
    assert await stranger == "value"
    assert len(gate.calls) == 1
    assert live_flights() == []


async def test_a_caller_that_is_cancelled_too_sees_its_own_cancellation() -> None:
    """Cancelled in the same turn as the load: what it sees is that it was cancelled."""
    gate, load = gated()
    one, other = await callers(load, 2)
    gate.fail(asyncio.CancelledError())
    one.cancel()
    assert await outcome(one) is asyncio.CancelledError
    assert isinstance(await outcome(other), LoadCancelled)
