"""`@async_cached.batched`: many calls, each with one key, are answered by one call with many."""

import asyncio
import collections
import types
from datetime import timedelta
from typing import Any

import pytest

from asynccache import async_cached
from asynccache.testing import ManualClock
from tests.decorator.batches import batched, ended, gated_batches, giving
from tests.flight.gates import callers, outcome, together, turns

# --- what is asked for together -------------------------------------------------------------------------------------


async def test_calls_of_one_turn_are_one_call() -> None:
    """The function gets each key once, in the order in which they were asked for, and everybody his own value."""
    asked, load = batched()
    assert await together(*map(load, [3, 1, 3, 2])) == ["value 3", "value 1", "value 3", "value 2"]
    assert asked == [[3, 1, 2]]


async def test_calls_that_come_later_are_another_call() -> None:
    """Nobody waits longer than the rest of the turn, and what is under way takes no more keys."""
    gate, load = gated_batches()
    (early,) = await callers(load, 1, 1)
    (late,) = await callers(load, 1, 2)
    assert gate.calls == [(1,), (2,)]
    gate.give({1: "a"}, 0)
    gate.give({2: "b"}, 1)
    assert await together(early, late) == ["a", "b"]


async def test_the_loads_of_another_function_are_asked_for_together() -> None:
    """Values that are each made of one other value cost two calls, not one and another for each."""
    asked, load = batched()

    @async_cached
    async def page(key: int) -> str:
        return f"page of {await load(key)}"

    assert await together(*map(page, range(4))) == [f"page of value {key}" for key in range(4)]
    assert asked == [[0, 1, 2, 3]]


async def test_functions_have_batches_of_their_own() -> None:
    """Keys of one function are never given to another."""
    asked, load = batched()
    asked_of_other, other = batched()
    await together(load(1), other(2), load(3))
    assert (asked, asked_of_other) == ([[1, 3]], [[2]])


@pytest.mark.parametrize(
    ("max_size", "expected"), [(1, [[0], [1], [2], [3], [4]]), (2, [[0, 1], [2, 3], [4]]), (5, [[0, 1, 2, 3, 4]])]
)
async def test_as_many_keys_as_a_call_may_have(max_size: int, expected: list[list[int]]) -> None:
    """What is too much for one call is left to the next; a key that is asked for twice counts once."""
    asked, load = batched(max_size=max_size)
    assert await together(*(load(key) for key in range(5) for _ in range(2)))
    assert asked == expected


async def test_bounds_unless_said_otherwise() -> None:
    """A call has 100 keys at most; None is for no bound."""
    asked, load = batched()
    await together(*map(load, range(101)))
    assert [len(keys) for keys in asked] == [100, 1]
    asked, load = batched(max_size=None)
    await together(*map(load, range(101)))
    assert [len(keys) for keys in asked] == [101]


@pytest.mark.parametrize("max_wait", [2, 2.0, timedelta(seconds=2)])
async def test_waiting_for_more(max_wait: Any) -> None:
    """A batch is open for so many seconds after its first key, however many come meanwhile."""
    clock = ManualClock()
    asked, load = batched(max_wait=max_wait, clock=clock)
    tasks = await callers(load, 1, 1)
    clock.advance(1.5)
    tasks += await callers(load, 1, 2)
    assert asked == []
    clock.advance(0.5)
    assert await together(*tasks) == ["value 1", "value 2"]
    assert asked == [[1, 2]]


async def test_a_full_batch_waits_no_longer() -> None:
    """With as many keys as it may have it is asked for at once, and its time is nothing to the batch after it."""
    clock = ManualClock()
    asked, load = batched(max_size=2, max_wait=2, clock=clock)
    assert await together(load(1), load(2)) == ["value 1", "value 2"]
    clock.advance(1)
    (late,) = await callers(load, 1, 3)
    clock.advance(1)
    await turns()
    assert asked == [[1, 2]]
    clock.advance(1)
    assert await late == "value 3"


async def test_a_full_batch_is_followed_by_one_that_waits() -> None:
    """The batch after a full one is open for its own time: whoever comes meanwhile is in it."""
    clock = ManualClock()
    asked, load = batched(max_size=3, max_wait=2, clock=clock)
    tasks = [asyncio.create_task(load(key)) for key in range(4)]
    await turns()
    tasks += await callers(load, 1, 4)
    clock.advance(2)
    await together(*tasks)
    assert asked == [[0, 1, 2], [3, 4]]


# --- what it gives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found",
    [
        {2: "b", 1: "a", 3: "not asked for"},
        types.MappingProxyType({1: "a", 2: "b"}),
        collections.ChainMap({1: "a"}, {2: "b"}),
        ["a", "b"],
        ("a", "b"),
        collections.deque(["a", "b"]),
    ],
    ids=lambda found: type(found).__name__,
)
async def test_mappings_and_lists(found: Any) -> None:
    """A mapping tells by key, in any order, and may have more; a list tells in the order of the keys."""
    assert await ended(*map(giving(found), [1, 2])) == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        ([], ValueError, "a load of 2 keys gave 0 values"),
        (["a", "b", "c"], ValueError, "a load of 2 keys gave 3 values: give one for each, or a mapping"),
        (None, TypeError, "must give a mapping, or a list as long as its keys, not NoneType"),
        ("ab", TypeError, "not str"),
        (b"ab", TypeError, "not bytes"),
        ({"a", "b"}, TypeError, "not set"),
        (iter("ab"), TypeError, "iterator"),
    ],
    ids=repr,
)
async def test_what_cannot_be_told_apart(found: Any, kind: type[Exception], words: str) -> None:
    """A result of the wrong length or kind is an error for all, and says what is wanted; nothing is stored."""
    load = giving(found)
    errors = await ended(load(1), load(2))
    assert [type(error) for error in errors] == [kind, kind]
    assert all(words in str(error) for error in errors)
    assert load.cache_info().currsize == 0


async def test_a_call_that_fails() -> None:
    """All who asked get its error, nothing is stored, and the next call begins anew."""
    gate, load = gated_batches()
    tasks = [asyncio.create_task(load(key)) for key in (1, 2)]
    await turns()
    gate.fail(OSError("down"))
    assert [repr(await outcome(task)) for task in tasks] == ["OSError('down')"] * 2
    (again,) = await callers(load, 1, 1)
    gate.give({1: "up"})
    assert await again == "up"
    assert load.cache_info().currsize == 1


async def test_an_error_for_one_key() -> None:
    """An exception among the values is raised to those who asked for its key, and is not stored; others are."""
    error = OSError("no such user")
    load = giving({1: "a", 2: error})
    assert await ended(load(1), load(2), load(2)) == ["a", error, error]
    assert (load.cache_contains(1), load.cache_contains(2)) == (True, False)


async def test_a_key_that_is_left_out() -> None:
    """Who asked for it gets a `KeyError` that names it, and others their values; it is asked for again."""
    load = giving({1: "a"})
    value, error = await ended(load(1), load(2))
    assert value == "a"
    assert isinstance(error, KeyError)
    assert error.args == (2,)
    assert not load.cache_contains(2)


async def test_defaults_of_a_mapping_are_not_asked_for() -> None:
    """A `defaultdict` that has no value for a key has left it out."""
    found: collections.defaultdict[int, str] = collections.defaultdict(str)
    (error,) = await ended(giving(found)(1))
    assert isinstance(error, KeyError)
    assert not found


async def test_none_is_a_value() -> None:
    """`None` for a key is not the same as nothing."""
    load = giving([None])
    assert await load(1) is None
    assert load.cache_peek(1) is None
