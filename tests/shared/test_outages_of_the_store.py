"""The store is away: nobody notices but by the loads; and what was said meanwhile holds when it is back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from asynccache import async_cached
from asynccache.shared.outbox import MOST_OWED
from asynccache.stores.contract import SupportsFeed
from tests.shared.world import HeldSource, Process, Source, World, turns, within_reach

TIERS: Final[list[dict[str, Any]]] = [{}, {"maxsize": 0}, {"without": (SupportsFeed,)}, {"coalesce": "fleet"}]


async def _delete(process: Process) -> None:
    await process.cache.delete("key")


async def _delete_many(process: Process) -> None:
    await process.cache.delete_many(["beside", "key"])


async def _invalidate(process: Process) -> None:
    await process.cache.invalidate_tags("tag")


async def _clear(process: Process) -> None:
    await process.cache.clear()


async def _set(process: Process) -> None:
    await process.cache.set("key", "new")


SAYINGS: Final = (_delete, _delete_many, _invalidate, _clear, _set)


def go_down(process: Process, *, feed: bool = True) -> None:
    """Cut a process off from the store."""
    process.wire.down = True
    if feed:
        process.wire.lose_feed()


def come_back(process: Process) -> None:
    """Let a process reach the store again."""
    process.wire.down = False
    process.wire.restore_feed()


@pytest.mark.parametrize("tier", TIERS)
async def test_everything_works_without_the_store(world: World, tier: dict[str, Any]) -> None:
    """No call raises or waits because of the store, and what is loaded is right."""
    a = await world.process(**tier)
    go_down(a)
    cache = a.cache
    source = Source("value")
    assert await within_reach(cache.get_or_load("key", source)) == "value"
    assert await within_reach(cache.get_or_load_many(["a", "b"], source.many)) == {"a": "value a", "b": "value b"}
    assert await within_reach(cache.get("nothing", 1)) == 1
    assert await within_reach(cache.get_many(["nothing"])) == {}
    await within_reach(cache.set("set", 1))
    await within_reach(cache.set_many({"c": 1, "d": 2}))
    await within_reach(cache.delete("set"))
    await within_reach(cache.delete_many(["c"]))
    await within_reach(cache.invalidate_tags("tag"))
    await within_reach(cache.namespace("x").clear())
    await within_reach(cache.clear())
    assert not await within_reach(cache.touch("nothing", 5))
    assert not await within_reach(cache.contains("nothing"))
    assert await within_reach(cache.peek("nothing")) is None
    shared = cache.stats().shared
    assert shared is not None
    assert shared.errors > 0
    await turns()


async def test_functions_work_without_the_store(world: World) -> None:
    """Decorated functions and their controls neither raise nor wait because of the store."""
    a = await world.process()
    go_down(a)

    @async_cached(cache=a.cache)
    async def double(number: int) -> int:
        return 2 * number

    assert await within_reach(double(2)) == 4
    assert await within_reach(double.cache_refresh(2)) == 4
    await within_reach(double.cache_put(5, 2))
    assert await within_reach(double(2)) == 5
    await within_reach(double.cache_invalidate(2))
    await within_reach(double.cache_clear())
    assert await within_reach(double(2)) == 4


async def test_errors_of_loads_are_the_callers_own(world: World) -> None:
    """Without the store a load's own error is raised, and nothing about the store."""
    a = await world.process(errors={KeyError: 5})
    go_down(a)
    source = Source()
    for error in (OSError("mine"), KeyError("mine")):
        source.error = error
        with pytest.raises(type(error), match="mine"):
            await within_reach(a.cache.get_or_load("key", source))


@pytest.mark.parametrize("tier", TIERS)
async def test_without_the_store_there_is_one_load_in_each_process(world: World, tier: dict[str, Any]) -> None:
    """However many callers wait, each process loads once."""
    a, b = await world.pair(**tier)
    source = HeldSource("value")
    for process in (a, b):
        go_down(process)
    callers = [asyncio.create_task(p.cache.get_or_load("key", source)) for p in (a, b) for _ in range(50)]
    await turns()
    source.go_on.set()
    assert await within_reach(asyncio.gather(*callers)) == ["value"] * 100
    assert source.loads == 2


