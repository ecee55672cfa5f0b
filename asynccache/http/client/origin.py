"""The way of an aiohttp request to its origin, and back.

Decides what is sent in a cache's own name (validators), and what of a response is the cache's to know.
"""

from collections.abc import AsyncIterator, Sequence
from http.cookies import SimpleCookie
from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession, StreamReader
from aiohttp.helpers import BaseTimerContext, TimerNoop
from aiohttp.streams import EmptyStreamReader
from multidict import CIMultiDict

from asynccache.http.answering.errands import CONDITIONS
from asynccache.http.answering.exchange import Arrival, Lines, Origin
from asynccache.http.client.responses import TeedResponse, teed_class
from asynccache.http.syntax.message import Fields, Response, WallClock

_CODINGS: Final = frozenset({"gzip", "deflate", "br", "zstd"})
"""What aiohttp takes off a body by itself."""


class ClientArrival:
    """A response of aiohttp's client, or of a middleware behind the cache. Implements `Arrival`.

    Attributes:
        is_own: whether it came from the wire, and nobody has read or shared it: only then can it be shared itself.
        length: how many bytes the body has, if all of it has come with the head; None: that is not known.
        timer: the time limit of its request.
    """

    tags: tuple[str, ...] = ()

    def __init__(self, native: ClientResponse, request_time: float, response_time: float, *, decodes: bool) -> None:
        self.native = native
        self.is_own = isinstance(native, TeedResponse) and not native.is_teed and _body_of(native) is None
        fields = Fields(native.headers.items())
        self.response = Response(native.status, fields, request_time, response_time, native.reason or "")
        codings = {coding.strip().lower() for line in fields.getall("content-encoding") for coding in line.split(",")}
        self.is_decoded = decodes and not codings.isdisjoint(_CODINGS)
        self.is_untouched = native.status == 101 or _is_begun(native)  # what is half read is nobody else's either
        self.length = _length_of(native)
        self._payload: StreamReader = native.content
        self.timer = _take_timer(native.content)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes; or what a middleware behind the cache has read already."""
        if (body := _body_of(self.native)) is not None:
            yield body
            return
        while chunk := await self._payload.readany():
            yield chunk

    def discard(self) -> None:
        """Let go of it; its connection is used again if there was no body left."""
        if self.is_own:
            ClientResponse.release(self.native)
        else:
            self.native.release()


class ClientOrigin:
    """Sends a request on, by the handler that a middleware is given. Implements `Origin`."""

    def __init__(self, request: ClientRequest, handler: ClientHandlerType, clock: WallClock, *, decodes: bool) -> None:
        self._request = request
        self._handler = handler
        self._clock = clock
        self._decodes = decodes

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> Arrival:
        """Send the request, with these lines in the place of those that it has."""
        request = self._request
        own = request.headers
        if lines or without:
            request.headers = _changed(own, lines, without)
        timer, request._timer = request._timer, TimerNoop()  # pyright: ignore[reportPrivateUsage]  # see _take_timer
        sent = self._clock()
        try:
            native = await self._handler(request)
        finally:
            request.headers, request._timer = own, timer  # pyright: ignore[reportPrivateUsage]
        return ClientArrival(native, sent, self._clock(), decodes=self._decodes)

    def later(self) -> Origin | None:
        """Give a way by the session: the handler does not outlive its request."""
        return LaterOrigin(self._request, self._clock, decodes=self._decodes)


class LaterOrigin:
    """Sends a request once more when it is over, by its session: with the fields and the connection's options that it
    had. Implements `Origin`.

    Neither the session's login nor its cookies are added, as they may be another user's by now; and what the response
    sets is not put among them, as nobody has asked. Middlewares are not called: they belong to requests of callers.
    """

    def __init__(self, request: ClientRequest, clock: WallClock, *, decodes: bool) -> None:
        self._session: ClientSession = request.session
        self._method = request.method
        self._url = request.url
        self._headers = _changed(request.headers, (), (*CONDITIONS, "range"))  # what the caller has is the caller's
        self._ssl = request.ssl
        self._server_hostname = request.server_hostname
        self._proxy = request.proxy, request.proxy_auth, request.proxy_headers
        self._clock = clock
        self._decodes = decodes

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> Arrival:
        """Send the request."""
        headers = _changed(self._headers, lines, without)

        async def send(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            request.headers = headers.copy()
            request.proxy, request.proxy_auth, request.proxy_headers = self._proxy
            response = await handler(request)
            response.cookies = SimpleCookie()
            return response

        sent = self._clock()
        native = await self._session.request(
            self._method,
            self._url,
            allow_redirects=False,
            raise_for_status=False,
            ssl=self._ssl,
            server_hostname=self._server_hostname,
            auto_decompress=self._decodes,
            middlewares=(send,),
        )
        return ClientArrival(native, sent, self._clock(), decodes=self._decodes)

    def later(self) -> Origin | None:
        """Give this way, which lasts as long as the session."""
        return self


def _changed(headers: "CIMultiDict[str]", lines: Lines, without: Sequence[str]) -> "CIMultiDict[str]":
    changed = headers.copy()
    for name in (*without, *(name for name, _ in lines)):
        changed.popall(name, None)
    changed.extend(lines)
    return changed


def _body_of(native: ClientResponse) -> bytes | None:
    """Give what has been read of a response, if that is all of it."""
    return native._body  # pyright: ignore[reportPrivateUsage]  # there is no other way to know without reading


def _is_begun(native: ClientResponse) -> bool:
    """Tell whether some of a body has been read by others, and not all."""
    return _body_of(native) is None and getattr(native.content, "_cursor", 0) > 0


def _length_of(native: ClientResponse) -> int | None:
    if (body := _body_of(native)) is not None:
        return len(body)
    return native.content.total_bytes if native.content.is_eof() else None


def _take_timer(stream: StreamReader) -> BaseTimerContext:
    """Take the time limit of its request off a stream, and give it.

    aiohttp's timer knows which tasks it has to cancel by the order in which they enter and leave it, one inside the
    other. A body is read in a task of its own, which keeps no such order: its readers have time limits of their own.
    """
    if isinstance(stream, EmptyStreamReader):
        return TimerNoop()
    timer: BaseTimerContext = stream._timer  # pyright: ignore[reportPrivateUsage]
    stream._timer = TimerNoop()  # pyright: ignore[reportPrivateUsage]
    return timer


def give_back(stream: StreamReader, timer: BaseTimerContext) -> None:
    """Give a stream its time limit back: nobody but the caller reads it."""
    if not isinstance(stream, EmptyStreamReader):
        stream._timer = timer  # pyright: ignore[reportPrivateUsage]


def teed(request: ClientRequest) -> None:
    """Let what comes for a request be a response that can be read by several."""
    request.response_class = teed_class(request.response_class or ClientResponse)
