"""The cache as a middleware of aiohttp.web: what a server answers with it."""

import asyncio
import zlib
from pathlib import Path

import pytest
from aiohttp import web

from asynccache.http import HttpStats, Rule
from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.lending import NobodyToSendTo
from asynccache.stores.memory import MemoryStore
from asynccache.testing import ManualClock
from tests.http.web_site import Arrivals, Counting, Reply, WebSite, serving


async def test_a_fresh_response_is_served_again_with_its_age(clock: ManualClock) -> None:
    """A handler that says max-age runs once in that time; its age is told, and what the cache did."""
    handler = Counting("max-age=60")
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        first = await site.get()
        clock.advance(7)
        again = await site.get()
        clock.advance(60)
        later = await site.get()
    assert (first.text, again.text, later.text) == ("answer 1", "answer 1", "answer 2")
    assert (first.is_hit, again.is_hit, later.is_hit) == (False, True, False)
    assert "stored" in first.told
    assert "Age" not in first.headers
    assert again.headers["Age"] == "7"
    assert "ttl=53" in again.told
    assert again.headers["Cache-Control"] == "max-age=60"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert again.headers.getall("Content-Length") == ["8"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cache-Control": "no-store"},
        {"Cache-Control": "private, max-age=60"},
        {"Cache-Control": "max-age=60", "Set-Cookie": "a=b"},
        {"Cache-Control": "max-age=60", "Vary": "*"},
    ],
    ids=["silent", "no-store", "private", "set-cookie", "vary-any"],
)
async def test_what_must_not_be_shared_is_not_kept(headers: dict[str, str]) -> None:
    """A response that says nothing, or forbids it, or sets a cookie, is made anew for each request."""
    runs = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        return web.Response(text="x", headers=headers)

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        replies = [await site.get() for _ in range(2)]
    assert runs == 2
    assert [reply.is_hit for reply in replies] == [False, False]


async def test_a_cookie_that_aiohttp_will_set_counts() -> None:
    """A cookie of `response.set_cookie` keeps a response out of the cache, though it is no header yet."""
    runs = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        response = web.Response(text="x", headers={"Cache-Control": "max-age=60"})
        response.set_cookie("session", str(runs))
        return response

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        replies = [await site.get() for _ in range(2)]
    assert [reply.headers["Set-Cookie"].split(";")[0] for reply in replies] == ["session=1", "session=2"]


async def test_a_cookie_that_is_ignored_reaches_only_who_asked() -> None:
    """With `ignore={"set-cookie"}` a response is kept without its cookie."""
    handler = Counting(Set_Cookie="session=1")
    async with ResponseCache(ignore={"set-cookie"}) as cache, serving(cache, {"/": handler.answer}) as site:
        first, again = await site.get(), await site.get()
    assert first.headers["Set-Cookie"] == "session=1"
    assert again.is_hit
    assert "Set-Cookie" not in again.headers


async def test_a_client_that_has_it_is_told_so() -> None:
    """If-None-Match and If-Modified-Since are answered 304 from what is kept."""
    changed = "Mon, 01 Jun 2026 00:00:00 GMT"
    handler = Counting(ETag='"1"', Last_Modified=changed)
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        same = await site.get(If_None_Match='"0", W/"1"')
        unchanged = await site.get(If_Modified_Since=changed)
        other = await site.get(If_None_Match='"2"')
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", '"1"')
    assert unchanged.status == 304
    assert (other.status, other.text) == (200, "answer 1")
    assert handler.runs == 1


async def test_head_is_answered_from_a_get() -> None:
    """HEAD gets the fields of what is kept for GET, its length among them, and no body."""
    handler = Counting()
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        reply = await site.ask("HEAD", "/")
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", "8")
    assert reply.is_hit
    assert handler.runs == 1


async def test_a_head_that_tells_no_length_throws_nothing_away(clock: ManualClock) -> None:
    """A handler that answers HEAD without a body says nothing of the length of what is kept for GET."""

    async def answer(request: web.Request) -> web.Response:
        headers = {"Cache-Control": "max-age=60", "ETag": '"1"'}
        return web.Response(body=None if request.method == "HEAD" else b"whole", headers=headers)

    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": answer}) as site:
        await site.get()
        clock.advance(100)
        await site.ask("HEAD", "/")
        reply = await site.get()
    assert (reply.text, reply.is_hit) == ("whole", True)


