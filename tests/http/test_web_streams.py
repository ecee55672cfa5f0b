"""What a handler of aiohttp.web sends itself passes untouched: events, files, WebSockets, bodies that are no bytes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from asynccache.http import Rule
from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.web_origin import CACHE_TAGS
from tests.http.web_site import WebSite, serving


class Stream:
    """A handler that sends one event to each of its clients, and the next one when the test says so."""

    def __init__(self, content_type: str = "text/event-stream", **headers: str) -> None:
        self.headers = {
            "Content-Type": content_type,
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        self.runs = self.ended = 0
        self.next = asyncio.Event()
        self.is_over = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send events."""
        self.runs += 1
        response = web.StreamResponse(headers=self.headers)
        await response.prepare(request)
        try:
            await response.write(b"data: one\n\n")
            await self.next.wait()
            await response.write(b"data: two\n\n")
        finally:
            self.ended += 1
            self.is_over.set()
        return response


@pytest.mark.parametrize("options", [{}, {"ttl": 60}], ids=["silent", "ttl for everything"])
async def test_events_come_one_by_one_to_each_client(options: dict[str, float]) -> None:
    """Two clients of one event stream each have a stream of their own, and every event when it is sent."""
    stream = Stream()
    async with (
        ResponseCache(**options) as cache,  # type: ignore[arg-type]
        serving(cache, {"/": stream.answer}) as site,
        site.session.get(site.url("/")) as one,
    ):
        assert await one.content.readuntil(b"\n\n") == b"data: one\n\n"
        async with site.session.get(site.url("/")) as other:
            assert await other.content.readuntil(b"\n\n") == b"data: one\n\n"
            stream.next.set()
            assert await other.read() == b"data: two\n\n"
        assert await one.read() == b"data: two\n\n"
    assert stream.runs == 2


async def test_clients_that_come_at_the_same_time_do_not_wait_for_a_streams_end() -> None:
    """Of clients that wait for the same head, each has its own stream as soon as the first one begins."""
    stream = Stream(Cache_Control="max-age=60")
    async with ResponseCache() as cache, serving(cache, {"/": stream.answer}) as site:

        async def first_event() -> bytes:
            async with site.session.get(site.url("/")) as response:
                return await response.content.readuntil(b"\n\n")

        assert await asyncio.gather(*(first_event() for _ in range(5))) == [b"data: one\n\n"] * 5
        stream.next.set()
    assert stream.runs == 5


async def test_a_client_that_leaves_ends_its_stream() -> None:
    """With `handler_cancellation`, a handler that sends is cancelled when its client has gone, as without a cache."""
    stream = Stream()
    async with ResponseCache() as cache, serving(cache, {"/": stream.answer}, handler_cancellation=True) as site:
        async with site.session.get(site.url("/")) as response:
            await response.content.readuntil(b"\n\n")
        await stream.is_over.wait()
    assert (stream.runs, stream.ended) == (1, 1)


async def test_a_response_that_a_handler_has_begun_is_not_kept() -> None:
    """`web.StreamResponse` says max-age in vain: nobody has seen its body."""
    stream = Stream("text/plain", Cache_Control="max-age=60")
    stream.next.set()
    async with ResponseCache() as cache, serving(cache, {"/": stream.answer}) as site:
        replies = [await site.get() for _ in range(2)]
    assert [reply.text for reply in replies] == ["data: one\n\ndata: two\n\n"] * 2
    assert stream.runs == 2


async def test_events_that_are_returned_whole_are_not_kept() -> None:
    """`text/event-stream` is never kept, whatever it says."""
    runs = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        return web.Response(
            text="data: x\n\n", content_type="text/event-stream", headers={"Cache-Control": "max-age=60"}
        )

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        await site.get()
        await site.get()
    assert runs == 2


async def test_a_file_passes(tmp_path: Path) -> None:
    """`FileResponse` keeps its ranges and validators, and sends the file itself."""
    path = tmp_path / "file.txt"
    path.write_bytes(b"0123456789")

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        whole = await site.get()
        part = await site.get(Range="bytes=2-3")
        same = await site.get(If_None_Match=whole.headers["ETag"])
    assert (whole.body, part.status, part.body, same.status) == (b"0123456789", 206, b"23", 304)
    assert not any(reply.is_hit for reply in (whole, part, same))


async def test_a_websocket_passes() -> None:
    """A WebSocket is opened through the cache, whatever holds for its URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{message.data}!")
        return socket

    cache = ResponseCache(ttl=60, rules=(Rule("*", ttl=60),))
    async with cache, serving(cache, {"/": answer}) as site, site.session.ws_connect(site.url("/")) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello!"


async def test_a_body_that_is_no_bytes_passes() -> None:
    """A `web.Response` whose body is an iterator is sent as it comes, each time by the handler."""
    runs = 0

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        return web.Response(body=pieces(), headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache, serving(cache, {"/": answer}) as site:
        replies = [await site.get() for _ in range(2)]
    assert [reply.text for reply in replies] == ["one two"] * 2
    assert runs == 2


async def test_who_lies_outside_sees_what_a_handler_has_put_into_its_request() -> None:
    """Middlewares around the cache find what the handler, or one of those inside, has noted in the request."""
    seen: list[object] = []

    @web.middleware
    async def outside(request: web.Request, handler: object) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)  # type: ignore[operator]
        seen.append(request.get(CACHE_TAGS))
        return response

    async def answer(request: web.Request) -> web.Response:
        request[CACHE_TAGS] = ("noted",)
        return web.Response(text="x", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache:
        app = web.Application(middlewares=[outside, cache])
        app.router.add_get("/", answer)
        async with WebSite(app) as site:
            await site.get()
            await site.get()
    assert seen == [("noted",), None]
