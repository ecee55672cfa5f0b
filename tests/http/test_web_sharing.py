"""What one user asks for, another one must never be given, nor be able to plant."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from asynccache.http import CacheMiddleware, Rule
from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.sharing import content_tag, tags_in
from asynccache.http.server.targets import uri_of
from asynccache.stores.memory import MemoryStore
from tests.http.web_site import Mirror, serving


@pytest.mark.parametrize("option", ["ttl", "default_ttl"])
async def test_what_only_an_option_keeps_is_not_given_to_another_user(option: str) -> None:
    """A handler that answers by a cookie, and says nothing of caches, answers each user for itself."""
    handler = Mirror("Cookie")
    options: Any = {option: 60}
    async with ResponseCache(**options) as cache, serving(cache, {"/": handler.answer}) as site:
        for _ in range(2):
            assert (await site.get(Cookie="user=1")).text == "user=1"
            assert (await site.get(Cookie="user=2")).text == "user=2"
            assert (await site.get()).text == "nobody"
        reply = await site.get(Cookie="user=1")
    assert handler.runs == 3
    assert reply.headers["Vary"] == "authorization, cookie"


async def test_users_who_ask_at_the_same_time_are_told_apart() -> None:
    """Two users who wait for the same URL at once get their own answers."""
    handler = Mirror("Cookie")
    async with ResponseCache(default_ttl=60) as cache, serving(cache, {"/": handler.answer}) as site:
        names = [f"user={number}" for number in range(8)]
        replies = await asyncio.gather(*(site.get(Cookie=name) for name in names))
    assert [reply.text for reply in replies] == names


async def test_an_owner_can_say_that_nobody_is_told_apart() -> None:
    """With `identity=()` cookies make no difference."""
    handler = Mirror("Accept")
    async with ResponseCache(default_ttl=60, identity=()) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get(Cookie="user=1")
        reply = await site.get(Cookie="user=2")
    assert reply.is_hit
    assert "Vary" not in reply.headers


async def test_other_fields_can_tell_users_apart() -> None:
    """`identity` names the field that an application knows its users by."""
    handler = Mirror("X-Api-Key")
    cache = ResponseCache(default_ttl=60, identity=("X-Api-Key",))
    async with cache, serving(cache, {"/": handler.answer}) as site:
        assert [(await site.get(X_Api_Key=key)).text for key in ("a", "b", "a")] == ["a", "b", "a"]
    assert handler.runs == 2


@pytest.mark.parametrize(
    ("control", "runs"), [("max-age=60", 3), ("public, max-age=60", 1), ("s-maxage=60", 1), ("private, max-age=60", 3)]
)
async def test_answers_to_a_login_are_kept_if_they_say_so(control: str, runs: int) -> None:
    """A request with Authorization is answered from the cache only by what is public (RFC 9111, 3.5)."""
    handler = Mirror("X-Nothing", Cache_Control=control)
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        for user in ("Basic one", "Basic two", "Basic one"):
            await site.get(Authorization=user)
    assert handler.runs == runs


async def test_an_option_does_not_publish_answers_to_a_login() -> None:
    """A ttl for everything does not make public what a handler has told one user."""
    handler = Mirror("Authorization")
    async with ResponseCache(ttl=60) as cache, serving(cache, {"/": handler.answer}) as site:
        users = ["Basic one", "Basic two", "Basic one"]
        assert [(await site.get(Authorization=user)).text for user in users] == users
        assert (await site.get()).text == "nobody"


@pytest.mark.parametrize("field", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "Forwarded"])
async def test_a_field_that_is_no_part_of_the_key_can_be_made_one(field: str) -> None:
    """A handler that mirrors such a field and names it in Vary cannot be used to poison what others get."""
    handler = Mirror(field, Cache_Control="max-age=60", Vary=field)
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        poisoned = await site.get(**{field.replace("-", "_"): "evil.example"})
        clean = await site.get()
    assert (poisoned.text, clean.text) == ("evil.example", "nobody")


async def test_x_forwarded_host_is_not_what_the_key_is_made_of() -> None:
    """The key is the Host that was sent: a forwarded one neither splits nor joins what is kept."""
    handler = Mirror("X-Nothing", Cache_Control="max-age=60")
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get(Host="shop.example", X_Forwarded_Host="evil.example")
        assert (await site.get(Host="shop.example")).is_hit
        assert not (await site.get(Host="evil.example")).is_hit


async def test_a_host_with_a_path_in_it_cannot_poison_that_path() -> None:
    """`Host: shop.example/account` and `/x` are not `/account/x` of shop.example."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} {request.path}", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache, serving(cache, {"/{path:.*}": answer}) as site:
        for host, path in (
            (b"shop.example/account", b"/x"),
            (b"shop.example?", b"/account/x"),
            (b"evil@shop.example", b"/account/x"),
            (b"shop.example#", b"/account/x"),
        ):
            await site.raw(b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (path, host))
        reply = await site.get("/account/x", Host="shop.example")
    assert reply.text == "shop.example /account/x"
    assert not reply.is_hit


