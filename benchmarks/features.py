"""What single calls cost with the features that no peer shares: freshness, tags, shared caches, many keys, batches.

Decides what is measured; the rows are uses of asynccache rather than contenders.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from asynccache import Cache, async_cached
from benchmarks.calls import with_one_argument
from benchmarks.protocol import Plan, Timed, in_turns
from benchmarks.tables import Row, Table

HUNDRED = list(range(100))


async def plain(x: int) -> int:
    return x


async def load() -> int:
    return 7


def getting(cache: Cache) -> Timed:
    async def run(n: int) -> float:
        await cache.set(7, 7)
        start = time.perf_counter()
        for _ in itertools.repeat(None, n):
            await cache.get(7)
        return time.perf_counter() - start

    return run


def getting_or_loading(cache: Cache) -> Timed:
    async def run(n: int) -> float:
        start = time.perf_counter()
        for _ in itertools.repeat(None, n):
            await cache.get_or_load(7, load)
        return time.perf_counter() - start

    return run


def getting_old() -> Timed:
    """Time reads of a value that is past its ttl, while the refresh that the first one began is under way."""
    is_first = True

    async def once(x: int) -> int:
        nonlocal is_first
        if not is_first:
            await asyncio.get_running_loop().create_future()  # until the loop ends
        is_first = False
        return x

    function = async_cached(ttl=1e-6, stale=3600)(once)
    calls = with_one_argument(function)

    async def run(n: int) -> float:
        seconds = await calls(n)
        while function.cache_stats().stale == 0:  # the first round
            await function(7)
        return seconds

    return run


def getting_many(cache: Cache) -> Timed:
    """Time calls for a hundred keys that are all there, by the key."""

    async def run(n: int) -> float:
        await cache.get_or_load_many(HUNDRED, load_many)
        times = max(1, n // len(HUNDRED))
        start = time.perf_counter()
        for _ in itertools.repeat(None, times):
            await cache.get_or_load_many(HUNDRED, load_many)
        return (time.perf_counter() - start) / times / len(HUNDRED) * n

    return run


async def hits(plan: Plan, title: str, timers: dict[str, Callable[[], Timed]]) -> Table:
    taken = {name: make for name, make in timers.items() if plan.takes(name)}
    floor = {"bare coroutine": partial(with_one_argument, plain)}
    return await in_turns(plan, Table(title, "ns", "bare coroutine"), {**floor, **taken})


async def fresh(plan: Plan) -> list[Table]:
    """Measure hits of functions that have more than a ttl."""

    def of(**options: Any) -> Callable[[], Timed]:
        return lambda: with_one_argument(async_cached(**options)(plain))

    timers = {
        "ttl": of(ttl=600),
        "ttl + stale + refresh_ahead": of(ttl=600, stale=600, refresh_ahead=0.8),
        "ttl + early": of(ttl=600, early=1.0),
        "tags": of(tags=("a",)),
        "tags + ttl": of(tags=("a",), ttl=600),
        "an old value": getting_old,
    }
    return [await hits(plan, "hit with freshness or tags", timers)]


async def shared(plan: Plan) -> list[Table]:
    """Measure hits in a cache that one holds in one's hands."""
    timers: dict[str, Callable[[], Timed]] = {
        "cache=": lambda: with_one_argument(async_cached(cache=Cache())(plain)),
        "cache= + ttl": lambda: with_one_argument(async_cached(cache=Cache(), ttl=600)(plain)),
        "get": lambda: getting(Cache()),
        "get + ttl": lambda: getting(Cache(ttl=600)),
        "get_or_load": lambda: getting_or_loading(Cache()),
        "get_or_load + ttl": lambda: getting_or_loading(Cache(ttl=600)),
        "get_or_load + namespace": lambda: getting_or_loading(Cache().namespace("a")),
        "get_or_load_many (a key)": lambda: getting_many(Cache()),
    }
    return [await hits(plan, "hit in a Cache", timers)]


async def suspending(x: int) -> int:
    await asyncio.sleep(0)
    return x


async def load_many(keys: list[int]) -> list[int]:
    await asyncio.sleep(0)
    return keys


async def at_once(function: Callable[[int], Coroutine[Any, Any, int]], keys: list[int]) -> None:
    await asyncio.gather(*[function(key) for key in keys])


async def batches(plan: Plan) -> list[Table]:
    """Measure loads of a hundred keys at the same moment: in tasks of their own, each by itself, and together."""
    cache, floor = Cache(), "a task each"

    async def many(keys: list[int]) -> None:
        await cache.get_or_load_many(keys, load_many)

    uses: dict[str, Callable[[list[int]], Awaitable[None]]] = {
        "loads one by one": partial(at_once, async_cached(suspending)),
        "batched": partial(at_once, async_cached.batched(load_many)),
        "get_or_load_many": many,
    }
    taken = {floor: partial(at_once, suspending)} | {name: use for name, use in uses.items() if plan.takes(name)}
    seen: dict[str, list[float]] = {name: [] for name in taken}
    numbers = itertools.count()
    for _ in range(plan.rounds * max(1, plan.calls // 5_000)):
        for name, use in taken.items():
            keys = list(itertools.islice(numbers, len(HUNDRED)))
            start = time.perf_counter()
            await use(keys)
            seen[name].append((time.perf_counter() - start) / len(keys) * 1e6)
    rows = {name: Row(statistics.median(times)) for name, times in seen.items()}
    return [Table("loads of 100 keys at once", "us a key", floor, rows)]
