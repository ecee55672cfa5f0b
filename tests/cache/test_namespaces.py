"""Namespaces: keys of their own in a cache that they share."""

import asyncio
import functools
from typing import Any

import pytest

from asynccache import Cache, EvictionCause
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, outcome, together, turns


async def test_own_keys() -> None:
    """The same key is another one in each namespace, in one within another, and in the cache itself."""
    cache = Cache()
    parts = [cache, cache.namespace("a"), cache.namespace("b"), cache.namespace("a").namespace("b")]
    for number, part in enumerate(parts):
        await part.set("key", number)
        await part.set(number, "own")
    assert [await part.get("key") for part in parts] == [0, 1, 2, 3]
    assert [await part.peek("key") for part in parts] == [0, 1, 2, 3]
    assert [await part.get_many(range(4)) for part in parts] == [{number: "own"} for number in range(4)]
    assert [part.keys() for part in parts] == [["key", number] for number in range(4)]
    assert [part.items()[0] for part in parts] == [("key", number) for number in range(4)]
    assert await parts[1].delete("key")
    assert [await part.contains("key") for part in parts] == [True, False, True, True]


async def test_pairs_are_not_mistaken() -> None:
    """A key that looks like a namespace and a key is only a key."""
    cache = Cache()
    part = cache.namespace("a")
    await part.set("key", "in it")
    await cache.set(("a", "key"), "beside it")
    await cache.set((("a",), "key"), "beside it")
    assert (await part.get("key"), part.keys()) == ("in it", ["key"])
    assert cache.keys() == [("a", "key"), (("a",), "key")]


async def test_two_views_are_one() -> None:
    """Whoever names it the same way sees the same, whatever became of the first view."""
    cache = Cache()
    await cache.namespace("a").set("key", "value")
    assert await cache.namespace("a").get("key") == "value"
    view = cache.namespace("a").namespace("b")
    gate: Gate[str] = Gate()
    tasks = [
        asyncio.create_task(view.get_or_load("key", gate.load)),
        asyncio.create_task(cache.namespace("a").namespace("b").get_or_load("key", gate.load)),
    ]
    await turns()
    gate.give("loaded")
    assert await together(*tasks) == ["loaded"] * 2
    assert len(gate.calls) == 1
    await cache.namespace("a").namespace("b").clear()
    assert (await view.get("key"), await cache.namespace("a").get("key")) == (None, "value")


async def test_names_that_are_joined_are_others() -> None:
    """A namespace "a" in "b" is neither "a" nor "b.a"."""
    cache = Cache()
    await cache.namespace("b").namespace("a").set("key", "value")
    for other in (cache.namespace("a"), cache.namespace("b"), cache.namespace("b.a"), cache.namespace("ba")):
        assert await other.get("key") is None


@pytest.mark.one_loop
@pytest.mark.parametrize("name", [None, 3, b"a", ("a",)])
def test_a_name_is_a_string(name: Any) -> None:
    """Anything else is refused at once."""
    with pytest.raises(TypeError, match="a namespace is named by a string, not"):
        Cache().namespace(name)


async def test_an_own_clear() -> None:
    """It forgets what is in it and in those within it, and nothing else; and holds new values afterwards."""
    cache = Cache()
    outer = cache.namespace("outer")
    inner = outer.namespace("inner")
    parts = {"root": cache, "outer": outer, "inner": inner, "other": cache.namespace("other")}

    async def filled() -> list[str]:
        return [name for name, part in parts.items() if await part.contains("key")]

    async def fill() -> None:
        for part in parts.values():
            await part.set("key", "value")

    await fill()
    await inner.clear()
    assert await filled() == ["root", "outer", "other"]
    await fill()
    await outer.clear()
    assert await filled() == ["root", "other"]
    assert (outer.keys(), inner.keys()) == ([], [])
    await fill()
    assert await filled() == list(parts)
    await cache.clear()
    assert await filled() == []


async def test_its_clear_gives_memory_back_in_the_background() -> None:
    """At once nothing is served; a little later nothing is stored, and listeners have heard that it was cleared."""
    clock = ManualClock()
    heard: list[EvictionCause] = []
    cache = Cache(clock=clock, on_evict=lambda _key, _value, cause: heard.append(cause))
    part = cache.namespace("a")
    await part.set_many({number: number for number in range(100)})
    await cache.set("other", "value")
    await part.clear()
    assert (part.keys(), heard, cache.stats().size) == ([], [], 101)
    clock.advance(2)
    await turns(50)
    assert (cache.stats().size, cache.stats().evictions[EvictionCause.CLEARED]) == (1, 100)
    assert heard == [EvictionCause.CLEARED] * 100


