"""The way to an ASGI application.

Decides what of its responses the cache sees, and what a run of the application gets that answers nobody: a copy of the
scope, without conditions and range, no body, and no client.
"""

import contextvars
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asynccache.http import rfc9111
from asynccache.http.answering.errands import CONDITIONS
from asynccache.http.answering.exchange import Lines
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.server.asgi_listening import Listening
from asynccache.http.server.asgi_run import AsgiRun
from asynccache.http.server.asgi_scopes import fields_of
from asynccache.http.server.asgi_types import App, Receive, Scope
from asynccache.http.server.sharing import content_tag, for_sharing, narrowing, tags_in
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.message import Fields, Request, Response, WallClock

_BEYOND: Final = "http.response."
"""What the names of extensions begin with that change how a response is sent."""


class WrongLength(RuntimeError):
    """Raised for a body that is to be kept, and is not as long as its `Content-Length` says."""

    def __init__(self, told: int, sent: int) -> None:
        super().__init__(f"the ASGI application has sent {sent} bytes, and Content-Length: {told}")


@dataclass(slots=True, eq=False)
class AsgiArrival:
    """The head of what an application sends. Implements `Arrival`."""

    response: Response
    native: AsgiRun
    is_untouched: bool
    tags: tuple[str, ...]
    is_decoded: bool = False
    length: int | None = None
    _is_read: bool = False

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes. At its end it is an error if it was not as long as it said."""
        self._is_read = True
        return self._checked()

    def discard(self) -> None:
        """Let go of it: who has not begun to read it does not need it; of one that was read, the readers have gone."""
        if self._is_read:
            self.native.hang_up()
        else:
            self.native.discard()

    async def _checked(self) -> AsyncIterator[bytes]:
        size, length = 0, self.native.length
        async for chunk in self.native.body.read():
            size += len(chunk)
            yield chunk
        if length is not None and size != length:
            raise WrongLength(length, size)


@dataclass(frozen=True, slots=True, eq=False)
class Application:
    """An application that is cached, and what holds for all requests to it.

    Args:
        app: answers them.
        clock: tells the wall time.
        runs: see the application to its end.
        tag_header: of the field with tags, in lower case; empty if there is none.
        adds_etags: whether responses without an entity tag get one.
    """

    app: App
    clock: WallClock
    runs: OwnedTasks
    tag_header: str
    adds_etags: bool


@dataclass(slots=True, eq=False)
class AsgiOrigin:
    """One request's way to the application. Implements `Origin`.

    Args:
        application: answers it.
        scope: of the request.
        receive: of the request; None if it has no body.
        asked: the same request, as the rules of caching see it.
        policy: how what comes is judged.
        client: who asks, if there is one, and nobody else listens for it.
        context: to run in; None for that of whoever needs it.
        run: of the application, for this request: the last one.
    """

    application: Application
    scope: Scope
    receive: Receive | None
    asked: Request
    policy: Policy
    client: Listening | None
    context: contextvars.Context | None = None
    run: AsgiRun | None = None

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> AsgiArrival:
        """Call the application, with these fields in the place of those that have the same names."""
        application = self.application
        asked = application.clock()
        scope = self._scope_with(lines, without)
        self.run = AsgiRun(application.app, scope, self.receive, self.client, wants_whole=application.adds_etags)
        await self.run.start(application.runs, self.context)
        try:
            return self._arrival(self.run, asked)
        except BaseException:  # its tags are none
            self.run.hang_up()
            raise

    def later(self) -> "AsgiOrigin":
        """Give a way to the application that needs no client."""
        scope = self._scope_with((), (*CONDITIONS, "range"))
        return AsgiOrigin(self.application, scope, None, self.asked, self.policy, None, contextvars.copy_context())

    def give_back(self) -> None:
        """Let those outside see what the application has noted in its scope, and in the state of that."""
        if self.run is None:
            return
        state: Any = self.scope.get("state")
        if state is not None:
            state.update(self.run.scope.get("state") or {})
        self.scope.update({name: each for name, each in self.run.scope.items() if name not in self.scope})

    def _scope_with(self, lines: Lines, without: Sequence[str]) -> Scope:
        """Copy the scope: runs must not share what an application keeps in it."""
        scope = dict(self.scope)
        scope["state"] = dict(self.scope.get("state") or {})
        offered: dict[str, Any] = self.scope.get("extensions") or {}
        scope["extensions"] = {name: each for name, each in offered.items() if not name.startswith(_BEYOND)}
        gone = {name.encode("latin-1") for name in (*without, *(name.lower() for name, _ in lines))}
        if gone:
            kept = [(name, value) for name, value in self.scope["headers"] if name.lower() not in gone]
            scope["headers"] = kept + [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines
            ]
        return scope

    def _arrival(self, run: AsgiRun, asked: float) -> AsgiArrival:
        tags = dict.fromkeys(run.tags)
        fields = fields_of(run.headers)
        tag_header = self.application.tag_header
        if tag_header and tag_header in fields:
            tags.update(dict.fromkeys(tags_in(fields.getall(tag_header))))
            fields = fields.without((tag_header,))
        is_stream = fields.getall("content-type", ("",))[0].lower().startswith("text/event-stream")
        now = self.application.clock()
        if names := narrowing(fields, self.policy, now):
            fields = Fields((*fields.pairs, ("vary", ", ".join(names))))
        response = self._tagged(Response(run.status, fields, asked, now), run)
        run.headers = [encoded(pair) for pair in response.fields]
        response = Response(run.status, for_sharing(response.fields, self.policy), asked, now)
        return AsgiArrival(response, run, is_stream, tuple(tags))

    def _tagged(self, response: Response, run: AsgiRun) -> Response:
        """Give a response that will be kept an entity tag of its octets, if it has none."""
        if not run.whole or response.status != 200 or "etag" in response.fields:
            return response
        if rfc9111.why_not_stored(self.asked, response, self.policy) is not None:
            return response  # an entity tag must not be what makes it worth keeping
        fields = response.fields.with_lines(("etag", content_tag(run.whole)))
        return Response(response.status, fields, response.request_time, response.response_time)


def encoded(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    """Give a field as ASGI has it: names in lower case."""
    name, value = pair
    try:
        return name.lower().encode("latin-1"), value.encode("latin-1")
    except UnicodeEncodeError:  # kept by aiohttp, which has octets beyond ASCII as surrogates
        return name.lower().encode("latin-1", "replace"), value.encode("utf-8", "surrogateescape")
