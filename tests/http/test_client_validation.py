"""What is old is validated, or served while a new response is fetched behind."""

import asyncio
from email.utils import formatdate
from functools import partial

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.flight.gates import turns
from tests.http.clients import body, fetch, session_with, together, until
from tests.http.sites import START, Site, conditional

DATE = formatdate(START - 1_000, usegmt=True)
SWR = "max-age=10, stale-while-revalidate=60"


# --- validation -------------------------------------------------------------------------------------------------------


async def test_by_entity_tag(site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware) -> None:
    """What is old is asked for with its ETag; a 304 makes it fresh again, with the fields that came with it."""
    site.say("a", "body", etag='"1"', x_note="old")
    await fetch(session, site / "a")
    site.clock.advance(100)
    site.say("a", b"", status=304, etag='"1"', x_note="new")
    got = await fetch(session, site / "a")
    assert site.headers[1]["If-None-Match"] == '"1"'
    assert (got.status, got.body, got.headers["X-Note"], got.from_cache) == (200, b"body", "new", True)
    assert (got.told.fwd, got.told.fwd_status) == ("stale", 304)
    assert (await fetch(session, site / "a")).told.hit
    assert cache.stats().validated == 1


async def test_by_date(site: Site, session: aiohttp.ClientSession) -> None:
    """Without an ETag, its Last-Modified does the same."""
    site.say("a", "body", last_modified=DATE)
    await fetch(session, site / "a")
    site.clock.advance(100)
    site.say("a", b"", status=304)
    assert await body(session, site / "a") == "body"
    assert site.headers[1]["If-Modified-Since"] == DATE


async def test_what_has_changed_takes_its_place(site: Site, session: aiohttp.ClientSession) -> None:
    """If the answer is a new body, it is kept instead."""
    site.say("a", "old", etag='"1"')
    await fetch(session, site / "a")
    site.clock.advance(100)
    site.say("a", "new", etag='"2"')
    assert [await body(session, site / "a") for _ in range(2)] == ["new", "new"]
    assert len(site.asked) == 2


async def test_a_crowd_validates_once(site: Site, session: aiohttp.ClientSession) -> None:
    """Many who want the same old response are one validation."""
    site.say("a", "body", etag='"1"')
    await fetch(session, site / "a")
    site.clock.advance(100)
    visits = site.wait("a")
    tasks = [asyncio.create_task(fetch(session, site / "a")) for _ in range(20)]
    visit = await visits.first()
    await turns()
    visit.answer(status=304, etag='"1"')
    assert {got.body for got in await together(*tasks)} == {b"body"}
    assert len(visits) == 1


async def test_each_use_of_no_cache_is_validated(site: Site, session: aiohttp.ClientSession) -> None:
    """What may not be used without validation is asked for each time, and sent once."""
    site.do("a", conditional(b"body", cache_control="no-cache"))
    gots = [await fetch(session, site / "a") for _ in range(3)]
    assert [got.told.fwd_status for got in gots] == [200, 304, 304]
    assert {got.body for got in gots} == {b"body"}


async def test_a_caller_may_insist(site: Site, session: aiohttp.ClientSession) -> None:
    """`Cache-Control: no-cache` of a request has what is fresh confirmed."""
    site.do("a", conditional(b"body"))
    await fetch(session, site / "a")
    got = await fetch(session, site / "a", headers={"Cache-Control": "no-cache"})
    assert (got.told.fwd, got.told.fwd_status, got.body) == ("request", 304, b"body")


# --- old responses meanwhile ------------------------------------------------------------------------------------------


