"""W-TinyLFU, step by step."""

from typing import Any

import pytest

from asynccache.core import TinyLFUCache


def parts(cache: TinyLFUCache[Any, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """List the keys in window, probation and protected segment, each in order of last use."""
    return list(cache._window.entries), list(cache._probation.entries), list(cache._protected.entries)


def full() -> TinyLFUCache[int, int]:
    """Make a full cache of eleven places: one in the window, eight of the rest protected."""
    cache: TinyLFUCache[int, int] = TinyLFUCache(11)
    cache.update((key, key) for key in range(11))
    return cache


def test_newcomers_pass_through_the_window() -> None:
    """While there is room, what leaves the window goes on to probation."""
    assert parts(full()) == ([10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [])


def test_a_second_use_protects() -> None:
    """An entry on probation that is used is protected; the oldest protected one makes room."""
    cache = full()
    for key in range(10):
        cache.get(key)
    assert parts(cache) == ([10], [0, 1], [2, 3, 4, 5, 6, 7, 8, 9])
    cache.get(2)
    assert parts(cache)[2] == [3, 4, 5, 6, 7, 8, 9, 2]


def test_a_newcomer_must_be_wanted_more() -> None:
    """Of the window's oldest and the main part's oldest, the one asked for less goes; a tie keeps the old."""
    cache = full()
    cache[11] = 11
    assert 10 not in cache
    for _ in range(3):
        cache.get(11)
    cache[12] = 12
    assert 0 not in cache
    assert parts(cache)[:2] == ([12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 11])


def test_a_key_is_remembered_after_it_went() -> None:
    """Being asked for again and again gets a key in, though it went each time."""
    cache = full()
    for _ in range(3):
        for key in (20, 21):
            cache[key] = key
    assert parts(cache)[2] == [20]


def test_parts_by_weight() -> None:
    """With weights, window and segments have shares of weight, also when a weight changes in place."""
    cache: TinyLFUCache[str, int] = TinyLFUCache(None, max_weight=100, weigher=lambda key, value: value)
    cache.update({"a": 6, "b": 6, "c": 50})
    assert parts(cache) == (["c"], ["a", "b"], [])
    cache["a"] = 8
    assert (cache._probation.weight, cache._protected.weight) == (6, 8)
    assert cache._window.limit == 10
    cache["d"] = 90
    assert "d" in cache
    assert cache.weight <= 100


def test_a_protected_entry_that_grows_makes_others_leave() -> None:
    """The protected segment keeps to its share when a value in it becomes heavier."""
    cache: TinyLFUCache[str, int] = TinyLFUCache(None, max_weight=100, weigher=lambda key, value: value)
    cache.update({"a": 20, "b": 20, "c": 1})
    cache.get("a")
    cache.get("b")
    cache["a"] = 60
    assert parts(cache) == (["c"], ["b"], ["a"])


@pytest.mark.parametrize("name", ["window", "protected"])
def test_shares_that_cannot_be(name: str) -> None:
    """A share outside 0 to 1 is refused by name."""
    options: dict[str, Any]
    for value in (-0.1, 1.1, float("nan")):
        options = {name: value}
        with pytest.raises(ValueError, match=name):
            TinyLFUCache(10, **options)
    options = {name: "half"}
    with pytest.raises(TypeError, match=name):
        TinyLFUCache(10, **options)
