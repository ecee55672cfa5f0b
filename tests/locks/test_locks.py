"""Locks: who waits, what wakes them, and what they are told."""

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from asynccache.errors import LockTimeout, StoreUnavailable
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lease import Claim
from asynccache.locks.lock import Locks
from asynccache.stores.contract import Item
from asynccache.stores.memory import MemoryStore
from tests.locks.world import KEY, Fault, Process, World, turns


async def hold(process: Process, until: asyncio.Event, *, wait: float | None = None) -> int:
    """Hold the lock until told otherwise, and give the fence."""
    async with process.locks.lock("report", ttl=30, wait=wait) as lease:
        await until.wait()
        return lease.fence


async def use(process: Process, *, wait: float | None = None) -> int:
    """Take the lock, give it back at once, and give the fence."""
    async with process.locks.lock("report", ttl=30, wait=wait) as lease:
        return lease.fence


async def test_a_lock_is_held_inside(process: Process, other: Process) -> None:
    """Inside nobody else gets the lock; outside others do. The lease has the lock's name."""
    async with process.locks.lock("report", ttl=30) as lease:
        assert lease.name == "report"
        with pytest.raises(LockTimeout):
            await use(other, wait=0)
    assert await use(other, wait=0) > lease.fence


async def test_names_are_apart(process: Process) -> None:
    """Locks of different names have nothing to do with each other, odd names included."""
    async with AsyncExitStack() as stack:
        for name in ("a", "b", "a:b", "f:a", "\udcff", "ü"):
            await stack.enter_async_context(process.locks.lock(name, ttl=30, wait=0))


async def test_an_error_inside(process: Process) -> None:
    """An error inside is passed on, and the lock given back."""
    with pytest.raises(ZeroDivisionError):
        async with process.locks.lock("report", ttl=30):
            raise ZeroDivisionError
    assert await use(process, wait=0)


async def test_woken_by_a_message(process: Process, other: Process, world: World) -> None:
    """Where changes are told, a waiter has the lock as soon as it is given back, without time passing."""
    await other.listen()
    done = asyncio.Event()
    holding = asyncio.create_task(hold(process, done))
    await turns()
    waiting = asyncio.create_task(use(other))
    await turns()
    now = world.clock()
    done.set()
    assert await waiting > await holding
    assert world.clock() == now


async def test_woken_in_the_same_process(process: Process, world: World) -> None:
    """In the holder's own process nobody needs to be told by the store."""
    done = asyncio.Event()
    holding = asyncio.create_task(hold(process, done))
    await turns()
    waiting = asyncio.create_task(use(process))
    await turns()
    done.set()
    assert await waiting > await holding


async def test_few_questions_while_told(process: Process, other: Process, world: World) -> None:
    """Where changes are told, a waiter asks when there is news, and else hardly ever."""
    await other.listen()
    done = asyncio.Event()
    holding = asyncio.create_task(hold(process, done))
    await turns()
    waiting = asyncio.create_task(use(other))
    await world.pass_time(60)
    assert other.wire.calls["add"] <= 60 + 60 / 10 + 1
    done.set()
    await waiting
    await holding


async def test_questions_while_not_told(process: Process, other: Process, world: World) -> None:
    """Where changes are not told, a waiter asks after growing pauses, of a quarter of a second at most."""
    done = asyncio.Event()
    holding = asyncio.create_task(hold(process, done))
    await turns()
    waiting = asyncio.create_task(use(other))
    await world.pass_time(0.05, step=0.001)
    soon = other.wire.calls["add"]
    assert soon >= 3
    await world.pass_time(60, step=0.05)
    assert 60 / 0.3 <= other.wire.calls["add"] - soon <= 60 / 0.1
    done.set()
    await world.pass_time(0.3, step=0.01)
    assert waiting.done()
    await waiting
    await holding


async def test_the_news_stop(process: Process, other: Process, world: World) -> None:
    """Who waits for a message, and hears that there may be none any more, begins to ask."""
    await other.listen()
    done = asyncio.Event()
    holding = asyncio.create_task(hold(process, done))
    await turns()
    waiting = asyncio.create_task(use(other))
    await turns()
    other.is_fed = False
    other.wakeups.ring(None)
    before = other.wire.calls["add"]
    await world.pass_time(2)
    assert other.wire.calls["add"] > before + 5
    done.set()
    await world.pass_time(0.3)
    await waiting
    await holding


