"""What tags leave in memory: nothing that nobody needs."""

import asyncio
import gc

import pytest

from asynccache import EvictionCause, async_cached
from asynccache.core.generations import Tag
from asynccache.testing import ManualClock
from tests.flight.gates import callers, together, turns
from tests.freshness.aging import Scene
from tests.freshness.tagging import TAGGINGS, fill, stored


def tags_in_memory() -> set[object]:
    """The names of all tags that anything holds."""
    gc.collect()
    return {thing.name for thing in gc.get_objects() if isinstance(thing, Tag)}


@pytest.mark.one_loop
@pytest.mark.parametrize("loading", [False, True])
async def test_tags_that_nobody_carries_are_forgotten(loading: bool) -> None:
    """After 100,000 invalidations of different tags there is nothing left of them, at the latest when loads end."""
    before = tags_in_memory()
    scene = Scene(tags=("carried",))
    await scene.fill(key=2)
    waiting = await callers(scene.load, int(loading))
    for number in range(100_000):
        scene.load.cache_invalidate_tags(f"user {number}")
    if loading:
        await scene.end("value")
        await together(*waiting)
        assert scene.load.cache_peek(1) == "value"
    assert tags_in_memory() - before == {"carried"}
    assert scene.load.cache_peek(2) == "old"
    scene.load.cache_clear()
    assert tags_in_memory() == before


async def test_what_tags_have_ended_leaves_memory() -> None:
    """The sweeper takes away what nobody can get any more, as removed explicitly, and leaves the rest."""
    clock = ManualClock()
    heard: list[tuple[object, EvictionCause]] = []

    @async_cached(
        tags=TAGGINGS["of the result"], clock=clock, on_evict=lambda _key, value, cause: heard.append((value, cause))
    )
    async def load(key: int) -> int:
        return key

    await fill(load)
    load.cache_invalidate_tags("rest 0")
    assert load.cache_info().currsize == 9
    for _ in range(5):
        clock.advance(1)
        await turns()
    assert sorted(heard) == [(value, EvictionCause.EXPLICIT) for value in (0, 3, 6)]
    assert load.cache_info().currsize == 6
    assert stored(load) == [1, 2, 4, 5, 7, 8]
    assert load.cache_stats().evictions == {EvictionCause.EXPLICIT: 3}


@pytest.mark.parametrize("how", ["loaded anew", "put", "invalidated", "full"])
async def test_why_something_leaves_that_a_tag_has_ended(how: str) -> None:
    """Whatever takes it out of memory in the end, it left because its tag was invalidated."""
    causes: list[EvictionCause] = []
    calls = 0

    @async_cached(tags=("all",), maxsize=1, on_evict=lambda _key, _value, cause: causes.append(cause))
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    await load(1)
    load.cache_invalidate_tags("all")
    if how == "put":
        load.cache_put(7, 1)
    elif how == "invalidated":
        assert not load.cache_invalidate(1)
    else:
        await load(1 if how == "loaded anew" else 2)
    assert causes == [EvictionCause.EXPLICIT]


async def test_what_another_thread_has_ended_leaves_memory_too() -> None:
    """An invalidation where no loop runs is seen to on the next loop that stores something, be it without a ttl."""
    clock = ManualClock()

    @async_cached(tags=TAGGINGS["of the result"], clock=clock, maxsize=None)
    async def load(key: int) -> int:
        return key

    await fill(load)
    await asyncio.to_thread(load.cache_invalidate_tags, "rest 0")
    for key in (10, 11):
        await load(key)
        clock.advance(5)
        await turns()
    assert load.cache_info().currsize == 8
    assert load.cache_stats().evictions == {EvictionCause.EXPLICIT: 3}
