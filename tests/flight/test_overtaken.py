"""A load that something newer has overtaken: those who wait get what it brings, and nobody after them."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from asynccache import MISSING, CachedFunction
from tests.flight.gates import callers, gated, outcome, turns

OVERTAKE: Final[dict[str, Callable[[CachedFunction[[int], str]], object]]] = {
    "invalidated": lambda load: load.cache_invalidate(1),
    "cleared": lambda load: load.cache_clear(),
}


@pytest.fixture(params=OVERTAKE)
def overtake(request: pytest.FixtureRequest) -> Callable[[CachedFunction[[int], str]], object]:
    """A way to say that what is being loaded is out of date."""
    return OVERTAKE[request.param]


@pytest.mark.parametrize("old_fails", [False, True])
@pytest.mark.parametrize("old_ends_first", [False, True])
async def test_a_new_load_is_not_touched_by_the_old_one(
    overtake: Callable[[CachedFunction[[int], str]], object], old_fails: bool, old_ends_first: bool
) -> None:
    """Whichever ends first, and however the old one ends: everybody gets their own load's, the new value is stored."""
    gate, load = gated()
    (old,) = await callers(load, 1)
    overtake(load)
    (new,) = await callers(load, 1)
    assert len(gate.calls) == 2

    async def end_old() -> None:
        if old_fails:
            gate.fail(OSError("down"), 0)
        else:
            gate.give("old", 0)
        await turns()

    if old_ends_first:
        await end_old()
    joining = (await callers(load, 1))[0]
    gate.give("new", 1)
    assert [await outcome(new), await outcome(joining)] == ["new", "new"]
    if not old_ends_first:
        await end_old()
    assert load.cache_peek(1) == "new"
    assert str(await outcome(old)) == ("down" if old_fails else "old")
    assert await load(1) == "new"
    assert len(gate.calls) == 2


async def test_the_old_value_is_not_stored(overtake: Callable[[CachedFunction[[int], str]], object]) -> None:
    """Nobody asked again in between: the next call loads anew."""
    gate, load = gated()
    (old,) = await callers(load, 1)
    overtake(load)
    gate.give("old")
    assert await old == "old"
    assert load.cache_peek(1) is MISSING
    assert load.cache_info().currsize == 0
    (new,) = await callers(load, 1)
    gate.give("new")
    assert await new == "new"


async def test_an_overtaken_load_goes_on_while_somebody_waits(
    overtake: Callable[[CachedFunction[[int], str]], object],
) -> None:
    """It is cancelled when its own callers have left, and no newcomer counts for one."""
    gate, load = gated()
    old = await callers(load, 2)
    overtake(load)
    new = await callers(load, 1)
    old[0].cancel()
    await turns()
    assert gate.cancelled == 0
    old[1].cancel()
    await turns()
    assert gate.cancelled == 1
    gate.give("new")
    assert await new[0] == "new"


async def test_several_generations_at_once() -> None:
    """Every invalidation begins a new one; only the last is stored, whatever the order in which they end."""
    gate, load = gated()
    tasks = []
    for _ in range(4):
        tasks += await callers(load, 1)
        load.cache_invalidate(1)
    tasks += await callers(load, 1)
    for number in (2, 4, 0, 3, 1):
        gate.give(f"value {number}", number)
        await turns()
    assert [await outcome(task) for task in tasks] == [f"value {number}" for number in range(5)]
    assert load.cache_peek(1) == "value 4"


async def test_a_put_value_holds_against_the_load_in_the_air() -> None:
    """Who waited gets the load's value, everybody else what was put, before the load's end and after."""
    gate, load = gated()
    (old,) = await callers(load, 1)
    load.cache_put("put", 1)
    assert await load(1) == "put"
    gate.give("loaded")
    assert await old == "loaded"
    assert await load(1) == "put"
    assert len(gate.calls) == 1


async def test_a_refresh_in_the_air_is_overtaken_too(
    overtake: Callable[[CachedFunction[[int], str]], object],
) -> None:
    """What it brings goes to who asked for it, and is not stored."""
    gate, load = gated()
    load.cache_put("old", 1)
    refresh = asyncio.create_task(load.cache_refresh(1))
    await turns()
    overtake(load)
    gate.give("out of date")
    assert await refresh == "out of date"
    assert load.cache_peek(1) is MISSING


async def test_readers_have_the_old_value_until_the_refresh_is_there() -> None:
    """A refresh takes nothing away, is shared by all who ask for one, and replaces the value at once when it ends."""
    gate, load = gated()
    load.cache_put("old", 1)
    refreshes = [asyncio.create_task(load.cache_refresh(1)) for _ in range(3)]
    await turns()
    assert await load(1) == "old"
    gate.give("new")
    assert await asyncio.gather(*refreshes) == ["new"] * 3
    assert await load(1) == "new"
    assert len(gate.calls) == 1


async def test_a_put_overtakes_a_refresh() -> None:
    """The value that was put last stays."""
    gate, load = gated()
    load.cache_put("old", 1)
    refresh = asyncio.create_task(load.cache_refresh(1))
    await turns()
    load.cache_put("put", 1)
    gate.give("loaded")
    assert await refresh == "loaded"
    assert load.cache_peek(1) == "put"


async def test_an_abandoned_refresh_keeps_what_is_there() -> None:
    """Who asked for it leaves, it is cancelled, and the old value is served on."""
    gate, load = gated()
    load.cache_put("old", 1)
    refresh = asyncio.create_task(load.cache_refresh(1))
    await turns()
    refresh.cancel()
    assert await outcome(refresh) is asyncio.CancelledError
    await turns()
    assert gate.cancelled == 1
    assert await load(1) == "old"


async def test_other_keys_are_not_overtaken() -> None:
    """An invalidation is about one key."""
    gate, load = gated()
    (other,) = await callers(load, 1, key=2)
    assert not load.cache_invalidate(1)
    gate.give("value")
    assert await other == "value"
    assert load.cache_peek(2) == "value"


async def test_whether_there_was_anything_to_invalidate() -> None:
    """A value counts, and so does a load in the air; what has been invalidated already does not."""
    gate, load = gated()
    (task,) = await callers(load, 1)
    assert [load.cache_invalidate(1), load.cache_invalidate(1)] == [True, False]
    gate.give("value")
    await task
    assert not load.cache_invalidate(1)
    load.cache_put("value", 1)
    assert [load.cache_invalidate(1), load.cache_invalidate(1)] == [True, False]
