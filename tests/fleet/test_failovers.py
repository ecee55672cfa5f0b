"""A server of several is killed under two caches: another takes its place, or its keys are misses; nobody is failed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asynccache import Cache
from tests.fleet.outages import Outage
from tests.fleet.patience import eventually
from tests.fleet.test_bad_networks import BUDGET, TIMEOUT, nothing_is_stale
from tests.fleet.traffic import Traffic
from tests.servers.hazelcast import HazelcastMembers
from tests.servers.memcached import MemcachedNodes
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinel

pytestmark = pytest.mark.one_loop


async def survive(url: str, kill: Callable[[], Awaitable[object]], *, has_feed: bool = True, timeout: float) -> None:
    """Let callers call while something is killed, and forget things meanwhile."""
    url = f"{url}?timeout={timeout}"
    async with (
        Cache(url, namespace="shop") as one, Cache(url, namespace="shop") as other,
        Cache(url, namespace="else") as third, Cache(url, namespace="else") as fourth,
    ):  # fmt: skip
        traffic, outage = Traffic(one, other), Outage(third, fourth, has_feed=has_feed)
        await outage.before()
        async with traffic.flowing():
            await traffic.pass_by(500)
            killing = asyncio.ensure_future(kill())
            await asyncio.sleep(0.2)
            await outage.during()
            await killing
            await traffic.pass_by(500)
            await outage.after()
            await traffic.recover(has_feed=has_feed)
            await traffic.pass_by(500)
        await traffic.recover(has_feed=has_feed)
        assert traffic.errors == []
        assert traffic.wrong == []
        assert max(traffic.longest.values()) < BUDGET - 10 * TIMEOUT + 10 * timeout
        await eventually(lambda: nothing_is_stale(traffic))


async def test_sentinels_choose_another_primary(redis_sentinel: RedisSentinel) -> None:
    """The primary is killed, and the replica takes its place: nobody is failed, and nothing old is left."""

    async def kill() -> None:
        former = redis_sentinel.primary
        former.kill()
        await asyncio.to_thread(redis_sentinel.wait_for_another, former)

    await survive(redis_sentinel.url, kill, timeout=TIMEOUT)


async def test_a_primary_of_a_cluster_is_killed(redis_cluster: RedisCluster) -> None:
    """One of three primaries is killed, and its replica takes its place: nobody is failed, and nothing old is left."""

    async def kill() -> None:
        redis_cluster.nodes[0].kill()
        await asyncio.to_thread(redis_cluster.wait_until_whole)

    await survive(redis_cluster.url, kill, timeout=TIMEOUT)


async def test_a_node_of_memcached_is_killed(memcached_nodes: MemcachedNodes) -> None:
    """One of three nodes is killed and comes back empty: its keys are misses, and nothing old is left."""

    async def kill() -> None:
        node = memcached_nodes.nodes[0]
        node.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(node.start)

    await survive(memcached_nodes.url, kill, has_feed=False, timeout=TIMEOUT)


async def test_a_member_of_hazelcast_is_killed(hazelcast_pair: HazelcastMembers) -> None:
    """One of two members is killed: the other one has all values, nobody is failed, and nothing old is left."""
    values = {f"value {number}": number for number in range(200)}

    async def kill() -> None:
        hazelcast_pair.members[0].kill()
        await asyncio.sleep(1)

    async with Cache(f"{hazelcast_pair.url}?timeout=5", namespace="backed-up", maxsize=0) as cache:
        await cache.set_many(values)
        await survive(hazelcast_pair.url, kill, timeout=0.5)
        assert await cache.get_many(values) == values
