"""What a review has found: failures that cannot be dealt with, caches that hold themselves, closing half-way."""

import asyncio
import gc
import json
import pickle
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from asynccache import Cache, CacheClosed, LoadCancelled, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, outcome, together, turns

LoopErrors = list[dict[str, Any]]


class Touchy:
    """A key whose comparison can break, as that of a database's object may."""

    broken = False

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        if Touchy.broken:
            raise RuntimeError("detached")
        return self is other


async def test_a_failure_that_cannot_be_dealt_with_is_told_all_the_same(loop_errors: LoopErrors) -> None:
    """Whatever goes wrong while a failed load is looked after, those who wait hear of the load, and the key is free."""
    cache = Cache(ttl=10, stale_if_error=10)
    gate: Gate[int] = Gate()
    await cache.set(Touchy(), "another of the same hash")
    key = Touchy()
    task = asyncio.create_task(cache.get_or_load(key, gate.load))
    await turns()
    Touchy.broken = True
    try:
        gate.fail(OSError("down"))
        await turns()
    finally:
        Touchy.broken = False
    assert isinstance(await outcome(task), OSError)
    assert [error["message"] for error in loop_errors] == ["dealing with a failed load of cache raised RuntimeError"]
    task = asyncio.create_task(cache.get_or_load(key, gate.load))
    await turns()
    gate.give(1)
    assert await task == 1
    await cache.aclose()


@pytest.mark.one_loop
async def test_a_cache_that_a_value_leads_back_to_is_freed() -> None:
    """A service that holds its cache, and is a value in it, goes when nobody else holds it."""

    class Service:
        def __init__(self) -> None:
            self.cache = Cache()

    service = Service()
    await service.cache.set("me", service)
    gone = weakref.ref(service)
    del service
    gc.collect()
    assert gone() is None


async def test_closing_that_is_cancelled_serves_nothing() -> None:
    """Who does not wait for the last load has closed the cache all the same."""
    cache = Cache(ttl=10)
    gate: Gate[int] = Gate()
    await cache.set("key", 1)
    task = asyncio.create_task(cache.get_or_load("other", gate.load))
    await turns()
    closing = asyncio.create_task(cache.aclose(wait=True))
    await turns()
    closing.cancel()
    await outcome(closing)
    assert (cache.stats().size, cache.stats().sweeper_alive) == (0, False)
    with pytest.raises(CacheClosed):
        await cache.get("key")
    await cache.aclose()
    assert isinstance(await outcome(task), LoadCancelled)


async def test_a_large_cache_that_is_closed_leaves_nothing() -> None:
    """All is given back when aclose returns, and nothing is planned for later."""

    class Value:
        pass

    cache = Cache(maxsize=None)
    left: weakref.WeakSet[Value] = weakref.WeakSet()
    for key in range(20_000):
        value = Value()
        left.add(value)
        await cache.set(key, value)
    del value
    await cache.aclose()
    assert len(left) == 0
    assert not cache.stats().sweeper_alive


async def test_loads_that_closing_waits_for_may_use_the_cache() -> None:
    """With wait=True they are let finish, whatever they ask of the cache that is being closed."""
    cache = Cache()
    gate: Gate[Any] = Gate()

    async def load_many(keys: list[int]) -> list[int]:
        found: list[int] = await gate.load(*keys)
        return found

    async def load() -> object:
        found = await gate.load()
        await cache.set("set", found)
        many = await cache.get_or_load_many([1], load_many)
        return await cache.get("set"), await cache.get("missing"), many

    task = asyncio.create_task(cache.get_or_load("key", load))
    await turns()
    closing = asyncio.create_task(cache.aclose(wait=True))
    await turns()
    gate.give(5)
    await turns()
    gate.give([7])
    assert await together(task, closing) == [(5, None, {1: 7}), None]


async def test_a_cancelled_batch_names_to_each_caller_its_own_key() -> None:
    """Others' keys are not its business, and the error can be pickled as any other."""

    @async_cached.batched
    async def load(_keys: list[int]) -> list[int]:
        raise asyncio.CancelledError

    first, second = asyncio.create_task(load(1)), asyncio.create_task(load(2))
    errors = [await outcome(first), await outcome(second)]
    assert [(type(error), getattr(error, "key", None)) for error in errors] == [(LoadCancelled, 1), (LoadCancelled, 2)]
    assert pickle.loads(pickle.dumps(errors[0])).key == 1


@pytest.mark.one_loop
async def test_mistakes_in_options_show_no_values(loop_errors: LoopErrors) -> None:
    """What a function given as an option returns may be private: messages name its type."""

    @async_cached(ttl=lambda value: value)
    async def dated(_key: int) -> Any:
        return {"password": "hunter2"}

    @async_cached(tags=lambda value, _key: str(value))
    async def tagged(_key: int) -> str:
        return "user alice@example.com"

    await dated(1)
    await tagged(1)
    assert len(loop_errors) == 2
    shown = str(loop_errors)
    assert "hunter2" not in shown
    assert "alice" not in shown


@pytest.mark.one_loop
async def test_an_old_value_in_a_failure_s_place_counts_once() -> None:
    """The call was a miss; that it was served an old value is told by `stale`."""
    clock = ManualClock()
    down = False

    @async_cached(ttl=10, stale_if_error=10, clock=clock)
    async def load() -> int:
        if down:
            raise OSError
        return 1

    await load()
    clock.advance(11)
    down = True
    assert await load() == 1
    assert load.cache_info()[:2] == (0, 2)
    assert load.cache_stats().stale == 1


@pytest.mark.one_loop
async def test_functions_of_one_name_are_not_saved(tmp_path: Path) -> None:
    """In a file they could not be told apart: they are counted as refused, and load anew after the restart."""
    cache = Cache()

    def make(name: str) -> Any:
        @async_cached(cache=cache)
        async def load(key: int) -> str:
            return f"{name} {key}"

        return load

    one, two = make("one"), make("two")
    await one(1)
    await two(1)
    await cache.set("key", "value")
    report = await cache.snapshot(tmp_path / "file")
    assert (report.saved, report.refused) == (1, 2)


@pytest.mark.one_loop
async def test_counters_can_be_written_as_json() -> None:
    """Causes of evictions are strings, so that a /stats page goes on to work when there are some."""
    cache = Cache()
    await cache.set("key", 1)
    await cache.clear()
    assert json.loads(json.dumps(asdict(cache.stats())))["evictions"] == {"cleared": 1}


@pytest.mark.one_loop
async def test_one_text_is_not_taken_for_many_keys() -> None:
    """Its letters were not meant."""
    cache = Cache()
    for call in (cache.get_many("A1"), cache.delete_many("A1"), cache.warm("A1", cache.get)):
        with pytest.raises(TypeError, match="must be several keys, not one text"):
            await call


@pytest.mark.one_loop
def test_options_of_others_are_refused_with_what_to_write() -> None:
    """A Cache says which option was meant, and which belongs to a function."""
    with pytest.raises(TypeError, match="did you mean 'maxsize'"):
        Cache(maxsise=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"key belongs to a function: write @async_cached\(cache="):
        Cache(key=str)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="error_backoff requires one of stale"):
        Cache(error_backoff=5)
