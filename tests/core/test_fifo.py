"""First in, first out, step by step."""

from asynccache.core import FIFOCache


def test_the_oldest_goes_whatever_was_read() -> None:
    """Reads do not save an entry."""
    cache: FIFOCache[int, int] = FIFOCache(2)
    cache.update({1: 1, 2: 2})
    assert cache.get(1) == 1
    cache[3] = 3
    assert list(cache) == [2, 3]


def test_putting_over_a_key_makes_it_the_newest() -> None:
    """An entry put again has arrived again."""
    cache: FIFOCache[int, str] = FIFOCache(2)
    cache.update({1: "a", 2: "b"})
    cache[1] = "c"
    cache[3] = "d"
    assert dict(cache) == {1: "c", 3: "d"}


def test_a_deadline_outlives_a_new_value() -> None:
    """The new entry in a key's place keeps the deadline until its owner sets another."""
    cache: FIFOCache[int, int] = FIFOCache(2)
    cache[1] = 1
    cache.entries[1].deadline = 5.0
    cache[1] = 2
    assert cache.entries[1].deadline == 5.0


def test_order_after_evictions_from_the_middle() -> None:
    """Entries go in the order of their arrival, also among many that were taken out."""
    cache: FIFOCache[int, int] = FIFOCache(100)
    cache.update((key, key) for key in range(100))
    for key in range(100):
        if key % 10:
            del cache[key]
    assert [cache.popitem()[0] for _ in range(10)] == list(range(0, 100, 10))
