"""Old responses in need, and what callers ask of a cache themselves: conditions, and only what is there."""

from email.utils import formatdate

import aiohttp
import pytest

from asynccache.http import CacheMiddleware, directives
from tests.http.clients import body, fetch, session_with, until
from tests.http.sites import START, Site, conditional

DATE = formatdate(START - 1_000, usegmt=True)
LATER = formatdate(START - 500, usegmt=True)
SIE = "max-age=10, stale-if-error=60"


# --- the caller's own conditions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"If-None-Match": '"1"'}, 304),
        ({"If-None-Match": 'W/"1"'}, 304),
        ({"If-None-Match": '"0", "1"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"2"'}, 200),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": formatdate(START - 2_000, usegmt=True)}, 200),
        ({"If-None-Match": '"2"', "If-Modified-Since": DATE}, 200),
    ],
)
async def test_a_callers_condition(
    site: Site, session: aiohttp.ClientSession, condition: dict[str, str], status: int
) -> None:
    """A request with a condition of its own is answered from what is kept, by a 304 or by all of it."""
    site.say("a", "body", etag='"1"', last_modified=DATE)
    await fetch(session, site / "a")
    got = await fetch(session, site / "a", headers=condition)
    assert (got.status, got.body) == (status, b"" if status == 304 else b"body")
    assert got.from_cache
    assert got.headers["ETag"] == '"1"'
    assert len(site.asked) == 1


async def test_a_condition_of_something_old(site: Site, session: aiohttp.ClientSession) -> None:
    """A caller that has what is kept, which is old, is told 304 when the origin has confirmed it."""
    site.do("a", conditional(b"body"))
    await fetch(session, site / "a")
    site.clock.advance(100)
    got = await fetch(session, site / "a", headers={"If-None-Match": '"1"'})
    assert (got.status, got.body) == (304, b"")
    assert (await fetch(session, site / "a")).told.hit


# --- old responses in need --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_old_one_instead_of_an_error(site: Site, session: aiohttp.ClientSession, status: int) -> None:
    """Within the time of stale-if-error, a failing origin is not noticed; beyond, it is."""
    site.say("a", "old", cache_control=SIE)
    await fetch(session, site / "a")
    site.say("a", "down", status=status)
    site.clock.advance(30)
    got = await fetch(session, site / "a")
    assert (got.status, got.body, got.from_cache) == (200, b"old", True)
    assert (got.told.fwd, got.told.fwd_status) == ("stale", status)
    site.clock.advance(60)
    assert (await fetch(session, site / "a")).status == status


async def test_an_old_one_instead_of_no_answer(site: Site, session: aiohttp.ClientSession) -> None:
    """An origin that refuses connections is not noticed either."""
    site.say("a", "old", cache_control=SIE)
    await fetch(session, site / "a")
    site.clock.advance(30)
    await site.stop()
    assert await body(session, site / "a") == "old"
    site.clock.advance(60)
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(session, site / "a")


async def test_an_old_one_instead_of_silence(site: Site, cache: CacheMiddleware) -> None:
    """An origin that is silent for longer than a step may take counts as failing."""
    site.say("a", "old", cache_control=SIE)
    async with session_with(cache, timeout=aiohttp.ClientTimeout(sock_read=0.05)) as session:
        await fetch(session, site / "a")
        site.clock.advance(30)
        site.wait("a")
        assert await body(session, site / "a") == "old"


async def test_must_revalidate_is_not_served_in_need(site: Site, session: aiohttp.ClientSession) -> None:
    """What its origin forbids to be served old is not, whatever fails."""
    site.say("a", "old", cache_control=f"{SIE}, must-revalidate")
    await fetch(session, site / "a")
    site.say("a", "down", status=503)
    site.clock.advance(30)
    assert (await fetch(session, site / "a")).status == 503


async def test_old_ones_where_the_owner_says_so(site: Site) -> None:
    """The cache's own `stale_if_error` and `stale_while_revalidate` are for responses that do not say it."""
    site.say("a", "old")
    async with (
        CacheMiddleware(stale_if_error=600, stale_while_revalidate=10, clock=site.clock) as cache,
        session_with(cache) as session,
    ):
        await fetch(session, site / "a")
        site.clock.advance(300)
        site.say("a", "down", status=503)
        assert await body(session, site / "a") == "old"
        site.say("a", "new")
        assert await body(session, site / "a") == "new"
        site.clock.advance(65)
        assert await body(session, site / "a") == "new"
        await until(lambda: cache.stats().refreshed == 1)


# --- only what is there -----------------------------------------------------------------------------------------------


async def test_only_if_cached(site: Site, session: aiohttp.ClientSession) -> None:
    """Who wants only what is kept gets it, or a 504 that the cache has made; the origin hears nothing."""
    with directives(only_if_cached=True):
        got = await fetch(session, site / "a")
    assert (got.status, got.body, got.from_cache) == (504, b"", False)
    assert site.asked == []
    site.say("a")
    await fetch(session, site / "a")
    assert (await fetch(session, site / "a", headers={"Cache-Control": "only-if-cached"})).body == b"1"
    site.clock.advance(100)
    assert (await fetch(session, site / "a", headers={"Cache-Control": "only-if-cached"})).status == 504
    with directives(only_if_cached=True, max_stale=1_000):
        assert (await fetch(session, site / "a")).body == b"1"
    assert len(site.asked) == 1
