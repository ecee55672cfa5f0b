"""What is fetched behind is fetched for everybody, and not as its caller wanted it."""

from email.utils import formatdate

import aiohttp

from asynccache.http import CacheMiddleware
from tests.http.clients import body, fetch, until
from tests.http.sites import START, Site

DATE = formatdate(START - 1_000, usegmt=True)
SWR = "max-age=10, stale-while-revalidate=60"


async def test_a_refresh_has_no_condition_of_its_callers(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """What is fetched behind without a validator is fetched whole, whatever its caller has or wants."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(30)
    site.say("a", "new")
    await fetch(session, site / "a", headers={"If-None-Match": '"0"', "If-Modified-Since": DATE, "Range": "bytes=0-1"})
    await until(lambda: cache.stats().refreshed == 1)
    assert {"If-None-Match", "If-Modified-Since", "Range"}.isdisjoint(site.headers[1])
    assert await body(session, site / "a") == "new"
