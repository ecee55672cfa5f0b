"""Every store keeps every promise of the contract: one suite, run on each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asynccache.stores import MemoryStore, Store, open_store
from asynccache.testing import (
    Chaos,
    ConditionsContract,
    CountersContract,
    FeedContract,
    ManualClock,
    ScanContract,
)
from tests.servers.hazelcast import HazelcastMembers
from tests.servers.memcached import MemcachedNodes
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

GENEROUS = "?timeout=10"
"""Seconds that a request may take here: time limits have tests of their own, and machines that run these are busy."""


class EverythingContract(ConditionsContract, CountersContract, ScanContract, FeedContract):
    """All promises that there are, of a store that has a URL."""

    url: str

    async def make_store(self) -> Store:
        """Open the URL."""
        return open_store(self.url + GENEROUS)


class TestMemory(EverythingContract):
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
@pytest.mark.every_python
class TestRedis(EverythingContract):
    """One Redis server."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def server(self, redis_server: RedisServer) -> None:
        """Start it."""
        self.url = redis_server.url


@pytest.mark.one_loop
class TestRedisBehindABadNetwork(EverythingContract):
    """One Redis server, from which bytes come late and in pieces."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def server(self, redis_server: RedisServer) -> Iterator[None]:
        """Start it, and the proxy before it."""
        with FaultProxy(redis_server.port) as proxy:
            proxy.latency(0, 0.001)
            proxy.chop(2_000)
            self.url = f"redis://{proxy.address}/0"
            yield


@pytest.mark.one_loop
class TestValkey(EverythingContract):
    """One Valkey server."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def server(self, valkey_server: RedisServer) -> None:
        """Start it."""
        self.url = valkey_server.url.replace("redis://", "valkey://")


@pytest.mark.one_loop
class TestRedisCluster(EverythingContract):
    """Three primaries and their replicas."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def server(self, redis_cluster: RedisCluster) -> None:
        """Start it."""
        self.url = redis_cluster.url


@pytest.mark.one_loop
class TestRedisSentinel(EverythingContract):
    """A primary that three sentinels tell of."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def server(self, redis_sentinel: RedisSentinel) -> None:
        """Start it."""
        self.url = redis_sentinel.url


@pytest.mark.one_loop
@pytest.mark.every_python
class TestMemcached(ConditionsContract, CountersContract):
    """Three nodes. Whole seconds; no feed, no scan."""

    @pytest.fixture(autouse=True)
    def server(self, memcached_nodes: MemcachedNodes) -> None:
        """Start them."""
        self.url = memcached_nodes.url

    async def make_store(self) -> Store:
        """Open the URL."""
        return open_store(self.url + GENEROUS)


@pytest.mark.one_loop
class TestHazelcast(ConditionsContract, CountersContract, FeedContract):
    """One member. Whole seconds; no scan."""

    @pytest.fixture(autouse=True)
    def server(self, hazelcast_member: HazelcastMembers) -> None:
        """Start it."""
        self.url = hazelcast_member.url

    async def make_store(self) -> Store:
        """Open the URL."""
        return open_store(self.url + GENEROUS)


class TestSQLite(ConditionsContract, CountersContract, ScanContract):
    """A file."""

    shortest_ttl = 0.2

    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> None:
        """Give each test a file of its own."""
        self.path = tmp_path / "cache.db"

    async def make_store(self) -> Store:
        """Open the file."""
        return open_store(f"sqlite:///{self.path}{GENEROUS}")
