"""Several caches over one store, as so many processes would have them: each with a wire of its own, all with one clock.

A wire can be held at each of its steps, cut, or lose its news; the store itself never fails. Nothing here is told by
real time.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from asynccache import Cache
from asynccache.protocols import MISSING
from asynccache.stores import Item, MemoryStore, Store
from asynccache.testing import Chaos, ManualClock

NAMESPACE: Final = "shop"
ENOUGH: Final = 40
"""Turns of the loop after which nothing moves any more while time stands still."""


async def turns(count: int = ENOUGH) -> None:
    """Let the others go on."""
    for _ in range(count):
        await asyncio.sleep(0)


class DistantStore(MemoryStore):
    """A store that is a turn of the loop away, there and back: no store of another process answers at once."""

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys."""
        await asyncio.sleep(0)
        found = await super().get_many(keys)
        await asyncio.sleep(0)
        return found

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        await asyncio.sleep(0)
        await super().set_many(items)
        await asyncio.sleep(0)

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already."""
        await asyncio.sleep(0)
        is_kept = await super().add(key, item)
        await asyncio.sleep(0)
        return is_kept

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one that begins with `expected`."""
        await asyncio.sleep(0)
        is_kept = await super().compare_and_set(key, expected, item)
        await asyncio.sleep(0)
        return is_kept

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item that begins with `expected`."""
        await asyncio.sleep(0)
        is_gone = await super().compare_and_delete(key, expected)
        await asyncio.sleep(0)
        return is_gone


class Process:
    """What one process has.

    Attributes:
        wire: its way to the store of all.
        cache: its cache.
    """

    def __init__(self, wire: Chaos, cache: Cache) -> None:
        self.wire = wire
        self.cache = cache

    def kept(self) -> dict[Any, Any]:
        """What it holds in process, outside of namespaces."""
        return dict(self.cache.items())

    def owed(self) -> int:
        """How many invalidations it still has to send."""
        shared = self.cache.stats().shared
        assert shared is not None
        return shared.owed


class World:
    """A store, a clock, and processes that come and go.

    Attributes:
        hears: whether processes are told of changes, for tests that look into them.

    Args:
        is_near: whether the store answers at once, rather than a turn of the loop later.
        options: what all caches are made with, unless one says otherwise.
    """

    def __init__(self, *, is_near: bool = False, **options: Any) -> None:
        self.clock = ManualClock(1_000.0)
        self.store = MemoryStore(clock=self.clock) if is_near else DistantStore(clock=self.clock)
        self.options = {"ttl": 100, **options}
        self.processes: list[Process] = []
        self.hears = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.wire.release()
            process.wire.down = process.wire.loses_replies = False
        for process in self.processes:
            await process.cache.aclose()
        await self.store.aclose()

    async def process(self, *, without: tuple[type, ...] = (), **options: Any) -> Process:
        """Start one more, which has begun to listen.

        Args:
            without: what its store cannot do.
            options: of its cache.
        """
        wire = Chaos(self.store, without=without, clock=self.clock)
        assert isinstance(wire, Store)
        cache = Cache(wire, clock=self.clock, namespace=NAMESPACE, **{**self.options, **options})
        process = Process(wire, cache)
        self.processes.append(process)
        await cache.__aenter__()
        await turns()
        return process

    async def pair(self, **options: Any) -> tuple[Process, Process]:
        """Start two alike."""
        return await self.process(**options), await self.process(**options)

    async def quiet(self) -> None:
        """Let everything that was held go on, and wait until nothing moves any more."""
        for process in self.processes:
            process.wire.release()
        await turns()

    async def stored(self, key: Hashable) -> Any:
        """What a process that has just started finds in the store; None if nothing."""
        async with Cache(
            self.store, clock=self.clock, **{**self.options, "namespace": NAMESPACE, "maxsize": 0, "coalesce": None}
        ) as cache:
            return await cache.get(key)

    async def pass_time(self, seconds: float, *, step: float = 0.25) -> None:
        """Let time pass, and those who wait for it do what they have to, again and again."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            await turns(8)
        await turns()


class Source:
    """Where loads come from: it counts them, and gives what is the truth at the moment, or fails.

    Attributes:
        truth: what it gives.
        loads: how many there were.
        error: what it raises instead, if anything.
        options: what it is loaded with, for tests that keep them here.
    """

    def __init__(self, truth: Any = "old") -> None:
        self.truth = truth
        self.loads = 0
        self.error: Exception | None = None
        self.options: dict[str, Any] = {}

    async def __call__(self) -> Any:
        """Load."""
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.truth

    async def many(self, keys: list[Any]) -> dict[Any, Any]:
        """Load several."""
        self.loads += 1
        return {key: f"{self.truth} {key}" for key in keys}


class HeldSource(Source):
    """A source whose loads see the truth of the moment at which they begin, and end when the test says so."""

    def __init__(self, truth: Any = "old") -> None:
        super().__init__(truth)
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()

    async def __call__(self) -> Any:
        """Load."""
        self.loads += 1
        truth = self.truth
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return truth


async def within_reach(awaitable: Awaitable[Any]) -> Any:
    """Wait for what needs no time to pass; a test that would hang fails instead."""
    async with asyncio.timeout(5):
        return await awaitable


def counting() -> Callable[[], int]:
    """Give a function that tells 1, 2, 3, ..."""
    return itertools.count(1).__next__


__all__ = [
    "ENOUGH", "HeldSource", "MISSING", "NAMESPACE", "Process", "Source", "World", "counting", "turns", "within_reach",
]  # fmt: skip
