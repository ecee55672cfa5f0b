"""What tests do with sessions: fetch, read, and look what is left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from asynccache.http import CacheMiddleware, CacheStatus, cache_status, is_from_cache
from tests.http.sites import Site, Visit

PATIENCE = 3.0
"""Seconds after which a test that would hang fails."""


@dataclass(frozen=True)
class Got:
    """What came for a request, read to its end."""

    status: int
    body: bytes
    from_cache: bool
    told: CacheStatus
    headers: "CIMultiDictProxy[str]"


async def fetch(
    session: aiohttp.ClientSession,
    url: URL,
    /,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Got:
    """Fetch a URL, and read what comes."""
    async with asyncio.timeout(PATIENCE), session.request(method, url, headers=headers, **options) as response:
        body = await response.read()
        told = cache_status(response)
        assert told is not None
        return Got(response.status, body, is_from_cache(response), told, response.headers)


async def body(session: aiohttp.ClientSession, url: URL, /, **headers: str) -> str:
    """Fetch a URL, and give the text."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await fetch(session, url, headers=named)).body.decode()


async def opened(
    session: aiohttp.ClientSession, site: Site, path: str = "a", **fields: str | None
) -> tuple[aiohttp.ClientResponse, Visit]:
    """Give a response of which only the head has come, and the visit that sends the rest."""
    visits = site.wait(path)
    opening = asyncio.create_task(started(session, site / path))
    visit = await visits.first()
    visit.head(**fields)  # type: ignore[arg-type]  # status and reason are left alone
    async with asyncio.timeout(PATIENCE):
        return await opening, visit


async def started(session: aiohttp.ClientSession, url: URL, /, **options: Any) -> aiohttp.ClientResponse:
    """Give a response that is not read yet, and that the caller has to release."""
    return await session.get(url, **options)


@asynccontextmanager
async def session_with(*caches: CacheMiddleware, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session with this cache, and see that it has no connection in use at the end."""
    async with aiohttp.ClientSession(middlewares=caches, **options) as session:
        yield session
        assert await used_connections(session) == 0


async def used_connections(session: aiohttp.ClientSession) -> int:
    """Tell how many connections of a session are in use, when those that have been read are back."""
    connector: Any = session.connector
    for _ in range(20):
        if not connector._acquired:
            break
        await asyncio.sleep(0)
    return len(connector._acquired)


async def until(is_so: Callable[[], bool]) -> None:
    """Turn the loop until something is so; what the network brings comes within a few turns."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.001)


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """Wait for all; a test that would hang fails instead."""
    async with asyncio.timeout(PATIENCE):
        return list(await asyncio.gather(*calls))
