"""Where the contracts of caches and locks are tried: engines that give a URL to tests that inherit them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from asynccache.stores import Item
from tests.servers.hazelcast import HazelcastMembers
from tests.servers.memcached import MemcachedNodes
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

GENEROUS = "?timeout=10"
"""Seconds that a request may take here: time limits have tests of their own, and machines that run these are busy."""


class OnAnEngine:
    """A test that has the URL of an engine."""

    url: str


class OnMemory(OnAnEngine):
    """The store in this process, one for each test."""

    @pytest.fixture(autouse=True)
    def engine(self, request: pytest.FixtureRequest) -> None:
        """Name a store of the test's own."""
        self.url = f"memory://t{abs(hash(request.node.nodeid))}"


class OnSQLite(OnAnEngine):
    """A file for each test."""

    @pytest.fixture(autouse=True)
    def engine(self, tmp_path: Path) -> None:
        """Choose the file."""
        self.url = f"sqlite:///{tmp_path / 'cache.db'}{GENEROUS}"


class OnRedis(OnAnEngine):
    """One Redis server."""

    @pytest.fixture(autouse=True)
    def engine(self, redis_server: RedisServer) -> None:
        """Start it."""
        self.url = redis_server.url + GENEROUS


class OnValkey(OnAnEngine):
    """One Valkey server."""

    @pytest.fixture(autouse=True)
    def engine(self, valkey_server: RedisServer) -> None:
        """Start it."""
        self.url = valkey_server.url.replace("redis://", "valkey://") + GENEROUS


class OnRedisCluster(OnAnEngine):
    """Three primaries and their replicas."""

    @pytest.fixture(autouse=True)
    def engine(self, redis_cluster: RedisCluster) -> None:
        """Start it."""
        self.url = redis_cluster.url + GENEROUS


class OnRedisSentinel(OnAnEngine):
    """A primary that three sentinels tell of."""

    @pytest.fixture(autouse=True)
    def engine(self, redis_sentinel: RedisSentinel) -> None:
        """Start it."""
        self.url = redis_sentinel.url + GENEROUS


class OnMemcached(OnAnEngine):
    """Three nodes; no feed."""

    @pytest.fixture(autouse=True)
    def engine(self, memcached_nodes: MemcachedNodes) -> None:
        """Start them."""
        self.url = memcached_nodes.url + GENEROUS


class OnHazelcast(OnAnEngine):
    """One member."""

    @pytest.fixture(autouse=True)
    def engine(self, hazelcast_member: HazelcastMembers) -> None:
        """Start it."""
        self.url = hazelcast_member.url + GENEROUS


class PlainStore:
    """The least that a store can be: a dict, and four methods. It even forgets to look at the time."""

    def __init__(self) -> None:
        self.items: dict[bytes, bytes] = {}

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys."""
        return {key: self.items[key] for key in keys if key in self.items}

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        for key, item in items.items():
            self.items[key] = item.value
            if item.ttl is not None and item.ttl <= 0:
                del self.items[key]

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these."""
        return sum(self.items.pop(key, None) is not None for key in dict.fromkeys(keys))

    async def aclose(self) -> None:
        """Let go of nothing."""
