"""The store in a cluster and behind sentinels: who is asked, what the loss of one server costs, and who comes next."""

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import RedisCluster as ClusterClient
from redis.asyncio import Sentinel
from redis.crc import key_slot

from asynccache.errors import StoreError
from asynccache.stores import Item, RedisStore
from tests.servers.process import HOST
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import SERVICE, RedisSentinel

pytestmark = pytest.mark.one_loop

KEYS = [b"%d" % number for number in range(1_000)]


def on(cluster: RedisCluster, server: RedisServer) -> set[bytes]:
    """Tell which of the keys a server of the cluster has."""
    table = [words for words in cluster._table(server) if words[1].startswith(f"{server.address}@")]
    ranges = [tuple(map(int, word.split("-"))) for words in table for word in words[8:]]
    return {key for key in KEYS if any(first <= slot(key) <= last for first, last in ranges)}


def slot(key: bytes) -> int:
    """Give the slot of a key."""
    return int(key_slot(key))


async def until_kept(store: RedisStore, key: bytes, patience: float = 20.0) -> None:
    """Write until that succeeds."""
    async with asyncio.timeout(patience):
        while True:
            try:
                return await store.set_many({key: Item(b"later")})
            except StoreError:
                await asyncio.sleep(0.02)


async def test_each_key_is_where_it_belongs(redis_cluster: RedisCluster) -> None:
    """More keys than one request takes are spread over all primaries, read back, counted and deleted."""
    store = RedisStore(f"{redis_cluster.url}?timeout=10")
    await store.set_many({key: Item(key * 2) for key in KEYS})
    assert await store.get_many(KEYS) == {key: key * 2 for key in KEYS}
    sizes = [server.ask("DBSIZE") for server in redis_cluster.primaries()]
    assert sum(sizes) == len(KEYS)
    assert min(sizes) > 250
    assert await store.delete_many(KEYS) == len(KEYS)
    await store.aclose()


async def test_a_silent_server_costs_its_own_keys_only(redis_cluster: RedisCluster) -> None:
    """While one primary does not answer, keys of the others are read within the time limit, and then at once."""
    store = RedisStore(f"{redis_cluster.url}?timeout=0.3")
    await store.set_many({key: Item(key) for key in KEYS})
    silent = redis_cluster.nodes[0]
    lost = on(redis_cluster, silent)
    assert 250 < len(lost) < 450
    silent.pause()
    waits: list[float] = []
    for _ in range(6):
        begin = time.perf_counter()
        found = await store.get_many(KEYS)
        waits.append(time.perf_counter() - begin)
        assert found == {key: key for key in KEYS if key not in lost}
    assert max(waits) < 0.4
    assert min(waits) < 0.15
    with pytest.raises(StoreError):
        await store.get_many((min(lost),))
    with pytest.raises(StoreError):
        await store.set_many({key: Item(b"new") for key in KEYS})
    others = [key for key in KEYS if key not in lost]
    assert await store.get_many(others) == dict.fromkeys(others, b"new")
    silent.resume()
    await store.aclose()


async def test_a_replica_takes_the_place_of_a_dead_primary(redis_cluster: RedisCluster) -> None:
    """When a primary dies, its keys are kept by its replica soon after, and nothing is read that was never written."""
    store = RedisStore(f"{redis_cluster.url}?timeout=1")
    await store.set_many({key: Item(key) for key in KEYS})
    dead = redis_cluster.nodes[1]
    lost = on(redis_cluster, dead)
    dead.kill()
    await until_kept(store, min(lost))
    found: dict[bytes, bytes] = {}
    async with asyncio.timeout(20):
        while not found.keys() >= set(KEYS) - lost:  # until all have heard that the cluster is whole again
            found = await store.get_many([min(lost), *KEYS])
            assert all(value == (b"later" if key == min(lost) else key) for key, value in found.items())
    assert min(lost) in found
    await store.aclose()


async def test_a_slot_that_is_handed_over_is_followed(redis_cluster: RedisCluster) -> None:
    """While a slot moves, a key is found on the side where it is; and afterwards where the slot is."""
    store = RedisStore(f"{redis_cluster.url}?timeout=10")
    here, there = redis_cluster.nodes[0], redis_cluster.nodes[1]
    mine = min(on(redis_cluster, here))
    other = b"{%b}other" % mine
    number = slot(mine)
    names = [server.ask("CLUSTER", "MYID").decode() for server in (here, there)]
    here.is_touched = True
    await store.set_many({mine: Item(b"1"), other: Item(b"2")})
    there.ask("CLUSTER", "SETSLOT", number, "IMPORTING", names[0])
    here.ask("CLUSTER", "SETSLOT", number, "MIGRATING", names[1])
    here.ask("MIGRATE", HOST, there.port, other.decode(), 0, 5_000)
    assert await store.get_many((mine, other)) == {mine: b"1", other: b"2"}
    assert await store.compare_and_set(other, b"2", Item(b"3"))
    here.ask("MIGRATE", HOST, there.port, mine.decode(), 0, 5_000)
    for server in (there, here):
        server.ask("CLUSTER", "SETSLOT", number, "NODE", names[1])
    assert await store.get_many((mine, other)) == {mine: b"1", other: b"3"}
    assert await store.increment(b"{%b}n" % mine) == 1
    assert there.ask("EXISTS", mine.decode(), other.decode()) == 2
    await store.aclose()


