"""Loads that go on when the test says so, and turns of the loop: with these, tests order events and never sleep."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Final, Generic, TypeVar

from asynccache import CachedFunction, async_cached
from asynccache.decorator import Decorator

T = TypeVar("T")

ENOUGH: Final = 12
"""Turns of the loop after which nothing moves any more, in tests that do not say otherwise."""


async def turns(count: int = ENOUGH) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


class Gate(Generic[T]):
    """What loads wait at: the test sees which have come, and tells each what it comes to."""

    def __init__(self) -> None:
        self.calls: list[Hashable] = []
        self.cancelled = 0
        self._stops: list[asyncio.Future[T]] = []

    async def load(self, key: Hashable = None) -> T:
        """Be the load of `key`."""
        self.calls.append(key)
        stop: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._stops.append(stop)
        try:
            return await stop
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def give(self, value: T, number: int = -1) -> None:
        """Let a load, the latest or that of the number, end with a value."""
        self._stops[number].set_result(value)

    def fail(self, error: BaseException, number: int = -1) -> None:
        """Let a load end with an error."""
        self._stops[number].set_exception(error)


def gated(**options: Any) -> tuple[Gate[str], CachedFunction[[int], str]]:
    """Give a gate, and a cached function whose loads wait there."""
    gate: Gate[str] = Gate()

    decorate: Decorator = async_cached(**options)

    @decorate
    async def load(key: int) -> str:
        return await gate.load(key)

    return gate, load


async def callers(
    function: Callable[[int], Coroutine[Any, Any, T]], count: int, key: int = 1
) -> "list[asyncio.Task[T]]":
    """Let so many tasks call the function, and turn the loop until all of them wait."""
    tasks = [asyncio.create_task(function(key)) for _ in range(count)]
    await turns()
    return tasks


async def together(*calls: Awaitable[T]) -> list[T]:
    """Wait for all; a test that would hang fails instead, and does not take the others with it."""
    async with asyncio.timeout(5):
        return list(await asyncio.gather(*calls))


async def outcome(task: "asyncio.Task[Any]") -> object:
    """What a task came to: its result, or the error that it ended with."""
    await asyncio.wait([task], timeout=5)
    if not task.done():
        return "hangs"
    if task.cancelled():
        return asyncio.CancelledError
    return task.exception() or task.result()
