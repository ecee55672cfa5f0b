"""How bodies flow through the cache of an ASGI application, for one reader and for several, also when some leave."""

import asyncio
from typing import Any

import pytest

from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.http.server.asgi_run import NobodyReads
from asynccache.http.server.pieces import Pieces
from asynccache.testing import ManualClock
from tests.http.asgi_client import Numbered, get


class Events:
    """An application that sends one event, and the next one when the test says so."""

    def __init__(self, content_type: str = "text/event-stream", cache_control: str = "") -> None:
        self.headers = [(b"content-type", content_type.encode())]
        if cache_control:
            self.headers.append((b"cache-control", cache_control.encode()))
        self.next = asyncio.Event()
        self.heard: list[str] = []
        self.runs = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        self.runs += 1
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await self.next.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})


async def test_events_come_one_by_one() -> None:
    """A stream of events is passed on as it comes, to each client its own, whatever holds for its URL."""
    app = Events()
    async with ASGICacheMiddleware(app, ttl=60) as cached:
        calls = [get(), get()]
        tasks = [asyncio.create_task(call.to(cached)) for call in calls]
        for call in calls:
            while call.body != b"one":
                call.something_came.clear()
                await call.something_came.wait()
        assert app.runs == 2
        app.next.set()
        await asyncio.gather(*tasks)
    assert [(call.body, call.is_complete) for call in calls] == [(b"onetwo", True)] * 2


async def test_a_stream_is_stored_on_its_way() -> None:
    """A body in pieces is sent as it comes, to whoever asks meanwhile too, and is whole in the cache at its end."""
    app = Events("text/plain", "max-age=60")
    async with ASGICacheMiddleware(app) as cached:
        leader, follower = get(), get()
        tasks = [asyncio.create_task(leader.to(cached))]
        while leader.body != b"one":
            leader.something_came.clear()
            await leader.something_came.wait()
        tasks.append(asyncio.create_task(follower.to(cached)))
        while follower.body != b"one":
            follower.something_came.clear()
            await follower.something_came.wait()
        app.next.set()
        await asyncio.gather(*tasks)
        again = await get().to(cached)
    assert [call.body for call in (leader, follower, again)] == [b"onetwo"] * 3
    assert again.is_hit
    assert app.runs == 1


async def test_twenty_equal_requests_call_the_application_once() -> None:
    """Whoever asks while the application works is given what it sends."""
    app = Numbered()
    app.may_go_on.clear()
    async with ASGICacheMiddleware(app) as cached:
        tasks = [asyncio.create_task(get().to(cached)) for _ in range(20)]
        await app.began.wait()
        await turns(3)
        app.may_go_on.set()
        calls = await asyncio.gather(*tasks)
    assert {call.body for call in calls} == {b"answer 1"}
    assert app.runs == 1


async def test_a_client_that_leaves_ends_a_stream_that_is_its_own() -> None:
    """The application hears of the disconnect, and cannot send any more."""
    heard: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])
        try:
            await send({"type": "http.response.body", "body": b"two", "more_body": True})
        except OSError as error:
            heard.append(type(error))
            raise

    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        while call.body != b"one":
            call.something_came.clear()
            await call.something_came.wait()
        call.has_gone.set()
        await task
    assert heard == ["http.request", "http.disconnect", NobodyReads]
    assert not call.is_complete


async def test_a_server_that_cancels_a_stream_cancels_the_application() -> None:
    """A call that was for its caller alone is cancelled with it, as without a cache."""
    app = Events()
    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        while call.body != b"one":
            call.something_came.clear()
            await call.something_came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await turns(3)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_leader_that_leaves_does_not_spoil_it_for_others() -> None:
    """The client whose request called the application goes: the other one gets all, and it is kept."""
    app = Events("text/plain", "max-age=60")
    async with ASGICacheMiddleware(app) as cached:
        leader, follower = get(), get()
        tasks = [asyncio.create_task(leader.to(cached)), asyncio.create_task(follower.to(cached))]
        while follower.body != b"one":
            follower.something_came.clear()
            await follower.something_came.wait()
        leader.has_gone.set()
        await turns(5)
        app.next.set()
        await asyncio.gather(*tasks)
        again = await get().to(cached)
    assert (follower.body, follower.is_complete, again.body, again.is_hit) == (b"onetwo", True, b"onetwo", True)


async def test_what_nobody_reads_to_the_end_is_not_kept() -> None:
    """When the last reader has gone, the application is told, and nothing half is stored."""
    app = Events("text/plain", "max-age=60")
    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        while call.body != b"one":
            call.something_came.clear()
            await call.something_came.wait()
        call.has_gone.set()
        await turns(5)
        app.next.set()
        await task
        again = await get().to(cached)
    assert (again.body, again.is_hit) == (b"onetwo", False)


