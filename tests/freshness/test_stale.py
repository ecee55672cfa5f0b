"""`stale`, `refresh_ahead` and `early`: the value there is is served at once, and one refresh runs behind."""

import asyncio
import gc
import logging
import math
import random
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Literal

import pytest

from asynccache import MISSING, CacheClosed, EvictionCause, async_cached
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


# --- refreshes are bounded ------------------------------------------------------------------------------------------


async def test_there_are_so_many_refreshes_at_once() -> None:
    """Beyond `max_refreshes` a read only gets the old value; when a refresh has ended, the next read starts one."""
    scene = Scene(stale=50, max_refreshes=2)
    for key in range(5):
        await scene.fill(key=key)
    scene.clock.advance(TTL)
    for _ in range(2):
        assert [await scene.read(key) for key in range(5)] == ["old"] * 5
    assert scene.gate.calls[5:] == [0, 1]
    await scene.end("new", 5)
    assert [await scene.read(key) for key in range(5)] == ["new", *["old"] * 4]
    assert scene.gate.calls[5:] == [0, 1, 2]
    await scene.break_down(number=6)
    await scene.end("new", 7)
    assert [await scene.read(key) for key in range(5)] == ["new", "old", "new", "old", "old"]
    assert scene.gate.calls[5:] == [0, 1, 2, 3, 4]
    assert scene.load.cache_stats().refreshes == 5
    await scene.load.cache_close()


@pytest.mark.parametrize("end", ["invalidate", "clear", "put"])
async def test_a_refresh_that_is_not_wanted_any_more_gives_its_place_back(end: str) -> None:
    """However a refresh loses its key, once it has ended another may run."""
    scene = await aged(stale=50, max_refreshes=1)
    await scene.read()
    if end == "put":
        scene.load.cache_put("put", 1)
    elif end == "clear":
        scene.load.cache_clear()
    else:
        scene.load.cache_invalidate(1)
    await scene.end("too late")
    await scene.fill(key=2)
    scene.clock.advance(TTL)
    assert await scene.read(2) == "old"
    assert scene.gate.calls[-1] == 2
    await scene.end("new")
    assert await scene.read(2) == "new"


def test_one_refresh_for_readers_on_two_loops() -> None:
    """While one loop refreshes a key no other loop does, however often it is read there."""
    clock = ManualClock()
    calls: Counter[int] = Counter()
    both_have_read, all_begin = threading.Barrier(2), threading.Barrier(2)

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> str:
        calls[key] += 1
        if calls[key] == 1:
            return "old"
        await asyncio.to_thread(refreshable.wait, 10)
        return "new"

    refreshable = threading.Event()

    async def reader() -> list[str]:
        async with load.cache_lifespan(wait=True):
            found: list[str] = []
            for _ in range(100):
                found += [await load(key) for key in range(3)]
                await asyncio.sleep(0)
            await asyncio.to_thread(both_have_read.wait, 10)
            refreshable.set()
        return found

    def in_thread() -> list[str]:
        all_begin.wait(10)
        return asyncio.run(reader())

    async def fill() -> None:
        for key in range(3):
            await load(key)

    asyncio.run(fill())
    clock.advance(10)
    with ThreadPoolExecutor(2) as pool:
        found = [job.result(20) for job in [pool.submit(in_thread), pool.submit(in_thread)]]
    assert found == [["old"] * 300] * 2
    assert calls == Counter(dict.fromkeys(range(3), 2))
    assert [load.cache_peek(key) for key in range(3)] == ["new"] * 3
    assert live_flights() == []


