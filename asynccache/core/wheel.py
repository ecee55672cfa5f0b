"""The expiry wheel: "what may be due by now?", in O(1) an entry.

Each key lies in a bucket that covers a stretch of time, narrow if the deadline is near, wide if it is far: never wider
than an eighth of the time left. A bucket is handed out when its whole stretch has passed, so a key comes at most that
much late and never early. That is the non-cascading wheel that Linux uses for its timers (T. Gleixner, "timers: Switch
to a non-cascading wheel", 2016): lateness is harmless here, as expiry is checked at every read and the wheel only
frees memory.

The wheel holds keys, not entries, and is told of no removal and no extension: what comes out is looked at by the owner,
who drops a key that is gone and puts back one whose deadline has moved. So removal costs nothing, a removed value is
not held in memory, and what gathers of removed keys is taken away by `tidy`.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")

_FINEST = 1 / 128
"""Width of the narrowest bucket, in seconds."""
_SHARE = 8
"""A bucket is at most this part of the time left when a key is put in it."""


class Bucket(Generic[K]):
    """The keys whose deadlines lie in one stretch of time."""

    __slots__ = ("end", "keys")

    def __init__(self, end: float) -> None:
        self.end = end
        self.keys: deque[K] = deque()

    def __lt__(self, other: "Bucket[K]") -> bool:
        return self.end < other.end


class _Tidying(Generic[K]):
    """How far the tidying of one bucket is: `left` keys are still to be looked at; those that stay go to the end."""

    __slots__ = ("bucket", "left", "seen")

    def __init__(self, bucket: Bucket[K]) -> None:
        self.bucket = bucket
        self.seen: set[K] = set()
        self.left = len(bucket.keys)

    def drops_next(self, is_live: Callable[[K], bool]) -> bool:
        """Look at one key; tell whether it was dropped."""
        self.left -= 1
        key = self.bucket.keys.popleft()
        if key in self.seen or not is_live(key):
            return True
        self.seen.add(key)
        self.bucket.keys.append(key)
        return False


class ExpiryWheel(Generic[K]):
    """Keys by the time at which they expire.

    Its size is what it holds, rubbish included.
    """

    __slots__ = ("_buckets", "_opened", "_order", "_untidy", "size")

    def __init__(self) -> None:
        self._buckets: dict[float, Bucket[K]] = {}
        self._order: list[Bucket[K]] = []
        self._opened: Bucket[K] | None = None
        self._untidy: list[_Tidying[K]] = []
        self.size = 0

    def add(self, key: K, deadline: float, now: float) -> None:
        """Put `key` where it comes out at `deadline` (seconds on the owner's clock) or a little later."""
        self.size += 1
        end = _end_of_stretch(deadline, now)
        bucket = self._buckets.get(end)
        if bucket is None:
            bucket = self._buckets[end] = Bucket(end)
            heapq.heappush(self._order, bucket)
        bucket.keys.append(key)

    def next_due(self) -> float:
        """Tell when the next bucket comes out, in seconds on the owner's clock; infinity if there is none."""
        if self._opened is not None:
            return -math.inf
        return self._order[0].end if self._order else math.inf

    def due(self, now: float) -> Iterator[K]:
        """Take out, one by one, the keys of all buckets that are over at `now`.

        Whoever stops half-way leaves the rest for the next call.
        """
        while True:
            bucket = self._opened
            if bucket is None:
                if not self._order or self._order[0].end > now:
                    return
                bucket = self._opened = heapq.heappop(self._order)
                del self._buckets[bucket.end]
            keys = bucket.keys
            while keys:
                self.size -= 1
                yield keys.popleft()
                if self._opened is not bucket:  # cleared meanwhile
                    return
            self._opened = None

    def tidy(self, is_live: Callable[[K], bool]) -> Iterator[None]:
        """Drop keys that are gone or stand twice in a bucket, one look at each turn of the iterator.

        Whoever stops half-way leaves the rest for the next call; meanwhile the wheel can be used as ever.
        """
        if not self._untidy:
            self._untidy = [_Tidying(bucket) for bucket in self._order]
        while self._untidy:
            work = self._untidy[-1]
            # A bucket that comes out meanwhile is left alone: its owner looks at each of its keys anyway.
            if work.left and self._buckets.get(work.bucket.end) is work.bucket:
                self.size -= work.drops_next(is_live)
                yield
            else:
                self._untidy.pop()

    @property
    def is_tidying(self) -> bool:
        """Whether a `tidy` was left half-way."""
        return bool(self._untidy)

    def clear(self) -> None:
        """Forget all keys."""
        self._buckets.clear()
        self._order.clear()
        self._untidy.clear()
        self._opened = None
        self.size = 0


def _end_of_stretch(deadline: float, now: float) -> float:
    """The end of the bucket for a deadline: its width is a power of two, so that neighbours share it."""
    left = deadline - now
    width = _FINEST
    if left > _FINEST * _SHARE:
        width = math.ldexp(1.0, math.frexp(left / _SHARE)[1] - 1)
    return (math.floor(deadline / width) + 1) * width
