"""What one process does and another sees: keys, values, namespaces, tags and times."""

import asyncio
from functools import partial
from typing import Any

import pytest

from asynccache import Cache, current_load
from asynccache.stores.contract import SupportsFeed
from tests.shared.world import Source, World, turns

TIERS = [{}, {"maxsize": 0}, {"local_ttl": 0}, {"without": (SupportsFeed,)}, {"local_ttl": 5}]
"""With a tier in process, without one, and with one that nobody tells of changes."""


@pytest.mark.parametrize("tier", TIERS)
async def test_what_is_set_in_one_is_found_in_the_other(world: World, tier: dict[str, Any]) -> None:
    """A value that one process sets is given to another, and again."""
    a, b = await world.pair(**tier)
    await a.cache.set("key", ["value", 1])
    assert await b.cache.get("key") == ["value", 1]
    assert await b.cache.get("key") == ["value", 1]
    assert await a.cache.get("key") == ["value", 1]


@pytest.mark.parametrize("tier", TIERS)
async def test_what_is_loaded_in_one_is_not_loaded_in_the_other(world: World, tier: dict[str, Any]) -> None:
    """One load is enough for both."""
    a, b = await world.pair(**tier)
    source = Source("value")
    for process in (a, b, a, b):
        assert await process.cache.get_or_load("key", source) == "value"
    assert source.loads == 1


@pytest.mark.parametrize("tier", TIERS)
async def test_none_is_a_value(world: World, tier: dict[str, Any]) -> None:
    """A load that gives None is not made again, by nobody."""
    a, b = await world.pair(**tier)
    source = Source(None)
    assert await a.cache.get_or_load("key", source) is None
    assert await b.cache.get_or_load("key", source) is None
    assert await b.cache.get("key", "nothing") is None
    assert await b.cache.contains("key")
    assert source.loads == 1


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_what_is_deleted_in_one_is_gone_in_the_other(world: World, tier: dict[str, Any]) -> None:
    """When a deletion has returned, and the news has arrived, neither process gives the value."""
    a, b = await world.pair(**tier)
    await a.cache.set("key", "value")
    assert await b.cache.get("key") == "value"
    await a.cache.delete("key")
    await turns()
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None
    assert not await b.cache.contains("key")
    assert await b.cache.peek("key", "nothing") == "nothing"


async def test_delete_tells_what_this_process_knew(world: World) -> None:
    """What `delete` tells is whether this process held the value."""
    a, b = await world.pair()
    await a.cache.set("key", "value")
    assert await b.cache.get("key") == "value"
    assert await b.cache.delete("key")
    assert not await b.cache.delete("key")


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_many_keys_are_set_read_and_deleted_at_once(world: World, tier: dict[str, Any]) -> None:
    """Several keys go as one request, and come back as they were."""
    a, b = await world.pair(**tier)
    values = {"a": 1, ("b", 2): "two", 3: None}
    await a.cache.set_many(values)
    assert a.wire.keys["set_many"] == len(values)
    reads = b.wire.calls["get_many"]
    assert await b.cache.get_many([*values, "other"]) == values
    assert b.wire.calls["get_many"] == reads + 1
    await b.cache.delete_many(["a", 3])
    await turns()
    assert await a.cache.get_many(values) == {("b", 2): "two"}


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_many_keys_are_loaded_only_where_nobody_has_them(world: World, tier: dict[str, Any]) -> None:
    """`get_or_load_many` asks the source for what no process has loaded, and the store once."""
    a, b = await world.pair(**tier)
    asked: list[list[str]] = []

    async def load_many(keys: list[str]) -> dict[str, str]:
        asked.append(sorted(keys))
        return {key: key.upper() for key in keys}

    await a.cache.clear()
    assert await a.cache.get_or_load_many(["a", "b"], load_many) == {"a": "A", "b": "B"}
    reads = b.wire.calls["get_many"]
    assert await b.cache.get_or_load_many(["b", "a", "c"], load_many) == {"b": "B", "a": "A", "c": "C"}
    assert b.wire.calls["get_many"] == reads + 1
    assert asked == [["a", "b"], ["c"]]


async def test_peek_and_contains_keep_and_count_nothing(world: World) -> None:
    """To look at a value of the store is no use of it."""
    a, b = await world.pair()
    await a.cache.set("key", "value")
    before = b.cache.stats()
    assert await b.cache.peek("key") == "value"
    assert await b.cache.contains("key")
    after = b.cache.stats()
    assert b.kept() == {}
    assert (after.hits, after.misses) == (before.hits, before.misses)


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_touch_begins_a_new_term_for_all(world: World, tier: dict[str, Any]) -> None:
    """A value that is touched in one process lasts for the new term in both."""
    a, b = await world.pair(**tier)
    await a.cache.set("key", "value", ttl=10)
    assert await b.cache.get("key") == "value"
    world.clock.advance(9)
    assert await a.cache.touch("key", 10)
    await turns()
    world.clock.advance(9)
    assert await a.cache.get("key") == "value"
    assert await b.cache.get("key") == "value"
    world.clock.advance(1)
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None
    assert not await a.cache.touch("key", 10)


