"""`Cache.get_or_load_many`: what is there, what is on its way, and the rest by one call."""

import asyncio
import functools

import pytest

from asynccache import Cache, current_load
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, outcome, together, turns


@pytest.mark.parametrize("namespace", [False, True], ids=["root", "namespace"])
async def test_one_call_for_what_is_missing(namespace: bool) -> None:
    """What is stored is given as it is, all the rest is asked for at once, and then stored."""
    cache = Cache().namespace("n") if namespace else Cache()
    gate = ManyGate()
    await cache.set(2, "stored")
    task = await gate.ask(cache, 3, 2, 1)
    gate.give()
    assert list((await task).items()) == [(3, 30), (2, "stored"), (1, 10)]
    assert gate.calls == [[3, 1]]
    assert await cache.get_many([1, 2, 3]) == {1: 10, 2: "stored", 3: 30}
    assert await (await gate.ask(cache, 1, 2, 3)) == {1: 10, 2: "stored", 3: 30}
    assert len(gate.calls) == 1


async def test_duplicates_order_and_iterators() -> None:
    """A key that is named twice is asked for once; the order is that of the keys, whatever the load gives."""
    cache = Cache()
    gate = ManyGate()
    task = asyncio.create_task(cache.get_or_load_many(iter([3, 1, 3, 2, 1]), gate.load))
    await turns()
    gate.give({1: "a", 2: "b", 3: "c", 4: "not asked for"})
    assert list((await task).items()) == [(3, "c"), (1, "a"), (2, "b")]
    assert gate.calls == [[3, 1, 2]]
    assert sorted(cache.keys()) == [1, 2, 3]


async def test_nothing_to_ask_for() -> None:
    """No keys, or none that is missing: no call."""
    cache = Cache()
    gate = ManyGate()
    await cache.set(1, None)
    assert await cache.get_or_load_many([], gate.load) == {}
    assert await cache.get_or_load_many([1], gate.load) == {1: None}
    assert gate.calls == []


async def test_what_is_left_out() -> None:
    """Keys that the load leaves out are answers and no failures, and are asked for again; None is a value."""
    cache = Cache()
    gate = ManyGate()
    for _ in range(2):
        task = await gate.ask(cache, 1, 2)
        gate.give({2: None} if len(gate.calls) == 1 else {})
        assert await task == {2: None}
    assert gate.calls == [[1, 2], [1]]
    stats = cache.stats()
    assert (stats.loads, stats.failures) == (3, 0)


async def test_what_is_left_out_can_be_remembered() -> None:
    """With `errors={KeyError: ...}` a key that was left out is left out for so long, and nobody asks for it."""
    clock = ManualClock()
    cache = Cache(errors={KeyError: 5}, clock=clock)
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2)
    gate.give({2: "two"})
    assert await task == {2: "two"}
    clock.advance(4)
    assert await cache.get_or_load_many([1, 2], gate.load) == {2: "two"}
    clock.advance(1)
    task = await gate.ask(cache, 1, 2)
    gate.give()
    assert await task == {1: 10, 2: "two"}
    assert gate.calls == [[1, 2], [1]]


async def test_what_is_left_out_is_no_more() -> None:
    """An old value of a key that is left out is not served any more, not even instead of an error."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale_if_error=100)
    gate = ManyGate()
    await cache.set(1, "old")
    clock.advance(10)
    task = await gate.ask(cache, 1)
    gate.give({})
    assert await task == {}
    task = await gate.ask(cache, 1)
    gate.fail(OSError("down"))
    assert isinstance(await outcome(task), OSError)


async def test_a_list_has_one_for_each() -> None:
    """A load may give a list, in the order in which it was asked."""
    cache = Cache()
    gate = ManyGate()
    await cache.set("b", "stored")
    task = await gate.ask(cache, "c", "b", "a")
    gate.give(["for c", None])
    assert await task == {"c": "for c", "b": "stored", "a": None}
    task = await gate.ask(cache, 1, 2)
    gate.give(("x", "y"))
    assert await task == {1: "x", 2: "y"}


async def test_running_loads_are_joined() -> None:
    """Keys that somebody loads already, one or many at once, are waited for; only the rest is asked for."""
    cache = Cache()
    gate = ManyGate()
    single: Gate[str] = Gate()
    one = asyncio.create_task(cache.get_or_load(1, functools.partial(single.load, 1)))
    several = await gate.ask(cache, 2, 3)
    task = await gate.ask(cache, 4, 3, 2, 1)
    joined: asyncio.Task[object] = asyncio.create_task(cache.get_or_load(4, functools.partial(single.load, 4)))
    await turns()
    assert (gate.calls, single.calls) == ([[2, 3], [4]], [1])
    gate.give(number=1)
    await turns()
    assert await joined == 40
    assert not task.done()
    single.give("one")
    gate.give(number=0)
    assert await together(one, several) == ["one", {2: 20, 3: 30}]
    assert list((await task).items()) == [(4, 40), (3, 30), (2, 20), (1, "one")]
    assert cache.stats().coalesced == 4


async def test_old_values_are_refreshed_behind_by_one_call() -> None:
    """Within `stale` old values are given at once, and asked for anew together; nobody asks twice."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale=50)
    gate = ManyGate()
    await cache.set_many({1: "old", 2: "old"})
    clock.advance(5)
    await cache.set(3, "fresh")
    clock.advance(5)
    for _ in range(2):
        assert await cache.get_or_load_many([1, 2, 3], gate.load) == {1: "old", 2: "old", 3: "fresh"}
        await turns()
    assert gate.calls == [[1, 2]]
    gate.give()
    await turns()
    assert await cache.get_many([1, 2, 3]) == {1: 10, 2: 20, 3: "fresh"}
    stats = cache.stats()
    assert (stats.stale, stats.refreshes, stats.misses) == (4, 2, 0)


async def test_old_and_missing_by_the_same_call() -> None:
    """Who has to wait for some gets the old values of the others, and one call loads both."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale=50)
    gate = ManyGate()
    await cache.set(1, "old")
    clock.advance(10)
    task = await gate.ask(cache, 1, 2)
    assert [sorted(call) for call in gate.calls] == [[1, 2]]
    gate.give()
    assert await task == {1: "old", 2: 20}
    assert await cache.get(1) == 10


async def test_what_a_load_of_many_says() -> None:
    """`current_load()` has all keys, and what it says holds for each value."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10).namespace("n")
    seen: list[object] = []

    async def load(keys: list[int]) -> list[int]:
        seen.append(current_load().key)
        current_load().ttl = 3
        current_load().tags = ["t"]
        await asyncio.sleep(0)
        return keys

    await cache.get_or_load_many([1, 2], load)
    assert seen == [(1, 2)]
    clock.advance(2)
    assert cache.keys() == [1, 2]
    clock.advance(1)
    assert cache.keys() == []
    await cache.get_or_load_many([1, 2], load)
    await cache.invalidate_tags("t")
    assert cache.keys() == []
