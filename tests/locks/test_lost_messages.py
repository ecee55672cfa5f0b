"""What a lease comes to when requests and replies are lost: nobody's lock stays behind."""

import asyncio

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from tests.locks.world import FENCE, KEY, Fault, Process, World, turns

FAULTS: list[Fault] = ["request lost", "reply lost", "late"]


async def test_the_reply_to_add_is_lost(process: Process, world: World) -> None:
    """A lock that was acquired though nobody said so is found to be one's own, and held like any other."""
    process.wire.faults["add"] = ["reply lost"]
    lease = await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    assert lease is not None
    await world.pass_time(100)
    assert not lease.lost.is_set()


async def test_nobody_knows(process: Process, world: World) -> None:
    """If it cannot be found out whether the lock was acquired, the caller is told, and the lock is free again."""
    process.wire.faults.update(add=["reply lost"], get_many=["request lost"])
    with pytest.raises(StoreTimeout):
        await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    await turns()
    assert await world.holder() is None


async def test_it_arrives_late(process: Process, world: World) -> None:
    """A request that arrives long after it was given up leaves a lock for a second or so, not for its ttl."""
    process.wire.faults["add"] = ["late"]
    with pytest.raises(StoreTimeout):
        await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    await world.pass_time(12)
    await process.wire.deliver()
    assert await world.holder() is not None
    await world.pass_time(1)
    assert await world.holder() is None


async def test_late_requests_are_not_waited_for_for_ever(process: Process, world: World) -> None:
    """After the ttl nobody asks any more whether a lost request has arrived."""
    process.wire.faults["add"] = ["request lost"]
    with pytest.raises(StoreTimeout):
        await process.keeper.acquire(KEY, ttl=10, fence_key=FENCE)
    await world.pass_time(11)
    calls = process.wire.calls["compare_and_delete"]
    await world.pass_time(30)
    assert process.wire.calls["compare_and_delete"] == calls < 20


@pytest.mark.parametrize("step", ["increment", "compare_and_set"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_step_after_the_first_fails(process: Process, world: World, step: str, fault: Fault) -> None:
    """Whatever is lost between the key and the fence, there is either a lease or no lock."""
    process.wire.faults[step] = [fault]
    try:
        lease = await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    except StoreError:
        lease = None
    await turns()
    assert (lease is not None) == (await world.holder() is not None)
    await process.wire.deliver()
    assert (lease is not None) == (await world.holder() is not None)


async def test_the_confirmation_is_lost(process: Process) -> None:
    """A confirmation that was carried out though nobody said so is found in the store."""
    process.wire.faults["compare_and_set"] = ["reply lost"]
    lease = await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    assert lease is not None
    assert not lease.lost.is_set()


async def test_overtaken_before_the_confirmation(process: Process, other: Process, world: World) -> None:
    """Who is stopped between the key and the fence, and overtaken, has no lease, and does not hurt the holder."""
    process.wire.held["increment"] = gate = asyncio.Event()
    slow = asyncio.create_task(process.keeper.acquire(KEY, ttl=10, fence_key=FENCE))
    await world.pass_time(11)
    quick = await other.keeper.acquire(KEY, ttl=10, fence_key=FENCE)
    gate.set()
    assert await slow is None
    await turns()
    assert quick is not None
    assert await world.holder() == quick.claim.item().value


async def test_too_slow_to_be_of_use(process: Process, world: World) -> None:
    """A lease whose time is over before its reply is there is no lease, and is given back."""
    process.wire.held["add"] = gate = asyncio.Event()
    slow = asyncio.create_task(process.keeper.acquire(KEY, ttl=10))
    await world.pass_time(10)
    gate.set()
    assert await slow is None
    await turns()
    assert await world.holder() is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_giving_back_fails(process: Process, world: World, fault: Fault) -> None:
    """A store that fails to give a lease back is asked again in the background; the holder is not told."""
    lease = await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    assert lease is not None
    process.wire.faults["compare_and_delete"] = [fault, fault]
    await lease.release()
    await world.pass_time(1)
    assert await world.holder() is None


async def test_giving_back_waits_for_one_try(process: Process, world: World) -> None:
    """Who gives a lease back waits for the answer to the first try, and no longer, however long the outage."""
    lease = await process.keeper.acquire(KEY, ttl=30)
    assert lease is not None
    process.wire.is_down = True
    await lease.release()
    await world.pass_time(3)
    process.wire.is_down = False
    await world.pass_time(1)
    assert await world.holder() is None


async def test_giving_back_hangs(process: Process, world: World) -> None:
    """A store that never answers keeps whoever gives a lease back for its ttl, and not for ever."""
    lease = await process.keeper.acquire(KEY, ttl=3)
    assert lease is not None
    process.wire.held["compare_and_delete"] = asyncio.Event()
    releasing = asyncio.create_task(lease.release())
    await world.pass_time(3)
    assert releasing.done()


async def test_closing_in_an_outage(process: Process, world: World) -> None:
    """Closing makes no further tries, so it waits for no outage to end; time does not have to pass for it."""
    await process.keeper.acquire(KEY, ttl=30)
    process.wire.is_down = True
    process.wire.faults["add"] = ["request lost"]
    with pytest.raises(StoreUnavailable):
        await process.keeper.acquire(b"another", ttl=30)
    await turns()
    await asyncio.wait_for(process.keeper.aclose(), 5)
    assert await world.holder() is not None


async def test_given_back_after_closing_in_an_outage(process: Process, world: World) -> None:
    """What is given back after the keeper was closed is tried once: nobody would see to further tries."""
    lease = await process.keeper.acquire(KEY, ttl=30)
    assert lease is not None
    process.keeper.is_closed = True
    process.wire.is_down = True
    await lease.release()
    await world.pass_time(3)
    assert process.wire.calls["compare_and_delete"] == 1


async def test_a_mistake_in_a_store(process: Process, world: World) -> None:
    """An error that no store should raise reaches the caller as it is, and leaves no lock behind either."""

    async def increment(key: bytes, *, ttl: float | None = None) -> int:
        raise ZeroDivisionError

    process.wire.increment = increment  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await process.keeper.acquire(KEY, ttl=30, fence_key=FENCE)
    await turns()
    assert await world.holder() is None
