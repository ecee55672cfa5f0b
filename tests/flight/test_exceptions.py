"""What a load raises reaches all who waited for it, and is forgotten after that."""

import asyncio
import gc
import traceback
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any, Literal

import pytest

from asynccache import CachedFunction, async_cached
from tests.flight.gates import Gate, callers, gated, outcome, turns


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Memory is freed by counting references alone: what a cycle holds stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Big:
    """Something that a load has in a local variable."""


async def test_all_who_waited_share_the_failure() -> None:
    """Fifty callers of a failing load cost one load, not one after another."""
    gate, load = gated()
    tasks = await callers(load, 50)
    error = OSError("down")
    gate.fail(error)
    assert [await outcome(task) for task in tasks] == [error] * 50
    assert len(gate.calls) == 1
    assert (load.cache_stats().failures, load.cache_info().currsize) == (1, 0)


async def test_the_next_call_after_a_failure_loads_anew() -> None:
    """Errors are not stored."""
    gate, load = gated()
    (task,) = await callers(load, 1)
    gate.fail(OSError("down"))
    assert isinstance(await outcome(task), OSError)
    (task,) = await callers(load, 1)
    gate.give("value")
    assert await task == "value"


async def test_a_failed_refresh_keeps_what_is_there() -> None:
    """Who asked for the refresh gets the error, everybody else the old value."""
    gate, load = gated()
    load.cache_put("old", 1)
    task = asyncio.create_task(load.cache_refresh(1))
    await turns()
    gate.fail(OSError("down"))
    assert isinstance(await outcome(task), OSError)
    assert await load(1) == "old"


