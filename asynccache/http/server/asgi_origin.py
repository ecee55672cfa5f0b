"""The way to an ASGI application.

Decides what of its responses the cache sees, and what a run of the application gets that answers nobody: a copy of the
scope, without conditions and range, no body, and no client.
"""

import contextvars
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asynccache.http import rfc9111
from asynccache.http.errands import CONDITIONS
from asynccache.http.exchange import Lines
from asynccache.http.message import Fields, Request, Response, WallClock
from asynccache.http.policy import Policy
from asynccache.http.server.asgi_run import App, AsgiRun, Receive, Scope
from asynccache.http.server.sharing import content_tag, for_sharing, narrowing, tags_in
from asynccache.http.tasks import OwnedTasks

_BEYOND: Final = "http.response."
"""What the names of extensions begin with that change how a response is sent."""


@dataclass(slots=True, eq=False)
class AsgiArrival:
    """The head of what an application sends. Implements `Arrival`."""

    response: Response
    native: AsgiRun
    is_upgrade: bool
    tags: tuple[str, ...]
    is_decoded: bool = False

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes."""
        return self.native.body.read()

    def discard(self) -> None:
        """Let go of it unread."""
        self.native.discard()


@dataclass(slots=True, eq=False)
class AsgiOrigin:
    """One request's way to the application. Implements `Origin`.

    Args:
        app: answers it.
        scope: of the request.
        receive: of the request; None if it has no body.
        asked: the same request, as the rules of caching see it.
        policy: how what comes is judged.
        clock: tells the wall time.
        runs: see the application to its end.
        tag_header: of the field with tags, in lower case; empty if there is none.
        adds_etags: whether responses without an entity tag get one.
        context: to run in; None for that of whoever needs it.
    """

    app: App
    scope: Scope
    receive: Receive | None
    asked: Request
    policy: Policy
    clock: WallClock
    runs: OwnedTasks
    tag_header: str = ""
    adds_etags: bool = False
    context: contextvars.Context | None = None

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> AsgiArrival:
        """Call the application, with these fields in the place of those that have the same names."""
        asked = self.clock()
        run = AsgiRun(self.app, self._scope_with(lines, without), self.receive, wants_whole=self.adds_etags)
        await run.start(self.runs, self.context)
        return self._arrival(run, asked)

    def later(self) -> "AsgiOrigin":
        """Give a way to the application that needs no client."""
        scope = self._scope_with((), (*CONDITIONS, "range"))
        return AsgiOrigin(
            self.app, scope, None, self.asked, self.policy, self.clock, self.runs, self.tag_header, self.adds_etags,
            contextvars.copy_context(),
        )  # fmt: skip

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
        if self.tag_header and self.tag_header in fields:
            tags.update(dict.fromkeys(tags_in(fields.getall(self.tag_header))))
            fields = fields.without((self.tag_header,))
        is_stream = fields.getall("content-type", ("",))[0].lower().startswith("text/event-stream")
        if names := narrowing(fields, self.policy):
            fields = Fields((*fields.pairs, ("vary", ", ".join(names))))
        response = self._tagged(Response(run.status, fields, asked, self.clock()), run)
        run.headers = [encoded(pair) for pair in response.fields]
        kept = for_sharing(response.fields, self.policy)
        response = Response(run.status, kept, asked, response.response_time)
        return AsgiArrival(response, run, is_stream, tuple(tags))

    def _tagged(self, response: Response, run: AsgiRun) -> Response:
        """Give a response that will be kept an entity tag of its octets, if it has none."""
        if not run.whole or response.status != 200 or "etag" in response.fields:
            return response
        if rfc9111.why_not_stored(self.asked, response, self.policy) is not None:
            return response  # an entity tag must not be what makes it worth keeping
        fields = response.fields.with_lines(("etag", content_tag(run.whole)))
        return Response(response.status, fields, response.request_time, response.response_time)


def fields_of(headers: Any) -> Fields:
    """Give the fields of a scope or a response."""
    return Fields((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def encoded(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    """Give a field as ASGI has it: names in lower case."""
    name, value = pair
    try:
        return name.lower().encode("latin-1"), value.encode("latin-1")
    except UnicodeEncodeError:  # kept by aiohttp, which has octets beyond ASCII as surrogates
        return name.lower().encode("latin-1", "replace"), value.encode("utf-8", "surrogateescape")
