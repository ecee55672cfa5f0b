"""Old values, failures and refreshes where two processes share a store: who is given what, and who loads."""

import asyncio
from typing import Any

import pytest

from asynccache import current_load
from asynccache.stores.contract import SupportsFeed
from tests.shared.world import HeldSource, Process, Source, World, turns, within_reach

TIERS = [{}, {"maxsize": 0}, {"without": (SupportsFeed,)}]
"""With a tier in process, without one, and with one that nobody tells of changes."""


async def ask(process: Process, source: Source, **options: Any) -> Any:
    """Read a key, and let what runs behind come to its end."""
    value = await within_reach(process.cache.get_or_load("key", source, **options))
    await turns()
    return value


@pytest.mark.parametrize("tier", TIERS)
async def test_an_old_value_is_served_while_one_refresh_runs_behind(world: World, tier: dict[str, Any]) -> None:
    """Within `stale` both are given the old value at once, and the new one after the refresh."""
    a, b = await world.pair(ttl=10, stale=30, **tier)
    source = HeldSource("old")
    source.go_on.set()
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    world.clock.advance(11)
    source.truth = "new"
    source.go_on.clear()
    assert [await ask(a, source) for _ in range(3)] == ["old"] * 3
    assert source.loads == 2
    source.go_on.set()
    await turns()
    assert await ask(a, source) == "new"
    world.clock.advance(1.1)
    await ask(b, source)
    assert await ask(b, source) == "new"
    assert await world.stored("key") == "new"


