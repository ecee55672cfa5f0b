"""The scraper: from page to page, as far as /robots.txt allows.

What it asks goes through a cache on disk. So what is wanted often is asked for once, what has not changed is not sent
again, and what has been read can be read again while the site is down.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

import aiohttp
import anyio

from asynccache.http import CacheMiddleware

AGENT = "polite-example/1.0"
AT_ONCE = 3
TOO_LONG = 120.0
WEEK = 7 * 86_400.0
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
LINK = re.compile(r'<a href="([^"]+)"')

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class LaterIfTold:
    """A middleware: if a site says when to come again, come again then.

    It stands outside of the cache, which has something better than "later" if it has an old page.

    Args:
        sleep: waits for so many seconds.
    """

    def __init__(self, sleep: Sleep) -> None:
        self._sleep = sleep

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request as often as it takes."""
        while True:
            response = await handler(request)
            seconds = response.headers.get("Retry-After", "")
            if response.status not in {429, 503} or not seconds.isdigit() or int(seconds) > TOO_LONG:
                return response
            response.release()
            await self._sleep(int(seconds))


class FewAtOnce:
    """A middleware: no more than so many requests are with a site at a time.

    It stands inside of the cache, so what is kept need not wait in line.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._limiter = anyio.CapacityLimiter(most)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request when its turn has come."""
        async with self._limiter:
            return await handler(request)


@asynccontextmanager
async def polite_session(path: Path, clock: Clock, sleep: Sleep) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session that asks by a cache on disk.

    Args:
        path: of the file in which pages are kept.
        clock: tells the wall time.
        sleep: waits for so many seconds.
    """
    store = f"sqlite:///{path}?max_bytes=200MB&timeout=5"
    async with (
        CacheMiddleware(store, stale_if_error=WEEK, clock=clock) as cache,
        aiohttp.ClientSession(
            middlewares=(LaterIfTold(sleep), cache, FewAtOnce(AT_ONCE)), headers={"User-Agent": AGENT}
        ) as session,
    ):
        yield session


async def crawl(session: aiohttp.ClientSession, start: str) -> dict[str, str]:
    """Read a page and all that can be reached from there, each with its style sheet.

    Args:
        session: a polite one.
        start: the address of the first page.
    """
    robots = await rules_for_robots(session, start)
    pages: dict[str, str] = {}
    seen = {start}

    async def visit(url: str) -> None:
        text = await read(session, url)
        for style in STYLE.findall(text):  # the same for all pages: the cache knows that, this need not
            text += await read(session, urljoin(url, style))
        pages[url] = text
        for link in LINK.findall(text):
            target = urljoin(url, link)
            if target not in seen and robots.can_fetch(AGENT, target):
                seen.add(target)
                group.start_soon(visit, target)

    async with anyio.create_task_group() as group:
        group.start_soon(visit, start)
    return pages


async def read(session: aiohttp.ClientSession, url: str) -> str:
    """Give the text of a page, "" if there is none."""
    async with session.get(url) as response:
        return await response.text() if response.status == 200 else ""


async def rules_for_robots(session: aiohttp.ClientSession, start: str) -> RobotFileParser:
    """Read what robots may read: asked for at each run, and seldom sent."""
    robots = RobotFileParser()
    robots.parse((await read(session, urljoin(start, "/robots.txt"))).splitlines())
    return robots
