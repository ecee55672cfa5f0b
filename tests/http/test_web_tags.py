"""Tags that cannot be meant are refused, in all places where a handler may tell them."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from asynccache.http.server.handlers import ResponseCache
from asynccache.http.server.web_origin import CACHE_TAGS


def asking() -> web.Request:
    """Make a request."""
    return make_mocked_request("GET", "/", headers={"Host": "shop.example"})


@pytest.mark.parametrize("tags", ["product:1", [1], None, 7])
async def test_tags_that_a_function_gives_are_several_strings(tags: Any) -> None:
    """One string would be a tag a letter, which nobody would ever purge."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text="x")

    async with ResponseCache() as cache:
        decorated = cache.cached(ttl=60, tags=lambda _: tags)(answer)
        with pytest.raises(TypeError, match=r"told by tags= must hold"):
            await decorated(asking())


@pytest.mark.parametrize("tags", ["product:1", [1], None, 7])
@pytest.mark.parametrize("is_decorated", [False, True])
async def test_tags_that_a_handler_puts_into_its_request_are_several_strings(tags: Any, is_decorated: bool) -> None:
    """Likewise, also where a decorator that is hidden has more of them."""

    async def answer(request: web.Request) -> web.StreamResponse:
        request[CACHE_TAGS] = tags
        return web.Response(text="x", headers={"Cache-Control": "max-age=60"})

    async with ResponseCache() as cache:
        handler = cache.cached(tags=("more",))(answer) if is_decorated else answer
        with pytest.raises(TypeError, match=r"request\[CACHE_TAGS\] must hold"):
            await cache(asking(), handler)


def giving(tags: Iterable[str]) -> Callable[[web.Request], Iterable[str]]:
    """Make a function of the request that gives always the same."""
    return lambda _: tags


async def test_any_collection_of_strings_will_do() -> None:
    """Lists, sets and generators are tags."""

    async def answer(request: web.Request) -> web.StreamResponse:
        request[CACHE_TAGS] = ["list"]
        return web.Response(text="x")

    async with ResponseCache() as cache:
        for number, tags in enumerate(({"set"}, (tag for tag in ["generator"]), ["list"])):
            await cache.clear()
            decorated = cache.cached(ttl=60, tags=giving(tags))(answer)
            await decorated(asking())
            hit = await decorated(asking())
            assert "; hit" in hit.headers["Cache-Status"]
            await cache.purge_tags(["set", "generator", "list"][number])
            anew = await decorated(asking())
            assert "; hit" not in anew.headers["Cache-Status"]
