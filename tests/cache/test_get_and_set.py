"""Values of a `Cache` by key: got, set, deleted, looked at and given new terms, one at a time and many at once."""

from datetime import timedelta
from typing import Any

import pytest

from asynccache import MISSING, Cache, EvictionCause
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, turns

MOMENT = 1 / 1024
"""A short time, in seconds: sums with it are exact."""


@pytest.mark.parametrize("value", [None, 0, "", False, (), 0.0, MISSING.__class__], ids=repr)
async def test_any_value_is_a_value(value: Any) -> None:
    """What is None or false is kept and told from nothing like everything else."""
    cache = Cache()
    await cache.set("key", value)
    assert await cache.get("key", "nothing") is value
    assert await cache.peek("key", "nothing") is value
    assert await cache.contains("key")
    assert await cache.get_many(["key"]) == {"key": value}
    assert cache.items() == [("key", value)]
    assert await cache.delete("key")


async def test_nothing_is_the_default() -> None:
    """Where there is no value, get and peek give what they were told to, and None by default."""
    cache = Cache()
    default = object()
    assert (await cache.get("key"), await cache.peek("key")) == (None, None)
    assert await cache.get("key", default) is default
    assert await cache.get(default=default, key="key") is default
    assert await cache.peek("key", default) is default
    assert not await cache.contains("key")
    assert await cache.get_many(["key"]) == {}
    assert cache.keys() == cache.items() == []


async def test_keys_are_told_apart_as_in_a_dict() -> None:
    """Keys of any hashable kind are equal or not, and a pair is a key like any other."""
    cache = Cache()
    keys: list[Any] = [1, "1", (1, 2), frozenset({1}), None, b"1", ("a", "b")]
    await cache.set_many({key: repr(key) for key in keys})
    assert {key: await cache.get(key) for key in keys} == {key: repr(key) for key in keys}
    assert await cache.get(1.0) == await cache.get(True) == "1"
    assert cache.keys() == keys


async def test_set_replaces() -> None:
    """The latest value counts, with a term of its own."""
    clock = ManualClock()
    heard: list[tuple[object, object, EvictionCause]] = []
    cache = Cache(clock=clock, ttl=10, on_evict=lambda *notice: heard.append(notice))
    await cache.set("key", "first")
    clock.advance(8)
    await cache.set("key", "second")
    clock.advance(10 - MOMENT)
    assert await cache.get("key") == "second"
    clock.advance(MOMENT)
    assert await cache.get("key") is None
    assert heard[0] == ("key", "first", EvictionCause.REPLACED)


async def test_delete_tells_whether_there_was_anything() -> None:
    """True once for what was there; an expired value is nothing."""
    clock = ManualClock()
    cache = Cache(clock=clock)
    await cache.set("key", None)
    assert [await cache.delete("key") for _ in range(2)] == [True, False]
    await cache.set("key", "value", ttl=1)
    clock.advance(1)
    assert not await cache.delete("key")
    assert await cache.get("key") is None


async def test_an_old_value_is_for_those_who_load() -> None:
    """After its ttl a value may be kept for `stale`; get, peek, contains and the lists do not show it, delete does."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale=50)
    await cache.set("key", "old")
    clock.advance(10)
    assert (await cache.get("key"), await cache.peek("key"), await cache.contains("key")) == (None, None, False)
    assert (await cache.get_many(["key"]), cache.keys(), cache.items()) == ({}, [], [])
    assert not await cache.touch("key", 10)
    assert await cache.delete("key")


async def test_what_counts() -> None:
    """Only get and get_many count, each key once: as a hit or as a miss."""
    cache = Cache()
    await cache.set_many({1: "a", 2: "b"})
    await cache.get(1)
    await cache.get(3)
    await cache.get_many([1, 2, 3, 4])
    before = cache.stats()
    assert (before.hits, before.misses) == (3, 3)
    await cache.peek(1)
    await cache.peek(3)
    await cache.contains(1)
    await cache.contains(3)
    await cache.touch(1, 10)
    await cache.set(1, "c")
    await cache.delete(2)
    cache.items()
    after = cache.stats()
    assert (after.hits, after.misses, after.loads) == (3, 3, 0)


@pytest.mark.parametrize("used", ["get", "get_many"])
async def test_what_keeps_an_entry_in_a_full_cache(used: str) -> None:
    """A get is a use, by which the policy chooses who stays."""
    cache = Cache(maxsize=2, policy="lru")
    await cache.set_many({1: "a", 2: "b"})
    await (cache.get(1) if used == "get" else cache.get_many([1]))
    await cache.set(3, "c")
    assert sorted(cache.keys()) == [1, 3]


@pytest.mark.parametrize("looked", ["peek", "contains", "items"])
async def test_what_does_not_keep_an_entry(looked: str) -> None:
    """To look is no use: neither in a full cache, nor where values go when nobody uses them."""
    clock = ManualClock()
    cache = Cache(maxsize=2, policy="lru", clock=clock, idle=10)

    async def look() -> None:
        if looked == "items":
            assert (1, "a") in cache.items()
        else:
            assert await (cache.peek(1) if looked == "peek" else cache.contains(1))

    await cache.set_many({1: "a", 2: "b"})
    await look()
    await cache.set(3, "c")
    assert sorted(cache.keys()) == [2, 3]
    await cache.set(1, "a")
    clock.advance(9)
    await look()
    clock.advance(1)
    assert await cache.get(1) is None


async def test_get_keeps_an_idle_entry() -> None:
    """Each get begins its idle time anew, and touch does."""
    clock = ManualClock()
    cache = Cache(clock=clock, idle=10)
    await cache.set("key", "value")
    for _ in range(3):
        clock.advance(9)
        assert await cache.get("key") == "value"
    clock.advance(9)
    assert await cache.touch("key", None)
    clock.advance(9)
    assert await cache.get_many(["key"]) == {"key": "value"}
    clock.advance(10)
    assert await cache.get("key") is None


async def test_get_is_a_use_wherever_a_value_is_in_its_life() -> None:
    """Also of a value that is due for a refresh, which get does not make, and after others were invalidated."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=100, refresh_ahead=0.5, idle=30)
    await cache.set("key", "value")
    for _ in range(4):
        clock.advance(24)
        await cache.invalidate_tags("other")
        assert await cache.get("key") == "value"
    assert (cache.stats().hits, cache.stats().refreshes) == (4, 0)


