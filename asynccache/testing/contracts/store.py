"""What every store promises: bytes come back as they were, whoever asks, and whoever stops asking."""

import asyncio
from typing import Final

import pytest

from asynccache.errors import StoreError
from asynccache.stores.contract import (
    Item,
    Store,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    SupportsScan,
)
from asynccache.testing.contracts.base import value_of
from asynccache.testing.contracts.expiry import ExpiryTests
from asynccache.testing.contracts.interruptions import ended, interrupted

ODD: Final = {
    "nothing": b"",
    "nul": b"\0",
    "line": b"\r\n",
    "space": b"a b",
    "high": b"\xff\xfe\xfd",
    "memcached": b"STORED\r\nEND\r\n",
    "redis": b"$-1\r\n",
    "pattern": b"*?[a-z]{}%s'\"\\",
    "text": "käse €".encode(),
    "all": bytes(range(256)),
}
"""Bytes that a protocol, a pattern or a text would take for something else."""

TURNS_TO_COME_LATE: Final = 10
"""Turns of the loop that a forgotten task gets to do harm."""

CAPABILITIES: Final[dict[str, type]] = {
    "ConditionsContract": SupportsConditions,
    "CountersContract": SupportsCounters,
    "FeedContract": SupportsFeed,
    "ScanContract": SupportsScan,
}


