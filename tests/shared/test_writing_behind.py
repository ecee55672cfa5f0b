"""`write="behind"`: callers do not wait for the store; what waits is sent in time, dropped in count, or overtaken."""

import asyncio
from typing import Any, Final

import pytest

from asynccache.shared.outbox import MOST_BEHIND
from asynccache.stats import SharedStats
from tests.shared.world import Process, Source, World, turns, within_reach

BEHIND: Final[dict[str, Any]] = {"write": "behind"}


def shared(process: Process) -> SharedStats:
    """What was counted of the store."""
    stats = process.cache.stats().shared
    assert stats is not None
    return stats


async def test_who_waits_for_a_load_does_not_wait_for_the_store(world: World) -> None:
    """A load's value is given before it is written, and written after that."""
    a = await world.process(**BEHIND)
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    assert await within_reach(a.cache.get_or_load("key", Source("value"))) == "value"
    assert shared(a).behind == 1
    assert await world.stored("key") is None
    await world.quiet()
    assert shared(a).behind == 0
    assert await b.cache.get("key") == "value"


async def test_what_waits_is_found_in_this_process(world: World) -> None:
    """A value that still has to be written is not loaded again in the process that has it, tier or no tier."""
    a = await world.process(**BEHIND, maxsize=0)
    await a.cache.clear()
    a.wire.hold("add")
    source = Source("value")
    for _ in range(3):
        assert await within_reach(a.cache.get_or_load("key", source)) == "value"
    assert await a.cache.get_many(["key"]) == {"key": "value"}
    assert source.loads == 1


async def test_a_deletion_beats_what_waits(world: World) -> None:
    """What is deleted before it was written is never written."""
    a = await world.process(**BEHIND)
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("value"))
    await a.cache.delete("key")
    assert await a.cache.get("key") is None
    await world.quiet()
    await world.pass_time(3)
    assert await world.stored("key") is None
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None


async def test_a_set_beats_what_waits(world: World) -> None:
    """What is set before a load's value was written stays."""
    a = await world.process(**BEHIND)
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("old"))
    await a.cache.set("key", "new")
    await world.quiet()
    await world.pass_time(3)
    assert await world.stored("key") == "new"
    assert await a.cache.get("key") == "new"


async def test_a_set_is_never_behind(world: World) -> None:
    """When `set` has returned the value is in the store."""
    a = await world.process(**BEHIND)
    await a.cache.set("key", "value")
    assert await world.stored("key") == "value"


async def test_an_invalidated_tag_beats_what_waits(world: World) -> None:
    """What carries a tag that was invalidated before it was written is given to nobody."""
    a = await world.process(**BEHIND)
    await a.cache.clear()
    await a.cache.invalidate_tags("tag")
    world.clock.advance(1)
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("value"), tags=["tag"])
    await a.cache.invalidate_tags("tag")
    assert await a.cache.get("key") is None
    await world.quiet()
    assert await a.cache.get("key") is None
    assert await world.stored("key") is None


async def test_what_waits_for_too_long_is_refused_by_the_store(world: World) -> None:
    """What another process has set or deleted meanwhile is not overwritten."""
    a = await world.process(**BEHIND)
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load_many(["set", "deleted"], Source("old").many)
    await b.cache.set("set", "new")
    await b.cache.delete("deleted")
    await world.quiet()
    assert await world.stored("set") == "new"
    assert await world.stored("deleted") is None
    assert await a.cache.get_many(["set", "deleted"]) == {"set": "new"}


@pytest.mark.one_loop
async def test_what_waits_is_written_when_the_store_is_back(world: World) -> None:
    """Values that could not be written are written later, and nobody loads them again."""
    a = await world.process(**BEHIND)
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    source = Source("value")
    await a.cache.get_or_load_many(range(5), source.many)
    a.wire.down = True
    a.wire.release()
    await world.pass_time(5)
    assert shared(a).behind == 5
    a.wire.down = False
    await world.pass_time(6)
    assert shared(a).behind == 0
    assert len(await b.cache.get_many(range(5))) == 5
    assert source.loads == 1


async def test_more_than_can_wait_is_dropped_and_counted(world: World) -> None:
    """Beyond what is remembered new values are not written, and counted."""
    a = await world.process(**BEHIND, maxsize=None)
    await a.cache.clear()
    a.wire.hold("add")
    for some in range(0, MOST_BEHIND, 1_000):
        await a.cache.get_or_load_many(range(some, some + 1_000), Source("value").many)
    assert (shared(a).behind, shared(a).dropped) == (MOST_BEHIND, 0)
    await a.cache.get_or_load_many(["one", "two"], Source("value").many)
    assert (shared(a).behind, shared(a).dropped) == (MOST_BEHIND, 2)


async def test_closing_writes_what_waits(world: World) -> None:
    """When a cache has been closed, what was behind is in the store."""
    a = await world.process(**BEHIND)
    await a.cache.clear()
    source = Source("value")
    await a.cache.get_or_load_many(range(600), source.many)
    await a.cache.aclose()
    b = await world.process()
    assert len(await b.cache.get_many(range(600))) == 600


@pytest.mark.one_loop
async def test_closing_without_the_store_counts_what_is_dropped(world: World) -> None:
    """A cache that is closed while the store is away does not wait for it."""
    a = await world.process(**BEHIND)
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load_many(range(5), Source("value").many)
    a.wire.down = True
    a.wire.release()
    await within_reach(a.cache.aclose())
    await turns()
    assert (shared(a).behind, shared(a).dropped) == (0, 5)


async def test_loads_at_once_are_all_written(world: World) -> None:
    """Many loads side by side are written without one waiting for another."""
    a = await world.process(**BEHIND)
    await a.cache.clear()
    await asyncio.gather(*[a.cache.get_or_load(number, Source(number)) for number in range(300)])
    await turns(100)
    assert [await world.stored(number) for number in (0, 150, 299)] == [0, 150, 299]
