"""Old values, refreshes and remembered errors in several threads: never what was invalidated before the call."""

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from asynccache import CachedFunction, async_cached
from asynccache.testing import live_flights

VERSIONS: Final = 150

SAY: Final[dict[str, Callable[[CachedFunction[[int], int]], object]]] = {
    "tags": lambda load: load.cache_invalidate_tags("all"),
    "clear": lambda load: load.cache_clear(),
    "invalidate": lambda load: [load.cache_invalidate(key) for key in range(5)],
}


class Source:
    """Where values come from: they are versions, which one thread writes and others load.

    Attributes:
        version: the latest that was written.
        valid_from: the oldest that a call which begins now may be given.
    """

    def __init__(self) -> None:
        self.version = self.valid_from = 0
        self.calls = 0
        self.wrong: list[object] = []
        self.ended = threading.Event()

    async def load(self, key: int) -> int:
        """Read a version, and take some time to bring it; every so often, fail."""
        found = self.version
        self.calls += 1
        turn = self.calls % 10
        for _ in range(turn % 4):
            await asyncio.sleep(0)
        if turn == 7:
            raise OSError("an outage")
        if turn == 9:
            raise KeyError("an answer")
        return found

    def write(self, invalidate: Callable[[], object]) -> None:
        """Write all versions, and invalidate after each."""
        for version in range(1, VERSIONS):
            self.version = version
            invalidate()
            self.valid_from = version
            self.ended.wait(0.0005)  # the others' turn
        self.ended.set()

    async def read(self, load: CachedFunction[[int], int]) -> None:
        """Read until all is written; note what is not right."""
        count = 0
        while not self.ended.is_set():
            valid_from = self.valid_from
            count += 1
            try:
                value = await load(count % 5)
            except (OSError, KeyError):
                await asyncio.sleep(0)
                continue
            if type(value) is not int or value < valid_from:  # nor anything that is no value at all
                self.wrong.append((value, valid_from))
            if count % 8 == 0:
                await asyncio.sleep(0)


@pytest.mark.parametrize("said", SAY)
@pytest.mark.parametrize("options", [{}, {"idle": 100}, {"maxsize": 3}, {"policy": "tinylfu"}], ids=str)
def test_nobody_is_given_what_was_invalidated_before(said: str, options: dict[str, Any]) -> None:
    """Two loops read and refresh, a third thread invalidates: each call gets a value that was valid after it began."""
    source = Source()
    load = async_cached(
        ttl=0, stale=100, stale_if_error=100, error_backoff=0, errors={KeyError: 0.001}, tags=("all",), **options
    )(source.load)

    async def reading() -> None:
        async with load.cache_lifespan():
            await asyncio.gather(*(source.read(load) for _ in range(10)))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(asyncio.run, reading()), pool.submit(asyncio.run, reading())]
            jobs.append(pool.submit(source.write, lambda: SAY[said](load)))
            for job in jobs:
                job.result(30)
    finally:
        source.ended.set()
        sys.setswitchinterval(interval)
    assert source.wrong == []
    assert source.calls > VERSIONS
    assert live_flights() == []
    assert load.cache_stats().callback_errors == 0
