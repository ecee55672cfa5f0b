"""The end of a `Cache`: what closing ends, what it waits for, and what there is no way back from."""

import asyncio
import copy
import functools
import pickle
from collections.abc import Awaitable, Callable

import pytest

from asynccache import Cache, CacheClosed, EvictionCause, LoadCancelled, async_cached
from asynccache.testing import ManualClock, live_flights
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, outcome, together, turns


class Busy:
    """A cache with all that can be under way: a load, one in a namespace, one of many, a refresh, one nobody awaits."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cache = Cache(clock=self.clock, ttl=10, stale=10)
        self.gate: Gate[str] = Gate()
        self.many = ManyGate()

    async def begin(self) -> "list[asyncio.Task[object]]":
        """Let all begin; give those who wait."""
        await self.cache.set("old", "old")
        self.clock.advance(10)
        assert await self.cache.get_or_load("old", functools.partial(self.gate.load, "refresh")) == "old"
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self.cache.get_or_load("a", functools.partial(self.gate.load, "a"))),
            asyncio.create_task(self.cache.namespace("n").get_or_load("a", functools.partial(self.gate.load, "in n"))),
            asyncio.create_task(self.cache.get_or_load_many([1, 2], self.many.load)),
        ]
        left = asyncio.create_task(self.cache.get_or_load("b", self.gate.load, on_abandon="finish"))
        await turns()
        left.cancel()
        await turns()
        assert (len(self.gate.calls), self.many.calls) == (4, [[1, 2]])
        return tasks


async def test_closing_cancels_all_that_is_under_way() -> None:
    """Who waits is told, every load is cancelled, and when aclose returns all have ended."""
    busy = Busy()
    tasks = await busy.begin()
    await busy.cache.aclose()
    assert (busy.gate.cancelled, busy.many.cancelled, live_flights()) == (4, 1, [])
    assert [type(await outcome(task)) for task in tasks] == [LoadCancelled] * 3
    stats = busy.cache.stats()
    assert (stats.size, stats.in_flight, stats.sweeper_alive) == (0, 0, False)


async def test_closing_can_wait() -> None:
    """With wait=True every load ends by itself, those that nobody waits for included."""
    busy = Busy()
    tasks = await busy.begin()
    closing = asyncio.create_task(busy.cache.aclose(wait=True))
    await turns()
    with pytest.raises(CacheClosed):
        await busy.cache.get_or_load("new", busy.gate.load)
    for number in range(4):
        assert not closing.done()
        busy.gate.give(str(busy.gate.calls[number]), number)
        await turns()
    assert not closing.done()
    busy.many.give()
    assert await together(*tasks, closing) == ["a", "in n", {1: 10, 2: 20}, None]
    assert (busy.gate.cancelled, busy.many.cancelled) == (0, 0)
    assert busy.cache.stats().size == 0


async def test_loads_that_are_waited_for_may_ask_for_others() -> None:
    """What a load needs to come to its end it is given, while nobody else is."""
    cache = Cache()
    gate: Gate[str] = Gate()

    async def load() -> str:
        found = await cache.get_or_load_many([1], inner)
        return await gate.load() + await cache.get_or_load("inner", gate.load) + str(found[1])

    async def inner(keys: list[int]) -> list[int]:
        await gate.load()
        return keys

    task = asyncio.create_task(cache.get_or_load("outer", load))
    await turns()
    closing = asyncio.create_task(cache.aclose(wait=True))
    for value in ("unused", "x", "y"):
        await turns()
        gate.give(value)
    assert await together(task, closing) == ["xy1", None]


async def test_closing_waits_for_awaited_listeners() -> None:
    """They hear of all that was there: when aclose returns, the last has had its say."""
    heard: list[tuple[object, EvictionCause]] = []

    async def hear(key: object, _value: object, cause: EvictionCause) -> None:
        await asyncio.sleep(0)
        heard.append((key, cause))

    cache = Cache(on_evict=hear)
    await cache.set_many({1: "a", 2: "b"})
    await cache.delete(1)
    await cache.aclose()
    assert heard == [(1, EvictionCause.EXPLICIT), (2, EvictionCause.CLEARED)]


async def load() -> str:
    """Be a load."""
    return "value"


async def load_many(keys: list[object]) -> list[object]:
    """Be a load of many."""
    return keys


CALLS: dict[str, Callable[[Cache], Awaitable[object]]] = {
    "get": lambda cache: cache.get("key"),
    "get_many": lambda cache: cache.get_many(["key"]),
    "get_or_load": lambda cache: cache.get_or_load("key", load),
    "get_or_load with options": lambda cache: cache.get_or_load("key", load, ttl=10),
    "get_or_load_many": lambda cache: cache.get_or_load_many(["key"], load_many),
    "set": lambda cache: cache.set("key", "value"),
    "set_many": lambda cache: cache.set_many({"key": "value"}),
    "warm": lambda cache: cache.warm(["key"], lambda _: load()),
}


@pytest.mark.parametrize("call", CALLS)
async def test_afterwards_it_is_closed(call: str) -> None:
    """It says so by its name, in namespaces too, and stays empty; what looks and removes finds nothing."""
    cache = Cache(name="users")
    await cache.set("key", "value")
    part = cache.namespace("n")
    await part.set("key", "value")
    await cache.aclose()
    for one in (cache, part, cache.namespace("later")):
        with pytest.raises(CacheClosed, match="users is closed"):
            await CALLS[call](one)
        assert (await one.peek("key"), await one.contains("key"), await one.delete("key")) == (None, False, False)
        assert (one.keys(), await one.touch("key", 1)) == ([], False)
        await one.clear()
        await one.invalidate_tags("t")
    await cache.aclose()
    await cache.aclose(wait=True)


async def test_functions_that_share_it_are_closed_with_it() -> None:
    """Their calls are refused, whether there was a value or not."""
    cache = Cache()

    @async_cached(cache=cache)
    async def function(key: int) -> int:
        return key

    await function(1)
    await cache.aclose()
    for key in (1, 2):
        with pytest.raises(CacheClosed):
            await function(key)


async def test_a_namespace_does_not_close_the_cache() -> None:
    """Its aclose does nothing, nor does the end of its `async with`."""
    cache = Cache()
    gate: Gate[str] = Gate()
    async with cache.namespace("n") as part:
        await part.set("key", "value")
        task = asyncio.create_task(part.get_or_load("other", gate.load))
        await turns()
    await part.aclose(wait=True)
    assert await part.get("key") == "value"
    gate.give("loaded")
    assert await task == "loaded"


async def test_async_with() -> None:
    """At its end the cache is closed, also by an error, which comes out as it is."""
    async with Cache() as cache:
        await cache.set("key", "value")
    with pytest.raises(CacheClosed):
        await cache.get("key")
    gate: Gate[str] = Gate()
    error = ZeroDivisionError()
    cache = Cache()
    task = asyncio.create_task(cache.get_or_load("key", gate.load))
    await turns()
    with pytest.raises(ZeroDivisionError) as raised:
        async with cache:
            raise error
    assert raised.value is error
    assert isinstance(await outcome(task), LoadCancelled)
    assert gate.cancelled == 1


async def test_closing_from_inside_a_load() -> None:
    """A load may close its own cache: it is not waited for, and its caller gets what it gives."""
    for wait in (False, True):
        cache = Cache()

        async def close(cache: Cache = cache, wait: bool = wait) -> str:
            await cache.aclose(wait=wait)
            return "value"

        assert await together(cache.get_or_load("key", close)) == ["value"]
        assert not await cache.contains("key")


async def test_closing_can_be_cancelled() -> None:
    """Who waits for loads may stop to wait; the cache is closed all the same, and can be closed again."""
    cache = Cache()
    gate: Gate[str] = Gate()
    task = asyncio.create_task(cache.get_or_load("key", gate.load))
    await turns()
    closing = asyncio.create_task(cache.aclose(wait=True))
    await turns()
    closing.cancel()
    assert await outcome(closing) is asyncio.CancelledError
    with pytest.raises(CacheClosed):
        await cache.get_or_load("other", gate.load)
    await cache.aclose()
    assert isinstance(await outcome(task), LoadCancelled)


@pytest.mark.one_loop
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda function: function.__name__)
def test_there_is_only_one(duplicate: Callable[[Cache], object]) -> None:
    """A cache is neither copied nor pickled, nor is a namespace; the message says what to do."""
    for cache in (Cache(), Cache().namespace("n")):
        with pytest.raises(TypeError, match="a Cache cannot be copied or pickled: make one in each process"):
            duplicate(cache)