async def test_an_age_that_came_with_a_response_is_not_told_again(clock: ManualClock) -> None:
    """What was 30 seconds old when it came is 37 seconds old after 7 more; one `Age` tells so."""
    handler = Counting(Age="30")
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        clock.advance(7)
        reply = await site.get()
    assert reply.headers.getall("Age") == ["37"]


async def test_a_part_is_cut_out_of_the_whole() -> None:
    """A range is served from a whole response; one beyond its end is refused."""
    handler = Counting()
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        part = await site.get(Range="bytes=2-4")
        beyond = await site.get(Range="bytes=100-")
    assert (part.status, part.text, part.headers["Content-Range"]) == (206, "swe", "bytes 2-4/8")
    assert part.headers.getall("Content-Length") == ["3"]
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */8")
    assert handler.runs == 1


async def test_the_key_is_the_host_the_path_and_the_query() -> None:
    """What differs in the host, the path or the raw query is another resource."""
    handler = Counting()
    async with ResponseCache() as cache, serving(cache, {"/{path}": handler.answer}) as site:
        first = await site.get("/a?x=1&y=2")
        others = [
            await site.get("/a?y=2&x=1"),
            await site.get("/a"),
            await site.get("/b?x=1&y=2"),
            await site.get("/a?x=1&y=2", Host="other.example"),
        ]
        again = await site.get("/a?x=1&y=2")
    assert not any(reply.is_hit for reply in [first, *others])
    assert again.is_hit


async def test_vary_tells_requests_apart() -> None:
    """A response that varies by a field is served to requests with the same value."""
    handler = Counting(Vary="Accept-Language")
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        german, english = await site.get(Accept_Language="de"), await site.get(Accept_Language="en")
        german_again, english_again = await site.get(Accept_Language="de"), await site.get(Accept_Language="en")
    assert german.text == german_again.text == "answer 1"
    assert english.text == english_again.text == "answer 2"


@pytest.mark.parametrize("how", ["raised", "raised without being kept"])
async def test_a_raised_response_is_one(how: str) -> None:
    """A raised `web.HTTPException` is kept as other responses are; those outside see it raised if the handler did."""
    runs = 0
    arrivals = Arrivals()

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        raise web.HTTPNotFound(text="gone", headers={"Cache-Control": "max-age=60" if how == "raised" else "no-store"})

    async with ResponseCache() as cache:
        app = web.Application(middlewares=[arrivals.see, cache])
        app.router.add_get("/", answer)
        async with WebSite(app) as site:
            replies = [await site.get() for _ in range(2)]
    assert [(reply.status, reply.text) for reply in replies] == [(404, "gone")] * 2
    assert runs == (1 if how == "raised" else 2)
    assert arrivals.raised == [web.HTTPNotFound] * runs


async def test_an_error_is_an_error() -> None:
    """What a handler raises reaches whoever lies outside, and is not kept."""
    handler = Counting()
    handler.error = KeyError("boom")
    arrivals = Arrivals()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[arrivals.see, cache])
        app.router.add_get("/", handler.answer)
        async with WebSite(app) as site:
            failed = await site.get()
            handler.error = None
            reply = await site.get()
    assert (failed.status, arrivals.raised) == (500, [KeyError])
    assert reply.text == "answer 2"


async def test_an_error_is_not_hidden_by_what_is_old(clock: ManualClock) -> None:
    """Without stale-if-error, what a handler raises is raised, though something old is there."""
    handler = Counting("max-age=60")
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        clock.advance(100)
        handler.error = RuntimeError("down")
        assert (await site.get()).status == 500


async def test_an_old_response_stands_in_for_an_error(clock: ManualClock) -> None:
    """With stale-if-error, an old response is served if the handler raises, until that time is over."""
    handler = Counting("max-age=60, stale-if-error=100")
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        handler.error = RuntimeError("down")
        clock.advance(100)
        old = await site.get()
        clock.advance(100)
        failed = await site.get()
    assert (old.status, old.text, old.headers["Age"]) == (200, "answer 1", "100")
    assert failed.status == 500


async def test_a_handler_may_confirm_what_is_kept(clock: ManualClock) -> None:
    """An old response is validated: the handler is given its entity tag, and its 304 makes it fresh again."""
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("If-None-Match"))
        status = 304 if request.headers.get("If-None-Match") == '"1"' else 200
        return web.Response(status=status, body=b"whole", headers={"Cache-Control": "max-age=60", "ETag": '"1"'})

    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": answer}) as site:
        await site.get()
        clock.advance(100)
        confirmed, fresh = await site.get(), await site.get()
    assert seen == [None, '"1"']
    assert (confirmed.status, confirmed.text, confirmed.headers["Age"]) == (200, "whole", "0")
    assert fresh.is_hit


