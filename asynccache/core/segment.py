"""A part of a cache whose entries are in order of last use.

Decides how such a part keeps its order and its weight. Who belongs in which part is decided by the policy.
"""

from collections import OrderedDict
from typing import Generic

from asynccache.core.entry import K, V
from asynccache.core.entry_queue import NOWHERE, QueuedEntry


class Segment(Generic[K, V]):
    """Entries in order of last use, and what they weigh together.

    Args:
        place: the number, not 0, that entries in this part carry.
        limit: what they may weigh together; it is kept by the policy, not here.
    """

    __slots__ = ("entries", "limit", "place", "weight")

    def __init__(self, place: int, limit: float) -> None:
        self.place = place
        self.limit = limit
        self.entries: OrderedDict[K, QueuedEntry[K, V]] = OrderedDict()
        self.weight: float = 0

    def add(self, entry: QueuedEntry[K, V]) -> None:
        """Add an entry as the last used."""
        self.entries[entry.key] = entry
        self.weight += entry.weight
        entry.place = self.place

    def remove(self, entry: QueuedEntry[K, V]) -> None:
        """Take an entry out."""
        del self.entries[entry.key]
        entry.place = NOWHERE
        # Sums of floats drift, as in the cache itself.
        self.weight = self.weight - entry.weight if self.entries else 0

    def oldest(self) -> QueuedEntry[K, V]:
        """Find the entry whose last use is longest ago. There is at least one."""
        return next(iter(self.entries.values()))

    def newest(self) -> QueuedEntry[K, V]:
        """Find the entry that was used last. There is at least one."""
        return next(reversed(self.entries.values()))

    def clear(self) -> None:
        """Take all entries out."""
        for entry in self.entries.values():
            entry.place = NOWHERE
        self.entries.clear()
        self.weight = 0
