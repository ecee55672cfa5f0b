"""Options of calls are read once, and mean the same every time."""

from typing import Any

import pytest

from asynccache import Cache
from asynccache.testing import ManualClock


@pytest.mark.one_loop
async def test_the_same_options_mean_the_same_every_time() -> None:
    """Each call's ttl and tags are its own, however often and in whatever turn they come."""
    clock = ManualClock()
    cache = Cache(ttl=100, clock=clock)
    for key in range(300):
        await cache.set(key, key, ttl=1 + key % 7, tags=(f"group {key % 3}",))
    await cache.invalidate_tags("group 1")
    assert cache.keys() == [key for key in range(300) if key % 3 != 1]
    clock.advance(4)
    assert cache.keys() == [key for key in range(300) if key % 3 != 1 and 1 + key % 7 > 4]


@pytest.mark.one_loop
async def test_what_is_new_with_every_call_is_not_kept() -> None:
    """A thousand different ttls leave no more behind than a few."""
    clock = ManualClock()
    cache = Cache(maxsize=10, clock=clock)
    for number in range(1, 1_000):
        await cache.set("key", number, ttl=number)
    assert len(cache._plans._known) <= 128
    clock.advance(998.5)
    assert await cache.get("key") == 999
    clock.advance(0.5)
    assert await cache.get("key") is None


@pytest.mark.one_loop
async def test_what_is_equal_but_of_another_type_is_looked_at_again() -> None:
    """A ttl of 1 that was good does not make True good."""
    cache = Cache()
    await cache.set("key", 1, ttl=1)
    with pytest.raises(ValueError, match="ttl must be a number of seconds"):
        await cache.set("key", 1, ttl=True)


@pytest.mark.one_loop
async def test_options_that_have_no_hash() -> None:
    """They are read at every call: they may have changed."""
    cache = Cache()
    errors: dict[type[Exception], float] = {}

    async def load() -> int:
        raise KeyError

    for seconds in (None, 60.0):
        errors.update({} if seconds is None else {KeyError: seconds})
        with pytest.raises(KeyError):
            await cache.get_or_load("key", load, errors=errors)
    assert cache.stats().loads == 0
    assert cache.stats().misses == 2
    with pytest.raises(KeyError):
        await cache.get_or_load("key", load, errors=errors)
    assert cache.stats().misses == 2


@pytest.mark.one_loop
@pytest.mark.parametrize("option", ["timeout", "soft_timeout", "errors", "on_abandon", "context"])
async def test_what_only_loads_have_is_refused_where_nothing_is_loaded(option: str) -> None:
    """A value that is set is there already."""
    cache = Cache(ttl=10)
    options: dict[str, Any] = {option: 1}
    with pytest.raises(TypeError, match=f"{option} is about loading"):
        await cache.set("key", 1, **options)
    with pytest.raises(TypeError, match=f"{option} is about loading"):
        await cache.set_many({"key": 1}, **options)
    assert cache.keys() == []
