"""A log of what leaves the cache, and why: too old, too many, or removed by hand.

The clock is a parameter, so that nobody has to wait for time to pass; tests of your own code can do the same.

Run it with `python -m examples.expiry_and_eviction_log`.
"""

import asyncio

from asynccache import RemovalCause, async_cached


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return self.now


clock = HandClock()


def log(_key: object, value: str, cause: RemovalCause) -> None:
    """Be told of each entry that has left."""
    print(f"  {clock.now:2.0f} s: {value} left, cause: {cause.value}")


@async_cached(maxsize=2, ttl=10, policy="lru", on_evict=log, clock=clock)
async def page(name: str) -> str:
    """Stand for something slow."""
    return f"page {name}"


async def main() -> None:
    """Let one page leave for each cause."""
    print("three pages, room for two:")
    for name in "abc":
        await page(name)
        clock.now += 1

    print("page c is invalidated:")
    page.cache_invalidate("c")

    print("page b is asked for again, after its 10 seconds:")
    clock.now += 9
    await page("b")

    print("the cache is cleared:")
    page.cache_clear()


if __name__ == "__main__":
    asyncio.run(main())
