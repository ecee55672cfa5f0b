"""What a cache counts, and what closing it does."""

import asyncio
import contextlib
import functools
from typing import Any

import pytest

from asynccache import MISSING, CacheClosed, EvictionCause, LoadCancelled, async_cached
from asynccache.testing import ManualClock


@pytest.mark.one_loop
async def test_info_has_the_four_fields_of_functools() -> None:
    """`cache_info()` reads and compares as that of `functools.lru_cache` does."""

    @functools.lru_cache(maxsize=3)
    def model(x: int) -> int:
        return x

    @async_cached(maxsize=3)
    async def load(x: int) -> int:
        return x

    for x in (1, 2, 1, 3, 4, 1, 2, 2):
        model(x)
        await load(x)
        assert tuple(load.cache_info()) == tuple(model.cache_info())
    assert load.cache_info()._fields == model.cache_info()._fields


async def test_joining_a_load_is_a_hit_in_the_short_figures() -> None:
    """Callers who join a load are hits in `cache_info()`, and `coalesced` in `cache_stats()`."""
    gate = asyncio.Event()

    @async_cached
    async def load(x: int) -> int:
        await gate.wait()
        return x

    waiting = asyncio.gather(*(load(1) for _ in range(5)))
    await asyncio.sleep(0)
    assert load.cache_info() == (4, 1, 1024, 1)
    assert load.cache_parameters()["tasks"] == load.cache_stats().in_flight == 1
    gate.set()
    assert await waiting == [1] * 5
    await load(1)
    stats = load.cache_stats()
    assert (stats.hits, stats.misses, stats.coalesced, stats.loads) == (1, 1, 4, 1)
    assert (stats.failures, stats.abandoned, stats.in_flight, stats.size, stats.weight) == (0, 0, 0, 1, 1)
    assert load.cache_info() == (5, 1, 1024, 1)


@pytest.mark.one_loop
async def test_failures_are_counted_and_not_stored() -> None:
    """A load that fails is a miss and a failure; the next call loads again."""

    @async_cached
    async def load(x: int) -> int:
        raise LookupError(x)

    for _ in range(2):
        with pytest.raises(LookupError):
            await load(1)
    stats = load.cache_stats()
    assert (stats.misses, stats.loads, stats.failures, stats.size) == (2, 0, 2, 0)


@pytest.mark.one_loop
async def test_evictions_are_counted_by_cause() -> None:
    """`cache_stats().evictions` tells why entries have left."""
    clock = ManualClock()

    @async_cached(maxsize=2, ttl=10, clock=clock)
    async def load(x: int) -> int:
        return x

    for x in (1, 2, 3):
        await load(x)
    assert load.cache_stats().evictions == {EvictionCause.CAPACITY: 1}
    load.cache_invalidate(3)
    await load.cache_refresh(2)
    clock.advance(10)
    await load(2)
    assert load.cache_stats().evictions == dict.fromkeys(set(EvictionCause) - {EvictionCause.CLEARED}, 1)


@pytest.mark.one_loop
async def test_parameters_tell_the_options() -> None:
    """`cache_parameters()` has the bound and `typed` as they were given."""

    @async_cached(maxsize=None, typed=True)
    async def unbounded() -> None: ...

    @async_cached(max_weight=5, weigher=lambda key, value: 1)
    async def weighed() -> None: ...

    assert unbounded.cache_parameters() == {"typed": True, "maxsize": None, "tasks": 0, "closed": False}
    assert weighed.cache_parameters()["maxsize"] is None
    assert weighed.cache_info().maxsize is None


@pytest.mark.one_loop
async def test_closed_cache_takes_no_calls() -> None:
    """After `cache_close()` calls raise `CacheClosed`, which names the function; closing twice does nothing more."""

    @async_cached(name="prices")
    async def load(x: int) -> int:
        return x

    await load(1)
    await load.cache_close()
    await load.cache_close()
    assert load.cache_parameters()["closed"]
    assert load.cache_info().currsize == 0
    for call in (load(1), load(2), load.cache_refresh(1)):
        with pytest.raises(CacheClosed, match="prices"):
            await call
    assert not load.cache_contains(1)


