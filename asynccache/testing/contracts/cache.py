"""What every `Cache` promises, whatever lies behind it: a tier in process, a store, or both."""

import contextlib

from asynccache.cache.cache import Cache
from asynccache.testing.contracts.cache_groups import FunctionTests, GroupTests
from asynccache.testing.contracts.cache_loads import LoadTests
from asynccache.testing.contracts.cache_values import TimeTests, ValueTests


class CacheContract(LoadTests, ValueTests, TimeTests, GroupTests, FunctionTests):
    """The promises that every cache keeps, as tests.

    A subclass, named `Test…`, says how a cache is made::

        class TestMyCache(CacheContract):
            async def make_cache(self, **options: Any) -> Cache:
                return Cache(policy="lru", **options)

    A cache with a store keeps more: see `SharedCacheContract` and `FleetContract`. `patience` may be set as well. It
    needs pytest and pytest-asyncio.
    """

    async def test_what_it_can_do_is_tested(self) -> None:
        """What a cache promises by its store has its contract among these tests."""
        async with self.opened() as cache:
            able = {"SharedCacheContract"} if cache.stats().shared is not None else set[str]()
            if keeps_locks(cache):
                able.add("FleetContract")
        inherited = {parent.__name__ for parent in type(self).__mro__}
        assert able - inherited == set(), f"{type(self).__name__} should inherit these as well"

    async def test_loads_are_counted(self) -> None:
        """Counters tell how many loads there were, and how many of them failed."""

        async def fail() -> None:
            raise OSError

        async def load() -> int:
            return 1

        async with self.opened() as cache:
            for key in ("a", "b", "a"):
                await cache.get_or_load(key, load)
            with contextlib.suppress(OSError):
                await cache.get_or_load("c", fail)
            stats = cache.stats()

        assert (stats.loads, stats.failures, stats.misses, stats.hits) == (2, 1, 3, 1)


def keeps_locks(cache: Cache) -> bool:
    """Tell whether the store of a cache, if it has one, can change keys on a condition."""
    try:
        cache.lock("never taken", ttl=1)
    except TypeError:
        return False
    return True
