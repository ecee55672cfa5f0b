"""The Redis under two caches stands still, or is killed and comes back empty: callers are served all the same."""

import asyncio

import pytest

from asynccache import Cache
from tests.fleet.outages import Outage
from tests.fleet.patience import eventually
from tests.fleet.test_bad_networks import BUDGET, CONNECTIONS, TIMEOUT, nothing_is_stale
from tests.fleet.traffic import Traffic
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.one_loop


async def stand_still(server: RedisServer) -> None:
    """Let it answer nothing for a second (SIGSTOP)."""
    server.pause()
    await asyncio.sleep(1)
    server.resume()


async def lose_everything(server: RedisServer) -> None:
    """Kill it (SIGKILL), and start it empty, a moment later."""
    server.kill()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("what", [stand_still, lose_everything])
async def test_callers_are_served(redis_server: RedisServer, what: object) -> None:
    """Nobody is told of an error, waits for long, or is given what was never true; afterwards nothing old is left."""
    assert callable(what)
    url = f"{redis_server.url}?timeout={TIMEOUT}"
    async with Cache(url, namespace="shop") as one, Cache(url, namespace="shop") as other:
        traffic = Traffic(one, other)
        async with traffic.flowing():
            await traffic.pass_by(500)
            await what(redis_server)
        await traffic.recover()
        await eventually(lambda: nothing_is_stale(traffic))
        async with traffic.flowing():
            await traffic.pass_by(500)
        assert traffic.errors == []
        assert traffic.wrong == []
        assert max(traffic.longest.values()) < BUDGET
        await eventually(lambda: nothing_is_stale(traffic))
        await eventually(lambda: redis_server.count("connected_clients") <= 2 * CONNECTIONS + 1)  # and this question


async def test_what_is_forgotten_while_the_server_is_away(redis_server: RedisServer) -> None:
    """What one process deletes, invalidates and clears while the server stands still is gone everywhere afterwards."""
    url = f"{redis_server.url}?timeout={TIMEOUT}"
    async with Cache(url, namespace="shop") as one, Cache(url, namespace="shop") as other:
        outage = Outage(one, other)
        await outage.before()
        redis_server.pause()
        await outage.during()
        redis_server.resume()
        await outage.after()
