"""Stores that fail, that can do little, or that give back what nobody has written."""

import asyncio

import pytest

from asynccache.http.kept.owed import Debt, Owed
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.spelling import Spelling
from asynccache.serializers.envelope import Kind, Sealer
from asynccache.stores import Item, MemoryStore, SupportsConditions
from asynccache.testing import ManualClock
from tests.http.scenes import KEY, OTHER, START, TTL, Scene, keep, reasons, response, variant


@pytest.fixture
def clock() -> ManualClock:
    """The wall time."""
    return ManualClock(START)


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


# --- stores that can do less, or nothing ------------------------------------------------------------------------------


async def test_a_store_without_conditions_does_as_well_as_it_can() -> None:
    """One after the other, all is kept, invalidated and purged there too."""
    scene = Scene(without=[SupportsConditions])
    assert not isinstance(scene.engine, SupportsConditions)
    for name in "ab":
        assert await keep(scene.store, variant(name, tags=("x",)))
    assert reasons(await scene.store.find(KEY)) == ["b", "a"]
    before = await scene.store.find(KEY)
    await scene.store.invalidate(KEY)
    assert not await scene.store.keep(KEY, before, variant("c"), ttl=TTL)
    scene.clock.advance(1)
    assert await keep(scene.store, variant("d", scene.clock(), tags=("x",)))
    await scene.store.purge(["x"])
    assert reasons(await scene.store.find(KEY)) == []