async def test_its_clear_against_loads_in_the_air() -> None:
    """What was being loaded in it when it was cleared is not stored; what is loaded beside it is."""
    cache = Cache()
    gate: Gate[str] = Gate()
    parts = [cache, cache.namespace("a"), cache.namespace("a").namespace("b"), cache.namespace("c")]
    tasks = [asyncio.create_task(part.get_or_load("key", gate.load)) for part in parts]
    await turns()
    await cache.namespace("a").clear()
    late = [asyncio.create_task(part.get_or_load("key", functools.partial(gate.load, "late"))) for part in parts]
    await turns()
    for number in range(4):
        gate.give("old", number)
    assert await together(*tasks) == ["old"] * 4
    await turns()
    assert [task.done() for task in late] == [True, False, False, True]
    assert gate.calls == [None] * 4 + ["late"] * 2
    gate.give("new", 4)
    gate.give("new", 5)
    assert await together(*late) == ["old", "new", "new", "old"]


async def test_same_bounds() -> None:
    """Entries of all namespaces count together, and push each other out."""
    cache = Cache(maxsize=3, policy="lru")
    one, two = cache.namespace("1"), cache.namespace("2")
    await one.set_many({1: 1, 2: 2})
    await two.set_many({1: 1, 2: 2})
    assert (one.keys(), two.keys()) == ([2], [1, 2])
    assert cache.stats() == one.stats()
    assert (one.stats().size, one.stats().evictions) == (3, {EvictionCause.CAPACITY: 1})


async def test_same_tags() -> None:
    """A tag is the same in all namespaces, and can be invalidated from any."""
    cache = Cache(tags=["all"])
    one, two = cache.namespace("1"), cache.namespace("2")
    for part in (cache, one, two):
        await part.set("all", 1)
        await part.set("own", 1, tags=["t"])
    await one.invalidate_tags("t", "unknown")
    assert [part.keys() for part in (cache, one, two)] == [["all"]] * 3
    await two.invalidate_tags("all")
    assert [part.keys() for part in (cache, one, two)] == [[]] * 3
    await cache.invalidate_tags()


@pytest.mark.one_loop
async def test_tags_are_no_namespaces() -> None:
    """A tag may be called as a namespace is: neither means the other. What is no tag is refused."""
    cache = Cache()
    await cache.namespace("a").set("key", "value", tags=["b"])
    await cache.namespace("b").set("key", "value")
    await cache.invalidate_tags("a")
    assert await cache.namespace("a").contains("key")
    await cache.namespace("b").clear()
    assert await cache.namespace("a").contains("key")
    tag: Any = ["a"]
    with pytest.raises(TypeError, match="tags must be strings, not list"):
        await cache.invalidate_tags(tag)


async def test_same_options() -> None:
    """The defaults of the cache hold in its namespaces; a namespace has no others."""
    clock = ManualClock()
    part = Cache(clock=clock, ttl=10, stale=5, copy="deep").namespace("a")
    await part.set("key", [1])
    (await part.get("key")).append(2)
    clock.advance(12)
    assert await part.get("key") is None
    gate: Gate[list[int]] = Gate()
    assert await part.get_or_load("key", gate.load) == [1]
    await turns()
    gate.give([3])
    await turns()
    assert await part.get("key") == [3]
    assert await part.touch("key", 100)
    clock.advance(99)
    assert await part.contains("key")


async def test_failures_within() -> None:
    """A load in a namespace fails as any other, and its error is remembered there alone."""
    cache = Cache(errors={KeyError: 10})
    gate: Gate[str] = Gate()
    task = asyncio.create_task(cache.namespace("a").get_or_load("key", gate.load))
    await turns()
    gate.fail(KeyError("no"))
    assert isinstance(await outcome(task), KeyError)
    with pytest.raises(KeyError, match="no"):
        await cache.namespace("a").get_or_load("key", gate.load)
    assert await cache.namespace("b").get("key") is None
    await cache.namespace("a").clear()
    task = asyncio.create_task(cache.namespace("a").get_or_load("key", gate.load))
    await turns()
    gate.give("value")
    assert await task == "value"


@pytest.mark.one_loop
async def test_what_it_is_called() -> None:
    """Its representation tells the cache and the way to it."""
    cache = Cache(name="shop")
    assert repr(cache) == "<Cache 'shop': 0 entries>"
    assert repr(cache.namespace("a").namespace("b")) == "<Cache 'shop', namespace='a', namespace='b': 0 entries>"
