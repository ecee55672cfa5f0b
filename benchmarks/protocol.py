"""How `speed.py` measures: contenders in turns, or each in a process of its own, and the loop watched for stalls.

Decides the protocol, and nothing of what is measured.
"""

import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import PEERS, SLOW, Decorate, LeftOutError
from benchmarks.tables import Row, Table

SCRIPT = Path(__file__).with_name("speed.py")


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

    def takes(self, name: str) -> bool:
        """Tell whether one use of asynccache is measured; all are, unless some are asked for by name."""
        return not self.only or "asynccache" in self.only or name in self.only

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


# --- in a process of its own each -----------------------------------------------------------------------------------


def resident() -> int:
    """Tell how many bytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def growth(entries: int, enter: Callable[[int], Awaitable[object]]) -> Row:
    """Enter so many keys, and tell by how many bytes the process has grown for each, the keys not counted."""
    keys = list(range(10**6, 10**6 + entries))
    await enter(1)
    gc.collect()
    before = resident()
    for key in keys:
        await enter(key)
    gc.collect()
    return Row((resident() - before) / entries)


async def watch(left: Callable[[], object], begin: Callable[[], object] | None = None) -> tuple[float, float]:
    """Go round the loop until nothing is left; give the longest turn, in seconds by the clock and of computing.

    What `begin` does belongs to the first of them.

    The first is what users feel. Where it is far above the second, something else had the processor.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    longest = busiest = 0.0

    def turn(clock: float, computing: float) -> None:
        nonlocal longest, busiest
        longest = max(longest, time.perf_counter() - clock)
        busiest = max(busiest, time.process_time() - computing)
        if left():
            loop.call_soon(turn, time.perf_counter(), time.process_time())
        else:
            done.set()

    clock, computing = time.perf_counter(), time.process_time()
    if begin is not None:
        begin()
    turn(clock, computing)
    await done.wait()
    return longest, busiest


def apart(table: Table, what: str, name: str, entries: int, ttls: Iterable[float]) -> None:
    """Measure one contender in a process of its own, with the first ttl that is long enough."""
    for ttl in ttls:
        command = [sys.executable, str(SCRIPT), what, "--alone", name, "--entries", str(entries), "--ttl", str(ttl)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            table.failures[name] = done.stderr.strip().splitlines()[-1]
            return
        found = json.loads(done.stdout.splitlines()[-1])
        if found is not None:
            table.rows[name] = Row(*found)
            return
    table.failures[name] = "too slow"
