"""`Cache.get_or_load_many` where something goes wrong: loads that fail, callers who leave, caches that close."""

import asyncio
import re
from typing import Any

import pytest

from asynccache import Cache, LoadCancelled, LoadTimeout, RecursiveLoad
from asynccache.testing import ManualClock, live_flights
from tests.cache.many import ManyGate
from tests.flight.cancelling import at_turns
from tests.flight.gates import Gate, outcome, together, turns


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        ([1], ValueError, "a load of 2 keys gave 1 values: give one for each, or a mapping"),
        (None, TypeError, "must give a mapping, or a list as long as its keys, not NoneType"),
        ("ab", TypeError, "not str"),
        ({1, 2}, TypeError, "not set"),
        (iter([1, 2]), TypeError, "not list_iterator"),
    ],
    ids=["short", "None", "text", "set", "iterator"],
)
async def test_what_is_no_result(found: Any, kind: type[Exception], words: str) -> None:
    """Anything else is refused with what to give, and nothing is stored."""
    for is_disabled in (False, True):
        cache = Cache()
        gate = ManyGate()
        with cache.disabled() if is_disabled else cache.refreshing():
            task = await gate.ask(cache, 1, 2)
        gate.give(found)
        with pytest.raises(kind, match=re.escape(words)):
            await task
        assert cache.keys() == []


async def test_exceptions_as_values() -> None:
    """An exception in a value's place is raised, for that key alone; the others are stored."""
    cache = Cache()
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2, 3)
    other = asyncio.create_task(cache.get_or_load(2, Gate[str]().load))
    await turns()
    gate.give({1: KeyError("one"), 2: "two", 3: "three"})
    with pytest.raises(KeyError, match="one"):
        await task
    assert await other == "two"
    assert cache.items() == [(2, "two"), (3, "three")]
    task = await gate.ask(cache, 1, 2, 3)
    assert gate.calls[1:] == [[1]]
    gate.give({1: "one"})
    assert await task == {1: "one", 2: "two", 3: "three"}


async def test_the_whole_fails() -> None:
    """All who wait for one of its keys are given the error, and nothing is stored."""
    cache = Cache()
    gate = ManyGate()
    tasks = [await gate.ask(cache, 1, 2), await gate.ask(cache, 2, 3)]
    error = OSError("down")
    gate.fail(error, 0)
    assert await outcome(tasks[0]) is error
    gate.give(number=1)
    assert await outcome(tasks[1]) is error
    assert cache.items() == [(3, 30)]
    assert cache.stats().failures == 2


async def test_remembered_errors() -> None:
    """An error that is an answer is remembered for its key, as a value and as the whole load's; a copy is raised."""
    clock = ManualClock()
    cache = Cache(clock=clock, errors={KeyError: 5})
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2)
    error = KeyError("one")
    gate.give({1: error, 2: "two"})
    assert await outcome(task) is error
    for keys in ((1, 2, 3), (1,)):
        raised = await outcome(await gate.ask(cache, *keys))
        assert isinstance(raised, KeyError)
        assert raised is not error
    assert len(gate.calls) == 1
    clock.advance(5)
    task = await gate.ask(cache, 1, 2)
    gate.fail(KeyError("all"))
    assert isinstance(await outcome(task), KeyError)
    assert isinstance(await outcome(await gate.ask(cache, 1)), KeyError)
    assert gate.calls == [[1, 2], [1]]


async def test_old_values_instead_of_an_error() -> None:
    """`stale_if_error` holds for each key that has an old value; one that has none raises."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale_if_error=50, error_backoff=5)
    gate = ManyGate()
    await cache.set_many({1: "old", 2: "old"})
    clock.advance(10)
    task = await gate.ask(cache, 1, 2)
    gate.fail(OSError("down"))
    assert await task == {1: "old", 2: "old"}
    task = await gate.ask(cache, 1, 2, 3)
    assert gate.calls[1:] == [[3]]
    gate.fail(OSError("down"))
    assert isinstance(await outcome(task), OSError)


async def test_timeouts() -> None:
    """A call's timeout holds for what it loads: who waits is told, and the load of many is cancelled."""
    clock = ManualClock()
    cache = Cache(clock=clock)
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2, timeout=5)
    clock.advance(5)
    assert isinstance(await outcome(task), LoadTimeout)
    await turns()
    assert (gate.cancelled, cache.stats().timeouts) == (1, 2)
    assert live_flights() == []


