"""Every store that keeps locks keeps them as it should: one suite, run on each engine."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asynccache.stores import Item, MemoryStore, Store, open_store
from asynccache.testing import Chaos, LockContract, ManualClock
from tests.testing.engines import (
    OnAnEngine,
    OnHazelcast,
    OnMemcached,
    OnRedis,
    OnRedisCluster,
    OnRedisSentinel,
    OnSQLite,
    OnValkey,
)


class OnAServer(OnAnEngine, LockContract):
    """All promises, of locks on an engine."""

    async def make_store(self) -> Store:
        """Open the URL once more."""
        return open_store(self.url)


class TestMemory(LockContract):
    """The store in this process, whose time is the test's."""

    @pytest.fixture(autouse=True)
    def table(self, request: pytest.FixtureRequest) -> None:
        """Give each test a table of its own."""
        self.clock = ManualClock()
        self.name = request.node.name

    async def make_store(self) -> Store:
        """Make one more store on the same table."""
        return MemoryStore(self.name, clock=self.clock or ManualClock())


class TestChaos(TestMemory):
    """The store that misbehaves when told to, and is told nothing."""

    async def make_store(self) -> Store:
        """Wrap one more store on the same table."""
        return Chaos(await super().make_store(), clock=self.clock or ManualClock())


@pytest.mark.one_loop
class TestSQLite(OnSQLite, OnAServer):
    """A file; those who wait ask again and again."""

    shortest_ttl = 0.3


@pytest.mark.one_loop
@pytest.mark.every_python
class TestRedis(OnRedis, OnAServer):
    """One Redis server."""

    shortest_ttl = 0.3


@pytest.mark.one_loop
class TestValkey(OnValkey, OnAServer):
    """One Valkey server."""

    shortest_ttl = 0.3


@pytest.mark.one_loop
class TestRedisCluster(OnRedisCluster, OnAServer):
    """Three primaries and their replicas."""

    shortest_ttl = 0.3


@pytest.mark.one_loop
class TestRedisSentinel(OnRedisSentinel, OnAServer):
    """A primary that three sentinels tell of."""

    shortest_ttl = 0.3


@pytest.mark.one_loop
class TestMemcached(OnMemcached, OnAServer):
    """Three nodes, which count whole seconds and tell of no changes."""


@pytest.mark.one_loop
class TestHazelcast(OnHazelcast, OnAServer):
    """One member, which counts whole seconds."""


class Suite(LockContract):
    """All promises, asked of a store that breaks one."""

    patience = 2.0
    broken: type[MemoryStore]

    def __init__(self) -> None:
        self.clock: ManualClock = ManualClock()
        self.prefix = b"contract:"

    async def make_store(self) -> Store:
        """Make one more store on the same table."""
        return self.broken(f"broken {id(self)}", clock=self.clock)


class AddsAnyway(MemoryStore):
    """Looks first, and adds later."""

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already, or so it says."""
        present = await self.get_many([key])
        await asyncio.sleep(0)
        if not present:
            await self.set_many({key: item})
        return not present


class GivesNumbersTwice(MemoryStore):
    """Counts, and tells each number twice."""

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Count."""
        return (await super().increment(key, ttl=ttl) + 1) // 2


class DeletesAnyway(MemoryStore):
    """Deletes what is somebody else's."""

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete."""
        return bool(await self.delete_many([key]))


class DeletesNothing(MemoryStore):
    """Leaves locks to their ttl."""

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Do nothing."""
        return False


class ForgetsNothing(MemoryStore):
    """Keeps everything for ever."""

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item for ever."""
        return await super().add(key, Item(item.value))


class RenewsAnything(MemoryStore):
    """Says that it has renewed what is not there any more."""

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Keep an item."""
        await super().compare_and_set(key, expected, item)
        return True


BROKEN: list[tuple[type[MemoryStore], Callable[..., Any]]] = [
    (AddsAnyway, Suite.test_one_holder_at_a_time),
    (GivesNumbersTwice, Suite.test_one_holder_at_a_time),
    (DeletesAnyway, Suite.test_a_holder_is_told_that_it_lost_the_lock),
    (RenewsAnything, Suite.test_a_holder_is_told_that_it_lost_the_lock),
    (DeletesNothing, Suite.test_who_waits_has_it_next),
    (DeletesNothing, Suite.test_who_does_not_wait_is_told),
    (ForgetsNothing, Suite.test_a_holder_that_died),
]


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("broken", "test"), BROKEN, ids=[f"{store.__name__}-{test.__name__}" for store, test in BROKEN]
)
async def test_a_broken_promise_is_noticed(broken: type[MemoryStore], test: Callable[..., Any]) -> None:
    """A store that breaks a promise fails the test of that promise."""
    suite = Suite()
    suite.broken = broken
    with pytest.raises((AssertionError, asyncio.InvalidStateError)):
        await test(suite)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
