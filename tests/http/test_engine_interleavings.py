"""The engine between an origin that answers when it is told and a store that can be held: whatever the order."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from asynccache.http.answering.engine import HttpCache
from asynccache.http.answering.exchange import Answer, Kind
from asynccache.http.kept.response_store import ResponseStore
from tests.flight.gates import turns
from tests.http.engine_scenes import FRESH, TAGGED, URI, World, keep, read

SWR = (("Cache-Control", "max-age=10, stale-while-revalidate=600"),)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world, in which nothing is left at the end."""
    world = World()
    yield world
    await world.aclose()


async def test_an_invalidation_between_looking_and_asking(world: World) -> None:
    """Who has looked before an invalidation, and asks the origin after it, is answered, and nothing is stored of it."""
    world.chaos.hold("after get_many")
    asking = world.ask()
    await world.chaos.held("after get_many")
    invalidating = asyncio.create_task(world.cache.invalidate(URI))
    await turns()
    world.chaos.release()
    await invalidating
    (await world.number(1)).answer(b"maybe old")
    assert await read(await asking) == b"maybe old"
    again = world.ask()
    (await world.number(2)).answer(b"new")
    assert await read(await again) == b"new"
    assert await read(await world.respond()) == b"new"


async def test_an_invalidation_by_another_process(world: World) -> None:
    """Who knows that another process has made it invalid does not join a request that was sent before."""
    old = world.ask()
    before = await world.number(1)
    await turns()
    await ResponseStore(world.inside, clock=world.clock).invalidate(URI)
    new = world.ask()
    after = await world.number(2)
    after.answer(b"new")
    assert await read(await new) == b"new"
    before.answer(b"old")
    assert await read(await old) == b"old"
    assert await read(await world.respond()) == b"new"


async def test_a_clear_while_a_validation_is_under_way(world: World) -> None:
    """What was cleared while it was validated is not kept, though the origin confirms it."""
    await keep(world, b"kept", fields=TAGGED)
    world.clock.advance(100)
    asking = world.ask()
    asked = await world.number(2)
    await world.cache.clear()
    asked.answer(status=304, fields=TAGGED)
    assert await read(await asking) == b"kept"
    again = world.ask()
    third = await world.number(3)
    assert "If-None-Match" not in third.lines
    third.answer(b"new")
    assert await read(await again) == b"new"


async def test_a_confirmation_of_what_nobody_has(world: World) -> None:
    """A 304 that names nothing that is kept is not believed: the whole is asked for."""
    await keep(world, b"kept", fields=TAGGED)
    world.clock.advance(100)
    asking = world.ask()
    (await world.number(2)).answer(status=304, fields=(("ETag", '"other"'),))
    second = await world.number(3)
    assert second.lines == {}
    assert "if-none-match" in second.without
    second.answer(b"new")
    assert await read(await asking) == b"new"


async def test_a_time_limit_is_its_leaders(world: World) -> None:
    """When the leader's own way is too slow, those who wait with it ask for themselves, together."""
    leading, *following = [world.ask() for _ in range(4)]
    first = await world.number(1)
    await turns()
    first.fail(TimeoutError())
    with pytest.raises(TimeoutError):
        await leading
    second = await world.number(2)
    await turns()
    second.answer(b"body")
    assert [await read(answer) for answer in await asyncio.gather(*following)] == [b"body"] * 3
    assert len(world.asked) == 2


async def test_time_limits_of_several_leaders(world: World) -> None:
    """However many leaders give up one after the other, each caller has an answer or its own time limit."""
    tasks = [world.ask() for _ in range(4)]
    answered = 0
    async with asyncio.timeout(3):
        while not all(task.done() for task in tasks):
            for asked in world.asked[answered:]:
                asked.fail(TimeoutError())
            answered = len(world.asked)
            await asyncio.sleep(0)
    assert [type(task.exception()) for task in tasks] == [TimeoutError] * 4


async def test_an_error_is_everybodys(world: World) -> None:
    """What went wrong on the way is told to all who waited, once for all."""
    tasks = [world.ask() for _ in range(4)]
    asked = await world.number(1)
    await turns()
    asked.fail(OSError("no way"))
    await asyncio.wait(tasks)
    assert [str(task.exception()) for task in tasks] == ["no way"] * 4
    assert len(world.asked) == 1


async def test_what_varies_in_all_ways_is_shared_by_nobody(world: World) -> None:
    """With `Vary: *` each asks for itself, at once."""
    tasks = [world.ask() for _ in range(4)]
    (await world.number(1)).answer(b"1", fields=(*FRESH, ("Vary", "*")))
    await world.number(4)
    for asked in world.asked[1:]:
        asked.answer(b"own", fields=(*FRESH, ("Vary", "*")))
    answers = await asyncio.gather(*tasks)
    assert [answer.kind for answer in answers] == [Kind.PASSED] * 4


