"""Refreshes behind: how many there are, what becomes of those that fail, and how they end."""

import asyncio
import gc
import logging
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynccache import CacheClosed, async_cached
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import callers, together, turns
from tests.flight.scripts import output_of
from tests.freshness.aging import MOMENT, TTL, Scene, aged

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
    "error", [OSError("down"), asyncio.CancelledError(), StopAsyncIteration(), GeneratorExit()], ids=repr
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


@pytest.mark.parametrize("left_behind", [1, 2])
def test_refreshes_of_a_loop_that_was_closed(left_behind: int) -> None:
    """What a loop has left behind when it was closed by hand keeps nobody on another loop from refreshing."""
    clock = ManualClock()
    never: list[asyncio.Future[None]] = []
    is_stuck = False

    @async_cached(ttl=10, stale=1_000, clock=clock, max_refreshes=2)
    async def load(key: int) -> str:
        if is_stuck:
            never.append(asyncio.get_running_loop().create_future())
            await never[-1]
        return "new" if never else "old"

    async def read() -> list[str]:
        found = [await load(key) for key in range(left_behind)]
        await turns()
        return found

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(read()) == ["old"] * left_behind
    clock.advance(10)
    is_stuck = True
    assert loop.run_until_complete(read()) == ["old"] * left_behind
    assert len(never) == left_behind
    loop.close()
    is_stuck = False
    assert asyncio.run(read()) == ["old"] * left_behind
    assert asyncio.run(read()) == ["new"] * left_behind
    never.clear()


def test_a_fork_in_the_midst_of_a_refresh() -> None:
    """The refresh goes on in the parent; a child refreshes for itself, and is not held up by it."""
    script = """
        import asyncio, os, sys, threading, warnings
        warnings.simplefilter("ignore")             # of forking beside threads, which 3.12 and later warn of
        from asynccache import async_cached
        from asynccache.testing import ManualClock

        clock, parent, go_on, calls = ManualClock(), os.getpid(), [], []

        @async_cached(ttl=10, stale=1000, clock=clock, max_refreshes=1)
        async def load(key):
            calls.append(key)
            while clock() and os.getpid() == parent and not go_on:
                await asyncio.sleep(0)
            return len(calls)

        async def read():
            value = await load(1)
            for _ in range(5):
                await asyncio.sleep(0)
            return value

        def fork():
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
                return
            code = 1
            try:
                print(asyncio.run(read()), asyncio.run(read()), calls, flush=True)
                code = 0
            finally:
                os._exit(code)

        async def main():
            await read()
            clock.advance(10)
            await read()
            thread = threading.Thread(target=fork)
            thread.start()
            await asyncio.to_thread(thread.join)
            go_on.append(True)
            await read()
            print(await read(), calls)

        asyncio.run(main())
    """
    assert output_of(script) == "1 3 [1, 1, 1]\n2 [1, 1]\n"
