"""Every field of `cache.stats()`, each by what makes it grow."""

import asyncio
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from asynccache import Cache, CacheStats, EvictionCause, async_cached
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, outcome, turns

COUNTERS = (
    "hits", "stale", "misses", "coalesced", "loads", "failures", "cancelled", "timeouts", "abandoned", "refreshes",
    "callback_errors", "notices_dropped", "in_flight", "size", "weight", "load_seconds", "sweeper_alive",
)  # fmt: skip


class Scene:
    """A cache on a clock of its own, and a gate where its loads wait."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.cache = Cache(clock=self.clock, **options)
        self.gate: Gate[str] = Gate()
        self._before = self.cache.stats()

    async def ask(self, **options: Any) -> "asyncio.Task[str]":
        """Let one more caller wait for "key"."""
        task = asyncio.create_task(self.cache.get_or_load("key", self.gate.load, **options))
        await turns()
        return task

    async def fill(self, value: str = "old", **options: Any) -> None:
        """Have a value loaded."""
        task = await self.ask(**options)
        self.gate.give(value)
        await task
        self.news()

    def news(self) -> dict[str, float]:
        """Tell what has changed since it was last asked for, and by how much."""
        before, self._before = self._before, self.cache.stats()
        changes = {name: getattr(self._before, name) - getattr(before, name) for name in COUNTERS}
        return {name: change for name, change in changes.items() if change}


@pytest.mark.one_loop
def test_all_fields_are_tried_here() -> None:
    """There is no counter that this file forgets."""
    assert {field.name for field in fields(CacheStats)} == {*COUNTERS, "evictions", "load_times", "shared"}
    empty = Cache().stats()
    assert [getattr(empty, name) for name in COUNTERS] == [0] * len(COUNTERS)
    assert (empty.evictions, empty.load_times, empty.shared) == ({}, {}, None)


async def test_misses_loads_and_hits() -> None:
    """Who starts a load is a miss, who joins it coalesces, who finds its value is a hit."""
    scene = Scene()
    first = await scene.ask()
    assert scene.news() == {"misses": 1, "in_flight": 1}
    second = await scene.ask()
    assert scene.news() == {"coalesced": 1}
    scene.gate.give("value")
    await asyncio.wait([first, second])
    assert scene.news() == {"loads": 1, "in_flight": -1, "size": 1, "weight": 1}
    await scene.ask()
    await scene.cache.get("key")
    await scene.cache.get_many(["key", "other"])
    assert scene.news() == {"hits": 3, "misses": 1}


async def test_of_many() -> None:
    """Each key counts as if it had been asked for alone."""
    scene = Scene()
    gate = ManyGate()
    await scene.fill()
    task = await gate.ask(scene.cache, "key", 1, 2)
    other = await gate.ask(scene.cache, 2)
    gate.give({1: "one"})
    await asyncio.wait([task, other])
    assert scene.news() == {"hits": 1, "misses": 2, "coalesced": 1, "loads": 2, "size": 1, "weight": 1}


async def test_failures() -> None:
    """A load that raises is a failure, and one that is cancelled too, whoever asked for it."""
    scene = Scene()
    task = await scene.ask()
    scene.gate.fail(OSError())
    await outcome(task)
    assert scene.news() == {"misses": 1, "failures": 1}
    task = await scene.ask()
    scene.gate.fail(asyncio.CancelledError())
    await outcome(task)
    assert scene.news() == {"misses": 1, "failures": 1, "cancelled": 1}
    task = await scene.ask()
    task.cancel()
    await turns()
    assert scene.news() == {"misses": 1, "failures": 1, "cancelled": 1, "abandoned": 1}


async def test_timeouts() -> None:
    """A load that took longer than its timeout is a failure, and was cancelled; nobody abandoned it."""
    scene = Scene(timeout=5)
    task = await scene.ask()
    scene.clock.advance(5)
    await outcome(task)
    await turns()
    assert scene.news() == {"misses": 1, "timeouts": 1, "failures": 1, "cancelled": 1, "load_seconds": 5}


async def test_old_values() -> None:
    """Who is served an old value is stale and no hit; what is loaded behind for him is a refresh and no miss."""
    scene = Scene(ttl=10, stale=10, stale_if_error=50)
    await scene.fill()
    scene.clock.advance(10)
    await scene.ask()
    assert scene.news() == {"stale": 1, "refreshes": 1, "in_flight": 1}
    scene.gate.fail(OSError())
    await turns()
    assert scene.news() == {"failures": 1, "in_flight": -1}
    scene.clock.advance(10)
    tasks = [await scene.ask(), await scene.ask()]
    scene.gate.fail(OSError())
    await asyncio.wait(tasks)
    assert scene.news() == {"misses": 1, "coalesced": 1, "failures": 1, "stale": 2}


async def test_refreshes_ahead() -> None:
    """A value that is still fresh is a hit, though it is refreshed behind."""
    scene = Scene(ttl=10, refresh_ahead=0.5)
    await scene.fill()
    scene.clock.advance(5)
    await scene.ask()
    scene.gate.give("new")
    await turns()
    assert scene.news() == {"hits": 1, "refreshes": 1, "loads": 1}


async def test_remembered_errors() -> None:
    """Being told a remembered error is a hit."""
    scene = Scene(errors={KeyError: 10})
    task = await scene.ask()
    scene.gate.fail(KeyError())
    await outcome(task)
    scene.news()
    await outcome(await scene.ask())
    assert scene.news() == {"hits": 1}


async def test_evictions() -> None:
    """Each entry that leaves is counted once, by the cause; remembered errors are none of them."""
    clock = ManualClock()
    cache = Cache(clock=clock, maxsize=3, policy="lru")
    causes: dict[EvictionCause, Callable[[], Any]] = {
        EvictionCause.REPLACED: lambda: cache.set(3, "new"),
        EvictionCause.EXPLICIT: lambda: cache.delete(3),
        EvictionCause.CAPACITY: lambda: cache.set_many({4: "d", 5: "e"}),
        EvictionCause.CLEARED: cache.clear,
    }
    await cache.set_many({1: "a", 2: "b", 3: "c"})
    for cause, act in causes.items():
        before = cache.stats().evictions.get(cause, 0)
        await act()
        assert cache.stats().evictions[cause] - before == (3 if cause is EvictionCause.CLEARED else 1)
    await cache.set(1, "a", ttl=1)
    clock.advance(2)
    await turns()
    assert cache.stats().evictions[EvictionCause.EXPIRED] == 1
    await cache.set(1, "a", tags=["t"])
    await cache.invalidate_tags("t")
    clock.advance(2)
    await turns()
    assert sum(cache.stats().evictions.values()) == 8
    assert cache.stats().evictions[EvictionCause.EXPLICIT] == 2


async def test_size_and_weight() -> None:
    """Entries, and what they weigh together; what is gone weighs until it is swept."""
    scene = Scene(max_weight=100, weigher=lambda _key, value: len(value))
    await scene.cache.set_many({1: "xxx", 2: "xxxx"}, ttl=10)
    await scene.cache.set(3, "x")
    assert scene.news() == {"size": 3, "weight": 8, "sweeper_alive": 1}
    scene.clock.advance(12)
    await turns()
    assert scene.news() == {"size": -2, "weight": -7, "sweeper_alive": -1}


async def test_callback_errors(loop_errors: list[dict[str, Any]]) -> None:
    """What listeners and functions given as options raise is counted, and reported to the loop."""
    scene = Scene(on_evict=lambda _key, _value, _cause: 1 // 0)
    await scene.fill()
    await scene.cache.delete("key")
    assert scene.news() == {"callback_errors": 1, "size": -1, "weight": -1}
    await scene.cache.set("key", "value", store_if=lambda _: 1 // 0)
    assert scene.news() == {"callback_errors": 1}
    assert len(loop_errors) == 2


async def test_load_times() -> None:
    """By the cache's clock: all together, and how many took up to so many seconds."""
    scene = Scene()
    for seconds in (0.0, 0.5, 0.75, 3.0, 3.5):
        task = await scene.ask(ttl=0)
        scene.clock.advance(seconds)
        scene.gate.give("value")
        await task
    task = await scene.ask()
    scene.clock.advance(100)
    scene.gate.fail(OSError())
    await outcome(task)
    stats = scene.cache.stats()
    assert stats.load_seconds == 107.75
    assert stats.load_times == {1 / 1024: 1, 1.0: 2, 4.0: 2, 128.0: 1}


async def test_they_are_of_the_whole() -> None:
    """Namespaces and functions that share the cache count with it; clear does not set them back."""
    cache = Cache()
    gate: Gate[str] = Gate()

    @async_cached(cache=cache)
    async def function(key: int) -> int:
        return key

    await cache.namespace("a").get("key")
    await cache.namespace("a").set("key", "value")
    await cache.namespace("a").get("key")
    await function(1)
    await function(1)
    assert await cache.namespace("a").get_or_load("key", gate.load) == "value"
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.loads, stats.size) == (3, 2, 1, 2)
    await cache.clear()
    assert (cache.stats().hits, cache.stats().misses, cache.stats().size) == (3, 2, 0)
    assert stats.size == 2
