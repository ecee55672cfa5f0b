"""What is changed, or made invalid by hand, is not served any more; nor is what was asked for before that."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.flight.gates import turns
from tests.http.clients import body, fetch, opened, together, until
from tests.http.sites import Site

Change = Callable[[aiohttp.ClientSession, CacheMiddleware, Site], Awaitable[object]]


async def change(session: aiohttp.ClientSession, site: Site, method: str) -> None:
    """Change something at the origin."""
    await fetch(session, site / "a", method=method)


CHANGES: dict[str, Change] = {
    "POST": lambda session, _, site: change(session, site, "POST"),
    "PUT": lambda session, _, site: change(session, site, "PUT"),
    "PATCH": lambda session, _, site: change(session, site, "PATCH"),
    "DELETE": lambda session, _, site: change(session, site, "DELETE"),
    "invalidate": lambda _, cache, site: cache.invalidate(site / "a"),
    "clear": lambda _, cache, __: cache.clear(),
}


@pytest.fixture(params=list(CHANGES))
def make_invalid(request: pytest.FixtureRequest) -> Change:
    """Each way of making a URL invalid."""
    name: str = request.param
    return CHANGES[name]


async def test_what_was_kept_is_not_served(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, make_invalid: Change
) -> None:
    """After a change the origin is asked again."""
    site.say("a", "before")
    await fetch(session, site / "a")
    site.say("a", "after")
    await make_invalid(session, cache, site)
    assert await body(session, site / "a") == "after"


async def test_who_comes_after_a_change_does_not_join_what_began_before(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, make_invalid: Change
) -> None:
    """A request that is on its way is given to those who wait already, and to nobody who asks after the change."""
    visits = site.wait("a")
    old = asyncio.create_task(body(session, site / "a"))
    before = await visits.first()
    joined = asyncio.create_task(body(session, site / "a"))
    await turns()
    site.say("a", "after")
    await make_invalid(session, cache, site)
    assert await body(session, site / "a") == "after"
    before.answer(b"before")
    assert await together(old, joined) == ["before", "before"]
    assert await body(session, site / "a") == "after"


async def test_what_began_before_a_change_is_not_stored(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, make_invalid: Change
) -> None:
    """A body that was coming while its URL changed is read by those who have it, and not kept."""
    old, before = await opened(session, site)
    before.send(b"be")
    site.say("a", "after")
    await make_invalid(session, cache, site)
    before.send(b"fore")
    before.end()
    assert await old.text() == "before"
    assert await body(session, site / "a") == "after"
    assert cache.stats().overtaken == 1


async def test_who_comes_after_a_change_does_not_read_along(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, make_invalid: Change
) -> None:
    """Nor is a body joined that has begun before."""
    old, before = await opened(session, site)
    before.send(b"be")
    site.say("a", "after")
    await make_invalid(session, cache, site)
    assert await body(session, site / "a") == "after"
    before.send(b"fore")
    before.end()
    assert await old.text() == "before"
    assert await body(session, site / "a") == "after"


async def test_a_change_that_failed_changes_nothing(site: Site, session: aiohttp.ClientSession) -> None:
    """What the origin refused leaves what is kept as it is (RFC 9111, 4.4)."""
    site.say("a")
    await fetch(session, site / "a")
    site.say("a", status=409)
    await fetch(session, site / "a", method="PUT")
    assert (await fetch(session, site / "a")).from_cache


async def test_location_is_made_invalid_too(site: Site, session: aiohttp.ClientSession) -> None:
    """What a change names in its Location is asked for again, if it is of the same origin."""
    site.say("items/1")
    await fetch(session, site / "items/1")
    site.say("items", status=201, location="/items/1")
    await fetch(session, site / "items", method="POST")
    assert await body(session, site / "items/1") == "2"


async def test_other_urls_stay(site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware) -> None:
    """A change concerns its own URL only."""
    for path in ("a", "b", "a?x=1"):
        site.say(path.partition("?")[0])
        await fetch(session, site / path)
    await fetch(session, site / "a", method="DELETE")
    assert not (await fetch(session, site / "a")).from_cache
    assert (await fetch(session, site / "b")).from_cache
    assert (await fetch(session, site / "a?x=1")).from_cache
    assert cache.stats().invalidated == 1


async def test_all_variants_are_made_invalid(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """An invalidated URL has no variant left."""
    site.say("a", vary="Accept")
    for kind in ("text/html", "text/plain"):
        await body(session, site / "a", accept=kind)
    await cache.invalidate(str(site / "a"))
    assert [await body(session, site / "a", accept=kind) for kind in ("text/html", "text/plain")] == ["3", "4"]


async def test_a_change_whose_caller_is_cancelled_is_a_change(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """When the origin has made a change, what was kept is invalid, whoever is cancelled then."""
    site.say("a")
    await fetch(session, site / "a")
    visits = site.wait("a")
    changing = asyncio.create_task(fetch(session, site / "a", method="PUT"))
    visit = await visits.first()
    visit.head(content_length="4", cache_control=None)
    visit.send(b"do")
    await until(lambda: cache.stats().invalidated == 1)
    changing.cancel()
    await asyncio.wait([changing])
    site.say("a", "new")
    assert await body(session, site / "a") == "new"


@pytest.mark.parametrize("spelling", ["{}#part", "{}"])
async def test_a_url_is_one_however_it_is_spelt(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, spelling: str
) -> None:
    """What is invalidated by hand need not be spelt as it was fetched."""
    site.say("a")
    await fetch(session, site / "a")
    await cache.invalidate(spelling.format(str(site / "a").replace("http:", "HTTP:")))
    assert await body(session, site / "a") == "2"


async def test_an_invalidated_refresh_is_not_stored(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """What is fetched behind while its URL is invalidated is not kept either."""
    site.say("a", "old", cache_control="max-age=10, stale-while-revalidate=60")
    await fetch(session, site / "a")
    site.clock.advance(20)
    visits = site.wait("a")
    assert await body(session, site / "a") == "old"
    visit = await visits.first()
    await cache.invalidate(site / "a")
    visit.answer(b"too late")
    await until(lambda: cache.stats().refreshed == 1)
    site.say("a", "new")
    assert await body(session, site / "a") == "new"
