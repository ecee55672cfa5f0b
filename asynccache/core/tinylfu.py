"""W-TinyLFU: a newcomer passes through a small window, and then must be asked for more often than what it would
displace. After Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", 2017.

Decides the three parts and how entries move between them: the window and the main part's probation and protected
segment, each in order of last use. How often keys are asked for is estimated in `sketch.py`.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Generic

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V
from asynccache.core.entry_queue import NOWHERE, QueuedEntry
from asynccache.core.sketch import FrequencySketch

_WINDOW: Final = 1
_PROBATION: Final = 2
_PROTECTED: Final = 3

_LEAST_PLACES: Final = 64
"""Keys that the sketch is meant for at first; it grows with the cache."""


class _Segment(Generic[K, V]):
    """Entries in order of last use, and what they weigh together."""

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

    def clear(self) -> None:
        """Take all entries out."""
        for entry in self.entries.values():
            entry.place = NOWHERE
        self.entries.clear()
        self.weight = 0


class TinyLFUCache(BoundedCache[K, V]):
    """Evicts what is asked for less often, by an estimate that covers keys not stored too and fades with time.

    Args:
        maxsize, max_weight, weigher: those of `BoundedCache`.
        window: the share of the cache for newcomers, from 0 to 1; at least one entry. The paper's 1% suits searches and
            databases, 10% does better over a mix of traces.
        protected: the share of the rest for entries used again since they left the window, from 0 to 1.

    Raises:
        TypeError, ValueError: an argument that cannot be meant.
    """

    entry_type: ClassVar[type[Entry[Any, Any]]] = QueuedEntry
    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_window", "_probation", "_protected", "_sketch")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
        window: float = 0.1,
        protected: float = 0.8,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        _check_share("window", window)
        _check_share("protected", protected)
        if max_weight is None:
            size = self._size_limit
            window_limit = size if maxsize is None else max(1, int(maxsize * window))
        else:
            size = max_weight
            window_limit = max_weight * window
        main_limit = size - window_limit if size > window_limit else 0
        self._window: _Segment[K, V] = _Segment(_WINDOW, window_limit)
        self._probation: _Segment[K, V] = _Segment(_PROBATION, main_limit)
        self._protected: _Segment[K, V] = _Segment(_PROTECTED, main_limit * protected // 1)
        self._sketch = FrequencySketch(_LEAST_PLACES)
        self._arriving: float = 1

    def touch(self, entry: Entry[K, V]) -> None:
        """Count a use, and make the entry the last used of its segment; nothing happens to one that has gone."""
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        place = queued.place
        if place == NOWHERE:
            return
        self._sketch.add(hash(queued.key))
        if place == _WINDOW:
            self._window.entries.move_to_end(queued.key)
        elif place == _PROTECTED:
            self._protected.entries.move_to_end(queued.key)
        else:
            self._protect(queued)

    def admit(self, entry: Entry[K, V]) -> Sequence[Entry[K, V]]:
        """Store a new entry whose key is absent and whose weight fits; return those evicted to make room."""
        self._arriving = entry.weight
        evicted = super().admit(entry)
        self._arriving = 1
        return evicted

    def _protect(self, entry: QueuedEntry[K, V]) -> None:
        self._probation.remove(entry)
        self._protected.add(entry)
        self._demote()

    def _demote(self) -> None:
        while self._protected.weight > self._protected.limit and self._protected.entries:
            entry = self._protected.oldest()
            self._protected.remove(entry)
            self._probation.add(entry)

    def _link(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        self._sketch.add(hash(queued.key))
        self._grow_sketch()
        self._window.add(queued)
        # What leaves the window here has room in the main part: made by `_victim`, or not yet used up.
        while self._window.weight > self._window.limit and len(self._window.entries) > 1:
            candidate = self._window.oldest()
            self._window.remove(candidate)
            self._probation.add(candidate)

    def _unlink(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        self._segment(queued).remove(queued)

    def _victim(self) -> Entry[K, V]:
        victim = self._contest()
        self._segment(victim).remove(victim)
        return victim

    def _contest(self) -> QueuedEntry[K, V]:
        """Choose between the oldest of the window, if it must leave that now, and the oldest of the main part."""
        main = self._probation.entries or self._protected.entries
        if not main:
            return self._window.oldest()
        defender = next(iter(main.values()))
        if not self._window.entries or self._window.weight + self._arriving <= self._window.limit:
            return defender
        candidate = self._window.oldest()
        estimate = self._sketch.estimate
        return defender if estimate(hash(candidate.key)) > estimate(hash(defender.key)) else candidate

    def _segment(self, entry: QueuedEntry[K, V]) -> _Segment[K, V]:
        if entry.place == _WINDOW:
            return self._window
        return self._probation if entry.place == _PROBATION else self._protected

    def _reweigh(self, entry: Entry[K, V], weight: float) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        self._segment(queued).weight += weight - entry.weight
        super()._reweigh(entry, weight)
        self._demote()

    def _grow_sketch(self) -> None:
        size = len(self.entries)
        if size > self._sketch.places:
            self._sketch.grow(size * 2 if self._maxsize is None else min(size * 2, self._maxsize))

    def _unlink_all(self) -> None:
        for segment in (self._window, self._probation, self._protected):
            segment.clear()
        self._sketch.clear()


def _check_share(name: str, share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"{name} must be a share of the cache, a number, not {share!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be a share of the cache, from 0 to 1, not {share!r}")
