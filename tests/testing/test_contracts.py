"""The promises of stores catch stores that break them."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from asynccache.stores import Item, MemoryStore, Store
from asynccache.stores.contract import OnChange
from asynccache.stores.memory.table import MemoryFeed
from asynccache.testing import (
    ConditionsContract,
    CountersContract,
    FeedContract,
    ManualClock,
    ScanContract,
    StoreContract,
)

IMPORT_WITHOUT_PYTEST = """
import sys
sys.modules["pytest"] = None
import asynccache.testing
assert asynccache.testing.Chaos
try:
    asynccache.testing.StoreContract
except ImportError as error:
    print(error.name)
"""


class Suite(ConditionsContract, CountersContract, ScanContract, FeedContract):
    """All promises, asked of a store that breaks one."""

    patience = 1.0
    broken: type[MemoryStore]

    def __init__(self) -> None:
        self.clock: ManualClock = ManualClock()
        self.prefix = b"contract:"

    async def make_store(self) -> Store:
        """Make one more store on the same table."""
        return self.broken(f"broken {id(self)}", clock=self.clock)


class ForgetsTimes(MemoryStore):
    """Keeps everything for ever."""

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        await super().set_many({key: Item(item.value) for key, item in items.items()})


class CutsTimes(MemoryStore):
    """Rounds times down."""

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        await super().set_many(
            {key: Item(item.value, item.ttl and item.ttl - 0.5 * (item.ttl > 0)) for key, item in items.items()}
        )


class MixesLongKeys(MemoryStore):
    """Looks at the beginning of keys only."""

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        await super().set_many({key[:250]: item for key, item in items.items()})

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found = await super().get_many([key[:250] for key in keys])
        return {key: found[key[:250]] for key in keys if key[:250] in found}


class StripsValues(MemoryStore):
    """Takes line ends for the end of a value."""

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: value.rstrip(b"\r\n") for key, value in (await super().get_many(keys)).items()}


class CountsKeysTwice(MemoryStore):
    """Counts what it is asked for instead of what was there."""

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        await super().delete_many(keys)
        return len(keys)


class AnswersWhenClosed(MemoryStore):
    """Gives nothing where it should say that it is closed."""

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {} if self.is_closed else await super().get_many(keys)


class WritesLate(MemoryStore):
    """Goes on writing in a task of its own after the caller was cancelled, and is overtaken."""

    tasks: ClassVar[set["asyncio.Task[None]"]] = set()

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        async def write(late: int) -> None:
            for _ in range(late):
                await asyncio.sleep(0)
            await super(WritesLate, self).set_many(items)

        task = asyncio.create_task(write(5 if Item(b"cancelled") in items.values() else 0))
        self.tasks.add(task)
        await asyncio.shield(task)


class AddsAnyway(MemoryStore):
    """Looks first, and adds later."""

    async def add(self, key: bytes, item: Item) -> bool:
        present = await self.get_many([key])
        await asyncio.sleep(0)
        if not present:
            await self.set_many({key: item})
        return not present


class ComparesAll(MemoryStore):
    """Compares whole values instead of beginnings."""

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        present = (await self.get_many([key])).get(key)
        return present == expected and await super().compare_and_set(key, expected, item)


class LosesCounts(MemoryStore):
    """Reads, adds and writes a counter in three steps."""

    counts: ClassVar[dict[bytes, int]] = {}

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        count = self.counts.get(key, 0) + 1
        await asyncio.sleep(0)
        self.counts[key] = count
        return count


class ScansPatterns(MemoryStore):
    """Takes a prefix for more than it is."""

    async def scan(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        async for keys in super().scan(prefix.rstrip(b":")):
            yield keys


class HidesOwnChanges(MemoryStore):
    """Tells nothing at all."""

    async def listen(self, prefix: bytes, on_change: OnChange) -> MemoryFeed:
        return await super().listen(prefix, lambda _: None)


class TellsTooMuch(MemoryStore):
    """Tells of keys beside the prefix."""

    async def listen(self, prefix: bytes, on_change: OnChange) -> MemoryFeed:
        return await super().listen(b"", on_change)


BROKEN: list[tuple[type[MemoryStore], Callable[..., Any]]] = [
    (ForgetsTimes, Suite.test_an_item_is_gone_after_its_time),
    (ForgetsTimes, Suite.test_no_time_left_deletes),
    (CutsTimes, Suite.test_an_item_is_gone_after_its_time),
    (MixesLongKeys, Suite.test_long_keys_are_not_mixed_up),
    (StripsValues, Suite.test_odd_bytes),
    (CountsKeysTwice, Suite.test_deleting_tells_how_many_there_were),
    (AnswersWhenClosed, Suite.test_a_closed_store_says_so),
    (WritesLate, Suite.test_writes_cancelled_anywhere_do_not_come_late),
    (AddsAnyway, Suite.test_of_rivals_one_adds),
    (ComparesAll, Suite.test_a_value_is_replaced_if_it_begins_so),
    (LosesCounts, Suite.test_every_call_counts_once),
    (ScansPatterns, Suite.test_a_scan_gives_what_begins_so),
    (HidesOwnChanges, Suite.test_own_changes_are_told),
    (TellsTooMuch, Suite.test_a_feed_tells_of_its_prefix),
]


@pytest.mark.parametrize(
    ("broken", "test"), BROKEN, ids=[f"{store.__name__}-{test.__name__}" for store, test in BROKEN]
)
async def test_a_broken_promise_is_noticed(broken: type[MemoryStore], test: Callable[..., Any]) -> None:
    """A store that breaks a promise fails the test of that promise."""
    suite = Suite()
    suite.broken = broken
    arguments = {"odd": b"\r\n"} if "odd" in inspect.signature(test).parameters else {}
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test(suite, **arguments)
    await asyncio.gather(*WritesLate.tasks, return_exceptions=True)
    WritesLate.tasks.clear()


async def test_a_capability_without_its_contract_is_noticed() -> None:
    """Who forgets to inherit the contract of something that a store can do is told which."""

    class TestForgetful(ConditionsContract, CountersContract):
        async def make_store(self) -> Store:
            return MemoryStore()

    with pytest.raises(AssertionError, match="TestForgetful should inherit these as well"):
        await TestForgetful().test_what_it_can_do_is_tested()


def test_contracts_are_not_collected_where_they_are_imported() -> None:
    """A module that imports the contracts has no tests by that: their names do not begin as names of tests do."""
    contracts = [StoreContract, ConditionsContract, CountersContract, ScanContract, FeedContract]
    assert [contract.__name__ for contract in contracts if contract.__name__.startswith("Test")] == []


def test_pytest_is_needed_for_contracts_only() -> None:
    """Without pytest, all of `asynccache.testing` but the contracts is there, and asking for these names pytest."""
    done = subprocess.run([sys.executable, "-c", IMPORT_WITHOUT_PYTEST], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("pytest", "")
