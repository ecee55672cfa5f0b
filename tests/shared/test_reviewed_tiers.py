"""What a review and a new user found: ends of loops and of caches, damaged records, and other people's stores."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from asynccache import Cache, StoreUnavailable, async_cached
from asynccache.stores import Item, MemoryStore
from asynccache.testing import Chaos, ManualClock


class Source:
    """A load that counts."""

    def __init__(self, value: object = "value") -> None:
        self.value = value
        self.loads = 0

    async def __call__(self) -> Any:
        """Load."""
        self.loads += 1
        return self.value


@pytest.mark.one_loop
def test_what_a_loop_has_heard_ends_with_it() -> None:
    """A cache that is used in several runs does not give what was changed between two of them."""
    store = MemoryStore()
    cache = Cache(store)

    async def first() -> None:
        await cache.get("key")
        await asyncio.sleep(0.0)  # it begins to listen
        await asyncio.sleep(0.0)
        stats = cache.stats().shared
        assert stats is not None
        assert stats.is_coherent
        await cache.set("key", "old")
        assert await cache.get("key") == "old"

    async def between() -> None:
        async with Cache(store) as other:
            await other.set("key", "new")

    async def last() -> object:
        value = await cache.get("key")
        await cache.aclose()
        return value

    asyncio.run(first())
    asyncio.run(between())
    assert asyncio.run(last()) == "new"


async def test_all_that_is_owed_is_sent_at_the_end() -> None:
    """However many deletions wait for the store, closing sends them all."""
    store = MemoryStore()
    wire = Chaos(store)
    cache, other = Cache(wire), Cache(store, maxsize=0)
    await cache.set_many(dict.fromkeys(range(1_000), "old"))
    wire.down = True
    await cache.delete_many(range(1_000))
    wire.down = False
    await cache.aclose()
    assert await other.get_many(range(1_000)) == {}
    await other.aclose()


@pytest.mark.parametrize("promise", ["stale", "stale_if_error"])
@pytest.mark.parametrize("maxsize", [0, 100])
async def test_an_old_value_goes_with_its_tag(promise: str, maxsize: int) -> None:
    """Who comes after the invalidation is not given the old value, though a load that found it is under way."""
    clock = ManualClock(1_000.0)
    store = MemoryStore(clock=clock)
    options: dict[str, Any] = {"ttl": 10, promise: 600, "maxsize": maxsize, "clock": clock}
    cache = Cache(store, **options)
    await cache.get_or_load("key", Source("old"), tags=["tag"])
    clock.advance(11)
    gate = asyncio.Event()

    async def load() -> str:
        await gate.wait()
        return "new"

    before = asyncio.create_task(cache.get_or_load("key", load, tags=["tag"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cache.invalidate_tags("tag")
    after = asyncio.create_task(cache.get_or_load("key", load, tags=["tag"]))
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    assert await after == "new"
    await before
    await cache.aclose()


async def test_a_load_that_outlasts_what_was_deleted_is_not_stored() -> None:
    """Where nobody tells of changes, a load of more than a minute brings nothing back that was deleted meanwhile."""
    clock = ManualClock(1_000.0)
    store = MemoryStore(clock=clock)
    slow, other = Cache(store, maxsize=0, clock=clock), Cache(store, maxsize=0, clock=clock)
    gate, begun = asyncio.Event(), asyncio.Event()

    async def load() -> str:
        begun.set()
        await gate.wait()
        return "old"

    task = asyncio.create_task(slow.get_or_load("key", load))
    await begun.wait()
    await other.delete("key")
    clock.advance(61)
    gate.set()
    assert await task == "old"
    assert await other.get("key") is None
    await slow.aclose()
    await other.aclose()


async def test_functions_of_one_name_are_told_apart_and_told() -> None:
    """The second function of a name is kept in process only, with a warning; the first is cleared as ever."""
    cache = Cache(MemoryStore())
    loads: list[str] = []

    def make(name: str) -> Any:
        async def function(x: int) -> str:
            loads.append(name)
            return name

        return async_cached(cache=cache)(function)

    first = make("first")
    with pytest.warns(RuntimeWarning, match="name of its own by name="):
        second = make("second")
    assert [await first(1), await second(1), await first(1), await second(1)] == ["first", "second"] * 2
    await first.cache_clear()
    assert [await first(1), await second(1)] == ["first", "second"]
    assert loads == ["first", "second", "first"]
    await cache.aclose()


async def test_a_set_that_is_cancelled_leaves_nothing_old() -> None:
    """It is not known whether the value was stored: so nobody is given the one before."""
    store = MemoryStore()
    wire = Chaos(store)
    cache, other = Cache(wire), Cache(store)
    await cache.set("key", "old")
    assert [await cache.get("key"), await other.get("key")] == ["old", "old"]
    wire.hold("set_many")
    task = asyncio.create_task(cache.set("key", "new"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wire.release()
    await cache.aclose()
    assert await other.get("key") in ("new", None)
    await other.aclose()


async def test_equal_moments_are_one_key() -> None:
    """Two moments that Python takes for equal are one key, in whatever zone they were told."""
    cache = Cache(MemoryStore(), maxsize=0)
    here = datetime(2026, 11, 22, 12, tzinfo=UTC)
    there = here.astimezone(timezone(timedelta(hours=2)))
    await cache.set(here, "value")
    assert await cache.get(there) == "value"
    await cache.delete(there)
    assert await cache.get(here) is None
    await cache.aclose()


async def test_a_cancelled_close_closes_the_store() -> None:
    """Whoever closes a cache may be cancelled: its own store is let go of all the same."""
    cache = Cache("memory://closing")
    await cache.set("key", "value")
    task = asyncio.create_task(cache.aclose())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for _ in range(20):
        await asyncio.sleep(0)
    await cache.aclose()


async def test_a_fleet_loads_once_also_if_it_writes_behind() -> None:
    """The others find the value as soon as the lease is given back."""
    store = MemoryStore()
    caches = [Cache(store, coalesce="fleet", write="behind") for _ in range(4)]
    source = Source()
    assert await asyncio.gather(*[cache.get_or_load("key", source) for cache in caches]) == ["value"] * 4
    assert source.loads == 1
    for cache in caches:
        await cache.aclose()


async def test_locks_of_namespaces_are_others() -> None:
    """The lock "b" of the namespace "a" is not the lock "a/b"."""
    async with (
        Cache(MemoryStore()) as cache,
        cache.lock("a/b", ttl=5),
        cache.namespace("a").lock("b", ttl=5, wait=0),
        cache.namespace("a").namespace("b").lock("c", ttl=5, wait=0),
    ):
        pass


@pytest.mark.parametrize("record", [b"cache:s:", b"cache:t:tag"])
async def test_a_record_that_cannot_be_believed_is_made_anew(record: bytes) -> None:
    """Damage to the record of a tag or of the whole costs a load, and not the cache."""
    store = MemoryStore()
    cache = Cache(store, maxsize=0)
    await cache.set("key", "value", tags=["tag"])
    await store.set_many({record: Item(b"junk")})
    source = Source()
    for _ in range(3):
        assert await cache.get_or_load("key", source, tags=["tag"]) == "value"
    assert source.loads == 1
    await cache.aclose()


async def test_a_secret_can_be_replaced() -> None:
    """When the old secret is dropped, what it has signed is loaded once more, and then stored."""
    store = MemoryStore()
    old, new = b"o" * 16, b"n" * 16
    source = Source()
    for secrets in ({1: old}, {2: new, 1: old}, {2: new}):
        cache = Cache(store, maxsize=0, secret=secrets)
        for _ in range(2):
            assert await cache.get_or_load("key", source, tags=["tag"]) == "value"
        await cache.aclose()
    assert source.loads == 2


class Wrong(MemoryStore):
    """A store of somebody else, with a mistake in it."""

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Fail as no store should."""
        raise KeyError("boom")

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Fail as no store should."""
        raise OSError("boom")


async def test_mistakes_in_a_store_cost_no_caller() -> None:
    """Whatever somebody else's store raises is a miss, and counted."""
    cache = Cache(Wrong())
    assert await cache.get_or_load("key", Source()) == "value"
    assert await cache.get("other") is None
    await cache.set("key", "newer")
    await cache.delete("key")
    await cache.invalidate_tags("tag")
    stats = cache.stats().shared
    assert stats is not None
    assert stats.errors > 0
    await cache.aclose()


