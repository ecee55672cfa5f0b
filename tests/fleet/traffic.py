"""Traffic of two caches on one store, with a source that says what is true, and a record of what callers met.

Every value names its key and its version, so a value of another key, or one that never was, is seen at once. Each key
is changed by one of the caches only, and by one of its callers at a time, so what is newest is never in doubt: of two
changes that overlap, either may be the last. Both caches read all keys.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

from asynccache import Cache
from tests.fleet.patience import eventually

KEYS = 60
CALLERS = 8
"""Of each cache."""


class Traffic:
    """What callers do, and what becomes of it.

    Args:
        caches: of as many processes.
        seed: of what they do.

    Attributes:
        truth: the newest version of each key.
        calls: how many calls of each kind there were.
        longest: the longest that a call of each kind took, in seconds.
        errors: what was raised.
        wrong: values that were never true of their key.
    """

    def __init__(self, *caches: Cache, seed: int = 0) -> None:
        self._caches = caches
        self._chance = random.Random(seed)
        self._is_flowing = False
        self._in_change: set[int] = set()
        self.truth = dict.fromkeys(range(KEYS), 1)
        self.calls: Counter[str] = Counter()
        self.longest: Counter[str] = Counter()
        self.errors: list[BaseException] = []
        self.wrong: list[tuple[int, Any]] = []

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Let callers call all the time; in the end, let them come to the end of their calls."""
        self._is_flowing = True
        tasks = [asyncio.create_task(self._call(number)) for number in range(len(self._caches)) for _ in range(CALLERS)]
        try:
            yield
        finally:
            self._is_flowing = False
            await asyncio.gather(*tasks)

    async def pass_by(self, calls: int) -> None:
        """Wait until so many calls more were made."""
        enough = self.calls.total() + calls
        await eventually(lambda: self.calls.total() >= enough)

    async def _call(self, number: int) -> None:
        while self._is_flowing:
            kind, call = self._next(number)
            begin = time.monotonic()
            try:
                await call
            except Exception as error:
                self.errors.append(error)
            self.calls[kind] += 1
            self.longest[kind] = max(self.longest[kind], time.monotonic() - begin)  # type: ignore[assignment]
            await asyncio.sleep(self._chance.uniform(0, 0.002))

    def _next(self, number: int) -> tuple[str, Coroutine[Any, Any, None]]:
        """Give the next call of a cache, and what kind it is."""
        key = self._chance.randrange(KEYS)
        kind = self._chance.choices(("get", "get_or_load", "set", "delete"), (6, 10, 1, 1))[0]
        if kind in ("set", "delete"):
            key = (key - key % len(self._caches) + number) % KEYS
            if key in self._in_change:
                kind = "get_or_load"
        return kind, getattr(self, f"_{kind}")(self._caches[number], key)

    async def _get(self, cache: Cache, key: int) -> None:
        self._look_at(key, await cache.get(key))

    async def _get_or_load(self, cache: Cache, key: int) -> None:
        self._look_at(key, await cache.get_or_load(key, lambda: self.load(key)))

    async def load(self, key: int) -> list[int]:
        """Ask the source."""
        value = [key, self.truth[key]]
        await asyncio.sleep(self._chance.uniform(0, 0.002))
        return value

    async def _set(self, cache: Cache, key: int) -> None:
        with self._changing(key):
            await cache.set(key, [key, self.truth[key]])

    async def _delete(self, cache: Cache, key: int) -> None:
        with self._changing(key):
            await cache.delete(key)

    @contextlib.contextmanager
    def _changing(self, key: int) -> Iterator[None]:
        """Let the source have a new version; nobody else changes the key until the cache has been told."""
        self.truth[key] += 1
        self._in_change.add(key)
        try:
            yield
        finally:
            self._in_change.remove(key)

    def _look_at(self, key: int, value: Any) -> None:
        if value is not None and (value[0] != key or not 1 <= value[1] <= self.truth[key]):
            self.wrong.append((key, value))

    async def recover(self, *, has_feed: bool = True) -> None:
        """Wait until the caches hear of all changes again, where their store tells of any, and owe nothing."""
        await eventually(lambda: all(is_sound(cache, has_feed=has_feed) for cache in self._caches))

    async def stale(self) -> dict[int, list[Any]]:
        """Give the keys of which a cache says something old."""
        found = {key: [await self._says(cache, key) for cache in self._caches] for key in range(KEYS)}
        return {key: said for key, said in found.items() if any(value != [key, self.truth[key]] for value in said)}

    async def _says(self, cache: Cache, key: int) -> Any:
        got = await cache.get(key)
        loaded = await cache.get_or_load(key, lambda: self.load(key))
        return loaded if got is None or got == loaded else got


def is_sound(cache: Cache, *, has_feed: bool = True) -> bool:
    """Whether a cache hears of all changes, and has told of its own."""
    shared = cache.stats().shared
    return shared is not None and shared.owed == 0 and (shared.is_coherent or not has_feed)
