"""The cache that an aiohttp session is given as a middleware.

Decides which requests concern a cache at all, and what of a request is part of what is asked for.
"""

import asyncio
from typing import Final, Unpack

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.payload import BytesPayload
from yarl import URL

from asynccache.http import rfc9111
from asynccache.http.answering.exchange import Answer
from asynccache.http.answering.serving import only_if_cached
from asynccache.http.client.marks import decodes_bodies, mark_of, mark_of_body
from asynccache.http.client.origin import ClientArrival, ClientOrigin, give_back, teed
from asynccache.http.client.responses import CachedResponse, TeedResponse, cached_class, response_of
from asynccache.http.face import CacheFace
from asynccache.http.options import HttpCacheOptions, build_cache
from asynccache.http.settings.directives import current_directives
from asynccache.http.settings.rules import Ruling
from asynccache.http.syntax.iris import as_sent
from asynccache.http.syntax.message import Request
from asynccache.http.syntax.status import CacheStatus
from asynccache.stores.contract import Store


class CacheMiddleware(CacheFace):
    """Caches what an `aiohttp.ClientSession` fetches, as a private cache does (RFC 9111).

    Give it to a session as the last of its middlewares: `ClientSession(middlewares=(cache,))`. One cache can serve many
    sessions. Without a `store` it needs no closing; with one, `async with` it, around the sessions.

    Args:
        store: where responses are kept: a URL, such as `sqlite:///cache.db`, or a `Store`; None: in this process. A
            `Store` that is passed in is not closed.
        options: see `HttpCacheOptions`.

    Raises:
        TypeError, ValueError: an option that cannot be meant.
        ImportError: the store needs a package that is not installed.

    Example:
        async with CacheMiddleware() as cache, aiohttp.ClientSession(middlewares=(cache,)) as session: ...
    """

    def __init__(self, store: Store | str | None = None, **options: Unpack[HttpCacheOptions]) -> None:
        super().__init__(build_cache(store, shared=False, name="CacheMiddleware", **options))
        self._cache = self._built.cache
        self._clock = self._cache.clock

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Answer a request from the cache, or by the handler: what a middleware is called for."""
        headers = request.headers
        said = current_directives()
        if said and said not in headers.getall("Cache-Control", ()):  # it was, if a middleware asks once more
            headers.add("Cache-Control", said)
        asked = Request(request.method, _uri(request.url), headers)
        ruling = self._built.rules.of(asked.uri)
        is_upgrade, body = "upgrade" in headers or request.method == "CONNECT", request.body
        passes_by = is_upgrade or (
            bool(body) and (request.method in {"GET", "HEAD"} or not isinstance(body, BytesPayload))
        )
        if (passes_by or not _may_be_kept(asked, ruling)) and rfc9111.wants_only_stored(asked, ruling.policy):
            teed(request)
            return self._response(only_if_cached(CacheStatus(detail="only-if-cached")), request)
        if is_upgrade:
            return await handler(request)
        teed(request)
        decodes = decodes_bodies(request, handler)
        origin = ClientOrigin(request, handler, self._clock, decodes=decodes)
        if passes_by:
            return self._response(await self._cache.forward(asked, origin), request)
        mark = mark_of(request, decodes=decodes)
        if isinstance(body, BytesPayload):
            mark += mark_of_body(body, headers.get("Content-Type", ""))
        answer = await self._cache.respond(asked, origin, mark, ruling=ruling, group=request.proxy)
        return self._response(answer, request)

    def _response(self, answer: Answer, request: ClientRequest) -> ClientResponse:
        arrival = answer.arrival
        if not isinstance(arrival, ClientArrival):
            return response_of(cached_class(request.response_class), request, answer, asyncio.get_running_loop())
        native = arrival.native
        if answer.spool is not None and not arrival.is_own:
            made = response_of(cached_class(request.response_class), request, answer, asyncio.get_running_loop())
            made.set_cookies_of(native)
            return made
        if isinstance(native, TeedResponse):
            native.cache_status = answer.cache_status
            if answer.spool is not None:
                native.tee(answer.spool, arrival.timer)
                return native
        give_back(native.content, arrival.timer)
        return native

    def _as_sent(self, url: str) -> str | None:
        return as_sent(str(URL(url)))  # a session makes this of it: `/a/../b` is asked for as `/b`


def cache_status(response: ClientResponse) -> CacheStatus | None:
    """Tell what the cache did for a response (RFC 9211); None if none had to do with it."""
    return response.cache_status if isinstance(response, TeedResponse | CachedResponse) else None


def is_from_cache(response: ClientResponse) -> bool:
    """Tell whether a response came from the cache, be it after the origin had confirmed it."""
    return isinstance(response, CachedResponse) and response.from_cache


def _may_be_kept(asked: Request, ruling: Ruling) -> bool:
    return ruling.is_cached and asked.method in ruling.policy.methods


def _uri(url: URL) -> str:
    text = str(url)
    try:
        return _known[text]
    except KeyError:
        uri = rfc9111.cache_uri(text)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[text] = uri
        return uri


_known: Final[dict[str, str]] = {}
_MOST_KNOWN: Final = 4_096
