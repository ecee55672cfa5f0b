"""Whoever is cancelled leaves alone: the load and the other callers notice nothing, unless nobody is left."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from asynccache import CachedFunction, LoadCancelled, async_cached
from asynccache.testing import live_flights
from tests.flight.cancelling import FAR, CancelledAtWait, at_turns
from tests.flight.gates import Gate, callers, gated, outcome, turns


@pytest.mark.parametrize("which", range(4))
async def test_one_who_is_cancelled_leaves_the_others_alone(which: int) -> None:
    """Whichever of four it is, the creator of the load included: the other three get the one load's value."""
    gate, load = gated()
    tasks = await callers(load, 4)
    tasks[which].cancel()
    await turns()
    gate.give("value")
    results = [await outcome(task) for task in tasks]
    assert results.pop(which) is asyncio.CancelledError
    assert results == ["value"] * 3
    assert (len(gate.calls), gate.cancelled) == (1, 0)


@pytest.mark.parametrize("staying", range(4))
async def test_the_last_one_who_waits_is_enough(staying: int) -> None:
    """All but one leave, one after another: the load goes on for the one that stays."""
    gate, load = gated()
    tasks = await callers(load, 4)
    for number, task in enumerate(tasks):
        if number != staying:
            task.cancel()
            await turns(1)
    gate.give("value")
    assert await tasks[staying] == "value"
    assert (len(gate.calls), gate.cancelled) == (1, 0)
    assert load.cache_peek(1) == "value"


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_load_that_nobody_waits_for_is_cancelled(at_once: bool) -> None:
    """When all have left, together or one by one, the load is cancelled, cleans up, and leaves nothing stored."""
    gate, load = gated()
    tasks = await callers(load, 3)
    for task in tasks:
        task.cancel()
        if not at_once:
            await turns()
    assert [await outcome(task) for task in tasks] == [asyncio.CancelledError] * 3
    await turns()
    assert gate.cancelled == 1
    assert live_flights() == []
    assert not load.cache_contains(1)
    assert (load.cache_stats().abandoned, load.cache_info().currsize) == (1, 0)


async def test_callers_that_leave_leave_nothing_behind() -> None:
    """A load that many have waited for holds nothing of those who have gone."""
    gate, load = gated()
    stays = (await callers(load, 1))[0]
    for _ in range(50):
        impatient = asyncio.create_task(load(1))
        await turns(2)
        impatient.cancel()
        await outcome(impatient)
    (flight,) = live_flights()
    assert len(flight.waiters) == 1
    gate.give("value")
    assert await stays == "value"


async def test_the_creator_may_be_cancelled_at_any_turn() -> None:
    """After 0, 1, 2, ... turns, up to the end: its companion gets the value of the one load that there is."""
    calls = 0

    @async_cached(maxsize=0)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        for _ in range(4):
            await asyncio.sleep(0)
        return "value"

    async for creator in at_turns(lambda: load(1)):
        companion = asyncio.create_task(load(1))
        assert await companion == "value"
        assert await outcome(creator) in (asyncio.CancelledError, "value")
        assert live_flights() == []
        assert calls == load.cache_info().misses
        assert await load(1) == "value"


@pytest.mark.parametrize("cleaning", [0, 3])
async def test_a_lone_caller_may_be_cancelled_at_any_turn(cleaning: int) -> None:
    """Nothing is left of its load, also where that takes its time to clean up, and the next call works."""
    begun = ended = 0

    @async_cached
    async def load(key: int) -> str:
        nonlocal begun, ended
        begun += 1
        try:
            for _ in range(4):
                await asyncio.sleep(0)
            return "value"
        finally:
            try:
                for _ in range(cleaning):
                    await asyncio.sleep(0)
            finally:
                ended += 1

    async for caller in at_turns(lambda: load(1)):
        assert await outcome(caller) in (asyncio.CancelledError, "value")
        await turns()
        assert live_flights() == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert begun == ended
        assert await load(1) == "value"
        assert begun == ended == load.cache_stats().loads + load.cache_stats().abandoned
        load.cache_invalidate(1)
        load.cache_clear()
        begun = ended = 0


class Scenarios:
    """What a caller may be doing when it is cancelled: each of the things that can be awaited here."""

    def __init__(self) -> None:
        self.load: CachedFunction[[int], str] = async_cached(maxsize=8)(self._load)
        self.other: CachedFunction[[int], str] = async_cached(self._other)

    async def _load(self, key: int) -> str:
        await asyncio.sleep(0)
        if key > 1:
            await self.load(key - 1)
        await self.other(key)
        return "value"

    async def _other(self, key: int) -> str:
        try:
            await asyncio.sleep(0)
            return "other"
        finally:
            await asyncio.sleep(0)

    async def call(self) -> None:
        """Call a function whose load calls it again for another key, and another function too."""
        await self.load(3)

    async def refresh(self) -> None:
        """Load anew what is there."""
        self.load.cache_put("value", 3)
        await self.load.cache_refresh(3)

    async def gather(self) -> None:
        """Call for several keys at once, one of them twice."""
        await asyncio.gather(self.load(1), self.load(2), self.load(2), self.other(9))

    async def one_by_one(self) -> None:
        """Wait several times."""
        for key in (1, 2, 4):
            await self.load(key)
            self.load.cache_invalidate(key)

    async def close(self) -> None:
        """Wait for the end of loads while others wait for them too."""
        task = asyncio.create_task(self.load(3))
        try:
            await asyncio.sleep(0)
            async with self.load.cache_lifespan(wait=True):
                await asyncio.sleep(0)
        finally:
            task.cancel()


