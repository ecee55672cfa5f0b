"""Closing a cache that has a store, cancelled callers, and caches that are used on several loops at once."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import pytest

from asynccache import Cache, CacheClosed, LoadCancelled
from asynccache.errors import StoreUnavailable
from asynccache.stores import MemoryStore
from asynccache.testing import live_flights
from tests.flight.cancelling import at_turns
from tests.shared.world import HeldSource, Process, Source, World, turns, within_reach

STEPS: Final = ("get_many", "after get_many", "add", "after add", "compare_and_set")


async def leases(world: World) -> list[bytes]:
    """What leases and locks there are in the store."""
    kinds = (b"shop:l:", b"shop:k:", b"shop:lock:")
    return [key for kind in kinds for keys in [keys async for keys in world.store.scan(kind)] for key in keys]


@pytest.mark.parametrize("coalesce", ["process", "fleet"])
async def test_closing_ends_loads(world: World, coalesce: Any) -> None:
    """Loads under way are cancelled, those who wait are told, and no task is left."""
    a = await world.process(coalesce=coalesce)
    source = HeldSource()
    tasks = [asyncio.create_task(a.cache.get_or_load("key", source)) for _ in range(3)]
    await within_reach(source.begun.wait())
    await within_reach(a.cache.aclose())
    for task in tasks:
        with pytest.raises(LoadCancelled):
            await within_reach(task)
    assert await leases(world) == []
    assert live_flights() == []


async def test_closing_can_wait_for_loads(world: World) -> None:
    """With `wait=True` loads end by themselves, and what they bring is in the store."""
    a = await world.process()
    source = HeldSource("value")
    task = asyncio.create_task(a.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    closing = asyncio.create_task(a.cache.aclose(wait=True))
    await turns()
    assert not closing.done()
    source.go_on.set()
    await within_reach(closing)
    assert await within_reach(task) == "value"
    assert await world.stored("key") == "value"


async def test_closing_ends_waits_for_the_fleet(world: World) -> None:
    """Who waits for another process's load is told at once that there will be none."""
    a, b = await world.pair(coalesce="fleet")
    source = HeldSource("value")
    leading = asyncio.create_task(a.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    waiting = asyncio.create_task(b.cache.get_or_load("key", source))
    await turns()
    await within_reach(b.cache.aclose())
    with pytest.raises(LoadCancelled):
        await within_reach(waiting)
    source.go_on.set()
    assert await within_reach(leading) == "value"
    assert source.loads == 1


@pytest.mark.parametrize("step", STEPS)
async def test_closing_while_the_store_hangs(world: World, step: str) -> None:
    """A cache can be closed while its store has not answered."""
    a = await world.process(coalesce="fleet")
    await a.cache.set("key", "old", ttl=1)
    world.clock.advance(2)
    a.wire.hold(step)
    task = asyncio.create_task(a.cache.get_or_load("key", Source("new")))
    await turns()
    closing = asyncio.create_task(a.cache.aclose())
    await turns()
    a.wire.release()
    await within_reach(closing)
    with contextlib.suppress(LoadCancelled):
        assert await within_reach(task) == "new"
    await turns()
    assert await leases(world) == []


async def test_closing_sends_what_is_owed(world: World) -> None:
    """A deletion that could not be sent is sent at the end, if the store is back by then."""
    a, b = await world.pair()
    await b.cache.set("key", "old")
    a.wire.down = True
    await a.cache.delete("key")
    a.wire.down = False
    await within_reach(a.cache.aclose())
    await turns()
    assert await b.cache.get("key") is None


async def test_closing_without_the_store_waits_for_nothing(world: World) -> None:
    """What is owed to a store that is away does not hold the end up."""
    a = await world.process()
    a.wire.down = True
    await a.cache.delete("key")
    await within_reach(a.cache.aclose())
    await world.pass_time(20)


async def test_closing_gives_locks_back(world: World) -> None:
    """A lock that is still held when the cache is closed is lost to its holder, and another may have it at once."""
    a, b = await world.pair()
    async with a.cache.lock("report", ttl=30) as lease:
        await within_reach(a.cache.aclose())
        assert lease.lost.is_set()
        async with asyncio.timeout(5), b.cache.lock("report", ttl=30, wait=1) as other:
            assert other.fence > lease.fence
    assert await leases(world) == []


async def test_a_closed_cache_is_of_no_use(world: World) -> None:
    """After the end each call is a `CacheClosed`, and the store that was passed in is open."""
    a = await world.process()
    await a.cache.set("key", "value")
    await a.cache.aclose()
    await a.cache.aclose()
    calls: list[Coroutine[Any, Any, object]] = [
        a.cache.get("key"), a.cache.set("key", 1), a.cache.get_many(["key"]), a.cache.set_many({"key": 1}),
        a.cache.get_or_load("key", Source()), a.cache.get_or_load_many(["key"], Source().many),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(CacheClosed):
            await call
    assert await world.stored("key") == "value"


async def test_a_store_of_ones_own_is_closed_with_the_cache() -> None:
    """What the cache has opened by a URL it closes; what was passed in it leaves open."""
    store = MemoryStore()
    async with Cache(store) as cache:
        await cache.set("key", "value")
    assert not store.is_closed
    await store.aclose()
    async with Cache(store, ttl=5) as cache:
        assert await cache.get_or_load("key", Source("value")) == "value"
    with pytest.raises(StoreUnavailable):
        await store.get_many([b"key"])


# --- cancelled anywhere -----------------------------------------------------------------------------------------------


async def _get(process: Process) -> object:
    return await process.cache.get("key")


async def _set(process: Process) -> None:
    await process.cache.set("key", "new", tags=["tag"])


async def _delete(process: Process) -> object:
    return await process.cache.delete("key")


async def _load(process: Process) -> object:
    return await process.cache.get_or_load("key", Source("new"), tags=["tag"])


async def _load_many(process: Process) -> object:
    return await process.cache.get_or_load_many(["key", "other"], Source("new").many, tags=lambda _value: ["tag"])


async def _invalidate(process: Process) -> None:
    await process.cache.invalidate_tags("tag")


async def _touch(process: Process) -> object:
    return await process.cache.touch("key", 50)


async def _lock(process: Process) -> object:
    async with process.cache.lock("report", ttl=30, wait=1):
        await asyncio.sleep(0)
    return None


CALLS: Final = (_get, _set, _delete, _load, _load_many, _invalidate, _touch, _lock)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("coalesce", ["process", "fleet"])
@pytest.mark.parametrize("has_old", [False, True])
async def test_a_call_that_is_cancelled_at_any_step_leaves_nothing(
    world: World, has_old: bool, coalesce: Any, call: Callable[[Process], Coroutine[Any, Any, object]]
) -> None:
    """Whenever a caller is cancelled: no load and no lease is left, and the next calls are right in both processes."""
    a, b = await world.pair(coalesce=coalesce)
    before = asyncio.all_tasks()
    async for task in at_turns(lambda: call(a)):
        await asyncio.wait([task])
        await turns()
        assert task.cancelled() or task.exception() is None
        assert live_flights() == []
        assert await leases(world) == []
        await world.pass_time(1)
        assert asyncio.all_tasks() <= before | {task}
        assert a.owed() == 0
        stored = await world.stored("key")
        assert [await process.cache.get("key") for process in (a, b)] == [stored, stored]
        assert await within_reach(b.cache.get_or_load("beside", Source("value"))) == "value"
        await b.cache.delete_many(["key", "other", "beside"])
        if has_old:
            await b.cache.set("key", "old", tags=["tag"])
        await turns()


@pytest.mark.parametrize("say", [_delete, _invalidate])
async def test_a_deletion_that_is_cancelled_is_done_or_not_begun(
    world: World, say: Callable[[Process], Coroutine[Any, Any, object]]
) -> None:
    """A deletion that has begun to be sent is done, whether or not its caller waits for it: the processes agree."""
    a, b = await world.pair()
    await b.cache.set("key", "old", tags=["tag"])
    async for task in at_turns(lambda: say(a)):
        await asyncio.wait([task])
        await world.pass_time(1)
        stored = await world.stored("key")
        assert [await process.cache.get("key") for process in (a, b)] == [stored, stored]
        await b.cache.set("key", "old", tags=["tag"])
        await turns()


async def test_who_waits_with_a_cancelled_caller_is_given_the_value(world: World) -> None:
    """One caller's cancellation is no concern of those who wait for the same load."""
    a = await world.process(coalesce="fleet")
    source = Source("value")

    async def one() -> object:
        other = asyncio.ensure_future(a.cache.get_or_load("key", source))
        try:
            return await a.cache.get_or_load("key", source)
        finally:
            assert await within_reach(other) == "value"

    async for task in at_turns(one):
        await asyncio.wait([task])
        await a.cache.delete("key")
        await turns()


# --- several loops ----------------------------------------------------------------------------------------------------


def in_threads(count: int, main: Callable[[int], Awaitable[None]]) -> None:
    """Run as many loops at once, each in a thread of its own."""
    errors: list[BaseException] = []
    begin = threading.Barrier(count)

    async def run(number: int) -> None:
        begin.wait(10)
        await main(number)

    def work(number: int) -> None:
        try:
            asyncio.run(run(number))
        except BaseException as error:  # told to the test below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


@pytest.mark.parametrize("coalesce", ["process", "fleet"])
def test_one_cache_on_several_loops_at_once(coalesce: Any) -> None:
    """Loops in several threads share one cache: each is given right values, and none a stale one when all is quiet."""
    store = MemoryStore()
    cache = Cache(store, ttl=60, coalesce=coalesce)
    done = threading.Barrier(4)

    async def main(number: int) -> None:
        for turn in range(40):
            key = turn % 5
            assert (await cache.get_or_load(key, Source(f"value {key}"))).startswith(f"value {key}")
            if turn % 7 == number:
                await cache.delete(key)
            if turn % 11 == number:
                await cache.set(key, f"value {key} set")
            if turn % 13 == number:
                await cache.invalidate_tags("tag")
        await asyncio.to_thread(done.wait, 10)
        if number == 0:
            await cache.set("last", "value")
        await asyncio.to_thread(done.wait, 10)
        for _ in range(100):
            if await cache.get("last") == "value":
                break
        assert await cache.get("last") == "value"
        await asyncio.to_thread(done.wait, 10)

    in_threads(4, main)

    async def end() -> None:
        other = Cache(store, maxsize=0)
        for key in [*range(5), "last"]:
            assert await cache.get(key) == await other.get(key)
        await other.aclose()
        await cache.aclose()
        await store.aclose()

    asyncio.run(end())


def test_a_loop_that_is_gone_takes_no_news_with_it() -> None:
    """A cache whose first loop has ended listens on the next one, and keeps nothing that was replaced meanwhile."""
    store = MemoryStore()
    cache, other = Cache(store, ttl=60), Cache(store, ttl=60, maxsize=0)

    async def keep() -> None:
        await cache.set("key", "old")
        assert await cache.get("key") == "old"
        await turns()

    async def replace() -> None:
        await other.set("key", "new")

    async def read() -> None:
        await cache.get("beside")
        await turns()
        assert await cache.get("key") == "new"
        await other.set("key", "newer")
        await turns()
        assert await cache.get("key") == "newer"
        await cache.aclose()
        await other.aclose()
        await store.aclose()

    for main in (keep, replace, read):
        asyncio.run(main())
