"""Responses in any store: what is found, and what may not be, whoever does what at the same time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from asynccache.http.bodies import GRACE
from asynccache.http.invalidating import TOMBSTONE_TTL
from asynccache.http.memo import Known, Memo, Variants
from asynccache.http.message import Fields
from asynccache.http.owed import Debt, Owed
from asynccache.http.purges import MARK_TTL
from asynccache.http.records import UNKNOWN
from asynccache.http.response_store import BodyLost, ResponseStore
from asynccache.http.spelling import Spelling
from asynccache.http.stored import ChunkedBody, InlineBody, StoredResponse
from asynccache.stores import Item, MemoryStore, SQLiteStore, Store, SupportsConditions, open_store
from asynccache.testing import Chaos, ManualClock
from tests.servers.redis import RedisServer

KEY: Final = "https://example.com/a?secret=1"
OTHER: Final = "https://example.com/b"
START: Final = 1_000_000.0
TTL: Final = 3_600.0


def response(asked: float = START, /, **other: Any) -> StoredResponse:
    """A response that was asked for at that moment."""
    said: dict[str, Any] = {
        "method": "GET", "status": 200, "reason": "OK", "fields": Fields([("Cache-Control", "max-age=60")]),
        "request_time": asked, "response_time": asked, "body": InlineBody(b"body"),
    }  # fmt: skip
    return StoredResponse(**(said | other))


def variant(name: str, asked: float = START, /, **other: Any) -> StoredResponse:
    """One of several responses to a key, told apart by a request field."""
    return response(asked, **{"vary": ("accept",), "selecting": name.encode(), "reason": name, **other})


def reasons(found: Variants) -> list[str]:
    """The reason phrases of what was found, which tests tell responses by."""
    return [each.reason for each in found.responses]


async def keep(store: ResponseStore, each: StoredResponse, *, key: str = KEY, ttl: float = TTL) -> bool:
    """Look what is there, and store a response."""
    return await store.keep(key, await store.find(key), each, ttl=ttl)


async def body_of(store: ResponseStore, each: StoredResponse) -> bytes:
    """Read the body of a response."""
    return b"".join([piece async for piece in store.read(each.body)])


class ResponseStoreContract:
    """What holds in every store that can change a key on a condition."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The wall time."""
        return ManualClock(START)

    @pytest.fixture
    def engine(self) -> Store:
        """The store; each engine has its own fixture."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, engine: Store, clock: ManualClock) -> ResponseStore:
        """One process."""
        return ResponseStore(engine, clock=clock)

    @pytest.fixture
    def another(self, engine: Store, clock: ManualClock) -> ResponseStore:
        """Another process that shares the store."""
        return ResponseStore(engine, clock=clock)

    async def test_nothing_is_found_where_nothing_was_kept(self, store: ResponseStore) -> None:
        """An empty store has no stamp, remembers no generation and has no responses."""
        found = await store.find(KEY)
        assert (found.stamp, found.generation, found.responses, found.judged) == (None, UNKNOWN, (), None)

    async def test_what_was_kept_is_found_by_all(self, store: ResponseStore, another: ResponseStore) -> None:
        """Whoever shares the store finds a response, and only under its own key."""
        assert await keep(store, response(reason="Fine", tags=("t",)))
        for reader in (store, another, store):
            (found,) = (await reader.find(KEY)).responses
            assert (found.reason, found.body.size, found.tags) == ("Fine", 4, ("t",))
            assert await body_of(reader, found) == b"body"
            assert reasons(await reader.find(OTHER)) == []

    async def test_what_was_found_is_the_same_until_something_changes(
        self, store: ResponseStore, another: ResponseStore
    ) -> None:
        """What was worked out once is at hand as long as nobody has written, and no longer."""
        await keep(store, response())
        first = await store.find(KEY)
        first.judged = "judged"
        assert await store.find(KEY) is first
        await keep(another, variant("new"))
        later = await store.find(KEY)
        assert later.judged is None
        assert reasons(later) == ["new", "OK"]
        assert later.stamp != first.stamp
        assert later.generation == first.generation

    async def test_variants_lie_beside_one_another(self, store: ResponseStore) -> None:
        """Those that requests tell apart are all found, the newest first; of the same variant only the newest."""
        for name in "aba":
            assert await keep(store, variant(name))
        assert await keep(store, variant("a", vary=("cookie",), reason="c"))
        assert reasons(await store.find(KEY)) == ["c", "a", "b"]

    async def test_two_variants_kept_at_the_same_time_are_both_there(
        self, store: ResponseStore, another: ResponseStore
    ) -> None:
        """However many store at once what they found out about one key, nothing is lost."""
        names = "abcd"
        found = [await place.find(KEY) for place in (store, another, store, another)]
        kept = [
            place.keep(KEY, before, variant(name), ttl=TTL)
            for place, before, name in zip((store, another, store, another), found, names, strict=True)
        ]
        assert await asyncio.gather(*kept) == [True] * 4
        assert sorted(reasons(await store.find(KEY))) == sorted(names)

    async def test_what_is_invalid_is_gone_and_stays_so(
        self, store: ResponseStore, another: ResponseStore, clock: ManualClock
    ) -> None:
        """After an invalidation nobody finds anything, and whoever had looked before it stores nothing."""
        await keep(store, response())
        before, nothing = await another.find(KEY), await another.find(OTHER)
        await store.invalidate(KEY, OTHER)
        for place in (store, another):
            assert (await place.find(KEY)).responses == ()
            assert (await place.find(KEY)).generation not in (UNKNOWN, before.generation)
        clock.advance(1)
        assert not await another.keep(KEY, before, response(clock()), ttl=TTL)
        assert not await another.keep(OTHER, nothing, response(clock()), ttl=TTL)
        assert await keep(another, response(clock()))
        assert len((await store.find(KEY)).responses) == 1
        assert another.counts.overtaken == 2

    async def test_a_generation_outlives_what_is_stored_after_it(self, store: ResponseStore) -> None:
        """Though a new response was stored since, one that was looked for before the invalidation is refused."""
        before = await store.find(KEY)
        await store.invalidate(KEY)
        assert await keep(store, variant("new"))
        assert not await store.keep(KEY, before, variant("old"), ttl=TTL)
        assert reasons(await store.find(KEY)) == ["new"]

    async def test_a_purge_takes_all_with_the_tag(
        self, store: ResponseStore, another: ResponseStore, clock: ManualClock
    ) -> None:
        """Under whatever key, and in whatever process; what has other tags, or is stored later, is found."""
        await keep(store, variant("a", tags=("x", "y")))
        await keep(another, variant("b", tags=("y",)))
        await keep(store, response(tags=("x",)), key=OTHER)
        assert len((await another.find(KEY)).responses) == 2
        clock.advance(1)
        await store.purge(["x", "nobody has this"])
        for place in (store, another):
            assert reasons(await place.find(KEY)) == ["b"]
            assert reasons(await place.find(OTHER)) == []
        clock.advance(1)
        assert await keep(another, variant("c", clock(), tags=("x",)))
        assert reasons(await store.find(KEY)) == ["c", "b"]

    async def test_a_purge_reaches_what_is_on_its_way(
        self, store: ResponseStore, another: ResponseStore, clock: ManualClock
    ) -> None:
        """What was asked for before the purge, or at that very moment, is not stored: nobody knew of its tags yet."""
        before = await another.find(KEY)
        await store.purge(["x"])
        assert not await another.keep(KEY, before, response(START, tags=("x",)), ttl=TTL)
        clock.advance(1)
        assert await another.keep(KEY, before, response(clock(), tags=("x",)), ttl=TTL)

    async def test_clear_takes_everything_here_and_nothing_elsewhere(
        self, store: ResponseStore, another: ResponseStore, engine: Store, clock: ManualClock
    ) -> None:
        """All keys of the namespace are empty for all, those on their way are not stored, and others keep theirs."""
        elsewhere = ResponseStore(engine, namespace="elsewhere", clock=clock)
        await keep(elsewhere, response())
        for key in (KEY, OTHER):
            await keep(store, response(), key=key)
        before = await another.find(KEY)
        await store.clear()
        for key in (KEY, OTHER):
            assert (await store.find(key)).responses == (await another.find(key)).responses == ()
        assert not await another.keep(KEY, before, response(), ttl=TTL)
        clock.advance(1)
        assert await keep(another, response(clock()))
        assert len((await store.find(KEY)).responses) == len((await elsewhere.find(KEY)).responses) == 1

    async def test_the_first_clear_of_all_reaches_what_is_on_its_way(
        self, store: ResponseStore, another: ResponseStore
    ) -> None:
        """Also where nothing had ever been stored before."""
        before = await another.find(KEY)
        await store.clear()
        assert not await another.keep(KEY, before, response(), ttl=TTL)

    async def test_an_old_response_is_replaced(self, store: ResponseStore, another: ResponseStore) -> None:
        """What was validated takes the place of what it was made of, in front, with the same body."""
        await keep(store, variant("a"))
        await keep(store, variant("b"))
        found = await store.find(KEY)
        old = found.responses[1]
        new = variant("a", START + 1, reason="fresh", body=old.body)
        assert await store.replace(KEY, found, old, new, ttl=TTL)
        assert reasons(await another.find(KEY)) == ["fresh", "b"]
        assert await body_of(another, (await another.find(KEY)).responses[0]) == b"body"
        assert not await store.replace(KEY, found, old, new, ttl=TTL)  # it is not there any more

    async def test_a_response_is_taken_away(self, store: ResponseStore, another: ResponseStore) -> None:
        """One that is no good any more goes, and the others stay; with the last one nothing is found."""
        await keep(store, variant("a"))
        await keep(store, variant("b"))
        for left in (["b"], []):
            found = await store.find(KEY)
            assert await store.replace(KEY, found, found.responses[-1], None, ttl=0)
            assert reasons(await another.find(KEY)) == left

    async def test_large_bodies_lie_beside_the_record(self, store: ResponseStore, another: ResponseStore) -> None:
        """A body of a megabyte is written in pieces, and whoever finds its response reads any part of it."""
        content = bytes(range(256)) * 4_096
        writer = store.begin_body(TTL)
        for start in range(0, len(content), 100_000):
            assert await writer.write(content[start : start + 100_000])
        body = await writer.finish()
        assert isinstance(body, ChunkedBody)
        assert await keep(store, response(body=body))
        (found,) = (await another.find(KEY)).responses
        assert await body_of(another, found) == content
        part = [piece async for piece in another.read(found.body, 262_000, 262_500)]
        assert b"".join(part) == content[262_000:262_501]


class TestInMemory(ResponseStoreContract):
    """In this process, with whatever `MemoryStore` can do."""

    @pytest.fixture
    def engine(self, clock: ManualClock) -> Store:
        """A store of its own for each test."""
        return MemoryStore(clock=clock)


class TestInSQLite(ResponseStoreContract):
    """In a file."""

    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Store]:
        """A file of its own for each test."""
        store = SQLiteStore(tmp_path / "cache.db", timeout=30)
        yield store
        await store.aclose()


class TestInRedis(ResponseStoreContract):
    """On a real server."""

    pytestmark = pytest.mark.one_loop

    @pytest.fixture
    async def engine(self, redis_server: RedisServer) -> AsyncIterator[Store]:
        """A server without anything on it."""
        redis_server.ask("FLUSHALL")
        store = open_store(f"{redis_server.url}?timeout=10")
        yield store
        await store.aclose()


# --- races, written out -----------------------------------------------------------------------------------------------


class Scene:
    """A store in memory that can be held and made to fail, and two processes that share it."""

    def __init__(self, *, without: Sequence[type] = ()) -> None:
        self.clock = ManualClock(START)
        self.inside = MemoryStore(clock=self.clock)
        self.engine = Chaos(self.inside, without=without)
        self.store = ResponseStore(self.engine, clock=self.clock)
        self.another = ResponseStore(self.inside, clock=self.clock)

    async def keep_until(self, point: str, each: StoredResponse) -> "asyncio.Task[bool]":
        """Begin to store a response, and stop at a point on the way."""
        found = await self.store.find(KEY)
        self.engine.hold(point)
        task = asyncio.create_task(self.store.keep(KEY, found, each, ttl=TTL))
        await self.engine.held(point)
        return task

    async def keys(self) -> list[bytes]:
        """All keys in the store."""
        return [key async for some in self.inside.scan(b"") for key in some]


@pytest.fixture
def clock() -> ManualClock:
    """The wall time."""
    return ManualClock(START)


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_an_invalidation_between_reading_and_writing_is_seen(scene: Scene) -> None:
    """What was invalidated after its record was read for the last time before it is written is not stored."""
    await keep(scene.store, variant("old"))
    task = await scene.keep_until("compare_and_set", variant("new"))
    await scene.another.invalidate(KEY)
    scene.engine.release()
    assert not await task
    assert (await scene.another.find(KEY)).responses == ()


async def test_an_invalidation_of_nothing_is_seen_too(scene: Scene) -> None:
    """Where nothing lay when it was read, a tombstone may lie when it is written."""
    await keep(scene.another, response(), key=OTHER)  # so that the marks are there
    task = await scene.keep_until("add", variant("new"))
    await scene.another.invalidate(KEY)
    scene.engine.release()
    assert not await task
    assert (await scene.another.find(KEY)).responses == ()


@pytest.mark.parametrize("everything", [False, True], ids=["purge", "clear"])
async def test_a_purge_between_reading_and_writing_is_seen(scene: Scene, everything: bool) -> None:
    """A record that is written after the purge, with what was known before, is found by nobody."""
    await keep(scene.another, response(tags=("x",)), key=OTHER)
    task = await scene.keep_until("add", response(tags=("x",)))
    await (scene.another.clear() if everything else scene.another.purge(["x"]))
    scene.engine.release()
    await task
    for place in (scene.store, scene.another):
        assert (await place.find(KEY)).responses == ()


async def test_a_variant_stored_between_reading_and_writing_stays(scene: Scene) -> None:
    """Who is overtaken by another variant tries again, and both are there."""
    await keep(scene.another, response(), key=OTHER)
    task = await scene.keep_until("add", variant("a"))
    assert await keep(scene.another, variant("b"))
    scene.engine.release()
    assert await task
    assert reasons(await scene.store.find(KEY)) == ["a", "b"]


async def test_a_response_validated_twice_is_replaced_once(scene: Scene) -> None:
    """Of two that were made of the same old one, the second has nothing to take the place of."""
    await keep(scene.store, variant("a"))
    found = await scene.store.find(KEY)
    (old,) = found.responses
    scene.engine.hold("compare_and_set")
    late = asyncio.create_task(
        scene.store.replace(KEY, found, old, variant("a", START + 1, reason="late"), ttl=TTL)
    )  # fmt: skip
    await scene.engine.held("compare_and_set")
    theirs = await scene.another.find(KEY)
    new = variant("a", START + 2, reason="first")
    assert await scene.another.replace(KEY, theirs, theirs.responses[0], new, ttl=TTL)
    scene.engine.release()
    assert not await late
    assert reasons(await scene.store.find(KEY)) == ["first"]


async def test_a_mark_that_two_make_at_once_is_one(scene: Scene) -> None:
    """Two that store the very first responses at the same time agree on what these depend on."""
    task = await scene.keep_until("add", response())
    assert await keep(scene.another, response(), key=OTHER)
    scene.engine.release()
    assert await task
    for place in (scene.store, scene.another):
        assert [len((await place.find(key)).responses) for key in (KEY, OTHER)] == [1, 1]


async def test_a_race_lost_too_often_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write all the time, a response is not stored, rather than tried for ever."""
    await keep(scene.another, response())
    asked: list[bytes] = []

    async def refuse(_: object, key: bytes, expected: bytes, item: Item) -> bool:
        asked.append(expected)
        return False

    monkeypatch.setattr(MemoryStore, "compare_and_set", refuse)
    assert not await keep(scene.store, variant("new"))
    assert len(asked) == 5
    assert scene.store.counts.overtaken == 1


