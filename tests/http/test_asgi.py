"""The cache around an ASGI application: what a client is sent with it."""

from typing import Any

import pytest

from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.http.server.asgi_origin import encoded
from asynccache.http.server.asgi_run import BrokenOff
from asynccache.stores.memory import MemoryStore
from asynccache.testing import ManualClock
from tests.http.asgi_client import Call, Numbered, get


async def test_a_fresh_response_is_served_again_with_its_age(clock: ManualClock) -> None:
    """An application that says max-age is called once in that time."""
    app = Numbered("max-age=60")
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        first = await get().to(cached)
        clock.advance(7)
        again = await get().to(cached)
        clock.advance(60)
        later = await get().to(cached)
    assert [call.body for call in (first, again, later)] == [b"answer 1", b"answer 1", b"answer 2"]
    assert [call.is_hit for call in (first, again, later)] == [False, True, False]
    assert all(call.is_complete for call in (first, again, later))
    assert again.fields["age"] == "7"
    assert again.fields.getall("content-length") == ["8"]
    assert "age" not in first.fields


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("cache-control", "no-store")],
        [("cache-control", "private, max-age=60")],
        [("cache-control", "max-age=60"), ("set-cookie", "a=b")],
        [("cache-control", "max-age=60"), ("vary", "*")],
        [("cache-control", "max-age=60"), ("content-type", "Text/Event-Stream; charset=utf-8")],
    ],
    ids=["silent", "no-store", "private", "set-cookie", "vary-any", "events"],
)
async def test_what_must_not_be_shared_is_not_kept(headers: list[tuple[str, str]]) -> None:
    """A response that says nothing, or forbids it, sets a cookie, or is a stream of events, is made anew each time."""
    app = Numbered("")
    app.headers = headers
    async with ASGICacheMiddleware(app) as cached:
        calls = [await get().to(cached) for _ in range(2)]
    assert [call.body for call in calls] == [b"answer 1", b"answer 2"]
    assert [[pair for pair in call.fields.items() if pair in headers] for call in calls] == [headers, headers]


async def test_conditions_parts_and_head_are_answered_from_what_is_kept() -> None:
    """304, 206, 416 and HEAD do not call the application."""
    app = Numbered(ETag='"1"')
    async with ASGICacheMiddleware(app) as cached:
        await get().to(cached)
        same = await get(If_None_Match='"1"').to(cached)
        part = await get(Range="bytes=2-4").to(cached)
        beyond = await get(Range="bytes=100-").to(cached)
        head = await Call("HEAD").to(cached)
    assert [call.status for call in (same, part, beyond, head)] == [304, 206, 416, 200]
    assert [call.body for call in (same, part, beyond, head)] == [b"", b"swe", b"", b""]
    assert (part.fields["content-range"], head.fields["content-length"]) == ("bytes 2-4/8", "8")
    assert all(call.is_complete for call in (same, part, beyond, head))
    assert app.runs == 1


async def test_an_age_that_came_with_a_response_is_not_told_again(clock: ManualClock) -> None:
    """What was 30 seconds old when it came is 37 seconds old after 7 more; one `Age` tells so."""
    app = Numbered("max-age=60", Age="30")
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(7)
        call = await get().to(cached)
    assert call.fields.getall("age") == ["37"]


@pytest.mark.parametrize("date", [False, True])
async def test_the_date_of_what_is_kept_is_told_to_servers_that_tell_none(date: bool) -> None:
    """Servers of ASGI tell a date of their own; with `date=True` that of the response is told."""
    app = Numbered("max-age=60", Date="Sun, 01 Mar 2026 00:00:00 GMT")
    async with ASGICacheMiddleware(app, date=date, ttl=60) as cached:
        first, again = await get().to(cached), await get().to(cached)
    assert first.fields.getall("date") == ["Sun, 01 Mar 2026 00:00:00 GMT"]
    assert again.is_hit
    assert again.fields.getall("date", []) == (first.fields.getall("date") if date else [])


async def test_the_key_is_the_host_the_path_and_the_query() -> None:
    """What differs in the host, the path or the raw query is another resource; what is forwarded is not looked at."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [
            await get("/a?x=1").to(cached),
            await get("/a?x=2").to(cached),
            await get("/a").to(cached),
            await get("/a?x=1", Host="other.example").to(cached),
            await get("/a?x=1", X_Forwarded_Host="other.example").to(cached),
        ]
    assert [call.is_hit for call in calls] == [False, False, False, False, True]


@pytest.mark.parametrize(
    "scope",
    [
        {"headers": [(b"host", b"a.example"), (b"host", b"b.example")]},
        {"headers": [(b"host", b"a.example/path")]},
        {"headers": [], "server": ("/run/app.sock", None)},
        {"headers": [], "server": None},
        {"raw_path": b"*", "path": "*"},
    ],
    ids=["two hosts", "host with a path", "no host on a socket", "no host at all", "no path"],
)
async def test_a_request_without_a_key_passes(scope: dict[str, Any]) -> None:
    """What could be read in two ways is answered by the application."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        calls = [await Call(scope=scope).to(cached) for _ in range(2)]
    assert [call.body for call in calls] == [b"answer 1", b"answer 2"]
    assert "cache-status" not in calls[0].fields


