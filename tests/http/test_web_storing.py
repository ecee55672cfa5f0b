"""A response that a handler has made is its client's, whatever becomes of storing it."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from asynccache.http.server import handlers
from asynccache.http.server.handlers import ResponseCache
from asynccache.stores.memory import MemoryStore


class Gate(MemoryStore):
    """A store that does not end a write before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.ended = asyncio.Event()

    async def set_many(self, *args: Any, **options: Any) -> None:
        """Wait."""
        await self._wait()
        await super().set_many(*args, **options)
        self.ended.set()

    async def add(self, *args: Any, **options: Any) -> bool:
        """Wait."""
        await self._wait()
        done = await super().add(*args, **options)
        self.ended.set()
        return done

    async def compare_and_set(self, *args: Any, **options: Any) -> bool:
        """Wait."""
        await self._wait()
        done = await super().compare_and_set(*args, **options)
        self.ended.set()
        return done

    async def _wait(self) -> None:
        self.began.set()
        await self.may_go_on.wait()


async def page(_: web.Request) -> web.StreamResponse:
    """Answer with something that is kept."""
    return web.Response(text="made", headers={"Cache-Control": "max-age=60"})


def asking() -> web.Request:
    """Make a request."""
    return make_mocked_request("GET", "/", headers={"Host": "shop.example"})


async def test_a_cache_that_is_closed_while_it_stores_fails_nobody() -> None:
    """The handler has answered: its client gets that, though it cannot be kept any more."""
    store = Gate()
    cache = ResponseCache(store)
    task = asyncio.ensure_future(cache(asking(), page))
    await store.began.wait()
    closing = asyncio.ensure_future(cache.aclose())
    response = await task
    await closing
    assert isinstance(response, web.Response)
    assert response.text == "made"


async def test_a_slow_store_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment the response goes out; it is stored when the store gets to it."""
    monkeypatch.setattr(handlers, "_PATIENCE", 0.0)
    store = Gate()
    async with ResponseCache(store) as cache:
        response = await cache(asking(), page)
        assert isinstance(response, web.Response)
        assert response.text == "made"
        assert not store.may_go_on.is_set()
        store.may_go_on.set()
        await store.ended.wait()
        assert "; hit" in (await cache(asking(), page)).headers["Cache-Status"]


async def test_a_client_that_goes_while_its_response_is_stored_is_no_error() -> None:
    """Its task is cancelled as it would be without a cache."""
    store = Gate()
    async with ResponseCache(store) as cache:
        task = asyncio.ensure_future(cache(asking(), page))
        await store.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.may_go_on.set()
