"""A hit is a response of aiohttp: everything that one can be asked, it answers as the first one did."""

from email.utils import formatdate
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from asynccache.http import CacheMiddleware, cache_status, is_from_cache
from tests.http.clients import fetch, session_with, started
from tests.http.sites import START, Site, fields_of, json_of

BODY = '{"name": "Zoë"}'.encode("latin-1")


async def twice(session: aiohttp.ClientSession, site: Site, path: str = "a") -> list[aiohttp.ClientResponse]:
    """A response from the origin, and one from the cache; both are read."""
    responses = []
    for _ in range(2):
        async with session.get(site / path) as response:
            await response.read()
            responses.append(response)
    assert [is_from_cache(response) for response in responses] == [False, True]
    return responses


@pytest.fixture
def rich(site: Site) -> Site:
    """A server whose response has much to tell."""

    async def answer(_: web.Request) -> web.Response:
        headers = fields_of(
            {
                "content_type": "application/json; charset=latin-1",
                "content_disposition": 'attachment; filename="a.json"',
                "link": '</b>; rel="next", </c>; rel="last"',
                "x_note": "Gr\u00fc\u00dfe",
            }
        )
        headers.extend([("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("X-Twice", "1"), ("X-Twice", "2")])
        return web.Response(body=BODY, status=203, reason="As Told", headers=headers)

    site.do("a", answer)
    return site


ALIKE = (
    "status", "reason", "ok", "version", "method", "url", "real_url", "host", "content_type", "charset", "history",
    "content_disposition", "closed", "connection", "cookies", "links",
)  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
async def test_a_hit_tells_what_the_first_one_told(rich: Site, session: aiohttp.ClientSession, name: str) -> None:
    """Each attribute is the same, of the same type."""
    first, hit = [getattr(response, name) for response in await twice(session, rich)]
    assert hit == first
    assert type(hit) is type(first)


async def test_a_hit_has_all_fields(rich: Site, session: aiohttp.ClientSession) -> None:
    """All fields are there, in their order and as often as they came, and what a cache adds behind them."""
    first, hit = await twice(session, rich)
    told = [*hit.headers.items()]
    kept = [pair for pair in first.headers.items() if pair[0] not in {"Connection", "Keep-Alive"}]
    assert told[: len(kept)] == kept
    assert [name for name, _ in told[len(kept) :]] == ["Age", "Cache-Status"]
    assert hit.headers.getall("x-twice") == ["1", "2"]


async def test_a_hit_has_its_raw_fields(rich: Site, session: aiohttp.ClientSession) -> None:
    """The same octets are told as came, also those beyond ASCII; of names, aiohttp has made its own spelling."""
    first, hit = await twice(session, rich)
    told = {(name.lower(), value) for name, value in hit.raw_headers}
    assert {(name.lower(), value) for name, value in first.raw_headers} <= told
    assert (b"x-note", "Gr\u00fc\u00dfe".encode()) in told


async def test_a_hit_knows_its_request(rich: Site, session: aiohttp.ClientSession) -> None:
    """`request_info` is of the request that it answers, with the fields that this one had."""
    await fetch(session, rich / "a")
    async with session.get(rich / "a", headers={"X-Mine": "2"}) as hit:
        info = hit.request_info
        assert (info.method, info.url, info.real_url) == ("GET", rich / "a", rich / "a")
        assert info.headers["X-Mine"] == "2"


async def test_a_hit_keeps_the_fragment(site: Site, session: aiohttp.ClientSession) -> None:
    """What is behind the # is nobody's business but the caller's, who has it in `real_url`."""
    site.say("a")
    await fetch(session, site / "a")
    async with session.get(f"{site / 'a'}#part") as hit:
        assert is_from_cache(hit)
        assert (hit.url.fragment, hit.real_url.fragment) == ("", "part")


async def test_a_hit_is_one_of_aiohttps(rich: Site, session: aiohttp.ClientSession) -> None:
    """A hit is an `aiohttp.ClientResponse`, and each hit is another one."""
    responses = [await started(session, rich / "a") for _ in range(3)]
    for response in responses:
        assert isinstance(response, aiohttp.ClientResponse)
        assert await response.json() == {"name": "Zo\u00eb"}
    assert len({id(response) for response in responses}) == 3
    assert len({id(response.content) for response in responses}) == 3


async def test_json_of_a_hit(site: Site, session: aiohttp.ClientSession) -> None:
    """`json` takes what it takes of any response: another `loads`, another type."""
    site.do("a", json_of({"price": 1}))
    await fetch(session, site / "a")
    async with session.get(site / "a") as hit:
        assert await hit.json(loads=str.upper) == '{"PRICE": 1}'
        with pytest.raises(aiohttp.ContentTypeError):
            await hit.json(content_type="text/xml")


async def test_text_of_a_hit(site: Site, session: aiohttp.ClientSession) -> None:
    """`text` reads by the charset that was told, or by the caller's."""
    site.say("a", "Gr\u00fc\u00dfe".encode("latin-1"), content_type="text/plain; charset=latin-1")
    await fetch(session, site / "a")
    async with session.get(site / "a") as hit:
        assert await hit.text() == "Gr\u00fc\u00dfe"
        assert await hit.text(encoding="latin-1", errors="strict") == "Gr\u00fc\u00dfe"


async def test_a_hit_without_a_body(site: Site, session: aiohttp.ClientSession) -> None:
    """A response without content is kept as one."""
    site.say("a", b"")
    await fetch(session, site / "a")
    async with session.get(site / "a") as hit:
        assert is_from_cache(hit)
        assert hit.content.at_eof()
        assert await hit.content.read() == await hit.read() == b""


async def test_an_unread_hit_needs_no_care(site: Site, session: aiohttp.ClientSession) -> None:
    """A hit that is neither read nor released leaves nothing behind."""
    site.say("a")
    await fetch(session, site / "a")
    hit = await started(session, site / "a")
    assert hit.closed
    assert hit.connection is None
    hit.release()
    hit.release()
    hit.close()


async def test_waiting_for_a_hit_to_close(site: Site, session: aiohttp.ClientSession) -> None:
    """`wait_for_close` returns, as there is nothing to wait for."""
    site.say("a")
    await fetch(session, site / "a")
    hit = await started(session, site / "a")
    await hit.wait_for_close()


async def test_a_hit_is_shown(rich: Site, session: aiohttp.ClientSession) -> None:
    """`repr` of a hit is that of a response, with its URL and status."""
    _, hit = await twice(session, rich)
    assert repr(hit).startswith(f"<ClientResponse({rich / 'a'}) [203 As Told]>")


@pytest.mark.parametrize("status", [404, 410])
async def test_raise_for_status_of_a_hit(site: Site, session: aiohttp.ClientSession, status: int) -> None:
    """An error that is kept is raised like one that has just come, and says the same."""
    site.say("a", "not here", status=status)
    errors: list[aiohttp.ClientResponseError] = []
    for _ in range(2):
        async with session.get(site / "a") as response:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                response.raise_for_status()
            errors.append(caught.value)
    first, hit = errors
    assert (hit.status, hit.message, hit.request_info.url) == (first.status, first.message, first.request_info.url)
    assert len(site.asked) == 1


async def test_ages_are_told(site: Site, session: aiohttp.ClientSession) -> None:
    """A hit says how old it is, and for how long it is still fresh."""
    site.say("a", cache_control="max-age=60", age="5")
    await fetch(session, site / "a")
    site.clock.advance(20)
    got = await fetch(session, site / "a")
    assert got.headers.getall("Age") == ["25"]
    assert (got.told.hit, got.told.ttl) == (True, 35)
    assert got.headers["Cache-Status"] == "asynccache; hit; ttl=35"


async def test_cookies_are_not_set_once_more(site: Site, cache: CacheMiddleware) -> None:
    """A hit has the cookies that came with it, but the session's jar is left as it is."""
    site.say("a", set_cookie="a=1; Path=/")
    jar = aiohttp.CookieJar(unsafe=True)
    async with session_with(cache, cookie_jar=jar) as session:
        async with session.get(site / "a") as first:
            assert first.cookies["a"].value == "1"
            await first.read()
        assert [cookie.value for cookie in jar] == ["1"]
        jar.clear()
        async with session.get(site / "a") as hit:
            assert is_from_cache(hit)
            assert isinstance(hit.cookies, SimpleCookie)
            assert hit.cookies["a"].value == "1"
        assert list(jar) == []


async def test_a_response_that_has_nothing_to_do_with_a_cache() -> None:
    """Of another session's response, nothing is told."""
    other: Any = object()
    assert cache_status(other) is None
    assert not is_from_cache(other)


async def test_fields_of_a_hit_are_its_own(site: Site, session: aiohttp.ClientSession) -> None:
    """Nobody can change what others are told: fields are read-only, as everywhere in aiohttp."""
    site.say("a")
    _, hit = await twice(session, site)
    fields: Any = hit.headers
    with pytest.raises(TypeError):
        fields["X-Mine"] = "1"
    changed = CIMultiDict(hit.headers)
    changed["Content-Type"] = "text/changed"
    assert (await fetch(session, site / "a")).headers["Content-Type"] != "text/changed"


async def test_dates_are_the_origins(site: Site, session: aiohttp.ClientSession) -> None:
    """`Date` says when the origin made it, on hits too."""
    site.say("a")
    await fetch(session, site / "a")
    site.clock.advance(30)
    hit = await fetch(session, site / "a")
    assert hit.from_cache
    assert hit.headers.getall("Date") == [formatdate(START, usegmt=True)]
