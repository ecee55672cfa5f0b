"""Functions of many keys, called with one: where the tests of `async_cached.batched` begin."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asynccache import CachedFunction, async_cached
from asynccache.decorator import BatchedDecorator
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, outcome, turns


def batched(**options: Any) -> tuple[list[list[int]], CachedFunction[[int], str]]:
    """Give the lists of keys that were asked for so far, and a batched function."""
    asked: list[list[int]] = []

    decorate: BatchedDecorator = async_cached.batched(**options)

    @decorate
    async def load(keys: list[int]) -> dict[int, str]:
        asked.append(list(keys))
        return {key: f"value {key}" for key in keys}

    return asked, load


def gated_batches(**options: Any) -> tuple[Gate[Any], CachedFunction[[int], str]]:
    """Give a gate, and a batched function whose calls wait there."""
    gate: Gate[Any] = Gate()

    decorate: BatchedDecorator = async_cached.batched(**options)

    @decorate
    async def load(keys: list[int]) -> dict[int, str]:
        found: dict[int, str] = await gate.load(tuple(keys))
        return found

    return gate, load


def giving(found: Any) -> CachedFunction[[Any], Any]:
    """Give a batched function whose calls all give or raise the same."""

    @async_cached.batched()
    async def load(_keys: list[Any]) -> Any:
        if isinstance(found, BaseException):
            raise found
        return found

    return load


async def ended(*calls: Awaitable[Any]) -> list[object]:
    """What calls that were made at once came to."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    return [await outcome(task) for task in tasks]


class Counted:
    """A batched function of so many versions: each call gives newer values than the one before.

    Attributes:
        clock: its time.
        asked: the keys of each call so far.
        fails: what the calls raise, if anything.
        say: told of each call.
        load: the function.
    """

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.asked: list[list[int]] = []
        self.fails: Exception | None = None
        self.say: Callable[[], object] = lambda: None

        given: dict[str, Any] = {"clock": self.clock} | options
        decorate: BatchedDecorator = async_cached.batched(**given)

        @decorate
        async def load(keys: list[int]) -> list[str]:
            self.asked.append(list(keys))
            self.say()
            if self.fails is not None:
                raise self.fails
            return [f"{key}, version {len(self.asked)}" for key in keys]

        self.load: CachedFunction[[int], str] = load

    async def read(self, *keys: int) -> list[object]:
        """Tell what calls give that are made at once."""
        found = await ended(*map(self.load, keys))
        await turns()  # let what they have started behind come to its end
        return found
