"""Tags that are invalidated while values that carry them are still being loaded."""

import asyncio
from typing import Any

import pytest

from asynccache import MISSING, CachedFunction, async_cached
from asynccache.flight.loading import current_load
from tests.flight.gates import Gate, callers, outcome, together, turns
from tests.freshness.aging import Scene


@pytest.mark.parametrize("known", ["before", "after", "by the load"])
async def test_an_invalidation_while_a_value_is_loaded(known: str) -> None:
    """Those who waited before get it, it is not stored, and those who came after get a newer one, from one load.

    So it is if the tags are the same for every value, if the value's own are known only when it is there, and if the
    load says them itself.
    """
    gate: Gate[str] = Gate()
    options: dict[str, Any] = {"tags": {"before": ("a", "b"), "after": lambda value: value.split()}.get(known, ())}

    async def from_gate(key: int) -> str:
        value = await gate.load(key)
        if known == "by the load":
            current_load().tags = value.split()
        return value

    load: CachedFunction[[int], str] = async_cached(**options)(from_gate)
    before = await callers(load, 3)
    load.cache_invalidate_tags("b")
    after = await callers(load, 3)
    gate.give("a b")
    await turns()
    assert await together(*before) == ["a b"] * 3
    assert not any(task.done() for task in after)
    assert load.cache_peek(1) is MISSING
    gate.give("a b new")
    assert await together(*after) == ["a b new"] * 3
    assert load.cache_peek(1) == "a b new"
    assert gate.calls == [1, 1]


async def test_the_invalidation_of_another_tag_while_a_value_is_loaded() -> None:
    """It changes nothing: the value is stored, and all get it."""
    gate: Gate[str] = Gate()

    @async_cached(tags=lambda value: (value,))
    async def load(key: int) -> str:
        return await gate.load(key)

    before = await callers(load, 2)
    load.cache_invalidate_tags("other")
    after = await callers(load, 2)
    gate.give("mine")
    assert await together(*before, *after) == ["mine"] * 4
    assert load.cache_peek(1) == "mine"
    assert gate.calls == [1]


async def test_an_invalidation_before_a_load_begins() -> None:
    """However short before, it does not concern that load."""
    scene = Scene(tags=("all",))
    other = await callers(scene.load, 1, 2)  # in the air meanwhile, so that the invalidation is remembered
    scene.load.cache_invalidate_tags("all")
    await scene.fill("new", 1)
    assert scene.load.cache_peek(1) == "new"
    await scene.end("of before", 0)
    assert await together(*other) == ["of before"]
    assert scene.load.cache_peek(2) is MISSING


async def test_a_failure_is_everybody_s() -> None:
    """A load that fails after an invalidation tells all who wait, whenever they came: there is no value to be old."""
    scene = Scene(tags=("all",))
    before = await callers(scene.load, 1)
    scene.load.cache_invalidate_tags("all")
    after = await callers(scene.load, 1)
    await scene.break_down()
    assert [type(await outcome(task)) for task in before + after] == [OSError] * 2


@pytest.mark.parametrize("turn", range(6))
async def test_an_invalidation_as_a_value_lands(turn: int) -> None:
    """Before or after its storing: from then on the value is gone."""
    scene = Scene(tags=("all",))
    tasks = await callers(scene.load, 2)
    scene.gate.give("value")
    await turns(turn)
    scene.load.cache_invalidate_tags("all")
    assert await together(*tasks) == ["value"] * 2
    assert scene.load.cache_peek(1) is MISSING


async def test_a_load_that_invalidates_its_own_tag() -> None:
    """Its callers get its value, as they came before, and the next call loads anew."""
    calls = 0

    @async_cached(tags=("all",))
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        load.cache_invalidate_tags("all")
        return calls

    assert await together(*(load(1) for _ in range(3))) == [1, 1, 1]
    assert await load(1) == 2