async def test_touch_can_shorten_a_term(world: World) -> None:
    """A shorter term holds in processes that had the value for longer."""
    a, b = await world.pair()
    await a.cache.set("key", "value", ttl=90)
    assert await b.cache.get("key") == "value"
    assert await a.cache.touch("key", 5)
    await turns()
    world.clock.advance(6)
    assert await b.cache.get("key") is None


async def test_what_is_deleted_while_it_is_touched_stays_deleted(world: World) -> None:
    """A deletion between the two steps of a touch wins, and the touch says that there is no value."""
    a, b = await world.pair(maxsize=0)
    await a.cache.set("key", "value")
    a.wire.hold("compare_and_set")
    touching = asyncio.create_task(a.cache.touch("key", 50))
    await a.wire.held("compare_and_set")
    await b.cache.delete("key")
    await world.quiet()
    assert not await touching
    assert await a.cache.get("key") is None
    assert await world.stored("key") is None


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_clear_reaches_all(world: World, tier: dict[str, Any]) -> None:
    """What was there before a clear is there for nobody, what comes after it is."""
    a, b = await world.pair(**tier)
    await a.cache.set_many({"a": 1, "b": 2})
    assert await b.cache.get_many(["a", "b"]) == {"a": 1, "b": 2}
    await b.cache.clear()
    await turns()
    assert await a.cache.get_many(["a", "b"]) == {}
    assert await b.cache.get_many(["a", "b"]) == {}
    await a.cache.set("a", 3)
    assert await b.cache.get("a") == 3


@pytest.mark.parametrize("tier", TIERS[:3])
async def test_namespaces_are_cleared_alone(world: World, tier: dict[str, Any]) -> None:
    """To clear a namespace clears what lies in it, in all processes, and nothing beside it."""
    a, b = await world.pair(**tier)
    for cache, value in (
        (a.cache, "root"),
        (a.cache.namespace("x"), "x"),
        (a.cache.namespace("x").namespace("y"), "x/y"),
        (a.cache.namespace("z"), "z"),
    ):
        await cache.set("key", value)
    views = [b.cache, b.cache.namespace("x"), b.cache.namespace("x").namespace("y"), b.cache.namespace("z")]
    assert [await view.get("key") for view in views] == ["root", "x", "x/y", "z"]
    await a.cache.namespace("x").clear()
    await turns()
    assert [await view.get("key") for view in views] == ["root", None, None, "z"]


async def test_caches_of_other_namespaces_never_meet(world: World) -> None:
    """Two services on one store see nothing of each other, and clear nothing of each other."""
    a = await world.process()
    async with Cache(world.store, clock=world.clock, namespace="shop2") as other:
        await a.cache.set("key", "mine", tags=["tag"])
        assert await other.get("key") is None
        await other.set("key", "its", tags=["tag"])
        await other.invalidate_tags("tag")
        await other.clear()
        await turns()
        assert await a.cache.get("key") == "mine"


def _of_results(result: Any) -> list[str]:
    return [f"user {result['id']}"]


async def _load_with_tags() -> dict[str, int]:
    current_load().tags = ["user 7"]
    return {"id": 7}


async def _load_plainly() -> dict[str, int]:
    return {"id": 7}


@pytest.mark.parametrize("tier", TIERS[:3])
@pytest.mark.parametrize(
    ("load", "options"),
    [
        (_load_plainly, {"tags": ["user 7"]}),
        (_load_plainly, {"tags": _of_results}),
        (_load_with_tags, {}),
        (_load_with_tags, {"tags": ["users"]}),
    ],
)
async def test_tags_are_invalidated_for_all(
    world: World, tier: dict[str, Any], load: Any, options: dict[str, Any]
) -> None:
    """A value is gone everywhere when its tag is invalidated anywhere, whoever has told the tag."""
    a, b = await world.pair(**tier)
    assert await a.cache.get_or_load("key", load, **options) == {"id": 7}
    assert await b.cache.get("key") == {"id": 7}
    await b.cache.invalidate_tags("user 8")
    await turns()
    assert await a.cache.get("key") == {"id": 7}
    await b.cache.invalidate_tags("user 7")
    await turns()
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None
    assert await world.stored("key") is None
    assert await a.cache.get_or_load("key", load, **options) == {"id": 7}
    assert await b.cache.get("key") == {"id": 7}


