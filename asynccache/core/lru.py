"""Least recently used: the entry whose last use is longest ago goes.

Decides that the table itself keeps the order, so that a hit is one call into C.
"""

from collections import OrderedDict
from typing import ClassVar

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V


class LRUCache(BoundedCache[K, V]):
    """Evicts what has not been used for the longest time. Reading and writing are uses, peeking is not.

    Args, Raises: those of `BoundedCache`.
    """

    hit_source: ClassVar[str] = "promote(key)"

    entries: OrderedDict[K, Entry[K, V]]  # pyright: ignore[reportIncompatibleVariableOverride]  # set once, by the base

    def _new_table(self) -> OrderedDict[K, Entry[K, V]]:
        return OrderedDict()

    def hit_names(self) -> dict[str, object]:
        """Tell what `promote` stands for in `hit_source`. For a key that has just gone it raises `KeyError`."""
        return {"promote": self.entries.move_to_end}

    def touch(self, entry: Entry[K, V]) -> None:
        """Make the entry the most recently used; `KeyError` if its key has just gone."""
        self.entries.move_to_end(entry.key)

    def _link(self, entry: Entry[K, V]) -> None:
        """Do nothing: a new key is the last in the table already."""

    def _unlink(self, entry: Entry[K, V]) -> None:
        """Do nothing: leaving the table is enough."""

    def _victim(self) -> Entry[K, V]:
        while True:
            try:
                return next(iter(self.entries.values()))
            except RuntimeError:  # a hit in another thread has just moved a key
                continue

    def _unlink_all(self) -> None:
        """Do nothing: leaving the table is enough."""
