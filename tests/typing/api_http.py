# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of `asynccache.http`. See `api.py` for how to read this."""

import time
from datetime import timedelta
from typing import assert_type

import aiohttp
from aiohttp import web
from starlette.applications import Starlette
from starlette.middleware import Middleware
from yarl import URL

from asynccache.http import (
    CACHE_TAGS,
    ASGICacheMiddleware,
    CacheMiddleware,
    CacheStatus,
    HttpStats,
    ResponseCache,
    Rule,
    cache_status,
    directives,
    is_from_cache,
)
from asynccache.stores import MemoryStore

# --- rules ---------------------------------------------------------------------------------------------------------

rule = Rule(
    "https://api.example.com/*",
    cache=True,
    ttl=timedelta(minutes=1),
    default_ttl=60,
    stale_while_revalidate=1.5,
    stale_if_error=timedelta(days=1),
    heuristic_fraction=0.2,
    methods={"GET", "POST"},
    ignore={"no-store", "request-directives"},
    ignore_query={"utm_*"},
    identity=(),
)
assert_type(rule.covers("https://api.example.com/items"), bool)

Rule()  # type: ignore[call-arg]
Rule("*", 60)  # type: ignore[call-arg, arg-type]
Rule(URL("https://api.example.com/"))  # type: ignore[arg-type]
Rule("*", ttl="60")  # type: ignore[arg-type]
Rule("*", ignore={"no-stor"})  # type: ignore[arg-type]
Rule("*", methods=5)  # type: ignore[arg-type]
Rule("*", etag=True)  # type: ignore[call-arg]
rule.ttl = 60  # type: ignore[misc]

# --- the client's cache --------------------------------------------------------------------------------------------

cache = CacheMiddleware(
    "sqlite:///cache.db",
    namespace="shop",
    max_body=1_000_000,
    rules=[rule, Rule("*/live", cache=False)],
    ttl=None,
    default_ttl=60,
    stale_while_revalidate=timedelta(seconds=5),
    stale_if_error=3_600,
    heuristic_fraction=0.1,
    heuristic_limit=timedelta(days=1),
    methods=("GET", "HEAD"),
    ignore={"no-store"},
    identity=("Authorization", "X-User"),
    retention=timedelta(days=7),
    secret={1: b"a secret of 16 bytes"},
    clock=time.time,
)
CacheMiddleware()
CacheMiddleware(MemoryStore(), secret=b"a secret of 16 bytes")
CacheMiddleware(store=None, max_bytes=1_000_000)

CacheMiddleware(5)  # type: ignore[arg-type]
CacheMiddleware(tll=60)  # type: ignore[call-arg]
CacheMiddleware(ttl="60")  # type: ignore[arg-type]
CacheMiddleware(stale_if_error=None)  # type: ignore[arg-type]
CacheMiddleware(rules=rule)  # type: ignore[arg-type]
CacheMiddleware(rules=["https://api.example.com/*"])  # type: ignore[list-item]
CacheMiddleware(ignore={"no-stor"})  # type: ignore[arg-type]
CacheMiddleware(max_bytes=1.5)  # type: ignore[arg-type]
CacheMiddleware(secret="a secret of 16 chars")  # type: ignore[arg-type]
CacheMiddleware(clock=time.time())  # type: ignore[arg-type]
CacheMiddleware(etag=True)  # type: ignore[call-arg]


async def client() -> None:
    async with CacheMiddleware() as opened, aiohttp.ClientSession(middlewares=(opened,)) as session:
        assert_type(opened, CacheMiddleware)
        async with session.get("https://api.example.com/items") as response:
            assert_type(response, aiohttp.ClientResponse)
            assert_type(is_from_cache(response), bool)
            assert_type(cache_status(response), CacheStatus | None)
            print(response.from_cache)  # type: ignore[attr-defined]
            print(cache_status(response).hit)  # type: ignore[union-attr]
        assert_type(await session.get("https://api.example.com/", middlewares=(opened, cache)), aiohttp.ClientResponse)

    is_from_cache("https://api.example.com/items")  # type: ignore[arg-type]
    cache_status(None)  # type: ignore[arg-type]


async def control(url: URL) -> None:
    assert_type(await cache.invalidate("https://api.example.com/items", url), None)
    assert_type(await cache.clear(), None)
    assert_type(cache.stats(), HttpStats)
    assert_type(await cache.aclose(), None)

    await cache.invalidate(b"https://api.example.com/items")  # type: ignore[arg-type]
    await cache.invalidate(["https://api.example.com/items"])  # type: ignore[arg-type]
    await cache.clear("https://api.example.com/items")  # type: ignore[call-arg]
    await cache.purge_tags("product:1")  # type: ignore[attr-defined]


