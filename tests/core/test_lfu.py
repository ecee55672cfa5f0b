"""Least frequently used, step by step."""

import copy
import pickle
from collections.abc import Callable

import pytest

from asynccache.core import LFUCache


def test_the_fewest_uses_go() -> None:
    """Of three, the one nobody asked for again goes."""
    cache: LFUCache[int, int] = LFUCache(3)
    cache.update({1: 1, 2: 2, 3: 3})
    for key in (1, 1, 3):
        cache.get(key)
    cache[4] = 4
    assert sorted(cache) == [1, 3, 4]


def test_ties_are_broken_by_who_came_first_to_the_count() -> None:
    """Among equal counts, the one that has had it longest goes."""
    cache: LFUCache[int, int] = LFUCache(3)
    cache.update({1: 1, 2: 2, 3: 3})
    for key in (3, 1, 2):
        cache.get(key)
    assert [cache.popitem()[0] for _ in range(3)] == [3, 1, 2]


def test_an_update_is_a_use() -> None:
    """Putting over a key counts."""
    cache: LFUCache[int, int] = LFUCache(2)
    cache.update({1: 1, 2: 2})
    cache[1] = 10
    cache[3] = 3
    assert sorted(cache) == [1, 3]


def test_a_key_that_comes_back_starts_anew() -> None:
    """The count of a key that went is lost."""
    cache: LFUCache[int, int] = LFUCache(2)
    cache.update({1: 1, 2: 2})
    for _ in range(5):
        cache.get(1)
    cache.get(2)
    del cache[1]
    cache[1] = 1
    cache[3] = 3
    assert sorted(cache) == [2, 3]


def test_growth_keeps_the_count() -> None:
    """A value that grows at others' expense keeps its uses, and one more."""
    cache: LFUCache[str, int] = LFUCache(None, max_weight=6, weigher=lambda key, value: value)
    cache.update({"a": 1, "b": 2, "c": 3})
    cache.get("a")
    cache["a"] = 2
    assert cache == {"a": 2, "c": 3}
    assert cache.entries["a"].visits == 3


def test_growth_never_evicts_the_entry_itself() -> None:
    """A value that grows stays even if all others are used more."""
    cache: LFUCache[str, int] = LFUCache(None, max_weight=6, weigher=lambda key, value: value)
    cache.update({"a": 1, "b": 2})
    for _ in range(5):
        cache.get("b")
    cache["a"] = 5
    assert cache == {"a": 5}
    assert cache.popitem() == ("a", 5)
    assert cache.weight == 0


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_thousand_counts_are_copied(duplicate: Callable[[LFUCache[int, int]], LFUCache[int, int]]) -> None:
    """Copying does not recurse from count to count, and keeps each."""
    cache: LFUCache[int, int] = LFUCache(1_000)
    for key in range(1_000):
        cache[key] = key
        for _ in range(1_000 - key):
            cache.get(key)
    twin = duplicate(cache)
    assert [twin.popitem()[0] for _ in range(1_000)] == list(range(999, -1, -1))
    assert len(cache) == 1_000


def test_buckets_in_use_are_those_of_the_counts() -> None:
    """No empty bucket stays behind, however counts move."""
    cache: LFUCache[int, int] = LFUCache(20)
    for step in range(2_000):
        cache[step * step % 37] = step
        cache.get(step % 23)
        if step % 5 == 0:
            cache.pop(step % 29, None)
    counts = {entry.visits for entry in cache.entries.values()}
    assert set(cache._buckets) == counts | {0}
