"""Closing: afterwards nothing runs any more, and nobody who waited was left waiting."""

import asyncio
import threading

import pytest

from asynccache import CacheClosed, LoadCancelled, async_cached
from asynccache.testing import live_flights
from tests.flight.gates import ENOUGH, Gate, callers, gated, outcome, together, turns


async def test_close_ends_the_loads_and_tells_their_callers() -> None:
    """They were not cancelled themselves, so they hear that the load was."""
    gate, load = gated()
    tasks = [*await callers(load, 2, key=1), *await callers(load, 1, key=2)]
    await load.cache_close()
    assert gate.cancelled == 2
    assert live_flights() == []
    assert [type(await outcome(task)) for task in tasks] == [LoadCancelled] * 3


async def test_close_can_wait_for_the_loads() -> None:
    """Then they end by themselves, and their callers get their values."""
    gate, load = gated()
    tasks = await callers(load, 2)
    closing = asyncio.create_task(load.cache_close(wait=True))
    await turns()
    assert not closing.done()
    gate.give("value")
    await together(closing)
    assert await asyncio.gather(*tasks) == ["value"] * 2
    assert (gate.cancelled, load.cache_info().currsize) == (0, 0)


@pytest.mark.parametrize("wait", [False, True])
async def test_a_closed_cache_can_be_asked_no_more(wait: bool) -> None:
    """Calls are refused from the moment at which closing begins, and everything is forgotten."""
    gate, load = gated()
    load.cache_put("stored", 2)
    (task,) = await callers(load, 1)
    closing = asyncio.create_task(load.cache_close(wait=wait))
    await turns(1)
    with pytest.raises(CacheClosed):
        await load(3)
    if wait:
        gate.give("value")
    await together(closing)
    await outcome(task)
    with pytest.raises(CacheClosed):
        await load(2)
    assert load.cache_parameters()["closed"]
    assert load.cache_info().currsize == 0


async def test_closing_twice_is_closing_once() -> None:
    """Also at the same time."""
    _gate, load = gated()
    (task,) = await callers(load, 1)
    await together(load.cache_close(), load.cache_close())
    await together(load.cache_close(wait=True))
    assert isinstance(await outcome(task), LoadCancelled)


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("how", ["invalidate", "clear", "put"])
async def test_close_sees_to_overtaken_loads_too(how: str, wait: bool) -> None:
    """A load that was invalidated runs on for those who wait: it is still a load, and has ended after closing."""
    gate, load = gated()
    (task,) = await callers(load, 1)
    if how == "invalidate":
        load.cache_invalidate(1)
    elif how == "clear":
        load.cache_clear()
    else:
        load.cache_put("put", 1)
    closing = asyncio.create_task(load.cache_close(wait=wait))
    await turns()
    if wait:
        is_over_too_early = closing.done()
        gate.give("value")
        assert await outcome(task) == "value"
        assert not is_over_too_early
    else:
        was_cancelled = gate.cancelled
        if not was_cancelled:
            gate.give("value")
        assert isinstance(await outcome(task), LoadCancelled)
        assert was_cancelled
    await together(closing)


async def test_close_waits_for_loads_that_take_their_time_to_clean_up() -> None:
    """Also for those that were abandoned before."""
    gate, cleaning = Gate[str](), Gate[None]()

    @async_cached
    async def load(key: int) -> str:
        try:
            return await gate.load(key)
        finally:
            await cleaning.load()

    (leaver,) = await callers(load, 1)
    leaver.cancel()
    await turns()
    closing = asyncio.create_task(load.cache_close())
    await turns()
    assert not closing.done()
    cleaning.give(None)
    await together(closing)
    assert live_flights() == []
    assert await outcome(leaver) is asyncio.CancelledError


async def test_a_cancelled_close_leaves_the_loads_to_their_callers() -> None:
    """Who waited for them still gets their values."""
    gate, load = gated()
    tasks = await callers(load, 2)
    closing = asyncio.create_task(load.cache_close(wait=True))
    await turns()
    closing.cancel()
    assert await outcome(closing) is asyncio.CancelledError
    gate.give("value")
    assert await asyncio.gather(*tasks) == ["value"] * 2


