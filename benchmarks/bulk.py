"""What a great many entries cost beside the peers: their memory, and sweeping them when all are overdue.

Each contender is measured in a process of its own.
"""

import gc
import time

from benchmarks.peers import PEERS, SIZES, SLOW
from benchmarks.protocol import Plan, apart, growth, watch
from benchmarks.tables import Row, Table


async def memory_of(name: str, entries: int, ttl: float) -> Row:
    """Fill one contender and see by how much the process has grown."""
    value = object()
    table: dict[int, object] = {}

    async def load(_key: int) -> object:
        return value

    async def enter(x: int) -> None:
        table[x] = value

    return await growth(entries, enter if name == "a dict" else PEERS[name](entries, ttl)(load))


PATIENCE = (20e-6, 60e-6, 180e-6, 540e-6, 1620e-6)
"""Seconds for an entry within which a cache has to be filled, so that nothing is due before everything is there. Each
is tried after the one before it was too short."""


async def sweep_of(name: str, entries: int, ttl: float) -> Row | None:
    """Let all entries of one contender fall due while the loop is busy, and watch it from there on.

    None if filling took longer than the ttl.
    """

    async def load(x: int) -> int:
        return x

    function = PEERS[name](entries, ttl)(load)
    size = SIZES[name](function)
    start = time.monotonic()
    for key in range(entries):
        await function(key)
        if not key % 1000 and time.monotonic() - start > ttl:
            return None
    held = size()
    gc.collect()
    time.sleep(ttl)  # noqa: ASYNC251  # the loop is to be late for all of them
    start = time.perf_counter()
    longest, busiest = await watch(size)
    seconds = time.perf_counter() - start
    return Row(longest * 1e3, {"computing:": round(busiest * 1e3, 2), "swept": held, "seconds:": round(seconds, 2)})


async def memory(plan: Plan) -> list[Table]:
    entries = plan.entries or 300_000
    table = Table(f"memory, {entries:,} entries with a ttl", "bytes an entry", "a dict")
    for name in ["a dict", *plan.contenders(ttl=3600.0)]:
        apart(table, "memory", name, entries, [3600.0])
    return [table]


async def sweep(plan: Plan) -> list[Table]:
    table = Table("sweep, all entries overdue at once", "ms longest stall", None)
    for name in plan.contenders(ttl=3600.0):
        entries = (plan.entries or 1_000_000) // (10 if name in SLOW else 1)
        if name in SIZES:
            apart(table, "sweep", name, entries, [0.1 + entries * each for each in PATIENCE])
    return [table]
