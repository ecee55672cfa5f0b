"""The cache around an ASGI application: Starlette, FastAPI, Quart and others.

Decides which requests concern it, and how its answers are sent.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final, Unpack

from asynccache.http.answering.exchange import Answer
from asynccache.http.server.asgi_listening import Listening
from asynccache.http.server.asgi_origin import Application, AsgiOrigin, encoded
from asynccache.http.server.asgi_run import AsgiRun
from asynccache.http.server.asgi_scopes import (
    fields_of,
    has_more,
    heard_again,
    may_have_a_body_untold,
    tells_of_a_body,
    uri_of_scope,
)
from asynccache.http.server.asgi_types import App, Message, Receive, Scope, Send
from asynccache.http.server.face import ServerCache, ServerCacheOptions
from asynccache.http.server.pieces import BodyReader
from asynccache.http.server.sharing import extra_lines, without_age
from asynccache.http.settings.rules import Ruling
from asynccache.http.syntax.message import Fields, Pairs, Request
from asynccache.http.syntax.status import CacheStatus
from asynccache.stores.contract import Store

_LIFESPAN_ENDS: Final = frozenset({"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_READS: Final = frozenset({"GET", "HEAD"})


class ASGICacheMiddleware(ServerCache):
    """A shared cache around an ASGI application (RFC 9111).

    What may be kept, the application's responses say (`Cache-Control`, `Expires`), unless an option or a rule says
    more. Never kept for others: responses to requests with `Authorization` that are not `public`, those with
    `Set-Cookie`, `private` ones and `no-store`. If only an option says that a response is fresh, it is given to
    requests with the same `Cookie` only; one that sets `Cache-Control` itself is for everybody.

    The key is scheme, `Host`, path and query as they were sent. No other field is part of it, `X-Forwarded-Host`
    neither: an application that looks at one names it in `Vary`, or the answer to one client is given to all.

    Requests for the same at the same time run the application once. Responses are passed on as they come and stored on
    the way; event streams, WebSockets, the lifespan, a GET with a body, and what a rule does not cache, pass untouched.
    A client that has gone is told to an application that listens for that, once nobody else waits for its response.
    The application may also be run behind, for an old response that is served meanwhile: there is no client then.

    The store is closed, if it was opened here, when the lifespan ends. An application without one needs an `aclose()`.

    Args:
        app: what is cached.
        store: keeps the responses; a URL such as "redis://localhost/0", which is closed with the cache, or a store,
            which is not. None: in memory, 64 MiB.
        date: send the `Date` of what is kept, as RFC 9110 has it (6.6.1): for servers that are told to send none, such
            as `uvicorn --no-date-header`. By default it is left to them: they add their own, and two are one too many.
        **options: see `HttpCacheOptions` and `ServerCacheOptions`.

    Raises:
        TypeError, ValueError: an option that cannot be meant; the message says what to write instead.
        ImportError: the store needs a package that is missing.

    Example:
        app.add_middleware(ASGICacheMiddleware, store="redis://localhost/0", default_ttl=60)
    """

    def __init__(
        self, app: App, store: Store | str | None = None, *, date: bool = False, **options: Unpack[ServerCacheOptions]
    ) -> None:
        super().__init__(store, options)
        self._app = app
        self._application = Application(app, self._built.clock, self._runs, self._tag_header, self._adds_etags)
        self._tells_date = date

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: called by the server, as every ASGI application is."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        uri = None if scope["type"] != "http" or self._is_closed else uri_of_scope(scope)
        if uri is None:
            await self._app(scope, receive, send)
            return
        ruling, method = self._built.rules.of(uri), scope["method"]
        fields = fields_of(scope["headers"])
        if method in _READS:
            if not ruling.is_cached:
                self._built.cache.counts.passed += 1
                await self._app(scope, receive, self._telling_of_the_bypass(send))
                return
            if tells_of_a_body(fields):
                await self._app(scope, receive, send)
                return
            if may_have_a_body_untold(scope):
                first = await receive()
                receive = heard_again(first, receive)
                if has_more(first):
                    await self._app(scope, receive, send)
                    return
        await self._answer(Request(method, uri, fields), ruling, scope, receive, send)

    async def _answer(self, asked: Request, ruling: Ruling, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request from the cache, or through it."""
        upload, heard = (None, receive) if asked.method in _READS else (receive, None)
        client = Listening(heard)
        origin = AsgiOrigin(self._application, scope, upload, asked, ruling.policy, client)
        try:
            with client:
                answer = await self._built.cache.respond(asked, origin, ruling=ruling)
                origin.give_back()
                client.may_go()
                await self._send(asked, answer, client, send)
        finally:
            await client.end()
        if origin.run is not None:
            await origin.run.wait()
            origin.give_back()

    async def _send(self, asked: Request, answer: Answer, client: Listening, send: Send) -> None:
        if answer.arrival is None:
            head = _head(answer.status, _told(answer, with_date=self._tells_date))
        else:
            run: AsgiRun = answer.arrival.native
            head = _head(run.status, [*run.headers, *map(encoded, extra_lines(answer))])
            if answer.spool is None:
                await _send_passed(head, run, client, send)
                return
        body = BodyReader(answer, may_be_finished=True)
        try:
            await send(head)
            if body.content is not None:
                await send(_piece(body.content if asked.method != "HEAD" else b""))
            else:
                await _send_body(body.read(), send)
        finally:
            body.leave()

    def _closing(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] in _LIFESPAN_ENDS:
                await self.aclose()
            await send(message)

        return sending

    def _telling_of_the_bypass(self, send: Send) -> Send:
        """Pass on what an application sends, but for the field with tags, which no client must see."""
        hidden = self._tag_header.encode("latin-1")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", ()) if not hidden or pair[0].lower() != hidden]
                message = {**message, "headers": [*headers, _bypass(message["status"])]}
            await send(message)

        return sending


async def _send_passed(head: Message, run: AsgiRun, client: Listening, send: Send) -> None:
    """Send the application's own response to the one whose request it was, as it comes."""
    is_sent = False
    try:
        await send(head)
        await _send_body(run.body.read(), send)
        is_sent = True
    except asyncio.CancelledError:
        if not client.is_gone:
            run.cancel()
        raise
    finally:
        if not is_sent:
            run.hang_up()


async def _send_body(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send(_piece(chunk, more_body=True))
    await send(_piece(b""))


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _piece(body: bytes, *, more_body: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more_body}


def _told(answer: Answer, *, with_date: bool) -> list[tuple[bytes, bytes]]:
    """Give the fields of an answer. Those of what is kept are the same for each hit, and made once; cookies are not."""
    lines = _lines_of if "set-cookie" in answer.fields else _known_lines_of
    return [*lines(answer.fields.pairs, with_date), *map(encoded, extra_lines(answer))]


def _lines_of(pairs: Pairs, with_date: bool) -> tuple[tuple[bytes, bytes], ...]:
    fields = without_age(Fields(pairs))
    return tuple(map(encoded, (fields if with_date else fields.without(("date",))).pairs))


_known_lines_of: Final = lru_cache(maxsize=512)(_lines_of)


@lru_cache(maxsize=64)
def _bypass(status: int) -> tuple[bytes, bytes]:
    return encoded(("Cache-Status", str(CacheStatus(fwd="bypass", fwd_status=status))))
