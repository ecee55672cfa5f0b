"""`stale`: when the ttl is over the old value is served at once, for so long, while one refresh runs behind."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from asynccache import MISSING, EvictionCause, async_cached
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import callers, together, turns
from tests.flight.virtual_time import run, virtual_loops
from tests.freshness.aging import MOMENT, TTL, Scene, aged


def loop_time() -> float:
    """A clock that shows the running loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("kind", virtual_loops())
def test_a_thousand_callers_at_the_moment_of_expiry(kind: str) -> None:
    """All get the old value without waiting, from one load behind, whose value all get who come after it."""
    begun: list[float] = []

    @async_cached(ttl=10, stale=60, clock=loop_time)
    async def load(key: int) -> int:
        begun.append(loop_time())
        await asyncio.sleep(5)
        return len(begun)

    async def caller(at: float) -> tuple[int, float]:
        await asyncio.sleep(at - loop_time())
        value = await load(1)
        return value, loop_time() - at

    async def main() -> None:
        assert await load(1) == 1
        assert await asyncio.gather(*(caller(15) for _ in range(1_000))) == [(1, 0)] * 1_000
        assert await asyncio.gather(*(caller(19) for _ in range(1_000))) == [(1, 0)] * 1_000
        assert await asyncio.gather(*(caller(21) for _ in range(1_000))) == [(2, 0)] * 1_000
        assert begun == [0, 15]
        assert live_flights() == []

    run(main(), kind)


async def test_each_stretch_of_a_value_s_life() -> None:
    """Fresh up to the ttl's last moment; then old, with a refresh behind; at the end of the window, gone."""
    scene = await aged(TTL - MOMENT, stale=5)
    assert (await scene.read(), scene.gate.calls) == ("old", [1])
    scene.clock.advance(MOMENT)
    assert (await scene.read(), scene.gate.calls) == ("old", [1, 1])
    scene.clock.advance(5 - MOMENT)
    assert await scene.read() == "old"
    scene.clock.advance(MOMENT)
    (waiting,) = await callers(scene.load, 1)
    assert not waiting.done()
    await scene.end("new")
    assert await together(waiting) == ["new"]
    assert scene.gate.calls == [1, 1]


async def test_a_refresh_begins_in_no_caller_s_step() -> None:
    """A reader goes on before the refresh's first step, also where tasks are started eagerly."""
    order: list[str] = []
    clock = ManualClock()

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> str:
        order.append("load")
        return "value"

    await load(1)
    clock.advance(10)
    await load(1)
    order.append("served")
    await turns()
    assert order == ["load", "served", "load"]


async def test_refreshes_are_counted_by_themselves() -> None:
    """A read of the old value is counted as that, and what it starts as a refresh: neither is a hit or a miss."""
    scene = await aged(stale=5)
    for _ in range(3):
        await scene.read()
    await scene.end("new")
    stats = scene.load.cache_stats()
    assert (stats.hits, stats.stale, stats.misses, stats.refreshes, stats.loads) == (0, 3, 1, 1, 2)
    assert await scene.read() == "new"
    assert scene.load.cache_stats().hits == 1


async def test_a_refresh_is_owned() -> None:
    """Nothing but the cache leads to what a refresh waits for: with a collection at every turn it still ends."""
    clock = ManualClock()
    waits: list[weakref.ref[asyncio.Future[str]]] = []

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> str:
        for _ in range(3):
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            waits.append(weakref.ref(future))
            await future
        return f"value {len(waits)}"

    async def give() -> None:
        for _ in range(3):
            await turns(1)
            gc.collect()
            future = waits[-1]()
            assert future is not None
            future.set_result("")
            del future
            gc.collect()
        await turns()

    first = asyncio.create_task(load(1))
    await turns(2)
    await give()
    clock.advance(10)
    assert await together(first, load(1)) == ["value 3", "value 3"]
    await turns(2)
    await give()
    assert load.cache_peek(1) == "value 6"


async def test_the_value_of_a_refresh_is_fresh_for_a_whole_term() -> None:
    """Its ttl counts from when it came, not from when the old value ended."""
    scene = await aged(TTL + 3, stale=5)
    await scene.read()
    scene.clock.advance(1)
    await scene.end("new")
    scene.clock.advance(TTL - 0.5)
    assert (await scene.read(), scene.gate.calls) == ("new", [1, 1])
    scene.clock.advance(0.5)
    assert (await scene.read(), scene.gate.calls) == ("new", [1, 1, 1])
    await scene.end("newer")


async def test_none_is_a_value_that_grows_old() -> None:
    """`None` is served old like any other value."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            await asyncio.get_running_loop().create_future()

    await load(1)
    clock.advance(10)
    await together(load(1))
    await turns()
    assert calls == 2
    assert load.cache_peek(1) is None
    await load.cache_close()


async def test_a_value_that_may_be_served_old_can_be_seen() -> None:
    """Up to the window's end the old value is there for `cache_peek` and `cache_contains`, which refresh nothing."""
    scene = await aged(TTL + 4, stale=5)
    assert scene.load.cache_peek(1) == "old"
    assert scene.load.cache_contains(1)
    scene.clock.advance(1)
    assert scene.load.cache_peek(1) is MISSING
    assert not scene.load.cache_contains(1)
    assert scene.gate.calls == [1]


async def test_old_values_leave_memory_when_their_window_ends() -> None:
    """The sweeper lets a value be as long as it may be served, and then takes it away as expired."""
    heard: list[tuple[object, object, EvictionCause]] = []
    scene = await aged(TTL + 4, stale=5, on_evict=lambda *notice: heard.append(notice))
    await turns()
    assert (scene.load.cache_info().currsize, heard) == (1, [])
    scene.clock.advance(2)
    await turns()
    assert scene.load.cache_info().currsize == 0
    assert heard == [(scene.load.cache_key(1), "old", EvictionCause.EXPIRED)]


async def test_a_ttl_of_nothing_and_an_old_value() -> None:
    """With a ttl of 0 and `stale`, every read gets the last value and has it refreshed behind."""
    options: dict[str, Any] = {"ttl": 0, "stale": 60}
    scene = Scene(**options)
    await scene.fill()
    assert (await scene.read(), scene.gate.calls) == ("old", [1, 1])
    await scene.end("new")
    assert (await scene.read(), scene.gate.calls) == ("new", [1, 1, 1])
    await scene.load.cache_close()