@pytest.mark.one_loop
async def test_put_does_not_open_a_closed_cache() -> None:
    """What is put into a closed cache is not served: every call raises `CacheClosed`."""

    @async_cached
    async def load(x: int) -> int:
        return x

    await load.cache_close()
    with contextlib.suppress(CacheClosed):
        load.cache_put(1, 1)
    with pytest.raises(CacheClosed):
        await load(1)


@pytest.mark.parametrize(("wait", "outcome"), [(False, LoadCancelled), (True, int)])
async def test_closing_cancels_or_awaits_loads(wait: bool, outcome: type) -> None:
    """`cache_close()` cancels loads; with `wait=True` they end and serve those who wait. Either way nothing is left."""
    gate = asyncio.Event()
    ended: list[str] = []

    @async_cached
    async def load() -> int:
        try:
            await gate.wait()
        finally:
            ended.append("load")
        return 1

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(load.cache_close(wait=wait))
    await asyncio.sleep(0)
    if wait:
        assert ended == []
        gate.set()
    await closing
    assert ended == ["load"]
    assert [type(answer) for answer in await asyncio.gather(waiting, return_exceptions=True)] == [outcome]
    assert load.cache_parameters() == {"typed": False, "maxsize": 1024, "tasks": 0, "closed": True}
    assert load.cache_info().currsize == 0


async def test_lifespan_ends_what_runs_behind() -> None:
    """On leaving `cache_lifespan()` loads and sweeper have ended; values stay, and the function can be called on."""
    clock = ManualClock()
    gate = asyncio.Event()

    @async_cached(ttl=60, clock=clock, on_abandon="finish")
    async def load(x: int) -> int:
        if x:
            await gate.wait()
        return x

    async with load.cache_lifespan():
        await load(0)
        waiting = asyncio.ensure_future(load(1))
        await asyncio.sleep(0)
        assert load.cache_stats().sweeper_alive
    stats = load.cache_stats()
    assert (stats.in_flight, stats.sweeper_alive, stats.size) == (0, False, 1)
    with pytest.raises(LoadCancelled):
        await waiting
    assert await load(0) == 0
    assert load.cache_info().hits == 1


async def test_bound_and_unbounded() -> None:
    """`maxsize=None` keeps everything, `maxsize=0` nothing, though callers at the same moment share a load."""
    loads: list[int] = []

    async def load(x: int) -> int:
        loads.append(x)
        await asyncio.sleep(0)
        return x

    everything, nothing = async_cached(maxsize=None)(load), async_cached(maxsize=0)(load)
    for x in range(2_000):
        await everything(x)
    assert everything.cache_info() == (0, 2_000, None, 2_000)
    loads.clear()
    for _ in range(2):
        assert await asyncio.gather(*(nothing(1) for _ in range(3))) == [1] * 3
    assert loads == [1, 1]
    assert nothing.cache_info() == (4, 2, 0, 0)
    nothing.cache_put(1, 1)
    assert nothing.cache_peek(1) is MISSING


@pytest.mark.parametrize(("maxsize", "policy"), [(127, "LRUCache"), (128, "S3FIFOCache"), (None, "S3FIFOCache")])
def test_default_policy(maxsize: int | None, policy: str) -> None:
    """Small caches are exact LRU, from 128 entries on S3-FIFO decides; "lru" always is LRU."""
    from asynccache.core.policies import choose_policy

    assert choose_policy("auto", maxsize).__name__ == policy
    assert choose_policy("lru", maxsize).__name__ == "LRUCache"


@pytest.mark.one_loop
@pytest.mark.parametrize("policy", ["lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu", "gdsf"])
@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"idle": 60}, {"copy": "deep"}, {"typed": True}])
async def test_every_policy_with_every_kind_of_hit(policy: str, options: dict[str, Any]) -> None:
    """Whatever the policy and the options, the bound holds, and each call gives its own value."""

    @async_cached(maxsize=10, policy=policy, **options)
    async def load(x: int) -> int:
        return x

    for i in range(300):
        x = i * i % 23
        assert await load(x) == x
        assert load.cache_info().currsize <= 10
    info = load.cache_info()
    assert info.hits + info.misses == 300
    assert info.hits > 0
    load.cache_clear()
    assert load.cache_info() == (0, 0, 10, 0)