async def test_a_tag_reaches_all_namespaces(world: World) -> None:
    """A tag is one and the same in all namespaces."""
    a, b = await world.pair()
    await a.cache.set("key", 1, tags=["tag"])
    await a.cache.namespace("x").set("key", 2, tags=["tag"])
    assert [await b.cache.get("key"), await b.cache.namespace("x").get("key")] == [1, 2]
    await a.cache.invalidate_tags("tag")
    await turns()
    assert [await b.cache.get("key"), await b.cache.namespace("x").get("key")] == [None, None]


async def test_a_refused_value_takes_the_old_one_with_it(world: World) -> None:
    """What `store_if` refuses is stored nowhere, and what it would have replaced is served by nobody."""
    a, b = await world.pair(stale_if_error=50)
    await a.cache.set("key", "old", ttl=10)
    assert await b.cache.get("key") == "old"
    world.clock.advance(20)
    source = Source("")
    assert await a.cache.get_or_load("key", source, store_if=bool) == ""
    await turns()
    source.error = OSError("down")
    with pytest.raises(OSError, match="down"):
        await b.cache.get_or_load("key", source)
    assert await world.stored("key") is None


async def test_a_ttl_can_be_told_by_the_result(world: World) -> None:
    """A function of the result decides how long a value lasts, for both."""
    a, b = await world.pair()
    options: dict[str, Any] = {"ttl": lambda value: value["seconds"]}
    await a.cache.get_or_load("key", Source({"seconds": 5}), **options)
    assert await b.cache.get("key") == {"seconds": 5}
    world.clock.advance(4.9)
    assert await b.cache.get("key") == {"seconds": 5}
    world.clock.advance(0.2)
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None


async def test_a_value_read_late_lasts_no_longer(world: World) -> None:
    """The term counts from the load, not from when another process has read the value."""
    a, b = await world.pair()
    await a.cache.set("key", "value", ttl=10)
    world.clock.advance(9)
    assert await b.cache.get("key") == "value"
    world.clock.advance(1)
    assert await b.cache.get("key") is None


async def test_local_ttl_bounds_what_is_kept_in_process(world: World) -> None:
    """After `local_ttl` the store is asked again, though the news has been lost."""
    a, b = await world.pair(local_ttl=5)
    await a.cache.set("key", "old")
    assert await b.cache.get("key") == "old"
    b.wire.hold("feed")
    await a.cache.set("key", "new")
    world.clock.advance(4.9)
    assert await b.cache.get("key") == "old"
    world.clock.advance(0.2)
    assert await b.cache.get("key") == "new"


async def test_without_news_values_are_kept_for_a_second(world: World) -> None:
    """Where nobody tells of changes, another process's write is seen after a second at most."""
    a, b = await world.pair(without=(SupportsFeed,))
    await a.cache.set("key", "old")
    assert await b.cache.get("key") == "old"
    await a.cache.set("key", "new")
    world.clock.advance(0.9)
    reads = b.wire.calls["get_many"]
    assert await b.cache.get("key") == "old"
    assert b.wire.calls["get_many"] == reads
    world.clock.advance(0.2)
    assert await b.cache.get("key") == "new"


async def test_no_tier_in_process_keeps_nothing(world: World) -> None:
    """With `maxsize=0` each read sees the latest that the store has."""
    a, b = await world.pair(maxsize=0)
    b.wire.hold("feed")
    for value in range(3):
        await a.cache.set("key", value)
        assert await b.cache.get("key") == value
        assert await b.cache.get_or_load("key", Source("wrong")) == value
        assert b.kept() == {}


async def test_a_hit_in_process_asks_the_store_nothing(world: World) -> None:
    """What is kept in process is given without a request."""
    a, b = await world.pair()
    await a.cache.set("key", "value")
    assert await b.cache.get("key") == "value"
    reads = b.wire.calls.total()
    assert await b.cache.get("key") == "value"
    assert await b.cache.get_or_load("key", Source()) == "value"
    assert await b.cache.get_many(["key"]) == {"key": "value"}
    assert b.wire.calls.total() == reads


async def test_what_is_too_heavy_for_the_process_is_shared_all_the_same(world: World) -> None:
    """A value that does not fit in process lies in the store."""
    options: dict[str, Any] = {"max_weight": 3, "weigher": lambda _key, value: len(value)}
    a, b = await world.pair(**options)
    source = Source("heavy")
    assert await a.cache.get_or_load("heavy", source) == "heavy"
    assert await b.cache.get_or_load("heavy", source) == "heavy"
    assert source.loads == 1
    assert b.kept() == {}
    await a.cache.set("key", "abc")
    assert await b.cache.get("key") == "abc"
    assert b.cache.stats().weight == 3


async def test_a_small_tier_in_process_falls_back_on_the_store(world: World) -> None:
    """What had to go in process is found in the store."""
    a, b = await world.pair(maxsize=2)
    await a.cache.set_many({number: number for number in range(10)})
    assert [await b.cache.get(number) for number in range(10)] == list(range(10))
    assert len(b.kept()) <= 2
    assert [await b.cache.get(number) for number in range(10)] == list(range(10))


