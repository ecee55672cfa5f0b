"""Real `aiohttp.ClientResponse`s for what did not come over a connection of their own.

Decides what of a response is made at once, and what only if somebody looks at it: most callers read the body and go.
Each hit gets a response of its own, so that two readers never share a stream.
"""

import asyncio
import inspect
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import ClientRequest, ClientResponse, HttpVersion11, StreamReader
from aiohttp.connector import Connection
from aiohttp.helpers import BaseTimerContext
from multidict import CIMultiDict, CIMultiDictProxy

from asynccache.http.answering.exchange import Answer, Kind
from asynccache.http.client.streams import StreamSink, stream_of
from asynccache.http.kept.stored import ChunkedBody
from asynccache.http.syntax.message import Fields
from asynccache.http.syntax.status import CacheStatus

if TYPE_CHECKING:
    from http.cookies import SimpleCookie

    from asynccache.http.answering.spool import Spool


_READS_LINES: Final = hasattr(ClientResponse, "_raw_cookie_headers")
"""Whether this aiohttp makes a response's cookies of its lines when they are asked for; 3.12.0 does not."""

_KEPT: Final = (Kind.STORED, Kind.MADE)


class TeedResponse(ClientResponse):
    """A response that came from the origin; its body may be going to other readers, and into the store, too.

    Attributes:
        from_cache: False.
        cache_status: what the cache did; None if it had nothing to do with it.
    """

    from_cache = False
    cache_status: CacheStatus | None = None
    _spool: "Spool | None" = None
    _sink: StreamSink | None = None

    @property
    def is_teed(self) -> bool:
        """Whether its body is read by a cache."""
        return self._spool is not None

    def tee(self, spool: "Spool", timer: BaseTimerContext) -> None:
        """Read the body as it is read by all, within the time that its request has."""
        self._spool, self._sink = spool, StreamSink(self._loop, timer, _closing_of(self._connection))
        self.content = self._sink.reader
        spool.attach(self._sink)

    def close(self) -> None:
        """Do as aiohttp does; but while others read the body, its connection stays open."""
        if self._leave(may_be_finished=False):
            super().close()

    def release(self) -> Any:
        """Do as aiohttp does; but while others read the body, or the rest is short, its connection is kept."""
        if self._leave(may_be_finished=self._sink is None or self._sink.connected):
            return super().release()
        return _Nothing()

    def _leave(self, *, may_be_finished: bool) -> bool:
        """Read no more; tell whether the connection is nobody else's."""
        if self._spool is None or self._sink is None:
            return True
        self._sink.leave()
        self._spool.leave(self._sink, may_be_finished=may_be_finished)
        if not self._spool.is_read:
            return True
        self._notify_content()
        return False


def _closing_of(connection: Connection | None) -> Callable[[], bool] | None:
    """Tell what tells whether a connection was closed with its session: aiohttp tells that to nobody who waits."""
    if connection is None:
        return None
    connector = connection._connector  # pyright: ignore[reportPrivateUsage]
    return lambda: connector.closed


