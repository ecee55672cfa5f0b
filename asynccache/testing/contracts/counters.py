"""What a store promises that counts: every call counts once."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator
from typing import Protocol

from asynccache.stores.contract import Item, Store, SupportsCounters
from asynccache.testing.contracts.store import StoreContract


class CountingStore(Store, SupportsCounters, Protocol):
    """A store with counters."""


class CountersContract(StoreContract):
    """The promises of `SupportsCounters`, and those of every store."""

    @contextlib.asynccontextmanager
    async def counting(self) -> AsyncGenerator[CountingStore, None]:
        """Make a store, and close it."""
        async with self.opened() as store:
            assert isinstance(store, SupportsCounters)
            yield store

    async def test_counters_begin_at_one(self) -> None:
        """The first call gives 1, the next 2; each key has a counter of its own."""
        async with self.counting() as store:
            assert [await store.increment(self.key()) for _ in range(3)] == [1, 2, 3]
            assert await store.increment(self.key("other"), ttl=3_600) == 1

    async def test_every_call_counts_once(self) -> None:
        """Of calls made at once, by two stores, each gets a number of its own."""

        async def count(store: CountingStore) -> list[int]:
            return [await store.increment(self.key(), ttl=3_600) for _ in range(25)]

        async with self.counting() as store, self.counting() as other:
            numbers = await asyncio.gather(*(count((store, other)[number % 2]) for number in range(8)))

            assert sorted(itertools.chain.from_iterable(numbers)) == list(range(1, 201))
            assert all(mine == sorted(mine) for mine in numbers)

    async def test_a_counter_begins_anew_after_its_time(self) -> None:
        """After its ttl a counter begins at 0 again."""
        ttl = self.shortest_ttl
        async with self.counting() as store:
            assert await store.increment(self.key(), ttl=ttl) == 1
            assert await store.increment(self.key(), ttl=ttl) == 2
            # Asking for the counter would give it more time: something that lasts longer tells when its time is over.
            await store.set_many({self.key("beside"): Item(b"", 3 * ttl)})
            await self.gone_after(store, self.key("beside"), 3 * ttl)

            assert await store.increment(self.key(), ttl=ttl) == 1

    async def test_a_counter_is_nobody_elses(self) -> None:
        """Counting changes no item, and no other counter, however alike the keys are."""
        async with self.counting() as store:
            await store.set_many({self.key("1"): Item(b"7"), self.key("11:x"): Item(b"x")})
            assert await store.increment(self.key("11")) == 1
            assert await store.increment(self.key("111"), ttl=60) == 1
            assert await store.increment(self.key("11")) == 2

            assert await store.get_many([self.key("1"), self.key("11:x")]) == {
                self.key("1"): b"7",
                self.key("11:x"): b"x",
            }

    async def test_a_closed_store_does_not_count(self) -> None:
        """A call to a closed store raises `StoreError`."""
        async with self.counting() as store:
            await store.aclose()
            await self.refuses(store.increment(self.key()))