async def test_a_server_that_tells_no_raw_path_is_understood() -> None:
    """Without `raw_path` and Host, the key is made of the path and the server's address."""
    app = Numbered()
    scope: dict[str, Any] = {"raw_path": None, "path": "/ä b", "headers": [], "server": ("127.0.0.1", 8000)}
    async with ASGICacheMiddleware(app) as cached:
        await Call(scope=scope).to(cached)
        assert (await Call(scope=scope).to(cached)).is_hit
        await cached.invalidate("http://127.0.0.1:8000/%C3%A4%20b")
        assert not (await Call(scope=scope).to(cached)).is_hit


async def test_users_are_told_apart() -> None:
    """What only an option keeps is given to requests with the same cookie; logins are not answered from it."""
    app = Numbered("")
    async with ASGICacheMiddleware(app, default_ttl=60) as cached:
        one, other = await get(Cookie="user=1").to(cached), await get(Cookie="user=2").to(cached)
        again = await get(Cookie="user=1").to(cached)
        logins = [await get(Authorization="Basic x").to(cached) for _ in range(2)]
    assert [call.body for call in (one, other, again)] == [b"answer 1", b"answer 2", b"answer 1"]
    assert [call.is_hit for call in logins] == [False, False]
    assert "cookie" in one.fields["vary"]


async def test_a_cookie_that_is_ignored_reaches_only_who_asked() -> None:
    """With `ignore={"set-cookie"}` a response is kept without its cookie."""
    app = Numbered(Set_Cookie="session=1")
    async with ASGICacheMiddleware(app, ignore={"set-cookie"}) as cached:
        first, again = await get().to(cached), await get().to(cached)
    assert (first.fields["set-cookie"], again.is_hit, "set-cookie" in again.fields) == ("session=1", True, False)


async def test_an_old_response_is_validated(clock: ManualClock) -> None:
    """The application is given the entity tag of what is kept, whatever the client has; its 304 makes it fresh."""
    app = Numbered(ETag='"1"')
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(100)
        app.status, app.pieces = 304, [b""]
        confirmed = await get(If_None_Match='"0"').to(cached)
        fresh = await get().to(cached)
    asked = dict(app.scopes[1]["headers"])
    assert asked[b"if-none-match"] == b'"1"'
    assert (confirmed.status, confirmed.body, confirmed.fields["age"]) == (200, b"answer 1", "0")
    assert fresh.is_hit


async def test_an_old_response_stands_in_for_an_error(clock: ManualClock) -> None:
    """With stale-if-error an old response is served if the application raises, or answers 5xx."""
    app = Numbered("max-age=60, stale-if-error=100")
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(100)
        app.error = RuntimeError("down")
        raised = await get().to(cached)
        app.error, app.status = None, 503
        answered = await get().to(cached)
        clock.advance(100)
        app.error = RuntimeError("down")
        with pytest.raises(RuntimeError, match="down"):
            await get().to(cached)
        app.error = None
        passed = await get().to(cached)
    assert [call.body for call in (raised, answered)] == [b"answer 1"] * 2
    assert passed.status == 503


async def test_a_change_makes_what_is_kept_invalid() -> None:
    """A POST that succeeds invalidates what is kept for its URL, and its body reaches the application."""
    app = Numbered()
    bodies: list[bytes] = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            bodies.append(message["body"])
            if not message["more_body"]:
                break
        await app(scope, receive, send)

    async with ASGICacheMiddleware(reading) as cached:
        await get().to(cached)
        posted = await Call("POST", headers=[("content-length", "6")], pieces=[b"abc", b"def"]).to(cached)
        anew = await get().to(cached)
    assert bodies == [b"", b"abc", b"def", b""]
    assert "fwd=method" in posted.fields["cache-status"]
    assert (posted.body, anew.body) == (b"answer 2", b"answer 3")


