"""What the cache makes of an ASGI scope: which requests are the same, what passes, what those outside see of it."""

import asyncio
from typing import Any

import pytest

from asynccache.http import Rule
from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.testing import ManualClock
from tests.http.asgi_client import Call, Numbered, get


async def test_a_percent_sign_in_a_path_is_no_escape() -> None:
    """Without `raw_path`, the path is known as it was decoded: `/a b` and `/a%20b` are two resources."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [
            await Call(scope={"raw_path": None, "path": path}).to(cached)
            for path in ("/a b", "/a%20b", "/a b", "/\udce4")
        ]
    assert [call.is_hit for call in calls] == [False, False, True, False]


async def test_a_path_that_was_changed_on_the_way_counts() -> None:
    """A middleware outside that rewrites `path`, and leaves `raw_path`, gets for each path its own answer."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [
            await Call(scope={"raw_path": raw, "path": path}).to(cached)
            for raw, path in [
                (b"/page", "/de/page"),
                (b"/page", "/en/page"),
                (b"/page", "/en/page"),
                (b"/en/page", "/en/page"),
                (b"/page", "/page"),
            ]
        ]
    assert [call.is_hit for call in calls] == [False, False, True, True, False]


async def test_a_root_path_that_is_part_of_the_path_changes_nothing() -> None:
    """Behind a proxy that takes a prefix off, what was sent counts, escapes and all."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [
            await Call(scope={"raw_path": raw, "path": "/one/a/b", "root_path": "/one"}).to(cached)
            for raw in (b"/one/a/b", b"/one/a%2Fb", b"/one/a%2fb")
        ]
    assert [call.is_hit for call in calls] == [False, False, True]


async def test_a_path_without_the_part_of_a_mount_is_the_one_that_was_sent() -> None:
    """Of two mounts that take their part off `path`, each has its own answers."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [
            await Call(scope={"raw_path": root.encode() + b"/%C3%A4", "path": "/ä", "root_path": root}).to(cached)
            for root in ("/one", "/two", "/one")
        ]
        await cached.invalidate("http://shop.example/one/ä")
        again = await Call(scope={"raw_path": b"/one/%C3%A4", "path": "/ä", "root_path": "/one"}).to(cached)
    assert [call.is_hit for call in calls] == [False, False, True]
    assert not again.is_hit


@pytest.mark.parametrize("pieces", [[b"question"], [b"", b"question"]], ids=["at once", "later"])
async def test_a_body_without_a_length_passes(pieces: list[bytes]) -> None:
    """A GET of HTTP/2 may have a body though no field tells of it: it reaches the application, and nothing is kept."""
    bodies: list[bytes] = []
    app = Numbered()

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        has_more = True
        while has_more:
            message = await receive()
            bodies.append(message["body"])
            has_more = message["more_body"]
        await app(scope, receive, send)

    async with ASGICacheMiddleware(reading) as cached:
        calls = [await Call(pieces=pieces, scope={"http_version": "2"}).to(cached) for _ in range(2)]
    assert [call.body for call in calls] == [b"answer 1", b"answer 2"]
    assert bodies == pieces * 2


async def test_a_plain_request_of_http_2_is_cached() -> None:
    """A GET of HTTP/2 without a body is answered from the cache; a client that has gone at once is sent nothing."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        first, again = [await Call(scope={"http_version": "2"}).to(cached) for _ in range(2)]
        gone = Call(pieces=(), scope={"http_version": "2"})
        gone.has_gone.set()
        await gone.to(cached)
    assert (first.is_hit, again.is_hit, again.body) == (False, True, b"answer 1")


async def test_what_a_rule_does_not_cache_passes_untouched() -> None:
    """The application gets the server's own scope and messages; only the tags are hidden, and the bypass is told."""
    app = Numbered(Cache_Tag="one", X_Other="kept")
    heard: list[str] = []
    scope: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])
        await app(scope, receive, send)

    async with ASGICacheMiddleware(listening, rules=[Rule("*", cache=False)]) as cached:
        for method in ("GET", "HEAD"):
            call = Call(method, scope=dict(scope))
            call.has_gone.set()
            await call.to(cached)
            assert app.scopes[-1] is call.scope
            assert call.fields["cache-status"] == "asynccache; fwd=bypass; fwd-status=200"
            assert ("cache-tag" in call.fields, call.fields["x-other"]) == (False, "kept")
        assert cached.stats().passed == 2
    assert heard == ["http.request", "http.disconnect"] * 2


