"""What a handler's silence, or its care, means for those who did not ask: it gives no leave."""

from typing import Any

import pytest
from aiohttp import web

from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.sharing import content_tag
from asynccache.http.syntax.dates import format_date
from asynccache.testing import ManualClock
from tests.http.web_site import Mirror, serving


def version(_: web.Request) -> str:
    """Make an entity tag as some do: of the version of the whole application."""
    return '"v7"'


def of_the_user(request: web.Request) -> str:
    """Make one of what is sent."""
    return content_tag(request.headers.get("Cookie", "").encode())


@pytest.mark.parametrize("ask", ["", "max-stale", "max-stale=600", "stale-if-error=600", "no-cache", "only-if-cached"])
@pytest.mark.parametrize("tag", [version, of_the_user])
@pytest.mark.parametrize(
    "said", ["", "max-age=0", "max-age=0, must-revalidate", "no-cache", "no-cache, max-age=60", "s-maxage=0"]
)
async def test_what_nobody_said_may_be_reused_is_not_told_to_another_user(said: str, tag: Any, ask: str) -> None:
    """An entity tag, or a lifetime that is none, gives no leave: whatever a stranger says that he would accept."""
    fails = False

    async def account(request: web.Request) -> web.Response:
        if fails:
            raise web.HTTPServiceUnavailable
        headers = {"ETag": tag(request)} | ({"Cache-Control": said} if said else {})
        if request.headers.get("If-None-Match") == headers["ETag"]:
            raise web.HTTPNotModified(headers=headers)
        return web.Response(text=request.headers.get("Cookie", "nobody"), headers=headers)

    async with ResponseCache() as cache, serving(cache, {"/": account}) as site:
        await site.get(Cookie="user=1")
        fails = ask.startswith("stale-if-error")
        for wish in ({"Cookie": "user=2"}, {"Authorization": "Basic two"}, {}):
            reply = await site.get(Cache_Control=ask, **wish)
            assert reply.text != "user=1"
            assert not reply.is_hit


@pytest.mark.parametrize("option", ["ttl", "default_ttl"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Expires": "0"},
        {"Expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Cache_Control": "max-age=0"},
        {"Cache_Control": "max-age=0, must-revalidate"},
        {"Cache_Control": "no-cache"},
        {"Cache_Control": "s-maxage=0, max-age=60"},
    ],
    ids=str,
)
async def test_who_takes_care_is_not_worse_off_than_who_says_nothing(headers: dict[str, str], option: str) -> None:
    """A time for everything does not give everybody what its handler says is old at once."""
    handler = Mirror("Cookie", **headers)
    options: Any = {option: 60}
    async with ResponseCache(**options) as cache, serving(cache, {"/": handler.answer}) as site:
        texts = [(await site.get(Cookie=f"user={number}")).text for number in (1, 2, 1)]
        assert (await site.get()).text == "nobody"
    assert texts == ["user=1", "user=2", "user=1"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache_Control": "max-age=1"},
        {"Cache_Control": "s-maxage=1, max-age=0"},
        {"Cache_Control": "public"},
        {"Cache_Control": "max-age=0, stale-while-revalidate=9"},
        {"Expires": format_date(2_000)},
    ],
    ids=str,
)
async def test_what_says_how_long_it_is_fresh_is_for_everybody(headers: dict[str, str]) -> None:
    """A time for everything does not narrow what its handler has meant for caches."""
    handler = Mirror("X-Nothing", **headers)
    cache = ResponseCache(ttl=60, clock=ManualClock(1_000.0))
    async with cache, serving(cache, {"/": handler.answer}) as site:
        assert "Vary" not in (await site.get(Cookie="user=1")).headers
        assert (await site.get(Cookie="user=2")).is_hit
        assert (await site.get(Authorization="Basic one")).is_hit


@pytest.mark.parametrize("option", ["ttl", "default_ttl"])
async def test_who_signs_in_is_not_given_what_an_option_keeps_for_the_anonymous(option: str) -> None:
    """The page that asks to sign in is not what the next request with a login gets."""
    handler = Mirror("Authorization")
    options: Any = {option: 60}
    async with ResponseCache(**options) as cache, serving(cache, {"/": handler.answer}) as site:
        assert (await site.get()).text == "nobody"
        assert (await site.get(Authorization="Basic one")).text == "Basic one"
        assert (await site.get()).is_hit


async def test_files_that_say_nothing_are_left_where_they_are() -> None:
    """What has an entity tag and a date, but no time, is handed on and not kept: there is no leave to reuse it."""
    handler = Mirror("X-Nothing", ETag='"1"', Last_Modified=format_date(0))
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        told = [(await site.get()).told for _ in range(2)]
        stats = cache.stats()
    assert told == ["asynccache; fwd=uri-miss; fwd-status=200; detail=no-freshness"] * 2
    assert (stats.misses, stats.passed) == (0, 2)
