"""Those who ask for one key of many, and leave: nobody else notices, and nothing is done in vain."""

import asyncio
from typing import Any

import pytest

from asynccache import LoadCancelled, LoadTimeout, async_cached
from asynccache.testing import ManualClock
from tests.decorator.batches import batched, ended, gated_batches, giving
from tests.flight.gates import callers, outcome, together, turns


async def test_one_who_leaves_disturbs_nobody() -> None:
    """A cancelled caller is cancelled; the call goes on for the others. Who wants the key then has it loaded anew."""
    gate, load = gated_batches()
    one, other = [asyncio.create_task(load(key)) for key in (1, 2)]
    await turns()
    one.cancel()
    await turns()
    gate.give({1: "a", 2: "b"})
    assert [await outcome(one), await outcome(other)] == [asyncio.CancelledError, "b"]
    assert (gate.calls, gate.cancelled) == ([(1, 2)], 0)
    assert (load.cache_contains(1), load.cache_contains(2)) == (False, True)


async def test_all_leave() -> None:
    """A call that nobody waits for any more is cancelled, and the next one begins anew."""
    gate, load = gated_batches()
    tasks = [asyncio.create_task(load(key)) for key in (1, 2, 2)]
    await turns()
    for task in tasks:
        assert gate.cancelled == 0
        task.cancel()
        await turns()
    assert gate.cancelled == 1
    (again,) = await callers(load, 1, 1)
    gate.give({1: "a"})
    assert await again == "a"


async def test_a_key_that_nobody_wants_any_more() -> None:
    """It is not asked for if all who wanted it have left before the call; one who stays is enough."""
    clock = ManualClock()
    asked, load = batched(max_wait=1, clock=clock)
    leaving, first, second, staying = [asyncio.create_task(load(key)) for key in (1, 2, 2, 3)]
    await turns()
    leaving.cancel()
    first.cancel()
    await turns()
    clock.advance(1)
    assert await together(second, staying) == ["value 2", "value 3"]
    assert asked == [[2, 3]]


async def test_all_leave_before_the_call() -> None:
    """Then there is none; and one who comes after them, while the batch is open, is served."""
    clock = ManualClock()
    asked, load = batched(max_wait=1, clock=clock)
    for key in (1, 2):
        (task,) = await callers(load, 1, key)
        task.cancel()
        await turns()
    clock.advance(1)
    await turns()
    assert asked == []
    (task,) = await callers(load, 1, 1)
    task.cancel()
    (late,) = await callers(load, 1, 3)
    clock.advance(1)
    assert await late == "value 3"
    assert asked == [[3]]


async def test_room_of_one_who_left_is_given_to_others() -> None:
    """A key that is not wanted any more does not fill the batch."""
    clock = ManualClock()
    asked, load = batched(max_size=2, max_wait=1, clock=clock)
    (leaving,) = await callers(load, 1, 1)
    leaving.cancel()
    await turns()
    tasks = await callers(load, 1, 2)
    assert asked == []
    tasks += await callers(load, 1, 3)
    await together(*tasks)
    assert asked == [[2, 3]]


@pytest.mark.parametrize(("on_abandon", "is_stored"), [("finish", True), (5, True), ("cancel", False)])
async def test_what_becomes_of_a_call_that_nobody_waits_for(on_abandon: Any, is_stored: bool) -> None:
    """`on_abandon` decides, as for any load."""
    gate, load = gated_batches(on_abandon=on_abandon, clock=ManualClock())
    (task,) = await callers(load, 1, 1)
    task.cancel()
    await turns()
    assert gate.cancelled == (not is_stored)
    if is_stored:
        gate.give({1: "a"})
        await turns()
    assert load.cache_contains(1) == is_stored


async def test_a_call_that_cancels_itself() -> None:
    """Nobody who asked was cancelled, so nobody sees `CancelledError`."""
    errors = await ended(*map(giving(asyncio.CancelledError()), [1, 2]))
    assert [type(error) for error in errors] == [LoadCancelled, LoadCancelled]


async def test_a_call_that_takes_too_long() -> None:
    """All who asked get `LoadTimeout`, and it is cancelled; each has his own time, from when he asked."""
    clock = ManualClock()
    gate, load = gated_batches(timeout=2, max_wait=1, clock=clock)
    (early,) = await callers(load, 1, 1)
    clock.advance(0.5)
    (late,) = await callers(load, 1, 2)
    clock.advance(1.5)
    assert isinstance(await outcome(early), LoadTimeout)
    await turns()
    assert (gate.calls, gate.cancelled) == ([(1, 2)], 0)
    clock.advance(0.5)
    assert isinstance(await outcome(late), LoadTimeout)
    await turns()
    assert gate.cancelled == 1


@pytest.mark.parametrize("turn", range(10))
@pytest.mark.parametrize("leaving", [(0,), (0, 2), (0, 1, 2)])
async def test_leaving_at_any_moment(turn: int, leaving: tuple[int, ...]) -> None:
    """Whoever is cancelled, in whatever turn of the loop, is, and the others are served; the next call is as ever."""
    asked: list[list[int]] = []

    @async_cached.batched()
    async def load(keys: list[int]) -> list[int]:
        asked.append(keys)
        await turns(3)
        return keys

    tasks = [asyncio.create_task(load(key)) for key in range(3)]
    await turns(turn)
    for number in leaving:
        tasks[number].cancel()
    outcomes = [await outcome(task) for task in tasks]
    for key, found in enumerate(outcomes):
        assert found == key or (key in leaving and found is asyncio.CancelledError)
    assert len(asked) <= 1
    assert await together(*map(load, range(3))) == [0, 1, 2]
    assert len(asked) <= 2
    assert load.cache_stats().in_flight == 0
