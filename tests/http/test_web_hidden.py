"""Handlers whose decorator is hidden from the middleware by another one, so that it cannot tell that they have one."""

import functools

from aiohttp import web

from asynccache.http.server.handlers import ResponseCache
from tests.http.web_site import Counting, serving


async def test_a_decorator_that_is_hidden_is_taken_at_its_word() -> None:
    """Where another decorator hides it from the middleware, what is decorated tells its terms by its response."""
    handler = Counting("")
    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=60, tags=("deep",), vary=("Accept",))(handler.answer)

        async def hiding(request: web.Request) -> web.StreamResponse:
            return await decorated(request)

        async with serving(cache, {"/": hiding}) as site:
            replies = [await site.get(), await site.get()]
            await cache.purge_tags("deep")
            anew = await site.get()
    assert [reply.text for reply in (*replies, anew)] == ["answer 1", "answer 1", "answer 2"]
    assert replies[1].headers["Cache-Control"] == "s-maxage=60"
    assert replies[1].headers["Vary"] == "Accept"


async def test_a_decorator_that_is_hidden_publishes_nothing_that_it_would_not_keep_itself() -> None:
    """Answers to a login, errors and cookies do not become everybody's because another decorator lies around it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=int(request.query.get("status", "200")), text=str(request.headers))
        if "cookie" in request.query:
            response.set_cookie("session", "1")
        return response

    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=60)(answer)
        in_parts = functools.partial(decorated)

        async def hiding(request: web.Request) -> web.StreamResponse:
            return await decorated(request)

        async with serving(cache, {"/": hiding, "/partial": in_parts, "/direct": decorated}) as site:
            for path in ("/", "/partial", "/direct"):
                for query in ("?status=500", "?status=401", "?status=403", "?cookie"):
                    replies = [await site.get(path + query) for _ in range(2)]
                    assert "Cache-Control" not in replies[0].headers
                    assert not replies[1].is_hit
                await site.get(path, Authorization="Basic one")
                assert "Basic" not in (await site.get(path)).text


async def test_a_stream_behind_a_hidden_decorator_is_left_as_it_is() -> None:
    """What a handler sends itself has gone already when the decorator sees it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"sent")
        return response

    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=60)(answer)
        async with serving(cache, {"/": functools.partial(decorated)}) as site:
            replies = [await site.get() for _ in range(2)]
    assert [(reply.text, reply.is_hit) for reply in replies] == [("sent", False)] * 2
