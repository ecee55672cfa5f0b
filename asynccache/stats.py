"""What a cache has counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asynccache.protocols import EvictionCause


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStats:
    """A snapshot of a cache's counters, since it was made or last cleared."""

    hits: int
    """Calls answered by a stored value."""
    misses: int
    """Calls that started a load."""
    coalesced: int
    """Calls that joined a load which another had started."""
    loads: int
    """Loads that gave a value."""
    failures: int
    """Loads that did not, cancelled ones included."""
    abandoned: int
    """Loads that were cancelled because nobody waited any more."""
    evictions: Mapping[EvictionCause, int]
    """Entries that have left, by cause; `EvictionCause.CAPACITY` are the evictions."""
    callback_errors: int
    """Exceptions that listeners, weighers and functions given as options raised."""
    in_flight: int
    """Loads under way."""
    size: int
    """Entries stored, among them expired ones that have not been swept yet."""
    weight: float
    """What they weigh together; their number, without a weigher."""
    sweeper_alive: bool
    """Whether a sweep is planned or under way."""


def total(parts: Sequence[CacheStats]) -> CacheStats:
    """Add up the counters of several stores."""
    evictions: Counter[EvictionCause] = Counter()
    for part in parts:
        evictions.update(part.evictions)
    return CacheStats(
        hits=sum(part.hits for part in parts),
        misses=sum(part.misses for part in parts),
        coalesced=sum(part.coalesced for part in parts),
        loads=sum(part.loads for part in parts),
        failures=sum(part.failures for part in parts),
        abandoned=sum(part.abandoned for part in parts),
        evictions=dict(evictions),
        callback_errors=sum(part.callback_errors for part in parts),
        in_flight=sum(part.in_flight for part in parts),
        size=sum(part.size for part in parts),
        weight=sum(part.weight for part in parts),
        sweeper_alive=any(part.sweeper_alive for part in parts),
    )