NAMES = ["call", "refresh", "gather", "one_by_one", "close"]


async def check_and_begin_anew(scenarios: Scenarios) -> None:
    """See that nothing is left and that everything works, and forget it all."""
    await turns()
    assert live_flights() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await scenarios.load(3) == "value"
    assert await scenarios.other(3) == "other"
    for function in (scenarios.load, scenarios.other):
        stats = function.cache_stats()
        assert stats.misses == stats.loads + stats.failures
        assert stats.in_flight == 0
        function.cache_clear()


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_is_cancelled_at_any_turn_leaves_nothing(name: str) -> None:
    """Of a call, a refresh, many calls at once or in a row, or a wait for the end of loads."""
    scenarios = Scenarios()
    start: Callable[[], Coroutine[Any, Any, None]] = getattr(scenarios, name)
    async for task in at_turns(start):
        assert await outcome(task) in (asyncio.CancelledError, None)
        await check_and_begin_anew(scenarios)


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_is_cancelled_at_any_wait_of_its_own_leaves_nothing(name: str) -> None:
    """A caller that is cancelled right as it begins to wait is a caller like any other."""
    scenarios = Scenarios()
    start: Callable[[], Coroutine[Any, Any, None]] = getattr(scenarios, name)
    for number in range(1, FAR):
        driven = CancelledAtWait(start(), number)

        async def drive(driven: CancelledAtWait[None] = driven) -> None:
            await driven

        ended = await outcome(asyncio.create_task(drive()))
        assert ended is (asyncio.CancelledError if driven.reached else None)
        await check_and_begin_anew(scenarios)
        if not driven.reached:
            return
    raise AssertionError("the scenario never ends")


async def test_nobody_joins_a_load_that_is_going_down() -> None:
    """A newcomer at any moment of an abandoned load's clean-up starts a load of its own, and gets that one's value."""
    for moment in range(1, 9):
        gate, cleaning = Gate[str](), Gate[None]()

        @async_cached
        async def load(key: int, gate: Gate[str] = gate, cleaning: Gate[None] = cleaning) -> str:
            try:
                return await gate.load(key)
            except asyncio.CancelledError:
                await cleaning.load()
                raise

        (leaver,) = await callers(load, 1)
        leaver.cancel()
        await turns(moment)
        newcomers = await callers(load, 2)
        gate.give("new value")
        assert await asyncio.gather(*newcomers) == ["new value"] * 2
        assert len(gate.calls) == 2
        cleaning.give(None)
        assert await outcome(leaver) is asyncio.CancelledError
        await turns()
        assert load.cache_peek(1) == "new value"


async def test_a_load_that_will_not_be_cancelled_stores_nothing() -> None:
    """What an abandoned load brings in spite of its cancellation is not stored over what came after."""
    gate, late = Gate[str](), Gate[str]()

    @async_cached
    async def load(key: int) -> str:
        try:
            return await gate.load(key)
        except asyncio.CancelledError:
            return await late.load(key)

    (leaver,) = await callers(load, 1)
    leaver.cancel()
    await turns()
    (newcomer,) = await callers(load, 1)
    gate.give("new")
    assert await newcomer == "new"
    late.give("late")
    await turns()
    assert load.cache_peek(1) == "new"


async def test_a_load_cancelled_before_its_first_step_never_runs() -> None:
    """Caller and load of one turn: cancelled there, both end, and the next call loads."""
    gate, load = gated()
    task = asyncio.create_task(load(1))
    task.cancel()
    assert await outcome(task) is asyncio.CancelledError
    (again,) = await callers(load, 1)
    gate.give("value")
    assert await again == "value"


async def test_cancelling_the_load_s_own_task_ends_no_caller() -> None:
    """Somebody may find and cancel the task of a load: its callers hear that the load was cancelled, not they."""
    _gate, load = gated()
    tasks = await callers(load, 2)
    loads = asyncio.all_tasks() - {asyncio.current_task(), *tasks}
    for task in loads:
        task.cancel()
    ended = [await outcome(task) for task in tasks]
    assert [type(error) for error in ended] == [LoadCancelled] * 2
    assert len(loads) == 1
    assert not load.cache_contains(1)
