"""A request of aiohttp.web that is lent to a handler while others wait for what it returns.

Decides whether a handler can still send to its client. The connection belongs to the caller: when that one has gone, it
may be answering another request already, and whatever a handler then sent would be taken for an answer to that. So the
handler has a copy of the request, whose way to the connection can be cut. One that runs behind has none at all.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from aiohttp import web
from multidict import CIMultiDict

from asynccache.http.answering.exchange import Lines


class NobodyToSendTo(RuntimeError):
    """Raised in a handler that begins to send a response itself when there is no client for it."""

    def __init__(self) -> None:
        super().__init__("this handler has no connection to send to (see ResponseCache): return a response instead")


class LentWriter:
    """Stands where aiohttp's responses expect the writer of a connection, and passes on what they ask of it.

    Args:
        writer: of the connection; None if there is none.
        began: called when a response is about to be sent.
    """

    def __init__(self, writer: Any, began: Callable[[], None]) -> None:
        self._writer = writer
        self._began: Final = began

    def take_back(self) -> None:
        """Cut the way to the connection."""
        self._writer = None

    @property
    def length(self) -> int | None:
        """How long the body will be."""
        return cast("int | None", self._touched().length)

    @length.setter
    def length(self, value: int | None) -> None:
        self._touched().length = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._touched(), name)

    def _touched(self) -> Any:
        if self._writer is None:
            raise NobodyToSendTo
        self._began()
        return self._writer


def lent(request: web.Request, writer: LentWriter) -> web.Request:
    """Copy a request, with another writer: there is no public way to say which."""
    copy = clone(request, request.headers)
    cast("Any", copy)._payload_writer = writer
    return copy


def connection_of(request: web.Request) -> Any:
    """Give the writer of a request's connection."""
    return cast("Any", request)._payload_writer


def changed(request: web.Request, lines: Lines, without: Sequence[str]) -> web.Request:
    """Give a request with other fields: itself, if nothing changes."""
    if not lines and not any(name in request.headers for name in without):
        return request
    headers = CIMultiDict(request.headers)
    for name in (*without, *(name for name, _ in lines)):
        headers.popall(name, None)
    headers.extend(lines)
    return clone(request, headers)


def clone(request: web.Request, headers: Any) -> web.Request:
    """Copy a request; what a middleware that knows the proxies in front has said about it stays."""
    return request.clone(headers=headers, scheme=request.scheme, host=request.host, remote=request.remote or "")


def give_back(copy: web.Request, request: web.Request) -> None:
    """Let those outside see what a handler has put into its request."""
    for key, value in copy.items():
        if request.get(key) is not value:
            request[key] = value
