"""Readers by the thousand, and readers that are cancelled at any moment: each is given the value of its own key."""

import asyncio
import os
import random
from typing import Any

import pytest

from asynccache import Cache
from tests.fleet.patience import eventually
from tests.servers.memcached import MemcachedNodes
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.one_loop, pytest.mark.timeout(300)]

CANCELLED = int(os.environ.get("ASYNCCACHE_TEST_CANCELLED", "20000"))
AT_ONCE = 100
KEYS = 500


def value_of(key: int) -> list[Any]:
    """What the store has under a key: a value that tells whose it is."""
    return [key, "x" * (key % 50)]


async def fill(cache: Cache, keys: int = KEYS) -> None:
    """Store a value under each key."""
    await cache.set_many({key: value_of(key) for key in range(keys)})


def errors(cache: Cache) -> int:
    """How many requests of a cache have failed."""
    shared = cache.stats().shared
    assert shared is not None
    return shared.errors


async def test_cancelled_readers(redis_server: RedisServer) -> None:
    """Of 20,000 reads, cancelled at any moment on a slow and chopping network, none gives a value of another key, and
    none costs a connection; 200 reads that follow are right.
    """
    chance = random.Random(1)
    wrong: list[object] = []
    given: list[int] = []

    with FaultProxy(redis_server.port) as proxy:
        async with Cache(f"redis://{proxy.address}/0?timeout=20", namespace="shop", maxsize=0) as cache:

            async def read(key: int) -> None:
                value = await cache.get(key)
                given.append(key)
                if value != value_of(key):
                    wrong.append((key, value))

            await fill(cache)
            cancelled = 0
            while cancelled < CANCELLED:
                # Large replies in small pieces take their time: most rounds are slow, and every tenth is chopped.
                proxy.heal()
                proxy.latency(0, 0.003, seed=cancelled)
                if chance.random() < 0.1:
                    proxy.chop(100, seed=cancelled)
                tasks = [asyncio.create_task(read(chance.randrange(KEYS))) for _ in range(AT_ONCE)]
                for task in chance.sample(tasks, AT_ONCE):
                    if chance.random() < 0.1:
                        await asyncio.sleep(chance.uniform(0, 0.001))
                    cancelled += task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            proxy.heal()
            await asyncio.gather(*(read(chance.randrange(KEYS)) for _ in range(200)))
            assert wrong == []
            assert len(given) >= 200
            assert errors(cache) == 0
            # 4 for reads and 1 for changes at most; none was ever lost and made anew.
            assert proxy.accepted == proxy.connections <= 5


@pytest.mark.parametrize("readers", [500, 5_000])
async def test_many_readers_of_redis(redis_server: RedisServer, readers: int) -> None:
    """As many readers at once as you like have an answer, and share a few connections."""
    await ask_all_at_once(f"{redis_server.url}?timeout=20", readers)
    await eventually(lambda: redis_server.count("connected_clients") == 1)  # which is this question


@pytest.mark.parametrize("readers", [500, 5_000])
async def test_many_readers_of_memcached(memcached_nodes: MemcachedNodes, readers: int) -> None:
    """As many readers at once as you like have an answer."""
    await ask_all_at_once(f"{memcached_nodes.url}?timeout=20", readers)


async def ask_all_at_once(url: str, readers: int) -> None:
    """Let readers read, each another key, several times; all values are right, and nothing fails."""
    async with Cache(url, namespace="shop", maxsize=0) as cache:
        await fill(cache, readers)

        async def read(key: int) -> None:
            for turn in range(3):
                own = (key + turn) % readers
                assert await cache.get(own) == value_of(own)

        await asyncio.gather(*(read(key) for key in range(readers)))
        assert errors(cache) == 0
