"""A server of aiohttp.web on a loopback port, what one asks it, and handlers that do as a test says."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class Reply:
    """What a client was told."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, read as UTF-8."""
        return self.body.decode()

    @property
    def told(self) -> str:
        """The value of `Cache-Status`."""
        return self.headers.get("Cache-Status", "")

    @property
    def is_hit(self) -> bool:
        """Whether the cache has answered without asking the handler."""
        return "; hit" in self.told


class WebSite:
    """An application that is served, and a client without a memory."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **options)
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        await self._runner.cleanup()

    def url(self, path: str) -> str:
        """Give the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, data: Any = None) -> Reply:
        """Send a request, and read all of the answer."""
        sent = self.session.request(method, self.url(path), headers=headers, data=data, allow_redirects=False)
        async with sent as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str = "/", **headers: str) -> Reply:
        """Ask for a path; names of fields are written with underscores."""
        return await self.ask("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})

    async def raw(self, request: bytes) -> bytes:
        """Send octets over a connection of their own, and give all that comes until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


class Counting:
    """A handler that numbers its answers, and waits if it is told to."""

    def __init__(self, cache_control: str = "max-age=60", **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if cache_control:
            self.headers["Cache-Control"] = cache_control
        self.runs = 0
        self.requests: list[web.Request] = []
        self.began = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.runs += 1
        number = self.runs
        self.requests.append(request)
        self.began.set()
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return web.Response(text=f"answer {number}", headers=self.headers)


class Mirror:
    """A handler whose answer depends on one field of the request."""

    def __init__(self, field: str, **headers: str) -> None:
        self.field = field
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.runs = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Tell the value of the field."""
        self.runs += 1
        return web.Response(text=request.headers.get(self.field, "nobody"), headers=self.headers)


class Arrivals:
    """A middleware that lies outside the cache, and sees when so many requests have come."""

    def __init__(self) -> None:
        self.number = 0
        self.awaited = 0
        self.are_there = asyncio.Event()
        self.raised: list[type[BaseException]] = []
        self.someone_left = asyncio.Event()

    def expect(self, number: int) -> asyncio.Event:
        """Give what is set when so many more have come."""
        self.awaited = self.number + number
        self.are_there.clear()
        return self.are_there

    @web.middleware
    async def see(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """See one."""
        self.number += 1
        if self.number == self.awaited:
            self.are_there.set()
        try:
            response: web.StreamResponse = await handler(request)
        except asyncio.CancelledError:
            self.someone_left.set()
            raise
        except Exception as error:
            self.raised.append(type(error))
            raise
        return response


def serving(cache: Any, handlers: dict[str, Any], **options: Any) -> WebSite:
    """Give a site that has these handlers behind a cache."""
    app = web.Application(middlewares=[cache])
    for path, handler in handlers.items():
        app.router.add_route("*", path, handler)
    return WebSite(app, **options)
