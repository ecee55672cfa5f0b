"""How long a value is served: exactly as long as was said, by the clock that was given."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache import MISSING, async_cached
from asynccache.decorator import Decorator
from asynccache.testing import ManualClock


class Source:
    """A function to be cached that gives 0, 1, 2, ... and the cached function itself."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(start=1_000.0)
        self.loads = 0
        self.load = async_cached(clock=self.clock, **options)(self._load)

    async def _load(self, x: int = 0) -> int:
        self.loads += 1
        return self.loads


@pytest.mark.one_loop
@pytest.mark.parametrize(
    "ttl", [10, 10.0, timedelta(seconds=10), lambda value: 10, lambda value, x: timedelta(seconds=10)]
)
async def test_expiry_on_read_is_exact(ttl: Any) -> None:
    """A value is served up to the last moment before its time is over, and not at that moment."""
    source = Source(ttl=ttl)
    await source.load()
    source.clock.advance(9.999)
    assert await source.load() == source.load.cache_peek() == 1
    assert source.load.cache_contains()
    source.clock.advance(0.001)
    assert source.load.cache_peek() is MISSING
    assert not source.load.cache_contains()
    assert not source.load.cache_invalidate()
    assert await source.load() == 2


@pytest.mark.one_loop
async def test_a_hit_does_not_prolong_ttl() -> None:
    """With `ttl` alone, a value's time is counted from when it was stored, however often it is read."""
    source = Source(ttl=10)
    for _ in range(9):
        assert await source.load() == 1
        source.clock.advance(1)
    source.clock.advance(1)
    assert await source.load() == 2


async def test_time_is_counted_from_the_end_of_the_load() -> None:
    """A slow load does not eat up its value's time."""
    clock = ManualClock()
    gate = asyncio.Event()

    @async_cached(ttl=10, clock=clock)
    async def load() -> int:
        await gate.wait()
        return 1

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    clock.advance(100)
    gate.set()
    await waiting
    clock.advance(9)
    assert load.cache_contains()
    clock.advance(1)
    assert not load.cache_contains()


@pytest.mark.one_loop
@pytest.mark.parametrize("option", ["ttl", "idle"])
async def test_zero_stores_nothing_but_shares_the_load(option: str) -> None:
    """With a time of 0 nothing is stored, and callers at the same moment share a load all the same."""
    options: dict[str, Any] = {option: 0}
    loads = 0

    decorate: Decorator = async_cached(**options)

    @decorate
    async def load() -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return loads

    assert list(await asyncio.gather(load(), load(), load())) == [1, 1, 1]
    assert await load() == 2
    load.cache_put(5)
    assert load.cache_peek() is MISSING
    assert load.cache_info().currsize == 0
    assert not load.cache_stats().sweeper_alive


@pytest.mark.one_loop
@pytest.mark.parametrize("ttl", [float("inf"), None, lambda value: None, lambda value: float("inf")])
async def test_infinite_and_none_are_for_ever(ttl: Any) -> None:
    """An infinite ttl is none: the value stays, and nothing is planned."""
    source = Source(ttl=ttl)
    await source.load()
    source.clock.advance(1e12)
    assert await source.load() == 1
    assert not source.load.cache_stats().sweeper_alive


@pytest.mark.one_loop
async def test_ttl_of_the_result_and_the_call() -> None:
    """A `ttl` function is given the result and then the call's arguments, defaults included."""
    clock = ManualClock()
    seen: list[object] = []

    def ttl(result: int, x: int, *, weight: int) -> float | None:
        seen.append((result, x, weight))
        return {1: 10, 2: 20, 3: None, 4: 0}[x]

    @async_cached(ttl=ttl, clock=clock)
    async def load(x: int, *, weight: int = 5) -> int:
        return -x

    for x in (1, 2, 3, 4):
        await load(x)
    assert seen == [(-1, 1, 5), (-2, 2, 5), (-3, 3, 5), (-4, 4, 5)]
    assert [load.cache_contains(x) for x in (1, 2, 3, 4)] == [True, True, True, False]
    clock.advance(10)
    assert [load.cache_contains(x) for x in (1, 2, 3)] == [False, True, True]
    clock.advance(10)
    assert [load.cache_contains(x) for x in (2, 3)] == [False, True]
    load.cache_put(7, x=1)
    assert seen[-1] == (7, 1, 5)


@pytest.mark.one_loop
@pytest.mark.parametrize("name", ["result", "value", "args", "kwargs", "function", "self", "flight"])
async def test_functions_of_the_result_go_with_any_keyword(name: str) -> None:
    """`ttl` and `store_if` of the result alone work whatever the call's keyword arguments are called."""

    @async_cached(ttl=lambda found: 10, store_if=lambda found: True)
    async def load(**named: int) -> int:
        return 1

    arguments = {name: 1}
    await load(**arguments)
    await load(**arguments)
    assert load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_functions_of_the_result_go_with_any_arguments() -> None:
    """`ttl` and `store_if` of the result alone work for a function that takes `*args` too."""

    @async_cached(ttl=lambda found: 10, store_if=lambda found: True)
    async def load(*args: int) -> int:
        return len(args)

    assert await load(1, 2) == await load(1, 2) == 2
    assert load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
@pytest.mark.parametrize("given", [float("nan"), -1, True, "5", [], object()])
async def test_bad_result_of_ttl_costs_the_entry_only(given: object, loop_errors: list[Any]) -> None:
    """A `ttl` function that gives nonsense is reported and counted; the caller gets the value, which is not stored."""
    source = Source(ttl=lambda value: given)
    assert await source.load() == 1
    assert await source.load() == 2
    assert source.load.cache_stats().callback_errors == len(loop_errors) == 2
    assert source.load.cache_info().currsize == 0
    assert "ttl" in str(loop_errors[0]["exception"])


