"""Replies and news come by different ways: in whatever order they arrive, nothing old is kept.

A read is held back after the store has answered; another process writes; the news comes before the reply, or after it,
or the feed is lost in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import pytest

from tests.shared.world import Process, Source, World, turns, within_reach


async def _get(process: Process) -> object:
    return await process.cache.get("key")


async def _get_many(process: Process) -> object:
    return (await process.cache.get_many(["beside", "key"])).get("key")


async def _get_or_load(process: Process) -> object:
    return await process.cache.get_or_load("key", Source("new"), tags=["tag"])


async def _get_or_load_many(process: Process) -> object:
    async def load_many(keys: list[str]) -> dict[str, str]:
        return dict.fromkeys(keys, "new")

    return (await process.cache.get_or_load_many(["key"], load_many, tags=["tag"]))["key"]


async def _peek(process: Process) -> object:
    return await process.cache.peek("key")


READS: Final = (_get, _get_many, _get_or_load, _get_or_load_many, _peek)


async def _set(process: Process) -> None:
    await process.cache.set("key", "new")


async def _delete(process: Process) -> None:
    await process.cache.delete("key")


async def _invalidate(process: Process) -> None:
    await process.cache.invalidate_tags("tag")


async def _clear(process: Process) -> None:
    await process.cache.clear()


async def _twice(process: Process) -> None:
    await process.cache.delete("key")
    await process.cache.set("key", "new")


WRITES: Final = (_set, _delete, _invalidate, _clear, _twice)

Read = Callable[[Process], Coroutine[Any, Any, object]]
Write = Callable[[Process], Awaitable[None]]

TIERS: Final[dict[str, dict[str, Any]]] = {
    "two tiers": {},
    "the store alone": {"maxsize": 0},
    "the store alone, fleet": {"maxsize": 0, "coalesce": "fleet"},
    "fleet": {"coalesce": "fleet"},
}


def _reply_first(reader: Process) -> None:
    reader.wire.release("after get_many")


def _news_first(reader: Process) -> None:
    reader.wire.release("feed")


@pytest.mark.one_loop
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("first", [_reply_first, _news_first])
async def test_whatever_comes_first_nothing_old_is_kept(
    world: World, first: Callable[[Process], None], tier: str, write: Write, read: Read
) -> None:
    """A reply that was under way when another process wrote is not kept, whether the news was faster or slower."""
    writer, reader = await world.pair(**TIERS[tier])
    await writer.cache.set("key", "old", tags=["tag"])
    await turns()
    reader.wire.hold("after get_many", "feed")
    reading = asyncio.create_task(read(reader))
    await within_reach(reader.wire.held("after get_many"))
    await write(writer)
    await turns()
    first(reader)
    await turns()
    await world.quiet()
    assert await within_reach(reading) in {"old", "new", None}
    for _ in range(2):
        assert await reader.cache.get("key") in {"new", None}
        assert reader.kept().get("key") in {"new", None}
        assert await _get_or_load(reader) == "new"


@pytest.mark.one_loop
@pytest.mark.parametrize("write", [_invalidate, _clear])
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("read", READS)
async def test_an_old_record_is_not_learned(world: World, read: Read, tier: str, write: Write) -> None:
    """News of a tag or a clear that overtakes the reply with the record makes the reply worthless for later reads."""
    writer, reader = await world.pair(**TIERS[tier])
    reader.wire.hold("listen")
    await reader.cache.get_or_load("beside", Source(1))  # and listens from then on, if it is of any use to it
    await world.quiet()
    await writer.cache.clear()  # so that the reader has to read the record again
    await writer.cache.set("key", "old", tags=["tag"])
    await writer.cache.set("other", "old", tags=["tag"])
    await turns()
    reader.wire.hold("after get_many")
    reading = asyncio.create_task(read(reader))
    await within_reach(reader.wire.held("after get_many"))
    await write(writer)
    await turns()
    await world.quiet()
    await within_reach(reading)
    assert await reader.cache.get("other") is None
    assert await reader.cache.get("other") is None
    assert await reader.cache.get_many(["other"]) == {}


@pytest.mark.one_loop
@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("tier", TIERS)
async def test_a_feed_lost_and_restored_beside_a_read(world: World, tier: str, read: Read) -> None:
    """A reply that was under way while the feed was lost and restored is not kept: nobody told of what changed."""
    writer, reader = await world.pair(**TIERS[tier])
    await writer.cache.set("key", "old", tags=["tag"])
    await turns()
    reader.wire.hold("after get_many")
    reading = asyncio.create_task(read(reader))
    await within_reach(reader.wire.held("after get_many"))
    reader.wire.lose_feed()
    await writer.cache.set("key", "new")
    await writer.cache.invalidate_tags("tag")
    reader.wire.restore_feed()
    await world.quiet()
    await within_reach(reading)
    assert await reader.cache.get("key") == "new"
    assert await reader.cache.get("key") == "new"


async def test_what_is_kept_goes_when_the_feed_is_lost(world: World) -> None:
    """When the feed is lost, all that is kept in process is dropped, and counted as a flush."""
    writer, reader = await world.pair()
    await writer.cache.set_many({number: number for number in range(5)})
    assert len(await reader.cache.get_many(range(5))) == 5
    before = reader.cache.stats().shared
    reader.wire.lose_feed()
    await turns()
    after = reader.cache.stats().shared
    assert before is not None
    assert after is not None
    assert (after.flushes - before.flushes, after.is_coherent) == (1, False)
    assert reader.kept() == {}


async def test_while_the_feed_is_lost_a_value_is_kept_for_a_second(world: World) -> None:
    """Without its feed a process sees what others have written after a second at most."""
    writer, reader = await world.pair()
    reader.wire.lose_feed()
    await turns()
    await writer.cache.set("key", "old")
    assert await reader.cache.get("key") == "old"
    await writer.cache.set("key", "new")
    await turns()
    world.clock.advance(0.9)
    assert await reader.cache.get("key") == "old"
    world.clock.advance(0.2)
    assert await reader.cache.get("key") == "new"


@pytest.mark.parametrize("write", [_invalidate, _clear])
async def test_while_the_feed_is_lost_records_are_read_each_time(world: World, write: Write) -> None:
    """Without its feed a process believes no record that it knows."""
    writer, reader = await world.pair()
    await writer.cache.set("key", "old", tags=["tag"])
    assert await reader.cache.get("key") == "old"
    reader.wire.lose_feed()
    await write(writer)
    await turns()
    assert await reader.cache.get("key") is None


@pytest.mark.parametrize("local_ttl", [0.5, 5])
async def test_while_the_feed_is_lost_local_ttl_lengthens_nothing(world: World, local_ttl: float) -> None:
    """Without its feed a value is kept for `local_ttl`, and for a second at most."""
    writer, reader = await world.pair(local_ttl=local_ttl)
    reader.wire.lose_feed()
    await turns()
    await writer.cache.set("key", "old")
    assert await reader.cache.get("key") == "old"
    await writer.cache.set("key", "new")
    world.clock.advance(min(local_ttl, 1) + 0.01)
    assert await reader.cache.get("key") == "new"


async def test_what_is_kept_goes_again_when_the_feed_is_restored(world: World) -> None:
    """What was read while nobody told of changes is dropped when the feed is there again."""
    writer, reader = await world.pair()
    reader.wire.lose_feed()
    await turns()
    await writer.cache.set("key", "old")
    assert await reader.cache.get("key") == "old"
    await writer.cache.set("key", "new")
    reader.wire.restore_feed()
    await turns()
    assert reader.kept() == {}
    assert await reader.cache.get("key") == "new"
    shared = reader.cache.stats().shared
    assert shared is not None
    assert shared.is_coherent


async def test_after_a_loss_values_are_kept_for_as_long_as_before(world: World) -> None:
    """With the feed restored, what is kept in process is kept without asking again."""
    writer, reader = await world.pair()
    reader.wire.lose_feed()
    reader.wire.restore_feed()
    await writer.cache.set("key", "value")
    await turns()
    assert await reader.cache.get("key") == "value"
    world.clock.advance(50)
    reads = reader.wire.calls["get_many"]
    assert await reader.cache.get("key") == "value"
    assert reader.wire.calls["get_many"] == reads
    await writer.cache.set("key", "new")
    await turns()
    assert await reader.cache.get("key") == "new"


@pytest.mark.one_loop
@pytest.mark.parametrize("read", READS)
async def test_news_of_anything_stops_all_that_is_read(world: World, read: Read) -> None:
    """After `FLUSHALL` and the like nothing that was read before is kept."""
    writer, reader = await world.pair()
    await writer.cache.set("key", "old", tags=["tag"])
    await turns()
    reader.wire.hold("after get_many")
    reading = asyncio.create_task(read(reader))
    await within_reach(reader.wire.held("after get_many"))
    await writer.cache.delete("key")
    await world.store.delete_many([b'shop:v:"key"', b"shop:s:", b"shop:t:tag"])
    reader.wire.lose_feed()
    reader.wire.restore_feed()
    await world.quiet()
    await within_reach(reading)
    assert await reader.cache.get("key") in {None, "new"}
    assert await _get_or_load(reader) == "new"


async def test_a_value_whose_record_is_gone_is_a_miss(world: World) -> None:
    """If an engine has evicted a tag's record, or the whole cache's, what depends on it is loaded again."""
    for record in (b"shop:t:tag", b"shop:s:"):
        writer, reader = await world.pair()
        await writer.cache.set("key", "old", tags=["tag"])
        assert await reader.cache.get("key") == "old"
        await world.store.delete_many([record])
        await turns()
        assert await reader.cache.get("key") is None
        assert await _get_or_load(reader) == "new"
        assert await writer.cache.get("key") == "new"


async def test_a_value_that_was_deleted_by_hand_is_gone_everywhere(world: World) -> None:
    """What another program deletes from the store is dropped in process."""
    writer, reader = await world.pair()
    await writer.cache.set("key", "old")
    assert await reader.cache.get("key") == "old"
    await world.store.delete_many([b'shop:v:"key"'])
    await turns()
    assert await reader.cache.get("key") is None
    assert await writer.cache.get("key") is None


@pytest.mark.one_loop
@pytest.mark.parametrize("first", [_reply_first, _news_first])
async def test_two_sets_at_once_end_alike_everywhere(world: World, first: Callable[[Process], None]) -> None:
    """Two processes that set one key at the same moment hold, in the end, what the store holds."""
    a, b = await world.pair()
    await a.cache.clear()
    for process in (a, b):
        process.wire.hold("after set_many", "feed")
    one = asyncio.create_task(a.cache.set("key", "one"))
    await within_reach(a.wire.held("after set_many"))
    two = asyncio.create_task(b.cache.set("key", "two"))
    await within_reach(b.wire.held("after set_many"))
    for process in (a, b):
        first(process)
        process.wire.release("after set_many")
        await turns()
    await world.quiet()
    await asyncio.gather(one, two)
    assert await world.stored("key") == "two"
    assert [await process.cache.get("key") for process in (a, b)] == ["two", "two"]


async def test_a_program_that_writes_too_much_is_not_listened_to_one_by_one(world: World) -> None:
    """Of more changes than can be remembered while a read is under way, nothing that was read is kept."""
    writer, reader = await world.pair(maxsize=20_000)
    await writer.cache.set("key", "old")
    await turns()
    reader.wire.hold("after get_many")
    reading = asyncio.create_task(reader.cache.get("key"))
    await within_reach(reader.wire.held("after get_many"))
    await writer.cache.set("key", "new")
    for some in range(12):
        await writer.cache.delete_many(range(some * 1_000, some * 1_000 + 1_000))
    await world.quiet()
    assert await within_reach(reading) == "old"
    assert await reader.cache.get("key") == "new"
