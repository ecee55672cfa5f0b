"""Who leaves `Cache.get_or_load`, and from where it is called: cancellation, rings of keys, threads and new loops."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynccache import Cache, RecursiveLoad
from asynccache.testing import live_flights
from tests.flight.cancelling import CancelledAtWait, at_turns
from tests.flight.gates import Gate, outcome, together, turns


async def test_a_load_that_asks_for_itself() -> None:
    """It is told so at once, also around a ring; what asks for others is not."""
    cache = Cache()

    async def load(*path: str) -> str:
        return await cache.get_or_load(path[0], lambda: load(*path[1:])) if path else "value"

    for path in (("a", "a"), ("a", "b", "c", "a")):
        with pytest.raises(RecursiveLoad):
            await load(*path)
    assert await load("a", "b", "c") == "value"


async def test_cancelled_at_every_turn() -> None:
    """Whenever one of two callers is cancelled, he is cancelled, the other gets the value, and nothing is left."""
    seen: set[object] = set()

    async def load() -> str:
        for _ in range(4):
            await asyncio.sleep(0)
        return "value"

    caches = [Cache()]
    async for task in at_turns(lambda: caches[-1].get_or_load("key", load)):
        other = asyncio.create_task(caches[-1].get_or_load("key", load))
        seen.add(await outcome(task))
        assert await outcome(other) == "value"
        assert await caches[-1].get("key") == "value"
        caches.append(Cache())
    assert seen == {asyncio.CancelledError, "value"}
    assert live_flights() == []


async def test_cancelled_at_every_wait() -> None:
    """A caller who is cancelled as he begins to wait is cancelled, and his load with him: nobody else waits for it."""
    for wait in range(1, 10):
        cache = Cache()
        gate: Gate[str] = Gate()
        cancelled = CancelledAtWait(cache.get_or_load("key", gate.load), wait)

        async def call(cancelled: CancelledAtWait[str] = cancelled) -> str:
            return await cancelled

        task = asyncio.create_task(call())
        await turns()
        if not cancelled.reached:
            gate.give("value")
            assert (await task, gate.cancelled) == ("value", 0)
            break
        assert await outcome(task) is asyncio.CancelledError
        assert gate.cancelled == len(gate.calls)
        assert live_flights() == []
    else:
        pytest.fail("there is no end of waits")
    assert wait > 1


@pytest.mark.one_loop
def test_three_loops_in_three_threads() -> None:
    """Each loop loads a key at most once, all values are right; and what was loaded there is read on a new loop."""
    cache = Cache(maxsize=10)
    calls: list[int] = []

    async def load(key: int) -> int:
        calls.append(key)
        await asyncio.sleep(0)
        return key * 10

    async def ask() -> list[int]:
        loads = [cache.get_or_load(number % 5, functools.partial(load, number % 5)) for number in range(100)]
        return await together(*loads)

    with ThreadPoolExecutor(3) as pool:
        found = [future.result(10) for future in [pool.submit(asyncio.run, ask()) for _ in range(3)]]
    assert found == [[number % 5 * 10 for number in range(100)]] * 3
    assert 5 <= len(calls) <= 15
    calls.clear()
    assert asyncio.run(ask()) == found[0]
    assert calls == []
