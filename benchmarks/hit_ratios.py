"""Hit ratios of every policy, beside those of libCacheSim where that has the same policy.

    python benchmarks/hit_ratios.py [TRACE.gz ...] [--sizes 0.001,0.01,0.05,0.1,0.2] [--policies LRU,SIEVE] [--weighted]

A trace is text, gzipped or not, one access a line: a whole number as key and, optionally, a size. Without traces, three
made ones are replayed: Zipf, a loop, and Zipf with scans. A size is a share of the distinct keys (with `--weighted`, of
their sizes). Decides the protocol: look the key up, put it on a miss. libCacheSim (`pip install libcachesim`) is
optional: its columns are left out without it.
"""

import argparse
import functools
import gzip
import importlib.util
import itertools
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from asynccache.core import (
    BoundedCache,
    FIFOCache,
    GDSFCache,
    LFUCache,
    LRUCache,
    RandomCache,
    S3FIFOCache,
    SieveCache,
    TinyLFUCache,
)
from asynccache.core.sketch import CountingFilter

LEAST_ENTRIES = 10
"""Smaller caches are skipped, as one entry more or less changes everything there."""

DIAGNOSTIC = {"lirs-loop", "loop"}
"""One loop over all keys tells about a policy's weak spot, and would drown the mean."""


class Trace(NamedTuple):
    """A name, the keys in order of access, and their sizes if there are any."""

    name: str
    keys: list[int]
    sizes: list[int] | None


def read_trace(path: Path) -> Trace:
    """Read a trace from a file."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    rows = [line.split() for line in text.splitlines()]
    sizes = [int(row[1]) for row in rows] if rows and len(rows[0]) > 1 else None
    return Trace(path.name.removesuffix(".gz"), [int(row[0]) for row in rows], sizes)


def made_traces() -> Iterator[Trace]:
    """Make three traces, the same ones every time."""
    rng = random.Random(1)
    keys = range(20_000)
    popularity = list(itertools.accumulate(1 / (rank + 1) ** 0.9 for rank in keys))
    zipf = rng.choices(keys, cum_weights=popularity, k=300_000)
    yield Trace("zipf", zipf, None)
    yield Trace("loop", list(range(1_000)) * 100, None)
    mix: list[int] = []
    for start in range(0, len(zipf), 10_000):
        mix += zipf[start : start + 10_000]
        mix += range(100_000 + start, 100_000 + start + 2_000)
    yield Trace("zipf+scan", mix, None)


def count_hits(cache: BoundedCache[int, int], trace: Trace, weighted: bool) -> int:
    """Replay a trace, and count the hits."""
    get, put, hits = cache.get, cache.put, 0
    sizes = trace.sizes if weighted and trace.sizes else itertools.repeat(1)
    for key, size in zip(trace.keys, sizes, strict=False):
        if get(key) is None:
            put(key, size)
        else:
            hits += 1
    return hits


def size_of(_key: int, size: int) -> int:
    """Weigh an entry whose value is its size."""
    return size


def xxh64(number: int, seed: int) -> int:
    """Hash a number of 64 bits as XXH64 does (Collet, "xxHash fast digest algorithm", version 0.1.1)."""
    first, second, third, fourth, fifth = (
        11400714785074694791,
        14029467366897019727,
        1609587929392839161,
        9650029242287828579,
        2870177450012600261,
    )
    mask = (1 << 64) - 1

    def rotated(bits: int, by: int) -> int:
        return bits << by & mask | bits >> 64 - by

    lane = rotated(number * second & mask, 31) * first & mask
    mixed = rotated(seed + fifth + 8 & mask ^ lane, 27) * first + fourth & mask
    mixed = (mixed ^ mixed >> 33) * second & mask
    mixed = (mixed ^ mixed >> 29) * third & mask
    return mixed ^ mixed >> 32


@functools.cache
def simulator_bits(key: int) -> int:
    """Spread a key as the table of counters in libCacheSim's W-TinyLFU does; keys are numbered from 1 there."""
    low = (1 << 32) - 1
    return (xxh64(key + 1, 0x12344321) & low) << 32 | xxh64(key + 1, 0x12345678) & low


def simulator_tinylfu(maxsize: int | None, window: float = 0.1, **weights: Any) -> BoundedCache[int, int]:
    """Make a W-TinyLFU cache that counts, fades and rounds as libCacheSim's does.

    By weight the two still differ: the simulator stores nothing that is heavier than the window or the probation
    segment, where this cache stores what fits. Its table has a place for each byte, too; here it is one for 10,000.
    """
    size = weights["max_weight"] // 10_000 + 1 if maxsize is None else maxsize
    table = CountingFilter(max(size - max(1, int(size * window)), 1), 0.001, spread=simulator_bits)
    return TinyLFUCache(maxsize, window=window, sample=32, lapse=True, sketch=table, **weights)


Make = Callable[..., BoundedCache[int, int]]

OURS: dict[str, Make] = {
    "FIFO": FIFOCache,
    "LRU": LRUCache,
    "LFU": LFUCache,
    "Random": lambda maxsize, **weights: RandomCache(maxsize, rng=random.Random(1), **weights),
    "SIEVE": SieveCache,
    "S3-FIFO": S3FIFOCache,
    "S3-FIFO 10%": lambda maxsize, **weights: S3FIFOCache(maxsize, small=0.1, small_places=0, **weights),
    "TinyLFU": TinyLFUCache,
    "TinyLFU w1%": lambda maxsize, **weights: TinyLFUCache(maxsize, window=0.01, **weights),
    "TinyLFU 10%": simulator_tinylfu,
    "TinyLFU 1%": lambda maxsize, **weights: simulator_tinylfu(maxsize, 0.01, **weights),
    "GDSF": GDSFCache,
}