@pytest.mark.parametrize("number", range(16))
async def test_a_leader_may_be_cancelled_at_any_await(number: int) -> None:
    """However far the leader has come when it is cancelled, the follower gets the whole answer of one run."""
    runs = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal runs
        runs += 1
        await turns(2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await turns(1)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await turns(1)
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    async with ASGICacheMiddleware(app) as cached:
        leader = asyncio.create_task(get().to(cached))
        follower = asyncio.create_task(get().to(cached))
        await turns(number)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        call = await follower
        again = await get().to(cached)
    assert (call.body, call.is_complete, again.body, again.is_hit) == (b"onetwo", True, b"onetwo", True)
    assert runs == 1


@pytest.mark.parametrize("number", range(16))
async def test_the_only_caller_may_be_cancelled_at_any_await(number: int) -> None:
    """A caller nobody waits with takes the call down; whoever comes next gets a whole answer."""
    app = Numbered(pieces=[b"one", b"two"])
    async with ASGICacheMiddleware(app) as cached:
        alone = asyncio.create_task(get().to(cached))
        await turns(number)
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        call = await get().to(cached)
    assert (call.body, call.is_complete) == (b"onetwo", True)


async def test_a_fast_application_waits_for_a_slow_client() -> None:
    """Not much more of a body than a reader has taken lies in memory."""
    sent = 0
    size, window = 64 * 1024, 3 * 1024 * 1024

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for position in range(500):
            await send({"type": "http.response.body", "body": b"x" * size, "more_body": position < 499})
            sent += size

    async with ASGICacheMiddleware(app) as cached:
        may_read = asyncio.Event()
        call = get()

        class Slow:
            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                async def slowly(message: Any) -> None:
                    if message["type"] == "http.response.body":
                        await may_read.wait()
                    await send(message)

                await cached(scope, receive, slowly)

        task = asyncio.create_task(call.to(Slow()))
        await turns(200)
        assert 0 < sent < window
        may_read.set()
        await task
    assert len(call.body) == 500 * size


@pytest.mark.parametrize("size", [0, 1, 32 * 1024 + 1, 700_000, 3_000_000])
async def test_bodies_of_all_sizes_come_back_whole(size: int) -> None:
    """A body in pieces is served as it was sent, wherever it lies in the store."""
    body = bytes(number % 251 for number in range(size))
    app = Numbered(pieces=[*(body[start : start + 50_000] for start in range(0, size, 50_000)), b""])
    async with ASGICacheMiddleware(app) as cached:
        first, again = await get().to(cached), await get().to(cached)
    assert first.body == again.body == body
    assert again.is_hit


async def test_the_application_is_called_behind(clock: ManualClock) -> None:
    """With stale-while-revalidate the old response is served; the call behind has no client, condition or range."""
    app = Numbered("max-age=60, stale-while-revalidate=100", ETag='"1"')
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(100)
        old = await get(If_None_Match='"x"', Range="bytes=0-1").to(cached)
        while (new := await get().to(cached)).body != b"answer 2":  # ends, or the test's time does
            await turns(1)
    assert (old.status, old.body) == (206, b"an")
    assert new.is_hit
    behind = dict(app.scopes[1]["headers"])
    assert (behind[b"if-none-match"], b"range" in behind) == (b'"1"', False)


async def test_closing_ends_what_runs() -> None:
    """An application that runs behind is cancelled with the cache."""
    clock = ManualClock(1_700_000_000.0)
    app = Numbered("max-age=1, stale-while-revalidate=60")
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        clock.advance(10)
        app.began.clear()
        app.may_go_on.clear()
        await get().to(cached)
        await app.began.wait()
    assert (app.runs, app.after) == (2, 1)


async def test_what_an_application_does_after_its_response_is_done() -> None:
    """A task after the response runs to its end, also if all that was asked for is there already."""
    app = Numbered()
    async with ASGICacheMiddleware(app) as cached:
        await asyncio.gather(*(get().to(cached) for _ in range(3)))
    assert (app.runs, app.after) == (1, 1)


async def test_pieces_wait_for_room_and_for_more() -> None:
    """A queue of pieces holds up who fills it, and who reads it, until there is room or more."""
    pieces = Pieces(limit=4)
    read: list[bytes] = []

    async def reading() -> None:
        async for piece in pieces.read():
            read.extend([piece])

    pieces.feed(b"12345")
    pieces.feed(b"")
    waiting = asyncio.create_task(pieces.wait_for_room())
    await turns(2)
    assert not waiting.done()
    reader = asyncio.create_task(reading())
    await waiting
    pieces.feed(b"6")
    pieces.fail(LookupError("broken"))
    with pytest.raises(LookupError):
        await reader
    assert read == [b"12345", b"6"]


async def test_pieces_that_nobody_reads_hold_nobody_up() -> None:
    """When the reader has left, there is room for everything."""
    pieces = Pieces(limit=1)
    pieces.feed(b"12345")
    waiting = asyncio.create_task(pieces.wait_for_room())
    await turns(2)
    pieces.leave()
    await waiting
    pieces.feed(b"more")
    await pieces.wait_for_room()


async def turns(number: int) -> None:
    """Let the loop turn so often."""
    for _ in range(number):
        await asyncio.sleep(0)
