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
from multidict import CIMultiDict

from asynccache.http import rfc9111
from asynccache.http.exchange import Lines
from asynccache.http.errands import CONDITIONS
from asynccache.http.message import Fields, Request, Response, WallClock
from asynccache.http.policy import Policy
from asynccache.http.server.sharing import content_tag, for_sharing, narrowing, tags_in
from asynccache.http.server.web_responses import fields_of, whole_body
from asynccache.http.tasks import OwnedTasks

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _tags_key() -> Any:
    kind = getattr(web, "RequestKey", None)  # since aiohttp 3.14, which warns of strings
    return "asynccache.tags" if kind is None else kind("asynccache.tags", tuple)


CACHE_TAGS: Final = _tags_key()
"""Under this a handler may put tags into its request: `request[CACHE_TAGS] = ("product:1",)`."""


class StreamedBehind(RuntimeError):
    """Raised in a handler that begins to send a response while it runs behind: there is nobody to send it to."""

    def __init__(self) -> None:
        super().__init__("this handler runs to renew what is kept: it can return a response, and not send one itself")


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
    is_upgrade: bool = False
    is_decoded: bool = False
    tags: tuple[str, ...] = ()
    sending: asyncio.Task[Any] | None = None

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

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> WebArrival:
        """Run the handler, with these fields in the place of those that have the same names."""
        request = _changed(self.request, lines, without)
        asked = self.clock()
        if self.context is None and asyncio.current_task() is self.caller:
            return await self._arrival(request, await _returned(self.handler, request), asked)
        return await self._run_apart(request, asked)

    def later(self) -> "WebOrigin":
        """Give a way to the same handler with a copy of the request, without conditions and range."""
        headers = CIMultiDict(self.request.headers)
        for name in (*CONDITIONS, "range"):
            headers.popall(name, None)
        request = _clone(self.request, headers)
        _on_prepare(request, _refuse)
        context = contextvars.copy_context()
        return WebOrigin(request, self.handler, self.asked, self.told, self.clock, self.runs, context, None)

    async def _run_apart(self, request: web.Request, asked: float) -> WebArrival:
        """Run the handler in a task of its own, until it has returned a response or begun to send one."""
        loop = asyncio.get_running_loop()
        began: asyncio.Future[web.StreamResponse] = loop.create_future()
        if self.context is None:
            _on_prepare(request, lambda response: None if began.done() else began.set_result(response))
        run = loop.create_task(_returned(self.handler, request), name="handler", context=self.context)
        self.runs.own(run)
        run.add_done_callback(_look_at, context=contextvars.Context())
        try:
            await asyncio.wait({run, began}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.wait({run})
            raise
        if not run.done():
            return await self._arrival(request, began.result(), asked, run)
        return await self._arrival(request, run.result(), asked)

    async def _arrival(
        self, request: web.Request, native: Any, asked: float, sending: "asyncio.Task[Any] | None" = None
    ) -> WebArrival:
        body = await whole_body(native) if sending is None else None
        if not isinstance(native, web.StreamResponse):  # aiohttp says what is wrong with that
            return WebArrival(Response(500, Fields(), asked, self.clock()), native, is_upgrade=True)
        tags = self._tags(request, native)
        if body is not None and (names := (*self.told.vary, *narrowing(native.headers, self.told.policy))):
            native.headers.add("Vary", ", ".join(names))
        fields = for_sharing(fields_of(native, None if body is None else len(body)), self.told.policy)
        response = Response(native.status, fields, asked, self.clock(), native.reason or "")
        if self.told.adds_etags and body and native.status == 200 and "etag" not in fields:
            response = self._tagged(response, native, body)
        return WebArrival(response, native, body or b"", body is None, False, tags, sending)

    def _tags(self, request: web.Request, native: web.StreamResponse) -> tuple[str, ...]:
        """Give the tags of a response, wherever they are told, and take those off that clients must not see."""
        tags: list[str] = [*(self.told.tags_of(request) if self.told.tags_of else ()), *request.get(CACHE_TAGS, ())]
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


async def _returned(handler: Handler, request: web.Request) -> Any:
    """Give what a handler returns, or the response that it raises."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error


def _changed(request: web.Request, lines: Lines, without: Sequence[str]) -> web.Request:
    if not lines and not any(name in request.headers for name in without):
        return request
    headers = CIMultiDict(request.headers)
    for name in (*without, *(name for name, _ in lines)):
        headers.popall(name, None)
    headers.extend(lines)
    return _clone(request, headers)


def _clone(request: web.Request, headers: "CIMultiDict[str]") -> web.Request:
    # `remote` and the others may have been set by a middleware that knows the proxy in front.
    return request.clone(headers=headers, scheme=request.scheme, host=request.host, remote=request.remote or "")


def _on_prepare(request: web.Request, tell: Callable[[web.StreamResponse], None]) -> None:
    """Have it told when a response to this request is about to be sent, before anything is.

    An application's own signal cannot be used: it takes nobody in any more once requests come. This is the method by
    which a request sends that signal.
    """
    send = request._prepare_hook  # pyright: ignore[reportPrivateUsage]

    async def told(response: web.StreamResponse) -> None:
        tell(response)
        await send(response)

    request._prepare_hook = told  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]


def _refuse(_: web.StreamResponse) -> None:
    raise StreamedBehind


def _look_at(task: asyncio.Task[Any]) -> None:
    """See how a handler has ended: who waits for it is told, and if nobody does, it is nobody's affair."""
    if not task.cancelled():
        task.exception()
