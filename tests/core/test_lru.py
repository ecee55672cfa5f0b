"""Least recently used, step by step."""

import pytest

from asynccache.core import LRUCache


def test_the_textbook() -> None:
    """With two places: what was used longest ago goes, and a miss is a miss."""
    cache: LRUCache[int, int] = LRUCache(maxsize=2)
    cache.put(1, 1)
    cache.put(2, 2)
    assert cache.get(1) == 1
    assert cache.get(2) == 2
    cache.put(3, 3)
    assert cache.get(1) is None
    cache.put(4, 4)
    assert cache.get(2) is None
    assert sorted(cache) == [3, 4]


def test_a_write_is_a_use() -> None:
    """Putting over a key makes it the last used."""
    cache: LRUCache[int, str] = LRUCache(2)
    cache.update({1: "a", 2: "b"})
    cache[1] = "c"
    cache[3] = "d"
    assert dict(cache) == {1: "c", 3: "d"}


def test_a_peek_is_no_use() -> None:
    """Peeking and asking with `in` save nothing."""
    cache: LRUCache[int, int] = LRUCache(2)
    cache.update({1: 1, 2: 2})
    assert cache.peek(1) == 1
    assert 1 in cache
    cache[3] = 3
    assert sorted(cache) == [2, 3]


def test_fibonacci_with_two_places() -> None:
    """Two places are enough to compute each Fibonacci number once, as each needs the two before."""
    cache: LRUCache[int, int] = LRUCache(2)
    computed: list[int] = []

    def fibonacci(number: int) -> int:
        known = cache.get(number)
        if known is not None:
            return known
        computed.append(number)
        value = number if number < 2 else fibonacci(number - 2) + fibonacci(number - 1)
        cache.put(number, value)
        return value

    assert fibonacci(20) == 6_765
    assert sorted(computed) == list(range(21))


def test_popitem_is_the_least_recently_used() -> None:
    """`popitem` goes by last use."""
    cache: LRUCache[int, int] = LRUCache(3)
    cache.update({1: 1, 2: 2, 3: 3})
    assert cache.get(1) == 1
    assert [cache.popitem()[0] for _ in range(3)] == [2, 3, 1]


def test_promote_tells_what_has_gone() -> None:
    """The C call that a hit is compiled to raises `KeyError` for a key that has just gone."""
    cache: LRUCache[int, int] = LRUCache(2)
    promote = cache.hit_names()["promote"]
    assert callable(promote)
    with pytest.raises(KeyError):
        promote(1)
