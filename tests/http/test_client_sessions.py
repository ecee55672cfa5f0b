"""Whatever a session of aiohttp can do, it does with the cache as without it."""

import asyncio
import threading
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from asynccache.http import CacheMiddleware, cache_status, is_from_cache
from tests.http.clients import fetch, session_with, started
from tests.http.sites import Site, fields_of


class Answer(aiohttp.ClientResponse):
    """A response class of a user's own."""

    async def shout(self) -> str:
        """Read it loudly."""
        return (await self.text()).upper()


async def test_a_response_class_of_the_sessions_own(site: Site, cache: CacheMiddleware) -> None:
    """Hits, too, are of the class that a session was made with; another session's are of its own."""
    site.say("a", "body")
    async with session_with(cache, response_class=Answer) as session, session_with(cache) as plain:
        for is_hit in (False, True):
            async with session.get(site / "a") as response:
                assert isinstance(response, Answer)
                assert await response.shout() == "BODY"
                assert is_from_cache(response) is is_hit
                status = cache_status(response)
                assert status is not None
                assert status.hit is is_hit
        async with plain.get(site / "a") as response:
            assert is_from_cache(response)
            assert not isinstance(response, Answer)


async def test_middlewares_before_ours(site: Site, cache: CacheMiddleware) -> None:
    """A middleware that authenticates runs first, and what it sets tells users apart."""
    user = "ada"

    async def sign(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = f"Bearer {user}"
        return await handler(request)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Authorization"], headers=fields_of({}))

    site.do("a", answer)
    async with aiohttp.ClientSession(middlewares=(sign, cache)) as session:
        assert [(await fetch(session, site / "a")).from_cache for _ in range(2)] == [False, True]
        user = "bob"
        got = await fetch(session, site / "a")
        assert (got.body, got.from_cache) == (b"Bearer bob", False)


async def test_a_middleware_that_tries_again(site: Site, cache: CacheMiddleware) -> None:
    """A middleware before ours may call it more than once for one request."""
    site.say("a", "no", status=401, cache_control="no-store")

    async def insist(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        if response.status == 401:
            response.release()
            site.say("a", "yes")
            response = await handler(request)
        return response

    async with aiohttp.ClientSession(middlewares=(insist, cache)) as session:
        assert (await fetch(session, site / "a")).body == b"yes"
        assert (await fetch(session, site / "a")).from_cache


async def test_the_middlewares_of_a_request(site: Site, session: aiohttp.ClientSession) -> None:
    """With `middlewares=()` a request goes by without the cache, which keeps what it has."""
    site.say("a")
    await fetch(session, site / "a")
    async with session.get(site / "a", middlewares=()) as response:
        assert await response.text() == "2"
        assert cache_status(response) is None
    assert (await fetch(session, site / "a")).body == b"1"


async def test_a_cache_of_one_request(site: Site, cache: CacheMiddleware) -> None:
    """The cache may be given to single requests."""
    site.say("a")
    async with aiohttp.ClientSession() as session:
        for is_hit in (False, True):
            assert (await fetch(session, site / "a", middlewares=(cache,))).from_cache is is_hit


async def test_a_time_limit_of_the_session(site: Site, cache: CacheMiddleware) -> None:
    """A request that takes too long is a TimeoutError, and what is kept is served within any time."""
    visits = site.wait("slow")
    site.say("a")
    async with session_with(cache, timeout=aiohttp.ClientTimeout(total=0.1)) as session:
        with pytest.raises(TimeoutError):
            await fetch(session, site / "slow")
        await fetch(session, site / "a")
        assert (await fetch(session, site / "a")).from_cache
    assert len(visits) == 1


async def test_a_time_limit_for_reading(site: Site, cache: CacheMiddleware) -> None:
    """An origin that falls silent in the middle of a body is a timeout for all who read it, and nothing is kept."""
    async with session_with(cache, timeout=aiohttp.ClientTimeout(sock_read=0.1)) as session:
        visits = site.wait("a")
        tasks = [asyncio.create_task(fetch(session, site / "a")) for _ in range(2)]
        visit = await visits.first()
        visit.head(content_length="1000")
        visit.send(b"some")
        await asyncio.wait(tasks, timeout=3)
        assert [isinstance(task.exception(), TimeoutError) for task in tasks if task.done()] == [True, True]
        site.say("a", "whole")
        assert (await fetch(session, site / "a")).body == b"whole"


async def test_a_closed_session_serves_nothing(site: Site, cache: CacheMiddleware) -> None:
    """A session that is closed says so, even of what is kept."""
    site.say("a")
    async with session_with(cache) as session:
        await fetch(session, site / "a")
    with pytest.raises(RuntimeError, match="closed"):
        await fetch(session, site / "a")


async def test_closing_a_session_while_requests_are_on_their_way(site: Site, cache: CacheMiddleware) -> None:
    """Requests that wait for a head when their session is closed fail, and a new session asks anew."""
    visits = site.wait("a")
    session = aiohttp.ClientSession(middlewares=(cache,))
    tasks = [asyncio.create_task(fetch(session, site / "a")) for _ in range(3)]
    await visits.first()
    await session.close()
    await asyncio.wait(tasks, timeout=3)
    assert all(task.done() and isinstance(task.exception(), aiohttp.ClientError) for task in tasks)
    site.say("a", "new")
    async with session_with(cache) as another:
        assert (await fetch(another, site / "a")).body == b"new"


async def test_two_sessions_with_one_cache(site: Site, cache: CacheMiddleware) -> None:
    """What one session has fetched, another finds; and it stays when the first is closed."""
    site.say("a")
    async with session_with(cache) as one:
        await fetch(one, site / "a")
    async with session_with(cache) as two:
        assert (await fetch(two, site / "a")).from_cache


async def test_a_base_url_and_parameters(site: Site, cache: CacheMiddleware) -> None:
    """`base_url=` and `params=` are part of the URL that is kept."""
    site.say("a")
    async with session_with(cache, base_url=site / "") as session:
        gots = []
        for number in ("1", "2", "1"):
            async with session.get("a", params={"page": number}) as response:
                gots.append(await response.text())
        assert gots == ["1", "2", "1"]
    assert site.asked == ["GET /a?page=1", "GET /a?page=2"]


async def test_head_is_answered_from_a_get(site: Site, session: aiohttp.ClientSession) -> None:
    """A HEAD is answered from what a GET has brought, without a body."""
    site.say("a", "body")
    await fetch(session, site / "a")
    got = await fetch(session, site / "a", method="HEAD")
    assert (got.status, got.body, got.from_cache, got.headers["Content-Length"]) == (200, b"", True, "4")


async def test_a_head_is_no_get(site: Site, session: aiohttp.ClientSession) -> None:
    """What a HEAD has brought answers no GET."""
    site.say("a", "body")
    await fetch(session, site / "a", method="HEAD")
    assert (await fetch(session, site / "a")).body == b"body"
    assert site.asked == ["HEAD /a", "GET /a"]


@pytest.mark.parametrize("method", ["OPTIONS", "PROPFIND"])
async def test_other_methods_pass(site: Site, session: aiohttp.ClientSession, method: str) -> None:
    """What no cache knows about is sent each time."""
    site.say("a")
    assert [(await fetch(session, site / "a", method=method)).body for _ in range(2)] == [b"1", b"2"]


async def test_a_get_with_a_body_passes(site: Site, session: aiohttp.ClientSession) -> None:
    """A GET with a body, which means nothing to a cache, is sent each time."""
    site.say("a")
    for number in (b"1", b"2"):
        async with session.get(site / "a", data=b"query") as response:
            assert await response.read() == number


async def test_a_websocket(site: Site, session: aiohttp.ClientSession) -> None:
    """`ws_connect` goes by the cache, over and over."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"you said {message.data}")
        return socket

    site.do("a", echo)
    for word in ("this", "that"):
        async with session.ws_connect(site / "a") as socket:
            await socket.send_str(word)
            assert await socket.receive_str(timeout=3) == f"you said {word}"


async def test_threads_with_loops_of_their_own(site: Site, cache: CacheMiddleware) -> None:
    """One cache serves event loops in several threads at a time."""
    site.say("a", b"body" * 30_000)
    got: list[bytes] = []

    async def use() -> None:
        async with aiohttp.ClientSession(middlewares=(cache,)) as session:
            for _ in range(20):
                got.extend([one.body for one in await asyncio.gather(*(fetch(session, site / "a") for _ in range(3)))])

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110  # this loop is the server's, meanwhile
        await asyncio.sleep(0.01)
    assert set(got) == {b"body" * 30_000}
    assert len(got) == 180
    assert len(site.asked) <= 3


async def test_one_loop_after_the_other(site: Site, cache: CacheMiddleware) -> None:
    """A cache that has served a loop which is closed serves the next one."""
    site.say("a")

    async def use() -> bool:
        async with aiohttp.ClientSession(middlewares=(cache,)) as session:
            return (await fetch(session, site / "a")).from_cache

    assert [await asyncio.to_thread(lambda: asyncio.run(use())) for _ in range(2)] == [False, True]


async def test_uploads_are_sent_whole(site: Site, session: aiohttp.ClientSession) -> None:
    """A body that is streamed to the origin passes, and what it changes is known."""
    got: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(text="taken")

    async def pieces() -> Any:
        for number in range(3):
            yield b"piece %d;" % number

    site.say("a")
    await fetch(session, site / "a")
    site.do("a", take)
    async with session.put(site / "a", data=pieces()) as response:
        assert await response.text() == "taken"
    assert got == [b"piece 0;piece 1;piece 2;"]
    site.say("a", "changed")
    assert (await fetch(session, site / "a")).body == b"changed"


async def test_a_response_is_the_same_object_for_a_middleware_before_ours(site: Site, cache: CacheMiddleware) -> None:
    """Whoever calls us may read the response itself, and hand it on read."""

    async def read(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        await response.read()
        return response

    site.say("a", "body")
    async with aiohttp.ClientSession(middlewares=(read, cache)) as session:
        for is_hit in (False, True):
            response = await started(session, site / "a")
            assert await response.text() == "body"
            assert is_from_cache(response) is is_hit
