"""What was wrong once: news, late writes and fleets in rare orders."""

import asyncio
from typing import Any

import pytest

from tests.shared.test_one_load_for_the_fleet import call, fleet
from tests.shared.test_writing_behind import shared
from tests.shared.world import HeldSource, Source, World, turns, within_reach


async def test_what_waits_to_be_written_goes_when_news_of_its_key_arrives(world: World) -> None:
    """A value that waits to be written is given to nobody once another process has deleted its key, and said so."""
    a = await world.process(write="behind")
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("old"))
    await b.cache.delete("key")
    await turns()
    assert await a.cache.get("key") is None


async def test_what_waits_to_be_written_does_not_outlive_a_tombstone(world: World) -> None:
    """A value that could not be written for longer than a deletion is remembered is not written any more."""
    a = await world.process(write="behind")
    b = await world.process()
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("old"))
    a.wire.down = True
    a.wire.lose_feed()
    a.wire.release()
    await b.cache.delete("key")
    await world.pass_time(65)
    a.wire.down = False
    a.wire.restore_feed()
    await world.pass_time(5)
    assert await b.cache.get("key") is None
    assert await world.stored("key") is None


async def test_the_last_of_several_loads_is_written_behind(world: World) -> None:
    """What is loaded twice before it is written is written as it was loaded last."""
    a = await world.process(write="behind")
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load("key", Source("first"))
    with a.cache.refreshing():
        await a.cache.get_or_load("key", Source("second"))
    await world.quiet()
    await world.pass_time(1)
    assert await world.stored("key") == "second"
    assert await a.cache.get("key") == "second"


async def test_a_deletion_while_one_leads_is_the_newer(world: World) -> None:
    """After a deletion the waiting processes do not take over the value whose load began before."""
    a, b, c = await fleet(world, 3)
    await c.cache.clear()
    first, source = HeldSource("old"), Source("new")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await turns()
    await c.cache.delete("key")
    await turns()
    first.go_on.set()
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*leading)) == ["old"] * 5
    assert await within_reach(asyncio.gather(*waiting)) == ["new"] * 5
    assert await world.stored("key") == "new"


@pytest.mark.parametrize("tier", [{}, {"maxsize": 0}])
async def test_one_refresh_behind_for_processes_without_the_value(world: World, tier: dict[str, Any]) -> None:
    """Processes that have served the old value of the store take over the value that one of them loads."""
    (first,) = await fleet(world, 1, ttl=10, stale=60, **tier)
    source = HeldSource("old")
    source.go_on.set()
    await first.cache.get_or_load("key", source)
    world.clock.advance(11)
    processes = await fleet(world, 3, ttl=10, stale=60, **tier)
    source.go_on.clear()
    source.truth, source.loads = "new", 0
    tasks = [task for process in processes for task in call(process, source)]
    await turns()
    assert [task.result() for task in tasks] == ["old"] * 15
    source.go_on.set()
    await world.pass_time(2)
    for process in processes:
        assert await within_reach(process.cache.get_or_load("key", source)) == "new"
    assert source.loads == 1


async def test_what_waits_is_written_when_the_store_is_back_on_eager_loops(world: World) -> None:
    """Values that could not be written are written later, and nobody loads them again."""
    a = await world.process(write="behind")
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


async def test_closing_without_the_store_counts_what_is_dropped_on_eager_loops(world: World) -> None:
    """A cache that is closed while the store is away does not wait for it."""
    a = await world.process(write="behind")
    await a.cache.clear()
    a.wire.hold("add")
    await a.cache.get_or_load_many(range(5), Source("value").many)
    a.wire.down = True
    a.wire.release()
    await within_reach(a.cache.aclose())
    await turns()
    assert (shared(a).behind, shared(a).dropped) == (0, 5)
