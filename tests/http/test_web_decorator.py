"""Handlers of aiohttp.web that are decorated, with and without the cache as a middleware around them."""

from typing import Any

import pytest
from aiohttp import web

from asynccache.http import Rule
from asynccache.http.server.handlers import ResponseCache
from asynccache.testing import ManualClock
from tests.http.web_site import Arrivals, Counting, WebSite, serving


def plain(handlers: dict[str, Any]) -> WebSite:
    """Give a site without any middleware."""
    app = web.Application()
    for path, handler in handlers.items():
        app.router.add_route("*", path, handler)
    return WebSite(app)


@pytest.mark.parametrize("has_middleware", [False, True], ids=["alone", "with the middleware"])
async def test_a_decorated_handler_is_cached_for_its_ttl(clock: ManualClock, has_middleware: bool) -> None:
    """A handler that says nothing is kept as long as the decorator says, and clients are not told to keep it."""
    handler = Counting("")
    async with ResponseCache(clock=clock) as cache:
        decorated = cache.cached(ttl=60)(handler.answer)
        async with serving(cache, {"/": decorated}) if has_middleware else plain({"/": decorated}) as site:
            first = await site.get(Cookie="user=1")
            clock.advance(59)
            again = await site.get(Cookie="user=2")
            clock.advance(2)
            later = await site.get()
    assert [reply.text for reply in (first, again, later)] == ["answer 1", "answer 1", "answer 2"]
    assert again.told.startswith("asynccache; hit; ttl=1")
    assert "Cache-Control" not in again.headers
    assert "Vary" not in again.headers


@pytest.mark.parametrize("control", ["no-store", "private"])
async def test_a_handler_that_forbids_it_is_obeyed(control: str) -> None:
    """The decorator's ttl takes the place of the handler's freshness, not of its word against caches."""
    handler = Counting(control)
    async with ResponseCache() as cache, plain({"/": cache.cached(ttl=60)(handler.answer)}) as site:
        assert [(await site.get()).text for _ in range(2)] == ["answer 1", "answer 2"]


async def test_a_decorated_handler_does_not_publish_answers_to_a_login() -> None:
    """A request with Authorization runs the handler, unless its response is public."""
    handler, public = Counting(""), Counting("public")
    async with ResponseCache() as cache:
        handlers = {"/": cache.cached(ttl=60)(handler.answer), "/public": cache.cached(ttl=60)(public.answer)}
        async with plain(handlers) as site:
            for path in handlers:
                for user in ("Basic one", "Basic two"):
                    await site.get(path, Authorization=user)
    assert (handler.runs, public.runs) == (2, 1)


async def test_the_decorators_ttl_counts_before_the_handlers(clock: ManualClock) -> None:
    """What the decorator says is nearer than `max-age`; without a ttl, the handler's counts."""
    one, other = Counting("max-age=5"), Counting("max-age=5")
    async with ResponseCache(clock=clock) as cache:
        handlers = {"/one": cache.cached(ttl=60)(one.answer), "/other": cache.cached()(other.answer)}
        async with plain(handlers) as site:
            for path in handlers:
                await site.get(path)
            clock.advance(30)
            assert [(await site.get(path)).is_hit for path in handlers] == [True, False]


async def test_two_handlers_have_two_ttls(clock: ManualClock) -> None:
    """What one decorator says does not hold for another handler."""
    one, other = Counting(""), Counting("")
    async with ResponseCache(clock=clock, ttl=10) as cache:
        handlers = {"/one": cache.cached(ttl=60)(one.answer), "/other": cache.cached(ttl=5)(other.answer)}
        async with serving(cache, {**handlers, "/all": Counting("").answer}) as site:
            for seconds, hits in (
                (0, [False] * 3),
                (4, [True] * 3),
                (4, [True, False, True]),
                (4, [True, True, False]),
            ):
                clock.advance(seconds)
                assert [(await site.get(path)).is_hit for path in ("/one", "/other", "/all")] == hits


