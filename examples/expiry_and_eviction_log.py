"""A log of what leaves the cache, and why: too old, too many, or removed by hand.

The clock is a parameter: with a `ManualClock` nobody has to wait for time to pass. Tests of your own can do the same.

Run it with `python -m examples.expiry_and_eviction_log`.
"""

import asyncio

from asynccache import EvictionCause, async_cached
from asynccache.testing import ManualClock

clock = ManualClock()


def log(_key: object, value: str, cause: EvictionCause) -> None:
    """Be told of each entry that has left."""
    print(f"  {clock():2.0f} s: {value} left, cause: {cause.value}")


@async_cached(maxsize=2, ttl=10, policy="lru", on_evict=log, clock=clock)
async def page(name: str) -> str:
    """Stand for something slow."""
    return f"page {name}"


async def main() -> None:
    """Let one page leave for each cause."""
    print("three pages, room for two:")
    for name in "abc":
        await page(name)
        clock.advance(1)

    print("page c is invalidated:")
    page.cache_invalidate("c")

    print("page b is asked for again, after its 10 seconds:")
    clock.advance(9)
    await page("b")

    print("the cache is cleared:")
    page.cache_clear()


if __name__ == "__main__":
    asyncio.run(main())
