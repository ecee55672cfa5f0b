"""The feed of changes in Redis: what is told, what is proven, and what a loss means."""

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable

import pytest
import redis.asyncio.connection
from redis.asyncio.connection import AbstractConnection

from asynccache.stores import Feed, Item, RedisStore
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

pytestmark = pytest.mark.one_loop


class News:
    """What a feed has told: keys, and how often that any may have changed."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.losses = 0

    def __call__(self, keys: Iterable[bytes] | None) -> None:
        """Be told."""
        if keys is None:
            self.losses += 1
        else:
            self.keys.update(keys)


async def eventually(holds: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(patience):
        while not holds():  # noqa: ASYNC110  # no event tells of what happens in a server
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def listening(url: str, news: News, prefix: bytes = b"p:") -> AsyncIterator[tuple[RedisStore, Feed]]:
    """Open a store, and listen until that is live."""
    store = RedisStore(url)
    feed = await store.listen(prefix, news)
    try:
        await eventually(lambda: feed.is_live)
        yield store, feed
    finally:
        await feed.aclose()
        await store.aclose()


def tracked(server: RedisServer) -> list[str]:
    """Give the ids of connections on which a server tells what changes."""
    lines = [dict(word.split("=", 1) for word in line.split()) for line in
             server.ask("CLIENT", "LIST").decode().splitlines()]  # fmt: skip
    return [line["id"] for line in lines if "t" in line["flags"]]


async def test_others_changes_are_told(redis_server: RedisServer) -> None:
    """A change by anybody is told, and one of another key is not."""
    news = News()
    async with listening(redis_server.url, news):
        assert news.losses == 1
        redis_server.ask("SET", "p:a", 1)
        redis_server.ask("SET", "q:a", 1)
        redis_server.ask("SET", "p:b", 1)
        await eventually(lambda: b"p:b" in news.keys)
        assert news.keys == {b"p:a", b"p:b"}
    assert tracked(redis_server) == []


async def test_the_parser_in_python_reads_it_too(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the parser in C, the same is told."""
    defaults = inspect.unwrap(AbstractConnection.__init__).__kwdefaults__
    monkeypatch.setitem(defaults, "parser_class", vars(redis.asyncio.connection)["_AsyncRESP2Parser"])
    news = News()
    async with listening(redis_server.url, news) as (store, _):
        await store.set_many({b"p:a": Item(b"1")})
        await eventually(lambda: b"p:a" in news.keys)
        redis_server.ask("FLUSHALL")
        await eventually(lambda: news.losses == 2)


async def test_emptying_the_server_is_told(redis_server: RedisServer) -> None:
    """FLUSHALL means that anything may have changed; the feed stays live."""
    news = News()
    async with listening(redis_server.url, news) as (_, feed):
        redis_server.ask("FLUSHALL")
        await eventually(lambda: news.losses == 2)
        assert feed.is_live


async def test_a_lost_connection_is_told_and_made_again(redis_server: RedisServer) -> None:
    """A feed whose connection is cut says so at once, and once more when it is proven again."""
    news = News()
    async with listening(redis_server.url, news) as (_, feed):
        for client in tracked(redis_server):
            redis_server.ask("CLIENT", "KILL", "ID", client)
        await eventually(lambda: news.losses == 2)
        assert not feed.is_live
        redis_server.ask("SET", "p:a", 1)
        await eventually(lambda: feed.is_live)
        assert news.losses == 3
        redis_server.ask("SET", "p:b", 1)
        await eventually(lambda: b"p:b" in news.keys)


@pytest.mark.parametrize("is_paused", [True, False])
async def test_a_server_that_falls_silent_is_noticed(redis_server: RedisServer, is_paused: bool) -> None:
    """When nothing comes any more on connections that stay open, the feed is lost within 2.5 seconds."""
    news = News()
    with FaultProxy(redis_server.port) as proxy:
        async with listening(f"redis://{proxy.address}", news) as (_, feed):
            begin = time.perf_counter()
            if is_paused:
                redis_server.pause()
            else:
                proxy.stall("down")
            await eventually(lambda: not feed.is_live)
            assert time.perf_counter() - begin < 2.5
            assert news.losses == 2
            redis_server.resume()
            proxy.heal()
            await eventually(lambda: feed.is_live)
            assert news.losses == 3


