"""Hit counts pinned to those of an independent simulator.

The expected numbers are libCacheSim's (0.3.5), obtained over the same trace by

    python -m tests.core.test_simulator_hits
"""

import itertools
import random

import pytest

from asynccache.core import BoundedCache, FIFOCache, LFUCache, LRUCache, S3FIFOCache, SieveCache

CAPACITIES = (10, 100, 1_000)

PINNED = {
    "FIFO": (3881, 11262, 19939),
    "LRU": (4492, 12575, 21333),
    "LFU": (8818, 16057, 22701),
    "SIEVE": (8577, 16133, 22701),
    "S3-FIFO": (7612, 15517, 22734),
}


def make_trace() -> list[int]:
    """Make 30,000 accesses: Zipf over 5,000 keys, with a scan of 100 new keys after each 1,000."""
    rng = random.Random(20)
    popularity = list(itertools.accumulate(1 / rank for rank in range(1, 5_001)))
    trace: list[int] = []
    for block in range(30):
        trace += rng.choices(range(5_000), cum_weights=popularity, k=1_000)
        trace += range(5_000 + block * 100, 5_100 + block * 100)
    return trace


def make_caches(capacity: int) -> dict[str, BoundedCache[int, int]]:
    """Make a cache of each policy that the simulator has exactly."""
    return {
        "FIFO": FIFOCache(capacity),
        "LRU": LRUCache(capacity),
        "LFU": LFUCache(capacity),
        "SIEVE": SieveCache(capacity),
        "S3-FIFO": S3FIFOCache(capacity),
    }


@pytest.mark.parametrize("policy", PINNED)
def test_hits_are_those_of_the_simulator(policy: str) -> None:
    """Each policy hits exactly as often as an independent implementation of it does."""
    trace = make_trace()
    counted: list[int] = []
    for capacity in CAPACITIES:
        cache = make_caches(capacity)[policy]
        hits = 0
        for key in trace:
            if cache.get(key) is None:
                cache.put(key, key)
            else:
                hits += 1
        counted.append(hits)
    assert tuple(counted) == PINNED[policy]


def main() -> None:
    """Print the numbers to pin."""
    from benchmarks.hit_ratios import Simulator, Trace

    simulator = Simulator(Trace("pinned", make_trace(), None), weighted=False)
    for policy in make_caches(1):
        print(policy, tuple(simulator.hits(policy, capacity) for capacity in CAPACITIES))


if __name__ == "__main__":
    main()