@pytest.mark.parametrize("is_fed", [True, False])
async def test_the_holder_dies(process: Process, other: Process, world: World, *, is_fed: bool) -> None:
    """When a holder is gone without a word, a waiter has the lock within the ttl: the store need not tell."""
    if is_fed:
        await other.listen()
    await process.keeper.acquire(KEY, ttl=5)
    await world.pass_time(3.25)
    waiting = asyncio.create_task(use(other))
    await turns()
    process.wire.is_down = True
    await world.pass_time(5.25)
    assert waiting.done()
    await waiting


async def test_the_holder_dies_after_a_renewal(process: Process, other: Process, world: World) -> None:
    """A waiter that heard of the last renewal asks when that one's ttl is over, not later."""
    await other.listen()
    await process.keeper.acquire(KEY, ttl=3)
    waiting = asyncio.create_task(use(other))
    await world.pass_time(1.5, step=0.05)  # renewed after 1 second
    process.wire.is_down = True
    await world.pass_time(2.4, step=0.05)
    assert not waiting.done()
    await world.pass_time(0.2, step=0.05)
    assert waiting.done()
    await waiting


async def test_a_store_that_rounds_up(other: Process, world: World) -> None:
    """A store that keeps a dead holder's key for longer than the ttl is asked often from the end of the ttl on."""
    await other.listen()
    value = Claim(KEY, b"t" * 16, ttl=3).item().value
    await world.store.set_many({KEY: Item(value, ttl=3.9)})
    waiting = asyncio.create_task(use(other))
    await world.pass_time(3.9, step=0.05)
    assert not waiting.done()
    assert 8 < other.wire.calls["add"] < 25
    await world.pass_time(0.25, step=0.05)
    assert waiting.done()
    await waiting


async def test_something_else_under_the_key(other: Process, world: World) -> None:
    """What cannot be read as a lock's value keeps the lock all the same; one asks now and then."""
    await other.listen()
    await world.store.set_many({KEY: Item(b"?")})
    waiting = asyncio.create_task(use(other))
    await world.pass_time(60)
    assert 60 / 2 <= other.wire.calls["add"] <= 60 / 1 + 2
    await world.store.delete_many([KEY])
    await waiting


@pytest.mark.parametrize("is_fed", [True, False])
@pytest.mark.parametrize("wait", [0, 0.5, timedelta(seconds=7)])
async def test_waiting_has_an_end(
    process: Process, other: Process, world: World, wait: float | timedelta, *, is_fed: bool
) -> None:
    """A waiter is told that it was in vain after `wait` seconds: not before, and not later."""
    if is_fed:
        await other.listen()
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    async with process.locks.lock("report", ttl=30):
        waiting = asyncio.create_task(other.locks.lock("report", ttl=30, wait=wait).__aenter__())
        await turns()
        if seconds:
            await world.pass_time(seconds - 0.01, step=0.1)
            assert not waiting.done()
            await world.pass_time(0.01)
        with pytest.raises(LockTimeout) as told:
            await asyncio.wait_for(waiting, 5)
    assert told.value.name == "report"
    assert "report" not in str(told.value)


async def test_waiting_in_line_has_an_end(process: Process, other: Process, world: World) -> None:
    """So it is for those who wait for others of their own process."""
    async with other.locks.lock("report", ttl=30):
        tasks = [asyncio.create_task(use(process, wait=wait)) for wait in (9, 1, 5)]
        await turns()
        await world.pass_time(1)
        assert [task.done() for task in tasks] == [False, True, False]
        await world.pass_time(4)
        assert [task.done() for task in tasks] == [False, True, True]
        await world.pass_time(4)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [LockTimeout] * 3


async def test_one_at_a_time_asks(process: Process, other: Process, world: World) -> None:
    """However many wait in one process, the store is asked by one of them at a time."""
    async with other.locks.lock("report", ttl=30):
        tasks = [asyncio.create_task(use(process)) for _ in range(100)]
        await turns()
        assert process.wire.calls["add"] == 1
    await world.pass_time(0.3)
    for _ in range(100):
        await turns()
    assert len({task.result() for task in tasks}) == 100
    assert process.wire.calls["add"] < 400


async def test_no_waiting_at_all(process: Process, other: Process, world: World) -> None:
    """With `wait=0` a lock that is free is given, also while others of this process wait for their turn to ask."""
    lease = await other.keeper.acquire(KEY, ttl=30)
    assert lease is not None
    waiting = asyncio.create_task(use(process))
    await turns()
    await lease.release()
    assert await use(process, wait=0)
    await world.pass_time(0.3)
    await waiting


