"""Bodies that are not read to their end, by the caller's will or the origin's fault: not kept, and nothing is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.http.clients import fetch, opened, session_with, started, until, used_connections
from tests.http.sites import Site

PIECE = bytes(100_000)

Leave = Callable[[aiohttp.ClientResponse], Awaitable[None]]


async def release(response: aiohttp.ClientResponse) -> None:
    """Hand it back unread."""
    response.release()


async def close(response: aiohttp.ClientResponse) -> None:
    """Close it."""
    response.close()


async def leave_block(response: aiohttp.ClientResponse) -> None:
    """Leave its block after some of it."""
    async with response:
        await response.content.readany()


async def raise_in_block(response: aiohttp.ClientResponse) -> None:
    """Leave its block by an error."""
    with pytest.raises(ZeroDivisionError):
        async with response:
            raise ZeroDivisionError


async def cancel_read(response: aiohttp.ClientResponse) -> None:
    """Be cancelled while it is read."""
    reading = asyncio.create_task(response.read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])


LEAVES: list[Leave] = [release, close, leave_block, raise_in_block, cancel_read]


@pytest.fixture
async def single(cache: CacheMiddleware) -> AsyncIterator[aiohttp.ClientSession]:
    """A session that has one connection at a time."""
    async with session_with(cache, connector=aiohttp.TCPConnector(limit=1)) as session:
        yield session


@pytest.mark.parametrize("leave", LEAVES)
async def test_an_abandoned_body_is_not_kept(site: Site, single: aiohttp.ClientSession, leave: Leave) -> None:
    """Whoever leaves before the end ends the transfer; nothing is kept, and the only connection is free again."""
    response, visit = await opened(single, site, content_length="1000000")
    visit.send(PIECE)
    await leave(response)
    async with asyncio.timeout(3):
        await visit.gone.wait()
    site.say("a", "whole")
    assert (await fetch(single, site / "a")).body == b"whole"
    assert response.closed


@pytest.mark.parametrize("leave", LEAVES)
async def test_a_leader_leaves_a_follower_behind(site: Site, session: aiohttp.ClientSession, leave: Leave) -> None:
    """While others read, the transfer goes on, and what they have read to its end is kept."""
    leader, visit = await opened(session, site, content_length=str(3 * len(PIECE)))
    follower = await started(session, site / "a")
    visit.send(PIECE)
    await leave(leader)
    visit.send(PIECE)
    visit.send(PIECE)
    visit.end()
    assert await follower.read() == 3 * PIECE
    assert (await fetch(session, site / "a")).from_cache


@pytest.mark.parametrize("leave", LEAVES)
async def test_a_follower_leaves_a_leader_behind(site: Site, session: aiohttp.ClientSession, leave: Leave) -> None:
    """It is the same the other way round."""
    leader, visit = await opened(session, site, content_length=str(2 * len(PIECE)))
    follower = await started(session, site / "a")
    visit.send(PIECE)
    await leave(follower)
    visit.send(PIECE)
    visit.end()
    assert await leader.read() == 2 * PIECE
    assert (await fetch(session, site / "a")).from_cache


@pytest.mark.parametrize("leave", [release, close, leave_block, raise_in_block])
async def test_a_hit_may_be_left(site: Site, session: aiohttp.ClientSession, leave: Leave) -> None:
    """A hit that is not read to its end harms no other, be its body in pieces."""
    site.say("a", 10 * PIECE)
    await fetch(session, site / "a")
    await leave(await started(session, site / "a"))
    got = await fetch(session, site / "a")
    assert (got.body, got.from_cache) == (10 * PIECE, True)


async def test_a_released_hit_cannot_be_read(site: Site, session: aiohttp.ClientSession) -> None:
    """After its release a hit is as dead as any response of aiohttp."""
    site.say("a", 10 * PIECE)
    await fetch(session, site / "a")
    hit = await started(session, site / "a")
    hit.release()
    with pytest.raises(aiohttp.ClientConnectionError):
        await hit.read()


async def test_a_body_that_is_too_short_is_not_kept(site: Site, session: aiohttp.ClientSession) -> None:
    """A body that ends before its Content-Length raises what aiohttp raises, to all who read it, and is not kept."""
    leader, visit = await opened(session, site, content_length="1000")
    follower = await started(session, site / "a")
    visit.send(b"too short")
    visit.cut()
    for response in (leader, follower):
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    site.say("a", "whole")
    assert (await fetch(session, site / "a")).body == b"whole"


async def test_chunks_that_break_off_are_not_kept(site: Site, session: aiohttp.ClientSession) -> None:
    """The same goes for a body without Content-Length of which the last chunk is missing."""
    response, visit = await opened(session, site)
    visit.send(b"too short")
    visit.cut()
    with pytest.raises(aiohttp.ClientPayloadError):
        async for _ in response.content.iter_any():
            pass
    site.say("a", "whole")
    assert (await fetch(session, site / "a")).body == b"whole"


async def test_what_came_before_the_break_can_be_read(site: Site, session: aiohttp.ClientSession) -> None:
    """Who reads piece by piece has what came before it broke off."""
    response, visit = await opened(session, site, content_length="1000")
    visit.send(b"some")
    assert await response.content.readany() == b"some"
    visit.cut()
    with pytest.raises(aiohttp.ClientPayloadError):
        await response.content.readany()
    response.release()


async def test_many_unread_responses_leave_no_connection(site: Site, cache: CacheMiddleware) -> None:
    """However responses are left, over and over, no connection is lost."""
    async with session_with(cache, connector=aiohttp.TCPConnector(limit=2)) as session:
        site.say("a", 20 * PIECE, cache_control="no-store")
        site.say("b", 20 * PIECE)
        for _ in range(10):
            for path in ("a", "b"):
                response = await started(session, site / path)
                response.release()
                async with await started(session, site / path) as response:
                    await response.content.read(10)
        assert await used_connections(session) == 0


async def test_a_validation_frees_its_connection(site: Site, single: aiohttp.ClientSession) -> None:
    """After a 304 the connection is used again, before the hit is read."""
    site.say("a", 10 * PIECE, cache_control="no-cache", etag='"1"')
    await fetch(single, site / "a")
    site.say("a", b"", status=304, etag='"1"', cache_control="no-cache")
    site.say("b")
    hit = await started(single, site / "a")
    assert (await fetch(single, site / "b")).body == b"1"
    assert await hit.read() == 10 * PIECE


async def test_an_old_response_instead_of_an_error_frees_the_connection(
    site: Site, single: aiohttp.ClientSession
) -> None:
    """The error whose place an old response takes holds no connection."""
    site.say("a", "old", cache_control="max-age=1, stale-if-error=600")
    await fetch(single, site / "a")
    site.clock.advance(10)
    site.say("a", 20 * PIECE, status=503)
    site.say("b")
    hit = await started(single, site / "a")
    assert (await fetch(single, site / "b")).body == b"1"
    assert await hit.read() == b"old"


async def test_closing_the_cache_takes_nothing_from_a_reader(site: Site, cache: CacheMiddleware) -> None:
    """Whoever reads a body that comes while the cache is closed gets all of it."""
    async with session_with(cache) as session:
        response, visit = await opened(session, site, content_length="8")
        visit.send(b"some")
        assert await response.content.readany() == b"some"
        async with asyncio.timeout(3):
            await cache.aclose()
        visit.send(b"more")
        visit.end()
        async with asyncio.timeout(3):
            assert await response.content.read() == b"more"


async def test_closing_the_cache_ends_what_nobody_reads(site: Site, cache: CacheMiddleware) -> None:
    """What is fetched behind for nobody ends with the cache, and its connection is free."""
    site.say("a", "old", cache_control="max-age=1, stale-while-revalidate=600")
    async with session_with(cache) as session:
        await fetch(session, site / "a")
        site.clock.advance(10)
        visits = site.wait("a")
        assert (await fetch(session, site / "a")).body == b"old"
        visit = await visits.first()
        visit.head()
        visit.send(b"some")
        await until(lambda: visit.response is not None)
        async with asyncio.timeout(3):
            await cache.aclose()
        async with asyncio.timeout(3):
            await visit.gone.wait()
