"""Batched functions are cached functions: each key has an entry of its own, with all that the options say of it."""

import asyncio
import traceback
from typing import Any

from asynccache import MISSING, async_cached
from asynccache.testing import ManualClock
from tests.decorator.batches import Counted, batched, ended, gated_batches
from tests.flight.gates import callers, outcome, together, turns


class NotFoundError(Exception):
    """What the loads here raise as an answer."""


async def test_only_what_is_missing_is_asked_for() -> None:
    """Keys that have a value are hits, and the others are asked for together."""
    asked, load = batched()
    await together(load(1), load(2))
    assert await together(*map(load, [1, 2, 3, 4])) == [f"value {key}" for key in (1, 2, 3, 4)]
    assert asked == [[1, 2], [3, 4]]
    assert load.cache_info() == (2, 4, 1024, 4)


async def test_what_is_under_way_is_not_asked_for_again() -> None:
    """A key that an earlier call is loading is waited for there."""
    gate, load = gated_batches()
    tasks = await callers(load, 1, 1)
    tasks += [asyncio.create_task(load(key)) for key in (1, 2)]
    await turns()
    assert gate.calls == [(1,), (2,)]
    gate.give({1: "a"}, 0)
    gate.give({2: "b"}, 1)
    assert await together(*tasks) == ["a", "a", "b"]


async def test_counters_count_keys() -> None:
    """A load of a key is one load, however many keys the call had; the call itself is not counted besides."""
    gate, load = gated_batches()
    tasks = [asyncio.create_task(load(key)) for key in (1, 2, 2)]
    await turns()
    assert (load.cache_stats().in_flight, load.cache_parameters()["tasks"]) == (2, 2)
    assert load.cache_info().currsize == 2
    gate.give({1: "a"})
    for task in tasks:
        await outcome(task)
    stats = load.cache_stats()
    assert (stats.misses, stats.coalesced, stats.loads, stats.failures, stats.in_flight) == (2, 1, 2, 0, 0)


async def test_nothing_stored() -> None:
    """With `maxsize=0` calls are still made together, and keys asked for once."""
    asked, load = batched(maxsize=0)
    for _ in range(2):
        await together(load(1), load(2), load(1))
    assert asked == [[1, 2], [1, 2]]


async def test_values_grow_old_each_by_itself() -> None:
    """A `ttl` may be a function of the value, and of its key."""
    cached = Counted(ttl=lambda _value, key: 10 * key)
    await cached.read(1, 2)
    cached.clock.advance(15)
    assert await cached.read(1, 2) == ["1, version 2", "2, version 1"]
    assert cached.asked == [[1, 2], [1]]


async def test_old_values_are_refreshed_together() -> None:
    """Within `stale` old values are served at once, and one call behind refreshes all that were read."""
    cached = Counted(ttl=10, stale=10)
    await cached.read(1, 2, 3)
    cached.clock.advance(15)
    assert await cached.read(1, 2) == ["1, version 1", "2, version 1"]
    assert cached.asked == [[1, 2, 3], [1, 2]]
    assert await cached.read(1, 2) == ["1, version 2", "2, version 2"]


async def test_old_values_when_the_call_fails() -> None:
    """Within `stale_if_error` each key has its old value, and those who have none get the error."""
    cached = Counted(ttl=10, stale_if_error=10)
    await cached.read(1, 2)
    cached.clock.advance(15)
    cached.fails = OSError("down")
    assert await cached.read(1, 2, 3) == ["1, version 1", "2, version 1", cached.fails]


async def test_left_out_is_an_answer() -> None:
    """A key that is not there any more is a `KeyError`, even where there is an old value to serve in an outage."""
    clock = ManualClock()
    gate, load = gated_batches(ttl=10, stale_if_error=50, clock=clock)
    for found in ({1: "a"}, {}):
        (task,) = await callers(load, 1, 1)
        gate.give(found)
        await outcome(task)
        clock.advance(15)
    assert isinstance(await outcome(task), KeyError)
    assert load.cache_peek(1) is MISSING


async def test_errors_that_are_remembered() -> None:
    """Those among the values are remembered for their keys, and one of the whole call for all of its keys."""
    asked: list[list[int]] = []

    @async_cached.batched(errors={NotFoundError: 5}, clock=ManualClock())
    async def load(keys: list[int]) -> list[Any]:
        asked.append(keys)
        if 0 in keys:
            raise NotFoundError("all")
        return [NotFoundError(key) if key % 2 else key for key in keys]

    for _ in range(2):
        errors = await ended(load(1), load(2), load(3))
        assert list(map(repr, errors)) == ["NotFoundError(1)", "2", "NotFoundError(3)"]
    assert asked == [[1, 2, 3]]
    for _ in range(2):
        assert list(map(repr, await ended(load(0), load(4)))) == ["NotFoundError('all')"] * 2
    assert asked[1:] == [[0, 4]]


async def test_one_error_for_many_keys() -> None:
    """An error that is given again and again, as one object, does not grow by it."""
    missing = NotFoundError("missing")

    @async_cached.batched()
    async def load(keys: list[int]) -> list[NotFoundError]:
        return [missing for _ in keys]

    lengths: set[int] = set()
    for _ in range(3):
        assert await ended(load(1), load(2)) == [missing, missing]
        lengths.add(len(traceback.extract_tb(missing.__traceback__)))
    assert len(lengths) == 1


async def test_tags() -> None:
    """`tags` may be a function of the value, and of its key."""
    cached = Counted(tags=lambda _value, key: [f"rest {key % 2}"])
    await cached.read(1, 2, 3)
    cached.load.cache_invalidate_tags("rest 1")
    assert await cached.read(1, 2, 3) == ["1, version 2", "2, version 1", "3, version 2"]


async def test_what_is_not_to_be_stored() -> None:
    """`store_if` looks at each value, and its key."""
    cached = Counted(store_if=lambda _value, key: key != 2)
    await cached.read(1, 2)
    assert (cached.load.cache_contains(1), cached.load.cache_contains(2)) == (True, False)


async def test_each_caller_a_copy() -> None:
    """With `copy` nobody can change what others get."""

    @async_cached.batched(copy="shallow")
    async def load(keys: list[int]) -> list[list[int]]:
        return [[key] for key in keys]

    one, other = await together(load(1), load(1))
    one.append(5)
    assert (other, await load(1)) == ([1], [1])


async def test_key_decides_what_is_one_entry() -> None:
    """`key` is a function of one key; the function is asked for one of those that are alike."""
    asked: list[list[str]] = []

    @async_cached.batched(key=str.lower)
    async def load(keys: list[str]) -> list[str]:
        asked.append(keys)
        return keys

    assert await together(load("A"), load("a"), load("B")) == ["A", "A", "B"]
    assert await load("b") == "B"
    assert asked == [["A", "B"]]
