"""Clients of the store on Hazelcast: connecting, event loops, those that were passed in, callers that go away."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynccache.errors import StoreTimeout, StoreUnavailable
from asynccache.stores import (
    HazelcastStore,
    Item,
    open_store,
)
from tests.servers.hazelcast import CLUSTER, HazelcastMembers
from tests.servers.ports import free_port
from tests.stores.hazelcast_stores import (
    PATIENT,
    Keys,
    News,
    own_keys,
    plain_client,
    store_on,
    until,
)


@pytest.fixture
def keys() -> Keys:
    """Keys that no other test uses."""
    return own_keys()


@pytest.fixture
async def store(hazelcast_member: HazelcastMembers) -> AsyncIterator[HazelcastStore]:
    """A store on one member."""
    async with store_on(hazelcast_member) as store:
        yield store


# --- connecting, loops and clients ------------------------------------------------------------------------------------


async def test_a_cluster_that_is_not_there_costs_no_more_than_the_time_limit(keys: Keys) -> None:
    """Connecting goes on behind: callers wait as long as they wait for anything, and closing does not wait for it."""
    store = HazelcastStore([f"127.0.0.1:{free_port()}"], cluster=CLUSTER, timeout=0.1)
    clock = asyncio.get_running_loop().time
    for _ in range(6):
        began = clock()
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([keys("a")])
        assert clock() - began < 0.4
    began = clock()
    await store.aclose()
    assert clock() - began < 3
    with pytest.raises(StoreUnavailable):
        await store.get_many([keys("a")])
    with pytest.raises(StoreUnavailable):
        await store.listen(keys(""), News())


async def test_a_member_that_accepts_and_says_nothing(keys: Keys) -> None:
    """An address where nobody speaks Hazelcast's language costs no more, and leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = HazelcastStore([f"127.0.0.1:{silent.getsockname()[1]}"], cluster=CLUSTER, timeout=0.1)
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([keys("a")])
        await store.aclose()


@pytest.mark.one_loop
def test_loops_in_threads_use_one_store(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """Three loops in three threads read and write through one store, each by a client of its own."""
    store = open_store(f"{hazelcast_member.url}?timeout={PATIENT}")
    failures: list[BaseException] = []

    async def use(who: int) -> None:
        for number in range(20):
            name = keys(f"{who}:{number}")
            await store.set_many({name: Item(name)})
            assert await store.get_many([name]) == {name: name}

    def run(who: int) -> None:
        try:
            asyncio.run(use(who))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert threading.active_count() < 10
    asyncio.run(store.aclose())


async def test_a_client_that_was_passed_in_is_used_and_left_open(
    hazelcast_member: HazelcastMembers, keys: Keys
) -> None:
    """The store works on it, tells of changes on it, and closing the store does not close it."""
    client = await plain_client(hazelcast_member)
    store = HazelcastStore(client, timeout=PATIENT)
    news = News()
    feed = await store.listen(keys(""), news)
    await until(lambda: feed.is_live)
    await store.set_many({keys("a"): Item(b"x")})
    assert await store.get_many([keys("a")]) == {keys("a"): b"x"}
    await until(lambda: keys("a") in news.keys)
    with pytest.raises(StoreUnavailable, match="another event loop"):
        await asyncio.to_thread(asyncio.run, store.get_many([keys("a")]))
    await store.aclose()
    assert client.lifecycle_service.is_running()
    entries: Any = await client.get_map("asynccache")
    assert await entries.contains_key(keys("a").decode())
    await client.shutdown()


async def test_cancelled_callers_harm_nobody(store: HazelcastStore, keys: Keys) -> None:
    """Readers that are cancelled at any moment leave the others with the right values."""
    names = [keys(str(number)) for number in range(10)]
    await store.set_many({name: Item(name * 20) for name in names})
    for turn in range(60):
        tasks = [asyncio.ensure_future(store.get_many([name])) for name in names]
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for name, task in list(zip(names, tasks, strict=True))[1::2]:
            assert await task == {name: name * 20}
        await asyncio.gather(*tasks, return_exceptions=True)
