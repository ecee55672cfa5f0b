"""The way to a handler of aiohttp.web.

Decides in which task a handler runs. One that runs for its own caller only runs in that caller's task, as it would
without a cache. One whose answer others wait for has a task of its own, that no client's going away reaches; should it
begin to send a response itself, it has nothing for the others: they are told at once, not at the end of the stream.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aiohttp import web

from asynccache.http import rfc9111
from asynccache.http.answering.errands import CONDITIONS
from asynccache.http.answering.exchange import Lines
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.server.lending import LentWriter, NobodyToSendTo, changed, connection_of, give_back, lent
from asynccache.http.server.sharing import content_tag, for_sharing, narrowing, tags_in
from asynccache.http.server.web_responses import fields_of, whole_body
from asynccache.http.settings.policy import Policy
from asynccache.http.settings.reading import read_words
from asynccache.http.syntax.message import Fields, Request, Response, WallClock

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _tags_key() -> Any:
    kind = getattr(web, "RequestKey", None)  # since aiohttp 3.14, which warns of strings
    return "asynccache.tags" if kind is None else kind("asynccache.tags", tuple)


CACHE_TAGS: Final = _tags_key()
"""Under this a handler may put tags into its request: `request[CACHE_TAGS] = ("product:1",)`."""


@dataclass(slots=True, eq=False)
class Told:
    """What holds for the responses of one handler, besides what they say themselves.

    Attributes:
        policy: how they are judged.
        tags_of: gives the tags of what answers a request; None if they have none.
        vary: names that are added to `Vary`.
        tag_header: of the field with more tags, in lower case; empty if there is none.
        adds_etags: whether one without an entity tag gets one.
    """

    policy: Policy
    tags_of: Callable[[web.Request], Iterable[str]] | None = None
    vary: tuple[str, ...] = ()
    tag_header: str = ""
    adds_etags: bool = False


@dataclass(slots=True, eq=False)
class WebArrival:
    """What a handler has returned. Implements `Arrival`."""

    response: Response
    native: Any
    body: bytes = b""
    is_untouched: bool = False
    is_decoded: bool = False
    tags: tuple[str, ...] = ()
    sending: asyncio.Task[Any] | None = None
    length: int | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body, which is there as a whole."""
        yield self.body

    def discard(self) -> None:
        """End a handler that is sending to nobody."""
        if self.sending is not None:
            self.sending.cancel()


@dataclass(slots=True, eq=False)
class WebOrigin:
    """One request's way to its handler. Implements `Origin`.

    Args:
        request: as it came.
        handler: answers it, with all middlewares that lie further inside.
        asked: the same request, as the rules of caching see it.
        told: what holds for what the handler returns.
        clock: tells the wall time.
        runs: see handlers to their end.
        context: to run in; None for that of whoever needs it.
    """

    request: web.Request
    handler: Handler
    asked: Request
    told: Told
    clock: WallClock
    runs: OwnedTasks
    context: contextvars.Context | None = None
    caller: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)
    _writer: LentWriter | None = None

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> WebArrival:
        """Run the handler, with these fields in the place of those that have the same names."""
        request = changed(self.request, lines, without)
        asked = self.clock()
        try:
            if self.context is None and asyncio.current_task() is self.caller:
                native = await _returned(self.handler, request)
                give_back(request, self.request)
                return await self._arrival(request, native, asked)
            return await self._run_apart(request, asked)
        except NobodyToSendTo as error:
            if self.context is not None:
                raise
            return WebArrival(Response(500, Fields(), asked, self.clock()), error)  # the others ask for themselves

    def later(self) -> "WebOrigin":
        """Give a way to the same handler with a copy of the request, without conditions, range and connection."""
        request = changed(self.request, (), (*CONDITIONS, "range"))
        context = contextvars.copy_context()
        return WebOrigin(request, self.handler, self.asked, self.told, self.clock, self.runs, context, None)

    def leave(self) -> None:
        """The caller has gone: the handler cannot send to it any more."""
        if self._writer is not None:
            self._writer.take_back()

    async def _run_apart(self, request: web.Request, asked: float) -> WebArrival:
        """Run the handler in a task of its own, until it has returned a response or begins to send one."""
        loop = asyncio.get_running_loop()
        began: asyncio.Future[None] = loop.create_future()
        connection = connection_of(self.request) if self.context is None else None
        self._writer = LentWriter(connection, lambda: None if began.done() else began.set_result(None))
        copy = lent(request, self._writer)
        run = loop.create_task(self._run(copy), name="handler", context=self.context)
        self.runs.own(run, is_wanted=lambda: self.context is None)
        try:
            await asyncio.wait({run, began}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.wait({run})
            raise
        if run.done():
            return await self._arrival(copy, run.result(), asked)
        response = Response(200, Fields(), asked, self.clock())
        return WebArrival(response, None, is_untouched=True, sending=run)

    async def _run(self, copy: web.Request) -> Any:
        try:
            return await _returned(self.handler, copy)
        finally:
            give_back(copy, self.request)

    async def _arrival(self, request: web.Request, native: Any, asked: float) -> WebArrival:
        body = await whole_body(native)
        if not isinstance(native, web.StreamResponse):  # aiohttp says what is wrong with that
            return WebArrival(Response(500, Fields(), asked, self.clock()), native)
        tags = self._tags(request, native)
        if body is not None:
            names = (*self.told.vary, *narrowing(fields_of(native, None), self.told.policy, self.clock()))
            if names:
                native.headers.add("Vary", ", ".join(names))
        fields = for_sharing(
            fields_of(native, len(body) if body or (body is not None and request.method != "HEAD") else None),
            self.told.policy,
        )
        response = Response(native.status, fields, asked, self.clock(), native.reason or "")
        if self.told.adds_etags and body and native.status == 200 and "etag" not in fields:
            response = self._tagged(response, native, body)
        return WebArrival(response, native, body or b"", body is None, False, tags)

    def _tags(self, request: web.Request, native: web.StreamResponse) -> tuple[str, ...]:
        """Give the tags of a response, wherever they are told, and take those off that clients must not see."""
        tags: list[str] = [*(self.told.tags_of(request) if self.told.tags_of else ()), *tags_of_request(request)]
        if self.told.tag_header and not native.prepared:
            tags += tags_in(native.headers.popall(self.told.tag_header, ()))
        return tuple(dict.fromkeys(tags))

    def _tagged(self, response: Response, native: web.StreamResponse, body: bytes) -> Response:
        if rfc9111.why_not_stored(self.asked, response, self.told.policy) is not None:
            return response  # an entity tag must not be what makes it worth keeping
        tag = content_tag(body, is_weak=native.compression)
        native.headers["ETag"] = tag
        fields = response.fields.with_lines(("ETag", tag))
        return Response(response.status, fields, response.request_time, response.response_time, response.reason)


def tags_of_request(request: web.Request) -> tuple[str, ...]:
    """Give the tags that a handler has put into its request.

    Raises:
        TypeError: they are none.
    """
    return read_words("request[CACHE_TAGS]", request.get(CACHE_TAGS, ()))


async def _returned(handler: Handler, request: web.Request) -> Any:
    """Give what a handler returns, or the response that it raises."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error
