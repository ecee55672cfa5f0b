"""Nobody gets what was meant for somebody else, be it at the same moment."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from asynccache.http import CacheMiddleware
from tests.flight.gates import turns
from tests.http.clients import body, fetch, session_with, together
from tests.http.sites import Site, fields_of


@pytest.fixture(params=["Authorization", "Cookie"])
def name(request: pytest.FixtureRequest) -> str:
    """Each field that tells users apart."""
    found: str = request.param
    return found


def tell(site: Site, path: str, name: str, **fields: str | None) -> None:
    """Let a path answer with who has asked."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get(name, "nobody"), headers=fields_of(fields))

    site.do(path, answer)


async def ask(session: aiohttp.ClientSession, site: Site, name: str, user: str | None) -> str:
    """Ask as a user; None: as nobody."""
    headers = {} if user is None else {name: user}
    return (await fetch(session, site / "a", headers=headers)).body.decode()


async def test_users_have_what_is_theirs(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """What one user was told is kept for that user only."""
    tell(site, "a", name)
    for _ in range(2):
        assert [await ask(session, site, name, user) for user in ("ada", "bob")] == ["ada", "bob"]
    assert len(site.asked) == 2


async def test_users_at_the_same_moment(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """Two users who ask at the same moment are two requests, and one that is on its way is joined by its user only."""
    visits = site.wait("a")
    tasks = [asyncio.create_task(ask(session, site, name, user)) for user in ("ada", "bob", "ada", "bob")]
    await visits.number(2)
    await turns()
    for visit in visits.all:
        visit.answer(visit.request.headers[name].encode())
    assert await together(*tasks) == ["ada", "bob", "ada", "bob"]
    assert len(visits) == 2


async def test_what_a_user_was_told_is_not_for_nobody(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """Whoever does not say who they are does not get what a user was told."""
    tell(site, "a", name)
    await ask(session, site, name, "ada")
    assert await ask(session, site, name, None) == "nobody"


async def test_public_is_for_all(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """What says that it is public is served to all."""
    tell(site, "a", name, cache_control="public, max-age=60")
    assert [await ask(session, site, name, user) for user in ("ada", "bob", None)] == ["ada"] * 3


async def test_private_is_kept_for_its_user(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """What is private is kept, as each user has a copy."""
    tell(site, "a", name, cache_control="private, max-age=60")
    for _ in range(2):
        assert [await ask(session, site, name, user) for user in ("ada", "bob")] == ["ada", "bob"]
    assert len(site.asked) == 2


async def test_a_validation_is_for_its_user(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """A 304 that one user gets is not taken for another's response, though their ETags are the same."""

    async def answer(request: web.Request) -> web.Response:
        headers = fields_of({"etag": '"same"', "cache_control": "no-cache"})
        if request.headers.get("If-None-Match") == '"same"' and request.headers[name] == "ada":
            return web.Response(status=304, headers=headers)
        return web.Response(text=request.headers[name], headers=headers)

    site.do("a", answer)
    for _ in range(2):
        assert [await ask(session, site, name, user) for user in ("ada", "bob")] == ["ada", "bob"]


async def test_a_new_cookie_is_a_new_user(site: Site, cache: CacheMiddleware) -> None:
    """When the session's jar has changed, what was kept for the old cookies is not served."""
    tell(site, "a", "Cookie")
    async with session_with(cache, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({"user": "ada"}, site / "")
        assert await body(session, site / "a") == "user=ada"
        session.cookie_jar.update_cookies({"user": "bob"}, site / "")
        assert await body(session, site / "a") == "user=bob"


async def test_a_login_in_the_url(site: Site, session: aiohttp.ClientSession) -> None:
    """A login that stands in the URL is no part of the key, and tells users apart all the same."""
    tell(site, "a", "Authorization")
    gots = [await body(session, (site / "a").with_user(user).with_password("x")) for user in ("ada", "bob", "ada")]
    assert gots[0] == gots[2] != gots[1]
    assert len(site.asked) == 2


async def test_users_of_ones_own_field(site: Site) -> None:
    """`identity=` names other fields."""
    tell(site, "a", "X-Api-Key")
    async with (
        CacheMiddleware(identity=("X-Api-Key",), clock=site.clock) as cache,
        session_with(cache) as session,
    ):
        for _ in range(2):
            assert [await ask(session, site, "X-Api-Key", user) for user in ("ada", "bob")] == ["ada", "bob"]
    assert len(site.asked) == 2


async def test_a_refresh_is_of_its_user(site: Site, session: aiohttp.ClientSession, name: str) -> None:
    """What is fetched behind is asked for as the user that was served, and kept for that user."""
    tell(site, "a", name, cache_control="max-age=10, stale-while-revalidate=600")
    await ask(session, site, name, "ada")
    site.clock.advance(20)
    visits = site.wait("a")
    assert await ask(session, site, name, "ada") == "ada"
    visit = await visits.first()
    assert visit.request.headers[name] == "ada"
    visit.answer(b"ada again")
    tell(site, "a", name)
    assert await ask(session, site, name, "bob") == "bob"
