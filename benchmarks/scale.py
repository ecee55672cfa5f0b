"""What an operation costs with 1,000 and with 1,000,000 entries, for every policy, and beside cachetools.

    python benchmarks/scale.py [--large 1000000] [--operations 200000]

Both sizes see the same order of accesses: a run of keys that moves slowly over the whole cache, so that what is
measured is the policy and not the processor's caches. Each figure is the best of five, in nanoseconds an operation.
"""

import argparse
import gc
import importlib.util
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

from asynccache.core.policies import POLICIES

SMALL = 1_000
REPEATS = 5

Cache = Any
"""Ours or cachetools': something with `get` and item assignment."""


def seconds(run: Callable[[Iterable[int]], None], keys: Iterable[int]) -> float:
    """Time one run."""
    started = time.perf_counter()
    run(keys)
    return time.perf_counter() - started


def hits(cache: Cache, size: int, operations: int) -> float:
    """Time reads of what is there, in nanoseconds each."""
    get = cache.get

    def read(keys: Iterable[int]) -> None:
        for key in keys:
            get(key)

    return measure(read, lambda turn: [size - 1 - (turn * 7 + step % 500) % (size // 2) for step in range(operations)])


def evictions(cache: Cache, size: int, operations: int) -> float:
    """Time puts of new keys into a full cache, in nanoseconds each."""

    def write(keys: Iterable[int]) -> None:
        for key in keys:
            cache[key] = key

    return measure(write, lambda turn: range(10 * size + turn * operations, 10 * size + (turn + 1) * operations))


def measure(run: Callable[[Iterable[int]], None], keys: Callable[[int], Iterable[int]]) -> float:
    """Take the best of a few runs, in nanoseconds an operation."""
    best = float("inf")
    for turn in range(REPEATS):
        wanted = list(keys(turn))
        best = min(best, seconds(run, wanted) / len(wanted))
    return best * 1e9


def filled(make: Callable[[int], Cache], size: int) -> Cache:
    """Make a cache that is full, and in which some entries were used."""
    cache = make(size)
    for key in range(size):
        cache[key] = key
    rng = random.Random(1)
    for _ in range(size // 4):
        cache.get(rng.randrange(size))
    return cache


def contenders() -> dict[str, Callable[[int], Cache]]:
    """List what is measured."""
    found: dict[str, Callable[[int], Cache]] = dict(POLICIES)
    if importlib.util.find_spec("cachetools"):
        import cachetools

        # Not its LFU and RR: up to 5.5 an eviction there goes through all keys, hours at a million.
        for name in ("LRU", "FIFO"):
            found[f"cachetools {name}"] = getattr(cachetools, name + "Cache")
    return found


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--operations", type=int, default=200_000)
    options = parser.parse_args()
    sizes = (SMALL, options.large)
    print(f"{'':16}{'get':>8}{'get':>8}{'ratio':>7}{'put':>9}{'put':>8}{'ratio':>7}   at {sizes[0]:,} and {sizes[1]:,}")
    for name, make in contenders().items():
        row: list[tuple[float, float]] = []
        for size in sizes:
            gc.collect()
            gc.freeze()  # what a collection costs depends on all objects of the process, and is not the policy's doing
            cache = filled(make, size)
            row.append((hits(cache, size, options.operations), evictions(cache, size, options.operations)))
        get, put = zip(*row, strict=True)
        print(
            f"{name:16}{get[0]:8.0f}{get[1]:8.0f}{get[1] / get[0]:7.2f}{put[0]:9.0f}{put[1]:8.0f}{put[1] / put[0]:7.2f}"
        )


if __name__ == "__main__":
    main()