class Simulator:
    """libCacheSim over one trace, which it wants as a file."""

    def __init__(self, trace: Trace, weighted: bool) -> None:
        import libcachesim

        self._lib = libcachesim
        self._weighted = weighted
        self._accesses = len(trace.keys)
        self._file = tempfile.NamedTemporaryFile(suffix=".oracleGeneral")  # noqa: SIM115  # lives as long as this
        pack = struct.Struct("<IQIq").pack
        sizes = trace.sizes if weighted and trace.sizes else itertools.repeat(1)
        # The next access, which only the optimum asks for, is always "never".
        rows = enumerate(zip(trace.keys, sizes, strict=False))
        self._file.write(b"".join(pack(number, key + 1, size, -1) for number, (key, size) in rows))
        self._file.flush()

    def hits(self, name: str, capacity: int) -> int | None:
        """Count the hits of a policy; None where libCacheSim has nothing alike."""
        lib = self._lib
        options: dict[str, tuple[Any, dict[str, float]]] = {
            "FIFO": (lib.FIFO, {}),
            "LRU": (lib.LRU, {}),
            "LFU": (lib.LFU, {}),
            "Random": (lib.Random, {}),
            "SIEVE": (lib.Sieve, {}),
            "S3-FIFO": (lib.S3FIFO, {"small_size_ratio": self._small_share(capacity)}),
            "S3-FIFO 10%": (lib.S3FIFO, {"small_size_ratio": max(0.1, 2.001 / capacity)}),
            "TinyLFU 1%": (lib.WTinyLFU, {"window_size": max(0.01, 1.001 / capacity)}),
            "TinyLFU 10%": (lib.WTinyLFU, {"window_size": max(0.1, 1.001 / capacity)}),
            "GDSF": (lib.GDSF, {}),
        }
        if name not in options:
            return None
        kind, keywords = options[name]
        parameters = lib.ReaderInitParam(ignore_obj_size=not self._weighted)
        reader = lib.TraceReader(self._file.name, lib.TraceType.ORACLE_GENERAL_TRACE, parameters)
        misses, _ = kind(capacity, hashpower=18, **keywords).process_trace(reader)
        return round((1 - misses) * self._accesses)

    def _small_share(self, capacity: int) -> float:
        if self._weighted:
            return 0.2
        # A little more than the whole number of places, as the simulator rounds down.
        return (min(max(int(capacity * 0.2), 32), capacity // 2) + 0.001) / capacity


def capacities(trace: Trace, shares: list[float], weighted: bool) -> list[int]:
    """Turn shares of the distinct keys, or of their sizes, into sizes of a cache."""
    total = len(set(trace.keys))
    if weighted and trace.sizes:
        total = sum(dict(zip(trace.keys, trace.sizes, strict=True)).values())
    sizes = [round(share * total) for share in shares]
    return [size for size in sizes if size >= LEAST_ENTRIES]


def make_cache(name: str, capacity: int, weighted: bool) -> BoundedCache[int, int]:
    """Make an empty cache of a policy."""
    if weighted:
        return OURS[name](None, max_weight=capacity, weigher=size_of)
    return OURS[name](capacity)


def compare(trace: Trace, names: list[str], shares: list[float], weighted: bool) -> dict[str, list[float]]:
    """Print a table for a trace; return for each column the shares of FIFO's misses that were removed."""
    simulator = Simulator(trace, weighted) if importlib.util.find_spec("libcachesim") else None
    accesses = len(trace.keys)
    removed: dict[str, list[float]] = {}
    for capacity in capacities(trace, shares, weighted):
        fifo_misses = accesses - count_hits(make_cache("FIFO", capacity, weighted), trace, weighted)
        for name in names:
            hits = count_hits(make_cache(name, capacity, weighted), trace, weighted)
            removed.setdefault(name, []).append(100 * (1 - (accesses - hits) / fifo_misses))
            row = f"{trace.name:14} {capacity:>9} {name:12} {100 * hits / accesses:7.3f}%"
            theirs = simulator.hits(name, capacity) if simulator else None
            if theirs is not None:
                removed.setdefault("sim." + name, []).append(100 * (1 - (accesses - theirs) / fifo_misses))
                row += f"  libCacheSim {100 * theirs / accesses:7.3f}%  {100 * (hits - theirs) / accesses:+7.3f} points"
                row += "  (equal)" if hits == theirs else ""
            print(row, flush=True)
    return removed


def main() -> None:
    """Read the command line, replay, and print the tables and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path)
    parser.add_argument("--sizes", default="0.001,0.01,0.05,0.1,0.2")
    parser.add_argument("--policies", default=",".join(OURS), help="those to replay, of " + ", ".join(OURS))
    parser.add_argument("--weighted", action="store_true", help="by size; traces without are left out")
    options = parser.parse_args()
    shares = [float(share) for share in options.sizes.split(",")]
    names: list[str] = options.policies.split(",")
    means: dict[str, list[float]] = {}
    for trace in map(read_trace, options.traces) if options.traces else made_traces():
        if options.weighted and trace.sizes is None:
            continue
        for name, values in compare(trace, names, shares, options.weighted).items():
            if trace.name not in DIAGNOSTIC and values:
                means.setdefault(name, []).append(sum(values) / len(values))
    print("\nShare of FIFO's misses removed, mean over sizes, then over traces")
    for name, values in sorted(means.items(), key=lambda item: -sum(item[1]) / len(item[1])):
        print(f"{name:18} {sum(values) / len(values):6.1f}%")


if __name__ == "__main__":
    main()
