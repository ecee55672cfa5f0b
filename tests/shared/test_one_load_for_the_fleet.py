"""`coalesce="fleet"`: one load for all processes, and nobody who waits for longer than a lease lasts."""

import asyncio
from typing import Any, Final

import pytest

from asynccache import CacheClosed, LoadCancelled
from asynccache.stores.contract import SupportsConditions, SupportsFeed
from tests.shared.world import HeldSource, Process, Source, World, turns, within_reach

FLEET: Final[dict[str, Any]] = {"coalesce": "fleet", "lease_ttl": 10}
TIERS: Final[list[dict[str, Any]]] = [{}, {"maxsize": 0}, {"without": (SupportsFeed,)}]


async def fleet(world: World, count: int = 3, **options: Any) -> list[Process]:
    """Start so many processes."""
    return [await world.process(**FLEET, **options) for _ in range(count)]


def call(process: Process, source: Source, count: int = 5, **options: Any) -> "list[asyncio.Task[Any]]":
    """Let so many callers of one process ask for the same key."""
    return [asyncio.create_task(process.cache.get_or_load("key", source, **options)) for _ in range(count)]


async def leases(world: World) -> list[bytes]:
    """What leases there are in the store."""
    return [key async for keys in world.store.scan(b"shop:l:") for key in keys]


@pytest.mark.parametrize("tier", TIERS)
async def test_one_load_for_all_processes_and_callers(world: World, tier: dict[str, Any]) -> None:
    """Four processes with 25 callers each of one cold key: one load, one value, and no lease left."""
    processes = await fleet(world, 4, **tier)
    source = HeldSource("value")
    tasks = [task for process in processes for task in call(process, source, 25)]
    await within_reach(source.begun.wait())
    await world.pass_time(2)
    source.go_on.set()
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*tasks)) == ["value"] * 100
    assert source.loads == 1
    await turns()
    assert await leases(world) == []


async def test_where_changes_are_told_nobody_asks_again_and_again(world: World) -> None:
    """Who waits is woken by news, without a moment passing, and asks the store a few times only."""
    a, b = await fleet(world, 2)
    source = HeldSource("value")
    tasks = call(a, source)
    await within_reach(source.begun.wait())
    tasks += call(b, source)
    await turns()
    asked = b.wire.calls.total()
    await turns(200)
    assert b.wire.calls.total() == asked
    source.go_on.set()
    await turns()
    assert [task.result() for task in tasks] == ["value"] * 10
    assert b.wire.calls.total() - asked <= 4


@pytest.mark.parametrize("tier", TIERS)
async def test_a_leader_that_fails_lets_the_next_try(world: World, tier: dict[str, Any]) -> None:
    """The load of the next begins when that of the first has failed, and not before."""
    a, b, _ = await fleet(world, 3, **tier)
    failing, source = HeldSource(), Source("value")
    failing.error = OSError("first")
    first = call(a, failing)
    await within_reach(failing.begun.wait())
    second = call(b, source)
    await turns()
    assert source.loads == 0
    failing.go_on.set()
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*second)) == ["value"] * 5
    for task in first:
        with pytest.raises(OSError, match="first"):
            await task
    assert source.loads == 1
    assert await leases(world) == []


async def test_a_leader_whose_callers_leave_lets_the_next_try(world: World) -> None:
    """When nobody waits for the leading load any more, it ends and another process loads."""
    a, b = await fleet(world, 2)
    first, source = HeldSource("first"), Source("value")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await turns()
    for task in leading:
        task.cancel()
    await asyncio.wait(leading)
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5
    assert await leases(world) == []


async def test_a_leader_that_cancels_itself_lets_the_next_try(world: World) -> None:
    """A load that is cancelled from within is a failure like any other."""
    a, b = await fleet(world, 2)
    go_on = asyncio.Event()

    async def cancelling() -> None:
        await go_on.wait()
        raise asyncio.CancelledError

    leading = asyncio.create_task(a.cache.get_or_load("key", cancelling))
    await turns()
    source = Source("value")
    waiting = call(b, source)
    await turns()
    go_on.set()
    with pytest.raises(LoadCancelled):
        await within_reach(leading)
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5


async def test_a_leader_that_is_closed_lets_the_next_try(world: World) -> None:
    """A process that is shut down while it leads gives its lease back: nobody waits for the end of it."""
    a, b = await fleet(world, 2)
    first, source = HeldSource("first"), Source("value")
    leading = call(a, first, 1)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await turns()
    closing = asyncio.create_task(a.cache.aclose())
    await turns()
    await world.pass_time(1)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5
    await within_reach(closing)
    with pytest.raises((CacheClosed, LoadCancelled)):
        await within_reach(leading[0])


async def test_a_leader_that_is_cut_off_is_waited_for_no_longer_than_its_lease(world: World) -> None:
    """A process that has died, or cannot reach the store, holds the others up for `lease_ttl` at most."""
    a, b = await fleet(world, 2)
    first, source = HeldSource("first"), Source("value")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    a.wire.down = True
    a.wire.lose_feed()
    waiting = call(b, source)
    await turns()
    assert source.loads == 0
    await world.pass_time(10.5)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5
    first.go_on.set()
    assert await within_reach(asyncio.gather(*leading)) == ["first"] * 5
    a.wire.down = False
    a.wire.restore_feed()
    await world.pass_time(15)
    assert await world.stored("key") == "value"
    assert await a.cache.get("key") == "value"


async def test_nobody_waits_for_a_slow_leader_longer_than_a_lease(world: World) -> None:
    """A leader that is alive and slow is not waited for longer than `lease_ttl` either."""
    a, b = await fleet(world, 2)
    first, source = HeldSource("first"), Source("value")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await world.pass_time(9)
    assert source.loads == 0
    await world.pass_time(1.5)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5
    first.go_on.set()
    await within_reach(asyncio.gather(*leading))
    await turns()
    assert await a.cache.get("key") == await b.cache.get("key") == await world.stored("key")


