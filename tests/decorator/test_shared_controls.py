"""The controls of functions that share a `Cache`: each about its own, and awaited where they touch the cache."""

import pytest

from asynccache import (
    MISSING,
    Cache,
    CacheClosed,
    RecursiveLoad,
    async_cached,
    current_load,
)
from asynccache.testing import ManualClock
from tests.decorator.sharing import sources
from tests.flight.gates import Gate, callers, outcome, together, turns


async def test_controls() -> None:
    """Those that touch the cache are awaited, and take the arguments of a call."""
    cache = Cache()
    loaded, user, order = sources(cache)
    assert await user.cache_peek(1) is MISSING
    await user.cache_put("put", 1)
    assert await user.cache_peek(1) == await user(key=1) == "put"
    assert (await user.cache_contains(1), await order.cache_contains(1)) == (True, False)
    assert await user.cache_refresh(1) == await user(1) == "user 1"
    assert loaded == [("user", 1)]
    assert (await user.cache_invalidate(1), await user.cache_invalidate(1)) == (True, False)
    assert user.cache_key(1) == user.cache_key(key=1)
    with pytest.raises(TypeError, match="user"):
        await user.cache_contains(1, 2)


async def test_clearing_is_about_one_function() -> None:
    """Others keep what they have; what its loads bring afterwards is not stored."""
    cache = Cache()
    gate: Gate[str] = Gate()
    _, user, _ = sources(cache)

    @async_cached(cache=cache)
    async def load(key: int) -> str:
        return await gate.load(key)

    await user(1)
    await load.cache_put("put", 1)
    tasks = await callers(load, 1, 2)
    await load.cache_clear()
    gate.give("late")
    await together(*tasks)
    assert [await load.cache_contains(key) for key in (1, 2)] == [False, False]
    assert await user.cache_contains(1)


async def test_what_holds_against_a_load_under_way() -> None:
    """A value that is put, and an invalidation, are newer than what a load will bring."""
    cache = Cache()
    gate: Gate[str] = Gate()

    @async_cached(cache=cache)
    async def load(key: int) -> str:
        return await gate.load(key)

    tasks = await callers(load, 1, 1) + await callers(load, 1, 2)
    await load.cache_put("put", 1)
    assert await load.cache_invalidate(2)
    for number in range(2):
        gate.give("late", number)
    assert await together(*tasks) == ["late", "late"]
    assert (await load.cache_peek(1), await load.cache_peek(2)) == ("put", MISSING)


async def test_figures_are_each_functions_own() -> None:
    """Hits and misses are told for each function; the bound and the size are the cache's, as `cache_stats` is."""
    cache = Cache(maxsize=300)
    _, user, order = sources(cache)
    await together(user(1), user(1), user(2))
    await user(1)
    await order(1)
    assert user.cache_info() == (2, 2, 300, 3)
    assert order.cache_info() == (0, 1, 300, 3)
    stats = user.cache_stats()
    assert stats == order.cache_stats() == cache.stats()
    assert (stats.hits + stats.coalesced, stats.misses, stats.loads, stats.size) == (2, 3, 3, 3)


async def test_failed_calls_are_counted() -> None:
    """A load that fails is a miss; who waited for it with others, is not."""

    @async_cached(cache=Cache())
    async def load(key: int) -> str:
        raise OSError("down")

    for task in await callers(load, 3):
        assert isinstance(await outcome(task), OSError)
    assert load.cache_info() == (2, 1, 1024, 0)


async def test_tags_go_across_functions() -> None:
    """A tag is one tag, whoever's values carry it; a function of the result and the call may tell it."""
    cache = Cache()
    _, user, _ = sources(cache, tags=lambda _result, key: [f"customer {key}"])

    @async_cached(cache=cache)
    async def basket(key: int) -> str:
        current_load().tags = [f"customer {key}"]
        return "basket"

    await together(*(function(key) for function in (user, basket) for key in (1, 2)))
    await cache.set("note", "of 1", tags=["customer 1"])
    await cache.invalidate_tags("customer 1")
    assert [await user.cache_contains(key) for key in (1, 2)] == [False, True]
    assert [await basket.cache_contains(key) for key in (1, 2)] == [False, True]
    assert await cache.get("note") is None


async def test_figures_tell_plain_hits_from_loads() -> None:
    """A refresh is a miss when it was asked for, and nothing when a reader of an old value has started it."""
    clock = ManualClock()
    _, user, _ = sources(Cache(ttl=10, stale=10, clock=clock))
    await user.cache_refresh(1)
    assert user.cache_info()[:2] == (0, 1)
    clock.advance(15)
    await user(1)
    await turns()
    assert user.cache_info()[:2] == (1, 1)


async def test_calls_in_vain_are_no_hits() -> None:
    """Neither one that would wait for itself, nor one that comes after the end."""
    cache = Cache()

    @async_cached(cache=cache)
    async def load(key: int) -> int:
        return await load(key)

    with pytest.raises(RecursiveLoad):
        await load(1)
    assert load.cache_info()[:2] == (0, 1)
    await cache.aclose()
    with pytest.raises(CacheClosed):
        await load(2)
    assert load.cache_info()[:2] == (0, 1)
