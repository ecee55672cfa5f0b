"""A first-in-first-out queue of entries, any of which can be taken out at once.

Decides how an entry leaves the middle of a queue: it stays where it is as an empty shell, and shells are cleared away
a few at a time. No call walks the whole queue, so a cache of a million entries does not hold up an event loop. What
the order of a queue means is decided by the policies that use it.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, Generic

from asynccache.core.entry import NEVER, Entry, K, V

NOWHERE: Final = 0
"""The place of an entry that is in no queue."""

_TIDY_STEPS: Final = 4
"""Entries looked at for each removal while shells are in the majority: two would just keep up, four catch up."""


class QueuedEntry(Entry[K, V]):
    """An entry that knows by number which queue holds it: a reference would tie queue and entry into a cycle."""

    __slots__ = ("place",)

    place: int

    def __init__(self, key: K, value: V, weight: float = 1) -> None:
        # Not through super(): every put makes an entry, and the second call is a tenth of its cost.
        self.key = key
        self.value = value
        self.visits = 0
        self.weight = weight
        self.deadline = NEVER
        self.place = NOWHERE


class EntryQueue(Generic[K, V]):
    """Entries in the order of their arrival.

    The order is that of `_front` followed by `_rest`. Usually `_front` is empty; while shells are cleared away it holds
    the part that has been gone through. The very first of both is never a shell. An entry that was removed must not
    be appended again: its shell may still be here.

    Args:
        place: the number, not 0, that entries in this queue carry.

    Attributes:
        size: how many entries there are, which is also `len()`; an attribute is quicker to read on the way to an
            eviction.
    """

    __slots__ = ("_front", "_rest", "_shells", "place", "size")

    def __init__(self, place: int) -> None:
        self.place = place
        self._front: deque[QueuedEntry[K, V]] = deque()
        self._rest: deque[QueuedEntry[K, V]] = deque()
        self._shells = 0
        self.size = 0

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Give a copy or pickle the entries only: shells may hold keys that nobody else does any more."""
        return None, {"place": self.place, "size": self.size, "_front": deque(), "_rest": deque(self), "_shells": 0}

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[QueuedEntry[K, V]]:
        """Go through the entries, oldest first."""
        for part in (self._front, self._rest):
            for entry in part:
                if entry.place:
                    yield entry

    @property
    def shells(self) -> int:
        """How many shells are still to be cleared away."""
        return self._shells

    def append(self, entry: Entry[K, V]) -> None:
        """Add an entry as the newest."""
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as the cache's entry_type says
        queued.place = self.place
        self._rest.append(queued)
        self.size += 1

    def popleft(self) -> QueuedEntry[K, V]:
        """Take out the oldest entry.

        Raises:
            IndexError: the queue is empty.
        """
        entry = (self._front or self._rest).popleft()
        entry.place = NOWHERE
        self.size -= 1
        if self._shells:
            self._drop_oldest_shells()
        return entry

    def remove(self, entry: Entry[K, V]) -> None:
        """Take out an entry that is in this queue, wherever it stands."""
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as the cache's entry_type says
        queued.place = NOWHERE
        self._shells += 1
        self.size -= 1
        if self._shells > self.size:
            self._tidy()
        self._drop_oldest_shells()

    def clear(self) -> None:
        """Take out all entries."""
        self._front.clear()
        self._rest.clear()
        self._shells = 0
        self.size = 0

    def _drop_oldest_shells(self) -> None:
        while self._shells:
            part = self._front or self._rest
            if part[0].place:
                return
            part.popleft()
            self._shells -= 1

    def _tidy(self) -> None:
        for _ in range(_TIDY_STEPS):
            if not self._rest:
                self._front, self._rest = self._rest, self._front
            if not self._rest:
                return
            entry = self._rest.popleft()
            if entry.place:
                self._front.append(entry)
            else:
                self._shells -= 1
