"""A reverse proxy in front of the origin, as an aiohttp.web handler and as an ASGI application.

It is what our response caches are put in front of, to be tested as proxies are. Decides no caching: it hands on
requests and responses, less what belongs to one connection only (RFC 9110, 7.6.1).
"""

import asyncio
import http.client
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from tools.conformance.replies import decoded

Pairs: TypeAlias = list[tuple[str, str]]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
SendMessage: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, SendMessage], Awaitable[None]]
"""An ASGI application."""

HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
MADE_ANEW: Final = frozenset({"host", "content-length", "expect"})
"""Request fields that are the proxy's own towards the origin."""

ORIGIN_SECONDS: Final = 20.0
LAST_STATUS: Final = 599
TEXT: Final = ("Content-Type", "text/plain")


class OriginUnreachable(Exception):
    """Raised if the origin does not answer: a cache may then use what is old, an answer 504 could forbid it."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A response of the origin's, as it is handed on."""

    status: int
    reason: str
    headers: Pairs
    body: bytes


def end_to_end(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Give the fields that are for more than one connection."""
    kept = list(pairs)
    listed = ",".join(value for name, value in kept if name.lower() == "connection")
    gone = HOP_BY_HOP | {option.strip().lower() for option in listed.split(",")}
    return [pair for pair in kept if pair[0].lower() not in gone]


class Forwarder:
    """Sends requests to the origin, on a connection for each: some responses tell a wrong length.

    `http.client` reads as much as such a response tells; aiohttp's client refuses it.

    Args:
        origin: its URL.
        threads: what it waits in.
    """

    def __init__(self, origin: str, threads: ThreadPoolExecutor) -> None:
        self._origin = urlsplit(origin).netloc
        self._threads = threads

    async def forward(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Forwarded:
        """Send a request to the origin; an answer that makes no sense becomes a 502.

        Raises:
            OriginUnreachable: it does not answer.
        """
        sent = [pair for pair in end_to_end(headers) if pair[0].lower() not in MADE_ANEW]
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._exchange, method, target, sent, body)
        except OSError as error:
            raise OriginUnreachable(str(error)) from error
        except http.client.HTTPException as error:
            return Forwarded(502, "Bad Gateway", [TEXT], str(error).encode())

    def _exchange(self, method: str, target: str, headers: Pairs, body: bytes) -> Forwarded:
        connection = http.client.HTTPConnection(self._origin, timeout=ORIGIN_SECONDS)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value.encode("utf-8", "surrogateescape"))
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            got = connection.getresponse()
            if not 200 <= got.status <= LAST_STATUS:  # what servers can answer with
                return Forwarded(502, "Bad Gateway", [TEXT], f"The origin answered {got.status}.".encode())
            return Forwarded(got.status, got.reason, end_to_end(got.getheaders()), got.read())
        finally:
            connection.close()

    async def handle(self, request: web.Request) -> web.Response:
        """Be the handler of an aiohttp.web application."""
        got = await self.forward(request.method, request.raw_path, request.headers.items(), await request.read())
        headers = CIMultiDict((name, _as_utf8(value)) for name, value in got.headers)
        return web.Response(status=got.status, reason=got.reason, headers=headers, body=got.body)

    async def asgi(self, scope: Message, receive: Receive, send: SendMessage) -> None:
        """Be an ASGI application."""
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        body, is_more = b"", True
        while is_more:
            message = await receive()
            body += message.get("body", b"")
            is_more = message.get("more_body", False)
        got = await self.forward(scope["method"], target, decoded(scope["headers"]), body)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in got.headers]
        await send({"type": "http.response.start", "status": got.status, "headers": headers})
        await send({"type": "http.response.body", "body": got.body})


def _as_utf8(value: str) -> str:
    """Give a value, an octet a character, so that aiohttp will send the same octets: it sends UTF-8."""
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "replace")


@web.middleware
async def gateway(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell clients that the origin cannot be reached; to be put around a cache (RFC 9111, 5.2.2.2, suggests 504)."""
    try:
        return await handler(request)
    except OriginUnreachable as error:
        return web.Response(status=504, text=str(error))


def asgi_gateway(app: Application) -> Application:
    """Do the same around an ASGI application."""

    async def around(scope: Message, receive: Receive, send: SendMessage) -> None:
        try:
            await app(scope, receive, send)
        except OriginUnreachable as error:
            await send({"type": "http.response.start", "status": 504, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": str(error).encode()})

    return around