class CachedResponse(ClientResponse):
    """A response that came from the cache, or that another request was sent for.

    Attributes:
        from_cache: whether the origin was not asked for it, or has confirmed it.
    """

    from_cache = True
    _answer: Answer
    _stream: StreamReader | None = None
    _lines: "CIMultiDictProxy[str] | None" = None
    _spool: "Spool | None" = None
    _sink: StreamSink | None = None

    @property
    def content(self) -> StreamReader:  # type: ignore[override]  # nobody but aiohttp sets it
        """The body as a stream."""
        if self._stream is None:
            self._stream = stream_of(self._body or b"", self._loop)
        return self._stream

    @property
    def _headers(self) -> "CIMultiDictProxy[str]":  # type: ignore[override]
        if self._lines is None:
            self._lines = CIMultiDictProxy(CIMultiDict(told_fields(self._answer).pairs))
        return self._lines

    @property
    def _raw_headers(self) -> "tuple[tuple[bytes, bytes], ...]":  # type: ignore[override]
        return tuple(
            (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
            for name, value in told_fields(self._answer).pairs
        )

    @property  # type: ignore[misc]  # there is no setting what has come
    def cookies(self) -> "SimpleCookie":  # pyright: ignore[reportIncompatibleMethodOverride]  # likewise
        """The cookies that the response set when it came. They are not put into the session's jar once more."""
        if self._cookies is None:
            lines = self._answer.fields.getall("set-cookie")
            if lines and _READS_LINES:
                self._raw_cookie_headers = tuple(lines)
                found = super().cookies
                self._raw_cookie_headers = None
                return found
            for line in lines:
                super().cookies.load(line)
        return super().cookies

    @property
    def cache_status(self) -> CacheStatus:
        """What the cache did."""
        return self._answer.cache_status

    @property
    def connection(self) -> Any:
        """None: it has no connection. While its body is on its way, what can be told to call back at its end."""
        return self._sink if self._sink is not None and not self._sink.is_over else None

    def say(self, answer: Answer, timer: BaseTimerContext) -> None:
        """Be what the cache answers; a body that is on its way has the time that its request has."""
        self._answer = answer
        self.from_cache = answer.kind in _KEPT and answer.terms is not None
        self.version = HttpVersion11
        self.status = answer.status
        self.reason = answer.reason
        body = answer.body
        if answer.spool is not None:
            self._closed = False
            self._spool, self._sink = answer.spool, StreamSink(self._loop, timer)
            self._stream = self._sink.reader
            answer.spool.attach(self._sink)
        elif body is None or isinstance(body, ChunkedBody):
            self._body = b""
        else:
            content = body.content
            content = content if answer.last is None else content[answer.first : answer.last + 1]
            if self._traces:  # which are told of what is read
                self._stream = stream_of(content, self._loop)
            else:
                self._body = content

    def set_cookies_of(self, native: ClientResponse) -> None:
        """Set the cookies of a response in the session's jar, as it has just come and this one stands for it."""
        self._cookies = native.cookies
        self._raw_cookie_headers = getattr(native, "_raw_cookie_headers", None)  # the jar reads these, from 3.13 on

    def close(self) -> None:
        """Read no more."""
        self._leave()
        super().close()

    def release(self) -> Any:
        """Read no more."""
        self._leave()
        return super().release()

    def _leave(self) -> None:
        if self._spool is not None and self._sink is not None:
            self._sink.leave()
            self._spool.leave(self._sink)

    def _notify_content(self) -> None:
        if self._stream is not None:
            super()._notify_content()
        self._released = True

    def __del__(self, _warnings: Any = None) -> None:
        if self._spool is not None and self._sink is not None and not self._loop.is_closed():
            # Nobody can read it any more. Garbage may be collected in any thread.
            self._loop.call_soon_threadsafe(self._spool.leave, self._sink)


class _Nothing:
    """Awaited in vain, as what aiohttp's `release` gives."""

    def __await__(self) -> Any:
        return iter(())


def told_fields(answer: Answer) -> Fields:
    """Give the fields of an answer as they are told: with its age (RFC 9111, 5.1) and what the cache did (RFC 9211)."""
    status = ("Cache-Status", str(answer.cache_status))
    pairs = answer.fields.pairs
    if answer.age is None:
        return Fields((*pairs, status))
    return Fields((*(pair for pair in pairs if pair[0].lower() != "age"), ("Age", str(answer.age)), status))


# --- how a response is made -----------------------------------------------------------------------------------------

_made: "weakref.WeakKeyDictionary[type[ClientResponse], dict[type[ClientResponse], type[ClientResponse]]]" = (
    weakref.WeakKeyDictionary()
)


def teed_class(base: type[ClientResponse]) -> type[ClientResponse]:
    """Give the class of responses from the origin, for a session's own class of responses."""
    if base is ClientResponse:
        return TeedResponse
    return base if issubclass(base, TeedResponse) else _mixed(TeedResponse, base)


def cached_class(base: type[ClientResponse]) -> type[CachedResponse]:
    """Give the class of responses from the cache, for the class of those from the origin."""
    if base is TeedResponse:
        return CachedResponse
    return cast("type[CachedResponse]", _mixed(CachedResponse, base.__mro__[2]))


def _mixed(own: type[ClientResponse], base: type[ClientResponse]) -> type[ClientResponse]:
    made = _made.setdefault(base, {})
    if own not in made:
        made[own] = type(f"{own.__name__[:-8]}{base.__name__}", (own, base), {})
    return made[own]


def response_of(
    made: type[CachedResponse], request: ClientRequest, answer: Answer, loop: asyncio.AbstractEventLoop
) -> CachedResponse:
    """Make a response for a request of what the cache answers."""
    response = made(request.method, request.original_url, **_arguments(request, loop))
    response.say(answer, request._timer)  # pyright: ignore[reportPrivateUsage]  # the one that its session waits by
    return response


_PARAMETERS: Final = frozenset(inspect.signature(ClientResponse.__init__).parameters)


class _NothingSent:
    """Stands where a response asks how much was sent for it."""

    output_size = 0


_NOTHING_SENT: Final = _NothingSent()


def _arguments(request: ClientRequest, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """Give what this aiohttp wants to make a response of; it differs from version to version."""
    arguments: dict[str, Any] = {
        "writer": None,
        "continue100": None,
        "timer": None,
        "traces": request._traces,  # pyright: ignore[reportPrivateUsage]  # what a response is made with
        "loop": loop,
        "session": request.session,
    }
    if "request_info" in _PARAMETERS:
        arguments["request_info"] = request.request_info
    if "stream_writer" in _PARAMETERS:
        arguments["stream_writer"] = _NOTHING_SENT
    if "request_headers" in _PARAMETERS:
        arguments["request_headers"] = request.headers
    if "original_url" in _PARAMETERS:
        arguments["original_url"] = request.original_url
    return arguments
