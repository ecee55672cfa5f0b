"""However long a chain of keys that need each other, the stack stays shallow, and so does the time that it takes."""

import asyncio
import sys
from collections.abc import Iterator

import pytest

from asynccache import RecursiveLoad, async_cached


@pytest.fixture
def shallow() -> Iterator[None]:
    """Allow hardly more calls inside of each other than there are already."""
    before = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]  # the last one has none
    sys.setrecursionlimit(depth + 120)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_chain_of_three_thousand_keys(shallow: None, suspends: bool) -> None:
    """Each load needs the next key's value, whether or not it waits before it asks."""

    @async_cached(maxsize=None)
    async def load(key: int) -> int:
        if suspends:
            await asyncio.sleep(0)
        return 0 if key == 0 else 1 + await load(key - 1)

    assert await load(3_000) == 3_000
    assert load.cache_info().misses == 3_001


async def test_a_ring_of_five_hundred_keys(shallow: None) -> None:
    """Looking for the ring needs no deep stack either."""

    @async_cached
    async def load(key: int) -> int:
        if key == 499:
            with pytest.raises(RecursiveLoad):
                await load(0)
            return 0
        return 1 + await load(key + 1)

    assert await load(0) == 499


async def test_ten_thousand_loads_that_never_wait(shallow: None) -> None:
    """One after another, and all in one load."""

    @async_cached(maxsize=100)
    async def load(key: int) -> int:
        return key

    @async_cached
    async def load_all(count: int) -> int:
        return sum([await load(key) for key in range(count)])

    assert await load_all(10_000) == sum(range(10_000))
    assert load.cache_info().misses == 10_000


async def test_a_load_that_needs_a_thousand_at_once(shallow: None) -> None:
    """A fan of keys, each of which needs the same one."""

    @async_cached(maxsize=None)
    async def load(key: int) -> int:
        return 1 if key == 0 else await load(0)

    @async_cached
    async def load_all(count: int) -> int:
        return sum(await asyncio.gather(*(load(key) for key in range(1, count + 1))))

    assert await load_all(1_000) == 1_000
    assert load.cache_info().misses == 1_001
