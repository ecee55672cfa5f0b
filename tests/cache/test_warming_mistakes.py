"""`cache.warm` where something is wrong: with the call, the keys, the cache, or the time that it takes."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from asynccache import Cache, CacheClosed
from tests.flight.cancelling import FAR
from tests.flight.gates import Gate, outcome, turns


class Stopped(Exception):
    """Ends a loop that would go on for ever."""


def some(count: int) -> Iterator[int]:
    """Give the same key again and again, but not for ever: a test that fails must not hang."""
    yield from itertools.repeat(1, count)
    raise Stopped


@pytest.mark.parametrize("there", [True, False], ids=["hits", "loads that do not wait"])
async def test_the_loop_goes_on_though_nothing_has_to_wait(there: bool) -> None:
    """Keys that are there, or whose loads end at once, do not keep others from running; and it can be cancelled."""
    cache = Cache(maxsize=1 if there else 0)

    async def load(key: int) -> int:
        return key

    task = asyncio.create_task(cache.warm(some(100_000), load))
    await turns(FAR)
    assert not task.done()
    task.cancel()
    assert await outcome(task) is asyncio.CancelledError


@pytest.mark.parametrize(("options", "words"), [({"ttll": 3}, "did you mean 'ttl'"), ({"ttl": -1}, "ttl must be 0")])
async def test_mistakes_of_the_call_are_raised(options: dict[str, Any], words: str) -> None:
    """A wrong option is no failed load: it is refused before the first."""
    with pytest.raises((TypeError, ValueError), match=words):
        await Cache().warm([1, 2], Gate[int]().load, **options)


async def test_what_keys_and_progress_raise() -> None:
    """It comes as it is, in no group, and the other loads end."""
    gate: Gate[int] = Gate()

    def keys() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Cache().warm(keys(), gate.load)
    assert gate.cancelled == len(gate.calls)

    def progress(_report: object) -> None:
        raise ZeroDivisionError

    async def load(key: int) -> int:
        return key

    with pytest.raises(ZeroDivisionError):
        await Cache().warm([1, 2], load, progress=progress)


async def test_a_cache_that_is_closed_meanwhile() -> None:
    """There is nothing to fill any more: it ends, whatever keys are left."""
    cache = Cache()
    gate: Gate[int] = Gate()
    task = asyncio.create_task(cache.warm(some(100_000), gate.load, concurrency=2))
    await turns()
    await cache.aclose()
    assert isinstance(await outcome(task), CacheClosed)
