"""Least frequently used: the entry with the fewest uses goes, and of several such the one that reached its count first.

Decides how uses are counted (an arrival is the first, a read or an update one more) and how the fewest are found in
constant time: entries of equal count share a bucket, and buckets name their neighbours by number, so that nothing
here refers back to what holds it. After Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache
eviction scheme", 2010.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Generic

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V

_ROOT: Final = 0
"""The count of the bucket that closes the ring of buckets, and of an entry that is in no bucket."""


class _Bucket(Generic[K, V]):
    """The entries of one count, in order of arrival, and the next counts in use below and above it."""

    __slots__ = ("entries", "higher", "lower")

    def __init__(self, lower: int = _ROOT, higher: int = _ROOT) -> None:
        self.entries: OrderedDict[K, Entry[K, V]] = OrderedDict()
        self.lower = lower
        self.higher = higher


class LFUCache(BoundedCache[K, V]):
    """Evicts what has been used least often since it came; the count of a key is lost when it goes.

    Without ageing, what was popular once stays for long: prefer `TinyLFUCache` or `S3FIFOCache` unless the textbook
    is wanted.

    Args, Raises: those of `BoundedCache`.
    """

    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_buckets")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        self._buckets: dict[int, _Bucket[K, V]] = {_ROOT: _Bucket()}
        self._spared: Entry[K, V] | None = None

    def touch(self, entry: Entry[K, V]) -> None:
        """Count a use; nothing happens to an entry that has gone."""
        count = entry.visits
        if count == _ROOT:
            return
        del self._buckets[count].entries[entry.key]
        self._insert(entry, count + 1, after=count)
        if not self._buckets[count].entries:
            self._drop(count)

    def replace(self, entry: Entry[K, V], value: V, weight: float) -> Sequence[Entry[K, V]]:
        """Give a stored entry a new value whose weight fits, and count a use; return those evicted for it."""
        self.touch(entry)
        evicted: list[Entry[K, V]] = []
        self._spared = entry
        while len(self.entries) > 1 and self._weight - entry.weight + weight > self._weight_limit:
            evicted.append(self.evict())
        self._spared = None
        self._weight = self._weight - entry.weight + weight if len(self.entries) > 1 else weight
        entry.weight = weight
        entry.value = value
        return evicted

    def _link(self, entry: Entry[K, V]) -> None:
        self._insert(entry, 1, after=_ROOT)

    def _unlink(self, entry: Entry[K, V]) -> None:
        count = entry.visits
        bucket = self._buckets[count]
        del bucket.entries[entry.key]
        entry.visits = _ROOT
        if not bucket.entries:
            self._drop(count)

    def _victim(self) -> Entry[K, V]:
        victim = self._first_above(_ROOT)
        self._unlink(victim)
        return victim

    def _unlink_all(self) -> None:
        for entry in self.entries.values():
            entry.visits = _ROOT
        self._buckets = {_ROOT: _Bucket()}

    def _first_above(self, count: int) -> Entry[K, V]:
        """Find the entry of the lowest count above `count` that came first, passing over the spared one."""
        count = self._buckets[count].higher
        for entry in self._buckets[count].entries.values():
            if entry is not self._spared:
                return entry
        return self._first_above(count)  # the spared entry was alone: there is a next bucket, as others are left

    def _insert(self, entry: Entry[K, V], count: int, after: int) -> None:
        bucket = self._buckets.get(count)
        if bucket is None:
            below = self._buckets[after]
            bucket = self._buckets[count] = _Bucket(after, below.higher)
            self._buckets[below.higher].lower = count
            below.higher = count
        bucket.entries[entry.key] = entry
        entry.visits = count

    def _drop(self, count: int) -> None:
        bucket = self._buckets.pop(count)
        self._buckets[bucket.lower].higher = bucket.higher
        self._buckets[bucket.higher].lower = bucket.lower
