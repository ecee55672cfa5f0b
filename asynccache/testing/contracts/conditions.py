"""What a store promises that changes a key on a condition: of many that try at once, exactly one succeeds."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Protocol

from asynccache.stores.contract import Item, Store, SupportsConditions
from asynccache.testing.contracts.base import value_of
from asynccache.testing.contracts.interruptions import ended, interrupted
from asynccache.testing.contracts.store import StoreContract

RIVALS = 8


class ConditionalStore(Store, SupportsConditions, Protocol):
    """A store with conditions."""


class ConditionsContract(StoreContract):
    """The promises of `SupportsConditions`, and those of every store."""

    @contextlib.asynccontextmanager
    async def conditional(self) -> AsyncGenerator[ConditionalStore, None]:
        """Make a store, and close it."""
        async with self.opened() as store:
            assert isinstance(store, SupportsConditions)
            yield store

    async def test_only_the_first_is_added(self) -> None:
        """An addition is kept where nothing is, and changes nothing where something is."""
        async with self.conditional() as store:
            assert await store.add(self.key(), Item(b"1")) is True
            assert await store.add(self.key(), Item(b"2")) is False
            assert await value_of(store, self.key()) == b"1"

            await store.delete_many([self.key()])
            assert await store.add(self.key(), Item(b"3")) is True
            assert await value_of(store, self.key()) == b"3"

    async def test_an_empty_value_is_a_value(self) -> None:
        """Where an empty value is kept, nothing is added; and it begins with nothing."""
        async with self.conditional() as store:
            assert await store.add(self.key(), Item(b"")) is True
            assert await store.add(self.key(), Item(b"x")) is False
            assert await store.compare_and_set(self.key(), b"x", Item(b"y")) is False
            assert await store.compare_and_set(self.key(), b"", Item(b"z")) is True
            assert await value_of(store, self.key()) == b"z"

    async def test_of_rivals_one_adds(self) -> None:
        """Of several tasks that add at once, by two stores, one is told that it did, and its value is there."""
        async with self.conditional() as store, self.conditional() as other:
            for turn in range(10):
                key = self.key(turn)
                tries = [(store, other)[number % 2].add(key, Item(b"%d" % number)) for number in range(RIVALS)]
                won = await asyncio.gather(*tries)

                assert won.count(True) == 1
                assert await value_of(store, key) == b"%d" % won.index(True)

    async def test_what_has_expired_is_no_obstacle(self) -> None:
        """An addition has its ttl, is in nobody's way after it, and not before."""
        ttl = self.shortest_ttl
        async with self.conditional() as store:
            begin = self.now()
            assert await store.add(self.key(), Item(b"1", ttl))

            async def is_added() -> bool:
                return await store.add(self.key(), Item(b"2"))

            await self.wait_until(is_added, within=ttl)
            assert self.now() >= begin + ttl - 0.02
            assert await value_of(store, self.key()) == b"2"

    async def test_a_value_is_replaced_if_it_begins_so(self) -> None:
        """Of the present value, the beginning counts: as much of it as is given."""
        async with self.conditional() as store:
            await store.set_many({self.key(): Item(b"token\r\n\0:rest")})

            assert await store.compare_and_set(self.key(), b"tokem", Item(b"x")) is False
            assert await store.compare_and_set(self.key(), b"token\r\n\0:rest.", Item(b"x")) is False
            assert await value_of(store, self.key()) == b"token\r\n\0:rest"
            assert await store.compare_and_set(self.key(), b"token\r\n\0", Item(b"next")) is True
            assert await store.compare_and_set(self.key(), b"next", Item(b"last")) is True
            assert await value_of(store, self.key()) == b"last"

    async def test_nothing_is_not_replaced(self) -> None:
        """Where nothing is, no condition holds: nothing is put there, and nothing deleted."""
        async with self.conditional() as store:
            assert await store.compare_and_set(self.key(), b"", Item(b"x")) is False
            assert await store.compare_and_delete(self.key(), b"") is False
            assert await value_of(store, self.key()) is None

    async def test_a_replacement_has_its_own_time(self) -> None:
        """What replaces a value is gone after its own ttl, or stays if it has none."""
        short, endless = self.key("short"), self.key("endless")
        ttl = self.shortest_ttl
        async with self.conditional() as store:
            await store.set_many({short: Item(b"1"), endless: Item(b"1", ttl)})
            assert await store.compare_and_set(short, b"1", Item(b"2", ttl))
            assert await store.compare_and_set(endless, b"1", Item(b"2"))

            await self.gone_after(store, short, ttl)

            assert await value_of(store, endless) == b"2"

    async def test_a_value_is_deleted_if_it_begins_so(self) -> None:
        """A deletion on a condition takes away what begins so, and nothing else."""
        async with self.conditional() as store:
            await store.set_many({self.key(): Item(b"token:rest")})

            assert await store.compare_and_delete(self.key(), b"other") is False
            assert await value_of(store, self.key()) == b"token:rest"
            assert await store.compare_and_delete(self.key(), b"token") is True
            assert await store.compare_and_delete(self.key(), b"token") is False
            assert await value_of(store, self.key()) is None

    async def test_of_rivals_one_replaces_and_one_deletes(self) -> None:
        """Of several tasks that expect the same value, one finds it."""
        async with self.conditional() as store, self.conditional() as other:
            for turn in range(5):
                key = self.key(turn)
                await store.set_many({key: Item(b"first")})
                stores = [(store, other)[number % 2] for number in range(RIVALS)]

                tries = [
                    rival.compare_and_set(key, b"first", Item(b"won %d" % number))
                    for number, rival in enumerate(stores)
                ]
                won = await asyncio.gather(*tries)
                assert won.count(True) == 1
                assert await value_of(store, key) == b"won %d" % won.index(True)

                assert (await asyncio.gather(*(rival.compare_and_delete(key, b"won") for rival in stores))).count(
                    True
                ) == 1
                assert await value_of(store, key) is None

    async def test_no_update_is_lost(self) -> None:
        """Tasks that count by reading and replacing count exactly."""

        async def count(store: ConditionalStore) -> None:
            for _ in range(5):
                done = False
                while not done:
                    present = await value_of(store, self.key())
                    assert present is not None
                    following = Item(b"%06d" % (int(present) + 1))
                    done = await store.compare_and_set(self.key(), present, following)

        async with self.conditional() as store, self.conditional() as other:
            await store.set_many({self.key(): Item(b"000000")})
            await asyncio.gather(*(count((store, other)[number % 2]) for number in range(RIVALS)))

            assert await value_of(store, self.key()) == b"000040"

    async def test_additions_cancelled_anywhere(self) -> None:
        """An addition that was cancelled is done or not: who adds after it learns the truth."""
        key = self.key()
        async with self.conditional() as store:
            async for task in interrupted(lambda: store.add(key, Item(b"cancelled"))):
                await ended(task)
                added = await store.add(key, Item(b"later"))
                assert await value_of(store, key) == (b"later" if added else b"cancelled")
                assert await store.compare_and_delete(key, b"later" if added else b"cancelled") is True

    async def test_a_closed_store_has_no_conditions(self) -> None:
        """A call to a closed store raises `StoreError`, and never says that a condition does not hold."""
        async with self.conditional() as store:
            await store.aclose()
            await self.refuses(store.add(self.key(), Item(b"1")))
            await self.refuses(store.compare_and_set(self.key(), b"", Item(b"1")))
            await self.refuses(store.compare_and_delete(self.key(), b""))
