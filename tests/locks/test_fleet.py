"""One load for a fleet: who loads, who waits, and when one stops waiting."""

import asyncio

import pytest

from asynccache.errors import StoreTimeout
from asynccache.locks.fleet import FleetFlights
from asynccache.locks.lease import Lease
from asynccache.protocols import MISSING, Missing
from asynccache.stores.contract import Item
from tests.locks.world import Fault, Process, World, turns

LEASE = b"shop:flight:price"
VALUE = b"shop:value:price"
TTL = 10.0


class Loader:
    """Loads a value as a cache does: looks, leads or waits, loads, writes."""

    def __init__(self, process: Process) -> None:
        self.wire = process.wire
        self.flights = FleetFlights(process.keeper)
        self.loads = 0
        self.done = asyncio.Event()

    async def recheck(self) -> bytes | Missing:
        """Look for the value."""
        return (await self.wire.get_many([VALUE])).get(VALUE, MISSING)

    async def lead_or_wait(self) -> Lease | bytes | Missing:
        """Become the one who loads, or wait."""
        return await self.flights.lead_or_wait(LEASE, VALUE, ttl=TTL, recheck=self.recheck)

    async def get(self) -> bytes:
        """Give the value, from wherever."""
        lead = await self.lead_or_wait()
        if isinstance(lead, bytes):
            return lead
        try:
            self.loads += 1
            await self.done.wait()
            await self.wire.store.set_many({VALUE: Item(b"42")})
            return b"42"
        finally:
            if isinstance(lead, Lease):
                await lead.release()


@pytest.fixture(params=[True, False], ids=["told", "not told"])
async def loaders(request: pytest.FixtureRequest, world: World) -> list[Loader]:
    """Four processes."""
    processes = [world.process() for _ in range(4)]
    if request.param:
        for process in processes:
            await process.listen()
    return [Loader(process) for process in processes]


def loads(loaders: list[Loader]) -> int:
    """How many loads there were."""
    return sum(loader.loads for loader in loaders)


async def test_one_load(loaders: list[Loader], world: World) -> None:
    """Of four processes that want the same value one loads it, and all have it; nothing stays behind."""
    tasks = [asyncio.create_task(loader.get()) for loader in loaders]
    await world.pass_time(2)
    assert loads(loaders) == 1
    for loader in loaders:
        loader.done.set()
    await world.pass_time(0.25)
    assert [task.result() for task in tasks] == [b"42"] * 4
    assert loads(loaders) == 1
    assert await world.holder(LEASE) is None


async def test_a_message_suffices(world: World) -> None:
    """Where changes are told, those who wait have the value without time passing."""
    processes = [world.process() for _ in range(4)]
    loaders = [Loader(process) for process in processes]
    for process, loader in zip(processes, loaders, strict=True):
        await process.listen()
        loader.done.set()
    now = world.clock()
    assert await asyncio.gather(*(loader.get() for loader in loaders)) == [b"42"] * 4
    assert loads(loaders) == 1
    assert world.clock() == now


async def test_stored_meanwhile(loaders: list[Loader], world: World) -> None:
    """Who becomes the leader after the value was stored finds it, and loads nothing."""
    loader = loaders[0]
    loader.wire.held["add"] = gate = asyncio.Event()
    waiting = asyncio.create_task(loader.get())
    await turns()
    await world.store.set_many({VALUE: Item(b"41")})
    gate.set()
    assert await waiting == b"41"
    await turns()
    assert await world.holder(LEASE) is None


async def test_the_leader_fails(loaders: list[Loader], world: World) -> None:
    """When a load has brought nothing, the next process tries, and only one."""
    first = await loaders[0].lead_or_wait()
    assert isinstance(first, Lease)
    tasks = [asyncio.create_task(loader.get()) for loader in loaders[1:]]
    await turns()
    await first.release()
    await world.pass_time(0.5)
    assert loads(loaders) == 1
    for loader in loaders:
        loader.done.set()
    await world.pass_time(0.5)
    assert {task.result() for task in tasks} == {b"42"}
    assert loads(loaders) == 1


async def test_the_leader_dies(loaders: list[Loader], world: World) -> None:
    """When a leader is gone without a word, the others go on within the ttl."""
    dead = await loaders[0].lead_or_wait()
    assert isinstance(dead, Lease)
    await world.pass_time(1)
    loaders[0].wire.is_down = True
    tasks = [asyncio.create_task(loader.get()) for loader in loaders[1:]]
    for loader in loaders:
        loader.done.set()
    await world.pass_time(TTL + 0.25)
    assert [task.result() for task in tasks] == [b"42"] * 3


async def test_a_slow_leader(loaders: list[Loader], world: World) -> None:
    """Nobody waits for longer than the ttl, even for a leader that is alive: they load by themselves."""
    slow = await loaders[0].lead_or_wait()
    assert isinstance(slow, Lease)
    waiting = asyncio.create_task(loaders[1].lead_or_wait())
    await turns()
    await world.pass_time(TTL - 0.25)
    assert not waiting.done()
    await world.pass_time(0.25)
    assert await waiting is MISSING
    assert not slow.lost.is_set()


async def test_a_store_that_is_down(loaders: list[Loader]) -> None:
    """With the store down nobody waits for anybody: each process loads once."""
    for loader in loaders:
        loader.wire.is_down = True
    assert [await loader.lead_or_wait() for loader in loaders] == [MISSING] * 4


@pytest.mark.parametrize("method", ["add", "get_many"])
async def test_a_store_that_does_not_answer(loaders: list[Loader], world: World, method: str) -> None:
    """A request that gets no answer means going on uncoordinated, and leaves no lease behind."""
    lost: Fault = "request lost"
    loaders[0].wire.faults[method] = [lost] * 3
    assert await loaders[0].lead_or_wait() is MISSING
    await turns()
    assert await world.holder(LEASE) is None


async def test_down_while_one_waits(loaders: list[Loader], world: World) -> None:
    """Who waits while the store goes down goes on at the latest when it would have asked the next time."""
    await loaders[0].lead_or_wait()
    waiting = asyncio.create_task(loaders[1].lead_or_wait())
    await turns()
    loaders[1].wire.is_down = True
    await world.pass_time(2.25)
    assert await waiting is MISSING


async def test_a_mistake_in_looking(loaders: list[Loader], world: World) -> None:
    """What looking raises is the caller's to see; the lease does not stay behind."""

    async def recheck() -> bytes | Missing:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await loaders[0].flights.lead_or_wait(LEASE, VALUE, ttl=TTL, recheck=recheck)
    await turns()
    assert await world.holder(LEASE) is None


async def test_looking_fails(loaders: list[Loader], world: World) -> None:
    """If the store fails in looking, the lease does not stay behind, and nothing is raised."""

    async def recheck() -> bytes | Missing:
        raise StoreTimeout("no answer")

    assert await loaders[0].flights.lead_or_wait(LEASE, VALUE, ttl=TTL, recheck=recheck) is MISSING
    await turns()
    assert await world.holder(LEASE) is None


async def test_few_questions(world: World) -> None:
    """Where changes are told, who waits does not ask again and again."""
    leader, waiter = world.process(), world.process()
    await waiter.listen()
    assert isinstance(await Loader(leader).lead_or_wait(), Lease)
    waiting = asyncio.create_task(Loader(waiter).lead_or_wait())
    await world.pass_time(TTL)
    assert await waiting is MISSING
    assert waiter.wire.calls["add"] <= 1 + 10 + 4