async def test_cancelled_callers_harm_nobody() -> None:
    """Who joined a key of a caller that was cancelled gets it; with the last who waits the load goes."""
    cache = Cache()
    gate = ManyGate()
    first = await gate.ask(cache, 1, 2)
    second = await gate.ask(cache, 2)
    first.cancel()
    await turns()
    assert (await outcome(first), gate.cancelled) == (asyncio.CancelledError, 0)
    gate.give()
    assert await second == {2: 20}
    third = await gate.ask(cache, 3, 4)
    third.cancel()
    await turns()
    assert (gate.cancelled, live_flights()) == (1, [])
    assert cache.stats().abandoned == 3


async def test_cancelled_at_every_turn() -> None:
    """Whenever a caller is cancelled, another who wants some of his keys gets them, and nothing is left."""
    caches = [Cache()]
    seen: list[bool] = []

    async def load(keys: list[int]) -> list[int]:
        for _ in range(3):
            await asyncio.sleep(0)
        return keys

    async for task in at_turns(lambda: caches[-1].get_or_load_many([1, 2, 3], load)):
        other = asyncio.create_task(caches[-1].get_or_load_many([3, 4], load))
        result = await outcome(task)
        assert result in (asyncio.CancelledError, {1: 1, 2: 2, 3: 3})
        seen.append(result is asyncio.CancelledError)
        assert await outcome(other) == {3: 3, 4: 4}
        caches.append(Cache())
    assert (seen[0], seen[-1]) == (True, False)
    assert live_flights() == []


async def test_a_caller_who_is_cancelled_before_the_call_asks_for_nothing() -> None:
    """A batch whose keys nobody wants any more is not loaded."""
    cache = Cache()
    gate = ManyGate()
    task = asyncio.create_task(cache.get_or_load_many([1, 2], gate.load))
    await asyncio.sleep(0)
    task.cancel()
    await turns()
    assert await outcome(task) is asyncio.CancelledError
    assert len(gate.calls) == gate.cancelled
    assert live_flights() == []


async def test_a_load_that_cancels_itself() -> None:
    """Who waits was not cancelled, and is not told so."""
    gate = ManyGate()
    task = await gate.ask(Cache(), 1, 2)
    gate.fail(asyncio.CancelledError())
    assert isinstance(await outcome(task), LoadCancelled)


async def test_recursion() -> None:
    """A load of many that asks for one of its own keys is told so at once; it may ask for others."""
    cache = Cache()
    gate = ManyGate()

    async def one(keys: list[int]) -> list[int]:
        return [await cache.get_or_load(keys[-1], Gate[int]().load) for _ in keys]

    async def many(keys: list[int]) -> dict[int, int]:
        return await cache.get_or_load_many([3, *keys], gate.load)

    for load in (one, many):
        with pytest.raises(RecursiveLoad):
            await together(cache.get_or_load_many([1, 2], load))
    assert (gate.calls, live_flights()) == ([], []) or gate.cancelled == len(gate.calls)

    async def around(keys: list[int]) -> dict[int, int]:
        return dict.fromkeys(keys, 0) if 5 in keys else await cache.get_or_load_many([5, 6], around)

    assert await together(cache.get_or_load_many([7, 8], around)) == [{}]
    assert cache.items() == [(5, 0), (6, 0)]


async def test_who_has_given_up_waiting_waits_no_more() -> None:
    """A load that gave up waiting for a key may be asked for by that key's own load: that is no ring."""
    cache = Cache()
    first, second = asyncio.Event(), asyncio.Event()

    async def impatient() -> str:
        try:
            async with asyncio.timeout(0):
                await cache.get_or_load_many(["slow"], slow)
        except TimeoutError:
            first.set()
            await second.wait()
        return "value"

    async def slow(keys: list[str]) -> list[str]:
        await first.wait()
        asked = asyncio.create_task(cache.get_or_load("impatient", impatient))
        await turns(2)
        second.set()
        return [await asked for _ in keys]

    many = asyncio.create_task(cache.get_or_load_many(["slow"], slow))
    await turns()
    assert await together(cache.get_or_load("impatient", impatient)) == ["value"]
    assert await together(many) == [{"slow": "value"}]


async def test_closing_meanwhile() -> None:
    """Callers are told, and the load of many is cancelled."""
    cache = Cache()
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2)
    await cache.aclose()
    assert isinstance(await outcome(task), LoadCancelled)
    assert (gate.cancelled, live_flights()) == (1, [])


async def test_closing_that_waits() -> None:
    """With wait=True callers get their values."""
    cache = Cache()
    gate = ManyGate()
    task = await gate.ask(cache, 1, 2)
    closing = asyncio.create_task(cache.aclose(wait=True))
    await turns()
    assert not closing.done()
    gate.give()
    assert await together(task, closing) == [{1: 10, 2: 20}, None]
    assert gate.cancelled == 0
