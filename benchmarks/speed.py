"""What a call costs: hits, misses, waiters, memory and sweeping, beside the peers that are installed.

    python benchmarks/speed.py [WHAT] [--rounds 15] [--only asynccache,async-lru] [--json]

    hit         awaiting a stored value, without and with a ttl           floor: awaiting a bare coroutine
    arguments   the same with two arguments and a keyword                 floor: the same call, not cached
    methods     the same on a method of an instance                       floor: the bare method
    miss        a load that suspends once, with a new key each time       floor: create_task + await
    waiters     1,000 callers of one key at the same moment               floor: a future for each
    memory      bytes an entry that has a ttl, 300,000 of them            floor: a dict of the same keys
    sweep       1,000,000 entries overdue at once: the longest time for which the loop stood still
    all         everything; what you get if you name nothing

All contenders take turns in each round, so a machine whose speed drifts drifts for all of them. Hits are given as the
least of all rounds, with the garbage collector off, since all that can be added to the least is noise; misses and
waiters as the median, with the collector on, since they make garbage that somebody has to collect. Memory and sweeping
are measured in a process of their own each. A peer that is not installed, or has no such feature, is left out.

Decides the protocol; how each peer is asked for the same thing is in `peers.py`.
"""

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a clone that is not installed can be measured too

from benchmarks.peers import PEERS, SIZES, SLOW, Decorate, LeftOutError, Size  # noqa: E402
from benchmarks.tables import Row, Table  # noqa: E402


