# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of `Cache`, and of what loads say of themselves. See `api.py` for how to read this."""

import os
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, assert_type

from asynccache import (
    Cache,
    CacheStats,
    EvictionCause,
    Load,
    LoadOptions,
    LRUCache,
    RestoreReport,
    SnapshotReport,
    WarmReport,
    current_load,
)
from asynccache.testing import ManualClock


class User:
    """What is loaded."""


async def load_user() -> User:
    return User()


async def load_by_id(user_id: int) -> User:
    return User()


async def load_users(ids: list[int]) -> dict[int, User]:
    return {one: User() for one in ids}


async def list_users(ids: list[int]) -> list[User]:
    return [User() for _ in ids]


# --- made -----------------------------------------------------------------------------------------------------------


def listener(key: object, value: object, cause: EvictionCause) -> None: ...


async def awaited_listener(key: object, value: object, cause: EvictionCause) -> None: ...


def tags_of_user(user: User) -> list[str]:
    return [str(user)]


def made() -> None:
    Cache(
        maxsize=None,
        max_weight=2**20,
        weigher=lambda key, value: len(value),
        policy=LRUCache,
        ttl=len,
        idle=timedelta(hours=1),
        jitter=5,
        stale=60,
        stale_if_error=timedelta(hours=1),
        error_backoff=1,
        refresh_ahead=0.8,
        early=1.0,
        max_refreshes=8,
        timeout=10,
        soft_timeout=0.5,
        errors={LookupError: 5},
        tags=("a", "b"),
        store_if=bool,
        on_abandon="finish",
        context="empty",
        copy="deep",
        on_evict=[listener, awaited_listener],
        name="shop",
        clock=ManualClock(),
    )
    Cache(on_evict=awaited_listener, tags=tags_of_user)
    Cache("redis://localhost/0", namespace="shop", local_ttl=5, coalesce="fleet", lease_ttl=10, secret=b"x" * 16)
    Cache("sqlite:///cache.db", codec="msgpack", compress="zlib", write="behind", type=dict)
    Cache(5)  # type: ignore[arg-type]
    Cache("memory://", coalesce="all")  # type: ignore[arg-type]
    Cache(maxsize="8")  # type: ignore[arg-type]
    Cache(ttls=5)  # type: ignore[call-arg]
    Cache(key=str)  # type: ignore[call-arg]
    Cache(weight=5)  # type: ignore[call-arg]
    Cache(copy="deeply")  # type: ignore[arg-type]
    Cache(errors=[LookupError])  # type: ignore[arg-type]
    Cache(on_evict=made)  # type: ignore[arg-type]


# --- one key --------------------------------------------------------------------------------------------------------


async def one_key(cache: Cache) -> None:
    assert_type(await cache.get("key"), Any)
    assert_type(await cache.get(("a", 1), 5), Any)
    assert_type(await cache.set("key", User(), ttl=5, tags=["a"], weight=1.5), None)
    assert_type(await cache.delete("key"), bool)
    assert_type(await cache.contains("key"), bool)
    assert_type(await cache.peek("key", None), Any)
    assert_type(await cache.touch("key", timedelta(1)), bool)
    assert_type(await cache.touch("key", None), bool)
    assert_type(await cache.get_or_load("key", load_user), User)
    assert_type(await cache.get_or_load("key", load_user, ttl=5, stale=5, errors={LookupError: 5}), User)
    assert_type(await cache.get_or_load("key", lambda: load_by_id(5)), User)

    options: LoadOptions = {"ttl": 60, "tags": ("a",), "stale_if_error": timedelta(1)}
    assert_type(await cache.get_or_load("key", load_user, **options), User)

    await cache.get([])  # type: ignore[arg-type]
    await cache.get()  # type: ignore[call-arg]
    await cache.set("key")  # type: ignore[call-arg]
    await cache.set("key", 1, 5)  # type: ignore[call-arg, misc, arg-type, unused-ignore]
    await cache.set("key", 1, ttls=5)  # type: ignore[call-arg]
    await cache.set("key", 1, ttl="5")  # type: ignore[arg-type]
    await cache.touch("key", "5")  # type: ignore[arg-type]
    await cache.touch("key")  # type: ignore[call-arg]
    await cache.get_or_load("key")  # type: ignore[call-arg]
    await cache.get_or_load("key", load_user())  # type: ignore[arg-type, unused-coroutine, unused-ignore]
    await cache.get_or_load("key", load_by_id)  # type: ignore[arg-type]
    await cache.get_or_load("key", load_user, idle=5)  # type: ignore[call-arg]
    await cache.get_or_load("key", load_user, tags=[5])  # type: ignore[list-item, arg-type, unused-ignore]
    wrong: LoadOptions = {"ttls": 5}  # type: ignore[typeddict-unknown-key]
    await cache.set("key", 1, **wrong)


