"""One load for a key, however many ask for it, and however little room there is to keep what it brings."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from asynccache import async_cached
from asynccache.decorator import Decorator
from tests.flight.gates import callers, gated, turns


async def test_a_thousand_callers_of_one_key_cost_one_load() -> None:
    """All get the one object that the load made."""
    calls = 0

    @async_cached
    async def load(key: int) -> object:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return object()

    results = await asyncio.gather(*(load(1) for _ in range(1_000)))
    assert calls == 1
    assert len({id(result) for result in results}) == 1


async def test_the_first_caller_misses_and_the_others_hit() -> None:
    """Whoever joins a load counts as a hit, as it cost no load."""
    gate, load = gated()
    tasks = await callers(load, 5)
    assert (load.cache_info().misses, load.cache_info().hits) == (1, 4)
    assert load.cache_parameters()["tasks"] == 1
    gate.give("value")
    assert await asyncio.gather(*tasks) == ["value"] * 5
    stats = load.cache_stats()
    assert (stats.hits, stats.misses, stats.coalesced, stats.loads, stats.failures) == (0, 1, 4, 1, 0)


@pytest.mark.parametrize("maxsize", [0, 1, 2])
async def test_loads_need_no_room_in_the_cache(maxsize: int) -> None:
    """Fifty keys at once, each asked for by twenty: one load each, though hardly any of them can be kept."""
    calls: Counter[int] = Counter()

    @async_cached(maxsize=maxsize)
    async def load(key: int) -> int:
        calls[key] += 1
        for _ in range(1 + key % 7):
            await asyncio.sleep(0)
        return key

    results = await asyncio.gather(*(load(key) for _ in range(20) for key in range(50)))
    assert results == [key for _ in range(20) for key in range(50)]
    assert calls == Counter(range(50))
    assert load.cache_info().currsize == maxsize


async def test_without_room_nothing_is_kept_but_loads_are_shared() -> None:
    """With maxsize=0 callers of the same moment share a load, and later ones start another."""
    gate, load = gated(maxsize=0)
    for round_ in (1, 2):
        tasks = await callers(load, 3)
        gate.give("value")
        assert await asyncio.gather(*tasks) == ["value"] * 3
        assert len(gate.calls) == round_


@pytest.mark.parametrize("fails", [False, True])
async def test_callers_of_one_moment_share_a_load_that_does_not_wait(fails: bool) -> None:
    """Also if it brings nothing that is stored: to them it was under way when they asked."""
    calls = 0

    @async_cached(maxsize=0)
    async def load(key: int) -> object:
        nonlocal calls
        calls += 1
        if fails:
            raise OSError("down")
        return object()

    results = await asyncio.gather(*(load(1) for _ in range(20)), return_exceptions=True)
    assert len({id(result) for result in results}) == calls == 1


async def test_who_asks_again_means_a_new_load() -> None:
    """One after another, nobody is given what an earlier call of their own came to if that was not to be stored."""
    calls = 0

    @async_cached(store_if=bool)
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return 0

    for expected in (1, 2, 3):
        await load(1)
        assert calls == expected


async def test_what_is_not_to_be_stored_still_goes_to_all_who_waited() -> None:
    """A hundred callers of a load whose value is refused by store_if cost one load, not a hundred one after another."""
    gate, load = gated(store_if=lambda value: value != "error page")
    tasks = await callers(load, 100)
    gate.give("error page")
    assert await asyncio.gather(*tasks) == ["error page"] * 100
    assert len(gate.calls) == 1
    assert not load.cache_contains(1)


async def test_keys_do_not_wait_for_each_other() -> None:
    """A slow load holds up nobody but those who ask for its key."""
    gate, load = gated()
    slow = (await callers(load, 1, key=1))[0]
    quick = (await callers(load, 1, key=2))[0]
    gate.give("quick")
    assert await quick == "quick"
    assert not slow.done()
    gate.give("slow", 0)
    assert await slow == "slow"


async def test_a_call_in_the_turn_in_which_the_load_ends_finds_the_value() -> None:
    """There is no gap between a load's end and its value's being stored in which another load could start."""
    gate, load = gated()
    first = (await callers(load, 1))[0]
    gate.give("value")
    for _ in range(5):
        second = asyncio.create_task(load(1))
        await turns(1)
        assert not second.cancelled()
        assert await second == "value"
    assert await first == "value"
    assert len(gate.calls) == 1


async def test_a_call_that_is_never_awaited_starts_nothing() -> None:
    """Calling gives a coroutine, and a coroutine does nothing until it is awaited."""
    gate, load = gated()
    coroutine = load(1)
    await turns()
    coroutine.close()
    assert gate.calls == []
    assert load.cache_info().misses == 0


@pytest.mark.parametrize("options", [{}, {"maxsize": 0}, {"ttl": 0}, {"store_if": lambda value: False}])
@pytest.mark.parametrize("fails", [False, True])
async def test_a_load_that_never_waits_is_shared_by_those_who_ask_at_once(options: Any, fails: bool) -> None:
    """Started eagerly or not, it is made once for all tasks that ask in one turn of the loop, stored or not."""
    calls = 0

    decorate: Decorator = async_cached(**options)

    @decorate
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        if fails:
            raise LookupError(key)
        return calls

    found = await asyncio.gather(*[load(1) for _ in range(50)], return_exceptions=True)
    assert calls == 1
    assert {type(one) for one in found} == {LookupError if fails else int}
    assert load.cache_info()[:2] == (49, 1)
    assert load.cache_parameters()["tasks"] == 0


async def test_who_asks_again_after_a_failure_gets_a_new_load() -> None:
    """A task that has seen a load fail, and asks once more without letting the loop turn, means a new load."""
    calls = 0

    @async_cached
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        raise LookupError(key)

    for expected in (1, 2, 3):
        with pytest.raises(LookupError):
            await load(1)
        assert calls == expected


@pytest.mark.one_loop
async def test_a_call_that_no_task_makes_shares_nothing_by_half() -> None:
    """A coroutine that is driven by hand, in a callback, spoils nothing for the tasks of the same turn."""

    @async_cached(maxsize=0)
    async def load(key: int) -> str:
        return "value"

    found: list[object] = []

    def by_hand() -> None:
        coroutine = load(1)
        try:
            coroutine.send(None)
            coroutine.close()  # where loads are not started eagerly, it waits now
        except StopIteration as end:
            found.append(end.value)

    asyncio.get_running_loop().call_soon(by_hand)
    assert list(await asyncio.gather(load(1), load(1))) == ["value", "value"]
    assert set(found) <= {"value"}