async def test_those_who_came_after_share_a_load_that_never_waits() -> None:
    """However soon the newer value is there, it is loaded once for all of them."""
    gate: Gate[None] = Gate()
    calls = 0

    @async_cached(tags=("all",))
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            await gate.load(key)
            return 1
        return calls

    before = await callers(load, 1)
    load.cache_invalidate_tags("all")
    after = await callers(load, 10)
    gate.give(None)
    assert await together(*before, *after) == [1, *[2] * 10]


async def test_those_who_came_after_find_what_was_put() -> None:
    """A value that was put meanwhile is what they are given, without a load."""
    scene = Scene(tags=("all",))
    before = await callers(scene.load, 1)
    scene.load.cache_invalidate_tags("all")
    after = await callers(scene.load, 3)
    scene.load.cache_put("put", 1)
    await scene.end("of before")
    assert await together(*before) == ["of before"]
    assert set(await together(*after)) <= {"put"}
    assert scene.gate.calls == [1]


async def test_invalidated_again_and_again() -> None:
    """What counts for a caller is whether it came before the first invalidation, however many there were."""
    scene = Scene(tags=("all",))
    tasks: list[asyncio.Task[str]] = []
    for _ in range(4):
        tasks += await callers(scene.load, 1)
        scene.load.cache_invalidate_tags("all")
    await scene.end("first")
    assert [task.done() for task in tasks] == [True, False, False, False]
    scene.load.cache_invalidate_tags("all")
    await scene.end("second")
    assert await together(*tasks) == ["first", "second", "second", "second"]
    assert scene.load.cache_peek(1) is MISSING
    assert scene.gate.calls == [1, 1]


async def test_invalidated_in_several_epochs() -> None:
    """So it is if other loads began between the invalidations, and others of its tags were invalidated first."""
    gate: Gate[str] = Gate()

    @async_cached(tags=lambda value: value.split())
    async def load(key: int) -> str:
        return await gate.load(key)

    tasks = await callers(load, 1)
    others: list[asyncio.Task[str]] = []
    for number, tag in enumerate(("unrelated", "b", "a", "b")):
        load.cache_invalidate_tags(tag)
        others += await callers(load, 1, 10 + number)
        tasks += await callers(load, 1)
    gate.give("a b", 0)
    await turns()
    assert [task.done() for task in tasks] == [True, True, False, False, False]
    gate.give("a b", -1)
    assert await together(*tasks) == ["a b"] * 5
    for number in range(1, 5):
        gate.give("other", number)
    assert await together(*others) == ["other"] * 4


@pytest.mark.parametrize(
    "options",
    [
        {"store_if": lambda _: False},
        {"maxsize": 0},
        {"ttl": 0},
        {"idle": 0},
        {"max_weight": 1, "weigher": lambda *_: 5},
    ],
    ids=["store_if", "maxsize", "ttl", "idle", "weight"],
)
async def test_an_invalidation_while_something_is_loaded_that_is_not_stored(options: dict[str, Any]) -> None:
    """Those who came after it get a newer value here too: that nothing is stored does not make the old one good."""
    scene = Scene(**{"ttl": None, "tags": ("all",)} | options)
    before = await callers(scene.load, 2)
    scene.load.cache_invalidate_tags("all")
    after = await callers(scene.load, 2)
    await scene.end("of before")
    assert await together(*before) == ["of before"] * 2
    assert not any(task.done() for task in after)
    await scene.end("of after")
    assert await together(*after) == ["of after"] * 2
    assert scene.gate.calls == [1, 1]


async def test_an_invalidation_while_an_answer_is_loaded() -> None:
    """An error that would be remembered is as old as a value would be: those who came after it are not given it."""
    scene = Scene(tags=("all",), errors={LookupError: 50})
    (before,) = await callers(scene.load, 1)
    scene.load.cache_invalidate_tags("all")
    (after,) = await callers(scene.load, 1)
    await scene.break_down(LookupError())
    assert isinstance(await outcome(before), LookupError)
    assert not after.done()
    await scene.end("new")
    assert await together(after) == ["new"]
    assert await scene.read() == "new"
