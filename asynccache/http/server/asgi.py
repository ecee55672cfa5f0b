"""The cache around an ASGI application: Starlette, FastAPI, Quart and others.

Decides which requests concern it, and how its answers are sent.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Unpack, cast
from urllib.parse import quote

from asynccache.http.exchange import Answer
from asynccache.http.message import Fields, Request
from asynccache.http.server.asgi_origin import AsgiOrigin, encoded, fields_of
from asynccache.http.server.asgi_run import App, AsgiRun, Message, Receive, Scope, Send
from asynccache.http.server.face import ServerCache, ServerCacheOptions
from asynccache.http.server.pieces import BodyReader
from asynccache.http.server.sharing import extra_lines, without_age
from asynccache.http.server.targets import uri_of
from asynccache.stores.contract import Store

_LIFESPAN_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_IN_A_PATH: Final = "/:@!$&'()*+,;=~%"


class ASGICacheMiddleware(ServerCache):
    """A shared cache around an ASGI application (RFC 9111).

    What may be kept, the application's responses say (`Cache-Control`, `Expires`), unless an option or a rule says
    more. Never kept for others: responses to requests with `Authorization` that are not `public`, those with
    `Set-Cookie`, `private` ones and `no-store`. If only an option says that a response is fresh, it is given to
    requests with the same `Cookie` only; one that sets `Cache-Control` itself is for everybody.

    The key is scheme, `Host`, path and query as they were sent. No other field is part of it, `X-Forwarded-Host`
    neither: an application that looks at one names it in `Vary`, or the answer to one client is given to all.

    Requests for the same at the same time run the application once. Responses are passed on as they come and stored on
    the way; event streams, requests with a body, WebSockets and the lifespan pass untouched. The application may also
    be run behind, for an old response that is served meanwhile: there is no client then.

    The store is closed at the shutdown of the lifespan if it was opened here.

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
        self._tells_date = date

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: called by the server, as every ASGI application is."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        uri = None if scope["type"] != "http" or self._is_closed else _uri_of(scope)
        fields = fields_of(scope["headers"]) if uri is not None else Fields()
        is_read = uri is not None and scope["method"] in {"GET", "HEAD"}
        if uri is None or (is_read and _has_body(fields)):
            await self._app(scope, receive, send)
            return
        await self._answer(
            Request(scope["method"], uri, fields), scope, receive if not is_read else None, receive, send
        )

    async def _answer(self, asked: Request, scope: Scope, upload: Receive | None, receive: Receive, send: Send) -> None:
        built = self._built
        origin = AsgiOrigin(
            self._app, scope, upload, asked, built.rules.of(asked.uri).policy, built.clock, self._runs,
            self._tag_header, self._adds_etags,
        )  # fmt: skip
        answer = await built.cache.respond(asked, origin)
        if answer.arrival is not None:
            run: AsgiRun = answer.arrival.native
            scope.update({name: each for name, each in run.scope.items() if name not in scope})  # for those outside
            await _send_own(answer, run, None if upload is not None else receive, send)
            return
        body = BodyReader(answer)
        try:
            await send(_head(answer.status, _told(answer, with_date=self._tells_date)))
            if body.content is not None:
                await send(_piece(body.content if asked.method != "HEAD" else b""))
            else:
                await _until_gone(_send_body(body.read(), send), receive)
        finally:
            body.leave()

    def _closing(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] in _LIFESPAN_ENDS:
                await self.aclose()
            await send(message)

        return sending


async def _send_own(answer: Answer, run: AsgiRun, receive: Receive | None, send: Send) -> None:
    """Send the application's own response to the one whose request it was, as it comes.

    Args:
        answer: with the application's response.
        run: of the application.
        receive: tells of a disconnect; None if the application listens itself.
        send: to the client.
    """
    body = BodyReader(answer) if answer.spool is not None else None
    chunks = run.body.read() if body is None else body.read()
    is_sent = False
    try:
        await send(_head(run.status, [*run.headers, *map(encoded, extra_lines(answer))]))
        is_sent = await _until_gone(_send_body(chunks, send), receive)
    except asyncio.CancelledError:
        if body is None:
            run.cancel()
        raise
    finally:
        if not is_sent and body is None:
            run.discard()
        elif not is_sent and body is not None:
            body.leave()
    await run.wait()


async def _send_body(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send(_piece(chunk, more_body=True))
    await send(_piece(b""))


async def _until_gone(sending: Any, receive: Receive | None) -> bool:
    """Send, until it is done or the client has gone; tell whether it was done."""
    if receive is None:
        await sending
        return True
    task = asyncio.ensure_future(sending)
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        return False
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    """Return when the client has gone. The request itself, which has no body, may still lie there."""
    if (await receive())["type"] != "http.disconnect":
        await receive()


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _piece(body: bytes, *, more_body: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more_body}


def _told(answer: Answer, *, with_date: bool) -> list[tuple[bytes, bytes]]:
    """Give the fields of an answer."""
    fields = without_age(answer.fields)
    if not with_date and "date" in fields:
        fields = fields.without(("date",))
    return [*map(encoded, fields.pairs), *map(encoded, extra_lines(answer))]


def _uri_of(scope: Scope) -> str | None:
    """Give the URI of a request; None if it has none that a key can be made of."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    server: Any = scope.get("server")
    if len(hosts) > 1:
        return None
    host = hosts[0].decode("latin-1") if hosts else ":".join(map(str, server or ()))
    raw = scope.get("raw_path")
    path = cast("bytes", raw).decode("latin-1") if raw else quote(scope["path"], safe=_IN_A_PATH)
    query = scope.get("query_string", b"").decode("latin-1")
    return uri_of(scope.get("scheme", "http"), host, f"{path}?{query}" if query else path)


def _has_body(fields: Fields) -> bool:
    return (
        "transfer-encoding" in fields
        or fields.getall("content-length", ("0",))[0].strip() != "0"
        or "upgrade" in fields
    )
