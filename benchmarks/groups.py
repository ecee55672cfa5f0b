"""What a cache costs when something happens to all of it at once: tags, clearing, expiry; and what its entries weigh.

What changes memory is measured in a process of its own each.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from asynccache import Cache, async_cached
from asynccache.testing import ManualClock
from benchmarks.protocol import Plan, apart, growth, watch
from benchmarks.tables import Row, Table

TAGS = 100
TTL = 3600.0


class SweptClock(ManualClock):
    """A clock by which a sweep is due when the script says so, and that knows whether the sweeper waits for a time."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = False

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any:
        self.is_waited_for = True
        return super().call_later(delay, callback)


async def fill(cache: Cache, entries: int) -> None:
    value = object()
    for key in range(entries):
        await cache.set(key, value)
    gc.collect()


async def given_back(cache: Cache, clock: SweptClock, begin: Callable[[], object]) -> dict[str, float]:
    """Watch the loop until the memory of everything has been given back."""

    def left() -> bool:
        stats = cache.stats()
        return stats.size > 0 or (stats.sweeper_alive and not clock.is_waited_for)

    clock.is_waited_for = False
    start = time.perf_counter()
    longest, busiest = await watch(left, begin)
    seconds = time.perf_counter() - start
    return {
        "stall after it, ms:": round(longest * 1e3, 2),
        "computing:": round(busiest * 1e3, 2),
        "seconds:": round(seconds, 2),
    }


def timed(call: Callable[[], Any]) -> float:
    """Make a call whose coroutine does not suspend, and tell how many seconds it took."""
    start = time.perf_counter()
    try:
        call().send(None)
    except StopIteration:
        return time.perf_counter() - start
    raise AssertionError("it suspended")


async def tags_of(_name: str, entries: int, _ttl: float) -> Row:
    """Invalidate one tag after the other, until no entry is left."""
    clock = SweptClock()
    numbers = iter(range(entries))
    cache = Cache(maxsize=entries, ttl=TTL, clock=clock, tags=lambda _value: (f"tag {next(numbers) % TAGS}",))
    await fill(cache, entries)
    times = [timed(lambda name=f"tag {number}": cache.invalidate_tags(name)) * 1e6 for number in range(TAGS)]  # type: ignore[misc]
    extra = {"worst:": round(max(times), 2)}
    return Row(statistics.median(times), extra | await given_back(cache, clock, lambda: clock.advance(TTL / 2)))


async def clear_of(name: str, entries: int, _ttl: float) -> Row:
    """Clear a cache, or a namespace that holds all of its entries."""
    clock = SweptClock()
    whole = Cache(maxsize=entries, ttl=TTL, clock=clock)
    cache = whole.namespace("a") if name == "clear + namespace" else whole
    await fill(cache, entries)
    seconds = timed(cache.clear)
    return Row(seconds * 1e6, await given_back(cache, clock, lambda: clock.advance(TTL / 2)))


async def entries_of(name: str, entries: int, ttl: float) -> Row:
    """Fill a cache, and see by how much the process has grown."""
    value = object()
    cache = Cache(maxsize=entries, ttl=None if name == "Cache" else ttl)
    function = async_cached(maxsize=entries, ttl=ttl, stale=ttl if name.endswith("stale") else None)(plain)
    table: dict[int, object] = {}

    async def enter(x: int) -> None:
        table[x] = value

    async def put(x: int) -> None:
        await cache.set(x, value)

    return await growth(entries, enter if name == "a dict" else put if name.startswith("Cache") else function)


async def plain(_key: int) -> None:
    return None


async def invalidate(plan: Plan) -> list[Table]:
    entries = plan.entries or 1_000_000
    table = Table(f"invalidating {TAGS} tags of {entries:,} entries", "us a call", None)
    if plan.takes("invalidate_tags"):
        apart(table, "invalidate", "invalidate_tags", entries, [TTL])
    return [table]


async def clear(plan: Plan) -> list[Table]:
    entries = plan.entries or 1_000_000
    table = Table(f"clearing {entries:,} entries", "us", None)
    for name in filter(plan.takes, ("clear", "clear + namespace")):
        apart(table, "clear", name, entries, [TTL])
    return [table]


async def entries(plan: Plan) -> list[Table]:
    number = plan.entries or 300_000
    table = Table(f"memory, {number:,} entries", "bytes an entry", "a dict")
    names = ("function + ttl", "function + ttl + stale", "Cache", "Cache + ttl")
    for name in ["a dict", *filter(plan.takes, names)]:
        apart(table, "entries", name, number, [TTL])
    return [table]


async def expiry(plan: Plan) -> list[Table]:
    """Measure the callers of one key that has just expired, whose load takes 50 ms."""
    loads = 0

    async def slow(_key: int) -> None:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.05)

    async def wait_of(function: Any) -> float:
        start = time.perf_counter()
        await function(7)
        return time.perf_counter() - start

    table = Table(f"{plan.callers:,} callers at the moment of expiry, load 50 ms", "ms longest wait", None)
    for name, options in {"ttl": {}, "ttl + stale": {"stale": 60.0}}.items():
        if not plan.takes(name):
            continue
        clock, waits, made = ManualClock(), [], []
        function = async_cached(ttl=60.0, clock=clock, **options)(slow)  # type: ignore[call-overload]
        for _ in range(plan.rounds):
            await function(7)
            clock.advance(60.0)
            loads = 0
            waits.append(max(await asyncio.gather(*[wait_of(function) for _ in range(plan.callers)])))
            made.append(loads)
            await asyncio.sleep(0.1)
        table.rows[name] = Row(
            statistics.median(waits) * 1e3, {"worst:": round(max(waits) * 1e3, 2), "loads:": max(made)}
        )
    return [table]
