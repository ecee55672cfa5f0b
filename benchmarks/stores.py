"""What reads of an engine cost by way of a `Cache` without a tier in process, and what a hit in process costs with one.

    python benchmarks/stores.py [WHAT] [--rounds 5] [--calls 20000] [--readers 1,50,500,5000] [--json]

    redis       Cache(url, maxsize=0).get, redis-py, aiocache and cashews, with few and with many readers at once
    memcached   the same beside emcache
    hazelcast   the same beside the map of the client itself
    coherent    a hit in process of a Cache that hears of all changes in Redis     floor: a Cache without a store

Every reader asks for one value of 200 characters after the other. Without WHAT everything is measured. The engines are
those that REDIS_URL, MEMCACHED_URL and HAZELCAST_URL name; else they are started as the tests start them, which needs
what the tests need. What is not there is left out. All contenders take turns in each round, so a machine whose speed
drifts drifts for all; the least of all rounds is the figure.

Decides what is asked, and of whom.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a clone that is not installed can be measured too

from asynccache import Cache  # noqa: E402
from benchmarks.tables import Row, Table  # noqa: E402

OURS = "asynccache"
VALUE = "x" * 200
KEYS = [f"bench:{number}" for number in range(1_000)]

Read = Callable[[str], Awaitable[object]]
Contender = Callable[[str], AbstractAsyncContextManager[Read]]
"""Opens what it reads with at a URL, and puts the values there."""


@contextlib.contextmanager
def engine(name: str) -> Iterator[str | None]:
    """Give the URL of an engine; None if there is none."""
    named = os.environ.get(f"{name.upper()}_URL")
    if named:
        yield named
        return
    with contextlib.ExitStack() as stack:
        url: str | None = None
        with contextlib.suppress(ImportError):
            import pytest

            from tests.servers.hazelcast import HazelcastMembers
            from tests.servers.memcached import MemcachedServer
            from tests.servers.redis import RedisServer

            makers: dict[str, Callable[[], Any]] = {
                "redis": RedisServer, "memcached": MemcachedServer, "hazelcast": HazelcastMembers
            }  # fmt: skip
            with contextlib.suppress(pytest.skip.Exception):
                url = stack.enter_context(makers[name]()).url
        yield url


# --- who reads --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Read]:
    async with Cache(f"{url}?timeout=5", namespace="bench-ours", maxsize=0) as cache:
        await cache.set_many(dict.fromkeys(KEYS, VALUE))
        yield cache.get


@asynccontextmanager
async def redis_py(url: str) -> AsyncIterator[Read]:
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(url) as client:
        await client.mset(dict.fromkeys(KEYS, VALUE))
        yield client.get


@asynccontextmanager
async def aiocache(url: str) -> AsyncIterator[Read]:
    import aiocache as peer

    at = urlsplit(url)
    serializer = peer.serializers.JsonSerializer()
    cache = peer.Cache(peer.Cache.REDIS, endpoint=at.hostname, port=at.port or 6379, serializer=serializer)
    await cache.multi_set([(f"aiocache:{key}", VALUE) for key in KEYS])
    try:
        yield lambda key: cache.get(f"aiocache:{key}")
    finally:
        await cache.close()


@asynccontextmanager
async def cashews(url: str) -> AsyncIterator[Read]:
    import cashews as peer

    cache = peer.Cache()
    cache.setup(url)
    await cache.set_many({f"cashews:{key}": VALUE for key in KEYS})
    try:
        yield lambda key: cache.get(f"cashews:{key}")
    finally:
        await cache.close()


@asynccontextmanager
async def emcache(url: str) -> AsyncIterator[Read]:
    import emcache as peer

    at = urlsplit(url)
    client = await peer.create_client([peer.MemcachedHostAddress(at.hostname or "", at.port or 11211)], timeout=5.0)
    for key in KEYS:
        await client.set(key.encode(), VALUE.encode())
    try:
        yield lambda key: client.get(key.encode())
    finally:
        await client.close()


@asynccontextmanager
async def hazelcast(url: str) -> AsyncIterator[Read]:
    from hazelcast.asyncio import HazelcastClient

    at = urlsplit(url)
    client = await HazelcastClient.create_and_start(cluster_members=[at.netloc], cluster_name=at.path[1:])
    values: Any = await client.get_map("bench")
    await values.put_all(dict.fromkeys(KEYS, VALUE))
    try:
        yield values.get
    finally:
        await client.shutdown()


CONTENDERS: dict[str, dict[str, Contender]] = {
    "redis": {OURS: ours, "redis-py": redis_py, "aiocache": aiocache, "cashews": cashews},
    "memcached": {OURS: ours, "emcache": emcache},
    "hazelcast": {OURS: ours, "hazelcast": hazelcast},
}


# --- how it is measured -----------------------------------------------------------------------------------------------


async def timed(read: Read, readers: int, calls: int) -> float:
    """Let so many readers read together; give the microseconds of a read."""
    turns = max(1, calls // readers)

    async def reader(number: int) -> None:
        for turn in range(turns):
            found = await read(KEYS[(number * 131 + turn) % len(KEYS)])
            if found is None:
                raise LookupError("a value was not found")

    start = time.perf_counter()
    await asyncio.gather(*(reader(number) for number in range(readers)))
    return (time.perf_counter() - start) / (turns * readers) * 1e6


async def reads(name: str, url: str, given: argparse.Namespace) -> list[Table]:
    """Measure reads of one engine."""
    tables = [Table(f"{name}: reads, {readers:,} at once", "us a read", OURS) for readers in given.readers]
    async with AsyncExitStack() as stack:
        ready: dict[str, Read] = {}
        for contender, opened in CONTENDERS[name].items():
            with contextlib.suppress(ImportError):
                ready[contender] = await stack.enter_async_context(opened(url))
        for table, readers in zip(tables, given.readers, strict=True):
            calls = given.calls if readers > 1 else max(1, given.calls // 5)
            for _ in range(given.rounds):
                for contender, read in ready.items():
                    if contender not in table.failures:
                        await measure(table, contender, timed(read, readers, calls))
    return tables


async def measure(table: Table, contender: str, timing: Awaitable[float]) -> None:
    """Let a contender have its turn in a round."""
    try:
        us = await timing
    except Exception as error:
        table.failures[contender] = f"{type(error).__name__}: {error}"
        table.rows.pop(contender, None)
        return
    known = table.rows.get(contender)
    if known is None or us < known.figure:
        table.rows[contender] = Row(us, {"a second:": f"{1e6 / us:,.0f}"})


async def coherent(_name: str, url: str, given: argparse.Namespace) -> list[Table]:
    """Measure hits in process."""
    alone, shared = "Cache()", "Cache(url)"
    get = Table("a hit in process: get", "ns a call", alone)
    get_or_load = Table("a hit in process: get_or_load", "ns a call", alone)

    async def load() -> str:
        return VALUE

    async with Cache(ttl=600) as plain, Cache(f"{url}?timeout=5", namespace="bench-ours", ttl=600) as tiered:
        for cache in (plain, tiered):
            await cache.set("key", VALUE)
        async with asyncio.timeout(20):
            while not hears(tiered):  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.01)
        caches = {alone: plain, shared: tiered}
        for name, cache in caches.items():
            await cache.get_or_load("key", load)
            get.rows[name] = get_or_load.rows[name] = Row(float("inf"))
        for _ in range(given.rounds):
            for name, cache in caches.items():
                get.rows[name] = min(get.rows[name], Row(await hits(given.calls, cache.get, "key")))
                taken = Row(await hits(given.calls, cache.get_or_load, "key", load))
                get_or_load.rows[name] = min(get_or_load.rows[name], taken)
        found = tiered.stats().shared
        assert found is not None
        assert found.hits + found.misses <= 2, "these were no hits in process"
    return [get, get_or_load]


def hears(cache: Cache) -> bool:
    shared = cache.stats().shared
    return shared is not None and shared.is_coherent


async def hits(calls: int, call: Callable[..., Awaitable[object]], *args: object) -> float:
    """Make so many calls, with the garbage collector off; give the nanoseconds of one."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(calls):
            await call(*args)
        return (time.perf_counter() - start) / calls * 1e9
    finally:
        gc.enable()


MEASURES = {"redis": reads, "memcached": reads, "hazelcast": reads, "coherent": coherent}


def main(words: list[str] | None = None) -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*MEASURES, "all"])
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contender gets")
    parser.add_argument("--calls", type=int, default=20_000, help="reads in a turn; a fifth of them with one reader")
    parser.add_argument("--readers", default="1,50,500,5000", help="readers at once, with commas between")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(words)
    given.readers = [int(word) for word in given.readers.split(",")]
    tables: list[Table] = []
    for name in MEASURES if given.what == "all" else [given.what]:
        with engine("redis" if name == "coherent" else name) as url:
            found = [] if url is None else asyncio.run(MEASURES[name](name, url, given))
        tables += found
        if not given.json:
            text = "\n\n".join("\n".join(table.lines()) for table in found)
            print(text or f"{name} is left out: there is no such engine here", end="\n\n", flush=True)
    if given.json:
        print(json.dumps([table.as_json() for table in tables], indent=2))


if __name__ == "__main__":
    main()
