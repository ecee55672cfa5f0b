"""Memcached nodes that are lost and come back, callers that go away, event loops, and clients that were passed in."""

import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import emcache
import pytest
from emcache import connection_pool

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, MemcachedStore, open_store
from asynccache.stores.lanes import MOST_ASKED
from tests.servers.memcached import MemcachedNodes

Keys: TypeAlias = Callable[[str], bytes]
PATIENT = 5.0
"""Seconds, where it is not about time."""

numbers = itertools.count(100_000)


@pytest.fixture
def keys() -> Keys:
    """Keys that no other test uses: nodes forget what was written in the same second only later."""
    prefix = f"{os.getpid()}:{next(numbers)}:"
    return lambda text: f"{prefix}{text}".encode()


@pytest.fixture
async def store(memcached_nodes: MemcachedNodes) -> AsyncIterator[MemcachedStore]:
    """A store on three nodes."""
    store = MemcachedStore([node.address for node in memcached_nodes.nodes], timeout=PATIENT)
    yield store
    await store.aclose()


def on(store: MemcachedStore, node: int, keys: Keys, count: int) -> list[bytes]:
    """Some keys that are on one node."""
    return list(
        itertools.islice((k for k in map(keys, map(str, itertools.count())) if store.node_of(k) == node), count)
    )


async def until_some(store: MemcachedStore, key: bytes) -> None:
    """Write until it is kept."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store.set_many({key: Item(b"back")})
            except StoreError:
                await asyncio.sleep(0.02)


# --- nodes that are lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_a_lost_node_is_a_miss_for_its_own_keys(memcached_nodes: MemcachedNodes, keys: Keys, how: str) -> None:
    """With one node of three lost, reads answer in time with what the others have; once it is known, at once."""
    store = MemcachedStore([node.address for node in memcached_nodes.nodes], timeout=0.2)
    names = [keys(str(number)) for number in range(60)]
    await store.set_many({name: Item(name) for name in names})
    there = {name: name for name in names if store.node_of(name) != 1}
    getattr(memcached_nodes.nodes[1], how)()
    clock = asyncio.get_running_loop().time
    waits: list[float] = []
    while len(waits) < 12:
        began = clock()
        found = await store.get_many(names)
        if waits or found == there:  # the signal takes a moment
            assert found == there
            waits.append(clock() - began)
    assert max(waits) < 0.6
    assert min(waits) < 0.1  # it was not asked any more
    with pytest.raises(StoreError):
        await store.set_many({name: Item(b"new") for name in names})
    assert await store.get_many(names) == dict.fromkeys(there, b"new")
    await store.aclose()


async def test_a_node_that_comes_back_is_used_again(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """After it was gone long enough for the driver's own attempts to have become rare, it is found when it is tried."""
    store = MemcachedStore([node.address for node in memcached_nodes.nodes], timeout=0.2)
    (key,) = on(store, 2, keys, 1)
    await store.set_many({key: Item(b"x")})
    memcached_nodes.nodes[2].kill()
    for _ in range(4):
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([key])
    memcached_nodes.nodes[2].start()
    await until_some(store, key)
    assert await store.get_many([key]) == {key: b"back"}
    await store.aclose()


async def test_nodes_that_are_not_there_are_told(keys: Keys) -> None:
    """When no node answers, that is an error: nothing was read."""
    store = MemcachedStore(["127.0.0.1:1", "127.0.0.1:2"], timeout=0.05)
    with pytest.raises(StoreError):
        await store.get_many([keys(str(number)) for number in range(20)])
    with pytest.raises(StoreError):
        await store.increment(keys("n"))
    await store.aclose()
    with pytest.raises(StoreUnavailable):
        await store.get_many([keys("a"), keys("b")])
    with pytest.raises(StoreUnavailable):
        await store.add(keys("a"), Item(b"x"))