def told(status: CacheStatus, stats: HttpStats) -> None:
    assert_type(str(status), str)
    assert_type((status.hit, status.stored, status.collapsed), tuple[bool, bool, bool])
    assert_type((status.ttl, status.fwd_status), tuple[int | None, int | None])
    assert_type((status.key, status.detail), tuple[str | None, str | None])
    if status.fwd in {"stale", "uri-miss"}:
        print(status.cache)
    print(status.fwd == "hit")  # type: ignore[comparison-overlap]
    status.hit = True  # type: ignore[misc]
    assert_type(stats.hits + stats.stale + stats.validated + stats.misses + stats.passed + stats.collapsed, int)
    assert_type(stats.refreshed + stats.failed_refreshes + stats.invalidated + stats.overtaken, int)
    assert_type(stats.store_errors + stats.bad_records + stats.lost_bodies + stats.too_large, int)


def said() -> None:
    with directives(no_cache=True, no_store=False, only_if_cached=True) as nothing:
        assert_type(nothing, None)
    with directives(max_age=10, min_fresh=0.5, max_stale=True), directives(max_stale=timedelta(minutes=1)):
        pass

    directives("no-cache")  # type: ignore[call-arg, arg-type]
    directives(no_cache="yes")  # type: ignore[arg-type]
    directives(max_age="10")  # type: ignore[arg-type]
    directives(stale_if_error=10)  # type: ignore[call-arg]


# --- caches in front of handlers -----------------------------------------------------------------------------------

responses = ResponseCache(
    "redis://localhost/0", namespace="pages", default_ttl=60, rules=[rule], etag=True, tag_header=None
)
app = web.Application(middlewares=[responses])
app.cleanup_ctx.append(responses.cleanup_ctx)

ResponseCache(5)  # type: ignore[arg-type]
ResponseCache(etag="yes")  # type: ignore[arg-type]
ResponseCache(tag_header=5)  # type: ignore[arg-type]
ResponseCache(tags="product")  # type: ignore[call-arg]


@responses.cached(ttl=60, tags=["products"], vary={"Accept-Language"})
async def products(request: web.Request) -> web.Response:
    request[CACHE_TAGS] = ("products",)
    return web.json_response([])


@responses.cached(
    ttl=timedelta(minutes=1),
    tags=lambda request: [f"product:{request.match_info['id']}"],
    stale_while_revalidate=5,
    stale_if_error=timedelta(hours=1),
)
async def product(request: web.Request) -> web.StreamResponse:
    return web.StreamResponse()


class Shop:
    """Handlers that are methods."""

    @responses.cached()
    async def basket(self, request: web.Request) -> web.Response:
        """Answer."""
        return web.Response()


class Page(web.View):
    """A handler that is a class."""

    @responses.cached(ttl=60)
    async def get(self) -> web.Response:
        """Answer."""
        return web.Response()


async def handlers(request: web.Request) -> None:
    assert_type(await products(request), web.Response)
    assert_type(await product(request), web.StreamResponse)
    assert_type(await Shop().basket(request), web.Response)
    app.router.add_get("/products", products)
    app.router.add_get("/basket", Shop().basket)
    app.router.add_view("/page", Page)

    await products()  # type: ignore[call-arg]
    await Shop().basket("request")  # type: ignore[arg-type]
    responses.cached(60)  # type: ignore[arg-type]
    responses.cached(products)  # type: ignore[arg-type]
    responses.cached(ttl="60")  # type: ignore[arg-type]
    responses.cached(tags=5)  # type: ignore[arg-type]
    responses.cached(tags=lambda number: [number.bit_length()])  # type: ignore[attr-defined, list-item, unused-ignore]
    responses.cached()(len)  # type: ignore[type-var]


async def tags(request: web.Request) -> None:
    async with responses as opened:
        assert_type(opened, ResponseCache)
    assert_type(await responses.purge_tags("product:1", "products"), None)
    assert_type(await responses.invalidate(request.url, str(request.url)), None)
    assert_type(responses.stats(), HttpStats)

    await responses.purge_tags(1)  # type: ignore[arg-type]
    await responses.purge_tags(["product:1"])  # type: ignore[arg-type]


# --- ASGI ----------------------------------------------------------------------------------------------------------

site = Starlette(middleware=[Middleware(ASGICacheMiddleware, store="redis://localhost/0", default_ttl=60)])
site.add_middleware(ASGICacheMiddleware, store="redis://localhost/0", default_ttl=60, etag=True)
wrapped = ASGICacheMiddleware(site, store=MemoryStore(), rules=[rule])
again = ASGICacheMiddleware(wrapped)

ASGICacheMiddleware()  # type: ignore[call-arg]
ASGICacheMiddleware(5)  # type: ignore[arg-type]
ASGICacheMiddleware(site, tll=60)  # type: ignore[call-arg]
ASGICacheMiddleware(site, etag=5)  # type: ignore[arg-type]
site.add_middleware(ASGICacheMiddleware, tll=60)  # type: ignore[call-arg]


async def asgi() -> None:
    async with ASGICacheMiddleware(site) as opened:
        assert_type(opened, ASGICacheMiddleware)
        assert_type(await opened.purge_tags("product:1"), None)
        assert_type(opened.stats(), HttpStats)
