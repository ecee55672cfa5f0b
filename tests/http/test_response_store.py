"""Responses in any store: one suite, run on several engines."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asynccache.http.kept.records import UNKNOWN
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.stored import ChunkedBody
from asynccache.stores import MemoryStore, SQLiteStore, Store, open_store
from asynccache.testing import ManualClock
from tests.http.scenes import KEY, OTHER, START, TTL, body_of, keep, reasons, response, variant
from tests.servers.memcached import MemcachedNodes
from tests.servers.redis import RedisServer


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
        store = open_store(f"{redis_server.url}?timeout=10")
        yield store
        await store.aclose()


class TestInMemcached(ResponseStoreContract):
    """On real servers that take short keys only, and values of a megabyte at most."""

    pytestmark = pytest.mark.one_loop

    @pytest.fixture
    async def engine(self, memcached_nodes: MemcachedNodes) -> AsyncIterator[Store]:
        """Servers without anything on them."""
        store = open_store(f"{memcached_nodes.url}?timeout=10")
        yield store
        await store.aclose()
