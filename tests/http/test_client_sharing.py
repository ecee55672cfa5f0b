"""Requests that ask the same at the same time are sent once, where what comes may be shared."""

import asyncio

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.flight.gates import turns
from tests.http.clients import Got, body, fetch, together
from tests.http.sites import Site

CROWD = 20


def crowd(session: aiohttp.ClientSession, site: Site, path: str = "a", size: int = CROWD) -> "list[asyncio.Task[Got]]":
    """Begin so many requests that are the same."""
    return [asyncio.create_task(fetch(session, site / path)) for _ in range(size)]


async def test_a_crowd_is_one_request(site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware) -> None:
    """Twenty equal requests at a time are one to the origin, and each gets all of what came."""
    visits = site.wait("a")
    tasks = crowd(session, site)
    visit = await visits.first()
    await turns()
    visit.answer(b"body")
    assert {got.body for got in await together(*tasks)} == {b"body"}
    assert site.asked == ["GET /a"]
    assert (cache.stats().misses, cache.stats().collapsed) == (1, CROWD - 1)


async def test_one_led_and_the_others_were_collapsed(site: Site, session: aiohttp.ClientSession) -> None:
    """Each is told what it was: one was forwarded, the others were collapsed with it; none came from the cache."""
    visits = site.wait("a")
    tasks = crowd(session, site, size=3)
    visit = await visits.first()
    await turns()
    visit.answer(b"body")
    gots = await together(*tasks)
    assert [got.told.collapsed for got in gots] == [False, True, True]
    assert [got.told.fwd for got in gots] == ["uri-miss"] * 3
    assert [got.from_cache for got in gots] == [False] * 3


async def test_who_comes_while_the_body_comes_reads_along(site: Site, session: aiohttp.ClientSession) -> None:
    """Between head and end of a body, too, nobody else is sent; who comes then gets it from its beginning on."""
    visits = site.wait("a")
    leading = asyncio.create_task(fetch(session, site / "a"))
    visit = await visits.first()
    visit.head()
    visit.send(b"one, ")
    async with session.get(site / "a") as joined:
        assert await joined.content.readany() == b"one, "
        visit.send(b"two")
        visit.end()
        assert await joined.content.read() == b"two"
    assert (await leading).body == b"one, two"
    assert len(visits) == 1


async def test_what_is_not_shared_is_asked_by_all_at_once(site: Site, session: aiohttp.ClientSession) -> None:
    """If what came is for one only, the others ask for themselves, all at the same time."""
    visits = site.wait("a")
    tasks = crowd(session, site)
    (await visits.first()).answer(b"1", cache_control="no-store")
    await visits.number(CROWD)  # all are there before any is answered
    for number, visit in enumerate(visits.all[1:], 2):
        visit.answer(str(number).encode(), cache_control="no-store")
    gots = await together(*tasks)
    assert sorted(int(got.body) for got in gots) == list(range(1, CROWD + 1))


async def test_a_url_known_to_be_unshared_is_not_waited_for(site: Site, session: aiohttp.ClientSession) -> None:
    """Once a response could not be shared, requests for that URL wait for nobody any more."""
    site.say("a", cache_control="no-store")
    await fetch(session, site / "a")
    visits = site.wait("a")
    tasks = crowd(session, site)
    await visits.number(CROWD)
    for visit in visits.all:
        visit.answer(cache_control="no-store")
    await together(*tasks)


async def test_a_url_may_become_shared_again(site: Site, session: aiohttp.ClientSession) -> None:
    """When such a URL has something to be shared again, it is one request from then on."""
    site.say("a", cache_control="no-store")
    await fetch(session, site / "a")
    site.say("a", cache_control="max-age=60")
    await fetch(session, site / "a")
    site.clock.advance(100)
    await see_one_request_for_a_crowd(site, session)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Cache-Control": "no-cache"}, 200),
        ("GET", {"Cache-Control": "max-age=0"}, 200),
        ("GET", {"Cache-Control": "no-store"}, 200),
        ("GET", {"If-None-Match": '"1"'}, 304),
        ("HEAD", {}, 200),
    ],
)
async def test_what_one_wanted_for_itself_changes_nothing(
    site: Site, session: aiohttp.ClientSession, method: str, headers: dict[str, str], status: int
) -> None:
    """A request that could not be shared for a reason of its own does not stop others from waiting for each other."""
    site.say("a", b"" if status == 304 else b"body", status=status)
    await fetch(session, site / "a", method=method, headers=headers)
    site.clock.advance(100)
    await see_one_request_for_a_crowd(site, session)