async def test_a_handler_that_validates_for_the_cache_leaves_its_client_alone(clock: ManualClock) -> None:
    """The client's own condition is answered from what the handler has confirmed or made."""
    handler = Counting(ETag='"1"')
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        clock.advance(100)
        await site.get(If_None_Match='"0"')
    assert handler.requests[1].headers["If-None-Match"] == '"1"'


async def test_old_is_served_while_the_handler_runs_behind(clock: ManualClock) -> None:
    """With stale-while-revalidate nobody waits: the old response is served, and later requests have the new one."""
    handler = Counting("max-age=60, stale-while-revalidate=100")
    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        clock.advance(100)
        handler.began.clear()
        handler.may_go_on.clear()
        old = await site.get(If_None_Match='"x"', Range="bytes=0-1")
        await handler.began.wait()
        still_old = await site.get()
        handler.may_go_on.set()
        new = await until_it_changes(site, "answer 1")
    assert (old.status, old.text) == (206, "an")
    assert (still_old.text, new.text) == ("answer 1", "answer 2")
    assert handler.runs == 2
    behind = handler.requests[1]
    assert "Range" not in behind.headers
    assert "If-None-Match" not in behind.headers
    assert behind.match_info.route is handler.requests[0].match_info.route


async def until_it_changes(site: WebSite, text: str) -> Reply:
    """Ask again and again, until the answer is another one, or the test's time is over."""
    while (reply := await site.get()).text == text:
        pass
    return reply


async def test_a_handler_cannot_send_while_it_runs_behind(clock: ManualClock) -> None:
    """One that begins to send behind is stopped before an octet of it leaves; a later caller gets what it sends."""
    errors: asyncio.Queue[Exception] = asyncio.Queue()
    streams = False

    async def answer(request: web.Request) -> web.StreamResponse:
        if not streams:
            return web.Response(text="kept", headers={"Cache-Control": "max-age=60, stale-while-revalidate=100"})
        response = web.StreamResponse()
        try:
            await response.prepare(request)
        except Exception as error:
            errors.put_nowait(error)
            raise
        await response.write(b"never")
        return response

    async with ResponseCache(clock=clock) as cache, serving(cache, {"/": answer}) as site:
        await site.get()
        clock.advance(100)
        streams = True
        reply = await site.get()
        error = await errors.get()
        later = await until_it_changes(site, "kept")
    assert isinstance(error, NobodyToSendTo)
    assert (reply.text, reply.headers["Content-Length"]) == ("kept", "4")
    assert later.text == "never"


async def test_a_change_makes_what_is_kept_invalid() -> None:
    """A POST that succeeds invalidates what is kept for its URL; one that fails does not."""
    handler = Counting()
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        await site.get()
        handler.error = web.HTTPBadRequest()
        await site.ask("POST", "/", data=b"x")
        kept = await site.get()
        handler.error = None
        posted = await site.ask("POST", "/", data=b"x")
        anew = await site.get()
    assert kept.is_hit
    assert (posted.text, "fwd=method" in posted.told) == ("answer 3", True)
    assert anew.text == "answer 4"


async def test_a_get_with_a_body_passes() -> None:
    """A request whose body may be part of the question is never answered from the cache, nor its answer kept."""
    handler = Counting()
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        fat = await site.ask("GET", "/", data=b"other question")
        plain = await site.get()
        fat_again = await site.ask("GET", "/", data=b"other question")
    assert [reply.text for reply in (fat, plain, fat_again)] == ["answer 1", "answer 2", "answer 3"]
    assert fat.told == ""


async def test_tags_are_told_by_a_header_that_is_taken_off() -> None:
    """`Cache-Tag` names what to purge by; clients do not see it, neither at first nor later."""
    handler = Counting(Cache_Tag="product:1, shelf:7 sale")
    async with ResponseCache() as cache, serving(cache, {"/": handler.answer}) as site:
        first = await site.get()
        again = await site.get()
        await cache.purge_tags("product:2")
        kept = await site.get()
        await cache.purge_tags("sale")
        anew = await site.get()
    assert (again.is_hit, kept.is_hit, anew.is_hit) == (True, True, False)
    assert not any("Cache-Tag" in reply.headers for reply in (first, again, kept, anew))