async def test_decorated_handlers_are_purged_by_tags() -> None:
    """Tags are words, or a function of the request."""
    fixed, made = Counting(""), Counting("")
    async with ResponseCache() as cache:
        handlers = {
            "/fixed": cache.cached(ttl=60, tags=("all", "fixed"))(fixed.answer),
            "/made/{id}": cache.cached(ttl=60, tags=lambda request: ["all", request.match_info["id"]])(made.answer),
        }
        paths = ("/fixed", "/made/1", "/made/2")
        async with plain(handlers) as site:

            async def hits() -> list[bool]:
                return [(await site.get(path)).is_hit for path in paths]

            assert await hits() == [False, False, False]
            await cache.purge_tags("1")
            assert await hits() == [True, False, True]
            await cache.purge_tags("fixed", "2")
            assert await hits() == [False, True, False]
            await cache.purge_tags("all")
            assert await hits() == [False, False, False]


async def test_what_a_handler_looks_at_is_told_in_vary() -> None:
    """`vary` is added to what the handler says itself, for clients too."""
    handler = Counting("", Vary="Accept")
    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=60, vary=("Accept-Language",))(handler.answer)
        async with plain({"/": decorated}) as site:
            german, english = await site.get(Accept_Language="de"), await site.get(Accept_Language="en")
            again = await site.get(Accept_Language="de")
    assert [reply.text for reply in (german, english, again)] == ["answer 1", "answer 2", "answer 1"]
    for reply in (german, again):
        assert ", ".join(reply.headers.getall("Vary")) == "Accept, Accept-Language"


async def test_an_old_answer_of_a_decorated_handler_is_served(clock: ManualClock) -> None:
    """`stale_if_error` and `stale_while_revalidate` hold for one handler."""
    failing, slow = Counting(""), Counting("")
    async with ResponseCache(clock=clock) as cache:
        handlers = {
            "/failing": cache.cached(ttl=10, stale_if_error=60)(failing.answer),
            "/slow": cache.cached(ttl=10, stale_while_revalidate=60)(slow.answer),
        }
        async with plain(handlers) as site:
            for path in handlers:
                await site.get(path)
            clock.advance(20)
            failing.error = RuntimeError("down")
            replies = [await site.get(path) for path in handlers]
    assert [(reply.status, reply.text) for reply in replies] == [(200, "answer 1")] * 2


async def test_methods_and_views_can_be_decorated() -> None:
    """A method of an object, and one of a `web.View`, keep their `self`."""
    async with ResponseCache() as cache:

        class Shelf:
            def __init__(self) -> None:
                self.runs = 0

            @cache.cached(ttl=60)
            async def answer(self, request: web.Request) -> web.Response:
                self.runs += 1
                return web.Response(text=f"{request.path} {self.runs}")

        class Page(web.View):
            runs = 0

            @cache.cached(ttl=60)
            async def get(self) -> web.Response:
                Page.runs += 1
                return web.Response(text=f"{self.request.path} {Page.runs}")

            async def post(self) -> web.Response:
                return web.Response(text="posted")

        async with serving(cache, {"/shelf": Shelf().answer, "/page": Page}) as site:
            assert [(await site.get(path)).text for path in ("/shelf", "/shelf", "/page", "/page")] == [
                "/shelf 1", "/shelf 1", "/page 1", "/page 1",
            ]  # fmt: skip
            assert (await site.ask("POST", "/page")).text == "posted"
            assert (await site.get("/page")).text == "/page 2"  # what a POST changes is invalid, decorated or not


async def test_a_view_is_made_anew_for_a_changed_request(clock: ManualClock) -> None:
    """A decorated method of a View that is validated sees the cache's condition in `self.request`."""
    seen: list[str | None] = []
    async with ResponseCache(clock=clock) as cache:

        class Page(web.View):
            @cache.cached(ttl=10)
            async def get(self) -> web.Response:
                seen.append(self.request.headers.get("If-None-Match"))
                return web.Response(text="x", headers={"ETag": '"1"'})

        async with plain({"/": Page}) as site:
            await site.get()
            clock.advance(20)
            await site.get()
    assert seen == [None, '"1"']


