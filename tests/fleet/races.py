"""Races of a reader with a writer: each read is under way while its key changes, and the reply comes by slow ways.

A race ends when all news have arrived: news of one server come in order, so those of a mark, written last, are the
last. What the reader then says has to be what was written.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from asynccache import Cache
from asynccache.stores import Feed, Item, RedisStore
from asynccache.stores.contract import OnChange
from tests.fleet.patience import eventually

What: TypeAlias = Literal["get", "load"]
"""Races of `get` with `set`; or of `get_or_load` with a change of the source and a `delete`."""

NAMESPACE = "race"
MARK = "mark"
MARK_KEY = b'race:v:"mark"'
AT_ONCE = 50
SPREAD = 0.006
"""Seconds over which beginnings are strewn: as long as the slowest way there and back."""


class TwoWays:
    """A store whose values and whose news come by different ways.

    Args:
        values: the URL by which it is read and written.
        news: the URL by which it is listened to.
    """

    def __init__(self, values: str, news: str) -> None:
        self._values = RedisStore(values)
        self._news = RedisStore(news)
        self.marks = 0
        """How often news of the mark have come."""
        self.add = self._values.add
        self.compare_and_set = self._values.compare_and_set
        self.compare_and_delete = self._values.compare_and_delete

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept."""
        return await self._values.get_many(keys)

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        await self._values.set_many(items)

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these."""
        return await self._values.delete_many(keys)

    async def listen(self, prefix: bytes, on_change: OnChange) -> Feed:
        """Listen by the other way."""

        def tell(keys: Iterable[bytes] | None) -> None:
            keys = None if keys is None else list(keys)
            on_change(keys)
            self.marks += keys is not None and MARK_KEY in keys

        return await self._news.listen(prefix, tell)

    async def aclose(self) -> None:
        """Let go of both ways."""
        await self._values.aclose()
        await self._news.aclose()


class Races:
    """Many races of one reader with one writer.

    Args:
        store: the reader's.
        reader: reads by ways that are slow.
        writer: writes.
        seed: of the moments at which they begin.

    Attributes:
        seen: what the reads gave while they raced: how often the old value, and how often the new one.
        stale: keys for which the reader still said something old after the end.
    """

    def __init__(self, store: TwoWays, reader: Cache, writer: Cache, *, seed: int = 0) -> None:
        self._store = store
        self._reader = reader
        self._writer = writer
        self._chance = random.Random(seed)
        self._truth: dict[str, int] = {}
        self.seen: Counter[str] = Counter()
        self.stale: list[str] = []

    async def run(self, what: What, races: int) -> None:
        """Run so many of them, some at once."""
        await eventually(self._is_coherent)
        for start in range(0, races, AT_ONCE):
            keys = [f"{what}:{number}" for number in range(start, min(start + AT_ONCE, races))]
            self._truth |= dict.fromkeys(keys, 0)
            await self._writer.set_many(dict.fromkeys(keys, 0))
            await self._settle()
            await asyncio.gather(*(self._race(what, key) for key in keys))
            await self._settle()
            found = [await self._read(what, key) for key in keys]
            self.stale += [key for key, value in zip(keys, found, strict=True) if value != 1]

    def _is_coherent(self) -> bool:
        shared = self._reader.stats().shared
        return shared is not None and shared.is_coherent

    async def _settle(self) -> None:
        """Wait until all news have come."""
        marks = self._store.marks
        await self._writer.set(MARK, 1)
        await eventually(lambda: self._store.marks > marks)

    async def _race(self, what: What, key: str) -> None:
        async def read() -> None:
            await asyncio.sleep(self._chance.uniform(0, SPREAD))
            self.seen["new" if await self._read(what, key) else "old"] += 1

        async def write() -> None:
            await asyncio.sleep(self._chance.uniform(0, SPREAD))
            if what == "get":
                await self._writer.set(key, 1)
            else:
                self._truth[key] = 1
                await self._writer.delete(key)

        await asyncio.gather(read(), write())

    async def _read(self, what: What, key: str) -> int | None:
        async def load() -> int:
            truth = self._truth[key]
            await asyncio.sleep(self._chance.uniform(0, 0.001))
            return truth

        value: int | None = await (self._reader.get(key) if what == "get" else self._reader.get_or_load(key, load))
        return value