async def test_the_header_of_tags_can_have_another_name_or_none() -> None:
    """`tag_header` is another field, or None: then nothing is taken off."""
    handler = Counting(Surrogate_Key="a b", Cache_Tag="c")
    async with (
        ResponseCache(tag_header="Surrogate-Key") as named,
        ResponseCache(tag_header=None) as unnamed,
        serving(named, {"/": handler.answer}) as one,
        serving(unnamed, {"/": handler.answer}) as other,
    ):
        replies = [await one.get(), await other.get()]
        await named.purge_tags("b")
        await unnamed.purge_tags("a", "c")
        assert (await one.get()).is_hit is False
        assert (await other.get()).is_hit is True
    assert [name in reply.headers for reply in replies for name in ("Surrogate-Key", "Cache-Tag")] == [
        False, True, True, True,
    ]  # fmt: skip


async def test_tags_are_told_by_the_request() -> None:
    """A handler may put tags into its request."""
    from asynccache.http.server.web_origin import CACHE_TAGS

    runs = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        request[CACHE_TAGS] = ("deep",)
        return web.Response(text="x", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        await site.get()
        await cache.purge_tags("deep")
        await site.get()
    assert runs == 2


async def test_owners_invalidate_urls_and_everything() -> None:
    """`invalidate` takes a URL as clients ask for it, with all its variants; `clear` takes everything."""
    handler = Counting(Vary="Accept-Language")
    async with ResponseCache() as cache, serving(cache, {"/{path}": handler.answer}) as site:
        for path in ("/a", "/b"):
            await site.get(path, Accept_Language="de")
            await site.get(path, Accept_Language="en")
        await cache.invalidate(site.url("/a"))
        assert not (await site.get("/a", Accept_Language="de")).is_hit
        assert not (await site.get("/a", Accept_Language="en")).is_hit
        assert (await site.get("/b", Accept_Language="en")).is_hit
        await cache.clear()
        assert not (await site.get("/b", Accept_Language="en")).is_hit


async def test_an_entity_tag_is_made_of_the_octets(clock: ManualClock) -> None:
    """With `etag=True` a response that is kept has a strong entity tag, the same for the same octets."""
    handler = Counting()

    async def constant(_: web.Request) -> web.Response:
        return web.Response(text="the same", headers={"Cache-Control": "max-age=60"})

    async def unkept(_: web.Request) -> web.Response:
        return web.Response(text="the same")

    handlers = {"/": handler.answer, "/constant": constant, "/unkept": unkept}
    async with ResponseCache(etag=True, clock=clock) as cache, serving(cache, handlers) as site:
        first, again = await site.get(), await site.get()
        constant_first = await site.get("/constant")
        clock.advance(100)
        other, constant_again = await site.get(), await site.get("/constant")
        same = await site.get("/constant", If_None_Match=constant_first.headers["ETag"])
        plain = await site.get("/unkept")
    assert first.headers["ETag"] == again.headers["ETag"] != other.headers["ETag"]
    assert first.headers["ETag"].startswith('"')
    assert constant_first.headers["ETag"] == constant_again.headers["ETag"]
    assert same.status == 304
    assert "ETag" not in plain.headers


async def test_a_compressed_response_is_compressed_again() -> None:
    """A handler that has its body compressed has it so from the cache, for those who accept that."""
    body = b"compress me " * 500

    async def answer(_: web.Request) -> web.Response:
        response = web.Response(body=body, headers={"Cache-Control": "max-age=60"})
        response.enable_compression()
        return response

    async with ResponseCache(etag=True) as cache, serving(cache, {"/": answer}) as site:
        replies = [await site.get(Accept_Encoding="deflate") for _ in range(2)]
        plain = await site.get(Accept_Encoding="identity")
    assert [reply.is_hit for reply in replies] == [False, True]
    for reply in replies:
        assert reply.headers["Content-Encoding"] == "deflate"
        assert zlib.decompress(reply.body) == body
        assert reply.headers["ETag"].startswith("W/")  # the octets differ with the coding
    assert plain.is_hit
    assert plain.body == body
    assert not any("asynccache-compress" in reply.headers for reply in (*replies, plain))


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 700_000])
async def test_bodies_of_all_sizes_come_back_whole(size: int) -> None:
    """A body is served as it was made, wherever it lies in the store."""
    body = bytes(number % 251 for number in range(size))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        first, again = await site.get(), await site.get()
        assert (await site.ask("HEAD", "/")).headers["Content-Length"] == str(size)
    assert again.is_hit
    assert first.body == again.body == body
    assert again.headers.getall("Content-Length") == [str(size)]


