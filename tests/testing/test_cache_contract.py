"""Every cache keeps every promise: one suite, run on each engine, with and without a tier in process."""

from typing import Any, Final

import pytest

from asynccache import Cache
from asynccache.stores import MemoryStore, SupportsFeed
from asynccache.testing import CacheContract, Chaos, FleetContract, SharedCacheContract
from asynccache.testing.contracts.cache_loads import LoadTests
from tests.testing.engines import (
    OnAnEngine,
    OnHazelcast,
    OnMemcached,
    OnMemory,
    OnRedis,
    OnRedisCluster,
    OnRedisSentinel,
    OnSQLite,
    OnValkey,
    PlainStore,
)

ALL_WAYS: Final[dict[str, dict[str, Any]]] = {
    "both tiers": {},
    "store alone": {"maxsize": 0},
    "both, behind": {"write": "behind"},
    "store alone, behind": {"maxsize": 0, "write": "behind"},
}
"""How a cache with a store may be made."""

FEW_WAYS: Final = {name: ALL_WAYS[name] for name in ("both tiers", "store alone, behind")}
"""The same for engines that take longer: each choice is among them."""


class AllWays:
    """Tests that are run on caches of several kinds."""

    @pytest.fixture(autouse=True, params=ALL_WAYS)
    def cache_options(self, request: pytest.FixtureRequest) -> None:
        """Choose a kind."""
        self.options = ALL_WAYS[request.param]


class OfAServer(OnAnEngine, FleetContract):
    """All promises, of caches on an engine."""

    @pytest.fixture(autouse=True, params=FEW_WAYS)
    def cache_options(self, request: pytest.FixtureRequest) -> None:
        """Choose a kind."""
        self.options = FEW_WAYS[request.param]

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the engine."""
        return Cache(self.url, **{**self.options, **options})


class TestInProcess(CacheContract):
    """A cache without a store."""

    async def make_cache(self, **options: Any) -> Cache:
        """Make one."""
        return Cache(**options)


class TestNothingKept(LoadTests):
    """A cache that keeps nothing, and only shares loads."""

    async def make_cache(self, **options: Any) -> Cache:
        """Make one."""
        return Cache(maxsize=0, **options)


class TestMemory(OnMemory, OfAServer):
    """The store in this process, on all kinds of loops."""


@pytest.mark.one_loop
class TestChaos(AllWays, FleetContract):
    """The store that misbehaves when told to, and is told nothing."""

    @pytest.fixture(autouse=True)
    def store(self) -> None:
        """Make it."""
        self.inside = MemoryStore()

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return Cache(Chaos(self.inside), **{**self.options, **options})


@pytest.mark.one_loop
class TestWithoutAFeed(TestChaos):
    """A store that tells of no changes."""

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return Cache(Chaos(self.inside, without=[SupportsFeed]), **{**self.options, **options})


@pytest.mark.one_loop
class TestLate(TestChaos):
    """A store that takes its time, and each time another."""

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return Cache(Chaos(self.inside, delay=(0, 0.002)), **{**self.options, **options})


@pytest.mark.one_loop
class TestPlainStore(AllWays, SharedCacheContract):
    """The least that a store can be: neither conditions nor news."""

    @pytest.fixture(autouse=True)
    def store(self) -> None:
        """Make it."""
        self.plain = PlainStore()

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return Cache(self.plain, **{**self.options, **options})


@pytest.mark.one_loop
class TestSQLite(OnSQLite, OfAServer):
    """A file."""


@pytest.mark.one_loop
@pytest.mark.every_python
class TestRedis(OnRedis, OfAServer):
    """One Redis server."""


@pytest.mark.one_loop
class TestValkey(OnValkey, OfAServer):
    """One Valkey server."""


@pytest.mark.one_loop
class TestRedisCluster(OnRedisCluster, OfAServer):
    """Three primaries and their replicas."""


@pytest.mark.one_loop
class TestRedisSentinel(OnRedisSentinel, OfAServer):
    """A primary that three sentinels tell of."""


@pytest.mark.one_loop
class TestMemcached(OnMemcached, OfAServer):
    """Three nodes, which tell of no changes."""


@pytest.mark.one_loop
class TestHazelcast(OnHazelcast, OfAServer):
    """One member."""