async def test_a_second_time_in_the_same_task(process: Process) -> None:
    """A task that holds a lock and wants it again waits like any other, so with a limit it learns of it."""
    async with process.locks.lock("report", ttl=30):
        with pytest.raises(LockTimeout):
            async with process.locks.lock("report", ttl=30, wait=0):
                pass


async def test_a_store_that_is_down(process: Process) -> None:
    """A lock that no store vouches for is not given: `StoreUnavailable`, at once, however long one would wait."""
    process.wire.is_down = True
    with pytest.raises(StoreUnavailable):
        await use(process)
    with pytest.raises(StoreUnavailable):
        await use(process, wait=0)


@pytest.mark.parametrize("method", ["add", "increment"])
async def test_a_store_that_does_not_answer(process: Process, method: str) -> None:
    """So it is when the store does not answer; the cause is told."""
    lost: Fault = "request lost"
    process.wire.faults[method] = [lost]
    with pytest.raises(StoreUnavailable) as told:
        await use(process)
    assert isinstance(told.value.__cause__, TimeoutError)
    assert await use(process, wait=0)


async def test_a_store_that_goes_down_while_one_waits(process: Process, other: Process, world: World) -> None:
    """A waiter is told that the store is down, and those behind it as well."""
    async with other.locks.lock("report", ttl=30):
        tasks = [asyncio.create_task(use(process)) for _ in range(3)]
        await turns()
        process.wire.is_down = True
        await world.pass_time(1)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3


async def test_closed_while_one_waits(process: Process, other: Process) -> None:
    """Who waits for a lock when its cache is closed is told, and those behind it as well; nobody waits for ever."""
    await process.listen()
    async with other.locks.lock("report", ttl=30):
        tasks = [asyncio.create_task(use(process)) for _ in range(3)]
        await turns()
        await process.keeper.aclose()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(result) for result in results] == [StoreUnavailable] * 3


async def test_used_once(process: Process) -> None:
    """What `lock` gives serves for one `async with`."""
    lock = process.locks.lock("report", ttl=30)
    async with lock:
        pass
    with pytest.raises(RuntimeError, match="call `lock` again"):
        async with lock:
            pass


async def test_left_without_entering(process: Process) -> None:
    """What was never entered gives nothing back."""
    async with process.locks.lock("report", ttl=30):
        await process.locks.lock("report", ttl=30).__aexit__(None, None, None)
        with pytest.raises(LockTimeout):
            await use(process, wait=0)


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan"), None, "30", True])
async def test_a_ttl_that_cannot_be_meant(process: Process, ttl: float) -> None:
    """A lock needs a ttl that ends: anything else is refused where it is written."""
    with pytest.raises(ValueError, match="ttl must be"):
        process.locks.lock("report", ttl=ttl)


@pytest.mark.parametrize("wait", [-1, float("nan"), "5", False])
async def test_a_wait_that_cannot_be_meant(process: Process, wait: float) -> None:
    """Nobody waits for less than nothing."""
    with pytest.raises(ValueError, match="wait must be"):
        process.locks.lock("report", ttl=30, wait=wait)


@pytest.mark.parametrize("name", ["", None, 7, b"report"])
async def test_a_name_that_is_none(process: Process, name: str) -> None:
    """A lock has a name; the message says what to write."""
    with pytest.raises(ValueError, match='write a string such as "report:7"'):
        process.locks.lock(name, ttl=30)


class Countless(MemoryStore):
    """A store that does not count."""

    increment = None  # type: ignore[assignment]


def test_a_store_that_cannot_count() -> None:
    """A store that cannot number the holders is refused at once."""
    with pytest.raises(TypeError, match=r"Countless cannot keep locks.*memory://, sqlite://"):
        Locks(LeaseKeeper(Countless()), b"shop:")


@pytest.mark.one_loop
def test_loops_in_threads() -> None:
    """On four loops in four threads at once, one at a time holds the lock, and fences grow in that order."""
    keeper = LeaseKeeper(MemoryStore())
    locks = Locks(keeper, b"shop:")
    inside: list[int] = []
    fences: list[int] = []
    start = threading.Barrier(4)

    async def work() -> None:
        async with locks.lock("report", ttl=30) as lease:
            inside.append(1)
            await turns(3)
            fences.append(lease.fence)
            assert inside.pop() == 1
            assert not inside

    async def many() -> None:
        start.wait(10)
        await asyncio.gather(*(work() for _ in range(5)))
        await keeper.errands.drain()

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(fences) == 20
    assert fences == sorted(set(fences))