@pytest.mark.one_loop
@pytest.mark.parametrize("policy", ["lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu", "gdsf"])
async def test_idle_slides(policy: str) -> None:
    """With `idle`, each hit prolongs the value's time; looking at it does not."""
    source = Source(idle=10, policy=policy)
    for _ in range(5):
        assert await source.load() == 1
        source.clock.advance(9)
    assert source.load.cache_peek() == 1
    assert source.load.cache_contains()
    source.clock.advance(1)
    assert source.load.cache_peek() is MISSING
    assert await source.load() == 2


@pytest.mark.one_loop
async def test_idle_does_not_go_beyond_ttl() -> None:
    """With both, a value that is read all the time ends with its ttl, and one that is not, earlier."""
    source = Source(ttl=25, idle=10)
    for _ in range(3):
        assert await source.load() == 1
        source.clock.advance(8)
    source.clock.advance(0.999)
    assert await source.load() == 1
    source.clock.advance(0.001)
    assert await source.load() == 2
    source.clock.advance(10)
    assert await source.load() == 3


@pytest.mark.one_loop
async def test_idle_value_that_is_swept_late_is_put_back() -> None:
    """The sweeper leaves a value whose end has moved, and takes it when the new end has come."""
    source = Source(idle=8)
    await source.load()
    for _ in range(20):
        source.clock.advance(4)
        assert await source.load() == 1
    source.clock.advance(20)
    assert source.load.cache_info().currsize == 0


@pytest.mark.one_loop
async def test_jitter_lengthens_within_its_bounds() -> None:
    """Each value lives for its ttl and up to `jitter` longer, not all of them equally long."""
    source = Source(ttl=100, jitter=20, maxsize=None)
    for x in range(200):
        await source.load(x)
    source.clock.advance(99.99)
    assert all(source.load.cache_contains(x) for x in range(200))
    source.clock.advance(10)
    left = sum(source.load.cache_contains(x) for x in range(200))
    assert 40 < left < 160
    source.clock.advance(10.02)
    assert not any(source.load.cache_contains(x) for x in range(200))


@pytest.mark.one_loop
async def test_wall_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the computer's clock by an hour, either way, neither prolongs nor shortens anything."""

    @async_cached(ttl=600)
    async def load() -> object:
        return object()

    value = await load()
    wall = time.time()
    for jump in (-3600.0, 3600.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: wall + jump)
        monkeypatch.setattr(time, "time_ns", lambda jump=jump: int((wall + jump) * 1e9))
        assert await load() is value
    assert load.cache_contains()
    await load.cache_close()


@pytest.mark.one_loop
async def test_after_eight_hours_of_sleep_everything_is_old() -> None:
    """When the clock jumps by eight hours, nothing old is served, and all of it is swept."""
    source = Source(ttl=timedelta(hours=1), maxsize=None)
    for x in range(500):
        await source.load(x)
    source.clock.advance(8 * 3600)
    assert not any(source.load.cache_contains(x) for x in range(500))
    for _ in range(500):
        await asyncio.sleep(0)
    assert not source.load.cache_stats().sweeper_alive
    assert source.load.cache_info().currsize == 0


@pytest.mark.one_loop
async def test_refresh_and_put_begin_a_new_life() -> None:
    """A value that is replaced has its whole time before it, and its predecessor's end does not touch it."""
    source = Source(ttl=10)
    await source.load()
    source.clock.advance(9)
    await source.load.cache_refresh()
    source.clock.advance(9)
    assert await source.load() == 2
    source.load.cache_put(7)
    source.clock.advance(9)
    assert await source.load() == 7
    source.clock.advance(1)
    assert await source.load() == 3


@pytest.mark.one_loop
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["call", "pass", "invalidate", "put", "refresh"]), st.integers(0, 3), st.integers(0, 12)
        ),
        max_size=30,
    ),
    ttl=st.sampled_from([None, 8, 20]),
    idle=st.sampled_from([None, 5, 30]),
)
async def test_like_a_table_of_deadlines(
    steps: list[tuple[str, int, int]], ttl: float | None, idle: float | None
) -> None:
    """Whatever is done in whatever order, what is served is what a plain table of deadlines would serve."""
    source = Source(ttl=ttl, idle=idle, maxsize=None)
    model: dict[int, tuple[int, float, float]] = {}
    now = 0

    def store(x: int, value: int) -> None:
        limit = now + (float("inf") if ttl is None else ttl)
        model[x] = value, min(limit, now + (float("inf") if idle is None else idle)), limit

    for what, x, seconds in steps:
        live = x in model and now < model[x][1]
        if what == "pass":
            now += seconds
            source.clock.advance(seconds)
        elif what == "put":
            source.load.cache_put(-seconds, x)
            store(x, -seconds)
        elif what == "invalidate":
            assert source.load.cache_invalidate(x) == live
            model.pop(x, None)
        elif what == "call" and live:
            value, _, limit = model[x]
            assert await source.load(x) == value
            model[x] = value, min(limit, now + (float("inf") if idle is None else idle)), limit
        else:
            value = await (source.load(x) if what == "call" else source.load.cache_refresh(x))
            assert value == source.loads
            store(x, value)
        for key in range(4):
            assert source.load.cache_contains(key) == (key in model and now < model[key][1])
