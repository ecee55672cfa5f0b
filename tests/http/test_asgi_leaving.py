"""Clients that go, and responses that nobody needs: what an ASGI application hears of it, and what it may still do."""

import asyncio
from typing import Any

import pytest

from asynccache.http.server.asgi import ASGICacheMiddleware
from asynccache.http.server.asgi_run import NobodyReads
from asynccache.testing import ManualClock
from tests.http.asgi_client import Call, Numbered, get

pytestmark = pytest.mark.usefixtures("watched_loop")


class Polled:
    """An application that waits for its client to go, before it has sent anything."""

    def __init__(self) -> None:
        self.runs = 0
        self.heard: list[str] = []
        self.waits = asyncio.Event()
        self.size = 3
        self.after: list[object] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Wait, and then answer nobody."""
        self.runs += 1
        self.heard.append((await receive())["type"])
        self.waits.set()
        self.heard.append((await receive())["type"])
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
            await send({"type": "http.response.body", "body": b"x" * self.size, "more_body": False})
        except OSError as error:
            self.after.append(type(error))
            raise
        self.after.append("done")


@pytest.mark.parametrize(("size", "after"), [(3, "done"), (64 * 1024 + 1, NobodyReads)])
async def test_who_waits_for_a_disconnect_hears_of_it(size: int, after: object) -> None:
    """An endpoint that polls for a disconnect ends with its client; what it then sends, if it is short, is no error."""
    app = Polled()
    app.size = size
    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        await app.waits.wait()
        call.has_gone.set()
        await task
    assert (app.heard, app.after, call.sent) == (["http.request", "http.disconnect"], [after], [])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_disconnect_is_told_when_the_last_client_has_gone() -> None:
    """While somebody else waits for the same answer, the application does not hear that its own client has gone."""
    app = Polled()
    async with ASGICacheMiddleware(app) as cached:
        calls = [get(), get()]
        tasks = [asyncio.create_task(call.to(cached)) for call in calls]
        await app.waits.wait()
        await turns(3)
        calls[0].has_gone.set()
        await turns(10)
        assert app.heard == ["http.request"]
        calls[1].has_gone.set()
        await asyncio.gather(*tasks)
    assert (app.heard, app.runs) == (["http.request", "http.disconnect"], 1)


async def test_nobody_joins_a_run_that_was_told_of_a_disconnect() -> None:
    """Who asks after the client has gone for whom an application worked has it called again."""
    app = Polled()
    async with ASGICacheMiddleware(app) as cached:
        first, second = get(), get()
        task = asyncio.create_task(first.to(cached))
        await app.waits.wait()
        first.has_gone.set()
        await task
        app.waits.clear()
        task = asyncio.create_task(second.to(cached))
        await app.waits.wait()
        assert app.runs == 2
        second.has_gone.set()
        await task


async def test_an_answer_that_took_too_long_for_its_client_is_kept() -> None:
    """An application that listens for nothing finishes what it has begun; who comes meanwhile waits for that."""
    app = Numbered()
    app.may_go_on.clear()
    async with ASGICacheMiddleware(app) as cached:
        gone, other = get(), get()
        tasks = [asyncio.create_task(gone.to(cached))]
        await app.began.wait()
        gone.has_gone.set()
        await turns(10)
        tasks.append(asyncio.create_task(other.to(cached)))
        await turns(5)
        app.may_go_on.set()
        await asyncio.gather(*tasks)
        again = await get().to(cached)
    assert (other.body, again.body, again.is_hit, app.runs) == (b"answer 1", b"answer 1", True, 1)


async def test_a_client_that_goes_while_what_is_kept_is_confirmed_ends_quietly() -> None:
    """The call of a client that has gone is no cancelled one, though its answer is there at once in the end."""
    app = Numbered("no-cache", ETag='"1"')
    async with ASGICacheMiddleware(app) as cached:
        await get().to(cached)
        app.began.clear()
        app.may_go_on.clear()
        app.status, app.pieces = 304, [b""]
        call = get()
        task = asyncio.create_task(call.to(cached))
        await app.began.wait()
        call.has_gone.set()
        await turns(5)
        app.may_go_on.set()
        await task
        await turns(3)
    assert (app.runs, task.cancelled()) == (2, False)


async def test_a_call_that_is_cancelled_when_its_client_has_gone_is_cancelled() -> None:
    """A server that cancels a call after a disconnect sees it cancelled, and the application with it."""
    app = Polled()
    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        await app.waits.wait()
        call.has_gone.set()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        await turns(5)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_call_whose_client_has_gone_may_be_cancelled_while_others_read() -> None:
    """A server that ends the call of a client that has gone spoils nothing for those who read the same response."""
    app = Halves()
    async with ASGICacheMiddleware(app) as cached:
        gone, other = get(), get()
        tasks = [asyncio.create_task(call.to(cached)) for call in (gone, other)]
        await other.something_came.wait()
        gone.has_gone.set()
        await turns(10)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        app.may_end.set()
        await tasks[1]
    assert (tasks[0].cancelled(), other.body, other.is_complete) == (True, b"onetwo", True)


async def test_an_application_that_does_not_end_after_a_disconnect_is_cancelled_with_its_call() -> None:
    """What hears of a disconnect, and goes on all the same, is ended by the server that ends the call."""
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            heard.extend([(await receive())["type"], (await receive())["type"]])
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        await turns(10)
        call.has_gone.set()
        await turns(10)
        assert heard == ["http.request", "http.disconnect"]
        task.cancel()
        await asyncio.wait({task})
        await turns(3)
    assert (heard[2:], task.cancelled()) == (["cancelled"], True)


async def test_what_follows_a_response_is_cancelled_with_its_call() -> None:
    """A background task of the application ends with the call that it belongs to, as without a cache."""
    app = Numbered()
    never = asyncio.Event()
    ends: list[str] = []

    async def working(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        try:
            await never.wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async with ASGICacheMiddleware(working) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        while not call.sent or not call.is_complete:
            call.something_came.clear()
            await call.something_came.wait()
        await turns(3)
        task.cancel()
        await asyncio.wait({task})
        await turns(3)
    assert ends == ["cancelled"]


async def test_who_has_gone_waits_for_nobody() -> None:
    """A client that goes while it waits for another's answer is done with; the other one gets it."""
    app = Numbered()
    app.may_go_on.clear()
    async with ASGICacheMiddleware(app) as cached:
        leader, follower = get(), get()
        leading = asyncio.create_task(leader.to(cached))
        await app.began.wait()
        following = asyncio.create_task(follower.to(cached))
        await turns(5)
        follower.has_gone.set()
        await following
        assert not leading.done()
        app.may_go_on.set()
        await leading
    assert (leader.body, follower.sent, app.runs) == (b"answer 1", [], 1)


