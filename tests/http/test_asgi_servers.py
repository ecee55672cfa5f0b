"""The cache in real applications: Starlette and FastAPI, served by uvicorn on a loopback port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import fastapi
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.testing import ManualClock
from tests.http.web_site import Reply

pytestmark = pytest.mark.one_loop  # uvicorn and Starlette bring much of their own; other tests have every loop

FRESH = {"Cache-Control": "max-age=60"}


class Served:
    """An application that uvicorn serves, and a client without a memory."""

    def __init__(self, app: Any) -> None:
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    async def __aenter__(self) -> "Served":
        # What uvicorn's own `serve` does, without its signals and its loop that ticks.
        config = self._uvicorn.config
        config.load()
        self._uvicorn.lifespan = config.lifespan_class(config)
        await self._uvicorn.startup(sockets=[self._socket])
        await self._uvicorn.on_tick(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self._uvicorn.shutdown(sockets=[self._socket])

    async def get(self, path: str = "/", **headers: str) -> Reply:
        """Ask for a path; names of fields are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(self.base + path, headers=named) as response:
            return Reply(response.status, response.headers, await response.read())


class Counted:
    """Endpoints of Starlette that count their calls."""

    def __init__(self) -> None:
        self.runs = self.after = 0
        self.next = asyncio.Event()
        self.is_over = asyncio.Event()

    async def json(self, request: Request) -> Response:
        """Answer in one piece, and do something afterwards."""
        self.runs += 1
        request.state.cache_tags = [request.path_params.get("id", "none")]
        return JSONResponse({"run": self.runs}, headers=FRESH, background=BackgroundTask(self.later))

    async def later(self) -> None:
        """Come after a response."""
        self.after += 1

    async def stream(self, _: Request) -> Response:
        """Answer in two pieces, the second one when the test says so."""
        return StreamingResponse(self.pieces(), media_type="text/plain", headers=FRESH)

    async def events(self, _: Request) -> Response:
        """Answer likewise, as a stream of events."""
        return StreamingResponse(self.pieces(), media_type="text/event-stream", headers=FRESH)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give them."""
        self.runs += 1
        try:
            yield b"one"
            await self.next.wait()
            yield b"two"
        finally:
            self.is_over.set()


async def test_starlette_is_cached() -> None:
    """`add_middleware` is all there is to do: hits, 304s, ages; a date is told once."""
    counted = Counted()
    app = Starlette(routes=[Route("/", counted.json)])
    app.add_middleware(ASGICacheMiddleware, etag=True)
    async with Served(app) as served:
        first, again = await served.get(), await served.get()
        same = await served.get(If_None_Match=first.headers["ETag"])
    assert (first.body, again.body, same.status) == (b'{"run":1}', b'{"run":1}', 304)
    assert (first.is_hit, again.is_hit) == (False, True)
    assert (counted.runs, counted.after) == (1, 1)
    for name in ("Date", "Age", "Content-Length", "Content-Type"):
        assert len(again.headers.getall(name)) == 1


async def test_fastapi_is_cached_and_purged() -> None:
    """Plain functions, which FastAPI runs in threads, and coroutine functions are cached; tags purge them."""
    runs = 0
    app = fastapi.FastAPI()

    @app.get("/products/{number}")
    def product(number: int, response: Response) -> dict[str, int]:
        nonlocal runs
        runs += 1
        response.headers["Cache-Control"] = "max-age=60"
        response.headers["Cache-Tag"] = f"product:{number}"
        return {"product": number, "run": runs}

    @app.post("/products/{number}")
    async def change(number: int, said: dict[str, str]) -> dict[str, str]:
        return said

    cache = ASGICacheMiddleware(app)
    async with Served(cache) as served:
        assert [(await served.get(f"/products/{number}")).is_hit for number in (1, 2, 1)] == [False, False, True]
        await cache.purge_tags("product:1")
        assert [(await served.get(f"/products/{number}")).is_hit for number in (1, 2)] == [False, True]
        async with served.session.post(f"{served.base}/products/2", json={"a": "b"}) as response:
            assert await response.json() == {"a": "b"}
        assert not (await served.get("/products/2")).is_hit
    assert runs == 4


async def test_twenty_clients_call_an_endpoint_once() -> None:
    """Whoever asks while an endpoint works is given what it returns."""
    counted = Counted()
    gate, began = asyncio.Event(), asyncio.Event()
    waiting = 0
    all_wait = asyncio.Event()

    async def slow(_: Request) -> Response:
        counted.runs += 1
        began.set()
        await gate.wait()
        return PlainTextResponse("whole", headers=FRESH)

    cached = ASGICacheMiddleware(Starlette(routes=[Route("/", slow)]))

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        nonlocal waiting
        if scope["type"] == "http":
            waiting += 1
            if waiting == 20:
                asyncio.get_running_loop().call_soon(all_wait.set)
        await cached(scope, receive, send)

    async with Served(counting) as served:
        asking = [asyncio.create_task(served.get()) for _ in range(20)]
        await all_wait.wait()
        await began.wait()
        gate.set()
        replies = await asyncio.gather(*asking)
    assert {reply.body for reply in replies} == {b"whole"}
    assert counted.runs == 1


async def test_streams_are_passed_on_as_they_come() -> None:
    """A client reads the first piece before the second one is made; then the whole is kept."""
    counted = Counted()
    app = Starlette(routes=[Route("/", counted.stream)], middleware=[Middleware(ASGICacheMiddleware)])
    async with Served(app) as served:
        async with served.session.get(served.base) as response:
            assert await response.content.readexactly(3) == b"one"
            counted.next.set()
            assert await response.read() == b"two"
        again = await served.get()
    assert (again.body, again.is_hit, counted.runs) == (b"onetwo", True, 1)


async def test_a_client_that_leaves_ends_its_events() -> None:
    """A stream of events is not held up, and ends with its client; another client has another one."""
    counted = Counted()
    app = Starlette(routes=[Route("/", counted.events)], middleware=[Middleware(ASGICacheMiddleware, ttl=60)])
    async with Served(app) as served:
        async with served.session.get(served.base) as one, served.session.get(served.base) as other:
            assert await one.content.readexactly(3) == await other.content.readexactly(3) == b"one"
        await counted.is_over.wait()
    assert counted.runs == 2


async def test_an_application_that_fails_is_an_error_and_not_kept(clock: ManualClock) -> None:
    """What an endpoint raises is a 500 of Starlette's, or an old response if that was allowed."""
    fails = True

    async def answer(_: Request) -> Response:
        if fails:
            raise RuntimeError("down")
        return PlainTextResponse("fine", headers={"Cache-Control": "max-age=60, stale-if-error=600"})

    app = Starlette(routes=[Route("/", answer)])
    app.add_middleware(ASGICacheMiddleware, clock=clock)
    async with Served(app) as served:
        assert (await served.get()).status == 500
        fails = False
        assert (await served.get()).body == b"fine"
        fails = True
        clock.advance(100)
        old = await served.get()
    assert (old.status, old.body, old.headers["Age"]) == (200, b"fine", "100")


