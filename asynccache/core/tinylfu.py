"""W-TinyLFU: a newcomer passes through a small window, and then must be asked for more often than what it would
displace. After Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", 2017.

Decides the three parts and how entries move between them: the window and the main part's probation and protected
segment, each in order of last use. Decides also which uses count, and when counts fade. How often keys were asked for
is estimated in `sketch.py`.

Until the cache is full for the first time nothing has to go, and recency is all there is to know: the three parts
are then one list in order of last use, cut in two places. So a cache starts as an exact LRU would leave it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V
from asynccache.core.entry_queue import NOWHERE, QueuedEntry
from asynccache.core.segment import Segment
from asynccache.core.sketch import Frequencies, FrequencySketch

_WINDOW: Final = 1
_PROBATION: Final = 2
_PROTECTED: Final = 3

_LEAST_PLACES: Final = 64
"""Keys that the sketch is meant for at first; it grows with the cache."""

_ROUNDING: Final = 1e-9
"""Less than any weight that matters, and more than the error of a product."""


class TinyLFUCache(BoundedCache[K, V]):
    """Evicts what is asked for less often, by an estimate that covers keys not stored too and fades with time.

    Counted are: a key that is put, the same when it leaves the window, and each hit after that. Hits in the window are
    not: many uses in a row tell little about the time after.

    The defaults are chosen for their hit ratio. To hit as often as the simulator libCacheSim (0.3.5) does, make
    `sample` 32, `lapse` True, and `sketch` a `CountingFilter` for as many keys as are not in the window, with the
    simulator's hash function: `benchmarks/hit_ratios.py` does so.

    Args:
        maxsize, max_weight, weigher: those of `BoundedCache`.
        window: the share of the cache for newcomers, from 0 to 1; at least one entry. The paper's 1% suits searches and
            databases, 10% does better over a mix of traces.
        protected: the share of the rest for entries used again since they left the window, from 0 to 1.
        sample: counts are halved after so many hits outside of the window for each place there. With 3, what is popular
            may change; where it never does, 10 and more hit a little more often.
        lapse: whether a hit on probation makes the oldest there go next without comparison, unless it is asked for
            before: then it starts anew. Only where the two segments, rounded down, leave a place over: as in
            libCacheSim, for comparison with which it is there.
        sketch: the table of counters, for this cache alone; None makes a `FrequencySketch` that grows with the cache.

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
        sample: float = 3,
        lapse: bool = False,
        sketch: Frequencies | None = None,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        _check_share("window", window)
        _check_share("protected", protected)
        _check_sample(sample)
        self._set_limits(window, protected)
        self._sample = sample
        self._lapse = lapse
        self._sketch: Frequencies = FrequencySketch(_LEAST_PLACES) if sketch is None else sketch
        self._arriving: float = 1
        self._start()

    def _set_limits(self, window: float, protected: float) -> None:
        size = self._size_limit if self._max_weight is None else self._max_weight
        if self._max_weight is not None:
            window_limit = size * window
        else:
            window_limit = size if self._maxsize is None else max(1, int(self._maxsize * window))
        self._main_limit = main = size - window_limit if size > window_limit else 0
        self._window: Segment[K, V] = Segment(_WINDOW, window_limit)
        # What is lost in rounding belongs to none of the two. A little is added, as 1 - 0.8 is less than 0.2.
        self._probation: Segment[K, V] = Segment(_PROBATION, (main * (1 - protected) + _ROUNDING) // 1)
        self._protected: Segment[K, V] = Segment(_PROTECTED, (main * protected + _ROUNDING) // 1)

    def _start(self) -> None:
        self._filling = True
        self._lapsed = False
        self._left: float = 0

    def touch(self, entry: Entry[K, V]) -> None:
        """Count a use, and make the entry the last used of its segment; nothing happens to one that has gone."""
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        place = queued.place
        if place == NOWHERE:
            return
        if place == _WINDOW:
            self._window.entries.move_to_end(queued.key)
        elif self._filling:
            self._segment(queued).remove(queued)
            self._put_first(queued)
        elif place == _PROTECTED:
            self._protected.entries.move_to_end(queued.key)
            self._count_hit(queued)
        elif self._lapsed and queued is self._probation.oldest():
            self._lapsed = False
            self._probation.remove(queued)
            self._sketch.add(hash(queued.key))
            queued.visits = 0
            self._window.add(queued)
        else:
            self._protect(queued)
            self._count_hit(queued)

    def admit(self, entry: Entry[K, V]) -> Sequence[Entry[K, V]]:
        """Store a new entry whose key is absent and whose weight fits; return those evicted to make room."""
        self._arriving = entry.weight
        evicted = super().admit(entry)
        self._arriving = 1
        return evicted

    def _put_first(self, entry: QueuedEntry[K, V]) -> None:
        """Make an entry the last used of all, as long as the three parts are one list."""
        window, protected = self._window, self._protected
        window.add(entry)
        while window.weight > window.limit and len(window.entries) > 1:
            leaving = window.oldest()
            window.remove(leaving)
            protected.add(leaving)
            if not leaving.visits:
                leaving.visits = 1
                self._sketch.add(hash(leaving.key))
        self._demote()

    def _end_filling(self) -> None:
        self._filling = False
        self._set_period()
        probation, protected = self._probation, self._protected
        if self._lapse and protected.entries and probation.weight > probation.limit:
            # The place left over by rounding is that of the newest, not of one in the middle.
            newest, middle = protected.newest(), probation.newest()
            protected.remove(newest)
            probation.remove(middle)
            protected.add(middle)
            protected.entries.move_to_end(middle.key, last=False)
            probation.add(newest)
            self._demote()

    def _set_period(self) -> None:
        there = len(self._probation.entries) + len(self._protected.entries)
        self._left = self._sample * max(self._main_limit if self._max_weight is None else there, 1)

    def _count_hit(self, entry: QueuedEntry[K, V]) -> None:
        self._sketch.add(hash(entry.key))
        self._left -= 1
        if self._left <= 0:
            self._sketch.halve()
            self._set_period()

    def _protect(self, entry: QueuedEntry[K, V]) -> None:
        self._probation.remove(entry)
        self._protected.add(entry)
        self._demote()
        if self._lapse and self._probation.weight > self._probation.limit:
            self._lapsed = True

    def _demote(self) -> None:
        """Send what is too much in the protected segment to probation."""
        protected = self._protected
        while protected.weight > protected.limit and protected.entries:
            entry = protected.oldest()
            protected.remove(entry)
            self._probation.add(entry)

    def _link(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        queued.visits = 0
        self._sketch.add(hash(queued.key))
        if self._filling:
            self._put_first(queued)
        else:
            self._use_up_room()
            self._window.add(queued)
        self._grow_sketch()

    def _unlink(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        if self._lapsed and queued.place == _PROBATION and queued is self._probation.oldest():
            self._lapsed = False
        self._segment(queued).remove(queued)

    def _use_up_room(self) -> None:
        """Let what is too much in the window go on as far as the main part has room."""
        window = self._window
        while window.weight > window.limit and len(window.entries) > 1:
            entry = window.oldest()
            if self._probation.weight + self._protected.weight + entry.weight > self._main_limit:
                return
            window.remove(entry)
            self._go_on(entry)

    def _go_on(self, entry: QueuedEntry[K, V]) -> None:
        """Put an entry that left the window into the main part."""
        self._count_leaving(entry)
        probation, protected = self._probation, self._protected
        full = probation.weight + entry.weight > probation.limit
        (protected if full and protected.weight + entry.weight <= protected.limit else probation).add(entry)

    def _count_leaving(self, entry: QueuedEntry[K, V]) -> None:
        if not entry.visits:
            self._sketch.add(hash(entry.key))
        entry.visits = 0

    def _victim(self) -> Entry[K, V]:
        if self._filling and self._full():
            self._end_filling()
        if self._filling:
            parts = (self._probation, self._protected, self._window)
            victim = next(part.oldest() for part in parts if part.entries)
        elif self._lapsed:
            self._lapsed = False
            victim = self._probation.oldest()
        else:
            self._use_up_room()
            victim = self._contest()
        if victim.place != NOWHERE:
            self._segment(victim).remove(victim)
        return victim

    def _full(self) -> bool:
        return len(self.entries) >= self._size_limit or self._weight + self._arriving > self._weight_limit

    def _contest(self) -> QueuedEntry[K, V]:
        """Choose between the oldest of the window, if it must leave that now, and the oldest of the main part.

        If the former wins, it takes its place in the main part.
        """
        main = self._probation.entries or self._protected.entries
        if not main:
            return self._window.oldest()
        defender = next(iter(main.values()))
        if not self._window.entries or self._window.weight + self._arriving <= self._window.limit:
            return defender
        candidate = self._window.oldest()
        estimate = self._sketch.estimate
        if estimate(hash(candidate.key)) <= estimate(hash(defender.key)):
            self._count_leaving(candidate)
            return candidate
        self._segment(defender).remove(defender)
        self._window.remove(candidate)
        self._go_on(candidate)
        return defender

    def _segment(self, entry: QueuedEntry[K, V]) -> Segment[K, V]:
        if entry.place == _WINDOW:
            return self._window
        return self._probation if entry.place == _PROBATION else self._protected

    def _reweigh(self, entry: Entry[K, V], weight: float) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        self._segment(queued).weight += weight - entry.weight
        super()._reweigh(entry, weight)
        self._demote()

    def _grow_sketch(self) -> None:
        size = len(self.entries) - len(self._window.entries)
        if size > self._sketch.places:
            self._sketch.grow(size * 2 if self._maxsize is None else min(size * 2, self._maxsize))

    def _unlink_all(self) -> None:
        for segment in (self._window, self._probation, self._protected):
            segment.clear()
        self._sketch.clear()
        self._start()


def _check_share(name: str, share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"{name} must be a share of the cache, a number, not {share!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be a share of the cache, from 0 to 1, not {share!r}")


def _check_sample(sample: object) -> None:
    if isinstance(sample, bool) or not isinstance(sample, int | float):
        raise TypeError(f"sample must be a number of hits for each entry, not {sample!r}")
    if not 0 < sample < math.inf:
        raise ValueError(f"sample must be a number of hits for each entry, more than 0, not {sample!r}")
