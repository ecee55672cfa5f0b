"""Callers of leases and locks who are cancelled anywhere: no key stays, no task, and nobody else notices."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from asynccache.errors import StoreUnavailable
from asynccache.locks.fleet import FleetFlights
from asynccache.locks.lease import Lease
from asynccache.protocols import MISSING, Missing
from tests.flight.cancelling import CancelledAtWait, at_turns
from tests.locks.world import FENCE, KEY, Fault, Process, World, turns


async def use_a_lock(process: Process) -> None:
    """Take the lock, hold it for some turns, and give it back."""
    async with process.locks.lock("report", ttl=30):
        await turns(3)


async def use_a_lease(process: Process) -> None:
    """Do so with a lease, without waiting."""
    lease = await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    if lease is not None:
        try:
            await turns(3)
        finally:
            await lease.release()


async def lead(process: Process) -> None:
    """Load something for the whole fleet."""

    async def recheck() -> Missing:
        await turns(2)
        return MISSING

    lead = await FleetFlights(process.keeper).lead_or_wait(KEY, b"value", ttl=30, recheck=recheck)
    if isinstance(lead, Lease):
        try:
            await turns(3)
        finally:
            await lead.release()


USES: list[Callable[[Process], Awaitable[None]]] = [use_a_lock, use_a_lease, lead]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("faults", [{}, {"add": ["reply lost"]}, {"compare_and_set": ["reply lost"]}])
async def test_cancelled_after_any_turn(
    world: World, use: Callable[[Process], Awaitable[None]], faults: dict[str, list[Fault]]
) -> None:
    """Cancelled after any number of turns, a caller leaves no key once everything has come to its end."""

    async def used() -> None:
        process.wire.faults.update({method: list(some) for method, some in faults.items()})
        await use(process)

    process = world.process()
    cancelled = 0
    async for task in at_turns(used):
        await asyncio.wait([task])
        cancelled += task.cancelled()
        await turns()
        assert await world.holder() is None
    assert cancelled > 4


@pytest.mark.parametrize("use", USES)
async def test_cancelled_at_any_wait(world: World, process: Process, use: Callable[[Process], Awaitable[None]]) -> None:
    """Cancelled at the beginning of any of its waits, a caller leaves no key."""
    number = 1
    while True:
        again = CancelledAtWait(use(process), number)
        task: asyncio.Task[None] = asyncio.ensure_future(await_it(again))
        await asyncio.wait([task])
        await turns()
        assert await world.holder() is None
        if not again.reached:
            break
        assert task.cancelled()
        number += 1
    assert number > 3


async def await_it(work: Awaitable[None]) -> None:
    """Make a coroutine of what can be awaited."""
    await work


async def test_cancelled_in_a_scope(world: World, process: Process) -> None:
    """Under a scope that cancels again at every await, a lock is given back all the same."""
    with anyio.CancelScope() as scope:
        async with process.locks.lock("report", ttl=30):
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    await turns()
    assert await world.holder() is None


async def test_cancelled_while_it_is_given_back(world: World, process: Process) -> None:
    """A release whose caller is cancelled goes on."""
    lease = await process.keeper.acquire(KEY, ttl=30)
    assert lease is not None
    process.wire.held["compare_and_delete"] = gate = asyncio.Event()
    releasing = asyncio.create_task(lease.release())
    await turns()
    releasing.cancel()
    await asyncio.wait([releasing])
    gate.set()
    await turns()
    assert releasing.cancelled()
    assert await world.holder() is None


async def test_closing_sees_what_was_left(world: World, process: Process) -> None:
    """Who closes a keeper waits for what cancelled callers have left to be done."""
    process.wire.held["add"] = gate = asyncio.Event()
    leaving = asyncio.create_task(process.keeper.acquire(KEY, ttl=30, fence_key=FENCE))
    await turns()
    leaving.cancel()
    await asyncio.wait([leaving])
    closing = asyncio.create_task(process.keeper.aclose())
    await turns()
    assert not closing.done()
    gate.set()
    await closing
    assert process.wire.calls["compare_and_delete"] == 1
    assert await world.holder() is None


async def test_closing_cancelled(world: World, process: Process) -> None:
    """Who closes a keeper and is cancelled stops nothing."""
    await process.keeper.acquire(KEY, ttl=30)
    process.wire.held["compare_and_delete"] = gate = asyncio.Event()
    closing = asyncio.create_task(process.keeper.aclose())
    await turns()
    closing.cancel()
    await asyncio.wait([closing])
    gate.set()
    await turns()
    assert await world.holder() is None


async def test_what_works_for_the_caller_is_cancelled(process: Process) -> None:
    """When all tasks are cancelled but the caller, as at the end of a loop, the caller is not told that it was."""
    process.wire.held["add"] = asyncio.Event()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(process.keeper.acquire(KEY, ttl=30))
    await turns()
    (working,) = asyncio.all_tasks() - before - {waiting}
    working.cancel()
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_a_waiter_leaves(world: World, process: Process) -> None:
    """A waiter who is cancelled when its turn comes passes the turn on."""
    got: list[int] = []

    async def wait(number: int) -> None:
        async with process.locks.lock("report", ttl=30):
            got.append(number)

    lease = await process.keeper.acquire(b"shop:k:report", ttl=30)
    assert lease is not None
    tasks = [asyncio.create_task(wait(number)) for number in range(4)]
    await turns()
    tasks[0].cancel()
    tasks[1].cancel()
    await lease.release()
    await world.pass_time(1)
    assert got == [2, 3]
    assert [task.cancelled() for task in tasks] == [True, True, False, False]


async def test_a_waiter_leaves_at_any_turn(world: World, process: Process) -> None:
    """Whenever a waiter is cancelled, those behind it get the lock."""
    got: list[int] = []

    async def wait() -> None:
        async with process.locks.lock("report", ttl=30):
            await turns(2)
            got.append(1)

    async def one_of_three() -> None:
        others.extend([asyncio.create_task(wait())])
        try:
            await wait()
        finally:
            others.extend([asyncio.create_task(wait())])

    others: list[asyncio.Task[None]] = []
    async for task in at_turns(one_of_three):
        await asyncio.wait([task])
        await world.pass_time(1)
        assert len(others) in {0, 2}
        assert all(other.done() for other in others)
        others.clear()
        assert await world.holder() is None
    assert len(got) > 20
