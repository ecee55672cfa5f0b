"""A server of a test's own: what was asked of it is seen, and it answers as the test says, step by step if need be."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final, TypeAlias

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from asynccache.testing import ManualClock

START: Final = 1_700_000_000.0
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Word: TypeAlias = Callable[[], Awaitable[bool]]


def fields_of(said: dict[str, str | None]) -> CIMultiDict[str]:
    """Make header fields of keywords; everything is fresh for a minute unless that is said otherwise."""
    named = {"cache_control": "max-age=60", **said}
    return CIMultiDict((name.replace("_", "-"), value) for name, value in named.items() if value is not None)


@dataclass(eq=False)
class Visit:
    """A request that has come, and does what the test says: nothing at all, until then."""

    request: web.Request
    body: bytes
    clock: ManualClock
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has hung up."""
    response: web.StreamResponse | None = None
    _words: "asyncio.Queue[Word]" = field(default_factory=asyncio.Queue)

    def head(self, status: int = 200, reason: str | None = None, **fields: str | None) -> None:
        """Send the head."""
        headers = fields_of({"date": formatdate(self.clock(), usegmt=True), **fields})

        async def send() -> bool:
            self.response = web.StreamResponse(status=status, reason=reason, headers=headers)
            await self.response.prepare(self.request)
            return False

        self._words.put_nowait(send)

    def send(self, piece: bytes) -> None:
        """Send a piece of the body."""

        async def send() -> bool:
            assert self.response is not None
            await self.response.write(piece)
            return False

        self._words.put_nowait(send)

    def end(self) -> None:
        """Send the end of the body."""

        async def end() -> bool:
            return True

        self._words.put_nowait(end)

    def cut(self) -> None:
        """Cut the connection."""

        async def cut() -> bool:
            if self.request.transport is not None:
                self.request.transport.abort()
            return True

        self._words.put_nowait(cut)

    def answer(self, body: bytes = b"", status: int = 200, **fields: str | None) -> None:
        """Send it all."""
        self.head(status, content_length=str(len(body)), **fields)
        if body:
            self.send(body)
        self.end()

    async def serve(self) -> web.StreamResponse:
        """Do what is said, until the end."""
        try:
            while not await (await self._words.get())():
                pass
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return self.response if self.response is not None else web.Response()


class Visits:
    """Requests to one path that wait for the test's words."""

    def __init__(self, clock: ManualClock) -> None:
        self.all: list[Visit] = []
        self._clock = clock
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Let a request wait for words."""
        visit = Visit(request, await request.read(), self._clock)
        self.all.append(visit)
        async with self._came:
            self._came.notify_all()
        return await visit.serve()

    async def number(self, number: int) -> Visit:
        """Wait for the request of that number, from 1 on."""
        async with asyncio.timeout(5), self._came:
            await self._came.wait_for(lambda: len(self.all) >= number)
        return self.all[number - 1]

    async def first(self) -> Visit:
        """Wait for the first request."""
        return await self.number(1)

    def __len__(self) -> int:
        return len(self.all)


class Site:
    """The server.

    Attributes:
        asked: what was asked, such as "GET /a?b=1", in the order in which it came.
        headers: the header fields of each of these.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.headers: list[CIMultiDict[str]] = []
        self._handlers: dict[str, Handler] = {}
        self._counts: Counter[str] = Counter()
        self._all_visits: list[Visits] = []
        self._runner: web.AppRunner | None = None
        self.port = 0

    def __truediv__(self, path: str) -> URL:
        """Give the URL of a path."""
        return URL(f"http://127.0.0.1:{self.port}/{path}")

    def say(self, path: str, body: bytes | str | None = None, status: int = 200, **fields: str | None) -> None:
        """Answer each request to a path with this; without a body, with how many requests to it there were."""

        async def answer(request: web.Request) -> web.Response:
            self._counts[path] += 1
            content = str(self._counts[path]).encode() if body is None else body
            content = content.encode() if isinstance(content, str) else content
            headers = fields_of({"date": formatdate(self.clock(), usegmt=True), **fields})
            return web.Response(body=content, status=status, headers=headers)

        self._handlers[path] = answer

    def do(self, path: str, handler: Handler) -> None:
        """Answer requests to a path by a handler."""
        self._handlers[path] = handler

    def wait(self, path: str) -> Visits:
        """Let requests to a path wait for the test's words."""
        visits = Visits(self.clock)
        self._all_visits.append(visits)
        self._handlers[path] = visits.take
        return visits

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.headers.append(CIMultiDict(request.headers))
        handler = self._handlers.get(request.path.removeprefix("/"))
        return web.Response(status=404) if handler is None else await handler(request)

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more, and end what waits."""
        for visits in self._all_visits:
            for visit in visits.all:
                visit.cut()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def conditional(body: bytes, etag: str = '"1"', **fields: str | None) -> Handler:
    """Make a handler that answers 304 if the client has it already."""

    async def answer(request: web.Request) -> web.Response:
        headers = fields_of({"etag": etag, **fields})
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    return answer


def json_of(value: Any) -> Handler:
    """Make a handler that answers with JSON."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(value, headers=fields_of({}))

    return answer
