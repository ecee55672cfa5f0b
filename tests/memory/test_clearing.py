"""Clearing a large cache: forgotten at once, and given back without a stall."""

import asyncio
import weakref
from typing import Final

import pytest

from asynccache import Cache, EvictionCause, async_cached

MANY: Final = 20_000


class Value:
    """Something that can be referred to weakly."""


async def filled() -> tuple[Cache, "weakref.WeakSet[Value]"]:
    """Give a large cache, and what is left of its values."""
    cache = Cache(maxsize=None)
    left: weakref.WeakSet[Value] = weakref.WeakSet()
    for key in range(MANY):
        value = Value()
        left.add(value)
        await cache.set(key, value)
    return cache, left


async def test_many_entries_are_given_back_little_by_little() -> None:
    """All are forgotten as soon as it is said, and leave memory in the turns of the loop after that."""
    cache, left = await filled()
    await cache.clear()
    assert cache.stats().size == 0
    assert await cache.get(1) is None
    assert len(left) == MANY
    for _ in range(MANY):
        if not left:
            break
        await asyncio.sleep(0)
    assert len(left) == 0
    assert cache.stats().evictions == {EvictionCause.CLEARED: MANY}
    await cache.aclose()


async def test_what_is_stored_meanwhile_stays() -> None:
    """New entries come in beside the old ones that are on their way out."""
    cache, left = await filled()
    await cache.clear()
    await cache.set(1, "new")
    for _ in range(MANY):
        if not left:
            break
        await asyncio.sleep(0)
    assert cache.items() == [(1, "new")]
    await cache.aclose()


def test_without_a_loop_they_are_given_back_at_once() -> None:
    """Where nothing can be done later, it is done now."""
    left: weakref.WeakSet[Value] = weakref.WeakSet()

    @async_cached(maxsize=None)
    async def load(_key: int) -> Value:
        value = Value()
        left.add(value)
        return value

    async def fill() -> None:
        for key in range(MANY):
            await load(key)

    asyncio.run(fill())
    assert len(left) == MANY
    load.cache_clear()
    assert len(left) == 0


@pytest.mark.one_loop
async def test_listeners_hear_of_each() -> None:
    """Who listens is told of every entry, however many there are."""
    heard: list[EvictionCause] = []
    cache = Cache(maxsize=None, on_evict=lambda _key, _value, cause: heard.append(cause))
    for key in range(MANY):
        await cache.set(key, key)
    await cache.clear()
    assert heard == [EvictionCause.CLEARED] * MANY
    await cache.aclose()
