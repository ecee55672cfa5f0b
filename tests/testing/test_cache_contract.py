"""Every cache keeps every promise: one suite, run on each engine, with and without a tier in process."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pytest

from asynccache import MISSING, Cache
from asynccache.cache.cache import works_of
from asynccache.stores import MemoryStore, SupportsFeed
from asynccache.testing import CacheContract, Chaos, FleetContract, SharedCacheContract
from asynccache.testing.contracts.cache_base import LeapingClock
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
    """A store that takes its time, but keeps the order of what it is told, as all do."""

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return Cache(Chaos(self.inside, delay=(0.001, 0.001)), **{**self.options, **options})


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


class Suite(FleetContract):
    """All promises, asked of a cache that breaks one."""

    patience = 0.5
    broken: type[Cache]

    def __init__(self) -> None:
        self.clock = LeapingClock()
        self.namespace = "contract"
        self.store = MemoryStore()

    async def make_cache(self, **options: Any) -> Cache:
        """Make one more cache on the same store."""
        return self.broken(self.store, **options)


class LoadsForEach(Cache):
    """Loads for each caller."""

    async def get_or_load(self, key: Any, load: Any, /, **options: Any) -> Any:
        """Load, and keep."""
        value = await self.get(key, MISSING)
        if value is MISSING:
            value = await load()
            await self.set(key, value, **options)
        return value


class TakesNoneForNothing(Cache):
    """Loads again what was None."""

    async def get_or_load(self, key: Any, load: Any, /, **options: Any) -> Any:
        """Forget None."""
        value = await super().get_or_load(key, load, **options)
        if value is None:
            await self.delete(key)
        return value


class ForgetsTimes(Cache):
    """Keeps everything for ever."""

    async def set(self, key: Any, value: Any, **options: Any) -> None:
        """Store for ever."""
        await super().set(key, value, **{**options, "ttl": None})


class MixesKeys(Cache):
    """Takes keys for text."""

    async def set_many(self, values: Mapping[Any, Any], **options: Any) -> None:
        """Store under another key."""
        await super().set_many({str(key): value for key, value in values.items()}, **options)

    async def get_many(self, keys: Iterable[Any]) -> dict[Any, Any]:
        """Look under another key."""
        found = await super().get_many([str(key) for key in keys])
        return {key: found[str(key)] for key in keys if str(key) in found}


class DeletesHere(Cache):
    """Deletes from this process, and tells nobody."""

    async def delete(self, key: Any) -> bool:
        """Delete here."""
        works, _, _ = works_of(self)
        return works.tier.invalidate(key)


class ClearsNothing(Cache):
    """Does not clear."""

    async def clear(self) -> None:
        """Do nothing."""


class ForgetsTags(Cache):
    """Takes no notice of tags."""

    async def set(self, key: Any, value: Any, **options: Any) -> None:
        """Store without tags."""
        await super().set(key, value, **{**options, "tags": ()})


class NeverCloses(Cache):
    """Goes on after the end."""

    async def aclose(self, *, wait: bool = False) -> None:
        """Do nothing."""


BROKEN: list[tuple[type[Cache], Callable[..., Any]]] = [
    (LoadsForEach, Suite.test_a_load_is_shared),
    (LoadsForEach, Suite.test_a_deletion_holds_against_loads),
    (LoadsForEach, Suite.test_what_is_set_elsewhere_holds_against_loads),
    (LoadsForEach, Suite.test_a_fleet_loads_once),
    (TakesNoneForNothing, Suite.test_none_is_a_value),
    (ForgetsTimes, Suite.test_a_value_lasts_for_its_ttl),
    (ForgetsTimes, Suite.test_no_time_is_not_kept),
    (MixesKeys, Suite.test_keys_are_told_apart),
    (DeletesHere, Suite.test_what_was_deleted_is_gone),
    (DeletesHere, Suite.test_what_one_deletes_is_gone_for_all),
    (ClearsNothing, Suite.test_a_cleared_cache_is_empty),
    (ClearsNothing, Suite.test_a_namespace_is_cleared_for_all),
    (ForgetsTags, Suite.test_tags_reach_what_bears_them),
    (NeverCloses, Suite.test_a_closed_cache_says_so),
]


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("broken", "test"), BROKEN, ids=[f"{cache.__name__}-{test.__name__}" for cache, test in BROKEN]
)
async def test_a_broken_promise_is_noticed(broken: type[Cache], test: Callable[..., Any]) -> None:
    """A cache that breaks a promise fails the test of that promise."""
    suite = Suite()
    suite.broken = broken
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test(suite)


async def test_a_cache_without_its_contract_is_noticed() -> None:
    """Who forgets the contract of what a cache does by its store is told which."""

    class TestForgetful(SharedCacheContract):
        """Knows nothing of conditions."""

        async def make_cache(self, **options: Any) -> Cache:
            """Make one."""
            return Cache(MemoryStore(), **options)

    suite = TestForgetful()
    suite.clock, suite.namespace = LeapingClock(), "contract"
    with pytest.raises(AssertionError, match="TestForgetful should inherit these as well"):
        await suite.test_what_it_can_do_is_tested()
