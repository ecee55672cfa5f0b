"""Where responses lie: in a file, in Redis, shared by several; and what becomes of requests when that fails."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asynccache.http import CacheMiddleware
from asynccache.stores import MemoryStore
from asynccache.testing import Chaos
from tests.flight.gates import turns
from tests.http.clients import body, fetch, opened, session_with, until
from tests.http.sites import Site, conditional
from tests.servers.redis import RedisServer

BIG = bytes(range(256)) * 4_000
ROOT = Path(__file__).parents[2]


async def use(site: Site, store: str) -> None:
    """Use a store as programs that are started one after the other do."""
    site.say("small")
    site.say("big", BIG)
    site.do("checked", conditional(b"body", cache_control="no-cache"))
    for number in range(2):
        async with CacheMiddleware(store, clock=site.clock) as cache, session_with(cache) as session:
            for path, content in (("small", b"1"), ("big", BIG)):
                got = await fetch(session, site / path)
                assert (got.body, got.from_cache) == (content, bool(number))
            got = await fetch(session, site / "checked")
            assert (got.body, got.told.fwd_status) == (b"body", 304 if number else 200)
            assert cache.stats().store_errors == 0
    async with CacheMiddleware(store, clock=site.clock) as cache, session_with(cache) as session:
        await cache.invalidate(site / "small")
    async with CacheMiddleware(store, clock=site.clock) as cache, session_with(cache) as session:
        assert await body(session, site / "small") == "2"
        await cache.clear()
        assert not (await fetch(session, site / "big")).from_cache


async def test_a_file(site: Site, tmp_path: Path) -> None:
    """What lies in a file is there in the next run of the program, until it is invalidated."""
    await use(site, f"sqlite:///{tmp_path / 'cache.db'}")


async def test_redis(site: Site, redis_server: RedisServer) -> None:
    """What lies in Redis is there for all, until it is invalidated."""
    await use(site, redis_server.url)


PROGRAM = """
import asyncio, sys, aiohttp
from asynccache.http import CacheMiddleware
async def main(store, url):
    async with CacheMiddleware(store) as cache, aiohttp.ClientSession(middlewares=(cache,)) as session:
        async with session.get(url) as response:
            print(await response.text(), response.from_cache)
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.one_loop
async def test_two_processes(site: Site, tmp_path: Path) -> None:
    """What one process has fetched, another finds in their common file."""
    site.say("a", date=None, cache_control="max-age=600")
    said = [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path / 'cache.db'}", str(site / "a")]
    for is_hit in (False, True):
        done = await asyncio.to_thread(
            subprocess.run, said, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
        )
        assert done.stdout.split() == ["1", str(is_hit)]


@pytest.fixture
async def inside(site: Site) -> AsyncIterator[MemoryStore]:
    """A store that several caches share."""
    store = MemoryStore(clock=site.clock)
    yield store
    await store.aclose()


async def test_two_caches_share_a_store(site: Site, inside: MemoryStore) -> None:
    """What one has fetched or made invalid, the other knows."""
    site.say("a")
    one, two = CacheMiddleware(inside, clock=site.clock), CacheMiddleware(inside, clock=site.clock)
    async with one, two, session_with(one) as first, session_with(two) as second:
        await fetch(first, site / "a")
        assert (await fetch(second, site / "a")).from_cache
        await one.invalidate(site / "a")
        assert await body(second, site / "a") == "2"
        await two.clear()
        assert await body(first, site / "a") == "3"


async def test_what_another_cache_has_made_invalid_is_not_stored(site: Site, inside: MemoryStore) -> None:
    """A response that was on its way while another cache made its URL invalid is not kept."""
    one, two = CacheMiddleware(inside, clock=site.clock), CacheMiddleware(inside, clock=site.clock)
    async with one, two, session_with(one) as session:
        response, visit = await opened(session, site)
        visit.send(b"old")
        await two.invalidate(site / "a")
        visit.end()
        assert await response.read() == b"old"
        site.say("a", "new")
        assert await body(session, site / "a") == "new"


async def test_namespaces_are_apart(site: Site, inside: MemoryStore) -> None:
    """Two caches with one store and different namespaces know nothing of each other."""
    site.say("a")
    one = CacheMiddleware(inside, clock=site.clock, namespace="one")
    two = CacheMiddleware(inside, clock=site.clock, namespace="two")
    async with one, two, session_with(one) as first, session_with(two) as second:
        await fetch(first, site / "a")
        assert not (await fetch(second, site / "a")).from_cache
        await one.clear()
        assert (await fetch(second, site / "a")).from_cache


async def test_a_store_that_is_down(site: Site, inside: MemoryStore) -> None:
    """Without its store a cache passes everything on, counts that, and uses the store again when it is back."""
    chaos = Chaos(inside)
    site.say("a")
    async with CacheMiddleware(chaos, clock=site.clock) as cache, session_with(cache) as session:
        await fetch(session, site / "a")
        chaos.down = True
        for text in ("2", "3"):
            assert await body(session, site / "a") == text
            await turns()
        assert cache.stats().store_errors >= 2
        chaos.down = False
        await until(lambda: not chaos.down)
        assert (await fetch(session, site / "a")).status == 200
        site.clock.advance(600)
        await fetch(session, site / "a")
        assert (await fetch(session, site / "a")).from_cache