async def test_what_is_loaded_without_the_store_is_kept_for_a_second(world: World) -> None:
    """Without the store a load's value is kept in process, for a second at most."""
    a = await world.process()
    go_down(a)
    source = Source("value")
    await a.cache.get_or_load("key", source)
    world.clock.advance(0.9)
    assert await a.cache.get_or_load("key", source) == "value"
    assert source.loads == 1
    world.clock.advance(0.2)
    await a.cache.get_or_load("key", source)
    assert source.loads == 2


async def test_without_the_store_old_values_in_process_are_served(world: World) -> None:
    """What is kept in process helps against failing loads, store or no store."""
    a = await world.process(ttl=0.5, stale_if_error=50)
    go_down(a)
    source = Source("value")
    await a.cache.get_or_load("key", source)
    world.clock.advance(0.6)
    source.error = OSError()
    assert await within_reach(a.cache.get_or_load("key", source)) == "value"


async def test_a_set_without_the_store_is_seen_here_for_a_second(world: World) -> None:
    """What was set meanwhile is kept in this process, for a second at most."""
    a = await world.process()
    go_down(a)
    await a.cache.set("key", "new")
    assert await a.cache.get("key") == "new"
    world.clock.advance(1.1)
    assert await a.cache.get("key") is None


@pytest.mark.one_loop
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("say", SAYINGS)
@pytest.mark.parametrize("has_feed", [False, True])
async def test_what_was_said_without_the_store_holds_when_it_is_back(
    world: World, has_feed: bool, say: Callable[[Process], Awaitable[None]], tier: dict[str, Any]
) -> None:
    """Deletions, invalidations and sets hold here at once, and everywhere when the store is back."""
    a, b = await world.pair(**tier)
    await b.cache.set("key", "old", tags=["tag"])
    await turns()
    assert await a.cache.get("key") == "old"
    go_down(a, feed=has_feed)
    await within_reach(say(a))
    assert a.owed() > 0
    for _ in range(2):
        assert await a.cache.get("key") in {None, "new"}
        world.clock.advance(1.1)
        await turns()
    come_back(a)
    for _ in range(3):  # before anything is sent, and after
        assert await a.cache.get("key") is None
    await world.pass_time(11)
    assert a.owed() == 0
    assert await world.stored("key") is None
    for process in (a, b):
        assert await process.cache.get("key") is None
        assert process.kept() == {}


async def test_what_is_owed_is_sent_as_soon_as_the_feed_is_back(world: World) -> None:
    """When the feed says that the store is there, nobody waits for the end of a pause."""
    a, b = await world.pair()
    await b.cache.set("key", "old")
    go_down(a)
    await a.cache.delete("key")
    await world.pass_time(30)
    come_back(a)
    await turns()
    assert a.owed() == 0
    assert await b.cache.get("key") is None


async def test_a_store_that_is_away_is_not_asked_all_the_time(world: World) -> None:
    """What is owed is tried after pauses that grow."""
    a = await world.process()
    go_down(a)
    await a.cache.delete("key")
    tried = a.wire.calls["set_many"]
    await world.pass_time(60)
    assert 10 <= a.wire.calls["set_many"] - tried <= 25


async def test_a_lost_reply_is_sent_again(world: World) -> None:
    """A deletion whose reply was lost is owed, though it may have been done."""
    a, b = await world.pair()
    await b.cache.set("key", "old")
    a.wire.loses_replies = True
    await within_reach(a.cache.delete("key"))
    assert a.owed() == 1
    a.wire.loses_replies = False
    await world.pass_time(2)
    assert a.owed() == 0
    assert await b.cache.get("key") is None


async def test_a_value_set_later_is_not_deleted_by_what_is_owed(world: World) -> None:
    """What this process has set since then is not taken away by its own old deletion."""
    a, b = await world.pair()
    a.wire.down = True
    await a.cache.delete("key")
    a.wire.down = False
    await a.cache.set("key", "new")
    assert a.owed() == 0
    await world.pass_time(10)
    assert await a.cache.get("key") == "new"
    assert await b.cache.get("key") == "new"