async def test_touch_begins_a_new_term() -> None:
    """Longer, shorter, for ever or none: counted from now; what is not there is not touched."""
    clock = ManualClock()
    heard: list[object] = []
    cache = Cache(clock=clock, ttl=10, on_evict=lambda *notice: heard.append(notice))
    await cache.set("key", "value")
    clock.advance(9)
    assert await cache.touch("key", timedelta(seconds=20))
    clock.advance(20 - MOMENT)
    assert await cache.get("key") == "value"
    assert await cache.touch("key", 1)
    clock.advance(1 - MOMENT)
    assert await cache.touch("key", None)
    clock.advance(1_000_000)
    assert await cache.get("key") == "value"
    assert heard == []
    assert await cache.touch("key", 0)
    assert await cache.get("key") is None
    assert [await cache.touch(key, 10) for key in ("key", "unknown")] == [False, False]


async def test_touch_keeps_tags() -> None:
    """After a new term a value can be invalidated by its tags as before."""
    cache = Cache()
    await cache.set("key", "value", tags=["a"])
    assert await cache.touch("key", 10)
    await cache.invalidate_tags("a")
    assert await cache.get("key") is None
    assert not await cache.touch("key", 10)


async def test_touch_keeps_what_was_promised() -> None:
    """A value that was set with a window of its own can be served old after a new term too."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=5)
    gate: Gate[str] = Gate()
    await cache.set("key", "old", ttl=10, stale=100)
    assert await cache.touch("key", 10)
    clock.advance(11)
    assert await cache.get_or_load("key", gate.load) == "old"
    await turns()
    gate.give("new")
    await turns()


async def test_many_at_once() -> None:
    """set_many, get_many and delete_many do for each key what their sisters do for one."""
    cache = Cache()
    await cache.set_many({"a": 1, "b": 2, "c": None}, tags=["t"])
    await cache.set_many({})
    assert list((await cache.get_many(iter(["c", "a", "x", "a"]))).items()) == [("c", None), ("a", 1)]
    assert await cache.delete_many(iter(["a", "x", "a", "c"])) == 2
    assert cache.items() == [("b", 2)]
    await cache.invalidate_tags("t")
    assert await cache.get_many(["a", "b", "c"]) == {}
    assert (await cache.get_many([]), await cache.delete_many([])) == ({}, 0)


@pytest.mark.parametrize("copy", ["deep", "shallow", list], ids=str)
async def test_each_reader_gets_a_copy(copy: Any) -> None:
    """With `copy`, nobody who changes what was given to him changes what others are given."""
    cache = Cache(copy=copy)
    await cache.set("key", [1])
    (await cache.get("key")).append(2)
    (await cache.peek("key")).append(2)
    (await cache.get_many(["key"]))["key"].append(2)
    cache.items()[0][1].append(2)
    assert await cache.get("key") == [1]


async def test_in_a_cache_that_stores_nothing() -> None:
    """With maxsize=0 all is well, and nothing is there."""
    cache = Cache(maxsize=0)
    await cache.set("key", "value")
    assert (await cache.get("key"), cache.keys(), await cache.delete("key")) == (None, [], False)