class StoreContract(ExpiryTests):
    """The promises that every store keeps, as tests.

    A subclass, named `Test…`, says how a store is made, and inherits the contracts of what it can do besides::

        class TestMyStore(ConditionsContract, ScanContract):
            async def make_store(self) -> Store:
                return MyStore("localhost", timeout=5)

    `clock`, `shortest_ttl` and `patience` may be set there too. It needs pytest and pytest-asyncio.
    """

    async def test_what_it_can_do_is_tested(self) -> None:
        """Each capability that a store shows has its contract among these tests."""
        async with self.opened() as store:
            able = {name for name, capability in CAPABILITIES.items() if isinstance(store, capability)}
        inherited = {parent.__name__ for parent in type(self).__mro__}
        assert able - inherited == set(), f"{type(self).__name__} should inherit these as well"

    async def test_nothing_is_kept_at_first(self) -> None:
        """What was never written is not there."""
        async with self.opened() as store:
            assert await store.get_many(self.keys(3)) == {}

    async def test_what_is_written_is_read(self) -> None:
        """A read gives what was written last, and nothing for keys that nothing was written under."""
        first, second, never = self.keys(3)
        async with self.opened() as store:
            await store.set_many({first: Item(b"1"), second: Item(b"2")})
            await store.set_many({second: Item(b"3", 60)})

            assert await store.get_many([first, second, never]) == {first: b"1", second: b"3"}

    async def test_stores_made_alike_keep_the_same(self) -> None:
        """What one store writes, another store of the same engine reads and deletes."""
        async with self.opened() as store, self.opened() as other:
            await store.set_many({self.key(): Item(b"1")})

            assert await value_of(other, self.key()) == b"1"
            assert await other.delete_many([self.key()]) == 1
            assert await value_of(store, self.key()) is None

    async def test_items_outlive_their_store(self) -> None:
        """Closing a store loses nothing that others of its engine read."""
        async with self.opened() as store:
            async with self.opened() as other:
                await other.set_many({self.key(): Item(b"1")})

            assert await value_of(store, self.key()) == b"1"

    async def test_deleting_tells_how_many_there_were(self) -> None:
        """A deletion counts what was there, each key once, and leaves other keys alone."""
        first, second, third, never = self.keys(4)
        async with self.opened() as store:
            await store.set_many({key: Item(b"x") for key in (first, second, third)})

            assert await store.delete_many([first, never, second, first]) == 2
            assert await store.delete_many([first]) == 0
            assert await store.get_many([first, second, third]) == {third: b"x"}

    async def test_what_was_deleted_can_be_written_again(self) -> None:
        """A deletion is no obstacle to what is written after it."""
        async with self.opened() as store:
            await store.set_many({self.key(): Item(b"1")})
            await store.delete_many([self.key()])
            await store.set_many({self.key(): Item(b"2")})

            assert await value_of(store, self.key()) == b"2"

    async def test_nothing_asked_is_nothing_done(self) -> None:
        """Calls without keys are answered."""
        async with self.opened() as store:
            assert await store.get_many([]) == {}
            assert await store.delete_many([]) == 0
            await store.set_many({})

    async def test_a_key_asked_for_twice(self) -> None:
        """A key that is asked for twice in one call is answered once."""
        there, never = self.keys(2)
        async with self.opened() as store:
            await store.set_many({there: Item(b"1")})

            assert await store.get_many([there, never, there, never]) == {there: b"1"}

    @pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
    async def test_odd_bytes(self, odd: bytes) -> None:
        """Keys and values are bytes, whatever they mean to others."""
        key = self.key(odd + b"|")
        async with self.opened() as store:
            await store.set_many({key: Item(odd), self.key("beside"): Item(b"beside")})

            found = await store.get_many([key, self.key("beside")])
            assert found == {key: odd, self.key("beside"): b"beside"}
            assert await store.delete_many([key]) == 1

    async def test_short_keys(self) -> None:
        """A key of one byte is a key."""
        async with self.opened() as store:
            try:
                await store.set_many({b"\x01": Item(b"1")})
                assert await store.get_many([b"\x01", b"\x02"]) == {b"\x01": b"1"}
            finally:
                await store.delete_many([b"\x01"])

    async def test_long_keys_are_not_mixed_up(self) -> None:
        """Keys of 1,000 bytes that differ in the last one are two keys."""
        keys = [self.key("long").ljust(999, b"-") + last for last in (b"a", b"b", b"\n")]
        async with self.opened() as store:
            await store.set_many({key: Item(key[-1:]) for key in keys[:2]})

            assert await store.get_many(keys) == {keys[0]: b"a", keys[1]: b"b"}
            assert await store.delete_many(keys) == 2

    async def test_large_values(self) -> None:
        """A value of 200,000 bytes comes back as it was, among small ones."""
        large = bytes(range(250)) * 800
        items = {self.key(1): Item(large), self.key(2): Item(b"small"), self.key(3): Item(large[::-1])}
        async with self.opened() as store:
            await store.set_many(items)

            assert await store.get_many(list(items)) == {key: item.value for key, item in items.items()}

    async def test_a_thousand_keys_at_once(self) -> None:
        """A call may be about many keys."""
        keys = self.keys(1_000)
        async with self.opened() as store:
            await store.set_many({key: Item(b"of " + key) for key in keys})

            assert await store.get_many(keys) == {key: b"of " + key for key in keys}
            assert await store.delete_many(keys[:600]) == 600
            assert set(await store.get_many(keys)) == set(keys[600:])

    async def test_callers_do_not_get_the_answers_of_others(self) -> None:
        """A hundred tasks that write, read and delete at once each see their own keys as they left them."""

        async def work(store: Store, number: int) -> None:
            key, other = self.key(f"{number}/1"), self.key(f"{number}/2")
            for turn in range(3):
                value = b"%d in turn %d" % (number, turn)
                await store.set_many({key: Item(value), other: Item(b"other")})
                assert await store.get_many([key, other]) == {key: value, other: b"other"}
                assert await store.delete_many([other]) == 1
                assert await store.get_many([other, key]) == {key: value}

        async with self.opened() as store:
            await asyncio.gather(*(work(store, number) for number in range(100)))

    async def test_reads_cancelled_anywhere_harm_nobody(self) -> None:
        """However far a read has come when it is cancelled, those beside it and after it get what they asked for."""
        kept = {key: b"of " + key for key in self.keys(10)}
        async with self.opened() as store:
            await store.set_many({key: Item(value) for key, value in kept.items()})
            async for task in interrupted(lambda: store.get_many(list(kept))):
                beside = asyncio.ensure_future(store.get_many(list(kept)[:2]))
                await ended(task)
                for key, value in kept.items():
                    assert await value_of(store, key) == value
                assert await beside == dict(list(kept.items())[:2])

    async def test_writes_cancelled_anywhere_do_not_come_late(self) -> None:
        """A write that was cancelled is done or not, and never undoes what its caller writes after it."""
        key, beside = self.keys(2)
        expected = {key: b"later", beside: b"beside"}
        async with self.opened() as store:
            await store.set_many({beside: Item(b"beside")})
            for call in (lambda: store.set_many({key: Item(b"cancelled")}), lambda: store.delete_many([key])):
                async for task in interrupted(call):
                    await ended(task)
                    await store.set_many({key: Item(b"later")})
                    assert await store.get_many(list(expected)) == expected
                    for _ in range(TURNS_TO_COME_LATE):
                        await asyncio.sleep(0)
                    assert await store.get_many(list(expected)) == expected

    async def test_loops_in_threads(self) -> None:
        """Several event loops in several threads may use a store at once, and end before it does."""

        async def work(store: Store, number: int) -> None:
            key = self.key(number)
            for turn in range(20):
                await store.set_many({key: Item(b"%d" % turn)})
                assert await store.get_many([key, self.key("all")]) == {key: b"%d" % turn, self.key("all"): b"x"}

        async with self.opened() as store:
            await store.set_many({self.key("all"): Item(b"x")})
            await asyncio.gather(
                *(asyncio.to_thread(asyncio.run, work(store, number)) for number in range(3)), work(store, 3)
            )
            assert len(await store.get_many(self.keys(4))) == 4

    async def test_closing_leaves_nobody_waiting(self) -> None:
        """Calls that are under way when the store is closed are answered, or told that it is closed."""
        store = await self.make_store()
        await store.set_many({self.key(): Item(b"1")})
        reads = [asyncio.ensure_future(value_of(store, self.key())) for _ in range(20)]
        await asyncio.sleep(0)

        await store.aclose()

        async with asyncio.timeout(self.patience):
            outcomes = await asyncio.gather(*reads, return_exceptions=True)
        assert [outcome for outcome in outcomes if outcome != b"1" and not isinstance(outcome, StoreError)] == []

    async def test_a_closed_store_says_so(self) -> None:
        """After it was closed, all calls raise `StoreError`; closing it once more does nothing."""
        store = await self.make_store()
        await store.set_many({self.key(): Item(b"1")})
        await store.aclose()
        await store.aclose()

        await self.refuses(store.get_many([self.key()]))
        await self.refuses(store.set_many({self.key(): Item(b"2")}))
        await self.refuses(store.delete_many([self.key()]))

    async def test_a_store_may_be_closed_unused(self) -> None:
        """A store that nobody has asked anything can be closed."""
        store = await self.make_store()
        await store.aclose()
