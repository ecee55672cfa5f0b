"""Greedy dual size frequency: what is cheap to compute again, heavy and seldom used goes first.
After Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy", 1998: an entry's
priority is the clock at its last use + uses * cost / weight, and the clock is the priority of what went last.

Decides how the least priority is found without a heap of all entries, as in Ghandeharizadeh, Irani, Lam and Yap,
"CAMP: a cost adaptive multi-queue eviction policy", Middleware 2014: the ratio uses * cost / weight is rounded to a
few significant bits, entries of one rounded ratio form a queue in order of last use, which is the order of their
priorities as the clock never goes back, and a heap holds the few queues.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V

_SIGNIFICANT: Final = 1 << 5
"""Five bits of a ratio are kept, so that it is at most 1/16 too low. More queues gain nothing (CAMP, section 4)."""

_LEAST_WEIGHT: Final = 2.0**-20
"""What an entry of weight 0 is taken for: a ratio must stay finite."""

_GONE: Final = -1.0


class _PricedEntry(Entry[K, V]):
    """An entry with its cost, its rounded ratio (that of its queue) and its priority."""

    __slots__ = ("cost", "priority", "ratio")

    cost: float
    priority: float
    ratio: float

    def __init__(self, key: K, value: V, weight: float = 1) -> None:
        super().__init__(key, value, weight)
        self.cost = 1
        self.priority = 0
        self.ratio = _GONE


class GDSFCache(BoundedCache[K, V]):
    """Evicts what costs least to lose for the room it takes, and lets old fame fade.

    Args:
        maxsize, max_weight, weigher: those of `BoundedCache`.
        cost: a function of key and value that tells what computing the value again would cost, a finite number above
            0 in any unit; without it, all cost the same.

    Raises:
        TypeError, ValueError: those of `BoundedCache`; `cost` is not callable.
    """

    entry_type: ClassVar[type[Entry[Any, Any]]] = _PricedEntry
    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_queues", "_heap")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
        cost: Callable[[K, V], float] | None = None,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        if cost is not None and not callable(cost):
            raise TypeError(f"cost must be a function of key and value, not {cost!r}")
        self._cost = cost
        self._clock = 0.0
        self._queues: dict[float, OrderedDict[K, _PricedEntry[K, V]]] = {}
        # One pair of priority and ratio for each queue. The priority is that of the queue's first entry, or lower
        # where that entry has gone: it is put right when the pair comes up.
        self._heap: list[tuple[float, float]] = []

    def touch(self, entry: Entry[K, V]) -> None:
        """Count a use; nothing happens to an entry that has gone."""
        priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        if priced.ratio != _GONE:
            del self._queues[priced.ratio][priced.key]
            self._enqueue(priced)

    def admit(self, entry: Entry[K, V]) -> Sequence[Entry[K, V]]:
        """Store a new entry whose key is absent and whose weight fits; return those evicted to make room.

        Raises:
            ValueError: the cost is not a finite number above 0; nothing has changed.
            Exception: whatever `cost` raises; nothing has changed.
        """
        priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        priced.cost = self._price(entry.key, entry.value)
        return super().admit(entry)

    def replace(self, entry: Entry[K, V], value: V, weight: float) -> Sequence[Entry[K, V]]:
        """Give a stored entry a new value whose weight fits, and count a use; return those evicted for it.

        Raises:
            ValueError: the cost is not a finite number above 0; nothing has changed.
            Exception: whatever `cost` raises; nothing has changed.
        """
        priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        priced.cost = self._price(entry.key, value)
        return super().replace(entry, value, weight)

    def _price(self, key: K, value: V) -> float:
        if self._cost is None:
            return 1
        cost = self._cost(key, value)
        if not 0 < cost < math.inf:
            raise ValueError(f"cost must give a finite number above 0, not {cost!r}")
        return cost

    def _link(self, entry: Entry[K, V]) -> None:
        priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        self._enqueue(priced)

    def _enqueue(self, entry: _PricedEntry[K, V]) -> None:
        entry.visits += 1
        ratio = round_down(entry.visits * entry.cost / max(entry.weight, _LEAST_WEIGHT))
        entry.ratio = ratio
        entry.priority = self._clock + ratio
        queue = self._queues.get(ratio)
        if queue is None:
            queue = self._queues[ratio] = OrderedDict()
            heapq.heappush(self._heap, (entry.priority, ratio))
        queue[entry.key] = entry

    def _unlink(self, entry: Entry[K, V]) -> None:
        priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        del self._queues[priced.ratio][priced.key]
        priced.ratio = _GONE

    def _victim(self) -> Entry[K, V]:
        while True:
            priority, ratio = self._heap[0]
            queue = self._queues[ratio]
            if not queue:
                heapq.heappop(self._heap)
                del self._queues[ratio]
                continue
            victim = next(iter(queue.values()))
            if victim.priority == priority:
                self._clock = priority
                self._unlink(victim)
                return victim
            heapq.heapreplace(self._heap, (victim.priority, ratio))

    def _unlink_all(self) -> None:
        for entry in self.entries.values():
            priced: _PricedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
            priced.ratio = _GONE
        self._queues.clear()
        self._heap.clear()
        self._clock = 0.0


def round_down(ratio: float) -> float:
    """Keep the first five significant bits of a ratio."""
    mantissa, exponent = math.frexp(ratio)
    return math.ldexp(math.floor(mantissa * _SIGNIFICANT), exponent - 5)
