"""What is told to `on_evict`, what entries weigh, and what a mistake in a user's function costs."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache import EvictionCause, async_cached
from asynccache.decorator import Decorator
from asynccache.testing import ManualClock

Heard = list[tuple[object, object, EvictionCause]]
POLICIES = ["lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu", "gdsf"]


def hear(heard: Heard) -> Callable[[object, object, EvictionCause], None]:
    """A listener that writes down what it hears."""
    return lambda key, value, cause: heard.append((key, value, cause))


@pytest.mark.one_loop
async def test_every_cause_is_told() -> None:
    """Eviction, expiry on a read, replacement, invalidation and clearing are told once each, with key and value."""
    clock = ManualClock()
    heard: Heard = []

    @async_cached(maxsize=2, ttl=10, clock=clock, on_evict=hear(heard))
    async def load(x: int) -> int:
        return -x

    for x in (1, 2, 3):
        await load(x)
    assert heard == [(1, -1, EvictionCause.CAPACITY)]
    await load.cache_refresh(3)
    assert heard[1:] == [(3, -3, EvictionCause.REPLACED)]
    load.cache_put(7, 3)
    assert heard[2:] == [(3, -3, EvictionCause.REPLACED)]
    load.cache_invalidate(3)
    assert heard[3:] == [(3, 7, EvictionCause.EXPLICIT)]
    await load(3)
    load.cache_clear()
    assert heard[4:] == [(2, -2, EvictionCause.CLEARED), (3, -3, EvictionCause.CLEARED)]
    del heard[:]
    await load(1)
    clock.advance(10)
    await load(1)
    assert heard == [(1, -1, EvictionCause.EXPIRED)]
    clock.advance(10)
    assert load.cache_invalidate(1) is False
    assert heard[1:] == [(1, -1, EvictionCause.EXPIRED)]


@pytest.mark.one_loop
async def test_several_listeners_hear_all() -> None:
    """Of several listeners each hears everything, in their order; what they return does not matter."""
    order: list[str] = []

    def one(*_: object) -> None:
        order.append("one")

    def two(*_: object) -> int:
        order.append("two")
        return 5

    @async_cached(on_evict=[one, two])
    async def load(x: int) -> int:
        return x

    await load(1)
    await load(2)
    load.cache_clear()
    assert order == ["one", "two"] * 2


@pytest.mark.one_loop
async def test_a_listener_that_raises_keeps_nothing_from_the_others(loop_errors: list[Any]) -> None:
    """A listener's error reaches neither the caller nor the other listeners' ears; it is counted and shown."""
    heard: Heard = []

    def broken(*_: object) -> None:
        raise LookupError("broken")

    @async_cached(maxsize=1, on_evict=[broken, hear(heard)])
    async def load(x: int) -> int:
        return x

    assert [await load(x) for x in range(5)] == list(range(5))
    assert [key for key, _, _ in heard] == [0, 1, 2, 3]
    assert load.cache_stats().callback_errors == len(loop_errors) == 4
    load.cache_clear()
    assert load.cache_stats().callback_errors == 0


@pytest.mark.one_loop
async def test_a_listener_may_use_the_cache() -> None:
    """A listener can invalidate, put, look and clear: the cache is whole when it is told."""
    heard: Heard = []

    def listener(key: int, value: int, cause: EvictionCause) -> None:
        heard.append((key, value, cause))
        assert not load.cache_contains(key) or cause is EvictionCause.REPLACED
        assert load.cache_stats().size == load.cache_info().currsize
        if cause is EvictionCause.CAPACITY:
            load.cache_put(value, key + 100)
        if cause is EvictionCause.EXPLICIT and key < 100:
            load.cache_invalidate(key + 1)

    @async_cached(maxsize=3, on_evict=listener)
    async def load(x: int) -> int:
        return x

    for x in range(3):
        await load(x)
    load.cache_invalidate(0)
    assert [key for key, _, _ in heard] == [0, 1, 2]
    del heard[:]
    load.cache_clear()
    for x in (0, 100, 200, 300):
        load.cache_put(x, x)
    assert [(key, cause) for key, _, cause in heard][:1] == [(0, EvictionCause.CAPACITY)]
    assert load.cache_info().currsize == 3


@pytest.mark.one_loop
async def test_listeners_hear_without_a_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Outside of a loop too listeners are told; what they raise goes to the package's log."""

    def broken(*_: object) -> None:
        raise LookupError("broken")

    @async_cached(on_evict=broken)
    async def load(x: int) -> int:
        return x

    def without_loop() -> None:
        load.cache_put(1, 1)
        load.cache_invalidate(1)

    await asyncio.to_thread(without_loop)
    [record] = caplog.records
    assert record.name == "asynccache"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