async def test_waiting_processes_lose_the_store(world: World) -> None:
    """Who waits for another's load and loses the store loads itself, at once or within the lease."""
    a, b = await fleet(world, 2)
    first, source = HeldSource("first"), Source("value")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await turns()
    for process in (a, b):
        process.wire.down = True
        process.wire.lose_feed()
    await world.pass_time(10.5)
    assert await within_reach(asyncio.gather(*waiting)) == ["value"] * 5
    first.go_on.set()
    assert await within_reach(asyncio.gather(*leading)) == ["first"] * 5


async def test_a_store_that_loses_replies_costs_loads_and_no_more(world: World) -> None:
    """If it is not known who leads, each process loads for itself at once."""
    processes = await fleet(world, 2)
    source = Source("value")
    for process in processes:
        process.wire.loses_replies = True
    tasks = [task for process in processes for task in call(process, source)]
    assert await within_reach(asyncio.gather(*tasks)) == ["value"] * 10
    assert source.loads <= 2


async def test_a_store_without_conditions_is_refused_or_not_led(world: World) -> None:
    """Where no leases can be kept, `coalesce="fleet"` is refused where it is written."""
    with pytest.raises(TypeError, match="lease"):
        await world.process(**FLEET, without=(SupportsConditions,))


async def test_a_set_while_one_leads_ends_the_wait(world: World) -> None:
    """A value that is set is taken by those who wait, without a load."""
    a, b, c = await fleet(world, 3)
    first, source = HeldSource("old"), Source("loaded")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    waiting = call(b, source)
    await turns()
    await c.cache.set("key", "set")
    await turns()
    assert await within_reach(asyncio.gather(*waiting)) == ["set"] * 5
    assert source.loads == 0
    first.go_on.set()
    await within_reach(asyncio.gather(*leading))
    await turns()
    assert [await process.cache.get("key") for process in (a, b, c)] == ["set"] * 3


@pytest.mark.parametrize("tier", [{}, {"without": (SupportsFeed,)}])
async def test_one_refresh_behind_for_all(world: World, tier: dict[str, Any]) -> None:
    """While an old value is served in all processes, one of them refreshes it."""
    processes = await fleet(world, 3, ttl=10, stale=60, **tier)
    source = HeldSource("old")
    source.go_on.set()
    for process in processes:
        assert await within_reach(process.cache.get_or_load("key", source)) == "old"
    await world.pass_time(11, step=1)
    source.truth = "new"
    source.go_on.clear()
    source.loads = 0
    tasks = [task for process in processes for task in call(process, source)]
    await turns()
    assert await within_reach(asyncio.gather(*tasks)) == ["old"] * 15
    source.go_on.set()
    await world.pass_time(2)
    assert source.loads == 1
    for process in processes:
        assert await within_reach(process.cache.get_or_load("key", source)) == "new"
    assert source.loads == 1


async def test_many_keys_at_once_end_with_one_value_each(world: World) -> None:
    """`get_or_load_many` in several processes at once leaves what one of them has loaded."""
    a, b = await fleet(world, 2)
    await a.cache.clear()

    async def loaded_by(name: str, keys: list[int]) -> dict[int, str]:
        await asyncio.sleep(0)
        return dict.fromkeys(keys, name)

    async def load(process: Process, name: str) -> dict[int, str]:
        async def load_many(keys: list[int]) -> dict[int, str]:
            return await loaded_by(name, keys)

        return await process.cache.get_or_load_many(range(5), load_many)

    await within_reach(asyncio.gather(load(a, "a"), load(b, "b")))
    await turns()
    stored = {number: await world.stored(number) for number in range(5)}
    assert await a.cache.get_many(range(5)) == stored
    assert await b.cache.get_many(range(5)) == stored


async def test_keys_do_not_wait_for_one_another(world: World) -> None:
    """A process that leads for one key holds up nobody who wants another."""
    a, b = await fleet(world, 2)
    first = HeldSource("first")
    leading = call(a, first)
    await within_reach(first.begun.wait())
    assert await within_reach(b.cache.get_or_load("other", Source("value"))) == "value"
    assert await within_reach(b.cache.namespace("x").get_or_load("key", Source("value"))) == "value"
    first.go_on.set()
    await within_reach(asyncio.gather(*leading))


async def test_a_remembered_error_ends_the_wait(world: World) -> None:
    """An error that is an answer is the answer to all who wait, in all processes, from one load."""
    a, b = await fleet(world, 2, errors={KeyError: 50})
    source = HeldSource()
    source.error = KeyError("no such key")
    leading = call(a, source)
    await within_reach(source.begun.wait())
    waiting = call(b, source)
    await turns()
    source.go_on.set()
    await world.pass_time(1)
    for task in [*leading, *waiting]:
        with pytest.raises(KeyError, match="no such key"):
            await within_reach(task)
    assert source.loads == 1


async def test_a_callers_leaving_while_others_wait_for_the_fleet(world: World) -> None:
    """Of those who wait for another process some may leave: the rest is given the value."""
    a, b = await fleet(world, 2)
    source = HeldSource("value")
    leading = call(a, source)
    await within_reach(source.begun.wait())
    waiting = call(b, source)
    await turns()
    for task in waiting[:4]:
        task.cancel()
    await asyncio.wait(waiting[:4])
    source.go_on.set()
    await world.pass_time(1)
    assert await within_reach(waiting[4]) == "value"
    await within_reach(asyncio.gather(*leading))
    assert source.loads == 1