# --- refreshes that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OSError("down"), asyncio.CancelledError(), StopIteration(), GeneratorExit()], ids=repr
)
async def test_a_failed_refresh_keeps_the_old_value_and_waits(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The old value stays, nobody hears of the failure, and for a second the load is not asked again."""
    scene = await aged(stale=50)
    with caplog.at_level(logging.DEBUG):
        await scene.read()
        await scene.break_down(error)
        for _ in range(3):
            assert await scene.read() == "old"
        scene.clock.advance(1 - MOMENT)
        assert (await scene.read(), len(scene.gate.calls)) == ("old", 2)
        scene.clock.advance(MOMENT)
        assert (await scene.read(), len(scene.gate.calls)) == ("old", 3)
        await scene.end("new")
        gc.collect()
    assert await scene.read() == "new"
    assert [record for record in caplog.records if record.name != "asyncio" or record.levelno > logging.DEBUG] == []
    assert scene.load.cache_stats().failures == 1


async def test_the_time_after_a_failed_refresh_is_an_option() -> None:
    """With `error_backoff` so many seconds pass before the next refresh; 0 for none."""
    for backoff in (0.0, 7.0):
        scene = await aged(stale=50, error_backoff=backoff)
        await scene.read()
        await scene.break_down()
        scene.clock.advance(max(backoff - 0.5, 0))
        assert (await scene.read(), len(scene.gate.calls)) == ("old", 3 if backoff == 0 else 2)
        scene.clock.advance(0.5)
        assert (await scene.read(), len(scene.gate.calls)) == ("old", 3)
        await scene.end("new")


# --- its end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [False, True])
async def test_closing_sees_refreshes_to_their_end(wait: bool) -> None:
    """They are cancelled, or waited for; when the cache is closed there are none, and no read starts one."""
    scene = await aged(stale=50)
    await scene.read()
    closing = asyncio.create_task(scene.load.cache_close(wait=wait))
    await turns()
    assert closing.done() is not wait
    if wait:
        assert await scene.read() == "old"
        await scene.end("new")
    await together(closing)
    assert (scene.gate.cancelled, len(scene.gate.calls)) == (int(not wait), 2)
    assert live_flights() == []
    assert isinstance(await scene.read(), CacheClosed)


@pytest.mark.parametrize("wait", [False, True])
async def test_a_lifespan_owns_the_refreshes_that_began_in_it(wait: bool) -> None:
    """On leaving they have ended, by themselves or by cancellation; the old value stays, or the new one is there."""
    scene = await aged(stale=50)

    async def life() -> None:
        async with scene.load.cache_lifespan(wait=wait):
            assert await scene.load(1) == "old"
            await turns()

    living = asyncio.create_task(life())
    await turns(40)
    assert living.done() is not wait
    if wait:
        await scene.end("new")
    await together(living)
    assert live_flights() == []
    assert scene.load.cache_peek(1) == ("new" if wait else "old")
    assert scene.gate.cancelled == int(not wait)


async def test_readers_that_leave_take_no_refresh_with_them() -> None:
    """A refresh is nobody's: its reader may be cancelled, also one that waits for it since the old value has gone."""
    scene = await aged(TTL + 4, stale=5)
    (reader,) = await callers(scene.load, 1)
    reader.cancel()
    scene.clock.advance(1)
    waiting = await callers(scene.load, 3)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await scene.end("new")
    assert (scene.gate.cancelled, scene.load.cache_peek(1)) == (0, "new")


async def test_a_function_that_goes_away_while_it_refreshes() -> None:
    """The refresh ends in peace, and the store goes when it ends at the latest."""
    scene = await aged(stale=50)
    await scene.read()
    gone = weakref.ref(scene.load)
    del scene.load
    gc.collect()
    await scene.end("new")
    gc.collect()
    assert gone() is None


# --- what a refresh sees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("context", "seen"), [("caller", "reader's"), ("empty", "unset")])
async def test_a_refresh_runs_in_its_reader_s_context(context: Literal["caller", "empty"], seen: str) -> None:
    """As a load runs in that of its first caller; or in an empty one, where that is the option."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    clock = ManualClock()
    found: list[str] = []

    @async_cached(ttl=10, stale=10, clock=clock, context=context)
    async def load(key: int) -> None:
        found.append(variable.get())

    await load(1)
    clock.advance(10)
    variable.set("reader's")
    await load(1)
    await turns()
    assert found[1:] == [seen]


async def test_a_refresh_may_ask_for_its_own_value() -> None:
    """It is given the old one, as everybody is: that is no load that waits for itself."""
    clock = ManualClock()
    found: list[object] = []

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> int:
        if found or (load.cache_contains(key) and load.cache_peek(key) is not MISSING):
            found.append(await load(key))
            return 2
        return 1

    await load(1)
    clock.advance(10)
    assert await load(1) == 1
    await turns()
    assert (found, load.cache_peek(1)) == ([1], 2)


async def test_a_load_that_reads_an_old_value_does_not_wait_for_its_refresh() -> None:
    """One cached function that calls another gets that one's old value, and may end before the refresh does."""
    scene = await aged(stale=50)

    @async_cached
    async def outer(key: int) -> str:
        return f"outer {await scene.load(1)}"

    assert await together(outer(1)) == ["outer old"]
    await turns()
    assert scene.gate.calls == [1, 1]
    await scene.end("new")
    assert (scene.load.cache_peek(1), await outer(1)) == ("new", "outer old")


async def test_old_values_are_copied_too() -> None:
    """With `copy`, what one reader of an old value does to it nobody else sees."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=10, copy="deep", clock=clock)
    async def load(key: int) -> list[int]:
        nonlocal calls
        calls += 1
        return [calls]

    await load(1)
    clock.advance(10)
    (await load(1)).append(7)
    assert await load(1) == [1]
    await turns()
    (await load(1)).append(7)
    assert await load(1) == [2]


async def test_each_instance_refreshes_for_itself() -> None:
    """A method's refresh is its instance's own, keeps the instance for as long as it runs, and no longer."""
    clock = ManualClock()
    gates: list[asyncio.Future[None]] = []

    class Shop:
        """Has prices."""

        @async_cached(ttl=10, stale=10, clock=clock)
        async def price(self, item: int) -> int:
            """Wait, from the second time on."""
            gates.append(asyncio.get_running_loop().create_future())
            if len(gates) > 2:
                await gates[-1]
            return len(gates)

    one, other = Shop(), Shop()
    assert (await one.price(1), await other.price(1)) == (1, 2)
    clock.advance(10)
    assert (await one.price(1), await one.price(1), await other.price(1)) == (1, 1, 2)
    await turns()
    assert len(gates) == 4
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is not None
    for gate in gates[2:]:
        gate.set_result(None)
    await turns()
    gc.collect()
    assert gone() is None
    assert await other.price(1) == 4


# --- before the end of the ttl --------------------------------------------------------------------------------------


async def test_refresh_ahead() -> None:
    """From the given share of the ttl on a read gets the value that is still fresh, and one refresh runs behind."""
    scene = await aged(TTL * 0.8 - MOMENT, refresh_ahead=0.8)
    assert (await scene.read(), scene.gate.calls) == ("old", [1])
    scene.clock.advance(MOMENT)
    for _ in range(3):
        assert (await scene.read(), scene.gate.calls) == ("old", [1, 1])
    assert (scene.load.cache_stats().hits, scene.load.cache_stats().stale) == (4, 0)
    await scene.end("new")
    assert await scene.read() == "new"


async def test_refresh_ahead_promises_nothing_beyond_the_ttl() -> None:
    """If the refresh has not come by then, readers wait for it: for that one, and no other."""
    scene = await aged(TTL * 0.9, refresh_ahead=0.8)
    assert await scene.read() == "old"
    scene.clock.advance(TTL)
    waiting = await callers(scene.load, 3)
    assert not any(task.done() for task in waiting)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 3
    assert scene.gate.calls == [1, 1]


@pytest.mark.parametrize(("chance", "refreshes"), [(math.exp(-1) - 0.001, True), (math.exp(-1) + 0.001, False)])
async def test_early(chance: float, refreshes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read refreshes when its chance, in units of the load's own time, reaches beyond the ttl's end (XFetch)."""
    scene = Scene(early=1.0)
    (first,) = await callers(scene.load, 1)
    scene.clock.advance(2)  # so long the load takes, and so long before its end the chance is 1 to e
    await scene.end("old")
    await first
    scene.clock.advance(TTL - 2)
    monkeypatch.setattr(random, "random", lambda: chance)
    assert await scene.read() == "old"
    assert len(scene.gate.calls) == 1 + refreshes
    await scene.load.cache_close()


async def test_early_grows_with_its_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factor stretches the time before the end in which a given chance refreshes."""
    monkeypatch.setattr(random, "random", lambda: math.exp(-1))
    begun: dict[float, bool] = {}
    for factor in (0.5, 2.0):
        scene = Scene(early=factor)
        (first,) = await callers(scene.load, 1)
        scene.clock.advance(2)
        await scene.end("old")
        await first
        scene.clock.advance(TTL - 2)
        await scene.read()
        begun[factor] = len(scene.gate.calls) > 1
        await scene.load.cache_close()
    assert begun == {0.5: False, 2.0: True}


async def test_a_ttl_of_nothing_and_an_old_value() -> None:
    """With a ttl of 0 and `stale`, every read gets the last value and has it refreshed behind."""
    options: dict[str, Any] = {"ttl": 0, "stale": 60}
    scene = Scene(**options)
    await scene.fill()
    assert (await scene.read(), scene.gate.calls) == ("old", [1, 1])
    await scene.end("new")
    assert (await scene.read(), scene.gate.calls) == ("new", [1, 1, 1])
    await scene.load.cache_close()
