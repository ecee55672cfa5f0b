"""How many responses are kept, and for how long; and what becomes of bodies that nobody finds any more."""

import asyncio

import pytest

from asynccache.http.kept.bodies import GRACE
from asynccache.http.kept.invalidating import TOMBSTONE_TTL
from asynccache.http.kept.purges import MARK_TTL
from asynccache.http.kept.response_store import BodyLost, ResponseStore
from asynccache.http.kept.stored import ChunkedBody, InlineBody
from asynccache.stores import MemoryStore
from asynccache.testing import ManualClock
from tests.http.scenes import KEY, OTHER, START, TTL, Scene, body_of, keep, reasons, response, variant


@pytest.fixture
def clock() -> ManualClock:
    """The wall time."""
    return ManualClock(START)


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_there_are_only_so_many_variants(clock: ManualClock) -> None:
    """Of more responses to one key the newest are kept."""
    store = ResponseStore(MemoryStore(clock=clock), clock=clock, max_variants=3)
    for name in "abcde":
        await keep(store, variant(name))
    assert reasons(await store.find(KEY)) == ["e", "d", "c"]


async def test_a_record_does_not_grow_without_bound(clock: ManualClock) -> None:
    """Bodies inside a record take sixteen times the limit of one at most, all together."""
    store = ResponseStore(MemoryStore(clock=clock), clock=clock, inline_limit=1_024)
    for number in range(20):
        await keep(store, variant(str(number), body=InlineBody(bytes(1_024))))
    assert len((await store.find(KEY)).responses) == 16


async def test_what_is_of_no_use_any_more_is_not_found(scene: Scene) -> None:
    """Each response goes when its own time is over, however long others of the same record are kept."""
    await keep(scene.store, variant("short"), ttl=10)
    await keep(scene.store, variant("long"), ttl=100)
    assert reasons(await scene.another.find(KEY)) == ["long", "short"]
    scene.clock.advance(10)
    assert reasons(await ResponseStore(scene.inside, clock=scene.clock).find(KEY)) == ["long"]
    scene.clock.advance(90)
    assert reasons(await scene.store.find(KEY)) == []
    assert [key for key in await scene.keys() if b":r:" in key] == []


async def test_retention_is_added_to_what_callers_say(clock: ManualClock) -> None:
    """A response is kept for so much longer than it is of use, and so is its body."""
    store = ResponseStore(MemoryStore(clock=clock), clock=clock, retention=50, inline_limit=0)
    writer = store.begin_body(10)
    await writer.write(b"body")
    body = await writer.finish()
    assert body is not None
    await keep(store, response(body=body), ttl=10)
    clock.advance(59)
    (found,) = (await store.find(KEY)).responses
    assert await body_of(store, found) == b"body"
    clock.advance(1)
    assert (await store.find(KEY)).responses == ()


async def test_nothing_is_kept_longer_than_what_it_depends_on(clock: ManualClock) -> None:
    """For ever means for thirty days: as long as the marks of tags are kept."""
    store = ResponseStore(MemoryStore(clock=clock), clock=clock)
    await keep(store, response(), ttl=float("inf"))
    clock.advance(MARK_TTL - 1)
    assert len((await store.find(KEY)).responses) == 1
    clock.advance(1)
    assert (await store.find(KEY)).responses == ()


async def test_a_validated_response_is_not_kept_longer_than_its_body(scene: Scene) -> None:
    """However fresh it is again, with the pieces of its body it goes."""
    writer = scene.store.begin_body(10)
    await writer.write(bytes(50_000))
    body = await writer.finish()
    assert isinstance(body, ChunkedBody)
    await keep(scene.store, response(body=body), ttl=10)
    found = await scene.store.find(KEY)
    new = response(START + 5, body=found.responses[0].body)
    assert await scene.store.replace(KEY, found, found.responses[0], new, ttl=100_000)
    scene.clock.advance(body.kept_until - scene.clock() - 1)
    (kept,) = (await scene.another.find(KEY)).responses
    assert await body_of(scene.another, kept) == bytes(50_000)
    scene.clock.advance(1)
    assert (await scene.store.find(KEY)).responses == ()


async def test_what_is_of_no_use_at_all_is_not_stored(scene: Scene) -> None:
    """Neither is what took so long to come that nobody remembers what was invalidated meanwhile."""
    found = await scene.store.find(KEY)
    assert not await scene.store.keep(KEY, found, response(), ttl=0)
    scene.clock.advance(TOMBSTONE_TTL)
    assert await scene.store.keep(KEY, found, variant("slow", START), ttl=TTL)
    assert not await scene.store.keep(KEY, found, variant("slower", START - 1), ttl=TTL)
    assert reasons(await scene.store.find(KEY)) == ["slow"]


