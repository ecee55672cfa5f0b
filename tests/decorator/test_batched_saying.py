"""`current_load()` in a call for many keys: what it says holds for all of them."""

import pytest

from asynccache import MISSING, async_cached, current_load
from asynccache.testing import ManualClock
from tests.decorator.batches import Counted


async def test_what_a_call_knows_of_itself() -> None:
    """Its key is the tuple of its keys; there is no old value of all of them, so none can be kept."""
    seen: list[object] = []
    cached = Counted(ttl=10, stale=10)

    def say() -> None:
        load = current_load()
        seen.extend([load.key, load.stale, load is current_load()])
        with pytest.raises(LookupError):
            load.not_modified()

    cached.say = say
    await cached.read(1, 2)
    await cached.load.cache_refresh(1)
    assert seen == [(1, 2), MISSING, True, (1,), MISSING, True]


async def test_what_it_says_of_their_time() -> None:
    """A `ttl` that a call sets is that of all its values."""
    cached = Counted(ttl=10)
    cached.say = lambda: setattr(current_load(), "ttl", 3)
    await cached.read(1, 2)
    cached.say = lambda: None
    await cached.read(3)
    cached.clock.advance(5)
    assert [cached.load.cache_contains(key) for key in (1, 2, 3)] == [False, False, True]


async def test_what_it_says_of_their_tags() -> None:
    """Tags that a call sets are those of all its values."""
    cached = Counted(tags=("given",))
    cached.say = lambda: setattr(current_load(), "tags", ["said"])
    await cached.read(1, 2)
    cached.load.cache_invalidate_tags("given")
    assert cached.load.cache_contains(1)
    cached.load.cache_invalidate_tags("said")
    assert not cached.load.cache_contains(1)
    assert not cached.load.cache_contains(2)


async def test_values_that_it_says_are_not_to_be_stored() -> None:
    """They go to those who wait, and no further."""
    cached = Counted()
    cached.say = lambda: setattr(current_load(), "store", False)
    assert await cached.read(1, 2) == ["1, version 1", "2, version 1"]
    assert cached.load.cache_info().currsize == 0


async def test_what_it_says_before_it_fails() -> None:
    """The tags of a call are also those of its error, where that is remembered."""
    cached = Counted(tags=(), errors={LookupError: 50})
    cached.say = lambda: setattr(current_load(), "tags", ["said"])
    cached.fails = LookupError("none of them")
    await cached.read(1, 2)
    await cached.read(1, 2)
    assert cached.asked == [[1, 2]]
    cached.load.cache_invalidate_tags("said")
    await cached.read(1, 2)
    assert cached.asked == [[1, 2], [1, 2]]


async def test_a_key_that_may_be_remembered_to_be_missing() -> None:
    """With `errors={KeyError: ...}` a key that is left out is not asked for again for a while."""
    clock = ManualClock()
    asked: list[list[int]] = []

    @async_cached.batched(errors={KeyError: 5}, clock=clock)
    async def load(keys: list[int]) -> dict[int, str]:
        asked.append(keys)
        return {}

    for _ in range(2):
        with pytest.raises(KeyError, match="1"):
            await load(1)
    clock.advance(5)
    with pytest.raises(KeyError):
        await load(1)
    assert asked == [[1], [1]]
