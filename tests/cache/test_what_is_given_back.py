"""What a `Cache` gives back as it was given: defaults, promises of a value, errors of others, memory."""

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from asynccache import Cache, EvictionCause, async_cached
from asynccache.serializers import snapshots
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, outcome, together, turns


@pytest.mark.parametrize("copy", ["deep", list], ids=str)
async def test_only_values_are_copied(copy: Any) -> None:
    """A default is given as it is, also where `copy` is a function that knows values alone."""
    cache = Cache(copy=copy)
    default = object()
    assert await cache.get("key", default) is default
    assert await cache.get("key") is None
    assert await cache.peek("key", default) is default
    assert (await cache.get_many(["key"]), await cache.contains("key")) == ({}, False)
    with cache.disabled():
        assert await cache.get("key", default) is default


async def test_a_call_may_take_back_a_default() -> None:
    """`ttl=None` is for ever though the cache spreads its times, or promises something for their end."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, jitter=5, stale=5, refresh_ahead=0.5)
    await cache.set("key", "value", ttl=None)
    clock.advance(1_000_000)
    assert await cache.get("key") == "value"


async def test_errors_of_other_caches_are_errors() -> None:
    """A load that asks another cache for a key which is left out there has failed: its own keys were not left out."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale_if_error=50)

    @async_cached.batched()
    async def other(_keys: list[int]) -> dict[int, int]:
        return {}

    async def load_many(keys: list[int]) -> list[int]:
        return [await other(5) for _ in keys]

    with pytest.raises(KeyError):
        await cache.get_or_load_many([1, 2], load_many)
    assert cache.stats().failures == 2
    await cache.set_many({1: "old", 2: "old"})
    clock.advance(10)
    found: object = await cache.get_or_load(1, lambda: other(5))
    assert found == "old"
    assert await cache.get_or_load_many([1, 2], load_many) == {1: "old", 2: "old"}


async def test_late_callers_for_many_ask_once_more() -> None:
    """Who joins loads whose values are then out of date asks for all of them again, by one call."""
    cache = Cache(tags=["t"])
    gate = ManyGate()
    first = await gate.ask(cache, 1, 2, 3)
    await cache.invalidate_tags("t")
    late = await gate.ask(cache, 3, 2, 1)
    gate.give(number=0)
    assert await first == {1: 10, 2: 20, 3: 30}
    await turns()
    assert [sorted(call) for call in gate.calls] == [[1, 2, 3], [1, 2, 3]]
    gate.give({1: "new", 2: "new"})
    assert await together(late) == [{2: "new", 1: "new"}]
    assert dict(cache.items()) == {1: "new", 2: "new"}


async def test_clear_beside_keys_that_are_gathered() -> None:
    """Who asks after a clear has his keys loaded after it, and no key is asked for twice by one caller."""
    calls: list[list[int]] = []
    clock = ManualClock()

    @async_cached.batched(max_wait=1.0, clock=clock)
    async def load(keys: list[int]) -> list[int]:
        calls.append(sorted(keys))
        return keys

    tasks = [asyncio.create_task(load(1))]
    await turns()
    load.cache_clear()
    tasks.append(asyncio.create_task(load(2)))
    await turns()
    clock.advance(1)
    assert await together(*tasks) == [1, 2]
    assert calls == [[1], [2]]


@pytest.mark.parametrize("removal", ["tag", "delete", "clear", "namespace"])
async def test_what_is_removed_while_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removal: str
) -> None:
    """A removal that returned before restore did holds: values from former times do not come back after it."""
    file = tmp_path / "snapshot"
    saving = Cache()
    await saving.namespace("n").set("key", "saved", tags=["t"])
    await saving.snapshot(file)
    go_on = threading.Event()
    read = snapshots.read

    def wait_and_read(path: Any) -> snapshots.Snapshot:
        go_on.wait(10)
        return read(path)

    monkeypatch.setattr(snapshots, "read", wait_and_read)
    cache = Cache()
    part = cache.namespace("n")
    task = asyncio.create_task(cache.restore(file))
    await turns()
    if removal == "tag":
        await cache.invalidate_tags("t")
    elif removal == "delete":
        await part.delete("key")
    else:
        await (cache if removal == "clear" else part).clear()
    go_on.set()
    report = await task
    assert (report.restored, report.refused, cache.stats().size) == (0, 1, 0)
    assert await part.get("key") is None
    assert (await cache.restore(file)).restored == 1


async def test_a_full_cache_is_restored_as_far_as_it_goes(tmp_path: Path) -> None:
    """`restored` are the entries that the cache holds then; none comes only to be pushed out by the next."""
    heard: list[EvictionCause] = []
    saving = Cache()
    await saving.set_many({number: number for number in range(10)})
    await saving.snapshot(tmp_path / "snapshot")
    cache = Cache(maxsize=5, policy="lru", on_evict=lambda _key, _value, cause: heard.append(cause))
    report = await cache.restore(tmp_path / "snapshot")
    assert (report.restored, report.refused, len(cache.keys())) == (5, 5, 5)


async def test_a_weigher_that_fails_while_restoring(tmp_path: Path, loop_errors: list[dict[str, Any]]) -> None:
    """It costs the entry, as it does elsewhere; the others are taken."""
    saving = Cache()
    await saving.set_many({"bad": None, "good": "xx"})
    await saving.snapshot(tmp_path / "snapshot")
    cache = Cache(max_weight=10, weigher=lambda _key, value: len(value) if value else 1 // 0)
    report = await cache.restore(tmp_path / "snapshot")
    assert (report.restored, report.refused, cache.items()) == (1, 1, [("good", "xx")])
    assert (cache.stats().callback_errors, len(loop_errors)) == (1, 1)


@pytest.mark.one_loop
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
async def test_errors_are_freed_without_the_collector(many: bool) -> None:
    """Nobody who was told an error keeps it alive, by a ring of frames or otherwise."""

    class Mishap(Exception):
        pass

    cache = Cache()

    async def load(_keys: object = None) -> dict[Any, Any]:
        await asyncio.sleep(0)
        raise Mishap

    async def ask() -> "weakref.ref[Mishap]":
        try:
            await (cache.get_or_load_many([1], load) if many else cache.get_or_load(1, load))
        except Mishap as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        alive = await ask()
        await turns()
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("load", [5, lambda _keys: {}, None], ids=["number", "plain function", "None"])
async def test_a_load_of_many_that_is_none(load: Any) -> None:
    """What is no coroutine function is refused with what to write."""
    for is_disabled in (False, True):
        cache = Cache()
        with (
            cache.disabled() if is_disabled else cache.refreshing(),
            pytest.raises(TypeError, match="load_many must be a coroutine function"),
        ):
            await cache.get_or_load_many([1], load)


async def test_a_closed_cache_loads_nothing_even_if_disabled() -> None:
    """There is no way around its end."""
    cache = Cache()
    gate: Gate[str] = Gate()
    await cache.aclose()
    with cache.disabled():
        one = asyncio.create_task(cache.get_or_load("key", gate.load))
        many = asyncio.create_task(cache.get_or_load_many(["key"], ManyGate().load))
    assert [type(await outcome(task)).__name__ for task in (one, many)] == ["CacheClosed"] * 2
    assert gate.calls == []