async def test_an_old_one_is_served_while_a_new_one_is_fetched(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """Nobody waits within the time of stale-while-revalidate, and what is fetched behind is served from then on."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(30)
    visits = site.wait("a")
    got = await fetch(session, site / "a")
    assert (got.body, got.from_cache, got.told.ttl) == (b"old", True, -20)
    (await visits.first()).answer(b"new")
    await until(lambda: cache.stats().refreshed == 1)
    assert await body(session, site / "a") == "new"
    assert cache.stats().stale == 1


async def test_there_is_one_refresh_at_a_time(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """However many are served the old response meanwhile, the origin is asked once."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(30)
    visits = site.wait("a")
    assert {(await fetch(session, site / "a")).body for _ in range(20)} == {b"old"}
    (await visits.first()).answer(b"new")
    await until(lambda: cache.stats().refreshed == 1)
    assert len(visits) == 1


async def test_a_refresh_validates(site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware) -> None:
    """What is fetched behind is asked for with the ETag, too; and nothing of the caller's own condition."""
    site.do("a", conditional(b"body", cache_control=SWR))
    await fetch(session, site / "a")
    site.clock.advance(30)
    got = await fetch(session, site / "a", headers={"If-None-Match": '"0"', "Range": "bytes=0-1", "X-Mine": "1"})
    await until(lambda: cache.stats().refreshed == 1)
    assert got.body in {b"body", b"bo"}
    assert site.headers[1].getall("If-None-Match") == ['"1"']
    assert "Range" not in site.headers[1]
    assert site.headers[1]["X-Mine"] == "1"
    assert (await fetch(session, site / "a")).told.hit


@pytest.mark.parametrize("is_cut", [False, True], ids=["503", "cut"])
async def test_a_refresh_that_fails_is_counted(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware, is_cut: bool
) -> None:
    """If the refresh fails, the old response stays; a moment later a request tries again, and not before."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(30)
    visits = site.wait("a")
    for number in (1, 2):
        assert await body(session, site / "a") == "old"
        for attempt in (0, 1) if is_cut else (0,):  # aiohttp itself tries twice
            visit = await visits.number(number * 2 - 1 + attempt if is_cut else number)
            visit.cut() if is_cut else visit.answer(status=503, cache_control=None)
        await until(partial(has_ended, cache, number))
        await turns()
        assert await body(session, site / "a") == "old"  # asks for nothing: that has failed just now
        site.clock.advance(10)
    assert (cache.stats().refreshed, cache.stats().failed_refreshes) == (0, 2)


def has_ended(cache: CacheMiddleware, number: int) -> bool:
    """Whether so many refreshes have come to an end."""
    return cache.stats().refreshed + cache.stats().failed_refreshes == number


async def test_a_refresh_does_not_depend_on_its_caller(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """A caller that is cancelled as soon as it is served does not end the refresh that it caused."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(30)
    visits = site.wait("a")
    caller = asyncio.create_task(fetch(session, site / "a"))
    visit = await visits.first()
    caller.cancel()
    await asyncio.wait([caller])
    visit.answer(b"new")
    await until(lambda: cache.stats().refreshed == 1)
    assert await body(session, site / "a") == "new"


async def test_a_refresh_whose_session_is_closed(site: Site, cache: CacheMiddleware) -> None:
    """When the session is closed meanwhile, the refresh fails, is counted, and the old response is still served."""
    site.say("a", "old", cache_control=SWR)
    async with aiohttp.ClientSession(middlewares=(cache,)) as session:
        await fetch(session, site / "a")
        site.clock.advance(30)
        visits = site.wait("a")
        await fetch(session, site / "a")
        await visits.first()
    await until(lambda: cache.stats().failed_refreshes == 1)
    await turns()
    site.clock.advance(10)
    site.say("a", "new", cache_control=SWR)
    async with session_with(cache) as another:
        assert await body(another, site / "a") == "old"
        await until(lambda: cache.stats().refreshed == 1)


async def test_beyond_its_time_nobody_is_served_the_old_one(site: Site, session: aiohttp.ClientSession) -> None:
    """When the time of stale-while-revalidate is over, one waits as ever."""
    site.say("a", "old", cache_control=SWR)
    await fetch(session, site / "a")
    site.clock.advance(71)
    site.say("a", "new")
    assert await body(session, site / "a") == "new"
