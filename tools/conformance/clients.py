"""What is tested: clients, and servers in front of the origin, each with our cache or without any.

Decides how our caches are set up for the tests: as they come, but for what `AS_PROXIES_DO` says.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from asynccache.http.options import HttpCacheOptions
from tools.conformance.proxy import Application, Forwarder, asgi_gateway, gateway
from tools.conformance.replies import FetchHeaders, Reply, decoded
from tools.conformance.steps import Ask, OpenClient, Send
from tools.conformance.suite import Mode

LOOPBACK: Final = "127.0.0.1"
THREADS: Final = 64
AS_PROXIES_DO: Final[HttpCacheOptions] = {"heuristic_fraction": 0.1, "stale_if_error": 60}
"""What our caches on servers do only if they are told to: guess how long a response is fresh, and serve an old one if
the origin fails."""

OpenServer: TypeAlias = Callable[[str, bool], AbstractAsyncContextManager[str]]
"""Puts something in front of the origin of that URL, with our cache or without; gives its own URL."""


@dataclass(frozen=True, slots=True)
class Column:
    """One run of the suite, and a column of the tables.

    Attributes:
        title: how the tables name it.
        mode: which tests.
        open_server: what stands between client and origin.
        is_client: whether the cache is in the client; otherwise it is in the server.
    """

    title: str
    mode: Mode
    open_server: OpenServer
    is_client: bool

    def client(self, with_cache: bool) -> OpenClient:
        """What opens the client that the tests are run with."""
        return caching_client if with_cache and self.is_client else plain_client


def sender(session: aiohttp.ClientSession) -> Send:
    """Give what sends the requests of tests through a session."""

    async def send(base: str, ask: Ask) -> Reply:
        url = URL(base + ask.path, encoded=True)
        headers = CIMultiDict(ask.headers)
        async with session.request(
            ask.method, url, headers=headers, data=ask.body, allow_redirects=ask.follow
        ) as response:
            body = await response.read()
            return Reply(response.status, FetchHeaders(decoded(response.raw_headers)), body)

    return send


@asynccontextmanager
async def plain_client() -> AsyncGenerator[Send, None]:
    """Open aiohttp's client without a cache."""
    async with aiohttp.ClientSession() as session:
        yield sender(session)


@asynccontextmanager
async def caching_client() -> AsyncGenerator[Send, None]:
    """Open aiohttp's client with our cache."""
    from asynccache.http import CacheMiddleware

    async with CacheMiddleware() as cache, aiohttp.ClientSession(middlewares=(cache,)) as session:
        yield sender(session)


@asynccontextmanager
async def nothing(origin: str, with_cache: bool) -> AsyncGenerator[str, None]:
    """Put nothing in front of the origin."""
    del with_cache
    yield origin


@asynccontextmanager
async def web_server(origin: str, with_cache: bool) -> AsyncGenerator[str, None]:
    """Run aiohttp.web in front of the origin."""
    from asynccache.http import ResponseCache

    with ThreadPoolExecutor(THREADS) as threads:
        cache = ResponseCache(**AS_PROXIES_DO)
        app = web.Application(middlewares=[gateway, cache] if with_cache else [gateway])
        app.cleanup_ctx.append(cache.cleanup_ctx)
        app.router.add_route("*", "/{anything:.*}", Forwarder(origin, threads).handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        own = listening()
        try:
            await web.SockSite(runner, own).start()
            yield url_of(own)
        finally:
            await runner.cleanup()


@asynccontextmanager
async def asgi_server(origin: str, with_cache: bool) -> AsyncGenerator[str, None]:
    """Run uvicorn in front of the origin."""
    import uvicorn

    with ThreadPoolExecutor(THREADS) as threads:
        app: Application = Forwarder(origin, threads).asgi
        if with_cache:
            from asynccache.http import ASGICacheMiddleware

            app = ASGICacheMiddleware(app, date=True, **AS_PROXIES_DO)
        # The origin tells its own date, which the cache hands on: see `date=True`.
        config = uvicorn.Config(
            asgi_gateway(app),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            server_header=False,
            date_header=False,
        )
        server = uvicorn.Server(config)
        own = listening()
        serving = asyncio.create_task(server.serve([own]))
        try:
            yield url_of(own)
        finally:
            server.should_exit = True
            await serving


def listening() -> socket.socket:
    """Open a socket that listens on a free port of this machine; the server that takes it closes it."""
    return socket.create_server((LOOPBACK, 0), backlog=1024)


def url_of(own: socket.socket) -> str:
    """Where that socket listens."""
    return f"http://{LOOPBACK}:{own.getsockname()[1]}"


COLUMNS: Final[Mapping[str, Column]] = {
    "client": Column("client", "private", nothing, is_client=True),
    "extra": Column("client, further tests", "extra", nothing, is_client=True),
    "web": Column("aiohttp.web", "shared", web_server, is_client=False),
    "asgi": Column("ASGI", "shared", asgi_server, is_client=False),
}
"""What is run, by the name that `known_failures.toml` uses."""
