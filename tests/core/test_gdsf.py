"""Greedy dual size frequency, step by step."""

from typing import Any

import pytest

from asynccache.core import GDSFCache
from asynccache.core.gdsf import round_down


def by_value(_key: Any, value: float) -> float:
    """Weigh, or price, an entry by its value."""
    return value


def test_the_heavy_goes_before_the_light() -> None:
    """Of entries used equally often, the one that takes most room goes first."""
    cache: GDSFCache[str, float] = GDSFCache(None, max_weight=100, weigher=by_value)
    cache.update({"light": 10, "heavy": 60, "middle": 25})
    assert [cache.popitem()[0] for _ in range(3)] == ["heavy", "middle", "light"]


def test_the_cheap_goes_before_the_dear() -> None:
    """Of entries used equally often, the one that is cheapest to compute again goes first."""
    cache: GDSFCache[str, float] = GDSFCache(3, cost=by_value)
    cache.update({"dear": 100, "cheap": 1, "fair": 10})
    assert [cache.popitem()[0] for _ in range(3)] == ["cheap", "fair", "dear"]


def test_uses_count() -> None:
    """Three uses of an entry weigh up twice its weight."""
    cache: GDSFCache[str, float] = GDSFCache(None, max_weight=100, weigher=by_value)
    cache.update({"used": 20, "light": 10})
    cache.get("used")
    cache.get("used")
    assert cache.popitem()[0] == "light"


def test_old_fame_fades() -> None:
    """What was popular once goes after as many evictions as it takes the clock to catch up."""
    cache: GDSFCache[int, int] = GDSFCache(2)
    cache[0] = 0
    for _ in range(3):
        cache.get(0)
    for key in range(1, 10):
        cache[key] = key
    assert 0 not in cache


def test_without_weights_and_costs_the_oldest_goes() -> None:
    """Among entries that are alike in everything, the last use decides."""
    cache: GDSFCache[int, int] = GDSFCache(3)
    cache.update({1: 1, 2: 2, 3: 3})
    for key in (3, 1, 2):
        cache.get(key)
    assert [cache.popitem()[0] for _ in range(3)] == [3, 1, 2]


def test_a_cost_that_fails_changes_nothing() -> None:
    """What `cost` raises, or a cost that makes no sense, leaves the cache as it was."""
    cache: GDSFCache[str, float] = GDSFCache(2, cost=lambda key, value: 1 / value)
    cache["a"] = 1
    with pytest.raises(ZeroDivisionError):
        cache.put("b", 0)
    for bad in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="cost must give a finite number above 0"):
            cache.put("a", bad)
    assert dict(cache) == {"a": 1}
    cache.update({"b": 1, "c": 1})
    assert len(cache) == 2


def test_a_cost_that_is_no_function() -> None:
    """A `cost` that cannot be called is refused."""
    with pytest.raises(TypeError, match="cost must be a function"):
        GDSFCache(2, cost=5)  # type: ignore[arg-type]  # the mistake that is tried


def test_rounding_keeps_five_bits() -> None:
    """A rounded ratio is never higher, and less than a sixteenth lower; many ratios share few values."""
    ratios = [number / 1_000 for number in range(1, 20_000)]
    for ratio in ratios:
        assert ratio * 15 / 16 < round_down(ratio) <= ratio
    assert len({round_down(ratio) for ratio in ratios}) < 16 * 16


def test_few_queues_hold_many_entries() -> None:
    """There is a queue for each rounded ratio and no other, and one place in the heap for each queue."""
    cache: GDSFCache[int, float] = GDSFCache(500, max_weight=1e9, weigher=by_value)
    for step in range(5_000):
        cache[step * step % 1_009] = step % 300 + 1
        cache.get(step % 101)
    assert len(cache._queues) == len(cache._heap) < 200
    assert sum(map(len, cache._queues.values())) == len(cache)