@pytest.mark.parametrize("field", [("content-length", "5"), ("transfer-encoding", "chunked")])
async def test_a_get_with_a_body_passes(field: tuple[str, str]) -> None:
    """A request whose body may be part of the question is neither answered from the cache nor kept."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        fat = await Call(headers=[field], pieces=[b"other"]).to(cached)
        assert not (await get().to(cached)).is_hit
        again = await Call(headers=[field], pieces=[b"other"]).to(cached)
    assert (fat.body, again.body) == (b"answer 1", b"answer 3")


async def test_tags_are_told_by_a_header_or_the_state() -> None:
    """`Cache-Tag` is taken off; `scope["state"]["cache_tags"]` does as well."""
    app = Numbered(Cache_Tag="one, two")

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["cache_tags"] = ["three"]
        await app(scope, receive, send)

    async with ASGICacheMiddleware(noting) as cached:
        for tag in ("one", "two", "three"):
            first, again = await get().to(cached), await get().to(cached)
            assert (first.is_hit, again.is_hit) == (False, True)
            assert "cache-tag" not in {**first.fields, **again.fields}
            await cached.purge_tags(tag)
        await get().to(cached)
        await cached.clear()
        assert not (await get().to(cached)).is_hit


async def test_an_entity_tag_is_made_of_a_body_in_one_piece(clock: ManualClock) -> None:
    """With `etag=True` a response that is kept, and comes whole, has an entity tag; a stream does not wait for one."""
    whole, stream, unkept = Numbered(), Numbered(pieces=[b"a", b"b"]), Numbered("")
    apps = {"/whole": whole, "/stream": stream, "/unkept": unkept}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[scope["path"]](scope, receive, send)

    async with ASGICacheMiddleware(app, etag=True, clock=clock) as cached:
        first, again = await get("/whole").to(cached), await get("/whole").to(cached)
        same = await get("/whole", If_None_Match=first.fields["etag"]).to(cached)
        assert first.fields["etag"] == again.fields["etag"]
        assert same.status == 304
        for path in ("/stream", "/unkept"):
            assert "etag" not in (await get(path).to(cached)).fields


async def test_who_lies_outside_sees_what_the_application_has_noted() -> None:
    """What a router puts into the scope, such as the route, is there for middlewares around the cache."""
    app = Numbered()

    async def routing(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "the route"
        scope["path"] = "/rewritten"
        await app(scope, receive, send)

    async with ASGICacheMiddleware(routing) as cached:
        call = await get().to(cached)
    assert (call.scope["route"], call.scope["path"]) == ("the route", "/")


async def test_what_cannot_be_kept_is_not_offered() -> None:
    """Extensions that send a response in other ways are not passed on; others are."""
    app = Numbered()
    scope: dict[str, Any] = {
        "extensions": {"http.response.pathsend": {}, "http.response.trailers": {}, "tls": {"version": 772}}
    }
    async with ASGICacheMiddleware(app) as cached:
        await Call(scope=scope).to(cached)
    assert app.scopes[0]["extensions"] == {"tls": {"version": 772}}


async def test_an_error_is_not_hidden_by_what_is_old(clock: ManualClock) -> None:
    """Without stale-if-error, what the application raises is raised, though something old is there."""
    app = Numbered("max-age=60")
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(100)
        app.error = RuntimeError("down")
        with pytest.raises(RuntimeError, match="down"):
            await get().to(cached)


async def test_errors_of_an_application_reach_the_server() -> None:
    """What is raised before the head, or after the end, is raised to the server; in between, the response is whole."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        app.error = KeyError("before")
        with pytest.raises(KeyError):
            await get().to(cached)
        app.error, app.late_error = None, LookupError("after")
        call = get()
        with pytest.raises(LookupError, match="after"):
            await call.to(cached)
    assert (call.body, call.is_complete) == (b"answer 2", True)


async def test_a_body_that_breaks_off_is_not_completed() -> None:
    """An application that returns in the middle of a body is an error; nothing of it is kept."""

    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})

    async with ASGICacheMiddleware(breaking) as cached:
        for _ in range(2):
            call = get()
            with pytest.raises(BrokenOff):
                await call.to(cached)
            assert (call.body, call.is_complete, call.is_hit) == (b"one", False, False)


async def test_an_application_that_sends_nothing_is_told_of() -> None:
    """An application that returns without a response is an error."""

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    async with ASGICacheMiddleware(silent) as cached:
        with pytest.raises(BrokenOff):
            await get().to(cached)


async def test_what_aiohttp_has_kept_is_told_in_its_octets() -> None:
    """A field with octets beyond ASCII, which aiohttp has as surrogates, is sent as those octets."""
    title = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert encoded(("X-Title", title)) == (b"x-title", b"caf\xe9")
    assert encoded(("X-Title", "caf\xe9")) == (b"x-title", b"caf\xe9")


async def test_websockets_and_the_lifespan_pass_and_the_end_closes_the_cache() -> None:
    """Other scopes reach the application; the lifespan's end closes the cache, and not a store that was given."""
    store = MemoryStore()
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await Numbered()(scope, receive, send)

    cached = ASGICacheMiddleware(app, store)
    await Call(scope={"type": "websocket"}).to(cached)
    await get().to(cached)
    assert (await get().to(cached)).is_hit
    await Call(scope={"type": "lifespan"}).to(cached)
    assert not (await get().to(cached)).is_hit
    assert "cache-status" not in (await get().to(cached)).fields
    assert seen == ["websocket", "http", "lifespan", "http", "http"]
    assert not store.is_closed
    await store.aclose()
