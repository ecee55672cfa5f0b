"""Stands for somebody's site: thirty pages that link to each other, and that can be asked too often.

Nothing here knows of a cache.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

PAGES = 30
ROBOTS = "User-agent: *\nDisallow: /private/\n"
STYLE = "body { color: black }"


class Site:
    """Answers, and takes note of how it is treated.

    Args:
        clock: tells the wall time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.answers: Counter[int] = Counter()
        self.is_down = False
        self.is_busy = True
        self.at_once = 0
        self.most_at_once = 0

    def application(self) -> web.Application:
        """Make the application."""
        app = web.Application()
        app.router.add_get("/robots.txt", self.robots)
        app.router.add_get("/style.css", self.style)
        app.router.add_get("/pages/{number}", self.page)
        app.router.add_get("/private/diary", self.diary)
        return app

    async def robots(self, request: web.Request) -> web.Response:
        """GET /robots.txt."""
        return self._answer(request, ROBOTS, "max-age=86400", '"robots"')

    async def style(self, request: web.Request) -> web.Response:
        """GET /style.css, which every page names."""
        return self._answer(request, STYLE, "max-age=86400, immutable", '"style"')

    async def page(self, request: web.Request) -> web.Response:
        """GET /pages/{number}."""
        number = int(request.match_info["number"])
        if number == 7 and self.is_busy:
            self.is_busy = False
            self.answers[429] += 1
            return web.Response(status=429, headers={"Retry-After": "30"})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.002)  # a database
        self.at_once -= 1
        links = [f"/pages/{2 * number % PAGES}", f"/pages/{(2 * number + 1) % PAGES}", "/private/diary"]
        body = '<link rel="stylesheet" href="/style.css">' + "".join(f'<a href="{link}">more</a>' for link in links)
        return self._answer(request, body, "max-age=600", f'"{number}"')

    async def diary(self, _: web.Request) -> web.Response:
        """GET /private/diary, which no robot is to read."""
        raise AssertionError("/robots.txt forbids it")

    def _answer(self, request: web.Request, body: str, cache_control: str, etag: str) -> web.Response:
        status = 503 if self.is_down else 304 if request.headers.get("If-None-Match") == etag else 200
        self.answers[status] += 1
        headers = {"Cache-Control": cache_control, "ETag": etag, "Date": formatdate(self._clock(), usegmt=True)}
        return web.Response(status=status, headers=headers, text=body if status == 200 else None)
