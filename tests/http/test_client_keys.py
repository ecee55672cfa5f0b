"""What makes two requests for one URL ask for different things; what does not."""

import asyncio
import contextlib
import gzip
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from asynccache.http import CacheMiddleware
from asynccache.http.client.marks import mark_of
from tests.http.clients import fetch, session_with
from tests.http.sites import Site, fields_of

TEXT = b"a text that is told several times"


async def pack(_: web.Request) -> web.Response:
    """Answer with a body that is compressed."""
    return web.Response(body=gzip.compress(TEXT), headers=fields_of({"content_encoding": "gzip"}))


async def pass_on(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Do nothing."""
    return await handler(request)


class Counting:
    """A middleware that is no function."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Count a request."""
        self.count += 1
        return await handler(request)


@pytest.mark.parametrize("first", [True, False], ids=["raw first", "decoded first"])
@pytest.mark.parametrize("session_decodes", [True, False])
@pytest.mark.parametrize("others", [(), (pass_on,), (pass_on, Counting())], ids=["alone", "one", "two"])
async def test_bodies_as_they_come(
    site: Site, cache: CacheMiddleware, first: bool, session_decodes: bool, others: tuple[Any, ...]
) -> None:
    """A request that wants a body as it comes gets it so, and others theirs without the compression; each is kept."""
    site.do("a", pack)
    async with session_with(cache, *others, auto_decompress=session_decodes) as session:
        for raw in (first, not first, first, not first):
            got = await fetch(session, site / "a", auto_decompress=not raw)
            assert (gzip.decompress(got.body) if raw else got.body) == TEXT
        assert (await fetch(session, site / "a")).body[:1] == (TEXT[:1] if session_decodes else b"\x1f")
    assert len(site.asked) == 2


async def test_the_same_wish_in_other_words(site: Site, cache: CacheMiddleware) -> None:
    """A session and a request that want the same share it."""
    site.do("a", pack)
    async with session_with(cache) as session, session_with(cache, auto_decompress=False) as raw:
        await fetch(session, site / "a", auto_decompress=False)
        assert (await fetch(raw, site / "a")).from_cache
        await fetch(raw, site / "a", auto_decompress=True)
        assert (await fetch(session, site / "a")).from_cache


async def test_hosts_behind_one_address(site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware) -> None:
    """What one host says is not what another says, though both are asked for at one address."""

    async def name_host(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Host"], headers=fields_of({}))

    site.do("a", name_host)
    for host in ("a.example", "b.example", "a.example", "A.EXAMPLE:80"):
        got = await fetch(session, site / "a", headers={"Host": host})
        assert got.body == host.lower().removesuffix(":80").encode()
    await fetch(session, site / "a")
    assert len(site.asked) == 3
    await cache.invalidate(site / "a")
    await fetch(session, site / "a", headers={"Host": "a.example"})
    assert len(site.asked) == 4  # all that was kept of the URL is forgotten


async def test_sockets(site: Site, cache: CacheMiddleware, tmp_path: Path) -> None:
    """Sessions that lead to one socket each do not share what `localhost` says."""
    runners: list[web.AppRunner] = []
    for name in ("one", "two"):

        async def answer(_: web.Request, name: str = name) -> web.Response:
            return web.Response(text=name, headers=fields_of({}))

        app = web.Application()
        app.router.add_get("/", answer)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.UnixSite(runners[-1], str(tmp_path / name)).start()
    for name, is_kept in (("one", False), ("two", False), ("one", True)):
        async with session_with(cache, connector=aiohttp.UnixConnector(str(tmp_path / name))) as session:
            got = await fetch(session, URL("http://localhost/"))
            assert (got.body, got.from_cache) == (name.encode(), is_kept)
    for runner in runners:
        await runner.cleanup()


class _Seen(Exception):
    """A request that was not to be sent."""


async def mark(url: str, connector: dict[str, Any] | None = None, **options: Any) -> str:
    """Give what a request asks for besides its URL, without sending it."""
    marks: list[str] = []

    async def look(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        marks.append(mark_of(request, decodes=True))
        raise _Seen

    async with aiohttp.ClientSession(middlewares=(look,), connector=aiohttp.TCPConnector(**connector or {})) as session:
        with contextlib.suppress(_Seen):
            await session.get(url, **options)
    return marks[0]


def context(*, verifies: bool) -> ssl.SSLContext:
    """Give a context that checks certificates, or one that does not."""
    made = ssl.create_default_context()
    if not verifies:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


@pytest.mark.one_loop
async def test_what_a_server_is_believed_by() -> None:
    """What came unverified is not served to those who verify; what is verified in one way is shared."""
    url, pin, other = "https://shop.example/", aiohttp.Fingerprint(bytes(32)), aiohttp.Fingerprint(b"1" * 32)
    assert await mark(url) == await mark(url, ssl=True) == await mark(url, ssl=context(verifies=True)) == ""
    assert await mark(url, {"ssl": context(verifies=True)}) == ""
    unverified = await mark(url, ssl=False)
    assert unverified == await mark(url, ssl=context(verifies=False)) == await mark(url, {"ssl": False}) != ""
    assert await mark(url, {"ssl": False}, ssl=context(verifies=True)) == ""
    assert len({"", unverified, await mark(url, ssl=pin), await mark(url, ssl=other)}) == 4
    assert await mark(url, {"ssl": pin}) == await mark(url, ssl=pin)


@pytest.mark.one_loop
async def test_the_name_of_a_server() -> None:
    """Whoever has a certificate checked for another name than the URL's asks another server."""
    url = "https://shop.example/"
    assert await mark(url, server_hostname="shop.example") == ""
    named = await mark(url, server_hostname="other.example")
    assert named not in {"", await mark(url, server_hostname="third.example")}


@pytest.mark.one_loop
async def test_what_makes_no_difference() -> None:
    """Without TLS there is nothing to verify; a proxy, and a host that is written out, make no difference."""
    assert await mark("http://shop.example/", ssl=False, server_hostname="other.example") == ""
    assert await mark("http://shop.example/", proxy="http://proxy.example/") == ""
    assert await mark("http://shop.example/", headers={"Host": "Shop.Example:80"}) == ""


async def test_another_proxy_is_another_way(site: Site, cache: CacheMiddleware) -> None:
    """Who takes no proxy does not wait for one that is down, nor fails by it; what came either way is for both."""
    visits = site.wait("a")
    async with session_with(cache) as session:
        direct = asyncio.create_task(fetch(session, site / "a"))
        visit = await visits.first()
        with pytest.raises(aiohttp.ClientProxyConnectionError):
            await fetch(session, site / "a", proxy="http://127.0.0.1:1")
        visit.answer(b"whole")
        assert (await direct).body == b"whole"
        assert (await fetch(session, site / "a", proxy="http://127.0.0.1:1")).from_cache
