"""A load that would wait for itself is told so at once, by whatever way around it asks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

import pytest

from asynccache import RecursiveLoad, async_cached
from asynccache.testing import live_flights
from tests.flight.gates import outcome, together, turns

Call: TypeAlias = Callable[[], Coroutine[Any, Any, str]]


async def directly(call: Call) -> str:
    """Call in the load's own task."""
    return await call()


async def in_a_task(call: Call) -> str:
    """Call in a task that the load makes."""
    return await asyncio.create_task(call())


async def in_a_group(call: Call) -> str:
    """Call in a gathering, beside something harmless."""
    return (await asyncio.gather(call(), asyncio.sleep(0)))[0]


async def under_a_limit(call: Call) -> str:
    """Call with a time limit, which on some Pythons makes a task."""
    return await asyncio.wait_for(call(), 1_000)


async def by_a_thread(call: Call) -> str:
    """Let a thread ask the loop for it."""
    loop = asyncio.get_running_loop()
    return await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(call(), loop).result())


async def on_another_loop(call: Call) -> str:
    """Let a thread run a loop of its own for it."""
    return await asyncio.to_thread(lambda: asyncio.run(call()))


async def after_a_while(call: Call) -> str:
    """Let the loop turn first, so that the load is a task in full."""
    await asyncio.sleep(0)
    return await call()


WAYS: Final = [directly, in_a_task, in_a_group, under_a_limit, by_a_thread, after_a_while]


@pytest.fixture(params=WAYS, ids=[way.__name__ for way in WAYS])
def way(request: pytest.FixtureRequest) -> Callable[[Call], Awaitable[str]]:
    """A way for a load to ask for something."""
    chosen: Callable[[Call], Awaitable[str]] = request.param
    return chosen


@pytest.mark.parametrize("on_same_loop", [True, False])
async def test_a_load_that_asks_for_its_own_key(on_same_loop: bool) -> None:
    """It gets RecursiveLoad, and with it all who wait."""

    @async_cached
    async def load(key: int) -> str:
        return await (directly if on_same_loop else on_another_loop)(lambda: load(key))

    with pytest.raises(RecursiveLoad) as caught:
        await together(load(1))
    assert caught.value.key == 1
    assert live_flights() == []


async def test_whatever_way_it_asks(way: Callable[[Call], Awaitable[str]]) -> None:
    """In its own task, in others, through a thread: the inner call fails at once, and the load may go on from there."""

    @async_cached
    async def load(key: int) -> str:
        try:
            await way(lambda: load(key))
        except RecursiveLoad:
            return "noticed"
        return "not noticed"

    assert await together(load(1), load(1)) == ["noticed"] * 2
    assert load.cache_stats().loads == 1
    assert await load(1) == "noticed"


@pytest.mark.parametrize("length", [2, 3, 5])
async def test_a_ring_of_keys(way: Callable[[Call], Awaitable[str]], length: int) -> None:
    """Each needs the next and the last the first: whoever closes the ring gets the error, and nobody hangs."""

    @async_cached
    async def load(key: int) -> str:
        return await way(lambda: load((key + 1) % length))

    with pytest.raises(RecursiveLoad):
        await together(load(0))
    assert live_flights() == []
    assert load.cache_info().currsize == 0