@pytest.mark.parametrize("wait", [False, True])
async def test_a_load_may_close_its_own_cache(wait: bool) -> None:
    """It does not wait for itself, and brings its caller a value."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        await load.cache_close(wait=wait)
        return "value"

    assert await together(load(1)) == ["value"]


@pytest.mark.parametrize("wait", [False, True])
async def test_a_load_may_close_the_cache_of_who_waits_for_it(wait: bool) -> None:
    """A load that another load waits for does not wait for that one: they would wait for each other for ever."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        if key:
            return await load(key - 1)
        await load.cache_close(wait=wait)
        return "value"

    (task,) = await callers(load, 1, key=2)
    ended = await outcome(task)
    task.cancel()
    await turns()
    assert ended != "hangs"


@pytest.mark.parametrize("wait", [False, True])
async def test_a_lifespan_ends_its_loads_and_keeps_its_values(wait: bool) -> None:
    """On leaving they have ended; the function can be called on, and what was stored is still there."""
    gate, load = gated(ttl=1_000)
    load.cache_put("stored", 2)

    async def live() -> None:
        async with load.cache_lifespan(wait=wait):
            tasks.extend(await callers(load, 1))

    tasks: list[asyncio.Task[str]] = []
    living = asyncio.create_task(live())
    await turns(3 * ENOUGH)
    if wait:
        assert not living.done()
        gate.give("value")
    await together(living)
    assert live_flights() == []
    assert not load.cache_stats().sweeper_alive
    ended = await outcome(tasks[0])
    assert ended == "value" if wait else isinstance(ended, LoadCancelled)
    assert await load(2) == "stored"
    (again,) = await callers(load, 1, key=3)
    gate.give("value")
    assert await again == "value"


async def test_closing_an_idle_cache_takes_no_turn() -> None:
    """There is nothing to wait for."""
    _gate, load = gated()
    load.cache_put("value", 1)
    turned: list[bool] = []
    asyncio.get_running_loop().call_soon(turned.append, True)
    await load.cache_close(wait=True)
    assert turned == []
    await turns(1)


async def test_a_load_that_is_let_finish_may_need_others() -> None:
    """`cache_close(wait=True)` refuses new calls, but not those that loads in the air still make."""
    gate = Gate[str]()

    @async_cached
    async def load(key: int) -> str:
        return "0" if key == 0 else f"{await gate.load(key)} after {await load(0)}"

    (caller,) = await callers(load, 1)
    closing = asyncio.create_task(load.cache_close(wait=True))
    await turns()
    with pytest.raises(CacheClosed):
        await load(7)
    gate.give("1")
    await together(closing)
    assert await caller == "1 after 0"
    assert live_flights() == []


@pytest.mark.one_loop
async def test_closed_is_closed_to_other_functions_loads_too() -> None:
    """What a close with `wait` lets loads in the air do is not allowed to any load ever after."""

    @async_cached
    async def inner() -> int:
        return 1

    @async_cached
    async def outer() -> int:
        return await inner()

    await inner.cache_close(wait=True)
    with pytest.raises(CacheClosed):
        await outer()
    assert inner.cache_info() == (0, 0, 1024, 0)


@pytest.mark.one_loop
async def test_a_lifespan_ends_with_its_own_loop_only() -> None:
    """The loads of a loop in another thread are none of its business."""
    begun, goes_on = threading.Event(), threading.Event()

    @async_cached
    async def load(key: int) -> str:
        begun.set()
        await asyncio.to_thread(goes_on.wait)
        return "value"

    async with asyncio.TaskGroup() as group:
        elsewhere = group.create_task(asyncio.to_thread(asyncio.run, load(1)))
        await asyncio.to_thread(begun.wait)
        async with load.cache_lifespan():
            pass
        goes_on.set()
    assert elsewhere.result() == "value"
