# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of stores, and of a `Cache` with one. See `api.py` for how to read this."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import assert_type

from asynccache import (
    Cache,
    CacheError,
    Lease,
    LockTimeout,
    SharedStats,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
)
from asynccache.stores import (
    Feed,
    HazelcastStore,
    Item,
    MemcachedStore,
    MemoryStore,
    RedisStore,
    SQLiteStore,
    Store,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    SupportsScan,
    open_store,
)

cache = Cache(
    "redis://localhost/0",
    namespace="shop",
    local_ttl=timedelta(seconds=5),
    coalesce="fleet",
    lease_ttl=10,
    secret={1: b"a secret of 16 bytes"},
    codec="msgpack",
    type=list[int],
    compress="zstd",
    write="behind",
    maxsize=0,
    ttl=60,
)
Cache(MemoryStore(), secret=b"a secret of 16 bytes")

Cache(store="redis://localhost/0")  # type: ignore[call-arg]
Cache(5)  # type: ignore[arg-type]
Cache("redis://localhost/0", coalesce="all")  # type: ignore[arg-type]
Cache("redis://localhost/0", write="later")  # type: ignore[arg-type]
Cache("redis://localhost/0", codec="xml")  # type: ignore[arg-type]
Cache("redis://localhost/0", compress=True)  # type: ignore[arg-type]
Cache("redis://localhost/0", secret="a secret of 16 chars")  # type: ignore[arg-type]
Cache("redis://localhost/0", local_ttl="5")  # type: ignore[arg-type]


async def locks() -> None:
    async with cache.lock("report", ttl=30, wait=timedelta(seconds=5)) as lease:
        assert_type(lease, Lease)
        assert_type(lease.fence, int)
        assert_type(lease.name, str)
        assert_type(lease.lost.is_set(), bool)
        await lease.lost.wait()
        await lease.release()

    cache.lock("report")  # type: ignore[call-arg]
    cache.lock("report", 30)  # type: ignore[call-arg]
    cache.lock(7, ttl=30)  # type: ignore[arg-type]
    lease.fence()  # type: ignore[operator]


def stats() -> None:
    counted = cache.stats().shared
    assert_type(counted, SharedStats | None)
    print(counted.hits)  # type: ignore[union-attr]
    if counted is not None:
        assert_type(counted.unreadable, Mapping[str, int])
        assert_type(counted.is_coherent, bool)
        counted.hits = 1  # type: ignore[misc]


async def stores() -> None:
    store = open_store("sqlite:///cache.db")
    assert_type(store, Store)
    assert_type(await store.get_many([b"key"]), dict[bytes, bytes])
    assert_type(await store.delete_many([b"key"]), int)
    await store.set_many({b"key": Item(b"value"), b"other": Item(b"value", ttl=1.5)})
    if isinstance(store, SupportsConditions):
        assert_type(await store.add(b"key", Item(b"value")), bool)
        assert_type(await store.compare_and_set(b"key", b"value", Item(b"next")), bool)
        assert_type(await store.compare_and_delete(b"key", b"next"), bool)
    await store.aclose()

    await store.get_many(["key"])  # type: ignore[list-item]
    await store.set_many({b"key": b"value"})  # type: ignore[dict-item]
    open_store(b"memory://")  # type: ignore[arg-type]


async def capabilities(counting: SupportsCounters, scanning: SupportsScan, telling: SupportsFeed) -> None:
    def on_change(keys: Iterable[bytes] | None) -> None: ...

    assert_type(await counting.increment(b"key", ttl=60), int)
    async for keys in scanning.scan(b"prefix"):
        assert_type(keys, list[bytes])
    feed = await telling.listen(b"prefix", on_change)
    assert_type(feed, Feed)
    assert_type(feed.is_live, bool)
    await telling.listen(b"prefix", len)  # type: ignore[arg-type]


drivers: list[Store] = [
    MemoryStore("shop", max_bytes=1_000_000),
    SQLiteStore("cache.db", synchronous="full", timeout=0.5),
    RedisStore("redis://localhost/0"),
    MemcachedStore(["a:11211", "b:11211"], weights=[1, 2]),
    HazelcastStore(["a:5701"], cluster="dev"),
]
leased: list[SupportsConditions] = [MemoryStore(), SQLiteStore("cache.db"), RedisStore("redis://localhost/0")]
told: SupportsFeed = SQLiteStore("cache.db")  # type: ignore[assignment]
SQLiteStore("cache.db", synchronous="always")  # type: ignore[arg-type]

store_errors: list[type[StoreError]] = [StoreTimeout, StoreUnavailable]
errors: list[type[CacheError]] = [StoreError, LockTimeout]
timeouts: list[type[TimeoutError]] = [StoreTimeout, LockTimeout]
away: type[ConnectionError] = StoreUnavailable