async def test_a_restart_is_survived(redis_server: RedisServer) -> None:
    """While a server is gone the feed is not live; when it is back, it is again."""
    news = News()
    async with listening(redis_server.url, news) as (_, feed):
        redis_server.kill()
        await eventually(lambda: not feed.is_live)
        redis_server.restart()
        await eventually(lambda: feed.is_live)
        redis_server.ask("SET", "p:a", 1)
        await eventually(lambda: b"p:a" in news.keys)


async def test_a_flood_while_the_loop_is_blocked(redis_server: RedisServer) -> None:
    """Of 200,000 changes made while the loop does not run, all are told, and the feed is not lost over them."""
    news = News()
    script = "for i = 1, 200000 do redis.call('SET', 'p:' .. i, '') end"
    async with listening(redis_server.url, news) as (_, feed):
        begin = time.perf_counter()
        redis_server.ask("EVAL", script, 0)  # this blocks the loop
        while time.perf_counter() - begin < 1.0:
            pass
        await eventually(lambda: len(news.keys) == 200_000)
        assert news.losses == 1
        assert feed.is_live


@pytest.mark.parametrize("forbidden", ["-client|tracking", "-set"])
async def test_a_server_that_does_not_track_is_left_alone(
    redis_server: RedisServer, forbidden: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where changes are not told, the feed is never live, one warning is logged, and the store works."""
    redis_server.ask("ACL", "SETUSER", "plain", "on", ">x", "~*", "+@all", forbidden)
    store = RedisStore(f"redis://plain:x@{redis_server.address}?timeout=10")
    news = News()
    feed = await store.listen(b"p:", news)
    with caplog.at_level(logging.WARNING, "asynccache"):
        await eventually(lambda: bool(caplog.records))
    assert await store.get_many((b"p:a",)) == {}
    connections = redis_server.count("total_connections_received")
    await asyncio.sleep(0.3)
    assert redis_server.count("total_connections_received") - connections <= 2  # those of the questions
    assert [record.name for record in caplog.records] == ["asynccache"]
    assert (feed.is_live, news.losses, tracked(redis_server)) == (False, 0, [])
    await feed.aclose()
    await store.aclose()
    redis_server.ask("ACL", "DELUSER", "plain")


async def read_word(reader: asyncio.StreamReader) -> bytes:
    """Read one word of a command."""
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


async def test_what_a_server_says_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    """A server that agrees to tell of changes, and then does not, gets no live feed."""

    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if line.startswith(b"*"):
                    words = [await read_word(reader) for _ in range(int(line[1:]))]
                    writer.write(b"%1\r\n+proto\r\n:3\r\n" if words[0] == b"HELLO" else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(agree, "127.0.0.1", 0) as server:
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        news = News()
        feed = await store.listen(b"p:", news)
        with caplog.at_level(logging.WARNING, "asynccache"):
            await eventually(lambda: bool(caplog.records))
        assert (feed.is_live, news.losses) == (False, 0)
        assert "does not tell of changes" in caplog.text
        await feed.aclose()
        await store.aclose()


async def test_a_listener_that_raises_does_not_end_the_feed(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What a listener raises is logged, and the feed begins anew."""
    news = News()

    def fail_once(keys: Iterable[bytes] | None) -> None:
        news(keys)
        if keys is not None and len(news.keys) == 1:
            raise LookupError

    store = RedisStore(redis_server.url)
    feed = await store.listen(b"p:", fail_once)
    await eventually(lambda: feed.is_live)
    redis_server.ask("SET", "p:a", 1)
    await eventually(lambda: news.losses == 3)
    redis_server.ask("SET", "p:b", 1)
    await eventually(lambda: b"p:b" in news.keys)
    assert "LookupError" in caplog.text
    await feed.aclose()
    await store.aclose()


async def test_closing_the_store_ends_its_feeds(redis_server: RedisServer) -> None:
    """A feed of a store that is closed is not live, tells nothing more, and leaves no connection."""
    news = News()
    store = RedisStore(redis_server.url)
    feed = await store.listen(b"p:", news)
    await eventually(lambda: feed.is_live)
    await store.aclose()
    assert not feed.is_live
    redis_server.ask("SET", "p:a", 1)
    await eventually(lambda: tracked(redis_server) == [])
    assert (news.keys, news.losses) == (set(), 1)


async def test_a_feed_follows_sentinels(redis_sentinel: RedisSentinel) -> None:
    """When the primary dies, the feed is lost; it is live again on the new one, and so is the store."""
    news = News()
    async with listening(f"{redis_sentinel.url}?timeout=1", news) as (store, feed):
        await store.set_many({b"p:a": Item(b"1")})
        former = redis_sentinel.primary
        former.kill()
        await eventually(lambda: not feed.is_live)
        present = await asyncio.to_thread(redis_sentinel.wait_for_another, former)
        await eventually(lambda: feed.is_live)
        present.ask("SET", "p:b", 1)
        await eventually(lambda: b"p:b" in news.keys)
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    await store.set_many({b"p:c": Item(b"1")})
                    break
                await asyncio.sleep(0.05)
        assert present.ask("GET", "p:c") == b"1"


async def test_a_feed_listens_to_all_of_a_cluster(redis_cluster: RedisCluster) -> None:
    """Changes on each primary are told; when one dies, the feed is lost, and listens to its replica afterwards."""
    news = News()
    keys = [b"p:%d" % number for number in range(30)]
    async with listening(f"{redis_cluster.url}?timeout=1", news) as (store, feed):
        await store.set_many({key: Item(b"1") for key in keys})
        await eventually(lambda: news.keys == set(keys))
        dead = redis_cluster.primary_of(keys[0])
        dead.kill()
        await eventually(lambda: not feed.is_live)
        await eventually(lambda: feed.is_live)
        present = redis_cluster.primary_of(keys[0])
        assert present is not dead
        news.keys.clear()
        present.ask("SET", keys[0].decode(), 2)
        await eventually(lambda: news.keys == {keys[0]})


async def test_a_feed_notices_that_a_replica_was_promoted(redis_cluster: RedisCluster) -> None:
    """When a replica takes over in peace, while all connections stay, the feed goes with the slots."""
    news = News()
    async with listening(f"{redis_cluster.url}?timeout=1", news) as (_, feed):
        former = redis_cluster.primary_of(b"p:a")
        (replica,) = [
            node for node in redis_cluster.nodes
            if (role := node.ask("ROLE"))[0] == b"slave" and role[2] == former.port
        ]  # fmt: skip
        replica.is_touched = True
        async with asyncio.timeout(30):
            while redis_cluster.primary_of(b"p:a") is not replica:
                with contextlib.suppress(redis.ResponseError):
                    replica.ask("CLUSTER", "FAILOVER")
                await asyncio.sleep(0.5)
        await eventually(lambda: news.losses >= 3 and feed.is_live)
        replica.ask("SET", "p:a", 1)
        await eventually(lambda: b"p:a" in news.keys)


async def test_a_feed_of_one_slot_needs_one_server(redis_cluster: RedisCluster) -> None:
    """Where a part of the prefix in braces puts all keys into one slot, only that slot's server is listened to."""
    news = News()
    async with listening(f"{redis_cluster.url}?timeout=1", news, b"{p}:") as (store, _):
        assert sum(len(tracked(node)) for node in redis_cluster.nodes) == 1
        await store.set_many({b"{p}:a": Item(b"1"), b"{q}:a": Item(b"1")})
        await eventually(lambda: news.keys == {b"{p}:a"})
