"""What tests of the client's cache begin with: a server, a clock that stands still, a cache, and a session with it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from asynccache.http import CacheMiddleware
from asynccache.testing import ManualClock
from tests.conftest import failed
from tests.http.clients import used_connections
from tests.http.sites import START, Site


@pytest.fixture
def clock() -> ManualClock:
    """Wall time."""
    return ManualClock(START)


@pytest.fixture
async def site(clock: ManualClock, watched_loop: object) -> AsyncIterator[Site]:
    """A server of the test's own."""
    site = Site(clock)
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def cache(clock: ManualClock, site: Site) -> AsyncIterator[CacheMiddleware]:
    """A cache in memory."""
    async with CacheMiddleware(clock=clock) as cache:
        yield cache


@pytest.fixture
async def session(request: pytest.FixtureRequest, cache: CacheMiddleware) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with that cache; no connection of it is in use when the test ends."""
    async with aiohttp.ClientSession(middlewares=(cache,)) as session:
        yield session
        if not failed(request):
            assert await used_connections(session) == 0