async def test_middlewares_mounts_and_files_go_with_it(tmp_path: Path) -> None:
    """What Starlette's own middlewares wrap, what is mounted, and files that it sends itself come back whole."""
    path = tmp_path / "file.txt"
    path.write_bytes(b"x" * 200_000)
    counted = Counted()

    class Marking(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["X-Marked"] = "yes"
            return response

    async def file(_: Request) -> Response:
        return FileResponse(path, headers=FRESH)

    routes = [Mount("/sub", routes=[Route("/{id}", counted.json)]), Route("/file", file)]
    app = Starlette(routes=routes, middleware=[Middleware(ASGICacheMiddleware), Middleware(Marking)])
    async with Served(app) as served:
        for name in ("/sub/1", "/file"):
            first, again = await served.get(name), await served.get(name)
            assert (first.is_hit, again.is_hit) == (False, True)
            assert first.body == again.body
            assert again.headers["X-Marked"] == "yes"
        part = await served.get("/file", Range="bytes=199998-")
    assert (part.status, part.body, part.is_hit) == (206, b"xx", True)


async def test_the_lifespans_end_closes_the_cache_and_its_store(tmp_path: Path) -> None:
    """A store on disk is closed with the server, and there again for the next one."""
    counted = Counted()
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    started: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        started.append("up")
        yield {"name": "shared"}
        started.append("down")

    for _ in range(2):
        app = Starlette(routes=[Route("/", counted.json)], lifespan=lifespan)
        app.add_middleware(ASGICacheMiddleware, store=url)
        async with Served(app) as served:
            await served.get(Host="shop.example")
    assert counted.runs == 1
    assert started == ["up", "down"] * 2


async def test_it_works_in_process_too() -> None:
    """A transport of httpx, which is no server, and tells of a disconnect at once, gets whole responses."""
    counted = Counted()
    counted.next.set()
    app = ASGICacheMiddleware(Starlette(routes=[Route("/", counted.stream)]))
    transport = httpx.ASGITransport(app)
    async with app, httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        replies = [await client.get("/") for _ in range(2)]
    assert [reply.content for reply in replies] == [b"onetwo"] * 2
    assert "; hit" in replies[1].headers["cache-status"]
