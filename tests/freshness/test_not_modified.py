"""`current_load().not_modified()`: an old value is kept for a new term, as after HTTP's status 304."""

import asyncio

import pytest

from asynccache import MISSING, async_cached
from asynccache.flight.loading import current_load
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, together, turns


async def test_not_modified() -> None:
    """The old value is kept, the very same object, for a new term, and goes to whoever waits."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale_if_error=50, clock=clock)
    async def load(key: int) -> list[int]:
        nonlocal calls
        calls += 1
        return [1] if calls == 1 else current_load().not_modified()

    first = await load(1)
    clock.advance(15)
    assert await load(1) is first
    clock.advance(9)
    assert (await load(1) is first, calls) == (True, 2)
    clock.advance(1)
    assert (await load(1) is first, calls) == (True, 3)


async def test_not_modified_may_come_with_a_term_of_its_own() -> None:
    """A `ttl` that the load says holds for the value that is kept."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=50, clock=clock)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        current = current_load()
        if current.stale is MISSING:
            return "whole"
        current.ttl = 3
        return str(current.not_modified())

    await load(1)
    clock.advance(10)
    await load(1)
    await turns()
    clock.advance(2)
    assert (await load(1), calls) == ("whole", 2)
    clock.advance(1)
    assert (await load(1), load.cache_stats().stale) == ("whole", 2)
    await turns()
    assert calls == 3


@pytest.mark.parametrize("how", ["first", "invalidated", "error"])
async def test_where_there_is_nothing_to_keep(how: str) -> None:
    """`not_modified()` is a `LookupError` if there is no value: at first, after an invalidation, after an error."""
    broken = how == "error"

    @async_cached(ttl=10, errors={KeyError: 5})
    async def load(key: int) -> object:
        if broken:
            raise KeyError
        return current_load().not_modified()

    if how == "invalidated":
        load.cache_put("value", 1)
        load.cache_invalidate(1)
    if broken:
        with pytest.raises(KeyError):
            await load(1)
        broken = False
        asking = load.cache_refresh(1)
    else:
        asking = load(1)
    with pytest.raises(LookupError, match="has no old value that could be kept: load it whole"):
        await asking


async def test_an_invalidation_before_not_modified() -> None:
    """A value that is invalidated while the load asks whether it is modified is not kept."""
    gate: Gate[str] = Gate()

    @async_cached(ttl=10)
    async def load(key: int) -> object:
        current = current_load()
        await gate.load(key)
        return current.not_modified()

    load.cache_put("value", 1)
    asking = asyncio.create_task(load.cache_refresh(1))
    await turns()
    load.cache_invalidate(1)
    gate.give("")
    assert await together(asking) == ["value"]
    assert load.cache_peek(1) is MISSING


async def test_what_is_kept_has_not_left() -> None:
    """Listeners hear nothing of a value that is kept for a new term, and it keeps the tags that its load has said."""
    clock = ManualClock()
    heard: list[object] = []

    @async_cached(ttl=10, stale=50, tags=(), clock=clock, on_evict=lambda *notice: heard.append(notice))
    async def load(key: int) -> object:
        current = current_load()
        if current.stale is not MISSING:
            return current.not_modified()
        current.tags = ("special",)
        return ["value"]

    first = await load(1)
    clock.advance(10)
    await load(1)
    await turns()
    assert load.cache_stats().refreshes == 1
    assert load.cache_peek(1) is first
    assert heard == []
    load.cache_invalidate_tags("special")
    assert load.cache_peek(1) is MISSING
