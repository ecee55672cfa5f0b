"""First in, first out: the entry that has been there longest goes, used or not.

Decides that putting over an existing key is a new arrival; the rest is a queue.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V
from asynccache.core.entry_queue import EntryQueue, QueuedEntry


class FIFOCache(BoundedCache[K, V]):
    """Evicts what was put first. A read changes nothing; putting over a key makes it the newest.

    Args, Raises: those of `BoundedCache`.
    """

    entry_type = QueuedEntry
    hit_source: ClassVar[str] = ""
    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_queue")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        self._queue: EntryQueue[K, V] = EntryQueue(place=1)

    def replace(self, entry: Entry[K, V], value: V, weight: float) -> Sequence[Entry[K, V]]:
        """Put a new entry in the place of a stored one, as the newest; return those evicted to make room for it."""
        successor = type(entry)(entry.key, value, weight)
        successor.deadline = entry.deadline
        self.remove(entry)
        return self.admit(successor)

    def _link(self, entry: Entry[K, V]) -> None:
        self._queue.append(entry)

    def _unlink(self, entry: Entry[K, V]) -> None:
        self._queue.remove(entry)

    def _victim(self) -> Entry[K, V]:
        return self._queue.popleft()

    def _unlink_all(self) -> None:
        self._queue.clear()
