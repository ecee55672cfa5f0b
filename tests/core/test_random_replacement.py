"""Random replacement, with chance under control."""

import random
from collections import Counter

import pytest

from asynccache.core import RandomCache


def test_the_same_seed_evicts_the_same() -> None:
    """A seeded generator makes evictions repeatable."""
    first: RandomCache[int, int] = RandomCache(20, rng=random.Random(5))
    second: RandomCache[int, int] = RandomCache(20, rng=random.Random(5))
    for cache in (first, second):
        cache.update((key, key) for key in range(500))
    assert list(first) == list(second)
    assert set(first) != set(range(480, 500))


def test_every_entry_is_equally_likely() -> None:
    """Of five entries each goes in about a fifth of all cases, read or not."""
    rng = random.Random(1)
    gone: Counter[int] = Counter()
    for _ in range(5_000):
        cache: RandomCache[int, int] = RandomCache(5, rng=rng)
        cache.update((key, key) for key in range(5))
        cache.get(0)
        gone[cache.popitem()[0]] += 1
    assert all(900 < gone[key] < 1_100 for key in range(5))


def test_a_generator_that_is_none() -> None:
    """Anything but a `random.Random` is refused."""
    with pytest.raises(TypeError, match=r"rng must be a random\.Random"):
        RandomCache(5, rng=random)  # type: ignore[arg-type]  # the mistake that is tried
