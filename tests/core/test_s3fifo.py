"""S3-FIFO, step by step."""

import sys
from typing import Any

import pytest

import asynccache.core.s3fifo as s3fifo_module
from asynccache.core import Entry, S3FIFOCache
from asynccache.core.s3fifo import GhostHashes


def small_and_main(cache: S3FIFOCache[Any, Any]) -> tuple[list[Any], list[Any]]:
    """List the keys in the two queues, oldest first."""
    return [entry.key for entry in cache._small], [entry.key for entry in cache._main]


def full() -> S3FIFOCache[int, int]:
    """Make a cache of ten places, two of them for newcomers, that has evicted once."""
    cache: S3FIFOCache[int, int] = S3FIFOCache(10, small_places=0)
    cache.update((key, key) for key in range(11))
    return cache


def test_a_new_cache_fills_the_small_queue_first() -> None:
    """Until the first eviction, what the small queue has no room for goes to the main one."""
    cache: S3FIFOCache[int, int] = S3FIFOCache(10, small_places=0)
    cache.update((key, key) for key in range(10))
    assert small_and_main(cache) == ([0, 1], [2, 3, 4, 5, 6, 7, 8, 9])


def test_newcomers_go_first() -> None:
    """What nobody asked for again goes from the small queue, and leaves the main one alone."""
    cache = full()
    assert small_and_main(cache) == ([1, 10], [2, 3, 4, 5, 6, 7, 8, 9])
    cache[11] = 11
    assert small_and_main(cache) == ([10, 11], [2, 3, 4, 5, 6, 7, 8, 9])


def test_two_hits_let_a_newcomer_stay() -> None:
    """One hit is not enough; with two an entry moves to the main queue, where its count starts again."""
    cache = full()
    for key in (1, 1, 10):
        cache.get(key)
    cache[11] = 11
    assert 10 not in cache
    assert small_and_main(cache) == ([11], [2, 3, 4, 5, 6, 7, 8, 9, 1])
    assert cache.entries[1].visits == 0


def test_a_key_that_comes_back_goes_to_main() -> None:
    """The ghost remembers who went lately."""
    cache = full()
    assert 0 not in cache
    cache[0] = 0
    assert small_and_main(cache)[1][-1] == 0
    assert len(cache) == 10


def test_main_spares_what_was_used() -> None:
    """An entry in the main queue gets another round for each hit, up to three."""
    cache = full()
    for _ in range(9):
        cache.get(2)
    assert cache.entries[2].visits == 3
    cache[0] = 0  # back from the ghost: now the main queue is over its share
    cache[20] = 20
    assert 3 not in cache
    assert cache.entries[2].visits == 2
    assert small_and_main(cache)[1][-1] == 2


def test_limits() -> None:
    """The small queue gets a fifth, 32 places at least, and never more than half."""
    found = [S3FIFOCache[int, int](size)._small_limit for size in (0, 1, 10, 100, 160, 1_000)]
    assert found == [0, 0, 5, 32, 32, 200]
    by_weight: S3FIFOCache[int, int] = S3FIFOCache(None, max_weight=50, weigher=lambda key, value: value)
    assert (by_weight._small_limit, by_weight._main_limit) == (10, 40)


def test_parts_by_weight() -> None:
    """With weights, the small queue's share is one of weight, also when a value's weight changes in place."""
    cache: S3FIFOCache[str, int] = S3FIFOCache(None, max_weight=100, weigher=lambda key, value: value)
    cache.update({"a": 10, "b": 10, "c": 60})
    assert small_and_main(cache) == (["a", "b"], ["c"])
    cache["a"] = 15
    assert cache._small_weight == 25
    del cache["b"]
    assert cache._small_weight == 15
    del cache["a"]
    assert cache._small_weight == 0


def test_an_entry_takes_80_bytes() -> None:
    """The default policy's entry is one slot larger than the plain one."""
    entry = S3FIFOCache.entry_type("a", 1)
    collected = 16  # what the collector adds to each object it tracks, on 64 bits
    assert sys.getsizeof(entry) - sys.getsizeof(Entry("a", 1)) == 8
    assert sys.getsizeof(entry) in {80 - collected, 80}


def test_one_eviction_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were used, one eviction moves or spares only so many, and then takes the next."""
    monkeypatch.setattr(s3fifo_module, "_SCAN_LIMIT", 10)
    cache: S3FIFOCache[int, int] = S3FIFOCache(1_000)
    cache.update((key, key) for key in range(1_000))
    for key in range(1_000):
        for _ in range(3):
            cache.get(key)
    cache.popitem()
    assert sum(entry.visits == 3 for entry in cache.entries.values()) >= 979
    assert len(cache) == 999


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("small", 0, ValueError),
        ("small", 1, ValueError),
        ("small", "a", TypeError),
        ("ghost", -0.1, ValueError),
        ("ghost", float("inf"), ValueError),
        ("ghost", None, TypeError),
        ("small_places", -1, ValueError),
        ("small_places", 1.5, TypeError),
        ("promote_at", 0, ValueError),
        ("promote_at", 4, ValueError),
        ("promote_at", True, TypeError),
    ],
)
def test_numbers_that_cannot_be(name: str, value: Any, error: type[Exception]) -> None:
    """A share or a count outside its bounds is refused by name."""
    with pytest.raises(error, match=name):
        S3FIFOCache(10, **{name: value})


def test_the_ghost_is_first_in_first_out() -> None:
    """The oldest of too many hashes is let go."""
    ghost = GhostHashes()
    for key_hash in range(5):
        ghost.remember(key_hash, 3)
    assert len(ghost) == 3
    assert [ghost.forget(key_hash) for key_hash in range(5)] == [False, False, True, True, True]
    assert len(ghost) == 0
    assert not ghost.forget(4)


def test_the_ghost_gives_a_second_turn() -> None:
    """A hash that was forgotten and remembered again counts from its newer turn."""
    ghost = GhostHashes()
    ghost.remember(1, 2)
    ghost.remember(2, 2)
    assert ghost.forget(1)
    ghost.remember(1, 2)
    ghost.remember(3, 2)  # the void first turn of 1 is let go with 2
    assert [ghost.forget(key_hash) for key_hash in (1, 2, 3)] == [True, False, True]


def test_the_ghosts_line_stays_short() -> None:
    """Void turns do not pile up: the line is at most twice as long as what may be remembered."""
    ghost = GhostHashes()
    for step in range(1_000):
        ghost.remember(step % 2, 10)
        assert ghost.forget(step % 2)
        assert len(ghost._line) <= 20
    ghost.clear()
    assert not ghost._line
    assert not ghost._turns
