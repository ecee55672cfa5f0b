"""Stands for the slow service behind the gateway: products, and a stock that is out of order now and then.

Nothing here knows of a cache.
"""

import asyncio
from collections import Counter

from aiohttp import web


class Upstream:
    """Answers slowly, and takes note of what it is asked."""

    def __init__(self) -> None:
        self.names = {"A1": "Lamp", "B2": "Chair"}
        self.asked: Counter[str] = Counter()
        self.is_down = False

    def application(self) -> web.Application:
        """Make the application."""
        app = web.Application()
        app.router.add_get("/products/{sku}", self.product)
        app.router.add_get("/stock/{sku}", self.stock)
        return app

    async def product(self, request: web.Request) -> web.Response:
        """GET /products/{sku}: seldom another one."""
        return await self._answer(request, {"name": self.names[request.match_info["sku"]]}, "max-age=3600")

    async def stock(self, request: web.Request) -> web.Response:
        """GET /stock/{sku}: says nothing about how long it holds."""
        return await self._answer(request, {"pieces": 12}, None)

    async def _answer(self, request: web.Request, content: object, cache_control: str | None) -> web.Response:
        self.asked[request.path] += 1
        await asyncio.sleep(0.02)
        if self.is_down:
            raise web.HTTPBadGateway
        return web.json_response(content, headers={"Cache-Control": cache_control} if cache_control else {})
