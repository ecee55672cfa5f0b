"""The cache that an application of aiohttp.web is given: as a middleware, by decorated handlers, or both.

Decides which requests concern it, and who is given the handler's own response: the one whose request it was.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final, TypeVar, Unpack, cast

from aiohttp import web

from asynccache.http.answering.exchange import Answer, Kind
from asynccache.http.answering.sinks import NullSink
from asynccache.http.answering.spool import Spool
from asynccache.http.server.decorated import AnyHandler, HandlerTerms, TagsOf, call_of, read_terms
from asynccache.http.server.face import ServerCache, ServerCacheOptions
from asynccache.http.server.pieces import BodyReader
from asynccache.http.server.sharing import extra_lines
from asynccache.http.server.targets import uri_of
from asynccache.http.server.web_origin import Handler, Told, WebArrival, WebOrigin
from asynccache.http.server.web_responses import response_of
from asynccache.http.settings.rules import Ruling
from asynccache.http.syntax.message import Request
from asynccache.stores.contract import Store

_F = TypeVar("_F", bound=Callable[..., Awaitable[web.StreamResponse]])

_PATIENCE: Final = 1.0
"""Seconds for which a response waits at most until it is stored."""

_MARK: Final = "__asynccache_response_cache__"
_inside: Final[ContextVar[tuple[object, ...]]] = ContextVar("asynccache.http.inside", default=())
"""The caches whose handler is running."""


class ResponseCache(ServerCache):
    """A shared cache in front of handlers of aiohttp.web (RFC 9111), as a middleware or for decorated handlers.

    What may be kept, the handlers' responses say (`Cache-Control`, `Expires`), unless an option, a rule or the
    decorator says more. Never kept for others: `private` responses and `no-store`, those with `Set-Cookie`, and those
    to requests with `Authorization`, unless they say `public`, `s-maxage` or `must-revalidate`. If only an option says
    that a response is fresh, or it has to be validated each time (`no-cache`, `max-age=0`), it is given to requests
    with the same `Authorization` and `Cookie` only; one that says for how long it is fresh, or comes from a decorated
    handler, is for everybody.

    The key is scheme, `Host`, path and query; escapes that mean nothing (`%61`) make no other. No other field is part
    of it, `X-Forwarded-Host` neither: a handler that looks at one names it in `Vary`, or the answer to one client is
    given to all.

    Requests for the same at the same time run the handler once. Responses that a handler sends itself
    (`web.StreamResponse`, `FileResponse`, WebSockets), those with a body that is no bytes, and event streams pass
    untouched, as do requests with a body. A handler may also be run behind, for an old response that is served
    meanwhile: its request is a copy then, whose connection may be closed, and it can return a response, not send one.

    Args:
        store: keeps the responses; a URL such as "redis://localhost/0", which is closed with the cache, or a store,
            which is not. None: in memory, 64 MiB.
        **options: see `HttpCacheOptions` and `ServerCacheOptions`.

    Raises:
        TypeError, ValueError: an option that cannot be meant; the message says what to write instead.
        ImportError: the store needs a package that is missing.

    Example:
        cache = ResponseCache("redis://localhost/0", default_ttl=60)
        app = web.Application(middlewares=[cache])
        app.cleanup_ctx.append(cache.cleanup_ctx)
    """

    __middleware_version__: Final = 1

    def __init__(self, store: Store | str | None = None, **options: Unpack[ServerCacheOptions]) -> None:
        super().__init__(store, options)
        self._told: dict[Ruling, Told] = {}

    async def cleanup_ctx(self, _: web.Application) -> AsyncIterator[None]:
        """Close the cache with an application: `app.cleanup_ctx.append(cache.cleanup_ctx)`."""
        yield
        await self.aclose()

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request: called by aiohttp, as every middleware is."""
        return await handler(request) if self._is_decorated(request) else await self._answer(request, handler, None)

    def cached(
        self,
        handler: None = None,
        /,
        *,
        ttl: float | timedelta | None = None,
        tags: Iterable[str] | TagsOf = (),
        vary: Iterable[str] = (),
        stale_while_revalidate: float | timedelta | None = None,
        stale_if_error: float | timedelta | None = None,
    ) -> Callable[[_F], _F]:
        """Cache what a handler returns, whether this cache is also a middleware or not.

        The handler is a function of the request, a method of one argument, or a method of a `web.View`. Middlewares run
        for every request then; only the handler itself is spared.

        Args:
            handler: nothing: it is `@cache.cached()`, with parentheses.
            ttl: how long each response is fresh that may be kept, in seconds, whatever its fields say about that. None:
                they say it. Where they forbid keeping it (`no-store`, `private`, `Set-Cookie`), they are obeyed. It
                holds for 200, 203, 204, 300, 301, 308, 404, 405, 410, 414 and 501 (RFC 9110, 15.1); a response of
                another status is kept if it says for how long, or `public`.
            tags: to purge its responses by, or a function of the request that gives them.
            vary: request fields that the handler looks at; they are added to `Vary`.
            stale_while_revalidate: seconds for which an old response is served while the handler runs behind.
            stale_if_error: seconds for which an old response is served if the handler fails.

        Raises:
            TypeError, ValueError: an option cannot be meant.

        Example:
            @cache.cached(ttl=60, tags=lambda request: [f"product:{request.match_info['id']}"])
            async def product(request: web.Request) -> web.Response: ...
        """
        if handler is not None:
            raise TypeError("write @cache.cached(ttl=60), or @cache.cached(): the decorator is what that call gives")
        terms = read_terms(ttl, tags, vary, stale_while_revalidate, stale_if_error)

        def decorate(handler: _F) -> _F:
            @functools.wraps(handler)
            async def answer(*args: Any) -> web.StreamResponse:
                request, run = call_of(cast("AnyHandler", handler), args)
                return await self._answer(request, run, terms)

            setattr(answer, _MARK, self)
            return cast("_F", answer)

        return decorate

    def _is_decorated(self, request: web.Request) -> bool:
        """Tell whether the handler, further inside, asks this cache itself."""
        handler: Any = request.match_info.handler
        if isinstance(handler, type):
            handler = getattr(handler, request.method.lower(), None)
        return getattr(handler, _MARK, None) is self

    async def _answer(self, request: web.Request, handler: Handler, terms: HandlerTerms | None) -> web.StreamResponse:
        if self in _inside.get():  # what comes is for another answer of this cache
            response = await handler(request)
            if terms is not None:
                terms.tell(request, response)
            return response
        is_read = request.method in {"GET", "HEAD"}
        is_plain = not (is_read and (request.body_exists or "Upgrade" in request.headers))
        uri = uri_of(request.scheme, request.host, request.raw_path) if is_plain and not self._is_closed else None
        return await (handler(request) if uri is None else self._ask(request, uri, handler, terms))

    async def _ask(
        self, request: web.Request, uri: str, handler: Handler, terms: HandlerTerms | None
    ) -> web.StreamResponse:
        asked = Request(request.method, uri, request.headers)
        ruling = self._built.rules.of(uri)
        if terms is not None:
            ruling = terms.ruling(ruling)
        told = self._told.get(ruling) or self._tell(ruling, terms)
        origin = WebOrigin(request, self._within(handler), asked, told, self._built.clock, self._runs)
        try:
            answer = await self._built.cache.respond(asked, origin, ruling=ruling)
        except BaseException:
            origin.leave()
            raise
        if answer.arrival is not None:
            return await _own_response(answer, cast("WebArrival", answer.arrival))
        body = BodyReader(answer)
        if answer.kind is Kind.STREAMED:
            body.content = await body.whole()
        return response_of(answer, body, is_head=request.method == "HEAD")

    def _tell(self, ruling: Ruling, terms: HandlerTerms | None) -> Told:
        told = self._told[ruling] = Told(
            ruling.policy,
            None if terms is None else terms.tags_of,
            () if terms is None else terms.vary,
            self._tag_header,
            self._adds_etags,
        )
        return told

    def _within(self, handler: Handler) -> Handler:
        """Give a handler that this cache does not answer for once more while it runs."""

        async def run(request: web.Request) -> web.StreamResponse:
            token = _inside.set((*_inside.get(), self))
            try:
                return await handler(request)
            finally:
                _inside.reset(token)

        return run


async def _stored(spool: Spool) -> None:
    """Wait until a response is stored that is there as a whole, so that who has an answer finds it kept.

    Whether it could be stored is no affair of those who have it already.
    """
    sink = NullSink()
    spool.attach(sink)
    try:
        async with asyncio.timeout(_PATIENCE):
            await sink.wait()
    except Exception:
        return  # what takes longer goes on behind
    except BaseException:
        spool.leave(sink)
        raise


async def _own_response(answer: Answer, arrival: WebArrival) -> web.StreamResponse:
    """Give the one whose request it was what the handler has made of it.

    Raises:
        Exception: what the handler has raised, be it a response or not.
    """
    if answer.spool is not None:
        await _stored(answer.spool)
    native = arrival.native if arrival.sending is None else await arrival.sending
    if isinstance(native, web.StreamResponse) and not native.prepared:
        native.headers.extend(extra_lines(answer))
    if isinstance(native, Exception):
        raise native
    return cast("web.StreamResponse", native)