# --- many keys ------------------------------------------------------------------------------------------------------


async def many_keys(cache: Cache) -> None:
    assert_type(await cache.get_many(["a", "b"]), dict[str, Any])
    assert_type(await cache.set_many({"a": 1, 2: "b"}, ttl=5), None)
    assert_type(await cache.delete_many(["a", 1]), int)
    found = await cache.get_or_load_many([1, 2], load_users, ttl=5)
    assert_type(list(found), list[int])
    await cache.get_or_load_many({1, 2}, list_users)
    assert_type(cache.keys(), list[Any])
    assert_type(cache.items(), list[tuple[Any, Any]])

    await cache.get_many(5)  # type: ignore[arg-type]
    await cache.set_many(["a"])  # type: ignore[arg-type]
    await cache.set_many({"a": 1}, ttls=5)  # type: ignore[call-arg]
    await cache.get_or_load_many([1], load_user)  # type: ignore[arg-type]


# --- groups, before and after ---------------------------------------------------------------------------------------


async def groups(cache: Cache) -> None:
    assert_type(await cache.invalidate_tags("a", "b"), None)
    assert_type(await cache.clear(), None)
    assert_type(cache.namespace("a"), Cache)
    assert_type(cache.namespace("a").namespace("b"), Cache)
    assert_type(cache.stats(), CacheStats)
    assert_type(cache.stats().evictions[EvictionCause.CAPACITY], int)
    assert_type(cache.stats().load_times[0.5], int)
    await cache.invalidate_tags(5)  # type: ignore[arg-type]
    cache.namespace(5)  # type: ignore[arg-type]


def progress(report: WarmReport) -> None:
    assert_type(report.total, int | None)


async def before_and_after(path: "os.PathLike[str]") -> None:
    async with Cache() as cache:
        assert_type(cache, Cache)
        assert_type(await cache.snapshot(path), SnapshotReport)
        assert_type((await cache.snapshot("file")).saved, int)
        assert_type(await cache.restore("file"), RestoreReport)
        assert_type((await cache.restore(path)).problem, str | None)
        assert_type(await cache.warm([1, 2], load_by_id, concurrency=4, progress=progress, ttl=5), WarmReport)
        assert_type((await cache.warm(range(5), load_by_id)).loaded, int)
        assert_type(cache.disabled(), AbstractContextManager[None])
        with cache.refreshing():
            pass
        assert_type(await cache.aclose(wait=True), None)
        await cache.warm(["a"], load_by_id)  # type: ignore[arg-type, list-item, unused-ignore]
        await cache.warm([1], load_by_id, progress=load_by_id, concurrency="4")  # type: ignore[arg-type]
        await cache.snapshot(5)  # type: ignore[arg-type]
        await cache.aclose(True)  # type: ignore[call-arg, misc, unused-ignore]


# --- what loads say -------------------------------------------------------------------------------------------------


async def saying() -> None:
    load = current_load()
    assert_type(load, Load)
    load.ttl = 5
    load.ttl = timedelta(minutes=1)
    load.ttl = None
    load.tags = ["a", "b"]
    load.tags = (name for name in "ab")
    load.store = False
    assert_type(load.not_modified(), Any)
    load.ttl = "5"  # type: ignore[assignment]
    load.tags = 5  # type: ignore[assignment]
    load.store = "no"  # type: ignore[assignment]
    load.weight = 5  # type: ignore[attr-defined]
