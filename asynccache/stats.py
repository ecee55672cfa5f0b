"""What a cache has counted."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asynccache.protocols import EvictionCause

FINEST: Final = 1024
"""A second has so many units in which loads are timed."""


class LoadCounts:
    """What a cache has counted of its loads, and of the hits that are more than a look-up."""

    __slots__ = (
        "abandoned", "buckets", "cancelled", "coalesced", "failures", "fallbacks", "hits", "loads", "misses",
        "refreshes", "seconds", "stale", "timeouts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.misses = self.coalesced = self.loads = self.failures = self.abandoned = 0
        self.fallbacks = self.cancelled = self.timeouts = self.refreshes = self.hits = self.stale = 0
        self.seconds = 0.0
        self.buckets: defaultdict[int, int] = defaultdict(int)
        """How many loads took so many units, by the number of bits that it takes to say it."""

    def told(self, hits: int) -> dict[str, Any]:
        """Give what `CacheStats` tells of these, with the plain hits, which are counted elsewhere."""
        return {
            "hits": hits + self.hits,
            "misses": self.misses,
            "stale": self.stale + self.fallbacks,
            "coalesced": self.coalesced,
            "loads": self.loads,
            "failures": self.failures,
            "cancelled": self.cancelled,
            "timeouts": self.timeouts,
            "abandoned": self.abandoned,
            "refreshes": self.refreshes,
            "load_seconds": self.seconds,
            "load_times": self.histogram(),
        }

    def histogram(self) -> dict[float, int]:
        """Give the number of loads by the time that they took at most, in seconds; only what is not zero."""
        return {2.0**bits / FINEST: count for bits, count in sorted(self.buckets.items())}


class SharedCounts:
    """What a cache has counted of its store."""

    __slots__ = ("errors", "flushes", "hits", "misses", "refused", "unreadable", "unwritable")

    def __init__(self) -> None:
        self.hits = self.misses = self.errors = self.refused = self.unwritable = self.flushes = 0
        self.unreadable: Counter[str] = Counter()


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedStats:
    """A snapshot of what a cache has counted of its store."""

    hits: int
    """Values that were found there."""
    misses: int
    """Reads that found none, or none that is still valid."""
    errors: int
    """Requests that the store did not answer, or not in time."""
    refused: int
    """Values of loads that were not stored, as something newer was there by then."""
    unreadable: Mapping[str, int]
    """What was found but could not be believed or read, by reason."""
    unwritable: int
    """Values that could not be written as bytes."""
    flushes: int
    """Times that everything in process was dropped, as changes may have been missed."""
    owed: int
    """Invalidations that still have to be sent."""
    behind: int
    """Values that still have to be written."""
    dropped: int
    """Values that were to be written behind and were not: too many, or the store was away at the end."""
    is_coherent: bool
    """Whether all changes are heard of at present."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStats:
    """A snapshot of a cache's counters, since it was made or last cleared."""

    hits: int
    """Calls answered by a stored value that was fresh."""
    stale: int
    """Calls answered by an old value."""
    misses: int
    """Calls that started a load."""
    coalesced: int
    """Calls that joined a load which another had started."""
    loads: int
    """Loads that gave a value."""
    failures: int
    """Loads that did not, cancelled ones and those included that ran out of time."""
    cancelled: int
    """Loads that ended in a cancellation, whoever asked for it."""
    timeouts: int
    """Loads that took longer than their `timeout`."""
    abandoned: int
    """Loads that were cancelled because nobody waited any more."""
    refreshes: int
    """Loads that were started behind, while the old value was served."""
    evictions: Mapping[EvictionCause, int]
    """Entries that have left, by cause."""
    callback_errors: int
    """Exceptions that listeners, weighers and functions given as options raised."""
    notices_dropped: int
    """Notices of evictions that coroutine listeners were too slow to hear, or had no event loop to hear on."""
    in_flight: int
    """Loads under way."""
    size: int
    """Entries stored, among them expired ones that have not been swept yet."""
    weight: float
    """What they weigh together; their number, without a weigher."""
    load_seconds: float
    """How long all loads together took, by the cache's clock."""
    load_times: Mapping[float, int]
    """How many loads took up to so many seconds: a histogram by upper bounds, each twice the one before."""
    sweeper_alive: bool
    """Whether a sweep is planned or under way."""
    shared: SharedStats | None = None
    """What was counted of the store; None where there is none."""


def total(parts: Sequence[CacheStats]) -> CacheStats:
    """Add up the counters of several stores."""
    sums: dict[str, object] = {}
    for name in CacheStats.__dataclass_fields__:
        values = [getattr(part, name) for part in parts]
        if name in ("evictions", "load_times"):
            sums[name] = _added(values)
        elif name == "shared":  # these parts are in process
            sums[name] = None
        else:
            sums[name] = any(values) if name == "sweeper_alive" else sum(values)
    return CacheStats(**sums)  # type: ignore[arg-type]  # each field by its name


def _added(counts: Sequence[Mapping[EvictionCause, int]]) -> dict[EvictionCause, int]:
    added: Counter[EvictionCause] = Counter()
    for count in counts:
        added.update(count)
    return dict(added)
