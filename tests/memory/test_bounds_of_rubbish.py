"""What is kept about entries that have gone is bounded too."""

from typing import Any

from asynccache import async_cached
from asynccache.testing import ManualClock


def tier_of(function: Any) -> Any:
    """Look behind the controls: what is counted here is nobody's business but ours."""
    return function.cache_stats.__self__._tier


def test_puts_outside_of_a_loop_clear_away_after_themselves() -> None:
    """Where no sweeper runs, a hundred times as many puts as places leave no heap of keys behind."""

    @async_cached(maxsize=10, ttl=3600)
    async def load(key: int) -> int:
        return key

    for key in range(10_000):
        load.cache_put(key, key)
    assert load.cache_info().currsize == 10
    assert tier_of(load).store._due._wheel.size < 500


def test_puts_outside_of_a_loop_sweep_what_has_expired() -> None:
    """Nor do expired values stay in memory until a loop runs, as long as others are put."""
    clock = ManualClock()

    @async_cached(maxsize=None, ttl=10, clock=clock)
    async def load(key: int) -> int:
        return key

    for key in range(100):
        load.cache_put(key, key)
    clock.advance(60)
    for key in range(100, 200):
        load.cache_put(key, key)
    assert load.cache_info().currsize == 100


def test_a_peak_is_forgotten_with_what_was_stored() -> None:
    """After `cache_clear` rubbish is worth no more than it was at the beginning."""

    @async_cached(maxsize=None, ttl=3600)
    async def load(key: int) -> int:
        return key

    for key in range(5_000):
        load.cache_put(key, key)
    load.cache_clear()
    for key in range(5_000):
        load.cache_put(0, key)
        load.cache_invalidate(key)
    assert tier_of(load).store._due._wheel.size < 500


def test_no_weight_at_all_stores_nothing() -> None:
    """With `max_weight=0` not even what weighs nothing is stored: calls would never look for it."""

    @async_cached(max_weight=0, weigher=lambda key, value: 0)
    async def load(key: int) -> int:
        return key

    load.cache_put(1, 1)
    assert not load.cache_contains(1)