@dataclass(frozen=True)
class Plan:
    """How much is measured, and of whom."""

    rounds: int
    calls: int
    callers: int
    entries: int | None
    only: frozenset[str]

    def contenders(self, *, maxsize: int = 1024, ttl: float | None = None) -> dict[str, Decorate]:
        """Make a decorator of each contender that is installed and can do this."""
        found: dict[str, Decorate] = {}
        for name, make in PEERS.items():
            if not self.only or name in self.only:
                with contextlib.suppress(ImportError, LeftOutError):
                    found[name] = make(maxsize, ttl)
        return found

    def calls_of(self, name: str) -> int:
        """Tell how many calls a contender makes in a round."""
        return max(1, self.calls // 10) if name in SLOW else self.calls


Timed = Callable[[int], Awaitable[float]]
"""Makes so many calls, and tells how many seconds they took."""


@contextlib.contextmanager
def no_collector() -> Iterator[None]:
    """Collect garbage now, and not while this lasts."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def in_turns(plan: Plan, table: Table, timers: Mapping[str, Callable[[], Timed]]) -> Table:
    """Let each contender make its calls, again and again; the least of its times, in ns a call, is its figure."""
    ready: dict[str, Timed] = {}
    for name, make in timers.items():
        try:
            ready[name] = make()
            await ready[name](1)
        except Exception as error:
            ready.pop(name, None)
            table.failures[name] = f"{type(error).__name__}: {error}"
    seen: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(plan.rounds):
        for name, timed in ready.items():
            n = plan.calls_of(name)
            with no_collector():
                seen[name].append(await timed(n) / n * 1e9)
    table.rows = {name: Row(min(times)) for name, times in seen.items()}
    return table


async def hit(plan: Plan) -> list[Table]:
    async def plain(x: int) -> int:
        return x

    def timer(function: Any) -> Timed:
        async def run(n: int) -> float:
            start = time.perf_counter()
            for _ in itertools.repeat(None, n):
                await function(7)
            return time.perf_counter() - start

        return run

    tables = []
    for ttl in (None, 600.0):
        functions = {"bare coroutine": plain} | {n: d(plain) for n, d in plan.contenders(ttl=ttl).items()}
        table = Table(f"hit, {'no ttl' if ttl is None else 'with a ttl'}", "ns", "bare coroutine")
        tables.append(await in_turns(plan, table, {n: partial(timer, f) for n, f in functions.items()}))
    return tables


async def arguments(plan: Plan) -> list[Table]:
    async def plain(x: int, y: int, *, z: int) -> int:
        return x + y + z

    def timer(function: Any) -> Timed:
        async def run(n: int) -> float:
            start = time.perf_counter()
            for _ in itertools.repeat(None, n):
                await function(7, 8, z=9)
            return time.perf_counter() - start

        return run

    functions = {"bare coroutine": plain} | {name: d(plain) for name, d in plan.contenders().items()}
    table = Table("hit, two arguments and a keyword", "ns", "bare coroutine")
    return [await in_turns(plan, table, {n: partial(timer, f) for n, f in functions.items()})]


async def methods(plan: Plan) -> list[Table]:
    def timer(decorate: Decorate) -> Timed:
        class Holder:
            @decorate
            async def method(self, x: int) -> int:
                return x

        holder = Holder()

        async def run(n: int) -> float:
            start = time.perf_counter()
            for _ in itertools.repeat(None, n):
                await holder.method(7)
            return time.perf_counter() - start

        return run

    decorators: dict[str, Decorate] = {"bare method": lambda function: function} | plan.contenders()
    table = Table("hit on a method", "ns", "bare method")
    return [await in_turns(plan, table, {n: partial(timer, d) for n, d in decorators.items()})]


async def miss(plan: Plan) -> list[Table]:
    async def suspending(x: int) -> int:
        await asyncio.sleep(0)
        return x

    def in_a_task(x: int) -> Awaitable[int]:
        return asyncio.create_task(suspending(x))

    functions = {"create_task + await": in_a_task} | {n: d(suspending) for n, d in plan.contenders().items()}
    seen: dict[str, list[float]] = {name: [] for name in functions}
    keys = itertools.count()
    for _ in range(plan.rounds):
        for name, function in functions.items():
            wanted = list(itertools.islice(keys, max(1, plan.calls // 50)))
            start = time.perf_counter()
            for key in wanted:
                await function(key)
            seen[name].append((time.perf_counter() - start) / len(wanted) * 1e6)
    rows = {name: Row(statistics.median(times)) for name, times in seen.items()}
    return [Table("miss", "us", "create_task + await", rows)]


TURNS = 25
"""Turns of the loop after which a load may end: by then even those who poll or pass locks on have all lined up."""


def after_turns(turns: int, then: Callable[[], object]) -> None:
    """Call `then` when the loop has gone round so many times."""
    loop = asyncio.get_running_loop()
    loop.call_soon(*((after_turns, turns - 1, then) if turns else (then,)))


async def waiters(plan: Plan) -> list[Table]:
    gate, loads = asyncio.Event(), 0

    futures: list[asyncio.Future[None]] = []

    def release() -> None:
        gate.set()
        for future in futures:
            future.set_result(None)
        futures.clear()

    async def alone(_key: object) -> None:
        futures.append(asyncio.get_running_loop().create_future())
        await futures[-1]

    async def load(key: object) -> object:
        nonlocal loads
        loads += 1
        await gate.wait()
        return key

    floor = "a future for each"
    functions = {floor: alone} | {name: decorate(load) for name, decorate in plan.contenders().items()}
    seen: dict[str, list[tuple[float, int]]] = {name: [] for name in functions}
    for key in range(plan.rounds):
        for name, function in functions.items():
            gate.clear()
            loads = 0
            start = time.perf_counter()
            after_turns(TURNS, release)
            await asyncio.gather(*[ask(function, key) for _ in range(plan.callers)])
            seen[name].append(((time.perf_counter() - start) / plan.callers * 1e6, loads))
    rows = {n: Row(statistics.median(t for t, _ in s), {"loads:": max(made for _, made in s)}) for n, s in seen.items()}
    rows[floor] = Row(rows[floor].figure)
    return [Table(f"{plan.callers:,} callers of one key at once", "us a caller", floor, rows)]


async def ask(function: Any, key: int) -> None:
    await function(key)


# --- in a process of its own each ---------------------------------------------------------------------------


def resident() -> int:
    """Tell how many bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def memory_of(name: str, entries: int, ttl: float) -> Row:
    """Fill one contender and see by how much the process has grown."""
    keys, value = list(range(10**6, 10**6 + entries)), object()
    table: dict[int, object] = {}

    async def load(_key: int) -> object:
        return value

    async def enter(x: int) -> None:
        table[x] = value

    function = enter if name == "a dict" else PEERS[name](entries, ttl)(load)
    await function(1)
    gc.collect()
    before = resident()
    for key in keys:
        await function(key)
    gc.collect()
    return Row((resident() - before) / entries)


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


async def watch(size: Size) -> tuple[float, float]:
    """Go round the loop until nothing is left; give the longest turn, in seconds by the clock and of computing.

    The first is what users feel. Where it is far above the second, something else had the processor.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    longest = busiest = 0.0

    def turn(clock: float, computing: float) -> None:
        nonlocal longest, busiest
        longest = max(longest, time.perf_counter() - clock)
        busiest = max(busiest, time.process_time() - computing)
        if size():
            loop.call_soon(turn, time.perf_counter(), time.process_time())
        else:
            done.set()

    turn(time.perf_counter(), time.process_time())
    await done.wait()
    return longest, busiest


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


def apart(table: Table, what: str, name: str, entries: int, ttls: Iterable[float]) -> None:
    """Measure one contender in a process of its own, with the first ttl that is long enough."""
    for ttl in ttls:
        command = [sys.executable, __file__, what, "--alone", name, "--entries", str(entries), "--ttl", str(ttl)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            table.failures[name] = done.stderr.strip().splitlines()[-1]
            return
        found = json.loads(done.stdout.splitlines()[-1])
        if found is not None:
            table.rows[name] = Row(*found)
            return
    table.failures[name] = "too slow"


MEASURES = {
    "hit": hit,
    "arguments": arguments,
    "methods": methods,
    "miss": miss,
    "waiters": waiters,
    "memory": memory,
    "sweep": sweep,
}
ALONE: dict[str, Callable[[str, int, float], Coroutine[Any, Any, Row | None]]] = {
    "memory": memory_of,
    "sweep": sweep_of,
}


def read_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*MEASURES, "all"])
    parser.add_argument("--rounds", type=int, default=15, help="turns that each contender gets")
    parser.add_argument("--calls", type=int, default=20_000, help="hits in a turn; misses are a fiftieth")
    parser.add_argument("--callers", type=int, default=1_000, help="callers of one key at once")
    parser.add_argument("--entries", type=int, help="entries for memory and sweep")
    parser.add_argument("--only", default="", help="contenders, by name, with commas between")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--ttl", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure what the command line asks for."""
    given = read_arguments(words)
    if given.alone:
        print(json.dumps(asyncio.run(ALONE[given.what](given.alone, given.entries, given.ttl))), flush=True)
        os._exit(0)  # millions of objects need not be taken apart one by one
    only = frozenset(filter(None, given.only.split(",")))
    plan = Plan(given.rounds, given.calls, given.callers, given.entries, only)
    tables = []
    for measure in MEASURES.values() if given.what == "all" else [MEASURES[given.what]]:
        for table in asyncio.run(measure(plan)):
            tables.append(table.as_json())
            if not given.json:
                print("\n".join(table.lines()), end="\n\n", flush=True)
    if given.json:
        print(json.dumps(tables, indent=2))


if __name__ == "__main__":
    main()
