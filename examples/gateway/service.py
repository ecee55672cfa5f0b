"""The gateway: one page made of two requests to the slow service.

Two caches stand in it. One keeps what the service answers; it is the gateway's own. The other keeps whole pages; all
visitors are served from it. Whoever changes a product calls the hook, and both forget it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from asynccache.http import CacheMiddleware, ResponseCache, Rule

Clock: TypeAlias = Callable[[], float]

SESSION = web.AppKey("session", aiohttp.ClientSession)
FETCHED = web.AppKey("fetched", CacheMiddleware)
PAGES = web.AppKey("pages", ResponseCache)
UPSTREAM = web.AppKey("upstream", str)


async def show_product(request: web.Request) -> web.Response:
    """Answer GET /products/{sku}."""
    sku = request.match_info["sku"]
    product, stock = await asyncio.gather(_ask(request, f"/products/{sku}"), _ask(request, f"/stock/{sku}"))
    return web.Response(text=f"{product['name']}: {stock['pieces']} in stock")


async def _ask(request: web.Request, path: str) -> Any:
    async with request.app[SESSION].get(request.app[UPSTREAM] + path) as response:
        return await response.json()


def tags_of(request: web.Request) -> list[str]:
    """Say what a page is forgotten by."""
    return [f"product {request.match_info['sku']}"]


async def product_has_changed(request: web.Request) -> web.Response:
    """Answer POST /hooks/products/{sku}: first the cache that pages are made from, then the pages."""
    sku = request.match_info["sku"]
    await request.app[FETCHED].invalidate(f"{request.app[UPSTREAM]}/products/{sku}")
    await request.app[PAGES].purge_tags(f"product {sku}")
    return web.Response(status=204)


async def _open(app: web.Application, clock: Clock) -> AsyncIterator[None]:
    """Hold what lives as long as the gateway."""
    stock = Rule(f"{app[UPSTREAM]}/stock/*", default_ttl=5)  # the service does not say it, so we do
    async with (
        app[PAGES],
        CacheMiddleware(rules=[stock], stale_if_error=86_400, clock=clock) as app[FETCHED],
        aiohttp.ClientSession(middlewares=(app[FETCHED],), raise_for_status=True) as app[SESSION],
    ):
        yield


def application(upstream: str, clock: Clock) -> web.Application:
    """Make the gateway.

    Args:
        upstream: the address of the slow service.
        clock: tells the wall time.
    """
    pages = ResponseCache(clock=clock)
    app = web.Application()
    app[UPSTREAM] = upstream
    app[PAGES] = pages
    cached = pages.cached(ttl=10, stale_while_revalidate=50, tags=tags_of)
    app.router.add_get("/products/{sku}", cached(show_product))
    app.router.add_post("/hooks/products/{sku}", product_has_changed)
    app.cleanup_ctx.append(lambda app: _open(app, clock))
    return app