async def test_an_invalidation_is_remembered_however_short_lived_what_follows_is(scene: Scene) -> None:
    """A response of a second does not take with it what stands in the way of older ones."""
    before = await scene.store.find(KEY)
    await scene.store.invalidate(KEY)
    await keep(scene.store, variant("short"), ttl=1)
    scene.clock.advance(TOMBSTONE_TTL / 2)
    assert not await scene.another.keep(KEY, before, variant("late"), ttl=TTL)
    scene.clock.advance(TOMBSTONE_TTL / 2)
    assert [key for key in await scene.keys() if b":r:" in key] == []


async def test_what_cannot_be_stored_at_all_is_counted(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is larger than what is read again is not written."""
    monkeypatch.setattr("asynccache.http.kept.response_store.LARGEST", 1)
    store = ResponseStore(MemoryStore(clock=clock), clock=clock, inline_limit=0, chunk_size=1)
    assert not await keep(store, response(reason="x" * 5_000))
    assert (store.counts.too_large, store.counts.overtaken) == (1, 0)


async def test_a_head_response_takes_no_body_away(scene: Scene) -> None:
    """A response without a body never takes the place of one that has it; the other way round it does."""
    await keep(scene.store, variant("a", method="HEAD", reason="head"))
    await keep(scene.store, variant("a", reason="get"))
    assert reasons(await scene.store.find(KEY)) == ["get"]
    await keep(scene.store, variant("a", method="HEAD", reason="head"))
    assert reasons(await scene.store.find(KEY)) == ["head", "get"]


async def large(store: ResponseStore, name: str) -> ChunkedBody:
    """Store a response with a body beside it."""
    writer = store.begin_body(TTL)
    await writer.write(bytes(50_000))
    body = await writer.finish()
    assert isinstance(body, ChunkedBody)
    await keep(store, variant(name, body=body))
    return body


@pytest.mark.parametrize("how", ["replaced", "refused", "invalidated"])
async def test_bodies_that_nobody_finds_any_more_are_deleted(scene: Scene, how: str) -> None:
    """After a while, when whoever was reading them is done; the bodies of what is still there stay."""
    old, other = await large(scene.store, "a"), await large(scene.store, "b")
    if how == "replaced":
        await keep(scene.store, variant("a"))
    elif how == "refused":
        found = await scene.store.find(KEY)
        (_, old_response) = found.responses
        await scene.another.invalidate(KEY)
        assert not await scene.store.keep(KEY, found, variant("c", body=old_response.body), ttl=TTL)
    else:
        await scene.store.find(KEY)
        await scene.store.invalidate(KEY)
    assert b"".join([piece async for piece in scene.another.read(old)]) == bytes(50_000)
    scene.clock.advance(GRACE)
    await keep(scene.store, response(scene.clock()), key=OTHER)
    with pytest.raises(BodyLost):
        _ = [piece async for piece in scene.another.read(old)]
    if how != "invalidated":
        assert b"".join([piece async for piece in scene.another.read(other)]) == bytes(50_000)


async def test_a_validation_that_is_refused_takes_no_body_away(scene: Scene) -> None:
    """A response that could not be freshened keeps the body that it shares with the one that failed."""
    body = await large(scene.store, "a")
    found = await scene.store.find(KEY)
    (old,) = found.responses
    assert await scene.another.replace(KEY, found, old, variant("a", START + 1, body=old.body), ttl=TTL)
    assert not await scene.store.replace(KEY, found, old, variant("a", START + 2, body=old.body), ttl=TTL)
    scene.clock.advance(GRACE)
    await keep(scene.store, response(scene.clock()), key=OTHER)
    assert b"".join([piece async for piece in scene.store.read(body)]) == bytes(50_000)


async def test_a_body_that_took_its_time_is_kept_as_long_as_any(scene: Scene) -> None:
    """The time in which a response is of use begins when all of it is there, not when its body began to come."""
    writer = scene.store.begin_body(10)
    await writer.write(bytes(300_000))
    scene.clock.advance(TOMBSTONE_TTL)
    body = await writer.finish()
    assert body is not None
    assert await keep(scene.store, response(body=body), ttl=10)
    scene.clock.advance(9)
    (found,) = (await scene.another.find(KEY)).responses
    assert await body_of(scene.another, found) == bytes(300_000)


async def test_a_body_that_a_record_may_name_stays(scene: Scene) -> None:
    """Where it is not known whether a response was stored, its body is there for whoever finds it."""
    await keep(scene.another, response(), key=OTHER)
    writer = scene.store.begin_body(TTL)
    await writer.write(bytes(50_000))
    body = await writer.finish()
    assert body is not None
    found = await scene.store.find(KEY)
    scene.engine.hold("add")
    task = asyncio.create_task(scene.store.keep(KEY, found, response(body=body), ttl=TTL))
    await scene.engine.held("add")
    scene.engine.loses_replies = True
    scene.engine.release()
    assert not await task
    scene.engine.loses_replies = False
    scene.clock.advance(GRACE)
    await keep(scene.store, response(scene.clock()), key=OTHER)
    (kept,) = (await scene.another.find(KEY)).responses
    assert await body_of(scene.another, kept) == bytes(50_000)
