"""What stores of one name share: items and counters until their time is over, and who is told of changes.

Decides what has to go, and when feeds hear of it: after the change was made, and before whoever made it goes on.
"""

import asyncio
import contextvars
import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from asynccache.core.wheel import ExpiryWheel
from asynccache.errors import StoreError
from asynccache.protocols import Clock
from asynccache.stores.contract import Item, OnChange

_SWEPT_AT_ONCE: Final = 32
"""Keys that a change looks at, besides two for each that it brings, to see whether they have expired."""

_TIDY_FROM: Final = 64
"""Keys of what was replaced or deleted are not worth a look below this number."""


class _Kept(NamedTuple):
    value: bytes
    until: float


class Shelf:
    """Values under keys, each until its time is over, the ones used last at the end. Not thread-safe."""

    def __init__(self, max_bytes: float) -> None:
        self.kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self.bytes = 0
        self._max_bytes = max_bytes
        self._wheel: ExpiryWheel[bytes] = ExpiryWheel()

    def peek(self, key: bytes, now: float) -> bytes | None:
        """Give a value that has not expired."""
        kept = self.kept.get(key)
        return kept.value if kept is not None and now < kept.until else None

    def read(self, key: bytes, now: float) -> bytes | None:
        """Do so, and note that it was used."""
        value = self.peek(key, now)
        if value is not None:
            self.kept.move_to_end(key)
        return value

    def put(self, key: bytes, item: Item, now: float) -> bool:
        """Keep an item, unless it has expired already; tell whether it is not larger than everything may be."""
        self.remove(key)
        if len(key) + len(item.value) > self._max_bytes:
            return False
        if item.ttl is not None and item.ttl <= 0:
            return True
        until = math.inf if item.ttl is None else now + item.ttl
        self.kept[key] = _Kept(item.value, until)
        self.bytes += len(key) + len(item.value)
        if until < math.inf:
            self._wheel.add(key, until, now)
        return True

    def remove(self, key: bytes) -> None:
        """Take away what is there, if there is something."""
        kept = self.kept.pop(key, None)
        if kept is not None:
            self.bytes -= len(key) + len(kept.value)

    def evict(self) -> Iterator[bytes]:
        """Take away what was used the longest time ago until the rest is few enough bytes; tell the keys."""
        while self.bytes > self._max_bytes:
            key = next(iter(self.kept))
            self.remove(key)
            yield key

    def sweep(self, now: float, brought: int) -> list[bytes]:
        """Take away some of what has expired, more than what is brought; tell the keys."""
        steps = _SWEPT_AT_ONCE + 2 * brought
        gone: list[bytes] = []
        wheel = self._wheel
        for key in itertools.islice(wheel.due(now), steps):
            kept = self.kept.get(key)
            if kept is not None and kept.until <= now:
                self.remove(key)
                gone.append(key)
            elif kept is not None and kept.until < math.inf:  # it was written anew since it was put here
                wheel.add(key, kept.until, now)
        if wheel.is_tidying or wheel.size > _TIDY_FROM + 2 * len(self.kept):
            for _ in itertools.islice(wheel.tidy(self.kept.__contains__), steps):
                pass
        return gone


class Table:
    """What stores of one name share. Whoever touches it holds its lock."""

    def __init__(self, max_bytes: int | None, clock: Clock) -> None:
        self.max_bytes = max_bytes
        self.clock = clock
        self.lock = threading.Lock()
        self.items = Shelf(math.inf if max_bytes is None else max_bytes)
        self.counters = Shelf(math.inf)
        self.feeds: list[MemoryFeed] = []


class Change:
    """A change of one or several keys, made under the lock of the table, and told to its feeds right afterwards.

    Raises:
        StoreError: at the end, if an item is larger than everything may be. The others are kept.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.changed: dict[bytes, None] = {}
        self._all_fit = True
        self.now = 0.0

    def __enter__(self) -> "Change":
        self.now = self.table.clock()
        self.table.lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            items = self.table.items
            self.changed |= dict.fromkeys([*items.sweep(self.now, len(self.changed)), *items.evict()])
            feeds = list(self.table.feeds) if self.changed else []
        finally:
            self.table.lock.release()
        for feed in feeds:
            feed.hear(self.changed)
        if not self._all_fit:
            raise StoreError("an item is larger than all items together may be")

    def present(self, key: bytes) -> bytes | None:
        """Give what is there now."""
        return self.table.items.peek(key, self.now)

    def put(self, key: bytes, item: Item) -> None:
        """Keep an item in the place of whatever is there."""
        self._all_fit &= self.table.items.put(key, item, self.now)
        self.changed[key] = None

    def delete(self, key: bytes) -> bool:
        """Delete what is there, and tell whether there was something."""
        was_there = self.present(key) is not None
        if was_there:
            self.table.items.remove(key)
            self.changed[key] = None
        return was_there


class MemoryFeed:
    """Tells one listener, on its own loop, of the changes of a table."""

    def __init__(self, table: Table, prefix: bytes, on_change: OnChange) -> None:
        self.is_live = True
        self._table = table
        self._prefix = prefix
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        with table.lock:
            table.feeds.append(self)

    def hear(self, keys: Iterable[bytes]) -> None:
        """Take note of changes, in whatever thread they were made."""
        mine = [key for key in keys if key.startswith(self._prefix)]
        if mine:
            self._tell(mine)

    def lose(self) -> None:
        """Hear no more, as the store is closed, and say so."""
        if self.is_live:
            self._stop()
            self._tell(None)

    async def aclose(self) -> None:
        """Listen no more."""
        self._is_closed = True
        self._stop()

    def _stop(self) -> None:
        self.is_live = False
        with self._table.lock:
            if self in self._table.feeds:
                self._table.feeds.remove(self)

    def _tell(self, keys: Iterable[bytes] | None) -> None:
        if asyncio.get_running_loop() is self._loop:
            self._deliver(keys)
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, keys, context=contextvars.Context())
        except RuntimeError:  # its loop is closed: nobody listens
            self._stop()

    def _deliver(self, keys: Iterable[bytes] | None) -> None:
        if self._is_closed:
            return
        try:
            self._on_change(keys)
        except Exception as error:  # it is no concern of whoever has made the change
            self._loop.call_exception_handler({"message": "a listener of a store failed", "exception": error})
