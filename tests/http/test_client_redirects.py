"""Redirects and errors that are kept: a session follows, counts and raises them as those that have just come."""

import aiohttp
import pytest

from asynccache.http import CacheMiddleware, is_from_cache
from tests.http.clients import fetch, session_with
from tests.http.sites import Site


async def test_a_session_that_raises_for_status(site: Site, cache: CacheMiddleware) -> None:
    """`raise_for_status=True` of a session raises on hits too; that of a request overrides it."""
    site.say("a", status=404)
    async with session_with(cache, raise_for_status=True) as session:
        for _ in range(2):
            with pytest.raises(aiohttp.ClientResponseError, match="404"):
                await fetch(session, site / "a")
        assert (await fetch(session, site / "a", raise_for_status=False)).status == 404
    assert len(site.asked) == 1


async def test_raise_for_status_of_a_request(site: Site, session: aiohttp.ClientSession) -> None:
    """Both kinds of `raise_for_status=` of one request are called for hits."""
    site.say("a", status=404)
    seen: list[bool] = []

    async def judge(response: aiohttp.ClientResponse) -> None:
        seen.append(is_from_cache(response))

    await fetch(session, site / "a", raise_for_status=judge)
    await fetch(session, site / "a", raise_for_status=judge)
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        await fetch(session, site / "a", raise_for_status=True)
    assert seen == [False, True]


async def test_each_hop_of_a_redirect_is_kept(site: Site, session: aiohttp.ClientSession) -> None:
    """A way of redirects is gone again without the origin, and `history` is the same."""
    site.say("a", status=301, location="/b")
    site.say("b", status=302, location="/c", cache_control="max-age=60")
    site.say("c", "here")
    ways = []
    for _ in range(2):
        async with session.get(site / "a") as response:
            assert await response.text() == "here"
            assert response.url == site / "c"
            assert response.real_url == site / "c"
            ways.append([(hop.status, hop.url, hop.headers["Location"]) for hop in response.history])
    assert ways[0] == ways[1]
    assert [status for status, _, _ in ways[1]] == [301, 302]
    assert site.asked == ["GET /a", "GET /b", "GET /c"]


async def test_redirects_that_are_not_followed(site: Site, session: aiohttp.ClientSession) -> None:
    """With `allow_redirects=False` the redirect itself is what comes from the cache."""
    site.say("a", status=301, location="/b")
    for is_hit in (False, True):
        got = await fetch(session, site / "a", allow_redirects=False)
        assert (got.status, got.headers["Location"], got.from_cache) == (301, "/b", is_hit)


async def test_too_many_redirects(site: Site, session: aiohttp.ClientSession) -> None:
    """A circle of kept redirects ends as one of fetched ones does."""
    site.say("a", status=301, location="/a")
    for _ in range(2):
        with pytest.raises(aiohttp.TooManyRedirects):
            await fetch(session, site / "a", max_redirects=3)
    assert len(site.asked) == 1