async def test_middlewares_run_for_every_request_to_a_decorated_handler() -> None:
    """Only the handler itself is spared: what lies around it, such as a check of who asks, sees each request."""
    handler = Counting("")
    inner = Arrivals()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[cache, inner.see])
        app.router.add_get("/", cache.cached(ttl=60)(handler.answer))
        async with WebSite(app) as site:
            await site.get()
            await site.get()
    assert (inner.number, handler.runs) == (2, 1)


async def test_a_sub_application_may_have_the_same_cache() -> None:
    """One cache as a middleware of two applications, one inside the other, answers once."""
    handler = Counting()
    async with ResponseCache() as cache:
        sub = web.Application(middlewares=[cache])
        sub.router.add_get("/", handler.answer)
        app = web.Application(middlewares=[cache])
        app.add_subapp("/sub", sub)
        async with WebSite(app) as site:
            first, again = await site.get("/sub/"), await site.get("/sub/")
    assert (first.text, again.text, again.is_hit) == ("answer 1", "answer 1", True)
    assert len(again.headers.getall("Cache-Status")) == 1


@pytest.mark.parametrize(
    ("status", "is_kept"),
    [(200, True), (204, True), (301, True), (404, True), (201, False), (302, False), (503, False)],
)
async def test_a_decorators_ttl_holds_for_what_may_be_kept_without_saying_so(status: int, is_kept: bool) -> None:
    """A status that is no answer for a while to come is kept only if the handler itself says for how long."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = {"Cache-Control": "max-age=9"} if "says" in request.query else None
        return web.Response(status=status, headers=said)

    async with ResponseCache() as cache, plain({"/": cache.cached(ttl=60)(answer)}) as site:
        replies = {path: [await site.get(path) for _ in range(2)] for path in ("/", "/?says")}
    assert replies["/"][1].is_hit is is_kept
    assert replies["/?says"][1].is_hit
    assert ("detail=no-freshness" in replies["/"][0].told) is not is_kept


async def test_a_rule_that_forbids_caching_holds_for_decorated_handlers() -> None:
    """`Rule(cache=False)` is an owner's last word."""
    handler = Counting("")
    cache = ResponseCache(rules=(Rule("*/never", cache=False),))
    async with cache, plain({"/never": cache.cached(ttl=60)(handler.answer)}) as site:
        assert [(await site.get("/never")).text for _ in range(2)] == ["answer 1", "answer 2"]


async def test_a_decorated_function_keeps_its_name() -> None:
    """A handler looks the same from outside."""

    async def product(request: web.Request) -> web.Response:
        """Show it."""
        return web.Response()

    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=1)(product)
    assert (decorated.__name__, decorated.__doc__) == ("product", "Show it.")


async def test_what_is_no_handler_is_refused() -> None:
    """A decorated function that is called without a request says what it is for."""

    async def answer(number: int) -> web.Response:
        return web.Response(text=str(number))

    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=1)(answer)
        with pytest.raises(TypeError, match=r"handlers of aiohttp\.web"):
            await decorated(1)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"ttl": -1}, ValueError, "ttl must be 0 seconds or more"),
        ({"ttl": float("inf")}, ValueError, "not endless"),
        ({"ttl": "60"}, ValueError, "ttl must be a number of seconds"),
        ({"tags": "product"}, TypeError, "tags must hold several words"),
        ({"vary": "Accept"}, TypeError, "vary must hold several words"),
    ],
)
async def test_options_that_mean_nothing_are_refused_where_they_are_written(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """A mistake in a decorator's options is told when the module is read."""
    async with ResponseCache() as cache:
        with pytest.raises(error, match=said):
            cache.cached(**options)


async def test_a_decorator_without_parentheses_says_what_to_write() -> None:
    """`@cache.cached` is refused where it stands."""
    handler: Any = Counting().answer
    async with ResponseCache() as cache:
        with pytest.raises(TypeError, match=r"write @cache\.cached\(ttl=60\)"):
            cache.cached(handler)
