"""Bodies that were compressed: kept as the client reads them, and not given to one who wants the octets themselves."""

import gzip

import aiohttp
import pytest
from aiohttp import web

from asynccache.http import CacheMiddleware
from tests.http.clients import fetch, session_with
from tests.http.sites import Site, fields_of

TEXT = b"the same words over and over; " * 5_000
PACKED = gzip.compress(TEXT, mtime=0)


@pytest.fixture
def packed(site: Site) -> Site:
    """A server that compresses what is wanted so."""

    async def answer(request: web.Request) -> web.Response:
        headers = fields_of({"etag": '"1"', "vary": "Accept-Encoding"})
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=TEXT, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=PACKED, headers=headers)

    site.do("a", answer)
    return site


async def test_a_hit_is_unpacked(packed: Site, session: aiohttp.ClientSession) -> None:
    """A hit gives the same octets as the first response did, once unpacked."""
    for is_hit in (False, True):
        got = await fetch(session, packed / "a")
        assert (got.body, got.from_cache, got.headers["Content-Encoding"]) == (TEXT, is_hit, "gzip")


async def test_who_unpacks_itself_gets_packed_octets(packed: Site, cache: CacheMiddleware) -> None:
    """A session with `auto_decompress=False` gets what the origin has sent, each time; others are not disturbed."""
    async with session_with(cache) as plain, session_with(cache, auto_decompress=False) as raw:
        for is_hit in (False, True):
            for session, content in ((plain, TEXT), (raw, PACKED)):
                got = await fetch(session, packed / "a")
                assert (got.body, got.from_cache) == (content, is_hit)
    assert len(packed.asked) == 2


async def test_both_are_made_invalid(packed: Site, cache: CacheMiddleware) -> None:
    """An invalidation of the URL reaches both."""
    async with session_with(cache) as plain, session_with(cache, auto_decompress=False) as raw:
        for session in (plain, raw):
            await fetch(session, packed / "a")
        await cache.invalidate(packed / "a")
        for session in (plain, raw):
            assert not (await fetch(session, packed / "a")).from_cache


async def test_other_codings_are_other_variants(packed: Site, session: aiohttp.ClientSession) -> None:
    """Who wants it as it is gets it as it is."""
    for is_hit in (False, True):
        for coding in ("gzip", "identity"):
            got = await fetch(session, packed / "a", headers={"Accept-Encoding": coding})
            assert (got.body, got.from_cache) == (TEXT, is_hit)
            assert ("Content-Encoding" in got.headers) is (coding == "gzip")


async def test_no_part_is_cut_of_what_was_unpacked(packed: Site, session: aiohttp.ClientSession) -> None:
    """A range counts the octets that are sent: of what was unpacked, no part is made."""
    await fetch(session, packed / "a")
    headers = {"Range": "bytes=0-9", "Accept-Encoding": "gzip, deflate"}
    got = await fetch(session, packed / "a", headers=headers)
    assert (got.status, got.body) == (200, TEXT)


async def test_what_cannot_be_unpacked(site: Site, session: aiohttp.ClientSession) -> None:
    """What is not what it says raises what aiohttp raises, each time: it is not kept."""
    site.say("a", b"no gzip at all", content_encoding="gzip")
    for _ in range(2):
        with pytest.raises(aiohttp.ClientPayloadError):
            await fetch(session, site / "a")
    assert len(site.asked) == 2