@pytest.mark.parametrize("tier", TIERS)
async def test_the_refresh_of_one_is_taken_over_by_the_other(world: World, tier: dict[str, Any]) -> None:
    """What one process has refreshed the other finds, and does not load itself."""
    a, b = await world.pair(ttl=10, stale=30, **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    world.clock.advance(11)
    source.truth = "new"
    assert await ask(a, source) == "old"
    assert await ask(a, source) == "new"
    assert source.loads == 2
    await ask(b, source)  # may be old once: where nobody tells, the store is asked behind
    assert await ask(b, source) == "new"
    assert source.loads == 2


async def test_a_process_that_has_just_started_serves_the_old_value_of_the_store(world: World) -> None:
    """An old value lies in the store for as long as it may be served, for a process that has never seen it too."""
    a = await world.process(ttl=10, stale=30)
    source = HeldSource("old")
    source.go_on.set()
    assert await ask(a, source) == "old"
    world.clock.advance(39)
    b = await world.process(ttl=10, stale=30)
    source.truth = "new"
    source.go_on.clear()
    assert await ask(b, source) == "old"
    assert await ask(b, source) == "old"
    assert source.loads == 2
    source.go_on.set()
    await turns()
    assert await ask(b, source) == "new"
    assert b.cache.stats().stale == 2


async def test_after_its_last_term_an_old_value_is_gone(world: World) -> None:
    """Beyond `stale` everybody waits for the new value."""
    a, b = await world.pair(ttl=10, stale=30)
    source = Source("old")
    assert await ask(a, source) == "old"
    world.clock.advance(40)
    source.truth = "new"
    assert await ask(b, source) == "new"
    assert await ask(a, source) == "new"
    assert source.loads == 2


@pytest.mark.parametrize("tier", TIERS)
async def test_an_old_value_helps_where_the_load_fails(world: World, tier: dict[str, Any]) -> None:
    """Within `stale_if_error` whoever has to load and cannot is given the old value, of whatever process."""
    a, b = await world.pair(ttl=10, stale_if_error=30, **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    world.clock.advance(11)
    source.error = OSError("down")
    assert await ask(b, source) == "old"
    assert await ask(a, source) == "old"
    source.error, source.truth = None, "new"
    world.clock.advance(2)
    assert await ask(b, source) == "new"
    assert await ask(a, source) == "new"


@pytest.mark.parametrize("tier", TIERS)
async def test_an_old_value_helps_no_longer_than_was_said(world: World, tier: dict[str, Any]) -> None:
    """After `stale_if_error` the failure is everybody's."""
    a, b = await world.pair(ttl=10, stale_if_error=30, **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    source.error = OSError("down")
    world.clock.advance(41)
    for process in (a, b):
        with pytest.raises(OSError, match="down"):
            await ask(process, source)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_deleted_value_helps_nobody(world: World, tier: dict[str, Any]) -> None:
    """What was deleted is served neither as stale nor in place of a failure."""
    a, b = await world.pair(ttl=10, stale=30, stale_if_error=30, **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    world.clock.advance(11)
    await a.cache.delete("key")
    await turns()
    world.clock.advance(1.1)
    source.error = OSError("down")
    for process in (a, b):
        with pytest.raises(OSError, match="down"):
            await ask(process, source)


@pytest.mark.parametrize("tier", TIERS)
async def test_an_invalidated_tag_takes_old_values_with_it(world: World, tier: dict[str, Any]) -> None:
    """What carries an invalidated tag is served neither as stale nor in place of a failure."""
    a, b = await world.pair(ttl=10, stale=30, stale_if_error=30, tags=["tag"], **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    world.clock.advance(11)
    await a.cache.invalidate_tags("tag")
    await turns()
    world.clock.advance(1.1)
    source.error = OSError("down")
    for process in (a, b):
        with pytest.raises(OSError, match="down"):
            await ask(process, source)


@pytest.mark.parametrize("tier", TIERS)
async def test_a_value_is_refreshed_ahead_of_its_end(world: World, tier: dict[str, Any]) -> None:
    """After the share of its ttl a value is still served, and refreshed by one of those who read it."""
    a, b = await world.pair(ttl=10, refresh_ahead=0.5, **tier)
    source = Source("old")
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    world.clock.advance(4)
    assert await ask(b, source) == "old"
    assert source.loads == 1
    world.clock.advance(2)
    source.truth = "new"
    assert await ask(b, source) == "old"
    assert await ask(b, source) == "new"
    assert await ask(a, source) in {"old", "new"}
    assert await ask(a, source) == "new"
    assert source.loads == 2


async def test_early_refreshes_count_the_load_of_another_process(world: World) -> None:
    """How long the load took is known to those who only read the value: they refresh early all the same."""
    a, b = await world.pair(ttl=100, early=1e12)
    source = Source("old")

    async def slowly() -> str:
        world.clock.advance(1)
        return str(await source())

    assert await a.cache.get_or_load("key", slowly) == "old"
    await turns()
    source.truth = "new"
    assert await ask(b, source) == "old"  # so eager that chance has no say
    assert await ask(b, source) == "new"
    assert source.loads == 2


@pytest.mark.parametrize("tier", TIERS[:2])
async def test_who_cannot_wait_is_given_the_old_value_of_the_store(world: World, tier: dict[str, Any]) -> None:
    """After `soft_timeout` an old value that another process has left is served, and the load goes on."""
    a, b = await world.pair(ttl=10, stale_if_error=30, soft_timeout=1, **tier)
    source = HeldSource("old")
    source.go_on.set()
    assert await ask(a, source) == "old"
    world.clock.advance(11)
    source.truth = "new"
    source.go_on.clear()
    source.begun.clear()
    waiting = asyncio.create_task(b.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    await turns()
    assert not waiting.done()
    world.clock.advance(1.1)
    assert await within_reach(waiting) == "old"
    source.go_on.set()
    await turns()
    assert await ask(a, source) == "new"
    assert source.loads == 2


async def test_a_load_that_takes_too_long_is_given_up(world: World) -> None:
    """After `timeout` the load ends, and the old value of the store is served."""
    a, b = await world.pair(ttl=10, stale_if_error=30, timeout=5)
    source = HeldSource("old")
    source.go_on.set()
    assert await ask(a, source) == "old"
    world.clock.advance(11)
    source.go_on.clear()
    source.begun.clear()
    waiting = asyncio.create_task(b.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    world.clock.advance(5.1)
    assert await within_reach(waiting) == "old"
    assert b.cache.stats().timeouts == 1


async def test_a_refresh_that_fails_leaves_the_old_value_in_the_store(world: World) -> None:
    """A failure behind costs nobody the value that is still served."""
    a, b = await world.pair(ttl=10, stale=30)
    source = Source("old")
    assert await ask(a, source) == "old"
    world.clock.advance(11)
    source.error = OSError("down")
    assert await ask(a, source) == "old"
    assert await ask(b, source) == "old"
    c = await world.process(ttl=10, stale=30)
    assert await ask(c, source) == "old"
    assert source.loads == 4


async def test_get_gives_no_old_values(world: World) -> None:
    """`get`, `get_many` and `contains` are about fresh values, wherever the old one lies."""
    a, b = await world.pair(ttl=10, stale=30, stale_if_error=30)
    await a.cache.set("key", "old")
    assert await b.cache.get("key") == "old"
    world.clock.advance(11)
    for process in (a, b, await world.process(ttl=10, stale=30)):
        assert await process.cache.get("key") is None
        assert await process.cache.get_many(["key"]) == {}
        assert not await process.cache.contains("key")
        assert not await process.cache.touch("key", 10)


async def test_a_set_replaces_an_old_value_for_all(world: World) -> None:
    """Who reads after a set is given what was set, though a refresh was under way, which then stores nothing."""
    a, b = await world.pair(ttl=10, stale=30)
    source = HeldSource("old")
    source.go_on.set()
    await ask(a, source)
    await ask(b, source)
    world.clock.advance(11)
    source.truth = "late"
    source.go_on.clear()
    assert await ask(a, source) == "old"
    await b.cache.set("key", "set")
    await turns()
    source.go_on.set()
    await turns()
    assert await ask(a, source) == "set"
    assert await ask(b, source) == "set"
    assert await world.stored("key") == "set"


async def test_a_renewed_value_is_renewed_for_all(world: World) -> None:
    """A load that says that nothing has changed gives the old value a new term in all processes."""
    a, b = await world.pair(ttl=10, stale=30)
    source = Source("old")
    await ask(a, source)
    await ask(b, source)
    world.clock.advance(11)

    async def unchanged() -> Any:
        source.loads += 1
        return current_load().not_modified()

    assert await b.cache.get_or_load("key", unchanged) == "old"
    await turns()
    for process in (a, b):
        assert await process.cache.get_or_load("key", unchanged) == "old"
        await turns()
    assert await a.cache.get("key") == "old"
    assert source.loads == 2


async def test_jitter_is_drawn_once_for_all(world: World) -> None:
    """With `jitter` a value lasts as long in each process: the chance is drawn when it is stored."""
    a, b = await world.pair(ttl=10, jitter=10)
    for number in range(30):
        await a.cache.set(number, "value")
    for _ in range(21):
        lasting = await b.cache.get_many(range(30))
        assert lasting == {number: "value" for number in range(30) if await world.stored(number) == "value"}
        assert lasting == await a.cache.get_many(range(30))
        world.clock.advance(1)
    assert lasting == {}


async def test_an_old_value_of_a_store_that_answers_at_once_is_served() -> None:
    """An old value is served at once, also if the store answers before the caller has begun to wait."""
    source = HeldSource("old")
    source.go_on.set()
    async with World(is_near=True, ttl=10, stale=30) as world:
        a, b = await world.pair()
        await a.cache.get_or_load("key", source)
        world.clock.advance(11)
        source.go_on.clear()
        try:
            assert await within_reach(b.cache.get_or_load("key", source)) == "old"
        finally:
            source.go_on.set()
            await turns()