@pytest.mark.one_loop
@pytest.mark.parametrize("option", ["store_if", "ttl", "weigher"])
async def test_a_mistake_in_an_option_costs_the_entry_only(option: str, loop_errors: list[Any]) -> None:
    """What `store_if`, `ttl` or `weigher` raises is shown and counted; the caller gets the value, nothing is stored."""

    def broken(*_: object) -> float:
        raise LookupError("broken")

    options: dict[str, Any] = {option: broken}
    if option == "weigher":
        options["max_weight"] = 10

    decorate: Decorator = async_cached(**options)

    @decorate
    async def load(x: int) -> int:
        return x

    assert [await load(1), await load(1)] == [1, 1]
    stats = load.cache_stats()
    assert (stats.loads, stats.failures, stats.size, stats.weight) == (2, 0, 0, 0)
    assert stats.callback_errors == len(loop_errors) == 2
    assert "load" in loop_errors[0]["message"]
    load.cache_put(1, 1)
    assert not load.cache_contains(1)


@pytest.mark.one_loop
@pytest.mark.parametrize("weight", [-1, float("nan"), "5", None, object()])
async def test_a_weight_that_is_none_costs_the_entry_only(weight: Any, loop_errors: list[Any]) -> None:
    """A weigher that gives no weight is treated as one that raises."""

    @async_cached(max_weight=10, weigher=lambda key, value: weight)
    async def load(x: int) -> int:
        return x

    assert await load(1) == 1
    assert load.cache_stats().callback_errors == len(loop_errors) == 1
    assert (load.cache_stats().size, load.cache_stats().weight) == (0, 0)


@pytest.mark.one_loop
async def test_store_if_decides() -> None:
    """What `store_if` refuses goes to all who waited and is not stored; it is given the result and the call."""
    seen: list[object] = []

    def worth_it(result: int | None, x: int, *, deep: bool) -> bool:
        seen.append((result, x, deep))
        return result is not None

    @async_cached(store_if=worth_it)
    async def load(x: int, *, deep: bool = False) -> int | None:
        await asyncio.sleep(0)
        return x or None

    assert list(await asyncio.gather(load(0), load(0), load(1), load(1))) == [None, None, 1, 1]
    assert sorted(seen, key=str) == [(1, 1, False), (None, 0, False)]
    assert not load.cache_contains(0)
    assert load.cache_contains(1)
    load.cache_put(None, 1)
    assert not load.cache_contains(1)


@pytest.mark.one_loop
async def test_too_heavy_is_not_stored_and_drops_the_old() -> None:
    """A value heavier than the whole cache is given but not stored, and what it should have replaced goes."""
    heard: Heard = []

    @async_cached(max_weight=10, weigher=lambda key, value: len(value), on_evict=hear(heard))
    async def load(x: int) -> str:
        return texts[x]

    texts = {1: "short", 2: "x" * 11, 3: "y" * 10}
    assert await load(2) == texts[2]
    assert load.cache_stats().size == 0
    await load(1)
    texts[1] = "z" * 11
    assert await load.cache_refresh(1) == texts[1]
    assert not load.cache_contains(1)
    assert heard == [(1, "short", EvictionCause.REPLACED)]
    assert await load(3) == texts[3]
    assert (load.cache_stats().size, load.cache_stats().weight) == (1, 10)


@pytest.mark.one_loop
@pytest.mark.parametrize("policy", POLICIES)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["call", "call", "put", "invalidate", "refresh", "pass"]),
            st.integers(0, 6),
            st.integers(0, 9),
        ),
        max_size=40,
    ),
    options=st.sampled_from([{}, {"ttl": 10}, {"idle": 10}, {"maxsize": 3}]).map(dict),
)
async def test_weights_add_up(policy: str, steps: list[tuple[str, int, int]], options: dict[str, Any]) -> None:
    """After each step the weight is that of what is stored, and what came has stayed or was told of."""
    heard: Heard = []
    stored: list[object] = []
    clock = ManualClock()
    answer = 0

    def note(value: tuple[int, int, object]) -> bool:
        stored.extend([value] if value[1] <= 12 else [])
        return True

    options |= {"clock": clock, "on_evict": hear(heard), "store_if": note, "policy": policy}

    @async_cached(max_weight=12, weigher=lambda key, value: float(value[1]), **options)
    async def load(x: int) -> tuple[int, int, object]:
        return x, answer, object()

    for what, x, number in steps:
        answer = number
        if what == "call":
            assert (await load(x))[0] == x
        elif what == "put":
            load.cache_put((x, number + 5, object()), x)
        elif what == "invalidate":
            load.cache_invalidate(x)
        elif what == "refresh":
            assert (await load.cache_refresh(x))[:2] == (x, number)
        else:
            clock.advance(number)
            await asyncio.sleep(0)
        check_books(load, stored, heard)
    load.cache_clear()
    assert (load.cache_stats().weight, load.cache_stats().size) == (0, 0)
    assert len(heard) == len(stored)


def check_books(load: Any, stored: list[Any], heard: Heard) -> None:
    """What was stored and has not been told to have left is there, and makes up the weight."""
    tier = load.cache_info.__self__._tier
    there = [entry.value for entry in tier.store.entries.values()]
    told = [value for _, value, _ in heard]
    assert len(told) + len(there) == len(stored)
    assert {id(value) for value in [*told, *there]} == {id(value) for value in stored}
    stats = load.cache_stats()
    assert stats.weight == sum(value[1] for value in there) <= 12
    assert sum(stats.evictions.values()) == len(told)
