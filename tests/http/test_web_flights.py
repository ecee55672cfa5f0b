"""One run of a handler of aiohttp.web for all who ask the same at the same time, also when some of them leave."""

import asyncio
import gc
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.lending import NobodyToSendTo
from asynccache.testing import ManualClock
from tests.http.web_site import Arrivals, Counting, WebSite


async def test_twenty_equal_requests_run_the_handler_once() -> None:
    """Whoever asks while the handler runs is given what it returns."""
    handler = Counting()
    handler.may_go_on.clear()
    arrivals = Arrivals()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[arrivals.see, cache])
        app.router.add_get("/", handler.answer)
        async with WebSite(app) as site:
            all_are_there = arrivals.expect(20)
            asking = [asyncio.create_task(site.get()) for _ in range(20)]
            await all_are_there.wait()
            handler.may_go_on.set()
            replies = await asyncio.gather(*asking)
            assert cache.stats().collapsed == 19
    assert {reply.text for reply in replies} == {"answer 1"}
    assert sorted("collapsed" in reply.told for reply in replies) == [False] + [True] * 19
    assert handler.runs == 1


async def test_a_leader_that_hangs_up_does_not_spoil_it_for_others() -> None:
    """The client whose request began the run hangs up: the others get what the handler returns, and it is kept."""
    handler = Counting()
    handler.may_go_on.clear()
    arrivals = Arrivals()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[arrivals.see, cache])
        app.router.add_get("/", handler.answer)
        async with WebSite(app, handler_cancellation=True) as site:
            leader = asyncio.create_task(site.get())
            await handler.began.wait()
            follows = arrivals.expect(1)
            follower = asyncio.create_task(site.get())
            await follows.wait()
            leader.cancel()
            await asyncio.gather(leader, return_exceptions=True)
            await arrivals.someone_left.wait()
            handler.may_go_on.set()
            reply = await follower
            again = await site.get()
    assert reply.text == again.text == "answer 1"
    assert again.is_hit


async def test_who_cannot_share_does_not_wait_in_line() -> None:
    """Where responses are not to be shared, those who waited for one ask for themselves, all at once."""
    handler = Counting("no-store")
    handler.may_go_on.clear()
    arrivals = Arrivals()
    async with ResponseCache() as cache:
        app = web.Application(middlewares=[arrivals.see, cache])
        app.router.add_get("/", handler.answer)
        async with WebSite(app) as site:
            all_are_there = arrivals.expect(5)
            asking = [asyncio.create_task(site.get()) for _ in range(5)]
            await all_are_there.wait()
            await handler.began.wait()
            assert handler.runs == 1
            handler.may_go_on.set()
            replies = await asyncio.gather(*asking)
    assert sorted(reply.text for reply in replies) == [f"answer {number}" for number in range(1, 6)]


async def turns(number: int) -> None:
    """Let the loop turn so often."""
    for _ in range(number):
        await asyncio.sleep(0)


class Refusing:
    """A handler that raises, and tells in its error whom it refused."""

    def __init__(self) -> None:
        self.runs = 0
        self.began = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Refuse somebody; an admin may see it."""
        self.runs += 1
        self.began.set()
        await self.may_go_on.wait()
        if request.headers["Cookie"] != "admin":
            raise PermissionError(f"{request.headers['Cookie']} may not see this")
        return web.Response(text="for the admin")


async def test_what_a_handler_raises_is_raised_for_its_own_user_only() -> None:
    """Those who wait for a run that raises ask for themselves: an error may tell of one user, or be about one."""
    handler = Refusing()
    names = ["user=1", "user=2", "admin", "user=3", "user=4"]
    async with ResponseCache() as cache:
        asking = [asyncio.create_task(ask(cache, handler.answer, Cookie=name)) for name in names]
        await handler.began.wait()
        await turns(3)
        assert handler.runs == 1
        handler.may_go_on.set()
        came = await asyncio.gather(*asking, return_exceptions=True)
    told = [each.text if isinstance(each, web.Response) else str(each) for each in came]
    assert told == ["for the admin" if name == "admin" else f"{name} may not see this" for name in names]
    assert handler.runs == 5


@pytest.mark.parametrize("number", range(14))
async def test_a_leader_may_be_cancelled_at_any_await(number: int) -> None:
    """However far the leader has come when it is cancelled, the follower gets the answer of the one run."""
    runs = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        await turns(3)
        return web.Response(text="whole", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache:
        leader = asyncio.create_task(ask(cache, answer))
        follower = asyncio.create_task(ask(cache, answer))
        await turns(number)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        response = await follower
        again = await ask(cache, answer)
    assert response.body == again.body == b"whole"
    assert runs == 1


@pytest.mark.parametrize("number", range(14))
async def test_the_only_caller_may_be_cancelled_at_any_await(number: int) -> None:
    """A caller nobody waits with takes the run down with it; whoever comes next has a whole answer."""

    async def answer(_: web.Request) -> web.Response:
        await turns(3)
        return web.Response(text="whole", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache:
        alone = asyncio.create_task(ask(cache, answer))
        await turns(number)
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        response = await ask(cache, answer)
    assert response.body == b"whole"


async def ask(cache: ResponseCache, handler: Any, **headers: str) -> web.Response:
    """Send a request of its own through the cache to a handler, and give the response, which is whole."""
    response = await cache(make_mocked_request("GET", "/", headers={"Host": "shop.example", **headers}), handler)
    assert isinstance(response, web.Response)
    return response


async def test_a_handler_cannot_send_to_a_leader_that_has_gone() -> None:
    """A handler that begins to send to a leader that has left is stopped; the follower's request is its own then."""
    may_send = asyncio.Event()
    errors: list[Exception] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if errors:
            return web.Response(text="whole", headers={"Cache-Control": "max-age=60"})
        await may_send.wait()
        response = web.StreamResponse()
        try:
            await response.prepare(request)
        except Exception as error:
            errors.append(error)
            raise
        raise AssertionError("it was sent")

    async with ResponseCache() as cache:
        leader = asyncio.create_task(ask(cache, answer))
        await turns(3)
        follower = asyncio.create_task(ask(cache, answer))
        await turns(3)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        may_send.set()
        response = await follower
    assert [type(error) for error in errors] == [NobodyToSendTo]
    assert response.body == b"whole"


async def test_closing_ends_what_runs_behind(clock: ManualClock) -> None:
    """A handler that runs behind is cancelled when the cache is closed."""
    began, ended = asyncio.Event(), asyncio.Event()
    runs = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal runs
        runs += 1
        if runs > 1:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
        return web.Response(text="x", headers={"Cache-Control": "max-age=1, stale-while-revalidate=60"})

    async with ResponseCache(clock=clock) as cache:
        await ask(cache, answer)
        clock.advance(10)
        await ask(cache, answer)
        await began.wait()
    assert ended.is_set()


async def test_a_response_that_is_dropped_unsent_leaves_nothing() -> None:
    """A large body from the store that a middleware outside throws away is not waited for."""
    body = b"x" * 3_000_000

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache:
        await ask(cache, answer)
        response = await ask(cache, answer)
        assert response.headers["Cache-Status"].startswith("asynccache; hit")
        del response
        gc.collect()
        await turns(5)
        assert asyncio.all_tasks() == {asyncio.current_task()}
