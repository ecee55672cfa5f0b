"""Every store that keeps locks keeps them as it should: one suite, run on each engine."""

import pytest

from asynccache.stores import MemoryStore, Store, open_store
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
