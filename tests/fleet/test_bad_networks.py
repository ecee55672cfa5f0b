"""Two caches on one Redis, one of them by a network that does what bad networks do: callers are served all the same."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from asynccache import Cache
from tests.fleet.group_traffic import GroupTraffic
from tests.fleet.patience import eventually
from tests.fleet.traffic import Traffic, is_sound
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.one_loop

TIMEOUT = 0.1
BUDGET = 10 * TIMEOUT + 3
"""Seconds. A call makes at most four requests; the rest is for a busy machine. Without a budget it is a minute."""

CONNECTIONS = 4 + 1 + 1
"""Of one cache, at most: for reads, for changes, for news."""


async def several_resets(proxy: FaultProxy) -> None:
    """Cut all connections again and again."""
    for _ in range(10):
        proxy.reset()
        await asyncio.sleep(0.05)


def fault(apply: Callable[[FaultProxy], object]) -> Callable[[FaultProxy], Coroutine[Any, Any, None]]:
    """Make a fault of what begins it: it lasts for a second, in which calls are made all the time."""

    async def last(proxy: FaultProxy) -> None:
        apply(proxy)
        await asyncio.sleep(1)

    return last


FAULTS: dict[str, Callable[[FaultProxy], Coroutine[Any, Any, None]]] = {
    "slow": fault(lambda proxy: proxy.latency(0.0, 0.09)),
    "too slow": fault(lambda proxy: proxy.latency(0.2, 0.3)),
    "chopped": fault(lambda proxy: proxy.chop(7)),
    "stalled": fault(FaultProxy.stall),
    "stalled up": fault(lambda proxy: proxy.stall("up")),
    "stalled down": fault(lambda proxy: proxy.stall("down")),
    "dropped up": fault(lambda proxy: proxy.drop("up")),
    "dropped down": fault(lambda proxy: proxy.drop("down")),
    "reset": several_resets,
    "refused": fault(FaultProxy.cut_off),
}


@contextlib.asynccontextmanager
async def on_a_bad_network(server: RedisServer, maxsize: int = 1_024) -> AsyncIterator[tuple[FaultProxy, Cache, Cache]]:
    """A cache behind a proxy, and one in the server's neighbourhood."""
    with FaultProxy(server.port) as proxy:
        async with (
            Cache(f"redis://{proxy.address}/0?timeout={TIMEOUT}", namespace="shop", maxsize=maxsize) as far,
            Cache(f"{server.url}?timeout=5", namespace="shop") as near,
        ):
            yield proxy, far, near


@pytest.mark.parametrize("name", FAULTS)
async def test_callers_are_served(redis_server: RedisServer, name: str) -> None:
    """Nobody is told of an error, waits for long, or is given what was never true; afterwards nothing old is left."""
    async with on_a_bad_network(redis_server) as (proxy, far, near):
        traffic = Traffic(far, near)
        async with traffic.flowing():
            await traffic.pass_by(500)
            await FAULTS[name](proxy)
        # Nothing changes any more: what has changed in the meantime has to be heard of all the same.
        proxy.heal()
        await traffic.recover()
        await eventually(lambda: nothing_is_stale(traffic))
        async with traffic.flowing():
            await traffic.pass_by(500)
        assert traffic.errors == []
        assert traffic.wrong == []
        assert max(traffic.longest.values()) < BUDGET
        await eventually(lambda: nothing_is_stale(traffic))
        await eventually(lambda: redis_server.count("connected_clients") <= 2 * CONNECTIONS + 1)  # and this question


async def nothing_is_stale(traffic: Traffic) -> bool:
    """Whether both caches say what is true: once they do, it stays so, as nothing changes any more."""
    return not await traffic.stale()


@pytest.mark.parametrize("name", ["stalled", "dropped up", "dropped down", "refused"])
async def test_nobody_waits_for_what_is_known_to_be_away(redis_server: RedisServer, name: str) -> None:
    """While the store is out of reach, callers wait for it a few times, not each time."""
    async with on_a_bad_network(redis_server, maxsize=0) as (proxy, far, _):
        await far.set("key", 1)
        assert await far.get("key") == 1
        async with asyncio.TaskGroup() as group:
            hole = group.create_task(FAULTS[name](proxy))
            await asyncio.sleep(0)
            begin = time.monotonic()
            waited = 0
            for _ in range(1_000):
                start = time.monotonic()
                await far.get("key")
                waited += time.monotonic() - start > TIMEOUT / 2
            assert time.monotonic() - begin < 1_000 * TIMEOUT / 10
            assert waited < 50
            await hole


OPTIONS: dict[str, dict[str, Any]] = {
    "one load for all": {"coalesce": "fleet", "lease_ttl": 1},
    "written behind": {"write": "behind"},
    "old values": {"stale": 30, "ttl": 0.3},
    "kept for a while": {"local_ttl": 0.5},
}


@pytest.mark.parametrize("name", OPTIONS)
async def test_a_spell_of_faults(redis_server: RedisServer, name: str) -> None:
    """After three seconds of one fault on the other, while groups of values are changed, nothing old is left."""
    chance = random.Random(name)
    with FaultProxy(redis_server.port) as proxy:
        options: dict[str, Any] = {"namespace": "shop", **OPTIONS[name]}
        async with (
            Cache(f"redis://{proxy.address}/0?timeout={TIMEOUT}", **options) as far,
            Cache(f"{redis_server.url}?timeout=5", **options) as near,
        ):
            traffic = GroupTraffic(far, near, seed=chance.randrange(1_000))
            async with traffic.flowing():
                await traffic.pass_by(500)
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    await begin_a_fault(proxy, chance)
            proxy.heal()
            await traffic.recover()
            await eventually(lambda: nothing_is_stale(traffic))
            assert traffic.errors == []
            assert traffic.wrong == []
            assert max(traffic.longest.values()) < BUDGET + options.get("lease_ttl", 0)


async def begin_a_fault(proxy: FaultProxy, chance: random.Random) -> None:
    """Let the network have one fault more, or none, for a moment."""
    faults: list[Callable[[], None]] = [
        lambda: proxy.latency(0.0, 0.09), lambda: proxy.latency(0.2, 0.3), lambda: proxy.chop(7), proxy.stall,
        lambda: proxy.stall("up"), lambda: proxy.stall("down"), lambda: proxy.drop("up"), lambda: proxy.drop("down"),
        proxy.reset, proxy.cut_off, proxy.heal, proxy.heal, proxy.heal,
    ]  # fmt: skip
    chance.choice(faults)()
    await asyncio.sleep(chance.uniform(0.05, 0.3))


async def test_a_cut_feed_is_no_mistake_of_ours(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is reset is no reason to log a traceback."""
    caplog.set_level(logging.ERROR, "asynccache")
    async with on_a_bad_network(redis_server) as (proxy, far, _):
        await far.get("key")
        await eventually(lambda: is_sound(far))
        proxy.reset()
        await eventually(lambda: not is_sound(far))
        await eventually(lambda: is_sound(far))
    assert caplog.records == []
