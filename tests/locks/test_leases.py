"""Leases: who has one, for how long, and when they know that it is lost."""

import asyncio
from collections.abc import Callable

import pytest

from asynccache.errors import StoreUnavailable
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lease import Lease
from asynccache.protocols import TimerHandle
from asynccache.stores.memory import MemoryStore
from asynccache.testing import ManualClock
from tests.locks.world import FENCE, KEY, Process, Wire, World, turns


async def acquire(process: Process, ttl: float = 30) -> Lease:
    """Get the lease, which is to be had."""
    lease = await process.keeper.acquire(KEY, ttl=ttl, name="report", fence_key=FENCE)
    assert lease is not None
    return lease


async def test_one_at_a_time(process: Process, other: Process) -> None:
    """While one has a lease nobody else gets it; once it is given back, the next does."""
    lease = await acquire(process)
    assert await other.keeper.acquire(KEY, ttl=30, fence_key=FENCE) is None
    await lease.release()
    assert (await acquire(other)).name == "report"


async def test_fences_grow(process: Process, other: Process) -> None:
    """Each holder has a greater number than the one before, in whichever process."""
    fences = []
    for keeper in (process, other, process):
        lease = await acquire(keeper)
        fences.append(lease.fence)
        await lease.release()
    assert fences == sorted(set(fences))
    assert fences[0] > 0


async def test_a_lease_is_renewed(process: Process, other: Process, world: World) -> None:
    """A lease lasts for as long as its holder lives, by one renewal each third of its ttl."""
    lease = await acquire(process, ttl=30)
    before = process.wire.calls["compare_and_set"]
    await world.pass_time(300)
    assert not lease.lost.is_set()
    assert await other.keeper.acquire(KEY, ttl=30, fence_key=FENCE) is None
    assert process.wire.calls["compare_and_set"] - before in {29, 30}


async def test_a_dead_holder(process: Process, other: Process, world: World) -> None:
    """The lease of a holder that is heard of no more ends within its ttl."""
    await acquire(process, ttl=30)
    process.wire.is_down = True
    await world.pass_time(30)
    assert (await acquire(other)).fence > 0


async def test_a_foreign_release(process: Process, other: Process, world: World) -> None:
    """Who has overrun its ttl, and gives back what is another's by now, takes nothing from it."""
    late = await acquire(process, ttl=30)
    process.wire.is_down = True
    await world.pass_time(30)
    present = await acquire(other)
    process.wire.is_down = False
    await late.release()
    assert late.lost.is_set()
    assert not present.lost.is_set()
    assert await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE) is None


async def test_told_that_it_is_not_ours(process: Process, world: World) -> None:
    """A renewal that finds another's token means that the lease is lost, at once."""
    lease = await acquire(process, ttl=30)
    waiting = asyncio.create_task(lease.lost.wait())
    await world.store.delete_many([KEY])
    await world.pass_time(9.75)
    assert not lease.lost.is_set()
    await world.pass_time(0.25)
    assert lease.lost.is_set()
    await waiting


async def test_lost_before_another_has_it(process: Process, world: World) -> None:
    """A store that does not answer: the holder gives up a little before the ttl since the last renewal was sent."""
    lease = await acquire(process, ttl=30)
    await world.pass_time(10)
    process.wire.is_down = True
    await world.pass_time(28.25)
    assert not lease.lost.is_set()
    await world.pass_time(0.5)
    assert lease.lost.is_set()
    assert await world.holder() is not None


async def test_counted_from_the_sending(process: Process, world: World) -> None:
    """A renewal that takes long is worth less: the time that it took is lost."""
    lease = await acquire(process, ttl=30)
    process.wire.held["compare_and_set"] = gate = asyncio.Event()
    await world.pass_time(18)  # sent after 10
    gate.set()
    del process.wire.held["compare_and_set"]
    await turns()
    process.wire.is_down = True
    await world.pass_time(20)  # 38 of 10 + 28.5
    assert not lease.lost.is_set()
    await world.pass_time(0.75)
    assert lease.lost.is_set()


async def test_a_renewal_that_hangs(process: Process, world: World) -> None:
    """A request that never ends keeps nobody from learning that the lease is lost."""
    lease = await acquire(process, ttl=30)
    waiting = asyncio.create_task(lease.lost.wait())
    process.wire.held["compare_and_set"] = asyncio.Event()
    await world.pass_time(29)
    assert waiting.done()
    await waiting


async def test_a_short_outage(process: Process, world: World) -> None:
    """A store that fails for less than the ttl costs nothing: renewals are tried again soon."""
    lease = await acquire(process, ttl=30)
    process.wire.is_down = True
    await world.pass_time(24)
    process.wire.is_down = False
    await world.pass_time(300)
    assert not lease.lost.is_set()


class StoppedClock(ManualClock):
    """The clock of a process that is stopped: time goes on, and no timer runs."""

    def stop_for(self, seconds: float) -> None:
        """Let time pass, and nothing happen."""
        self._now += seconds