async def test_a_whole_url_as_a_target_does_not_pass_for_a_path() -> None:
    """A request in absolute form, which only proxies should get, is answered without the cache."""
    handler = Mirror("X-Nothing", Cache_Control="max-age=60")
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        for _ in range(2):
            told = await site.raw(
                b"GET http://other.example/ HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
            )
            assert b"nobody" in told
            assert b"Cache-Status" not in told
        assert not (await site.get(Host="other.example")).is_hit
        assert handler.runs == 3


@pytest.mark.parametrize(
    ("scheme", "host", "target", "uri"),
    [
        ("http", "Shop.Example:80", "/A?b=C", "http://shop.example/A?b=C"),
        ("https", "shop.example:443", "/", "https://shop.example/"),
        ("https", "shop.example:80", "/", "https://shop.example:80/"),
        ("http", "[::1]:8080", "//x", "http://[::1]:8080//x"),
        ("http", "shop.example", "/%41%7e?%62=%c3", "http://shop.example/A~?b=%C3"),
        ("http", "shop.example", "/a%2fb%2561?c=%26", "http://shop.example/a%2Fb%2561?c=%26"),
        ("ws", "shop.example", "/", None),
        ("http", "", "/", None),
        ("http", "shop.example/a", "/", None),
        ("http", "a b", "/", None),
        ("http", "shop.example\n", "/", None),
        ("http", "shop.example", "*", None),
        ("http", "shop.example", "", None),
        ("http", "shop.example", "/a#b", None),
        ("http", "шоп.example", "/", None),
    ],
)
def test_the_uri_is_what_was_asked_for_or_nothing(scheme: str, host: str, target: str, uri: str | None) -> None:
    """A key is made of what cannot be read in two ways."""
    assert uri_of(scheme, host, target) == uri


def test_tags_are_separated_by_commas_and_spaces() -> None:
    """However a header of tags is written, its tags are found."""
    assert tags_in(["a, b c", ",d ,, ", "\te"]) == ("a", "b", "c", "d", "e")


def test_an_entity_tag_is_one_of_its_octets() -> None:
    """The same octets have the same tag, others another; a weak one says that it is weak."""
    assert content_tag(b"a") == content_tag(b"a") != content_tag(b"b")
    assert content_tag(b"a", is_weak=True) == f"W/{content_tag(b'a')}"


@pytest.mark.parametrize("options", [{}, {"namespace": "one"}], ids=["by default", "in one namespace"])
async def test_what_a_client_keeps_is_not_served_by_a_server(options: dict[str, Any]) -> None:
    """A client's cache and a server's in one store: what the client was told in private stays with the client."""
    handler = Mirror("Cookie", Cache_Control="private, max-age=60")
    async with MemoryStore() as store:
        server = ResponseCache(store, **options)
        client = CacheMiddleware(store, identity=(), **options)
        async with server, client, serving(server, {"/": handler.answer}) as site:
            async with aiohttp.ClientSession(middlewares=(client,)) as session:
                for _ in range(2):
                    async with session.get(site.url("/"), headers={"Cookie": "user=1"}) as response:
                        assert await response.text() == "user=1"
            assert handler.runs == 1
            assert (await site.get()).text == "nobody"


@pytest.mark.parametrize("path", ["/%61ccount/me", "/%40ccount/me", "/account%2Fme", "/%E2%82%AC/me"])
async def test_a_rule_is_not_evaded_by_escapes(path: str) -> None:
    """What a router would take for a path that a rule keeps out of the cache is not kept, however it is written."""
    handler = Mirror("Cookie")
    rules = [Rule(f"*/{name}*me", cache=False) for name in ("account/", "@ccount/", "€/")]
    cache = ResponseCache(default_ttl=60, identity=(), rules=rules)
    async with cache, serving(cache, {"/{path:.*}": handler.answer}) as site:
        target = f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n".encode()
        await site.raw(target + b"Cookie: user=1\r\n\r\n")
        told = await site.raw(target + b"\r\n")
    assert told.endswith(b"nobody")
    assert b"hit" not in told


@pytest.mark.parametrize("path", ["/account/me%2Fstatic%2Fa", "/account/me%252Fstatic%252Fa"])
async def test_escapes_do_not_lead_into_a_rule(path: str) -> None:
    """A slash that the router does not see makes nothing a path that a rule keeps for everybody."""
    handler = Mirror("Cookie")
    cache = ResponseCache(rules=[Rule("*/static/*", ttl=60, identity=())])
    async with cache, serving(cache, {"/account/{name}": handler.answer, "/static/{name}": handler.answer}) as site:
        target = f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n".encode()
        assert (await site.raw(target + b"Cookie: user=1\r\n\r\n")).endswith(b"user=1")
        assert (await site.raw(target + b"\r\n")).endswith(b"nobody")
        await site.get("/static/a")
        assert (await site.get("/static/%61")).is_hit


async def test_a_change_is_one_of_the_same_url_however_it_is_written() -> None:
    """PUT /%61rticle makes what is kept of /article invalid."""
    handler = Mirror("X-Nothing", Cache_Control="max-age=60")
    async with ResponseCache() as cache, serving(cache, {"/article": handler.answer}) as site:
        await site.get("/article")
        host = f"127.0.0.1:{site.port}"
        await site.raw(f"PUT /%61rticle HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert not (await site.get("/article")).is_hit