class Halves:
    """An application that sends one half of its answer, and the other one when the test says so."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = [(b"cache-control", b"max-age=60"), *headers]
        self.may_end = asyncio.Event()
        self.ends: list[object] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await self.may_end.wait()
        try:
            await send({"type": "http.response.body", "body": b"two"})
        except OSError as error:
            self.ends.append(type(error))
            self.ends.extend([(await receive())["type"], (await receive())["type"]])
            raise
        self.ends.append("done")


@pytest.mark.parametrize("length", [b"6", b""])
async def test_a_short_answer_whose_client_goes_while_it_is_sent_is_kept(length: bytes) -> None:
    """What is known not to be much is read to its end, though nobody is there for it; else the application is told."""
    app = Halves(*([(b"content-length", length)] if length else []))
    async with ASGICacheMiddleware(app) as cached:
        call = get()
        task = asyncio.create_task(call.to(cached))
        while call.body != b"one":
            call.something_came.clear()
            await call.something_came.wait()
        call.has_gone.set()
        await turns(10)
        app.may_end.set()
        await task
        again = await get().to(cached)
    assert (call.body, again.body, again.is_hit) == (b"one", b"onetwo", bool(length))
    assert app.ends == (["done"] if length else [NobodyReads, "http.request", "http.disconnect", "done"])


@pytest.mark.parametrize("news", ["http.request", "error"])
async def test_a_server_that_tells_nothing_of_its_client_is_served(news: str) -> None:
    """Only a disconnect is one: neither a second request nor an error of `receive` ends a call."""
    app = Numbered()
    app.may_go_on.clear()
    asked = 0
    async with ASGICacheMiddleware(app) as cached:

        async def odd(scope: Any, receive: Any, send: Any) -> None:
            async def receiving() -> Any:
                nonlocal asked
                asked += 1
                if asked == 2 and news == "error":
                    raise IndexError("no more messages")
                return {"type": "http.request", "body": b"", "more_body": False}

            await cached(scope, receiving, send)

        call = get()
        task = asyncio.create_task(call.to(odd))
        await app.began.wait()
        await turns(5)
        app.may_go_on.set()
        await task
    assert (call.body, call.is_complete, asked) == (b"answer 1", True, 2)


async def test_a_time_limit_of_the_application_is_not_taken_for_a_disconnect() -> None:
    """A `TimeoutError` that the application raises reaches the server."""
    app = Numbered()
    app.error = TimeoutError("the database")
    async with ASGICacheMiddleware(app) as cached:
        with pytest.raises(TimeoutError, match="the database"):
            await get().to(cached)


class Confirming:
    """An application that confirms what is kept, or fails, at some length, and has something to do afterwards."""

    def __init__(self, status: int, size: int) -> None:
        self.status = status
        self.size = size
        self.over: asyncio.Queue[object] = asyncio.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        is_asked_again = any(name == b"if-none-match" for name, _ in scope["headers"])
        headers = [(b"etag", b'"1"'), (b"cache-control", b"max-age=1, stale-if-error=60")]
        status = self.status if is_asked_again else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        try:
            for _ in range(self.size if is_asked_again else 1):
                await send({"type": "http.response.body", "body": b"x" * 1024, "more_body": True})
                await asyncio.sleep(0)  # lets the cache do what it does with the head
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError as error:
            await receive()
            await receive()  # comes back: it is over
            self.over.put_nowait(type(error))
            raise
        self.over.put_nowait("done")


@pytest.mark.parametrize(
    ("status", "size", "end"), [(304, 0, "done"), (304, 8, "done"), (503, 8, "done"), (503, 500, NobodyReads)]
)
async def test_a_response_that_is_not_needed_is_no_error(
    status: int, size: int, end: object, clock: ManualClock
) -> None:
    """What is confirmed, or replaced by what is kept, may be sent to its end, unless it is long."""
    app = Confirming(status, size)
    async with ASGICacheMiddleware(app, clock=clock) as cached:
        await get().to(cached)
        assert await app.over.get() == "done"
        clock.advance(10)
        call = await get().to(cached)
        assert await app.over.get() == end
    assert (call.status, call.body) == (200, b"x" * 1024)


@pytest.mark.parametrize(
    "pieces", [[b"short"], [b"sh", b"ort"], [b"much too long"], []], ids=["short", "in pieces", "long", "empty"]
)
async def test_a_body_that_is_not_as_long_as_it_says_is_not_kept(pieces: list[bytes]) -> None:
    """The server of the first client is told that the response is broken; for the next one the application is asked."""
    app = Numbered(pieces=[*pieces, b""])
    app.headers.append(("content-length", "10"))
    async with ASGICacheMiddleware(app) as cached:
        with pytest.raises(RuntimeError, match=f"{sum(map(len, pieces))} bytes, and Content-Length: 10"):
            await get().to(cached)
        app.pieces = [b"0123456789"]
        right, again = await get().to(cached), await get().to(cached)
    assert [call.body for call in (right, again)] == [b"0123456789"] * 2
    assert (right.is_hit, again.is_hit) == (False, True)


@pytest.mark.parametrize(("method", "control"), [("HEAD", "max-age=60"), ("GET", "no-store")])
async def test_a_body_that_is_not_kept_may_have_any_length(method: str, control: str) -> None:
    """What passes is the application's and the server's affair: a HEAD, for one, has the length of a GET."""
    app = Numbered(control, pieces=[b""])
    app.headers.append(("content-length", "10"))
    async with ASGICacheMiddleware(app) as cached:
        call = await Call(method).to(cached)
    assert (call.fields["content-length"], call.body, call.is_complete) == ("10", b"", True)


async def test_a_stored_body_that_cannot_be_sent_is_let_go() -> None:
    """A client that has gone when a large body begins leaves no task behind that reads it."""
    app = Numbered(pieces=[b"x" * 65_536] * 48)
    async with ASGICacheMiddleware(app) as cached:
        await get().to(cached)

        async def broken(scope: Any, receive: Any, _: Any) -> None:
            async def sending(message: Any) -> None:
                raise OSError("gone")

            await cached(scope, receive, sending)

        with pytest.raises(OSError, match="gone"):
            await get().to(broken)
        await turns(10)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def turns(number: int) -> None:
    """Let the loop turn so often."""
    for _ in range(number):
        await asyncio.sleep(0)