async def test_the_traceback_shows_the_load_and_does_not_grow() -> None:
    """Each of a hundred callers sees its own way and the load's frames, and nothing of the other ninety-nine."""
    gate = Gate[str]()

    @async_cached
    async def load(key: int) -> str:
        return await the_innermost(key)

    async def the_innermost(key: int) -> str:
        await gate.load(key)
        raise OSError("down")

    async def caller() -> list[str]:
        try:
            await load(1)
        except OSError as error:
            return [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        raise AssertionError

    tasks = [asyncio.create_task(caller()) for _ in range(100)]
    await turns()
    gate.give("go on")
    names = await asyncio.gather(*tasks)
    assert names == [names[0]] * 100
    assert names[0][0] == "caller"
    assert names[0][-2:] == ["load", "the_innermost"]
    assert len(names[0]) < 8


async def test_what_one_caller_was_handling_is_not_shown_to_another() -> None:
    """Python notes in an error what was being handled when it was raised: that is each caller's own affair."""
    gate, load = gated()

    async def in_trouble() -> None:
        try:
            raise KeyError("a private affair")
        except KeyError:
            await load(1)

    async def untroubled() -> BaseException | None:
        try:
            await load(1)
        except OSError as error:
            return error.__context__
        raise AssertionError

    troubled = asyncio.create_task(in_trouble())
    await turns()
    other = asyncio.create_task(untroubled())
    await turns()
    gate.fail(OSError("down"))
    assert isinstance(await outcome(troubled), OSError)
    assert await other is None


async def test_a_cause_given_by_the_load_reaches_the_callers() -> None:
    """`raise ... from ...` in a load means in a caller what it means there."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        try:
            raise KeyError(key)
        except KeyError as error:
            raise OSError("down") from error

    for task in await callers(load, 3):
        error = await outcome(task)
        assert isinstance(error, OSError)
        assert isinstance(error.__cause__, KeyError)


def holds_nothing(function: CachedFunction[[int], str]) -> Coroutine[Any, Any, None]:
    """Call, and drop the error."""

    async def call() -> None:
        try:
            await function(1)
        except Exception:
            return
        raise AssertionError("it was to fail")

    return call()


async def failing_at_once(key: int) -> str:
    """Fail without having waited."""
    raise OSError(key)


async def failing_late(key: int) -> str:
    """Wait, and fail."""
    await asyncio.sleep(0)
    raise OSError(key)


async def cancelling_itself(key: int) -> str:
    """Be cancelled from inside."""
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def stopping(key: int) -> str:
    """Raise what steers generators."""
    await asyncio.sleep(0)
    raise StopAsyncIteration


@pytest.mark.parametrize("overtaken", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("fail", [failing_at_once, failing_late, cancelling_itself, stopping])
async def test_a_failed_load_s_variables_are_freed_with_its_error(
    no_collection: None, fail: Any, nested: bool, overtaken: bool
) -> None:
    """No cycle keeps them, however the load failed, and also if it was another load that waited for it."""
    held: list[weakref.ref[Big]] = []

    @async_cached
    async def load(key: int) -> str:
        big = Big()
        held.append(weakref.ref(big))
        if overtaken:
            load.cache_invalidate(key)
        result: str = await fail(key)
        return result

    @async_cached
    async def outer(key: int) -> str:
        big = Big()
        held.append(weakref.ref(big))
        return await load(key)

    await asyncio.gather(*(holds_nothing(outer if nested else load) for _ in range(3)))
    await turns()
    assert len(held) >= 1
    assert [ref() for ref in held] == [None] * len(held)


@pytest.mark.parametrize("on_abandon", ["cancel", "finish"])
async def test_a_load_that_nobody_waited_for_to_the_end_is_freed_too(
    no_collection: None, on_abandon: Literal["cancel", "finish"]
) -> None:
    """Cancelled as its last caller left, or failed after that: no cycle keeps its variables, and nothing is logged."""
    held: list[weakref.ref[Big]] = []
    gate = Gate[str]()

    @async_cached(on_abandon=on_abandon)
    async def load(key: int) -> str:
        big = Big()
        held.append(weakref.ref(big))
        await gate.load(key)
        raise OSError("down")

    (task,) = await callers(load, 1)
    task.cancel()
    assert await outcome(task) is asyncio.CancelledError
    await turns()
    if on_abandon == "finish":
        gate.give("go on")
        await turns()
    assert [ref() for ref in held] == [None]


@pytest.mark.parametrize("error_type", [StopIteration, StopAsyncIteration, GeneratorExit])
@pytest.mark.parametrize("suspends", [False, True])
async def test_what_steers_generators_becomes_a_runtime_error(error_type: type[BaseException], suspends: bool) -> None:
    """Passed on as it is it would end a generator or a task of the caller's; all callers get a RuntimeError."""

    @async_cached
    async def load(key: int) -> str:
        if suspends:
            await asyncio.sleep(0)
        raise error_type

    for task in await callers(load, 3):
        error = await outcome(task)
        assert isinstance(error, RuntimeError)
        assert isinstance(error.__cause__, error_type)
    assert not load.cache_contains(1)


@pytest.mark.parametrize("make", ["coroutine", "future", "generator", "async generator"])
async def test_a_value_that_can_be_used_only_once_is_refused(make: str) -> None:
    """All callers get a TypeError that names the function, and nothing is stored."""

    async def agenerate() -> Any:
        yield 1

    def one() -> object:
        if make == "coroutine":
            return asyncio.sleep(0)
        if make == "future":
            return asyncio.get_running_loop().create_future()
        return agenerate() if make == "async generator" else (number for number in range(3))

    @async_cached
    async def forgets_to_await(key: int) -> object:
        await asyncio.sleep(0)
        return one()

    for task in await callers(forgets_to_await, 2):
        error = await outcome(task)
        assert isinstance(error, TypeError)
        assert "forgets_to_await" in str(error)
    assert not forgets_to_await.cache_contains(1)


async def test_a_load_killed_by_memory_error_is_not_remembered() -> None:
    """Serious errors are passed on like others."""
    gate, load = gated()
    tasks = await callers(load, 2)
    gate.fail(MemoryError())
    assert [type(await outcome(task)) for task in tasks] == [MemoryError] * 2
    assert load.cache_info().currsize == 0