async def test_cancelled_at_any_step_nothing_half_written_is_seen() -> None:
    """Whoever stores may be cancelled at each await: then there is the old, or the new, and storing works again."""
    points = [after + name for name in ("get_many", "add", "compare_and_set") for after in ("", "after ")]
    for point in points:
        scene = Scene()
        if "compare" in point:
            await keep(scene.another, variant("old"))
        task = await scene.keep_until(point, variant("new", tags=("x",)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        scene.engine.release()
        assert set(reasons(await scene.another.find(KEY))) <= {"old", "new"}
        assert await keep(scene.store, variant("newer"))
        assert reasons(await scene.another.find(KEY))[0] == "newer"


class Jittery(MemoryStore):
    """A store whose calls take some turns of the loop, now before they are done and now after."""

    turns = 0

    async def pause(self) -> None:
        """Take a few turns, a different number each time."""
        self.turns = (self.turns * 75 + 74) % 65_537
        for _ in range(self.turns % 4):
            await asyncio.sleep(0)

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in {"get_many", "set_many", "add", "compare_and_set"}:
            return method

        async def slow(*args: Any) -> Any:
            await self.pause()
            result = await method(*args)
            await self.pause()
            return result

        return slow


@pytest.mark.parametrize("fail", [0.0, 0.1], ids=["sound", "failing"])
@pytest.mark.parametrize("seed", range(5))
async def test_nothing_old_is_found_after_it_was_made_invalid(seed: int, fail: float) -> None:
    """In any mixture of loads and invalidations, a search that begins after one of these finds nothing from before."""
    clock = ManualClock(START)
    inside = Jittery(clock=clock)
    inside.turns = seed
    places = [ResponseStore(Chaos(inside, fail=fail, seed=seed), clock=clock) for _ in range(1 if fail else 2)]
    valid_from = {KEY: START, OTHER: START}
    hits = 0

    async def load(place: ResponseStore, key: str, name: str) -> None:
        nonlocal hits
        since = valid_from[key]
        found = await place.find(key)
        assert all(each.request_time >= since for each in found.responses)
        hits += bool(found.responses)
        clock.advance(1)
        loaded = variant(name, clock(), tags=(key,))
        await inside.pause()
        await place.keep(key, found, loaded, ttl=TTL)

    async def work(number: int) -> None:
        for step in range(60):
            place, key = places[(number + step) % len(places)], (KEY, OTHER)[(number * 7 + step) % 2]
            clock.advance(1)
            if number or step % 6 != 5:
                await load(place, key, str(number))
                continue
            now, kind = clock(), step // 6 % 3
            if kind == 0:
                await place.invalidate(key)
            elif kind == 1:
                await place.purge([key])
            else:
                await place.clear()
            for each in [KEY, OTHER] if kind == 2 else [key]:
                valid_from[each] = now

    await asyncio.gather(*(work(number) for number in range(6)))
    assert hits


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


# --- bounds -----------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr("asynccache.http.response_store.LARGEST", 1)
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


# --- what is remembered in process ------------------------------------------------------------------------------------


async def test_a_hit_asks_the_store_once(scene: Scene) -> None:
    """Once a record is known, all that it depends on is asked for together with it, in one request."""
    await keep(scene.another, response(tags=("x", "y")))
    await scene.store.find(KEY)
    scene.engine.calls.clear()
    scene.engine.keys.clear()
    assert len((await scene.store.find(KEY)).responses) == 1
    assert scene.engine.calls == {"get_many": 1}
    assert scene.engine.keys == {"get_many": 4}


async def test_equal_bytes_are_known_too(scene: Scene) -> None:
    """A store that gives new bytes each time, as all but the one in memory do, is not read anew."""
    await keep(scene.store, response())
    found = await scene.store.find(KEY)
    lies_at = Spelling("http").record(KEY)
    data = (await scene.inside.get_many([lies_at]))[lies_at]
    await scene.inside.set_many({lies_at: Item(bytes(bytearray(data)))})
    assert await scene.store.find(KEY) is found


async def test_a_record_that_is_gone_is_forgotten(scene: Scene) -> None:
    """What the store has no more is not found, and not held in process either."""
    await keep(scene.store, response())
    await scene.store.find(KEY)
    await scene.inside.delete_many([Spelling("http").record(KEY)])
    assert (await scene.store.find(KEY)).stamp is None
    assert scene.store._memo.get(KEY) is None


def test_the_memo_is_bounded() -> None:
    """However many keys are asked for, and however large they are, no more than so much is remembered."""
    store = ResponseStore(MemoryStore())

    async def fill() -> None:
        for number in range(1_100):
            await store.keep(
                str(number), Variants(), response(store._link.clock(), body=InlineBody(bytes(32_768))), ttl=TTL
            )
            await store.find(str(number))

    asyncio.run(fill())
    kept = store._memo._kept
    assert len(kept) <= 1_024
    assert kept.weight <= 32 * 1024 * 1024


def test_a_memo_entry_that_goes_while_it_is_read_is_a_miss() -> None:
    """Another thread may let go of an entry just when it was found."""
    memo = Memo()
    memo.put(KEY, Known((), {}, Variants(), 1))
    assert memo.get(KEY) is not None
    del memo._kept.entries[KEY].value
    assert memo.get(KEY) is None


def test_loops_in_several_threads_share_one_store(tmp_path: Path) -> None:
    """Any number of loops at once store and find, in one store of responses over one file."""
    engine = SQLiteStore(tmp_path / "cache.db", timeout=30)
    store = ResponseStore(engine)
    errors: list[BaseException] = []

    async def work(name: str) -> None:
        for step in range(20):
            key = str(step % 4)
            each = variant(name, store._link.clock(), body=InlineBody(name.encode()))
            assert await store.keep(key, await store.find(key), each, ttl=TTL)
            found = {one.reason: one.body for one in (await store.find(key)).responses}
            assert found[name] == InlineBody(name.encode())

    def run(name: str) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    asyncio.run(engine.aclose())


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"namespace": ""}, "namespace must be 1 to 64"),
        ({"namespace": "a:b"}, "namespace must be 1 to 64"),
        ({"namespace": None}, "namespace must be a string"),
        ({"inline_limit": -1}, "inline_limit must be 0 or more"),
        ({"chunk_size": 0}, "chunk_size must be 1 or more"),
        ({"max_body": -1}, "max_body must be 0 or more"),
        ({"retention": float("nan")}, "retention must be 0 or more"),
        ({"max_variants": 0}, "max_variants must be 1 or more"),
        ({"secret": b"short"}, "can be guessed"),
    ],
    ids=repr,
)
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, Any], message: str) -> None:
    """Each is refused where it is written, with what to write instead."""
    with pytest.raises((TypeError, ValueError), match=message):
        ResponseStore(MemoryStore(), **wrong)