async def test_a_body_that_is_too_large_is_not_kept() -> None:
    """More than `max_body` is handed on, and not stored."""
    handler = Counting()
    async with ResponseCache(max_body=7) as cache, serving(cache, {"/": handler.answer}) as site:
        replies = [await site.get() for _ in range(2)]
    assert [reply.text for reply in replies] == ["answer 1", "answer 2"]


async def test_signals_are_sent_for_hits_too() -> None:
    """An application's `on_response_prepare` sees what comes from the cache as well."""
    seen: list[int] = []

    async def note(_: web.Request, response: web.StreamResponse) -> None:
        seen.append(response.status)

    handler = Counting()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[cache])
        app.router.add_get("/", handler.answer)
        app.on_response_prepare.append(note)
        async with WebSite(app) as site:
            await site.get()
            await site.get()
    assert seen == [200, 200]


async def test_what_only_an_option_keeps_is_told_apart_by_its_rules(clock: ManualClock) -> None:
    """`default_ttl` and rules say it for handlers that do not."""
    silent, spoken = Counting(""), Counting("max-age=5")
    rules = (Rule("*/long", ttl=1000), Rule("*/never", cache=False))
    handlers = {"/silent": silent.answer, "/spoken": spoken.answer, "/long": spoken.answer, "/never": spoken.answer}
    async with ResponseCache(default_ttl=60, rules=rules, clock=clock) as cache, serving(cache, handlers) as site:
        for path in handlers:
            await site.get(path)
        clock.advance(30)
        assert [(await site.get(path)).is_hit for path in handlers] == [True, False, True, False]


async def test_a_store_in_a_file_outlives_its_cache(tmp_path: Path) -> None:
    """A store that was opened from a URL is closed with the cache, and keeps what it has."""
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    handler = Counting()
    async with ResponseCache(url) as cache, serving(cache, {"/": handler.answer}) as site:
        port = site.port
        await site.get(Host="shop.example")
    async with ResponseCache(url) as cache, serving(cache, {"/": handler.answer}) as site:
        assert site.port != port or handler.runs == 1
        assert (await site.get(Host="shop.example")).is_hit


async def test_a_store_that_is_given_is_left_open_and_shared() -> None:
    """Two caches with one store are one cache; closing one closes neither the store nor the other."""
    store = MemoryStore()
    handler = Counting(Cache_Tag="t")
    async with ResponseCache(store) as other:
        async with ResponseCache(store) as cache, serving(cache, {"/": handler.answer}) as site:
            await site.get(Host="shop.example")
        async with serving(other, {"/": handler.answer}) as site:
            assert (await site.get(Host="shop.example")).is_hit
            await other.purge_tags("t")
            assert not (await site.get(Host="shop.example")).is_hit
    assert not store.is_closed
    await store.aclose()


async def test_a_closed_cache_is_no_cache() -> None:
    """After the end, requests go to their handlers, and nothing is said about a cache."""
    handler = Counting()
    cache = ResponseCache()
    async with serving(cache, {"/": handler.answer}) as site:
        await site.get()
        await cache.aclose()
        reply = await site.get()
    assert (reply.text, reply.told) == ("answer 2", "")


async def test_an_application_closes_its_cache() -> None:
    """`cleanup_ctx` ties a cache to an application's life."""
    store = MemoryStore()
    cache = ResponseCache(store)
    app = web.Application(middlewares=[cache])
    handler = Counting()
    app.router.add_get("/", handler.answer)
    app.cleanup_ctx.append(cache.cleanup_ctx)
    async with WebSite(app) as site:
        await site.get()
        assert (await site.get()).is_hit
    async with serving(cache, {"/": handler.answer}) as site:
        assert not (await site.get()).is_hit
    await store.aclose()


async def test_what_became_of_requests_is_counted() -> None:
    """`stats` tells hits, misses and what passed."""
    kept, passed = Counting(), Counting("no-store")
    async with ResponseCache() as cache, serving(cache, {"/": kept.answer, "/passed": passed.answer}) as site:
        for path in ("/", "/", "/", "/passed"):
            await site.get(path)
        assert cache.stats() == HttpStats(hits=2, misses=1, passed=1)


async def test_a_handler_that_returns_nothing_is_told_so_by_aiohttp() -> None:
    """What is no response reaches aiohttp as it is: a 500, and nothing kept."""

    async def answer(_: web.Request) -> None:
        return None

    async with ResponseCache(ttl=60) as cache, serving(cache, {"/": answer}) as site:
        assert [(await site.get()).status for _ in range(2)] == [500, 500]
