"""The controls of batched functions take one key, and closing ends the calls for many."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from asynccache import MISSING, CacheClosed, LoadCancelled, async_cached
from asynccache.testing import ManualClock
from tests.decorator.batches import batched, gated_batches
from tests.flight.gates import callers, outcome, together, turns


async def test_controls_take_a_key() -> None:
    """They are those of any cached function, and a refresh is asked for together with other keys."""
    asked, load = batched()
    load.cache_put("put", 1)
    assert (await load(1), load.cache_peek(1), load.cache_peek(2)) == ("put", "put", MISSING)
    assert load.cache_key(1) == load.cache_key(True)
    assert await together(load.cache_refresh(1), load(2)) == ["value 1", "value 2"]
    assert asked == [[1, 2]]
    assert (load.cache_invalidate(1), load.cache_invalidate(1)) == (True, False)
    assert (load.cache_contains(1), load.cache_contains(2)) == (False, True)
    load.cache_clear()
    assert load.cache_info() == (0, 0, 1024, 0)


async def test_what_is_said_of_a_key_while_it_is_loaded() -> None:
    """A value that is put, or an invalidation, holds against a call under way; other keys of it are stored."""
    gate, load = gated_batches()
    tasks = [asyncio.create_task(load(key)) for key in (1, 2, 3)]
    await turns()
    load.cache_put("put", 1)
    assert load.cache_invalidate(2)
    gate.give({1: "a", 2: "b", 3: "c"})
    assert await together(*tasks) == ["a", "b", "c"]
    assert [load.cache_peek(key) for key in (1, 2, 3)] == ["put", MISSING, "c"]


async def test_invalidated_before_the_call() -> None:
    """A key that is asked for again after that, while the batch is open, is still asked for once."""
    clock = ManualClock()
    asked, load = batched(max_wait=1, clock=clock)
    tasks = await callers(load, 1, 1)
    load.cache_invalidate(1)
    tasks += await callers(load, 1, 1)
    clock.advance(1)
    assert await together(*tasks) == ["value 1", "value 1"]
    assert asked == [[1]]
    assert load.cache_contains(1)


async def test_closing_cancels_calls() -> None:
    """Those who wait are told; later calls are refused."""
    gate, load = gated_batches()
    tasks = [asyncio.create_task(load(key)) for key in (1, 2)]
    await turns()
    await load.cache_close()
    assert gate.cancelled == 1
    assert [type(await outcome(task)) for task in tasks] == [LoadCancelled, LoadCancelled]
    with pytest.raises(CacheClosed):
        await load(3)


@pytest.mark.parametrize("has_begun", [True, False])
async def test_closing_may_wait_for_calls(has_begun: bool) -> None:
    """With `wait` a call is seen to its end, also one that has not begun."""
    clock = ManualClock()
    gate, load = gated_batches(max_wait=1, clock=clock)
    (task,) = await callers(load, 1, 1)
    if has_begun:
        clock.advance(1)
        await turns()
    closing = asyncio.create_task(load.cache_close(wait=True))
    await turns()
    clock.advance(1)
    await turns()
    assert not closing.done()
    gate.give({1: "a"})
    await closing
    assert await task == "a"


async def test_lifespan_ends_calls() -> None:
    """On leaving, nothing runs behind any more; the function can be called on."""
    clock = ManualClock()
    asked, load = batched(max_wait=1, clock=clock)
    async with load.cache_lifespan():
        (task,) = await callers(load, 1, 1)
    assert isinstance(await outcome(task), LoadCancelled)
    (task,) = await callers(load, 1, 2)
    clock.advance(1)
    assert await task == "value 2"
    assert asked == [[2]]


async def test_nothing_keeps_it() -> None:
    """A function that nobody has any more goes, with its values, and so does what it was called in."""

    class Value:
        """Something that can be referred to weakly."""

    def use() -> Any:
        @async_cached.batched()
        async def load(keys: list[int]) -> list[Value]:
            return [Value() for _ in keys]

        return load

    load = use()
    (value,) = await together(load(1))
    gone = [weakref.ref(load), weakref.ref(value)]
    del load, value
    await turns()  # the loop itself holds the outcome until its next turn
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
