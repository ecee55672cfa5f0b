"""SIEVE, step by step."""

import pytest

import asynccache.core.sieve as sieve_module
from asynccache.core import SieveCache


def test_the_papers_walk() -> None:
    """The hand spares what was used, evicts what was not, and stays where it is (figure 1 of the paper).

    Old to new: A B C D E F G with A, B and G used. H evicts C; A is used again; I evicts D; B is used; J evicts E.
    """
    cache: SieveCache[str, int] = SieveCache(7)
    cache.update((key, 0) for key in "ABCDEFG")
    for key in "ABG":
        cache.get(key)
    cache["H"] = 0
    assert sorted(cache) == list("ABDEFGH")
    cache.get("A")
    cache["I"] = 0
    assert sorted(cache) == list("ABEFGHI")
    cache.get("B")
    cache["J"] = 0
    assert sorted(cache) == list("ABFGHIJ")


def test_the_hand_comes_round() -> None:
    """After the newest the hand goes on with the oldest, whose use it has forgotten by then."""
    cache: SieveCache[int, int] = SieveCache(3)
    cache.update((key, key) for key in range(3))
    for key in range(3):
        cache.get(key)
    cache[3] = 3
    assert sorted(cache) == [1, 2, 3]
    assert [cache.popitem()[0] for _ in range(3)] == [1, 2, 3]


def test_removal_under_the_hand() -> None:
    """When the entry under the hand is taken out, the hand goes on with the next newer one."""
    cache: SieveCache[int, int] = SieveCache(4)
    cache.update((key, key) for key in range(4))
    cache.get(0)
    cache[4] = 4
    assert 1 not in cache
    del cache[2]
    assert [cache.popitem()[0] for _ in range(3)] == [3, 4, 0]


def test_one_eviction_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were used, one eviction spares only so many, and then takes the next."""
    monkeypatch.setattr(sieve_module, "_SCAN_LIMIT", 10)
    cache: SieveCache[int, int] = SieveCache(100)
    cache.update((key, key) for key in range(100))
    for key in range(100):
        cache.get(key)
    assert cache.popitem() == (10, 10)
    assert sum(entry.visits == 0 for entry in cache.entries.values()) == 10
