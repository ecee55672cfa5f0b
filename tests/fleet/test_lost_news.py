"""When news of changes do not come, or come all at once: what is kept in process is right all the same."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from asynccache import Cache
from tests.fleet.patience import eventually
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.one_loop

KEYS = range(50)


def is_coherent(cache: Cache) -> bool:
    """Whether a cache hears of all changes."""
    shared = cache.stats().shared
    return shared is not None and shared.is_coherent


def store_reads(cache: Cache) -> int:
    """How often a cache has asked its store, so far."""
    shared = cache.stats().shared
    assert shared is not None
    return shared.hits + shared.misses


def kill_feeds(server: RedisServer) -> None:
    """Cut all connections on which a server tells what changes."""
    for line in server.ask("CLIENT", "LIST").decode().splitlines():
        words = dict(word.split("=", 1) for word in line.split())
        if "t" in words["flags"]:
            server.ask("CLIENT", "KILL", "ID", words["id"])


@contextlib.asynccontextmanager
async def caches(url: str, direct: str | None = None, timeout: float = 5) -> AsyncIterator[tuple[Cache, Cache]]:
    """A cache that holds all keys in process and hears of changes, and one of another process that changes them."""
    async with (
        Cache(f"{url}?timeout={timeout}", namespace="shop") as cache,
        Cache(f"{direct or url}?timeout=5", namespace="shop", maxsize=0) as other,
    ):
        await other.set_many(dict.fromkeys(KEYS, "old"))
        await eventually(lambda: is_coherent(cache))
        await eventually(lambda: holds_all(cache))
        yield cache, other


async def holds_all(cache: Cache) -> bool:
    """Whether a cache has all old values in process: late news of their being written may drop some once more."""
    asked = store_reads(cache)
    assert await values(cache) == {"old"}
    return store_reads(cache) == asked


async def values(cache: Cache) -> set[object]:
    """All that a cache says."""
    return {await cache.get(key) for key in KEYS}


async def test_what_changes_while_the_feed_is_down(redis_server: RedisServer) -> None:
    """The feed is cut and all keys are changed at once: when it is heard again, nothing old is there."""
    async with caches(redis_server.url) as (cache, other):
        for turn in range(3):
            kill_feeds(redis_server)
            await other.set_many(dict.fromkeys(KEYS, turn))
            await eventually(lambda: not is_coherent(cache))
            assert await values(cache) == {turn}
            await eventually(lambda: is_coherent(cache))
            await other.set_many(dict.fromkeys(KEYS, "newer"))
            await eventually(lambda: has_only(cache, "newer"))


async def has_only(cache: Cache, value: object) -> bool:
    """Whether a cache says this of all keys."""
    return await values(cache) == {value}


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
async def test_the_server_is_emptied(redis_server: RedisServer, command: str) -> None:
    """What was deleted by emptying the server is gone in process as well, and stays a miss."""
    async with caches(redis_server.url) as (cache, _):
        redis_server.ask(command)
        await eventually(lambda: has_only(cache, None))
        assert is_coherent(cache)


async def test_a_key_expires_on_the_server(redis_server: RedisServer) -> None:
    """A value is served no longer than its time, whenever the server tells that it has expired."""
    redis_server.ask("DEBUG", "SET-ACTIVE-EXPIRE", 0)  # it tells nothing before somebody asks
    try:
        async with caches(redis_server.url) as (cache, other):
            begin = time.monotonic()
            await other.set("short", 1, ttl=0.4)
            served_until = begin
            while await cache.get("short") is not None:
                served_until = time.monotonic()
                await asyncio.sleep(0.001)
            gone = time.monotonic()
            assert served_until - begin < 0.4 + 2  # what a busy machine takes is not the cache's
            assert gone - begin > 0.3
    finally:
        redis_server.ask("DEBUG", "SET-ACTIVE-EXPIRE", 1)


async def test_the_way_of_the_news_is_a_black_hole(redis_server: RedisServer) -> None:
    """When nothing comes any more, on connections that stay open, what was changed is noticed in 2.5 s."""
    with FaultProxy(redis_server.port) as proxy:
        async with caches(f"redis://{proxy.address}/0", redis_server.url, timeout=0.5) as (cache, other):
            proxy.stall()
            await other.set_many(dict.fromkeys(KEYS, "new"))
            begin = time.monotonic()
            await eventually(lambda: not_old(cache))
            assert time.monotonic() - begin < 2.5 + 2  # and what the machine takes
            proxy.heal()
            await eventually(lambda: is_coherent(cache))
            assert await values(cache) == {"new"}


async def not_old(cache: Cache) -> bool:
    """Whether a cache has stopped to give an old value, whatever it gives instead."""
    return bool(await cache.get(KEYS[0]) != "old")


async def test_a_flood_of_news_while_the_loop_is_blocked(redis_server: RedisServer) -> None:
    """100,000 changes while the loop stands still for a second: nothing old is left, nothing fails."""
    script = "for i = 1, 100000 do redis.call('SET', 'shop:v:' .. i, 'x') end"
    async with caches(redis_server.url) as (cache, other):
        flood = asyncio.to_thread(redis_server.ask, "EVAL", script, 0)
        task = asyncio.create_task(flood)
        await asyncio.sleep(0)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        await task
        await other.set_many(dict.fromkeys(KEYS, "new"))
        await eventually(lambda: has_only(cache, "new"))
        shared = cache.stats().shared
        assert shared is not None
        assert shared.errors == 0