class Connecting:
    """Makes connections for emcache, and keeps each back until it may be used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_made = asyncio.Event()
        self.may_be_used = asyncio.Event()
        self._connect = vars(connection_pool)["create_protocol"]
        monkeypatch.setattr(connection_pool, "create_protocol", self._make)

    async def _make(self, *args: object, **options: object) -> Any:
        connection = await self._connect(*args, **options)
        self.is_made.set()
        try:
            await self.may_be_used.wait()
        except asyncio.CancelledError:
            connection.close()
            raise
        return connection


async def client_on(nodes: MemcachedNodes) -> emcache.Client:
    """A client that nobody else has.

    It connects when it is asked: if a connection is ready just as its client is closed, emcache makes another (1.3.3).
    """
    return await emcache.create_client(
        [emcache.MemcachedHostAddress("127.0.0.1", node.port) for node in nodes.nodes],
        timeout=PATIENT,
        min_connections=0,
        purge_unused_connections_after=None,
    )


# --- callers, loops and clients ---------------------------------------------------------------------------------------


async def test_cancelled_callers_harm_nobody(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """Readers that are cancelled at any moment leave no reply for others, and cost no connection."""
    node = memcached_nodes.nodes[0]
    store = MemcachedStore([node.address], timeout=PATIENT)
    names = [keys(str(number)) for number in range(50)]
    await store.set_many({name: Item(name * 20) for name in names})
    await store.get_many(names)
    before = node.count("total_connections")
    for turn in range(200):
        tasks = [asyncio.ensure_future(store.get_many([name])) for name in names[:10]]
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for name, task in list(zip(names, tasks, strict=False))[1::2]:
            assert await task == {name: name * 20}
        await asyncio.gather(*tasks, return_exceptions=True)
    assert node.count("total_connections") - before <= 8 + 1  # as many as may be open, and the one that counts
    await store.aclose()


@pytest.mark.one_loop
def test_loops_in_threads_use_one_store(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """Three loops in three threads read and write through one store, each by connections of its own."""
    store = open_store(memcached_nodes.url + f"?timeout={PATIENT}")
    failures: list[BaseException] = []

    async def use(who: int) -> None:
        for number in range(50):
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
    asyncio.run(store.aclose())


@pytest.mark.one_loop
def test_one_run_after_the_other_leaves_no_connection(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """A store that is used in several runs, and closed in none, has its connections closed with each."""
    node = memcached_nodes.nodes[0]
    store = MemcachedStore([node.address], timeout=PATIENT)
    before = node.count("curr_connections")
    for turn in range(3):
        asyncio.run(store.set_many({keys("k"): Item(b"%d" % turn)}))
        assert node.count("curr_connections") == before
    assert asyncio.run(store.get_many([keys("k")])) == {keys("k"): b"2"}


@pytest.mark.one_loop
@pytest.mark.parametrize("turns", range(6))
def test_a_loop_that_ends_leaves_no_connection(memcached_nodes: MemcachedNodes, keys: Keys, turns: int) -> None:
    """Changes that are under way when a loop ends, or wait for others, or have just been asked for, leave nothing."""
    node = memcached_nodes.nodes[0]
    store = MemcachedStore([node.address], timeout=PATIENT)
    before = node.count("curr_connections")
    many = {keys(f"{number}"): Item(b"x") for number in range(MOST_ASKED)}

    async def ask(batches: int) -> None:
        await store.get_many(list(many))
        asking = [asyncio.ensure_future(store.set_many(many)) for _ in range(batches)]
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not any(task.done() for task in asking)

    for batches in (1, 3):
        asyncio.run(ask(batches))
        node.wait_until(lambda: node.count("curr_connections") == before)
    asyncio.run(ask(0))
    assert node.count("curr_connections") == before


async def test_closing_reaches_other_loops(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """A store that is closed here lets go of the connections that it has on loops in other threads."""
    node = memcached_nodes.nodes[0]
    store = MemcachedStore([node.address], timeout=PATIENT)
    before = node.count("curr_connections")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        there = asyncio.run_coroutine_threadsafe(store.set_many({keys("k"): Item(b"x")}), loop)
        await asyncio.wrap_future(there)
        assert await store.get_many([keys("k")]) == {keys("k"): b"x"}
        assert node.count("curr_connections") > before
        await store.aclose()
        await asyncio.to_thread(node.wait_until, lambda: node.count("curr_connections") == before)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def test_closing_is_the_end_of_connecting(
    memcached_nodes: MemcachedNodes, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is made because another was ready just as all were closed, whichever turn of the loop that was."""
    node = memcached_nodes.nodes[0]
    before = node.count("curr_connections")
    connecting = Connecting(monkeypatch)
    for turns in range(6):
        connecting.may_be_used.set()
        store = MemcachedStore([node.address], timeout=PATIENT)
        await store.get_many([keys("k")])
        connecting.is_made.clear()
        connecting.may_be_used.clear()
        await asyncio.gather(store.get_many([keys("k")]), store.set_many({keys("k"): Item(b"x")}))
        await connecting.is_made.wait()  # nobody needs it any more
        closing = asyncio.ensure_future(store.aclose())
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.may_be_used.set()
        await closing
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.to_thread(node.wait_until, lambda: node.count("curr_connections") == before)


async def test_a_client_that_was_passed_in_is_used_and_left_open(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """The store works on it, and closing the store does not close it."""
    client = await client_on(memcached_nodes)
    store = MemcachedStore(client, timeout=PATIENT)
    items = {keys(str(number)): Item(b"x") for number in range(20)}
    await store.set_many(items)
    assert len(await store.get_many(list(items))) == 20
    await store.aclose()
    assert not client.closed
    assert (await client.get(keys("3"))) is not None
    await client.close()


async def test_a_client_belongs_to_its_loop(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """On another loop, a client that was passed in is not touched: that is told."""
    client = await client_on(memcached_nodes)
    store = MemcachedStore(client, timeout=PATIENT)
    with pytest.raises(StoreUnavailable, match="another event loop"):
        await asyncio.to_thread(asyncio.run, store.get_many([keys("k")]))
    await client.close()
