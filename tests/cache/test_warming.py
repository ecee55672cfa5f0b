"""`cache.warm`: filling a cache before it is asked."""

import asyncio
import itertools
from typing import Any

import pytest

from asynccache import Cache
from asynccache.testing import ManualClock, live_flights
from tests.flight.gates import Gate, outcome, turns


async def test_what_is_missing_is_loaded() -> None:
    """Each key once, with the call's options; what is there already is not asked for, and counts as loaded."""
    clock = ManualClock()
    cache = Cache(clock=clock)
    asked: list[int] = []

    async def load(key: int) -> int:
        asked.append(key)
        return key * 10

    await cache.set(2, "there")
    report = await cache.warm([1, 2, 3, 1], load, ttl=10, tags=["t"])
    assert (report.loaded, report.failed, report.total) == (4, 0, 4)
    assert dict(cache.items()) == {1: 10, 2: "there", 3: 30}
    assert sorted(asked) == [1, 3]
    await cache.namespace("a").warm(range(2), load)
    assert cache.namespace("a").items() == [(0, 0), (1, 10)]
    clock.advance(10)
    assert cache.keys() == [2]


async def test_so_many_at_once() -> None:
    """Never more than `concurrency` loads, and as many as that; the next begins when one has ended."""
    cache = Cache()
    gate: Gate[int] = Gate()
    taken: list[int] = []

    def keys() -> Any:
        for key in range(7):
            taken.append(key)
            yield key

    task = asyncio.create_task(cache.warm(keys(), gate.load, concurrency=3))
    for done in range(7):
        await turns()
        expected = list(range(min(7, done + 3)))
        assert gate.calls == expected
        assert taken == expected
        gate.give(done, done)
    report = await task
    assert (report.loaded, report.total) == (7, None)


async def test_eight_by_default() -> None:
    """Nothing said, eight loads run at once."""
    gate: Gate[int] = Gate()
    task = asyncio.create_task(Cache().warm(range(100), gate.load))
    await turns()
    assert gate.calls == list(range(8))
    task.cancel()
    assert await outcome(task) is asyncio.CancelledError
    assert (gate.cancelled, live_flights()) == (8, [])


async def test_progress() -> None:
    """After each key it is told how far it is."""
    seen: list[tuple[int, int, int | None]] = []

    async def load(key: int) -> int:
        return 1 // key

    report = await Cache().warm(
        [1, 0, 2],
        load,
        concurrency=1,
        progress=lambda report: seen.append((report.loaded, report.failed, report.total)),
    )
    assert seen == [(1, 0, 3), (1, 1, 3), (2, 1, 3)]
    assert (report.loaded, report.failed) == (2, 1)


async def test_failures_stop_nothing() -> None:
    """What fails is counted, and loaded by whoever asks next."""
    cache = Cache()
    broken = True

    async def load(key: int) -> int:
        if broken and key % 2:
            raise OSError(key)
        return key

    report = await cache.warm(range(10), load, concurrency=2)
    assert (report.loaded, report.failed) == (5, 5)
    assert sorted(cache.keys()) == [0, 2, 4, 6, 8]
    broken = False
    assert (await cache.warm(range(10), load)).failed == 0


async def test_an_endless_iterator_can_be_cancelled() -> None:
    """Keys are taken as loads end: with loads that wait, an iterator may have no end."""
    cache = Cache(maxsize=100)

    async def load(key: int) -> int:
        await asyncio.sleep(0)
        return key

    task = asyncio.create_task(cache.warm(itertools.count(), load))
    await turns(500)
    assert cache.stats().loads > 500
    task.cancel()
    assert await outcome(task) is asyncio.CancelledError
    assert live_flights() == []
    assert cache.stats().size == 100


async def test_nothing_to_warm() -> None:
    """No keys, no loads, and no news."""
    gate: Gate[int] = Gate()
    report = await Cache().warm([], gate.load, progress=lambda _: pytest.fail("news of nothing"))
    assert (report.loaded, report.failed, report.total) == (0, 0, 0)


@pytest.mark.one_loop
@pytest.mark.parametrize(("value", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
async def test_concurrency_that_is_none(value: Any, kind: type[Exception]) -> None:
    """It is a whole number from 1 on."""
    with pytest.raises(kind, match="concurrency must be"):
        await Cache().warm([1], Gate[int]().load, concurrency=value)