async def see_one_request_for_a_crowd(site: Site, session: aiohttp.ClientSession) -> None:
    """Let a crowd ask, and see that it is one request."""
    visits = site.wait("a")
    tasks = crowd(session, site)
    visit = await visits.first()
    await turns()
    visit.answer(b"shared")
    try:
        assert {got.body for got in await together(*tasks)} == {b"shared"}
    finally:
        assert len(visits) == 1


@pytest.mark.parametrize("control", ["no-cache", "max-age=0"])
async def test_unvalidated_is_for_one_only(site: Site, session: aiohttp.ClientSession, control: str) -> None:
    """A response that needs validation before each use is not handed to a second request without one."""
    visits = site.wait("a")
    tasks = crowd(session, site, size=3)
    (await visits.first()).answer(b"1", cache_control=control)
    await visits.number(3)
    for number, visit in enumerate(visits.all[1:], 2):
        visit.answer(str(number).encode(), cache_control=control)
    assert sorted(got.body for got in await together(*tasks)) == [b"1", b"2", b"3"]


async def test_requests_that_vary_are_told_apart_in_flight(site: Site, session: aiohttp.ClientSession) -> None:
    """Of requests on their way together, each gets the variant that it asked for; equal ones are one."""
    visits = site.wait("a")

    async def ask(language: str) -> str:
        return await body(session, site / "a", accept_language=language)

    tasks = [asyncio.create_task(ask(language)) for language in ("de", "de", "fr", "fr")]
    first = await visits.first()
    await turns()
    first.answer(b"de", vary="Accept-Language")
    second = await visits.number(2)
    await turns()
    second.answer(second.request.headers["Accept-Language"].encode(), vary="Accept-Language")
    assert await together(*tasks) == ["de", "de", "fr", "fr"]
    assert len(visits) == 2


async def test_conditions_are_not_mixed_up(site: Site, session: aiohttp.ClientSession) -> None:
    """A request with a condition of its own does not wait for one without, and each gets its own status."""
    visits = site.wait("a")
    plain = asyncio.create_task(fetch(session, site / "a"))
    await visits.first()
    asking = asyncio.create_task(fetch(session, site / "a", headers={"If-None-Match": '"1"'}))
    for visit in (await visits.first(), await visits.number(2)):
        is_known = "If-None-Match" in visit.request.headers
        visit.answer(b"" if is_known else b"body", status=304 if is_known else 200, etag='"1"')
    assert [(got.status, got.body) for got in await together(plain, asking)] == [(200, b"body"), (304, b"")]


async def test_an_error_of_the_way_is_everybodys(site: Site, session: aiohttp.ClientSession) -> None:
    """If the one request fails, all who waited for it get its error."""
    visits = site.wait("a")
    tasks = crowd(session, site, size=3)
    for attempt in (1, 2):  # aiohttp itself tries twice
        visit = await visits.number(attempt)
        await turns()
        visit.cut()
    await asyncio.wait(tasks, timeout=5)
    assert {type(task.exception()) for task in tasks} == {aiohttp.ServerDisconnectedError}
    assert len(visits) == 2


async def test_different_urls_do_not_wait_for_each_other(site: Site, session: aiohttp.ClientSession) -> None:
    """Requests for other URLs are sent meanwhile."""
    visits = site.wait("a")
    site.say("b")
    slow = asyncio.create_task(fetch(session, site / "a"))
    visit = await visits.first()
    assert await body(session, site / "b") == "1"
    visit.answer()
    await together(slow)


async def test_different_queries_do_not_wait_for_each_other(site: Site, session: aiohttp.ClientSession) -> None:
    """The query is part of what is asked for."""
    visits = site.wait("a")
    tasks = [asyncio.create_task(body(session, site / f"a?q={number}")) for number in range(3)]
    await visits.number(3)
    for visit in visits.all:
        visit.answer(visit.request.query["q"].encode())
    assert await together(*tasks) == ["0", "1", "2"]


async def test_two_sessions_share_one_request(site: Site, cache: CacheMiddleware) -> None:
    """One cache is one for all the sessions that it is given to."""
    async with aiohttp.ClientSession(middlewares=(cache,)) as one, aiohttp.ClientSession(middlewares=(cache,)) as two:
        visits = site.wait("a")
        tasks = [asyncio.create_task(fetch(session, site / "a")) for session in (one, two)]
        visit = await visits.first()
        await turns()
        visit.answer(b"body")
        assert [got.body for got in await together(*tasks)] == [b"body"] * 2
        assert len(visits) == 1
