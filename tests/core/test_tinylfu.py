"""W-TinyLFU, step by step."""

from typing import Any

import pytest

from asynccache.core import TinyLFUCache
from asynccache.core.sketch import CountingFilter


def parts(cache: TinyLFUCache[Any, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """List the keys in window, probation and protected segment, each in order of last use."""
    return list(cache._window.entries), list(cache._probation.entries), list(cache._protected.entries)


def full(**options: Any) -> TinyLFUCache[int, int]:
    """Make a full cache of eleven places: one in the window, eight of the rest protected."""
    cache: TinyLFUCache[int, int] = TinyLFUCache(11, **options)
    cache.update((key, key) for key in range(11))
    return cache


def used(**options: Any) -> TinyLFUCache[int, int]:
    """Make a full cache that has evicted: 0 and 1 are on probation, 11 is in the window, 10 is gone."""
    cache = full(**options)
    cache[11] = 11
    return cache


def test_a_cache_that_fills_is_a_list_cut_in_two_places() -> None:
    """Until something must go, window, protected segment and probation follow each other in order of last use."""
    cache = full()
    assert parts(cache) == ([10], [0, 1], [2, 3, 4, 5, 6, 7, 8, 9])
    cache.get(0)
    assert parts(cache) == ([0], [1, 2], [3, 4, 5, 6, 7, 8, 9, 10])
    cache.get(5)
    assert parts(cache) == ([5], [1, 2], [3, 4, 6, 7, 8, 9, 10, 0])


def test_a_cache_that_fills_gives_up_the_oldest() -> None:
    """`popitem` takes what was used longest ago, whatever part it is in, as long as nothing had to go."""
    cache = full()
    del cache[4]
    cache.get(0)
    assert [cache.popitem()[0] for _ in range(10)] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 0]


def test_after_clear_a_cache_fills_anew() -> None:
    """A cache that was cleared starts as a new one does."""
    cache = used()
    cache.clear()
    cache.update((key, key) for key in range(11))
    cache.get(0)
    assert parts(cache) == ([0], [1, 2], [3, 4, 5, 6, 7, 8, 9, 10])


def test_a_second_use_protects() -> None:
    """An entry on probation that is used is protected; the oldest protected one makes room."""
    cache = used()
    assert parts(cache) == ([11], [0, 1], [2, 3, 4, 5, 6, 7, 8, 9])
    cache.get(0)
    assert parts(cache) == ([11], [1, 2], [3, 4, 5, 6, 7, 8, 9, 0])
    cache.get(3)
    assert parts(cache) == ([11], [1, 2], [4, 5, 6, 7, 8, 9, 0, 3])


def test_room_in_the_main_part_is_used_up() -> None:
    """After a removal the window's oldest goes on: to probation if that has room, or else to be protected."""
    cache = used()
    del cache[0]
    cache[12] = 12
    cache[13] = 13
    assert parts(cache) == ([13], [1, 11], [2, 3, 4, 5, 6, 7, 8, 9])
    del cache[9]
    cache[14] = 14
    assert parts(cache) == ([13, 14], [1, 11], [2, 3, 4, 5, 6, 7, 8])
    cache[15] = 15
    assert parts(cache) == ([15], [1, 11], [2, 3, 4, 5, 6, 7, 8, 13])


def test_much_room_is_used_up_step_by_step() -> None:
    """After many evictions each put moves one entry on, so that none of them has all to move."""
    cache = used()
    for key in range(8):
        del cache[key]
    for key in range(20, 28):
        cache[key] = key
        assert len(parts(cache)[0]) <= 2


def test_a_newcomer_must_be_wanted_more() -> None:
    """Of the window's oldest and the main part's oldest, the one asked for less goes; a tie keeps the old."""
    cache = used()
    assert 10 not in cache
    for _ in range(2):
        del cache[11]
        cache[11] = 11
    cache[12] = 12
    assert 0 not in cache
    assert parts(cache)[:2] == ([12], [1, 11])


def test_hits_in_the_window_are_not_counted() -> None:
    """A burst of uses of a newcomer does not get it in."""
    cache = used()
    for _ in range(9):
        cache.get(11)
    cache[12] = 12
    assert 11 not in cache
    assert 0 in cache


def test_a_key_is_remembered_after_it_went() -> None:
    """Being put again and again gets a key in, though it went each time."""
    cache = used()
    for _ in range(3):
        for key in (20, 21):
            cache[key] = key
    assert parts(cache)[2][-1] == 20


def test_old_fame_fades() -> None:
    """After `sample` hits for each entry outside of the window, all counts are halved."""
    cache = used(sample=2)
    before = cache._sketch.estimate(hash(1))
    assert before == 2
    for _ in range(19):
        cache.get(9)
    assert cache._sketch.estimate(hash(1)) == before
    cache.get(9)
    assert cache._sketch.estimate(hash(1)) == before // 2
    for _ in range(19):
        cache.get(11)
        cache.get(9)
    assert cache._sketch.estimate(hash(1)) == 1
    cache.get(9)
    assert cache._sketch.estimate(hash(1)) == 0


def lapsing() -> TinyLFUCache[int, int]:
    """Make a full cache of one place in the window, eleven protected ones, and three others instead of two."""
    cache: TinyLFUCache[int, int] = TinyLFUCache(15, lapse=True)
    cache.update((key, key) for key in range(16))
    assert parts(cache) == ([15], [0, 1, 13], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    cache.get(1)
    assert parts(cache) == ([15], [0, 13, 2], [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1])
    return cache


def test_what_lapsed_goes_without_comparison() -> None:
    """With `lapse`, a hit on probation makes the oldest there go next, and the window has a place more until then."""
    cache = lapsing()
    cache[16] = 16
    assert parts(cache)[:2] == ([15, 16], [13, 2])
    cache[17] = 17
    assert parts(cache)[:2] == ([17], [13, 2, 15])


def test_what_lapsed_can_start_anew() -> None:
    """What is to go next and is asked for before is a newcomer again, and one that was asked for often."""
    cache = lapsing()
    assert cache.get(0) == 0
    assert parts(cache)[:2] == ([15, 0], [13, 2])
    cache[16] = 16
    assert parts(cache)[:2] == ([16], [2, 15, 0])
    assert cache._sketch.estimate(hash(0)) == 4


def test_what_lapsed_can_be_removed() -> None:
    """When what is to go next is removed, nothing else goes in its stead."""
    cache = lapsing()
    del cache[0]
    cache[16] = 16
    cache[17] = 17
    assert 13 in cache
    assert len(cache) == 15


def test_the_protected_segment_keeps_to_its_share_when_the_cache_is_full() -> None:
    """The place left over by rounding goes to the newest protected entry only if that makes no other too much."""
    cache: TinyLFUCache[str, int] = TinyLFUCache(None, max_weight=100, weigher=lambda key, value: value, lapse=True)
    cache.update({"old": 10, "middle": 15, "heavy": 58, "newest": 1, "window": 10})
    assert parts(cache) == (["window"], ["old", "middle"], ["heavy", "newest"])
    cache["more"] = 10
    assert parts(cache)[1:] == (["old", "newest", "middle"], ["heavy"])


def test_nothing_lapses_where_the_segments_fill_the_main_part() -> None:
    """Without a place left over by rounding, `lapse` changes nothing."""
    one, other = used(lapse=True), used()
    for key in (0, 1, 12, 2, 13, 3, 14):
        for cache in (one, other):
            if cache.get(key) is None:
                cache[key] = key
    assert parts(one) == parts(other)


def test_parts_by_weight() -> None:
    """With weights, window and segments have shares of weight, also when a weight changes in place."""
    cache: TinyLFUCache[str, int] = TinyLFUCache(None, max_weight=100, weigher=lambda key, value: value)
    cache.update({"a": 6, "b": 6, "c": 50})
    assert parts(cache) == (["c"], [], ["a", "b"])
    cache["a"] = 8
    assert parts(cache) == (["a"], [], ["b", "c"])
    assert (cache._window.weight, cache._protected.weight) == (8, 56)
    assert cache._window.limit == 10
    cache["d"] = 90
    assert "d" in cache
    assert cache.weight <= 100


def test_a_protected_entry_that_grows_makes_others_leave() -> None:
    """The protected segment keeps to its share when a value in it becomes heavier."""
    cache: TinyLFUCache[str, int] = TinyLFUCache(None, max_weight=100, weigher=lambda key, value: value)
    cache.update({"old": 10, "a": 30, "b": 30, "c": 10, "d": 20})
    cache["e"] = 10
    assert parts(cache) == (["e"], ["old"], ["a", "b", "c"])
    cache["c"] = 15
    assert parts(cache) == (["e"], ["old", "a"], ["b", "c"])


def test_a_table_of_ones_own() -> None:
    """The counts are kept in the table that is given, and forgotten by `clear`."""
    table = CountingFilter(10)
    cache = full(sketch=table)
    assert table.estimate(hash(0)) == 2
    cache.clear()
    assert table.estimate(hash(0)) == 0


@pytest.mark.parametrize("sample", [0, -1, float("nan"), float("inf")])
def test_samples_that_cannot_be(sample: float) -> None:
    """A sample that is no positive number is refused by name."""
    with pytest.raises(ValueError, match="sample"):
        TinyLFUCache(10, sample=sample)


def test_a_sample_must_be_a_number() -> None:
    """A sample of another type is refused by name."""
    options: dict[str, Any] = {"sample": "often"}
    with pytest.raises(TypeError, match="sample"):
        TinyLFUCache(10, **options)


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