async def test_a_process_that_was_stopped() -> None:
    """A holder that looks after a long pause of its process sees the loss before any timer has run."""
    clock = StoppedClock()
    keeper = LeaseKeeper(MemoryStore(clock=clock), clock=clock)
    lease = await keeper.acquire(KEY, ttl=30)
    assert lease is not None
    clock.stop_for(29)
    assert lease.lost.is_set()
    await lease.lost.wait()
    clock.advance(0)
    await turns()
    assert lease.lost.is_set()
    await keeper.aclose()


class EarlyClock:
    """A clock whose timers run a little early, as those of an event loop do."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        self.advance = self._clock.advance

    def __call__(self) -> float:
        """Tell the time."""
        return self._clock()

    def call_later(self, delay: float, callback: Callable[[], object]) -> TimerHandle:
        """Call a tenth of a second early."""
        return self._clock.call_later(max(delay - 0.1, 0.01), callback)


async def test_timers_that_are_early() -> None:
    """No lease is lost before its time because a timer ran early, and none is kept for longer."""
    clock = EarlyClock()
    wire = Wire(MemoryStore(clock=clock))
    keeper = LeaseKeeper(wire, clock=clock)
    lease = await keeper.acquire(KEY, ttl=20)
    assert lease is not None
    waiting = asyncio.create_task(lease.lost.wait())
    wire.is_down = True
    clock.advance(18.85)
    for _ in range(10):
        await turns(5)
        clock.advance(0.01)
    assert not waiting.done()
    for _ in range(10):
        clock.advance(0.01)
        await turns(5)
    assert waiting.done()
    await waiting
    wire.is_down = False
    await keeper.aclose()


async def test_stopped_in_a_renewal() -> None:
    """The reply to a renewal that is read only after a long pause of the process revives no lease."""
    clock = StoppedClock()
    wire = Wire(MemoryStore(clock=clock))
    keeper = LeaseKeeper(wire, clock=clock)
    lease = await keeper.acquire(KEY, ttl=30)
    assert lease is not None
    wire.held["compare_and_set"] = gate = asyncio.Event()
    clock.advance(10)
    await turns()
    clock.stop_for(19)
    gate.set()
    await turns()
    assert lease.lost.is_set()
    await keeper.aclose()


async def test_lost_for_good(process: Process, world: World) -> None:
    """A renewal that succeeds after the loss was told does not take that back."""
    lease = await acquire(process, ttl=30)
    process.wire.held["compare_and_set"] = gate = asyncio.Event()
    await world.pass_time(29)
    gate.set()
    await turns()
    assert lease.lost.is_set()
    await world.pass_time(30)
    assert lease.lost.is_set()


async def test_given_back_is_not_lost(process: Process, world: World) -> None:
    """A lease that was given back in time is not lost later, and is renewed no more."""
    lease = await acquire(process, ttl=30)
    await lease.release()
    calls = process.wire.calls.copy()
    await world.pass_time(300)
    assert not lease.lost.is_set()
    assert process.wire.calls == calls


async def test_given_back_twice(process: Process, other: Process) -> None:
    """To give a lease back again does nothing to the next holder, and asks nothing of the store."""
    lease = await acquire(process)
    await lease.release()
    await acquire(other)
    calls = process.wire.calls.copy()
    await lease.release()
    assert process.wire.calls == calls


async def test_closing_gives_back(process: Process, other: Process) -> None:
    """Who closes a keeper gives back its leases; their holders see that they are lost."""
    lease = await acquire(process)
    await process.keeper.aclose()
    assert lease.lost.is_set()
    assert (await acquire(other)).fence > 0


async def test_closed_for_good(process: Process, world: World) -> None:
    """A closed keeper gives no lease, nor one that was asked for before: nobody would give it back."""
    process.wire.held["increment"] = gate = asyncio.Event()
    asked = asyncio.create_task(process.keeper.acquire(KEY, ttl=30, fence_key=FENCE))
    await turns()
    closing = asyncio.create_task(process.keeper.aclose())
    await turns()
    gate.set()
    await closing
    with pytest.raises(StoreUnavailable):
        await asked
    with pytest.raises(StoreUnavailable):
        await process.keeper.acquire(KEY, ttl=30)
    assert await world.holder() is None


async def test_a_lease_tells_no_secrets(process: Process, world: World) -> None:
    """A lease in a log shows its state and its number, and not its name."""
    lease = await acquire(process)
    assert repr(lease) == f"<Lease held, fence {lease.fence}>"
    await lease.release()
    assert repr(lease) == f"<Lease given back, fence {lease.fence}>"
    lease = await acquire(process)
    await world.store.delete_many([KEY])
    await world.pass_time(10)
    assert repr(lease) == f"<Lease lost, fence {lease.fence}>"


class OnlyKeeps:
    """A store that can do no more than it must."""

    get_many = MemoryStore.get_many
    set_many = MemoryStore.set_many
    delete_many = MemoryStore.delete_many
    aclose = MemoryStore.aclose


def test_a_store_that_cannot() -> None:
    """A store without conditions is refused at once, by a message that names those that have them."""
    with pytest.raises(TypeError, match=r"OnlyKeeps cannot keep leases.*memory://, sqlite://, redis://"):
        LeaseKeeper(OnlyKeeps())
