"""SIEVE: a hand goes over a queue from old to new, spares what was used since it last came by, and evicts the first
that was not. After Zhang et al., "SIEVE is simpler than LRU", NSDI 2024.

Decides how the hand is kept: the queue is cut in two where the hand stands, `_passed` older and `_ahead` newer, and
both are first-in-first-out. When nothing is ahead the hand is back at the oldest.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V
from asynccache.core.entry_queue import EntryQueue, QueuedEntry

_SCAN_LIMIT: Final = 8192
"""Entries the hand may spare in one go, about 2 ms: a million entries all used must not hold up an event loop. The
next one goes, used or not. A cache of fewer entries never gets there."""


class SieveCache(BoundedCache[K, V]):
    """Evicts what was not used between two visits of the hand.

    Args, Raises: those of `BoundedCache`.
    """

    entry_type = QueuedEntry
    hit_source: ClassVar[str] = "entry.visits = 1"
    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_passed", "_ahead")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        self._passed: EntryQueue[K, V] = EntryQueue(place=1)
        self._ahead: EntryQueue[K, V] = EntryQueue(place=2)

    def touch(self, entry: Entry[K, V]) -> None:
        """Mark the entry as used."""
        entry.visits = 1

    def _link(self, entry: Entry[K, V]) -> None:
        self._ahead.append(entry)

    def _unlink(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        (self._ahead if queued.place == self._ahead.place else self._passed).remove(queued)
        self._turn_back_at_the_end()

    def _victim(self) -> Entry[K, V]:
        victim = self._ahead.popleft()
        for _ in range(_SCAN_LIMIT):
            if not victim.visits:
                break
            victim.visits = 0
            self._passed.append(victim)
            self._turn_back_at_the_end()
            victim = self._ahead.popleft()
        self._turn_back_at_the_end()
        return victim

    def _unlink_all(self) -> None:
        self._passed.clear()
        self._ahead.clear()

    def _turn_back_at_the_end(self) -> None:
        if not self._ahead.size:
            self._passed, self._ahead = self._ahead, self._passed