async def test_an_invalidation_that_the_store_missed(site: Site, inside: MemoryStore) -> None:
    """What was made invalid while the store was down is not served from it when it is back."""
    chaos = Chaos(inside)
    site.say("a")
    async with CacheMiddleware(chaos, clock=site.clock) as cache, session_with(cache) as session:
        await fetch(session, site / "a")
        chaos.down = True
        await cache.invalidate(site / "a")
        chaos.down = False
        site.clock.advance(30)
        assert await body(session, site / "a") == "2"


async def test_a_store_that_fails_while_a_body_is_written(site: Site, inside: MemoryStore) -> None:
    """A store that goes down in the middle of a body takes nothing from who reads it."""
    chaos = Chaos(inside)
    async with CacheMiddleware(chaos, clock=site.clock) as cache, session_with(cache) as session:
        response, visit = await opened(session, site)
        visit.send(BIG)
        await response.content.readexactly(len(BIG))
        chaos.down = True
        visit.send(BIG)
        visit.end()
        assert await response.read() == BIG
        chaos.down = False
        site.clock.advance(30)
        site.say("a", "new")
        assert await body(session, site / "a") == "new"


async def test_a_store_that_loses_a_piece(site: Site, inside: MemoryStore) -> None:
    """A body of which a piece is gone is fetched again; nobody gets a part of it for the whole."""
    site.say("a", BIG)
    async with CacheMiddleware(inside, clock=site.clock) as cache, session_with(cache) as session:
        await fetch(session, site / "a")
        keys = [key async for some in inside.scan(b"") for key in some]
        sizes = {key: len(value) for key, value in (await inside.get_many(keys)).items()}
        await inside.delete_many([max(sizes, key=lambda key: sizes[key])])
        site.say("a", BIG[::-1])
        got = [await fetch(session, site / "a") for _ in range(2)]
        assert got[-1].body == BIG[::-1]
        assert got[0].body == BIG[::-1]
        assert cache.stats().lost_bodies >= 1


async def test_a_store_that_is_passed_in_stays_open(site: Site, inside: MemoryStore) -> None:
    """A store that the user has opened is the user's to close."""
    site.say("a")
    async with CacheMiddleware(inside, clock=site.clock) as cache, session_with(cache) as session:
        await fetch(session, site / "a")
    async with CacheMiddleware(inside, clock=site.clock) as cache, session_with(cache) as session:
        assert (await fetch(session, site / "a")).from_cache


async def test_a_secret(site: Site, inside: MemoryStore) -> None:
    """What is not signed with the cache's secret is not believed, and is counted."""
    site.say("a")
    secrets = (b"a secret of ours", b"another one of ours", None)
    for secret in secrets:
        async with CacheMiddleware(inside, clock=site.clock, secret=secret) as cache, session_with(cache) as session:
            assert not (await fetch(session, site / "a")).from_cache
            await fetch(session, site / "a")
            assert (await fetch(session, site / "a")).from_cache
            assert (cache.stats().bad_records > 0) is (secret != secrets[0])


async def test_damaged_records(site: Site, tmp_path: Path) -> None:
    """What was damaged in the store is a miss."""
    site.say("a", BIG)
    store = MemoryStore(clock=site.clock)
    chaos = Chaos(store, corrupt=1.0, seed=7)
    async with CacheMiddleware(chaos, clock=site.clock) as cache, session_with(cache) as session:
        for _ in range(5):
            assert (await fetch(session, site / "a")).body == BIG
        assert cache.stats().hits == 0
    await store.aclose()


async def test_a_file_that_cannot_be_opened(site: Site, tmp_path: Path) -> None:
    """A store that cannot be opened is as good as none."""
    path = tmp_path / "cache.db"
    path.mkdir()
    site.say("a")
    async with CacheMiddleware(f"sqlite:///{path}", clock=site.clock) as cache, session_with(cache) as session:
        for text in ("1", "2"):
            assert await body(session, site / "a") == text
            await turns()
        assert cache.stats().store_errors > 0


async def test_a_file_that_is_no_database(site: Site, tmp_path: Path) -> None:
    """A file that is something else is put aside, and the cache works."""
    path = tmp_path / "cache.db"
    path.write_bytes(b"something else " * 1_000)
    site.say("a")
    async with CacheMiddleware(f"sqlite:///{path}", clock=site.clock) as cache, session_with(cache) as session:
        for _ in range(2):
            await fetch(session, site / "a")
            await turns()
        assert (await fetch(session, site / "a")).from_cache
    assert is_put_aside(tmp_path)


def is_put_aside(folder: Path) -> bool:
    """Whether what the file held is still there."""
    return any(each.read_bytes().startswith(b"something else") for each in folder.iterdir())


async def test_large_bodies_have_a_limit(site: Site, inside: MemoryStore) -> None:
    """A body above `max_body` is handed on and not kept, which is counted."""
    site.say("a", BIG)
    async with (
        CacheMiddleware(inside, clock=site.clock, max_body=len(BIG) - 1) as cache,
        session_with(cache) as session,
    ):
        for _ in range(2):
            got = await fetch(session, site / "a")
            assert (got.body, got.from_cache) == (BIG, False)
        assert cache.stats().too_large == 2


async def test_memory_is_bounded(site: Site) -> None:
    """A cache in memory holds no more than it may, and forgets what was not used for the longest time."""
    site.say("a", bytes(50_000))
    async with CacheMiddleware(clock=site.clock, max_bytes=2_000_000) as cache, session_with(cache) as session:
        for number in range(100):
            await fetch(session, site / f"a?{number}")
        kept = [(await fetch(session, site / f"a?{number}")).from_cache for number in (99, 98, 0, 1)]
        assert kept == [True, True, False, False]
