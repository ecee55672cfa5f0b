"""The sweeper: it frees what nobody reads any more, is not felt, and leaves nothing behind."""

import asyncio
import gc
import itertools
import weakref
from collections.abc import Iterator
from typing import Any, Final

import pytest

from asynccache import EvictionCause, async_cached, sweeper
from asynccache.testing import ManualClock

TURNS: Final = 50


async def turns_until_idle(function: Any) -> int:
    """Let the loop turn until nothing is planned, and count the turns."""
    for turn in range(10_000):
        if not function.cache_stats().sweeper_alive:
            return turn
        await asyncio.sleep(0)
    raise AssertionError


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let reference counts alone free what is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_begins_with_the_first_entry_that_can_expire() -> None:
    """No sweep is planned before there is something to sweep, nor for entries without an end."""
    clock = ManualClock()

    @async_cached(ttl=lambda value: value or None, clock=clock)
    async def load(x: int) -> int:
        return x

    assert not load.cache_stats().sweeper_alive
    await load(0)
    assert not load.cache_stats().sweeper_alive
    await load(5)
    assert load.cache_stats().sweeper_alive


async def test_removes_what_nobody_reads_and_ends() -> None:
    """Expired entries go without anybody asking for them; when none is left that can expire, the sweeper ends."""
    clock = ManualClock()

    @async_cached(ttl=10, clock=clock, maxsize=None)
    async def load(x: int) -> int:
        return x

    for x in range(100):
        await load(x)
    clock.advance(9)
    await asyncio.sleep(0)
    assert load.cache_info().currsize == 100
    clock.advance(3)
    await turns_until_idle(load)
    assert load.cache_info().currsize == 0
    assert load.cache_stats().evictions == {EvictionCause.EXPIRED: 100}
    await load(1)
    assert load.cache_stats().sweeper_alive


async def test_keeps_what_is_fresh() -> None:
    """Of entries with different times to live, the sweeper takes those that are over and no other."""
    clock = ManualClock()

    @async_cached(ttl=lambda value: value, clock=clock, maxsize=None)
    async def load(x: int) -> int:
        return x

    for x in range(1, 100):
        await load(x)
    for seconds in range(1, 100):
        clock.advance(1)
        await asyncio.sleep(0)
        fresh = 99 - seconds
        assert fresh <= load.cache_info().currsize <= fresh + seconds / 8 + 2
        assert sum(load.cache_contains(x) for x in range(1, 100)) == fresh
    clock.advance(20)
    assert load.cache_info().currsize == 0


async def test_an_earlier_end_wakes_it_earlier() -> None:
    """An entry that is stored later but ends earlier is swept when its own time is over."""
    clock = ManualClock()

    @async_cached(ttl=lambda value: value, clock=clock)
    async def load(x: int) -> int:
        return x

    await load(86_400)
    await load(10)
    clock.advance(12)
    await asyncio.sleep(0)
    assert load.cache_info().currsize == 1
    assert load.cache_contains(86_400)
    assert load.cache_stats().sweeper_alive


async def test_works_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long sweep is cut into slices, and the loop turns in between."""
    monkeypatch.setattr(sweeper, "SLICE", 0.0)
    clock = ManualClock()

    @async_cached(ttl=10, clock=clock, maxsize=None)
    async def load(x: int) -> int:
        return x

    for x in range(20):
        await load(x)
    clock.advance(20)
    sizes = []
    while load.cache_stats().sweeper_alive:
        sizes.append(load.cache_info().currsize)
        await asyncio.sleep(0)
    assert sizes[0] == 19
    assert max(before - after for before, after in itertools.pairwise(sizes)) <= 2
    assert len(sizes) >= 10
    assert load.cache_info().currsize == 0


async def test_clearing_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear in the midst of a sweep, and new entries after it, disturb nothing."""
    monkeypatch.setattr(sweeper, "SLICE", 0.0)
    clock = ManualClock()

    @async_cached(ttl=10, clock=clock, maxsize=None)
    async def load(x: int) -> int:
        return x

    for x in range(20):
        await load(x)
    clock.advance(20)
    await asyncio.sleep(0)
    load.cache_clear()
    await load(1)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert load.cache_contains(1)
    assert load.cache_stats().sweeper_alive
    clock.advance(20)
    await turns_until_idle(load)
    assert load.cache_info().currsize == 0


