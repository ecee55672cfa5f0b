"""The store in this process: the whole contract, as plainly as it can be kept.

Decides what every promise of the contract means where nothing can fail. Stores of one name share what they keep, which
is forgotten with the last of them. There is no task and no timer: what has expired is taken away little by little, by
whatever is written next.
"""

import itertools
import threading
import time
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Self

from asynccache.errors import StoreUnavailable
from asynccache.protocols import Clock
from asynccache.stores.contract import Item, OnChange
from asynccache.stores.memory.table import Change, MemoryFeed, Table
from asynccache.stores.urls import StoreUrl, seconds, size

_SCANNED_AT_ONCE: Final = 512


class MemoryStore:
    """Keeps bytes in this process. For any number of event loops and threads.

    Implements `Store`, `SupportsConditions`, `SupportsCounters`, `SupportsScan` and `SupportsFeed`.

    Args:
        name: stores of one name share what they keep; None for a store of its own.
        max_bytes: of keys and values together, without what Python adds to each. What was not read or written for the
            longest time has to go. None for no limit. Counters are not counted.
        clock: tells the time in seconds, for what expires.

    Raises:
        ValueError: `max_bytes` is no positive number, or not that of the stores that have this name already.
    """

    def __init__(self, name: str | None = None, *, max_bytes: int | None = None, clock: Clock = time.monotonic) -> None:
        if max_bytes is not None and max_bytes <= 0:
            raise ValueError(f"max_bytes must be a positive number of bytes or None, not {max_bytes!r}")
        self.name = "memory" if name is None else f"memory://{name}"
        self.is_closed = False
        self._table = Table(max_bytes, clock) if name is None else _table_of(name, max_bytes, clock)
        self._feeds: weakref.WeakSet[MemoryFeed] = weakref.WeakSet()

    @classmethod
    def from_url(cls, url: StoreUrl) -> "MemoryStore":
        """Make the store of `memory://name`, which may say `?max_bytes=64MB`. A `timeout` is not needed, nor refused.

        Raises:
            ValueError: the URL says something else.
        """
        given = url.parameters(max_bytes=size, timeout=seconds)
        is_name = len(url.hosts) <= 1 and all(port is None for _, port in url.hosts)
        if not is_name or url.path not in {"", "/"} or url.username is not None or url.password is not None:
            raise ValueError("the URL of a store in memory is memory:// or memory://name")
        return cls(url.hosts[0][0] if url.hosts else None, max_bytes=given.get("max_bytes"))

    def __repr__(self) -> str:
        return f"<MemoryStore {self.name}>"

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others."""
        table = self._open_table()
        found: dict[bytes, bytes] = {}
        with table.lock:
            now = table.clock()
            for key in keys:
                value = table.items.read(key, now)
                if value is not None:
                    found[key] = value
        return found

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these. A ttl of 0 or less deletes."""
        with Change(self._open_table()) as change:
            for key, item in items.items():
                change.put(key, item)

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were."""
        with Change(self._open_table()) as change:
            return sum(change.delete(key) for key in keys)

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already; tell whether it was kept."""
        with Change(self._open_table()) as change:
            if change.present(key) is not None:
                return False
            change.put(key, item)
            return True

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one that begins with `expected`; tell whether there was such a one."""
        with Change(self._open_table()) as change:
            present = change.present(key)
            if present is None or not present.startswith(expected):
                return False
            change.put(key, item)
            return True

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item that begins with `expected`; tell whether there was such a one."""
        with Change(self._open_table()) as change:
            present = change.present(key)
            return present is not None and present.startswith(expected) and change.delete(key)

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter that begins at 0, and give the sum. Counters are apart from items."""
        with Change(self._open_table()) as change:
            counters = change.table.counters
            total = int(counters.read(key, change.now) or b"0") + 1
            counters.put(key, Item(b"%d" % total, ttl), change.now)
            counters.sweep(change.now, brought=1)
            return total

    async def scan(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """Give all keys that begin with `prefix`, some at a time."""
        table = self._open_table()
        with table.lock:
            keys = iter(list(table.items.kept))
        while some := list(itertools.islice(keys, _SCANNED_AT_ONCE)):
            now = self._open_table().clock()
            with table.lock:
                found = [key for key in some if key.startswith(prefix) and table.items.peek(key, now) is not None]
            if found:
                yield found

    async def listen(self, prefix: bytes, on_change: OnChange) -> "MemoryFeed":
        """Listen for changes of keys that begin with `prefix`, whoever makes them; live at once."""
        feed = MemoryFeed(self._open_table(), prefix, on_change)
        self._feeds.add(feed)
        return feed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ask no more: calls that come later fail. What is kept is still there for others of this name."""
        self.is_closed = True
        for feed in list(self._feeds):
            feed.lose()

    def _open_table(self) -> "Table":
        if self.is_closed:
            raise StoreUnavailable(f"{self.name} is closed")
        return self._table


_named: "weakref.WeakValueDictionary[str, Table]" = weakref.WeakValueDictionary()
_naming: Final = threading.Lock()


def _table_of(name: str, max_bytes: int | None, clock: Clock) -> Table:
    with _naming:
        table = _named.get(name)
        if table is None:
            table = _named[name] = Table(max_bytes, clock)
        if max_bytes is not None and max_bytes != table.max_bytes:
            raise ValueError(
                f"memory://{name} is there already, with max_bytes={table.max_bytes!r}: say that or nothing"
            )
        return table
