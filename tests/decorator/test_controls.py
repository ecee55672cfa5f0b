"""What the controls of a decorated function tell and do."""

import asyncio
from typing import Any

import pytest

from asynccache import MISSING, EvictionCause, async_cached
from asynccache.testing import ManualClock


@pytest.mark.one_loop
async def test_clear_forgets_entries_and_counters() -> None:
    """`cache_clear()` leaves a cache as it was made."""

    @async_cached(maxsize=2)
    async def load(x: int) -> int:
        return x

    fresh = load.cache_stats()
    for x in (1, 1, 2, 3):
        await load(x)
    load.cache_clear()
    assert load.cache_info() == (0, 0, 2, 0)
    assert load.cache_stats() == fresh
    assert load.cache_peek(3) is MISSING


async def test_clear_during_a_load() -> None:
    """A load that a clear overtakes serves those who wait, and is not stored."""
    gate = asyncio.Event()
    versions = iter(["old", "new"])

    @async_cached
    async def load() -> str:
        version = next(versions)
        await gate.wait()
        return version

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    load.cache_clear()
    assert not load.cache_contains()
    gate.set()
    assert await waiting == "old"
    assert load.cache_peek() is MISSING
    assert await load() == "new"


@pytest.mark.one_loop
async def test_invalidate_tells_whether_there_was_anything() -> None:
    """`cache_invalidate` is True if a value or a load was forgotten; other entries stay."""

    @async_cached
    async def load(x: int) -> int:
        return x

    assert load.cache_invalidate(1) is False
    await load(1)
    await load(2)
    assert load.cache_invalidate(x=1) is True
    assert load.cache_invalidate(1) is False
    assert load.cache_contains(2)


async def test_invalidate_during_a_load() -> None:
    """After an invalidation nobody new gets what a load that began before brings."""
    gates = [asyncio.Event(), asyncio.Event()]
    begun: list[int] = []

    @async_cached
    async def load() -> int:
        number = len(begun)
        begun.append(number)
        await gates[number].wait()
        return number

    old = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    assert load.cache_invalidate() is True
    new = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    gates[1].set()
    assert await new == 1
    gates[0].set()
    assert await old == 0
    assert await load() == 1


@pytest.mark.one_loop
async def test_contains_and_peek_count_as_nothing() -> None:
    """Looking changes no counter, loads nothing, and does not save an entry from eviction."""

    @async_cached(maxsize=2)
    async def load(x: int) -> int:
        return x

    await load(1)
    await load(2)
    before = load.cache_stats()
    for _ in range(5):
        assert load.cache_contains(1)
        assert load.cache_peek(1) == 1
        assert not load.cache_contains(9)
        assert load.cache_peek(9) is MISSING
    assert load.cache_stats() == before
    await load(3)
    assert not load.cache_contains(1)


async def test_contains_a_load_under_way() -> None:
    """A call that would join a load is contained; there is nothing to peek at yet."""
    gate = asyncio.Event()

    @async_cached
    async def load() -> int:
        await gate.wait()
        return 1

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    assert load.cache_contains()
    assert load.cache_peek() is MISSING
    gate.set()
    await waiting


@pytest.mark.one_loop
async def test_put_is_as_if_the_call_had_been_made() -> None:
    """A value that was put is what the call gives, replaces what was there, and is evicted and counted like any."""
    gone: list[object] = []

    @async_cached(maxsize=2, on_evict=lambda key, value, cause: gone.append((key, value, cause)))
    async def load(x: int, y: int = 0) -> int:
        raise AssertionError

    load.cache_put(5, 1)
    load.cache_put(6, x=1, y=0)
    assert await load(1) == load.cache_peek(1, 0) == 6
    load.cache_put(7, 2)
    load.cache_put(8, 3)
    assert gone == [((1, 0), 5, EvictionCause.REPLACED), ((1, 0), 6, EvictionCause.CAPACITY)]
    assert load.cache_info() == (1, 0, 2, 2)


async def test_put_wins_over_a_load_under_way() -> None:
    """What was put while a load was under way stays; the load's value goes to those who waited for it."""
    gate = asyncio.Event()

    @async_cached
    async def load() -> str:
        await gate.wait()
        return "loaded"

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    load.cache_put("put")
    assert await load() == "put"
    gate.set()
    assert await waiting == "loaded"
    assert await load() == "put"


def test_put_without_a_loop() -> None:
    """A cache can be filled before there is a loop, also one whose entries expire."""
    clock = ManualClock()

    @async_cached(ttl=5, clock=clock)
    async def load(x: int) -> int:
        return -x

    load.cache_put(1, 1)
    assert load.cache_peek(1) == 1
    assert asyncio.run(load(1)) == 1
    clock.advance(5)
    assert load.cache_peek(1) is MISSING
    assert asyncio.run(load(1)) == -1


async def test_refresh_loads_anew_and_meanwhile_serves_the_old() -> None:
    """While a refresh is under way others get the old value; afterwards the new one; two refreshes share a load."""
    gate = asyncio.Event()
    versions = iter(range(10))

    @async_cached
    async def load() -> int:
        version = next(versions)
        if version:
            await gate.wait()
        return version

    assert await load() == 0
    refreshing = asyncio.gather(load.cache_refresh(), load.cache_refresh())
    await asyncio.sleep(0)
    assert await load() == load.cache_peek() == 0
    gate.set()
    assert list(await refreshing) == [1, 1]
    assert await load() == 1


@pytest.mark.one_loop
async def test_failed_refresh_keeps_the_old_value() -> None:
    """A refresh that fails raises to who asked for it, and leaves what was there."""
    answers: list[object] = [1, LookupError()]

    @async_cached
    async def load() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await load()
    with pytest.raises(LookupError):
        await load.cache_refresh()
    assert await load() == 1


@pytest.mark.one_loop
async def test_key_is_what_tells_calls_apart() -> None:
    """`cache_key` is equal for equal calls, and is what listeners are told."""
    told: list[object] = []

    @async_cached(on_evict=lambda key, value, cause: told.append(key))
    async def load(x: int, y: int = 2) -> int:
        return x

    assert load.cache_key(1) == load.cache_key(x=1, y=2) != load.cache_key(1, 3)
    await load(1)
    load.cache_invalidate(1)
    assert told == [load.cache_key(1)]


@pytest.mark.parametrize(
    "control", ["cache_contains", "cache_invalidate", "cache_key", "cache_peek", "cache_refresh", "cache_put"]
)
@pytest.mark.one_loop
async def test_controls_bind_arguments_as_calls_do(control: str) -> None:
    """A control about a call refuses arguments that the call would refuse, unhashable ones too."""

    @async_cached
    async def load(x: int, *, y: int = 0) -> int:
        return x

    async def ask(*args: Any, **kwargs: Any) -> None:
        call: Any = getattr(load, control)
        answer = call(0, *args, **kwargs) if control == "cache_put" else call(*args, **kwargs)
        if control == "cache_refresh":
            await answer

    await ask(1, y=1)
    for args, kwargs in [((), {}), ((1, 2), {}), ((1,), {"z": 1}), ((1,), {"x": 1})]:
        with pytest.raises(TypeError, match="argument"):
            await ask(*args, **kwargs)
    with pytest.raises(TypeError, match="unhashable"):
        await ask([])
