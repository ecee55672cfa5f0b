"""What tests of leases have in common: a clock that stands still, and a wire to a store on which things get lost."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

from asynccache.errors import StoreTimeout, StoreUnavailable
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lock import Locks
from asynccache.locks.wakeups import Wakeups
from asynccache.stores.contract import Item
from asynccache.stores.memory import MemoryStore
from asynccache.testing import ManualClock

T = TypeVar("T")

Fault: TypeAlias = Literal["request lost", "reply lost", "late"]
"""What happens to a request: it never arrives; it is carried out and nobody is told; it arrives when it is delivered,
which nobody waits for."""

KEY = b"shop:k:report"
FENCE = b"shop:f:report"
A_FEW = 30
"""Turns of the loop in which everything happens that can happen while time stands still."""


async def turns(number: int = A_FEW) -> None:
    """Let the others go on."""
    for _ in range(number):
        await asyncio.sleep(0)


class Wire:
    """A store that is a turn of the loop away, and whatever the test wants to go wrong on the way.

    Attributes:
        faults: by the name of a method, what happens to its next requests; an empty list: nothing.
        held: by the name of a method, a gate that its requests wait at before they arrive.
        calls: how often each was called.
        is_down: refuses everything.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.held: dict[str, asyncio.Event] = {}
        self.calls: Counter[str] = Counter()
        self.late: list[Callable[[], Awaitable[object]]] = []
        self.is_down = False

    async def deliver(self) -> None:
        """Let late requests arrive."""
        late, self.late = self.late, []
        for request in late:
            await request()

    async def _send(self, method: str, request: Callable[[], Awaitable[T]]) -> T:
        self.calls[method] += 1
        await asyncio.sleep(0)
        if method in self.held:
            await self.held[method].wait()
        if self.is_down:
            raise StoreUnavailable("down")
        fault = self.faults[method].pop(0) if self.faults[method] else None
        if fault == "late":
            self.late.append(request)
        if fault in {"late", "request lost"}:
            raise StoreTimeout("lost")
        result = await request()
        await asyncio.sleep(0)
        if fault == "reply lost":
            raise StoreTimeout("lost")
        return result

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Pass it on."""
        return await self._send("get_many", lambda: self.store.get_many(keys))

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Pass it on."""
        await self._send("set_many", lambda: self.store.set_many(items))

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Pass it on."""
        return await self._send("delete_many", lambda: self.store.delete_many(keys))

    async def add(self, key: bytes, item: Item) -> bool:
        """Pass it on."""
        return await self._send("add", lambda: self.store.add(key, item))

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Pass it on."""
        return await self._send("compare_and_set", lambda: self.store.compare_and_set(key, expected, item))

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Pass it on."""
        return await self._send("compare_and_delete", lambda: self.store.compare_and_delete(key, expected))

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Pass it on."""
        return await self._send("increment", lambda: self.store.increment(key, ttl=ttl))

    async def aclose(self) -> None:
        """Pass it on."""
        await self.store.aclose()


class Process:
    """What one process has: a wire of its own to the store of all, and a keeper."""

    def __init__(self, store: MemoryStore, clock: ManualClock) -> None:
        self.wire = Wire(store)
        self.is_fed = False
        self.wakeups = Wakeups(lambda: self.is_fed, clock=clock)
        self.keeper = LeaseKeeper(self.wire, self.wakeups, clock=clock)
        self.locks = Locks(self.keeper, b"shop:")

    async def listen(self) -> None:
        """Be told of the store's changes from now on."""
        feed = await self.wire.store.listen(b"shop:", self.wakeups.ring)
        self.is_fed = feed.is_live


class World:
    """A store, and the processes that share it."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_000.0)
        self.store = MemoryStore(clock=self.clock)
        self.processes: list[Process] = []

    def process(self) -> Process:
        """Start one more."""
        self.processes.append(Process(self.store, self.clock))
        return self.processes[-1]

    async def holder(self, key: bytes = KEY) -> bytes | None:
        """What stands under a lock's key."""
        return (await self.store.get_many([key])).get(key)

    async def pass_time(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass in small steps, such that whoever is woken has acted before the next."""
        await turns()
        end = self.clock() + seconds
        while (left := end - self.clock()) > 1e-9:
            self.clock.advance(min(step, left))
            await turns()

    async def aclose(self) -> None:
        """End all processes in good order."""
        for process in self.processes:
            process.wire.is_down = False
            for gate in process.wire.held.values():
                gate.set()
            await process.keeper.aclose()
