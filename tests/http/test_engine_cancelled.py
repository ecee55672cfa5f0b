"""Whoever is cancelled anywhere on the way of a request leaves nothing open, and nothing half done."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from asynccache.http.answering.exchange import Kind
from tests.flight.cancelling import CancelledAtWait, at_turns
from tests.flight.gates import turns
from tests.http.engine_scenes import FRESH, TAGGED, World, keep, read


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world, in which nothing is left at the end."""
    world = World()
    yield world
    await world.aclose()


async def miss(world: World) -> None:
    """A response comes that is kept."""
    asking = asyncio.ensure_future(answer_to(world, len(world.asked) + 1, b"one", b"two"))
    try:
        assert await read(await world.respond()) == b"onetwo"
    finally:
        asking.cancel()


async def passing(world: World) -> None:
    """A response comes that is not kept."""
    asking = asyncio.ensure_future(
        answer_to(world, len(world.asked) + 1, b"one", fields=(("Cache-Control", "no-store"),))
    )
    try:
        answer = await world.respond()
        assert answer.kind is Kind.PASSED
        assert answer.arrival is not None
        answer.arrival.discard()
    finally:
        asking.cancel()


async def change(world: World) -> None:
    """Something is changed."""
    asking = asyncio.ensure_future(answer_to(world, len(world.asked) + 1, b"done", fields=()))
    try:
        answer = await world.respond("PUT")
        assert answer.arrival is not None
        answer.arrival.discard()
    finally:
        asking.cancel()


async def validation(world: World) -> None:
    """What is kept is confirmed."""
    world.clock.advance(100)
    asking = asyncio.ensure_future(answer_to(world, len(world.asked) + 1, status=304, fields=TAGGED))
    try:
        assert await read(await world.respond()) == b"kept"
    finally:
        asking.cancel()


async def answer_to(
    world: World, number: int, *pieces: bytes, status: int = 200, fields: tuple[tuple[str, str], ...] = FRESH
) -> None:
    """Answer the request of that number, a turn after it has come to the origin."""
    asked = await world.number(number)
    await asyncio.sleep(0)
    if not asked.reply.done():
        asked.answer(*pieces, status=status, fields=fields)


SCENARIOS = {"miss": miss, "passing": passing, "change": change, "validation": validation}


async def see_it_whole(world: World) -> None:
    """See that nothing is left, that each response was let go or read, and that the cache still works."""
    await turns(40)
    assert len(world.cache._tasks) == 0
    for asked in world.asked:
        if asked.arrival is not None and asked.arrival.native is not None:
            assert asked.arrival.discarded <= 1
            assert asked.arrival.discarded == 1 or asked.arrival.is_read
    await world.cache.clear()
    number = len(world.asked) + 1
    asking = world.ask()
    (await world.number(number)).answer(b"still works")
    assert await read(await asking) == b"still works"
    await turns()


@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_cancelled_after_any_turn(world: World, name: str) -> None:
    """Cancelled after any number of turns, a caller leaves nothing open, and nothing half done."""
    cancelled = 0

    async def run() -> None:
        await SCENARIOS[name](world)

    if name == "validation":
        await keep(world, b"kept", fields=TAGGED)
    async for task in at_turns(run):
        await asyncio.wait([task])
        cancelled += task.cancelled()
        await see_it_whole(world)
        await world.cache.clear()
        if name == "validation":
            await keep(world, b"kept", fields=TAGGED)
    assert cancelled > 1


@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_cancelled_at_any_wait(world: World, name: str) -> None:
    """Cancelled at the beginning of any of its waits, it is the same."""
    number = 1
    while True:
        if name == "validation":
            await keep(world, b"kept", fields=TAGGED)
        again = CancelledAtWait(SCENARIOS[name](world), number)
        task = asyncio.ensure_future(await_it(again))
        await asyncio.wait([task])
        await see_it_whole(world)
        await world.cache.clear()
        if not again.reached:
            assert not task.cancelled()
            break
        number += 1
    assert number > 1


async def await_it(work: CancelledAtWait[None]) -> None:
    """Make a coroutine of what can be awaited."""
    await work
