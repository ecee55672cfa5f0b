"""What is kept in process is never older than the store for good, however replies and news overtake each other."""

import contextlib
import os
from collections.abc import AsyncIterator

import pytest

from asynccache import Cache
from asynccache.shared.changes import Changes
from tests.fleet.races import NAMESPACE, Races, TwoWays, What
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.one_loop, pytest.mark.timeout(600)]

RACES = int(os.environ.get("ASYNCCACHE_TEST_RACES", "1000")) // 6
"""Of each kind. 10,000 in all have run without one stale value; that takes two minutes."""

SLOW_WAYS = ("values", "news", "both")


@contextlib.asynccontextmanager
async def racing(server: RedisServer, slow: str) -> AsyncIterator[Races]:
    """A reader some of whose ways take up to 3 ms longer, each way, and a writer in its neighbourhood."""
    with FaultProxy(server.port) as proxy:
        proxy.latency(0, 0.003)
        direct, slowly = f"{server.url}?timeout=5", f"redis://{proxy.address}/0?timeout=5"
        store = TwoWays(direct if slow == "news" else slowly, direct if slow == "values" else slowly)
        async with (
            contextlib.aclosing(store),
            Cache(store, namespace=NAMESPACE, maxsize=100_000) as reader,
            Cache(direct, namespace=NAMESPACE, maxsize=0) as writer,
        ):
            yield Races(store, reader, writer)


@pytest.mark.parametrize("slow", SLOW_WAYS)
@pytest.mark.parametrize("what", ["get", "load"])
async def test_nothing_stays_stale(redis_server: RedisServer, slow: str, what: What) -> None:
    """After races of reads with writes of another process, nothing old is served, whichever way was the slow one."""
    async with racing(redis_server, slow) as races:
        await races.run(what, RACES)
    assert races.stale == []
    assert races.seen["old"]  # some reads were overtaken
    assert races.seen["new"]


async def test_the_races_are_real(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that does not mind what it hears while it reads keeps old values for ever in these races."""
    monkeypatch.setattr(Changes, "has_changed", lambda *_: False)
    async with racing(redis_server, "values") as races:
        await races.run("get", 200)
    assert races.stale != []


@pytest.mark.parametrize("what", ["get", "load"])
async def test_valkey(valkey_server: RedisServer, what: What) -> None:
    """The same holds for Valkey."""
    async with racing(valkey_server, "values") as races:
        await races.run(what, RACES)
    assert races.stale == []