async def test_survives_listeners_that_raise(loop_errors: list[Any]) -> None:
    """A listener that raises for every third key keeps nothing from being swept; each mistake is shown and counted."""
    clock = ManualClock()
    heard: list[int] = []

    def listener(key: int, value: object, cause: EvictionCause) -> None:
        heard.append(key)
        if key % 3 == 0:
            raise LookupError(key)

    @async_cached(ttl=10, clock=clock, maxsize=None, on_evict=listener)
    async def load(x: int) -> int:
        return x

    for x in range(30):
        await load(x)
    clock.advance(20)
    await turns_until_idle(load)
    assert sorted(heard) == list(range(30))
    assert load.cache_stats().callback_errors == len(loop_errors) == 10
    assert {type(context["exception"]) for context in loop_errors} == {LookupError}
    assert "on_evict" in loop_errors[0]["message"]
    assert "load" in loop_errors[0]["message"]
    await load(1)
    clock.advance(20)
    await turns_until_idle(load)
    assert load.cache_info().currsize == 0


async def test_cache_goes_while_a_sweep_is_planned(no_collector: None) -> None:
    """The sweeper keeps no cache alive, and is no task: the last reference to the function frees all it holds."""

    class Value:
        pass

    @async_cached(ttl=3600)
    async def load() -> Value:
        return Value()

    value = weakref.ref(await load())
    assert load.cache_stats().sweeper_alive
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(0)
    function = weakref.ref(load)
    del load
    assert function() is None
    assert value() is None


async def test_cache_goes_in_the_midst_of_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is dropped between two slices is gone, and the sweep ends without a word."""
    monkeypatch.setattr(sweeper, "SLICE", 0.0)
    clock = ManualClock()

    @async_cached(ttl=10, clock=clock, maxsize=None)
    async def load(x: int) -> int:
        return x

    for x in range(20):
        await load(x)
    clock.advance(20)
    await asyncio.sleep(0)
    function = weakref.ref(load)
    del load
    assert function() is None
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.mark.one_loop
async def test_nothing_of_a_gone_cache_waits_in_the_loop(no_collector: None) -> None:
    """A cache that goes takes the timer of its next sweep along."""
    loop: Any = asyncio.get_running_loop()

    def waiting() -> int:
        return sum(not handle.cancelled() for handle in loop._scheduled)

    before = waiting()

    @async_cached(ttl=3600)
    async def load() -> int:
        return 1

    await load()
    assert waiting() == before + 1
    del load
    assert waiting() == before


@pytest.mark.one_loop
async def test_reloading_one_key_for_ever_keeps_memory_flat() -> None:
    """A key that is invalidated and loaded again a hundred thousand times, for a day each, leaves no rubbish behind."""

    @async_cached(ttl=86_400)
    async def load(x: int) -> int:
        return x

    tier: Any = load.cache_info.__self__._tier  # type: ignore[attr-defined]
    largest = 0
    for number in range(100_000):
        await load(1)
        load.cache_invalidate(1)
        if number % 50 == 0:
            await asyncio.sleep(0)
            largest = max(largest, tier.store._due._wheel.size)
    assert largest < 1_000
    await load.cache_close()


async def test_many_short_lived_keys_keep_memory_flat() -> None:
    """Ever new keys in a small cache leave no more in the wheel than a small multiple of what the cache holds."""
    clock = ManualClock()

    @async_cached(ttl=86_400, maxsize=100, clock=clock)
    async def load(x: int) -> int:
        return x

    tier: Any = load.cache_info.__self__._tier  # type: ignore[attr-defined]
    largest = 0
    for number in range(20_000):
        await load(number)
        clock.advance(1)
        if number % 20 == 0:
            await asyncio.sleep(0)
            largest = max(largest, tier.store._due._wheel.size)
    assert largest < 1_000
    assert load.cache_info().currsize == 100