async def test_a_deletion_whose_caller_has_gone_is_owed(world: World) -> None:
    """Who asks for a deletion and is cancelled has deleted all the same."""
    a, b = await world.pair()
    await b.cache.set_many({"key": "old", "other": "old"})
    await a.cache.invalidate_tags("tag")
    for saying in (a.cache.delete("key"), a.cache.delete_many(["other"])):
        a.wire.hold("set_many")
        task = asyncio.ensure_future(saying)
        await within_reach(a.wire.held("set_many"))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        a.wire.release()
    await world.pass_time(2)
    assert a.owed() == 0
    assert await b.cache.get_many(["key", "other"]) == {}


async def test_too_much_that_is_owed_becomes_one_thing(world: World) -> None:
    """More invalidations than can be remembered make the whole cache invalid: none is forgotten."""
    a, b = await world.pair()
    await b.cache.set_many(dict.fromkeys(range(0, MOST_OWED + 10, 1_000), "old"))
    go_down(a)
    for some in range(0, MOST_OWED + 10, 1_000):
        await a.cache.delete_many(range(some, min(some + 1_000, MOST_OWED + 10)))
    assert a.owed() <= 1_000
    come_back(a)
    await world.pass_time(3)
    assert a.owed() == 0
    assert await b.cache.get_many(range(0, MOST_OWED + 10, 1_000)) == {}
    assert await a.cache.get_many(range(0, MOST_OWED + 10, 1_000)) == {}
    await a.cache.set("key", "new")
    assert await b.cache.get("key") == "new"


async def test_the_store_goes_away_while_a_load_runs(world: World) -> None:
    """A load that began with the store and ends without gives its value to its callers, and is kept for a second."""
    a, b = await world.pair()
    source = HeldSource("value")
    task = asyncio.create_task(a.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    go_down(a)
    source.go_on.set()
    assert await within_reach(task) == "value"
    world.clock.advance(1.1)
    come_back(a)
    await turns()
    assert await b.cache.get("key") is None
    assert await a.cache.get_or_load("key", source) == "value"
    assert source.loads == 2


@pytest.mark.parametrize("tier", [{}, {"maxsize": 0}])
async def test_what_another_process_says_meanwhile_holds_when_the_store_is_back(
    world: World, tier: dict[str, Any]
) -> None:
    """A process that was cut off gives nothing that was replaced meanwhile, from the moment at which it is back."""
    a, b = await world.pair(**tier)
    for number in range(5):
        await b.cache.set(number, "old", tags=["tag"])
    assert len(await a.cache.get_many(range(5))) == 5
    go_down(a)
    await b.cache.set(0, "new")
    await b.cache.delete(1)
    await b.cache.invalidate_tags("tag")
    assert await b.cache.get(0) == "new"
    world.clock.advance(1.1)
    come_back(a)
    await turns()
    assert await a.cache.get_many(range(5)) == {0: "new"}


@pytest.mark.parametrize("tier", [{}, {"maxsize": 0}])
async def test_an_outage_beside_a_read(world: World, tier: dict[str, Any]) -> None:
    """A read whose reply was under way when the store was lost is not kept."""
    a, b = await world.pair(**tier)
    await b.cache.set("key", "old")
    await turns()
    a.wire.hold("after get_many")
    reading = asyncio.create_task(a.cache.get("key"))
    await within_reach(a.wire.held("after get_many"))
    go_down(a)
    a.wire.release()
    assert await within_reach(reading) is None
    await b.cache.set("key", "new")
    come_back(a)
    await turns()
    assert await a.cache.get("key") == "new"


async def test_an_outage_is_not_told_to_the_log_again_and_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is away fills no log, and nothing private gets there."""
    a = await world.process()
    go_down(a)
    with caplog.at_level(logging.DEBUG, "asynccache"):
        for number in range(50):
            await a.cache.get_or_load(f"private {number}", Source("secret"))
            await a.cache.delete(f"private {number}")
    assert len(caplog.records) <= 5
    assert "private" not in caplog.text
    assert "secret" not in caplog.text
