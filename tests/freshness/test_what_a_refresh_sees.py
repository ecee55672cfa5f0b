"""Refreshes behind: in whose context they run, for whom, and what they find."""

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import Any, Literal

import pytest

from asynccache import MISSING, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import together, turns
from tests.freshness.aging import TTL, aged


@pytest.mark.parametrize(("context", "seen"), [("caller", "reader's"), ("empty", "unset")])
async def test_a_refresh_runs_in_its_reader_s_context(context: Literal["caller", "empty"], seen: str) -> None:
    """As a load runs in that of its first caller; or in an empty one, where that is the option."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    clock = ManualClock()
    found: list[str] = []

    @async_cached(ttl=10, stale=10, clock=clock, context=context)
    async def load(key: int) -> None:
        found.append(variable.get())

    await load(1)
    clock.advance(10)
    variable.set("reader's")
    await load(1)
    await turns()
    assert found[1:] == [seen]


async def test_a_refresh_may_ask_for_its_own_value() -> None:
    """It is given the old one, as everybody is: that is no load that waits for itself."""
    clock = ManualClock()
    found: list[object] = []

    @async_cached(ttl=10, stale=10, clock=clock)
    async def load(key: int) -> int:
        if found or (load.cache_contains(key) and load.cache_peek(key) is not MISSING):
            found.append(await load(key))
            return 2
        return 1

    await load(1)
    clock.advance(10)
    assert await load(1) == 1
    await turns()
    assert (found, load.cache_peek(1)) == ([1], 2)


async def test_a_load_that_reads_an_old_value_does_not_wait_for_its_refresh() -> None:
    """One cached function that calls another gets that one's old value, and may end before the refresh does."""
    scene = await aged(stale=50)

    @async_cached
    async def outer(key: int) -> str:
        return f"outer {await scene.load(1)}"

    assert await together(outer(1)) == ["outer old"]
    await turns()
    assert scene.gate.calls == [1, 1]
    await scene.end("new")
    assert (scene.load.cache_peek(1), await outer(1)) == ("new", "outer old")


async def test_old_values_are_copied_too() -> None:
    """With `copy`, what one reader of an old value does to it nobody else sees."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=10, copy="deep", clock=clock)
    async def load(key: int) -> list[int]:
        nonlocal calls
        calls += 1
        return [calls]

    await load(1)
    clock.advance(10)
    (await load(1)).append(7)
    assert await load(1) == [1]
    await turns()
    (await load(1)).append(7)
    assert await load(1) == [2]


async def test_each_instance_refreshes_for_itself() -> None:
    """A method's refresh is its instance's own, keeps the instance for as long as it runs, and no longer."""
    clock = ManualClock()
    gates: list[asyncio.Future[None]] = []

    class Shop:
        """Has prices."""

        @async_cached(ttl=10, stale=10, clock=clock)
        async def price(self, item: int) -> int:
            """Wait, from the second time on."""
            gates.append(asyncio.get_running_loop().create_future())
            if len(gates) > 2:
                await gates[-1]
            return len(gates)

    one, other = Shop(), Shop()
    assert (await one.price(1), await other.price(1)) == (1, 2)
    clock.advance(10)
    assert (await one.price(1), await one.price(1), await other.price(1)) == (1, 1, 2)
    await turns()
    assert len(gates) == 4
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is not None
    for gate in gates[2:]:
        gate.set_result(None)
    await turns()
    gc.collect()
    assert gone() is None
    assert await other.price(1) == 4


@pytest.mark.parametrize("option", ["ttl", "store_if", "tags", "weigher"])
async def test_a_mistake_in_an_option_s_function(option: str, loop_errors: list[dict[str, Any]]) -> None:
    """It costs what the refresh brings, is shown and counted once, and bothers no reader; the next load is stored."""
    results: dict[str, Any] = {"ttl": TTL, "store_if": True, "tags": ["all"], "weigher": 1}
    fails = False

    def function(*_: object) -> Any:
        if fails:
            raise RuntimeError("a mistake")
        return results[option]

    options: dict[str, Any] = {"max_weight": 10 if option == "weigher" else None, option: function}
    scene = await aged(TTL, stale=50, **options)
    fails = True
    assert await scene.read() == "old"
    await scene.end("lost")
    fails = False
    assert scene.load.cache_stats().callback_errors == len(loop_errors) == 1
    await scene.fill("new")
    assert await scene.read() == "new"
    assert scene.load.cache_stats().weight == scene.load.cache_info().currsize == 1
    loop_errors.clear()