async def test_a_store_that_fails_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it fails and why, one that it answers again; neither says what was asked."""
    wire = Chaos(MemoryStore())
    cache = Cache(wire, maxsize=0, name="shop")
    with caplog.at_level(logging.WARNING, logger="asynccache"):
        wire.down = True
        for _ in range(3):
            await cache.get("secret key")
        wire.down = False
        for _ in range(3):
            await cache.get("secret key")
    assert len(caplog.messages) == 2
    assert "does without its store" in caplog.messages[0]
    assert "answers again" in caplog.messages[1]
    assert "secret" not in caplog.text
    await cache.aclose()


@pytest.mark.one_loop
def test_a_class_is_no_store() -> None:
    """Who forgets to make the store is told so where the cache is made."""
    with pytest.raises(TypeError, match="is a store or its URL"):
        Cache(MemoryStore)  # type: ignore[arg-type]


async def test_a_lock_needs_its_store() -> None:
    """A lock that does not lock is not given."""
    wire = Chaos(MemoryStore())
    cache = Cache(wire)
    wire.down = True
    with pytest.raises(StoreUnavailable):
        async with cache.lock("name", ttl=5, wait=0):
            pass
    wire.down = False
    await cache.aclose()


async def test_an_invalidation_that_is_sent_late_undoes_no_other() -> None:
    """What was stored between two invalidations stays invalid, though the first of them reaches the store last."""
    store = MemoryStore()
    wire = Chaos(store)
    late, other = Cache(wire, maxsize=0), Cache(store, maxsize=0)
    await late.set("key", "first", tags=["tag"])
    wire.down = True
    await late.invalidate_tags("tag")
    wire.down = False
    await late.set("key", "old", tags=["tag"])
    await other.invalidate_tags("tag")
    await late.aclose()
    assert await other.get("key") is None
    await other.aclose()