async def test_keys_that_are_equal_are_one(world: World) -> None:
    """1, 1.0 and True are one key in the store as they are in process."""
    a, b = await world.pair()
    await a.cache.set(1, "one")
    assert [await b.cache.get(key) for key in (1.0, True, 1)] == ["one"] * 3
    await b.cache.delete(True)
    await turns()
    assert await a.cache.get(1) is None


async def test_disabled_reads_and_keeps_nothing(world: World) -> None:
    """Within `disabled()` a load is made whatever the store has, and stored nowhere."""
    a, b = await world.pair()
    await a.cache.set("key", "shared")
    with b.cache.disabled():
        assert await b.cache.get("key") is None
        assert await b.cache.get_or_load("key", Source("own")) == "own"
        assert not await b.cache.contains("key")
        assert await b.cache.get_many(["key"]) == {}
    assert await a.cache.get("key") == "shared"


async def test_a_set_within_disabled_forgets_the_old_value_everywhere(world: World) -> None:
    """Where the cache is disabled, to set stores nothing, and what it would have replaced is gone."""
    a, b = await world.pair()
    await a.cache.set("key", "old")
    assert await b.cache.get("key") == "old"
    with b.cache.disabled():
        await b.cache.set("key", "new")
    await turns()
    assert await a.cache.get("key") is None
    assert await b.cache.get("key") is None


async def test_refreshing_loads_anew_for_all(world: World) -> None:
    """Within `refreshing()` a load is made whatever the store has, and what it brings is there for others."""
    a, b = await world.pair()
    await a.cache.set("key", "old")
    assert await b.cache.get("key") == "old"
    source = Source("new")
    with a.cache.refreshing():
        assert await a.cache.get_or_load("key", source) == "new"
    await turns()
    assert await b.cache.get("key") == "new"
    assert await a.cache.get("key") == "new"

    async def load_many(keys: list[str]) -> dict[str, str]:
        return dict.fromkeys(keys, "newer")

    with a.cache.refreshing():
        assert await a.cache.get_or_load_many(["key", "other"], load_many) == {"key": "newer", "other": "newer"}
    await turns()
    assert await b.cache.get_many(["key", "other"]) == {"key": "newer", "other": "newer"}


async def test_warming_loads_what_no_process_has(world: World) -> None:
    """`warm` takes from the store what lies there."""
    a, b = await world.pair()
    loaded: list[str] = []

    async def load(key: str) -> str:
        loaded.append(key)
        return key

    await a.cache.warm(["a", "b"], load)
    report = await b.cache.warm(["a", "b", "c"], load)
    assert loaded == ["a", "b", "c"]
    assert report.failed == 0


async def test_loads_by_partial_functions_are_shared(world: World) -> None:
    """The key decides, not which function loads."""
    a, b = await world.pair()

    async def load(price: float) -> float:
        return price

    assert await a.cache.get_or_load("key", partial(load, 1.5)) == 1.5
    assert await b.cache.get_or_load("key", partial(load, 2.5)) == 1.5


async def test_what_the_store_gives_is_the_readers_own(world: World) -> None:
    """With `copy`, whoever changes what was given changes nobody else's."""
    a, b = await world.pair(copy="deep")
    await a.cache.set("key", [1])
    (await b.cache.get("key")).append(2)
    (await b.cache.get_or_load("key", Source())).append(3)
    (await b.cache.get_many(["key"]))["key"].append(4)
    (await b.cache.peek("key")).append(5)
    assert await b.cache.get("key") == [1]
    assert await a.cache.get("key") == [1]


async def test_stats_tell_what_the_store_was_asked(world: World) -> None:
    """Hits and misses of the store are counted apart, once each."""
    a, b = await world.pair()
    await a.cache.set("key", "value")
    await b.cache.get("key")
    await b.cache.get("key")
    await b.cache.get("nothing")
    shared = b.cache.stats().shared
    assert shared is not None
    assert (shared.hits, shared.misses, shared.errors, shared.is_coherent) == (1, 1, 0, True)
    assert (b.cache.stats().hits, b.cache.stats().misses) == (2, 1)


async def test_the_first_bulk_load_of_all_is_stored_whole() -> None:
    """Of the very first loads in an empty store nothing is lost, though they make the record of the whole cache."""
    async with World(is_near=True) as world:
        a, b = await world.pair()
        asked: list[list[str]] = []

        async def load_many(keys: list[str]) -> dict[str, str]:
            asked.append(keys)
            return {key: key.upper() for key in keys}

        await a.cache.get_or_load_many(["a", "b"], load_many)
        await b.cache.get_or_load_many(["a", "b"], load_many)
        assert asked == [["a", "b"]]
