"""Refreshes behind send what the caller sent, whatever the session has become since."""

import base64
import contextlib
import warnings
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from asynccache.http import CacheMiddleware
from tests.http.clients import Got, fetch, session_with, until
from tests.http.sites import Site, fields_of

SWR = "max-age=10, stale-while-revalidate=60"
LOGIN = "Basic " + base64.b64encode(b"ann:secret").decode()


@contextlib.asynccontextmanager
async def with_jar(cache: CacheMiddleware, site: Site, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session whose jar has a cookie for the site."""
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"who": "jar"}, site / "")
    async with session_with(cache, cookie_jar=jar, **options) as session:
        yield session


def tell_cookie(site: Site) -> None:
    """Let the site answer with the cookie that it is sent, and set another."""

    async def answer(request: web.Request) -> web.Response:
        headers = fields_of({"cache_control": SWR, "set_cookie": f"seen={len(site.asked)}; Path=/other"})
        return web.Response(text=request.cookies.get("who", "nobody"), headers=headers)

    site.do("a", answer)


async def refreshed(cache: CacheMiddleware, site: Site, session: aiohttp.ClientSession, **options: Any) -> Got:
    """Fetch something, let it get old, fetch it once more, and give what a refresh behind has made of it."""
    await fetch(session, site / "a", **options)
    site.clock.advance(30)
    await fetch(session, site / "a", **options)
    await until(lambda: cache.stats().refreshed + cache.stats().failed_refreshes == 1)
    assert cache.stats().failed_refreshes == 0
    return await fetch(session, site / "a", **options)


async def test_a_refresh_is_for_the_same_user(site: Site, cache: CacheMiddleware) -> None:
    """What Ann asked for is refreshed with her cookie, though the jar of the session has another one."""
    tell_cookie(site)
    async with with_jar(cache, site) as session:
        got = await refreshed(cache, site, session, cookies={"who": "ann"})
    assert (got.body, got.told.hit, len(site.asked)) == (b"ann", True, 2)


async def test_a_refresh_sets_no_cookie(site: Site, cache: CacheMiddleware) -> None:
    """What a refresh is told to remember is not put into the jar: no caller has made that request."""
    tell_cookie(site)
    async with with_jar(cache, site) as session:
        await refreshed(cache, site, session)
        assert {cookie.key: cookie.value for cookie in session.cookie_jar} == {"who": "jar", "seen": "1"}


async def test_a_refresh_of_a_session_that_signs_in(site: Site, cache: CacheMiddleware) -> None:
    """A session with a login of its own sends it with a refresh too, once."""
    site.say("a", cache_control=SWR)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of `auth=`, by 3.14
        session = aiohttp.ClientSession(middlewares=(cache,), auth=aiohttp.BasicAuth("ann", "secret"))
    async with session:
        assert (await refreshed(cache, site, session)).body == b"2"
    assert [headers.getall("Authorization") for headers in site.headers] == [[LOGIN], [LOGIN]]


async def test_a_refresh_adds_no_fields(site: Site, cache: CacheMiddleware) -> None:
    """Fields that the caller left out, and what the session's defaults have become, are not sent with a refresh."""
    site.say("a", cache_control=SWR)
    async with session_with(cache, headers={"X-Team": "1"}) as session:
        options: dict[str, Any] = {
            "skip_auto_headers": ("User-Agent", "Accept"),
            "headers": {"X-Mine": "2", "Host": "shop.example"},
        }
        assert (await refreshed(cache, site, session, **options)).body == b"2"
    assert site.headers[0] == site.headers[1]
    assert "User-Agent" not in site.headers[1]


async def test_a_refresh_goes_through_the_same_proxy(site: Site, cache: CacheMiddleware) -> None:
    """A refresh takes the proxy, and its login, that the request had."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.headers.get('Proxy-Authorization')} {request.url}")
        headers = fields_of({"cache_control": SWR, "connection": "close"})  # before 3.14 a login is told once for each
        return web.Response(text=str(len(asked)), headers=headers)

    proxy = web.Server(answer)  # type: ignore[arg-type]  # it is asked with whole URLs: no application takes them
    runner = web.ServerRunner(proxy)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = URL("http://far.example/a")
    options: dict[str, Any] = {"proxy": f"http://ann:secret@127.0.0.1:{runner.addresses[0][1]}"}
    async with session_with(cache) as session:
        await fetch(session, url, **options)
        site.clock.advance(30)
        await fetch(session, url, **options)
        await until(lambda: cache.stats().refreshed == 1)
    await runner.cleanup()
    assert asked == [f"{LOGIN} {url}"] * 2
