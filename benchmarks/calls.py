"""What single calls cost beside the peers: hits, misses, and many callers of one key.

Decides what is measured, in turns of all contenders; how, is in `protocol.py`.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from benchmarks.peers import Decorate
from benchmarks.protocol import Plan, Timed, in_turns
from benchmarks.tables import Row, Table


def with_one_argument(function: Any) -> Timed:
    """Time calls of one key."""

    async def run(n: int) -> float:
        start = time.perf_counter()
        for _ in itertools.repeat(None, n):
            await function(7)
        return time.perf_counter() - start

    return run


async def hit(plan: Plan) -> list[Table]:
    async def plain(x: int) -> int:
        return x

    tables = []
    for ttl in (None, 600.0):
        functions = {"bare coroutine": plain} | {n: d(plain) for n, d in plan.contenders(ttl=ttl).items()}
        table = Table(f"hit, {'no ttl' if ttl is None else 'with a ttl'}", "ns", "bare coroutine")
        tables.append(await in_turns(plan, table, {n: partial(with_one_argument, f) for n, f in functions.items()}))
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
