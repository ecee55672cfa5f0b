"""Ranges: cut from what is kept, kept themselves, and put together."""

import asyncio
import re
from email.utils import formatdate

import aiohttp
import pytest
from aiohttp import web

from asynccache.http import CacheMiddleware
from tests.http.clients import Got, fetch
from tests.http.sites import START, Site, fields_of

WHOLE = bytes(range(256)) * 4_000
"""1,024,000 bytes: in pieces."""


def ranged(site: Site, content: bytes = WHOLE, etag: str | None = '"1"', **fields: str | None) -> None:
    """Let a path answer ranges."""

    async def answer(request: web.Request) -> web.Response:
        headers = fields_of({"etag": etag, "accept_ranges": "bytes", **fields})
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if found is None or request.headers.get("If-Range", etag) != etag:
            return web.Response(body=content, headers=headers)
        first, last = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return web.Response(status=206, body=content[first : last + 1], headers=headers)

    site.do("a", answer)


async def part(session: aiohttp.ClientSession, site: Site, wanted: str, **more: str) -> Got:
    """Fetch a part."""
    return await fetch(session, site / "a", headers={"Range": f"bytes={wanted}", **more})


@pytest.mark.parametrize("size", [1_000, len(WHOLE)], ids=["in its record", "in pieces"])
@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("0-9", 0, 9), ("100-", 100, -1), ("-10", -10, -1), ("5-5", 5, 5), ("999-5000000", 999, -1)],
)
async def test_a_part_of_a_whole(
    site: Site, session: aiohttp.ClientSession, size: int, wanted: str, first: int, last: int
) -> None:
    """A part of what is kept as a whole is cut from it, and the origin is not asked."""
    content = WHOLE[:size]
    ranged(site, content)
    await fetch(session, site / "a")
    got = await part(session, site, wanted)
    first, last = first % size, last % size
    assert (got.status, got.body, got.from_cache) == (206, content[first : last + 1], True)
    assert got.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    assert got.headers["Content-Length"] == str(last - first + 1)
    assert len(site.asked) == 1


async def test_a_part_beyond_the_end(site: Site, session: aiohttp.ClientSession) -> None:
    """What begins behind the end is answered by a 416 from the cache."""
    ranged(site)
    await fetch(session, site / "a")
    got = await part(session, site, "2000000-")
    assert (got.status, got.body) == (416, b"")
    assert got.headers["Content-Range"] == f"bytes */{len(WHOLE)}"


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"1"', 206), ('"2"', 200), ('W/"1"', 200), (formatdate(START - 5_000, usegmt=True), 200)],
)
async def test_a_part_on_condition(site: Site, session: aiohttp.ClientSession, condition: str, status: int) -> None:
    """If-Range gets the part if it is one of the same whole, and else the whole."""
    ranged(site)
    await fetch(session, site / "a")
    got = await part(session, site, "0-9", **{"If-Range": condition})
    assert (got.status, got.body) == (status, WHOLE[:10] if status == 206 else WHOLE)


async def test_several_parts(site: Site, session: aiohttp.ClientSession) -> None:
    """Who wants several parts at once gets an answer that is right: the whole, or the origin's own."""
    ranged(site)
    await fetch(session, site / "a")
    got = await part(session, site, "0-1,5-6")
    assert (got.status, got.body) == (200, WHOLE)


async def test_a_part_is_kept(site: Site, session: aiohttp.ClientSession) -> None:
    """A part that was fetched is served again, and parts of it are cut from it."""
    ranged(site)
    for wanted, content in (("10-99", WHOLE[10:100]), ("10-99", WHOLE[10:100]), ("20-29", WHOLE[20:30])):
        got = await part(session, site, wanted)
        assert (got.status, got.body) == (206, content)
    assert len(site.asked) == 1


async def test_a_part_is_no_whole(site: Site, session: aiohttp.ClientSession) -> None:
    """Of a part that is kept, nobody is told that it is the whole."""
    ranged(site)
    await part(session, site, "10-99")
    got = await fetch(session, site / "a")
    assert (got.status, got.body) == (200, WHOLE)


async def test_what_is_missing_is_fetched(site: Site, session: aiohttp.ClientSession) -> None:
    """With a beginning that is kept, only the rest is fetched for the whole."""
    ranged(site)
    await part(session, site, "0-999999")
    got = await fetch(session, site / "a")
    assert (got.status, got.body) == (200, WHOLE)
    assert site.headers[1]["Range"] == "bytes=1000000-"
    assert (await fetch(session, site / "a")).told.hit


async def test_a_beginning_of_something_else(site: Site, session: aiohttp.ClientSession) -> None:
    """If it has changed meanwhile, what is kept of it is not put together with what comes."""
    ranged(site)
    await part(session, site, "0-999999")
    ranged(site, bytes(reversed(WHOLE)), '"2"')
    got = await fetch(session, site / "a")
    assert (got.status, got.body) == (200, bytes(reversed(WHOLE)))


async def test_parts_are_put_together(site: Site, session: aiohttp.ClientSession) -> None:
    """Two parts that touch answer what lies across both."""
    ranged(site)
    await part(session, site, "0-99")
    await part(session, site, "100-199")
    got = await part(session, site, "50-149")
    assert (got.body, got.from_cache) == (WHOLE[50:150], True)
    assert len(site.asked) == 2


async def test_parts_without_a_name_stay_apart(site: Site, session: aiohttp.ClientSession) -> None:
    """Parts of which nobody knows whether they are of the same whole are not put together."""
    ranged(site, etag=None)
    await part(session, site, "0-99")
    ranged(site, bytes(reversed(WHOLE)), etag=None)
    await part(session, site, "100-199")
    got = await part(session, site, "50-149")
    assert got.body == bytes(reversed(WHOLE))[50:150]


async def test_an_old_whole_is_validated_for_a_part(site: Site, session: aiohttp.ClientSession) -> None:
    """A part of what is old is served when the origin has been asked."""
    ranged(site)
    await fetch(session, site / "a")
    site.clock.advance(100)
    got = await part(session, site, "0-9")
    assert (got.status, got.body) == (206, WHOLE[:10])
    assert len(site.asked) == 2


async def test_a_part_that_breaks_off_is_not_kept(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """A part that is shorter than it said is an error, and is not kept."""
    visits = site.wait("a")

    async def ask() -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await part(session, site, "0-999")

    asking = asyncio.create_task(ask())
    visit = await visits.first()
    visit.head(206, content_range="bytes 0-999/5000", content_length="1000", etag='"1"')
    visit.send(b"short")
    visit.cut()
    await asking
    ranged(site)
    assert (await part(session, site, "0-999")).body == WHOLE[:1_000]


async def test_a_head_tells_of_the_whole(site: Site, session: aiohttp.ClientSession) -> None:
    """A HEAD that is answered from the cache tells the length of the whole."""
    ranged(site)
    await fetch(session, site / "a")
    got = await fetch(session, site / "a", method="HEAD")
    assert (got.status, got.headers["Content-Length"]) == (200, str(len(WHOLE)))