async def test_tags_are_shown_where_no_field_has_any() -> None:
    """With `tag_header=None`, what a response that passes says is not touched."""
    app = Numbered(Cache_Tag="one")
    async with ASGICacheMiddleware(app, rules=[Rule("*", cache=False)], tag_header=None) as cached:
        assert (await get().to(cached)).fields["cache-tag"] == "one"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_those_outside_see_what_is_put_into_the_state(method: str, clock: ManualClock) -> None:
    """`scope["state"]` of a server has afterwards what this request's run has put in, before and after its answer."""
    app = Numbered("no-cache", ETag='"1"')

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        assert "before" not in scope["state"]
        scope["state"]["before"] = app.runs
        await app(scope, receive, send)
        for _ in range(20):
            await asyncio.sleep(0)
        scope["state"]["after"] = app.runs

    async with ASGICacheMiddleware(noting, clock=clock) as cached:
        for run in (1, 2):
            state: dict[str, Any] = {"lifespan": "kept"}
            call = Call(method, scope={"state": state})
            await call.to(cached)
            assert state == {"lifespan": "kept", "before": run - 1, "after": run}


async def test_a_validation_is_seen_outside_too(clock: ManualClock) -> None:
    """When the application only confirms what is kept, those outside see what it has noted of the request."""
    app = Numbered("no-cache", ETag='"1"')

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["user"] = "alice"
        app.status = 304 if any(name == b"if-none-match" for name, _ in scope["headers"]) else 200
        await app(scope, receive, send)

    async with ASGICacheMiddleware(noting, clock=clock) as cached:
        await get().to(cached)
        state: dict[str, Any] = {}
        call = await Call(scope={"state": state}).to(cached)
    assert (call.status, app.runs, state) == (200, 2, {"user": "alice"})


async def test_a_start_that_fails_closes_the_cache() -> None:
    """An application that cannot start leaves no cache open: no shutdown follows."""
    app = Numbered()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.failed"})
        else:
            await app(scope, receive, send)

    cached = ASGICacheMiddleware(failing)
    await Call(scope={"type": "lifespan"}).to(cached)
    assert "cache-status" not in (await get().to(cached)).fields


async def test_messages_that_are_no_part_of_a_response_are_not_passed_on() -> None:
    """What an application sends besides head and body, as for an extension that was not offered, is left out."""
    app = Numbered()

    async def talking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.debug", "info": {}})
        await app(scope, receive, send)

    async with ASGICacheMiddleware(talking) as cached:
        first, again = await get().to(cached), await get().to(cached)
    kinds = [message["type"] for message in (*first.sent, *again.sent)]
    assert set(kinds) == {"http.response.start", "http.response.body"}
    assert again.is_hit


@pytest.mark.parametrize("tags", ["product:1", [1], None])
async def test_tags_that_are_none_are_refused(tags: object) -> None:
    """One string, or something else, in the place of several tags is an error that says so: it would purge nothing."""
    app = Numbered()

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["cache_tags"] = tags
        await app(scope, receive, send)
        await receive()
        await receive()  # comes back: nobody is there for the response

    async with ASGICacheMiddleware(noting) as cached:
        with pytest.raises(TypeError, match=r"cache_tags.* must hold"):
            await get().to(cached)


async def test_a_cookie_of_a_confirmation_is_for_the_one_who_asked() -> None:
    """What a 304 sets reaches the client whose request it answered, and nobody else."""
    app = Numbered("no-cache", ETag='"1"')
    async with ASGICacheMiddleware(app) as cached:
        await get().to(cached)
        app.status, app.pieces = 304, [b""]
        app.headers.append(("set-cookie", "session=1"))
        own = await get().to(cached)
        del app.headers[-1]
        other = await get().to(cached)
    assert (own.body, own.fields.getall("set-cookie"), "set-cookie" in other.fields) == (
        b"answer 1",
        ["session=1"],
        False,
    )


async def test_an_expiry_counts_from_when_a_response_came() -> None:
    """`Expires` in the future says that a response is for everybody; one in the past says the opposite."""
    app = Numbered("", Expires="Thu, 01 Jan 2026 00:00:00 GMT")
    async with ASGICacheMiddleware(app, clock=ManualClock(1_767_225_500.0), ttl=60) as cached:
        future = await get("/1").to(cached)
    async with ASGICacheMiddleware(app, clock=ManualClock(1_767_225_700.0), ttl=60) as cached:
        past = await get("/1").to(cached)
    assert ("vary" in future.fields, "cookie" in past.fields.get("vary", "")) == (False, True)
