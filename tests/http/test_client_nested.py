"""Responses of middlewares behind the cache: their own, another cache's, some that they have read."""

import asyncio

import aiohttp
import pytest

from asynccache.http import CacheMiddleware, cache_status
from asynccache.http.client.origin import ClientArrival
from asynccache.testing import ManualClock
from tests.http.clients import body, fetch, session_with, together
from tests.http.sites import Site

LARGE = b"".join(b"%07d\n" % number for number in range(50_000))


async def read(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Read a body, to write it down for instance."""
    response = await handler(request)
    await response.read()
    return response


async def begin(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Read some of a body."""
    response = await handler(request)
    assert await response.content.readexactly(3)
    return response


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_cache_behind_a_cache(
    site: Site, clock: ManualClock, cache: CacheMiddleware, content: bytes, is_kept: bool
) -> None:
    """Whoever asks gets all of what another cache gives, be it kept there or on its way; then both have it."""
    site.say("a", content)
    async with CacheMiddleware(clock=clock) as inner, session_with(cache, inner) as session:
        if is_kept:
            async with session_with(inner) as other:
                await fetch(other, site / "a")
        got = await together(*(fetch(session, site / "a") for _ in range(3)))
        assert [each.body for each in got] == [content] * 3
        assert [each.from_cache for each in got] == [False] * 3
        for caches in ((cache,), (inner,)):
            async with session_with(*caches) as other:
                got = [await fetch(other, site / "a")]
                assert (got[0].body, got[0].from_cache) == (content, True)
    assert len(site.asked) == 1


async def test_a_response_of_another_session(site: Site, cache: CacheMiddleware) -> None:
    """What a middleware fetches by another session is kept as well; and given back if it is not to be kept."""
    site.say("a", LARGE)
    site.say("b", LARGE, cache_control="no-store")
    async with session_with() as other:

        async def elsewhere(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            return await other.get(request.url)

        async with session_with(cache, elsewhere) as session:  # type: ignore[arg-type]  # any middleware will do
            for _ in range(2):
                got = await together(*(fetch_bytes(session, site, "a") for _ in range(3)))
                assert got == [LARGE] * 3
            assert await fetch_bytes(session, site, "b") == LARGE
    assert site.asked == ["GET /a", "GET /b"]


async def fetch_bytes(session: aiohttp.ClientSession, site: Site, path: str) -> bytes:
    """Fetch a body, whoever has made the response."""
    async with asyncio.timeout(3), session.get(site / path) as response:
        return await response.read()


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
async def test_a_body_that_was_read_before(site: Site, cache: CacheMiddleware, content: bytes) -> None:
    """A body that a middleware behind the cache has read is whole for all who ask, and kept whole."""
    site.say("a", content)
    async with session_with(cache, read) as session:  # type: ignore[arg-type]  # any middleware will do
        got = await together(*(fetch(session, site / "a") for _ in range(3)))
        got.append(await fetch(session, site / "a"))
    assert [each.body for each in got] == [content] * 4
    assert (got[-1].from_cache, len(site.asked)) == (True, 1)


async def test_a_body_that_was_begun_before(site: Site, cache: CacheMiddleware) -> None:
    """What a middleware behind the cache has half read is handed on as it is, and not kept."""
    site.say("a", LARGE)
    async with session_with(cache, begin) as session:  # type: ignore[arg-type]  # any middleware will do
        for _ in range(2):
            got = await fetch(session, site / "a")
            assert (got.body, got.told.stored) == (LARGE[3:], False)
    assert len(site.asked) == 2


async def test_cookies_of_what_was_read_before(site: Site, cache: CacheMiddleware) -> None:
    """What the origin wants to be remembered gets into the jar, and not once more by a hit."""
    site.say("a", "x", set_cookie="seen=1; Path=/other")
    async with session_with(cache, read, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:  # type: ignore[arg-type]
        assert await body(session, site / "a") == "x"
        assert [cookie.value for cookie in session.cookie_jar] == ["1"]
        session.cookie_jar.clear()
        async with session.get(site / "a") as response:
            status = cache_status(response)
            assert status is not None
            assert (status.hit, response.cookies["seen"].value) == (True, "1")
        assert not list(session.cookie_jar)


@pytest.mark.parametrize(
    ("path", "status", "content", "length"),
    [("empty", 204, b"", 0), ("moved", 302, b"", 0), ("small", 200, b"small", 5)],
)
async def test_the_length_of_what_has_come(site: Site, path: str, status: int, content: bytes, length: int) -> None:
    """How long a body is, is known without a Content-Length if all of it is there."""
    site.say(path, content, status)
    async with aiohttp.ClientSession() as plain, plain.get(site / path, allow_redirects=False) as response:
        if content:
            await response.read()
        assert ClientArrival(response, 0, 0, decodes=True).length == length
