"""Errors of others, options beside defaults, and copies that nobody asked for."""

import asyncio

import pytest

from asynccache import Cache, async_cached
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, outcome, together, turns


async def test_errors_of_other_caches_are_remembered_as_errors() -> None:
    """What was left out elsewhere, and made a load fail, is told again as the error that it was."""
    cache = Cache(errors={KeyError: 5})

    @async_cached.batched()
    async def other(_keys: list[int]) -> dict[int, int]:
        return {}

    async def load_many(keys: list[int]) -> list[int]:
        return [await other(5) for _ in keys]

    for _ in range(2):
        with pytest.raises(KeyError):
            await cache.get_or_load_many([1, 2], load_many)


async def test_what_one_caller_was_handling_is_not_told_to_others() -> None:
    """An error is one object for all who wait: nobody's own troubles become its context."""
    cache = Cache()
    gate = ManyGate()

    async def ask_in_trouble() -> None:
        try:
            raise ValueError("mine")
        except ValueError:
            await cache.get_or_load_many([1], gate.load)

    first = asyncio.create_task(ask_in_trouble())
    await turns()
    second = await gate.ask(cache, 1)
    gate.fail(OSError("down"))
    for task in (first, second):
        error = await outcome(task)
        assert isinstance(error, OSError)
        assert error.__context__ is None


async def test_a_longer_timeout_leaves_the_soft_one() -> None:
    """A call that may take longer is still served the old value as soon as the cache says."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale_if_error=100, soft_timeout=1)
    gate: Gate[str] = Gate()
    await cache.set("key", "old")
    clock.advance(10)
    task = asyncio.create_task(cache.get_or_load("key", gate.load, timeout=50))
    await turns()
    clock.advance(1)
    assert await together(task) == ["old"]
    gate.give("new")
    await turns()
    assert await cache.get("key") == "new"


@pytest.mark.parametrize("nothing", [None, 0])
async def test_a_call_without_old_values_needs_no_soft_timeout(nothing: float | None) -> None:
    """Who wants no old value instead of an error is not refused for a default that goes with them."""
    cache = Cache(ttl=10, stale_if_error=100, soft_timeout=1)
    gate: Gate[str] = Gate()
    task = asyncio.create_task(cache.get_or_load("key", gate.load, stale_if_error=nothing))
    await turns()
    gate.give("value")
    assert await together(task) == ["value"]


async def test_a_load_may_fail_because_another_cache_is_closed() -> None:
    """To the one that is being warmed that is a failure like any other."""
    other = Cache()
    await other.aclose()
    cache = Cache()

    async def load(key: int) -> int:
        return await other.get(key) if key == 1 else key

    report = await cache.warm([1, 2, 3], load, concurrency=1)
    assert (report.loaded, report.failed) == (2, 1)


async def test_who_looks_for_keys_gets_no_copies() -> None:
    """Values are copied for those who are given them, and for nobody else."""
    copied: list[object] = []

    def copy(value: object) -> object:
        copied.append(value)
        return value

    cache = Cache(copy=copy)
    await cache.set_many({1: "a", 2: "b"})
    assert cache.keys() == [1, 2]
    assert await cache.contains(1)
    assert copied == []
    assert cache.items() == [(1, "a"), (2, "b")]
    assert copied == ["a", "b"]