async def test_roots_that_cross(way: Callable[[Call], Awaitable[str]]) -> None:
    """Two calls from outside, each of whose loads needs the other's: one closes the ring, and nobody hangs."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        return await way(lambda: load(1 - key))

    tasks = [asyncio.create_task(load(0)), asyncio.create_task(load(1))]
    assert [type(await outcome(task)) for task in tasks] == [RecursiveLoad] * 2


async def test_a_ring_around_two_functions(way: Callable[[Call], Awaitable[str]]) -> None:
    """Each function has a cache of its own, and the ring goes through both."""

    @async_cached
    async def chicken(number: int) -> str:
        return await way(lambda: egg(number))

    @async_cached
    async def egg(number: int) -> str:
        return await chicken(number)

    with pytest.raises(RecursiveLoad):
        await together(chicken(1))
    with pytest.raises(RecursiveLoad):
        await together(egg(1))


async def test_a_method_that_calls_itself() -> None:
    """The same instance and key is a ring; another instance is not."""

    class Node:
        def __init__(self, below: "Node | None" = None) -> None:
            self.below = below

        @async_cached
        async def depth(self, of: str) -> int:
            below = self.below
            return 1 if below is None else 1 + await below.depth(of)

    leaf = Node()
    assert await Node(Node(leaf)).depth("tree") == 3
    ring = Node()
    ring.below = ring
    with pytest.raises(RecursiveLoad):
        await together(ring.depth("ring"))


async def test_the_function_stays_usable() -> None:
    """After the error the same keys can be loaded, once they no longer need themselves."""
    is_ring = True

    @async_cached
    async def load(key: int) -> str:
        return await load(1 - key) if is_ring else "value"

    for _ in range(3):
        with pytest.raises(RecursiveLoad):
            await together(load(0))
    is_ring = False
    assert await together(load(0), load(1)) == ["value"] * 2
    assert load.cache_parameters()["tasks"] == 0


async def test_paths_that_meet_are_no_ring() -> None:
    """Two keys that need the same third one, and a load that asks for one key twice, wait as they should."""

    @async_cached
    async def load(key: str) -> str:
        await asyncio.sleep(0)
        return key + "".join(
            await asyncio.gather(*(load(below) for below in {"a": "bcb", "b": "d", "c": "d"}.get(key, "")))
        )

    assert await together(load("a"), load("c"), load("d")) == ["abdcdbd", "cd", "d"]


async def test_a_task_left_behind_is_not_the_load_any_more() -> None:
    """What a load started and did not wait for may ask for the same key, once the load has ended."""
    gate = asyncio.Event()
    left: list[asyncio.Task[str]] = []

    @async_cached
    async def load(key: int) -> str:
        async def later() -> str:
            await gate.wait()
            return await load(key)

        if not left:
            left.append(asyncio.create_task(later()))
        await asyncio.sleep(0)
        return "value"

    assert await load(1) == "value"
    load.cache_invalidate(1)
    gate.set()
    assert await left[0] == "value"
    assert load.cache_info().misses == 2


async def test_an_invalidated_load_that_asks_for_itself() -> None:
    """It cannot be joined any more, but starting another for the same key would go on for ever: that is a ring too."""

    @async_cached
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        load.cache_invalidate(key)
        return await load(key)

    with pytest.raises(RecursiveLoad):
        await together(load(1))


async def test_asking_with_a_value_there_is_no_recursion() -> None:
    """A refresh whose load reads the old value gets that."""

    @async_cached
    async def load(key: int) -> int:
        return 1 + await load(key)

    load.cache_put(1, 7)
    assert await load.cache_refresh(7) == 2
    assert await load(7) == 2


async def test_a_caller_that_waits_for_the_ring_s_end_is_not_part_of_it() -> None:
    """Who only joins from outside gets the load's outcome, not an error of its own."""

    @async_cached
    async def load(key: int) -> str:
        try:
            return await load(1 - key)
        except RecursiveLoad:
            await turns(3)
            return f"ring closed at {key}"

    first = asyncio.create_task(load(0))
    await turns(2)
    assert await load(1) == await outcome(first) == "ring closed at 1"


@pytest.mark.one_loop
async def test_a_ring_around_two_event_loops() -> None:
    """A load that asks, from a loop in another thread, for what itself is loading is refused there too."""
    begun: list[str] = []

    @async_cached
    async def outer(key: int) -> str:
        begun.append("outer")
        return await asyncio.to_thread(asyncio.run, inner(key))

    @async_cached
    async def inner(key: int) -> str:
        begun.append("inner")
        return await outer(key)

    with pytest.raises(RecursiveLoad):
        await outer(1)
    assert begun == ["outer", "inner"]