async def test_one_address_is_enough_to_find_all(redis_cluster: RedisCluster) -> None:
    """A store that knows one live server and a dead one finds the cluster; with dead ones alone it says so."""
    live = redis_cluster.nodes[2].address
    store = RedisStore(f"redis+cluster://{HOST}:1,{live}?timeout=10")
    await store.set_many({key: Item(key) for key in KEYS})
    assert len(await store.get_many(KEYS)) == len(KEYS)
    await store.aclose()
    store = RedisStore(f"redis+cluster://{HOST}:1,{HOST}:2?timeout=10")
    with pytest.raises(StoreError, match="nobody tells the slots"):
        await store.get_many(KEYS)
    await store.aclose()


async def test_a_client_of_a_cluster_is_taken_as_a_pattern(redis_cluster: RedisCluster) -> None:
    """A store made of a cluster's client reaches that cluster, and leaves the client open."""
    client = ClusterClient(host=HOST, port=redis_cluster.nodes[0].port)
    store = RedisStore(client, timeout=10)
    await store.set_many({b"a": Item(b"1")})
    await store.aclose()
    assert await client.get("a") == b"1"
    await client.aclose()


async def test_a_failover_is_followed(redis_sentinel: RedisSentinel) -> None:
    """When the primary dies, changes are kept by the one that the sentinels put in its place."""
    store = RedisStore(f"{redis_sentinel.url}?timeout=1")
    await store.set_many({b"a": Item(b"1")})
    former = redis_sentinel.primary
    assert former.ask("GET", "a") == b"1"
    former.kill()
    await until_kept(store, b"b")
    assert await store.get_many((b"b",)) == {b"b": b"later"}
    present = redis_sentinel.primary
    assert present is not former
    assert present.ask("GET", "b") == b"later"
    await store.aclose()


async def test_a_primary_that_was_demoted_is_left(redis_sentinel: RedisSentinel) -> None:
    """When another server becomes the primary while the former one goes on as its replica, changes go to the new."""
    store = RedisStore(f"{redis_sentinel.url}?timeout=1")
    await store.set_many({b"a": Item(b"1")})
    former = redis_sentinel.primary
    redis_sentinel.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
    present = await asyncio.to_thread(redis_sentinel.wait_for_another, former)
    former.is_touched = True
    former.ask("REPLICAOF", HOST, present.port)  # sentinels would do so as well, but not for 10 seconds
    await until_kept(store, b"b")
    assert present.ask("GET", "b") == b"later"
    await store.aclose()


async def test_a_client_of_sentinels_is_taken_as_a_pattern(redis_sentinel: RedisSentinel) -> None:
    """A store made of a client that sentinels gave asks the same sentinels for the same service."""
    sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py leaves its annotations away here
        [(HOST, sentinel.port) for sentinel in redis_sentinel.sentinels]
    )
    client = sentinels.master_for(SERVICE)
    store = RedisStore(client, timeout=10)
    await store.set_many({b"a": Item(b"1")})
    await store.aclose()
    assert await client.get("a") == b"1"
    await client.aclose()
    await sentinels.aclose()


async def test_a_service_that_sentinels_do_not_know(redis_sentinel: RedisSentinel) -> None:
    """A service that no sentinel knows, and sentinels that are not there, are errors of the store."""
    for url in (redis_sentinel.url.replace(SERVICE, "unknown"), f"redis+sentinel://{HOST}:1/{SERVICE}"):
        store = RedisStore(f"{url}?timeout=10")
        with pytest.raises(StoreError):
            await store.get_many((b"a",))
        await store.aclose()


async def test_a_loop_that_was_blocked_loses_no_reply(redis_cluster: RedisCluster) -> None:
    """Replies that came while the loop was blocked are taken, and no server is given up for it."""
    store = RedisStore(f"{redis_cluster.url}?timeout=0.2")
    await store.set_many({key: Item(key * 5_000) for key in KEYS[:300]})
    for _ in range(5):
        reader = asyncio.create_task(store.get_many(KEYS[:300]))
        for _ in range(4):  # until the requests are sent
            await asyncio.sleep(0)
        begin = time.perf_counter()
        while time.perf_counter() - begin < 0.3:
            pass
        assert len(await reader) == 300
    await store.aclose()
