"""Readers that nobody holds any more, and sessions that are closed under a reader."""

import asyncio
import gc

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from tests.http.clients import fetch, opened, session_with, started
from tests.http.sites import Site

PIECE = bytes(100_000)


async def test_a_forgotten_follower_holds_nobody_up(site: Site, session: aiohttp.ClientSession) -> None:
    """A follower that nobody holds any more is not waited for."""
    size = 40 * len(PIECE)
    leader, visit = await opened(session, site, content_length=str(size))
    await started(session, site / "a")
    gc.collect()
    for _ in range(40):
        visit.send(PIECE)
    visit.end()
    async with asyncio.timeout(3):
        assert len(await leader.read()) == size


async def test_closing_the_session_ends_what_is_read(site: Site, cache: CacheMiddleware) -> None:
    """When a session is closed, those who read a body that comes by it are told, as by aiohttp; nothing is kept."""
    async with aiohttp.ClientSession(middlewares=(cache,)) as session:
        response, visit = await opened(session, site, content_length="1000")
        visit.send(b"some")
        assert await response.content.readany() == b"some"
    with pytest.raises((aiohttp.ClientError, RuntimeError)):
        async with asyncio.timeout(1):
            await response.content.readany()
    response.release()
    site.say("a", "whole")
    async with session_with(cache) as another:
        assert (await fetch(another, site / "a")).body == b"whole"