async def test_two_waves_at_most(world: World) -> None:
    """Requests that cannot share wait for one other at most, however many they are."""
    tasks = [world.ask() for _ in range(50)]
    (await world.number(1)).answer(b"1", fields=(("Cache-Control", "no-store"),))
    await world.number(50)
    assert not any(asked.reply.done() for asked in world.asked[1:])
    for asked in world.asked[1:]:
        asked.answer(b"own", fields=(("Cache-Control", "no-store"),))
    await asyncio.gather(*tasks)


async def test_a_slow_store_holds_up_who_asks_and_nobody_else(world: World) -> None:
    """While the store writes one body, others are served what is kept."""
    await keep(world, b"kept")
    world.chaos.hold("add")
    writing = world.ask("GET", "https://example.com/b")
    (await world.number(2)).answer(b"other")
    reading = asyncio.create_task(read(await writing))
    await world.chaos.held("add")
    assert await read(await world.respond()) == b"kept"
    assert not reading.done()
    world.chaos.release()
    assert await reading == b"other"


async def test_a_refresh_is_one_request(world: World) -> None:
    """What is fetched behind is one request, however many were served the old response, and whatever they wanted."""
    await keep(world, b"old", fields=SWR)
    world.clock.advance(20)
    answers = await asyncio.gather(*(world.respond(**{"If-None-Match": '"0"', "Range": "bytes=0-1"}) for _ in range(9)))
    assert {answer.kind for answer in answers} == {Kind.STORED}
    (await world.number(2)).answer(b"new", fields=SWR)
    await turns(30)
    assert await read(await world.respond()) == b"new"
    assert (len(world.asked), world.counts.refreshed) == (2, 1)


async def test_an_outage_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """However long an origin fails behind old responses, it is told once, and again only after it was well."""
    await keep(world, b"old", fields=SWR)
    caplog.set_level(logging.WARNING, "asynccache")
    for number in range(3):
        world.clock.advance(15)
        assert await read(await world.respond()) == b"old"
        (await world.number(2 + number)).fail(OSError("down"))
        await turns(30)
    assert len(caplog.records) == 1
    assert world.counts.failed_refreshes == 3


async def test_a_piece_that_the_store_has_lost(world: World) -> None:
    """A large body of which the store has lost a piece is asked for again before anything of it was promised."""
    large = bytes(1_000_000)
    await keep(world, large)
    keys = [key async for some in world.inside.scan(b"") for key in some]
    sizes = {key: len(value) for key, value in (await world.inside.get_many(keys)).items()}
    await world.inside.delete_many([key for key, size in sizes.items() if size > 100_000])
    asking = world.ask()
    (await world.number(2)).answer(b"again")
    assert await read(await asking) == b"again"


async def test_a_body_that_breaks_off_is_told_to_all(world: World) -> None:
    """Leader and followers hear what broke; nothing is kept; who comes after that asks anew."""
    tasks = [world.ask() for _ in range(3)]
    asked = await world.number(1)
    await turns()
    asked.answer(b"some", OSError("cut"))
    answers: list[Answer] = await asyncio.gather(*tasks)
    for result in await asyncio.gather(*map(read, answers), return_exceptions=True):
        assert isinstance(result, OSError)
    asking = world.ask()
    (await world.number(2)).answer(b"whole")
    assert await read(await asking) == b"whole"
    assert asked.arrival is not None
    assert asked.arrival.discarded == 1


async def test_closing_waits_for_nobody_who_is_served(world: World) -> None:
    """Closing ends what nobody waits for; a caller who waits is answered all the same."""
    await keep(world, b"old", fields=SWR)
    world.clock.advance(20)
    await world.respond()
    behind = await world.number(2)
    waiting = world.ask("GET", "https://example.com/b")
    asked = await world.number(3)
    cache: HttpCache = world.cache
    await cache.aclose()
    assert behind.is_cancelled
    asked.answer(b"body")
    assert await read(await waiting) == b"body"


async def test_a_304_that_forbids_reuse_is_told_once(world: World) -> None:
    """What a 304 tells stands in the answer, also where it makes the response one that no later request selects."""
    await keep(world, fields=TAGGED)
    world.clock.advance(100)
    asking = world.ask()
    (await world.number(2)).answer(status=304, fields=(*TAGGED, ("Vary", "*"), ("X-Told", "now")))
    assert "x-told" in (await asking).fields
    again = world.ask()
    (await world.number(3)).answer(b"new")
    assert await read(await again) == b"new"
