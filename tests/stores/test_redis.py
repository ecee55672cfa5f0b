"""The store in Redis, on a real server: what callers do to one another, to connections, and to threads and loops."""

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, RedisStore
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.one_loop


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    """Open a store, and close it."""
    store = RedisStore(url)
    try:
        yield store
    finally:
        await store.aclose()


async def eventually(holds: Callable[[], bool], patience: float = 10.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(patience):
        while not holds():  # noqa: ASYNC110  # no event tells of what happens in a server
            await asyncio.sleep(0.01)


def clients(server: RedisServer) -> int:
    """Count the connections of others than the one that asks, and of others than sockets in the file system."""
    lines = server.ask("CLIENT", "LIST").decode().splitlines()
    return sum("redis.sock" not in line for line in lines)


async def test_readers_share_a_few_connections(redis_server: RedisServer) -> None:
    """Five thousand readers at once meet no error, and take four connections at most."""
    async with opened(f"{redis_server.url}?timeout=10") as store:
        keys = [b"%d" % number for number in range(500)]
        await store.set_many({key: Item(key * 3) for key in keys})
        found = await asyncio.gather(*(store.get_many((keys[number % 500],)) for number in range(5_000)))
        assert all(values == {keys[number % 500]: keys[number % 500] * 3} for number, values in enumerate(found))
        assert clients(redis_server) <= 5


async def test_cancelled_readers_harm_nobody(redis_server: RedisServer) -> None:
    """Of 20,000 readers that are cancelled on a slow and choppy line, none costs a connection or a right value."""
    rng = random.Random(5)
    keys = [b"%d" % number for number in range(100)]
    with FaultProxy(redis_server.port) as proxy:
        async with opened(f"redis://{proxy.address}?timeout=10") as store:
            await store.set_many({key: Item(b"value of " + key) for key in keys})
            proxy.latency(0.0, 0.003)
            proxy.chop(50)
            await asyncio.gather(*(store.get_many((key,)) for key in keys))
            before = proxy.accepted
            cancelled = 0
            while cancelled < 20_000:
                asked = [rng.choice(keys) for _ in range(550)]
                readers = [asyncio.create_task(store.get_many((key,))) for key in asked]
                for reader in readers[:500]:
                    asyncio.get_running_loop().call_later(rng.random() * 0.01, reader.cancel)
                for key, values in zip(asked, await asyncio.gather(*readers, return_exceptions=True), strict=True):
                    if isinstance(values, asyncio.CancelledError):
                        cancelled += 1
                    else:
                        assert values == {key: b"value of " + key}
            assert all([await store.get_many((key,)) == {key: b"value of " + key} for key in keys])
            assert proxy.accepted <= max(before, 5)


def ready_connections(store: RedisStore) -> int:
    """Count the connections that are made, with all that is said on them at the beginning."""
    servers = [server for topo in store._topologies.states.values() for server in topo._servers.values()]
    return sum(len(server.connections()) for server in servers)


async def test_a_connection_that_is_slow_to_make_is_made(redis_server: RedisServer) -> None:
    """A handshake that takes longer than a request may is finished, and serves the next request."""
    with FaultProxy(redis_server.port) as proxy:
        proxy.latency(0.1, 0.1)
        async with opened(f"redis://{proxy.address}?timeout=0.05") as store:
            with pytest.raises(StoreTimeout):
                await store.get_many((b"a",))
            await eventually(lambda: ready_connections(store) == 1)
            proxy.heal()
            assert await store.get_many((b"a",)) == {}
            assert proxy.accepted == 1


async def test_a_silent_server_costs_no_more_than_the_time_limit(redis_server: RedisServer) -> None:
    """While a server does not answer, callers wait for as long as the store's limit, and soon not at all."""
    async with opened(f"{redis_server.url}?timeout=0.1") as store:
        await store.set_many({b"a": Item(b"1")})
        redis_server.pause()
        waits: list[float] = []
        for _ in range(20):
            begin = time.perf_counter()
            with pytest.raises(StoreError):
                await store.get_many((b"a",))
            waits.append(time.perf_counter() - begin)
        redis_server.resume()
        assert max(waits) < 0.5
        assert sorted(waits)[10] < 0.02
        await comes_back(store)


async def comes_back(store: RedisStore, patience: float = 15.0) -> dict[bytes, bytes]:
    """Read until that succeeds."""
    async with asyncio.timeout(patience):
        while True:
            try:
                return await store.get_many((b"a",))
            except StoreError:
                await asyncio.sleep(0.02)


async def test_a_connection_that_was_closed_while_idle(redis_server: RedisServer) -> None:
    """A server that cuts connections which nobody uses costs its callers nothing."""
    async with opened(f"{redis_server.url}?timeout=10") as store:
        await store.set_many({b"a": Item(b"1")})
        for _ in range(3):
            redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
            await eventually(lambda: clients(redis_server) == 0)
            assert await store.get_many((b"a",)) == {b"a": b"1"}


async def test_a_server_that_went_and_came_back_is_used_again(redis_server: RedisServer) -> None:
    """After a restart, reads and changes succeed as they did before."""
    async with opened(f"{redis_server.url}?timeout=1") as store:
        await store.set_many({b"a": Item(b"1")})
        redis_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.get_many((b"a",))
        redis_server.restart()
        assert await comes_back(store) == {}
        await store.set_many({b"a": Item(b"2")})
        assert await store.get_many((b"a",)) == {b"a": b"2"}


async def test_what_may_have_been_done_is_not_done_again(redis_server: RedisServer) -> None:
    """A counter whose reply is lost was counted once: no request is made a second time."""
    with FaultProxy(redis_server.port) as proxy:
        async with opened(f"redis://{proxy.address}?timeout=1") as store:
            assert await store.increment(b"n") == 1
            proxy.lose_replies(1)
            with pytest.raises(StoreError):
                await store.increment(b"n")
            assert await store.increment(b"n") == 3


async def test_scripts_that_a_server_forgot_are_brought_again(redis_server: RedisServer) -> None:
    """Conditions hold although the server has forgotten all scripts between two batches."""
    async with opened(f"{redis_server.url}?timeout=10") as store:
        for _ in range(3):
            await store.set_many({b"a": Item(b"1"), b"b": Item(b"1")})
            done = await asyncio.gather(
                store.compare_and_set(b"a", b"1", Item(b"2")),
                store.compare_and_set(b"a", b"1", Item(b"3")),
                store.compare_and_delete(b"b", b""),
                store.compare_and_delete(b"b", b""),
            )
            assert list(done) == [True, False, True, False]
            redis_server.ask("SCRIPT", "FLUSH")


async def test_the_largest_and_smallest_ttl(redis_server: RedisServer) -> None:
    """A ttl of less than a millisecond is not "for ever", and one of a billion years is accepted."""
    async with opened(f"{redis_server.url}?timeout=10") as store:
        await store.set_many({b"a": Item(b"1", 0.0001), b"b": Item(b"1", 3e16), b"c": Item(b"1", float("inf"))})
        assert redis_server.ask("PTTL", "a") in (-2, 0, 1)
        assert redis_server.ask("PTTL", "b") > 10**12
        assert redis_server.ask("PTTL", "c") == -1


def test_several_loops_in_threads_read_what_is_theirs(redis_server: RedisServer) -> None:
    """Loops in three threads use one store at once, each by its own connections; a thread's go when its loop goes."""
    store = RedisStore(f"{redis_server.url}?timeout=10")
    wrong: list[object] = []

    async def work(name: bytes) -> None:
        keys = [b"%b:%d" % (name, number) for number in range(200)]
        await store.set_many({key: Item(key) for key in keys})
        for values in await asyncio.gather(*(store.get_many((key, b"nothing")) for key in keys)):
            ((key, value),) = values.items()
            if key != value:
                wrong.append(key)

    threads = [threading.Thread(target=asyncio.run, args=(work(b"%d" % number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    asyncio.run(eventually(lambda: clients(redis_server) == 0))
    asyncio.run(store.aclose())


def test_a_store_outlives_its_loops(redis_server: RedisServer) -> None:
    """Run after run on new loops, one store works, and leaves no connection and no warning behind."""
    store = RedisStore(f"{redis_server.url}?timeout=10")

    async def work(number: int) -> None:
        found = await store.get_many((b"a",))
        assert found == ({} if number == 0 else {b"a": b"%d" % (number - 1)})
        await store.set_many({b"a": Item(b"%d" % number)})

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(3):
            asyncio.run(work(number))
    asyncio.run(eventually(lambda: clients(redis_server) == 0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_parent_and_child_share_no_connection(redis_server: RedisServer) -> None:
    """After a fork both sides read what they ask for, the parent on the connections that it had."""
    store = RedisStore(f"{redis_server.url}?timeout=10")
    keys = [b"%d" % number for number in range(1_000)]

    async def read() -> bool:
        return all([await store.get_many((key,)) == {key: key} for key in keys])

    async def parent() -> tuple[bool, int]:
        await store.set_many({key: Item(key) for key in keys})
        child = os.fork()
        if not child:
            right = False
            try:
                asyncio.events._set_running_loop(None)
                gc.collect()  # what nobody keeps in the child is finalized there
                right = asyncio.run(read())
            finally:
                os._exit(0 if right else 1)
        is_right = await read()
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        is_right = is_right and await read()
        await store.aclose()
        return is_right, status

    assert asyncio.run(parent()) == (True, 0)


async def test_a_client_is_taken_as_a_pattern(redis_server: RedisServer) -> None:
    """A store that is made of a client reaches the same database, and leaves the client open."""
    client = Redis(port=redis_server.port, db=3, decode_responses=True, max_connections=1)
    store = RedisStore(client, timeout=10)
    await store.set_many({b"a": Item(b"\xff")})
    assert await asyncio.gather(*(store.get_many((b"a",)) for _ in range(50))) == [{b"a": b"\xff"}] * 50
    await store.aclose()
    assert await client.exists("a") == 1
    await client.aclose()


async def test_a_password_and_a_user(redis_server: RedisServer) -> None:
    """A user name and a password open the store; a wrong password does not, and is not repeated in the error."""
    redis_server.ask("ACL", "SETUSER", "shop", "on", ">se/cret", "~*", "+@all")
    try:
        async with opened(f"redis://shop:se%2Fcret@{redis_server.address}/1?timeout=10") as store:
            await store.set_many({b"a": Item(b"1")})
            assert await store.get_many((b"a",)) == {b"a": b"1"}
        async with opened(f"redis://shop:wrong@{redis_server.address}?timeout=10") as store:
            with pytest.raises(StoreUnavailable, match="password") as caught:
                await store.get_many((b"a",))
            assert "wrong" not in f"{caught.value}{store!r}{store.name}"
    finally:
        redis_server.ask("ACL", "DELUSER", "shop")


async def test_tls() -> None:
    """With the right authority a store is reached by TLS; without, it is not reached at all."""
    with RedisServer(tls=True, password="pass") as server:
        async with opened(f"{server.url}?timeout=10&ca_certs={server.ca_file}") as store:
            await store.set_many({b"a": Item(b"1" * 100_000)})
            assert await store.get_many((b"a",)) == {b"a": b"1" * 100_000}
        async with opened(f"{server.url}?timeout=10") as store:
            with pytest.raises(StoreUnavailable):
                await store.get_many((b"a",))


async def test_a_socket_in_the_file_system(redis_server: RedisServer) -> None:
    """A path leads to the server as a host does."""
    async with opened(f"{redis_server.unix_url}?timeout=10&db=2") as store:
        await store.set_many({b"a": Item(b"1")})
        assert await store.get_many((b"a",)) == {b"a": b"1"}
    assert redis_server.info("keyspace").keys() == {"db2"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://host/one", "number of a database"),
        ("redis://host/1?db=2", "one number"),
        ("redis://host?db=-1", "0 or more"),
        ("redis://a,b", "redis\\+cluster"),
        ("redis://host?time=1", "timeout"),
        ("redis://host?ca_certs=ca.pem", "rediss://"),
        ("redis+cluster://a,b/1", "one database"),
        ("redis+sentinel://a,b", "service"),
        ("unix://host/run/redis.sock", "no host"),
        ("unix://", "path"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused(url: str, words: str) -> None:
    """A mistake in a URL is told at once, with what to write instead."""
    with pytest.raises(ValueError, match=words):
        RedisStore(url)


def test_something_else_than_a_client_is_refused() -> None:
    """What is neither URL nor client is a TypeError, and a time limit that is none a ValueError."""
    with pytest.raises(TypeError, match="client of redis"):
        RedisStore(object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        RedisStore(Redis(), timeout=0)


async def test_a_store_that_is_closed(redis_server: RedisServer) -> None:
    """A closed store says so, whatever is asked of it."""
    store = RedisStore(redis_server.url)
    await store.get_many((b"a",))
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.get_many((b"a",))
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.listen(b"a", print)
    with pytest.raises(StoreUnavailable, match="closed"):
        await anext(store.scan(b"a"))
    await eventually(lambda: clients(redis_server) == 0)


async def test_closing_ends_what_is_still_connecting() -> None:
    """A store is closed at once while a connection is being made to a server that says nothing; no task is left."""
    silence = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        async with opened(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}?timeout=0.05") as store:
            with pytest.raises(StoreTimeout):
                await store.get_many((b"a",))
            begin = time.perf_counter()
        assert time.perf_counter() - begin < 0.5
        silence.set()


def test_a_missing_package_is_named() -> None:
    """Without redis-py, both ways to a store say what to install."""
    for way in ("from asynccache.stores import RedisStore", "import asynccache.stores as s; s.open_store('redis://h')"):
        lines = (
            f"import sys\nsys.modules['redis'] = None\ntry:\n    {way}\nexcept ImportError as error:\n    print(error)"
        )
        told = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
        assert 'pip install "asynccache[redis]"' in told.stdout