async def test_a_store_that_fails_is_an_empty_one(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is found and nothing stored while it fails, without an exception; that is counted, and logged once."""
    await keep(scene.store, variant("a"))
    found = await scene.store.find(KEY)
    scene.engine.down = True
    assert (await scene.store.find(KEY)).stamp is None
    assert (await scene.store.find(OTHER)).responses == ()
    assert not await scene.store.keep(KEY, found, variant("b"), ttl=TTL)
    assert not await scene.store.replace(KEY, found, found.responses[0], None, ttl=0)
    assert scene.store.counts.errors == 4
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "HTTP cache 'http' does without its store"
    ]
    scene.engine.down = False
    assert reasons(await scene.store.find(KEY)) == ["a"]
    await scene.store.find(OTHER)
    assert caplog.messages[1:] == ["HTTP cache 'http': its store answers again"]


async def test_what_was_looked_for_while_the_store_failed_may_be_kept(scene: Scene) -> None:
    """A search that failed does not forbid to store what is loaded then, unless something was said meanwhile."""
    await keep(scene.store, variant("a"))
    scene.engine.down = True
    found = await scene.store.find(KEY)
    scene.engine.down = False
    assert await scene.store.keep(KEY, found, variant("b"), ttl=TTL)
    assert reasons(await scene.store.find(KEY)) == ["b", "a"]


@pytest.mark.parametrize("kind", ["key", "tag", "everything"])
@pytest.mark.parametrize("lost", [False, True], ids=["not done", "reply lost"])
async def test_an_invalidation_that_fails_is_made_up_for(scene: Scene, kind: str, lost: bool) -> None:
    """Until the store has it, nothing is found here; as soon as it answers, the old is gone for all."""
    await keep(scene.store, variant("old", tags=("x",)))
    before = await scene.store.find(KEY)
    scene.engine.down, scene.engine.loses_replies = not lost, lost
    scene.clock.advance(1)
    if kind == "key":
        await scene.store.invalidate(KEY)
    else:
        await (scene.store.purge(["x"]) if kind == "tag" else scene.store.clear())
    assert (await scene.store.find(KEY)).responses == ()
    scene.engine.down = scene.engine.loses_replies = False
    assert not await scene.store.keep(KEY, before, variant("late", tags=("x",)), ttl=TTL)
    assert (await scene.another.find(KEY)).responses == ()
    scene.clock.advance(1)
    assert await keep(scene.store, variant("new", scene.clock(), tags=("x",)))
    assert reasons(await scene.another.find(KEY)) == ["new"]
    writes = scene.engine.calls["set_many"]
    await scene.store.find(KEY)
    assert scene.engine.calls["set_many"] == writes  # it is sent no more


@pytest.mark.parametrize("point", ["set_many", "after set_many"])
async def test_an_invalidation_that_is_cancelled_is_done_all_the_same(scene: Scene, point: str) -> None:
    """Whoever asked for it may be gone: nobody here finds what was to be invalid."""
    await keep(scene.store, variant("old"))
    scene.engine.hold(point)
    task = asyncio.create_task(scene.store.invalidate(KEY))
    await scene.engine.held(point)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.engine.release()
    assert (await scene.store.find(KEY)).responses == ()
    assert (await scene.another.find(KEY)).responses == ()


def test_a_debt_that_grows_too_large_is_a_clear() -> None:
    """More keys than are worth remembering one by one are paid by making everything invalid."""
    owed = Owed(b"everything")
    owed.add(Debt(keys={str(number) for number in range(2_000)}), 5.0)
    debt, number = owed.all()
    assert (debt.keys, debt.marks) == (set(), {b"everything": 5.0})
    owed.settled(number)
    assert not owed.is_any


def test_what_was_owed_anew_while_it_was_paid_stays_owed() -> None:
    """A debt that comes again while it is paid is not paid by that, and keeps the latest moment."""
    owed = Owed(b"everything")
    owed.add(Debt({"a", "b"}, {b"x": 5.0}), 5.0)
    _, number = owed.all()
    owed.add(Debt({"a"}, {b"x": 4.0}), 5.0)
    owed.settled(number)
    assert owed.is_any
    assert owed.all()[0] == Debt({"a"}, {b"x": 5.0})


# --- what is not to be believed ---------------------------------------------------------------------------------------


async def test_a_damaged_record_is_not_found_and_can_be_replaced(scene: Scene) -> None:
    """What lies there cannot be read: it is counted, nothing is found, and a new response takes its place."""
    await keep(scene.store, variant("old"))
    lies_at = Spelling("http").record(KEY)
    for data in (b"", b"x", b"something else altogether", (await scene.inside.get_many([lies_at]))[lies_at][:-1]):
        await scene.inside.set_many({lies_at: Item(data)})
        found = await scene.store.find(KEY)
        assert (found.stamp, found.responses) == (data[:14], ())
        assert await scene.store.keep(KEY, found, variant("new"), ttl=TTL)
        assert reasons(await scene.another.find(KEY)) == ["new"]
    assert sum(scene.store.counts.unreadable.values()) == 8


async def test_what_was_damaged_meanwhile_may_have_been_a_tombstone(scene: Scene) -> None:
    """Nothing is stored over a record that could be read before and cannot any more."""
    await keep(scene.store, variant("old"))
    found = await scene.store.find(KEY)
    await scene.inside.set_many({Spelling("http").record(KEY): Item(b"something else altogether")})
    assert not await scene.store.keep(KEY, found, variant("new"), ttl=TTL)


async def test_without_the_secret_nothing_is_found(clock: ManualClock) -> None:
    """What was signed is found by those who have the secret, also as an older one, and by nobody else."""
    first, second = b"the first secret, which is old", b"the second secret, which is new"
    engine = MemoryStore(clock=clock)
    await keep(ResponseStore(engine, clock=clock, secret=first), variant("signed", tags=("x",)))
    for secret in (first, {0: first}, {1: second, 0: first}):
        assert reasons(await ResponseStore(engine, clock=clock, secret=secret).find(KEY)) == ["signed"]
    for wrong in (None, second, {0: second}):
        assert reasons(await ResponseStore(engine, clock=clock, secret=wrong).find(KEY)) == []


@pytest.mark.parametrize("key", [Spelling("http").everything, Spelling("http").tag("x")], ids=["everything", "tag"])
@pytest.mark.parametrize("data", [None, b"", b"damaged"], ids=["lost", "empty", "damaged"])
async def test_a_mark_that_is_lost_costs_misses(scene: Scene, key: bytes, data: bytes | None) -> None:
    """What depended on it is not found any more, by whomever; what is stored later is."""
    await keep(scene.store, response(tags=("x",)))
    if data is None:
        await scene.inside.delete_many([key])
    else:
        await scene.inside.set_many({key: Item(data)})
    for place in (scene.store, scene.another):
        assert (await place.find(KEY)).responses == ()
    scene.clock.advance(1)
    await keep(scene.store, response(scene.clock(), tags=("x",)))  # it may be refused once: a purge may have been lost
    scene.clock.advance(1)
    assert await keep(scene.store, response(scene.clock(), tags=("x",)))
    assert len((await scene.another.find(KEY)).responses) == 1


@pytest.mark.parametrize("key", [Spelling("http").everything, Spelling("http").tag("x")], ids=["everything", "tag"])
async def test_what_is_no_mark_is_not_taken_for_one(scene: Scene, key: bytes) -> None:
    """A sealed record of another kind that lies where a mark should is as good as none."""
    await keep(scene.store, response(tags=("x",)))
    data = (await scene.inside.get_many([key]))[key]
    forged = Sealer().open(key, data)._replace(kind=Kind.VALUE)
    await scene.inside.set_many({key: Item(Sealer().seal(key, forged))})
    for place in (scene.store, scene.another):
        assert (await place.find(KEY)).responses == ()
    assert scene.another.counts.unreadable == {"parts": 1}


async def test_a_purge_that_was_damaged_is_not_forgotten(scene: Scene) -> None:
    """Where a mark cannot be read, it may have been made by a purge: what is on its way is not stored."""
    found = await scene.store.find(KEY)
    await scene.store.purge(["x"])
    await scene.inside.set_many({Spelling("http").tag("x"): Item(b"damaged")})
    scene.clock.advance(1)
    assert not await scene.store.keep(KEY, found, response(tags=("x",)), ttl=TTL)


async def test_a_purge_never_goes_back_in_time(scene: Scene) -> None:
    """A later purge by a machine whose clock is behind does not let in what an earlier one has shut out."""
    behind = ResponseStore(scene.inside, clock=ManualClock(START - 100))
    before = await scene.another.find(KEY)
    await scene.store.purge(["x"])
    await behind.purge(["x"])
    assert not await scene.another.keep(KEY, before, response(START - 50, tags=("x",)), ttl=TTL)
    assert await scene.another.keep(KEY, before, response(START + 1, tags=("x",)), ttl=TTL)


async def test_what_is_in_the_store_tells_nothing_of_urls_and_tags(scene: Scene) -> None:
    """Keys have one length, however long the URL, and only characters that every store takes."""
    long = "https://example.com/" + "ä\udcff" * 10_000
    await keep(scene.store, response(tags=("secret " * 1_000,)), key=long)
    assert len((await scene.another.find(long)).responses) == 1
    keys = await scene.keys()
    assert sorted(map(len, keys)) == [len("http:a:"), *[len("http:r:") + 32] * 2]
    assert all(33 <= byte <= 126 for key in keys for byte in key)


def test_no_two_keys_meet() -> None:
    """Octets that are no text tell keys apart as well, and so do namespaces, and what a key is for."""
    spelling, other, shared = Spelling("http"), Spelling("http2"), Spelling("http", shared=True)
    texts = ["", "a", "a?", "a\udc80", "a\udc81", "a\ufffd"]
    keys = [each for text in texts for each in (spelling.record(text), spelling.tag(text), other.record(text))]
    keys += [shared.record(text) for text in texts]
    keys += [spelling.piece(body, number) for body in (b"\x00", b"\x01") for number in (1, 11)]
    assert len({*keys, spelling.everything, other.everything}) == len(keys) + 2
