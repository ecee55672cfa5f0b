"""What a bounded mapping keeps for one key, where there is more to decide about a value than hit or miss."""

import math
from collections.abc import Callable
from typing import Final, cast

from asynccache.core.entry import NEVER, Entry, K, SlidingEntry, V
from asynccache.core.freshness import Freshness, Verdict
from asynccache.core.generations import Tags, last_invalidated
from asynccache.core.remembered_error import RememberedError


class LastingEntry(SlidingEntry[K, V]):
    """What a checker knows of the entries that `lasting` makes: there is more to decide about them than hit or miss.

    Their `deadline` is the moment from which a read has to think: whether the value is still fresh, to be refreshed
    behind, old but better than nothing, or gone. A remembered error has to be thought about from the beginning.
    """

    __slots__ = ("fresh_until", "freshness", "idle_until", "load_time", "refresh_at", "retry_at", "seen", "tags")

    freshness: Freshness
    """What was promised when it was stored."""
    fresh_until: float
    """The end of its time to live."""
    idle_until: float
    """The moment from which it is gone if nobody reads it."""
    load_time: float
    """How long its load took, in seconds."""
    refresh_at: float
    """The moment from which every read refreshes it."""
    retry_at: float
    """The moment before which its load is not asked again, as it has just failed."""
    tags: Tags
    seen: int
    """The generation at which its tags were last looked at."""


def lasting(entry_type: type[Entry[K, V]]) -> type[LastingEntry[K, V]]:
    """Make a policy's kind of entry one that has all that a `LastingEntry` has."""
    slots = SlidingEntry.__slots__ + LastingEntry.__slots__
    made = type("Lasting" + entry_type.__name__, (entry_type,), {"__slots__": slots})
    return cast("type[LastingEntry[K, V]]", made)


def date(
    entry: LastingEntry[K, V],
    *,
    now: float,
    fresh_until: float,
    freshness: Freshness,
    idle: float | None,
    load_time: float,
    held: float | None = None,
    age: float = 0.0,
) -> None:
    """Say when a value that is stored now has to be thought about, and when it is gone. All times are seconds.

    Args:
        held: after which it is gone, whatever else is promised; None if it is not. Not together with `idle`.
        age: how long ago it was loaded.
    """
    is_error = isinstance(entry.value, RememberedError)
    freshness = _PLAIN if is_error else freshness
    entry.freshness = freshness
    entry.fresh_until = fresh_until
    entry.load_time = load_time
    entry.retry_at = -math.inf
    entry.refresh_at = freshness.refresh_at(now - age, fresh_until)
    entry.idle_until = NEVER if idle is None or is_error else now + idle
    if held is not None:
        entry.idle_until = now + held
    entry.limit = freshness.attention(entry.refresh_at, fresh_until, load_time)
    # The value is there already: a reader in another thread must not take the new one for an old one.
    entry.deadline = -math.inf if is_error else min(entry.limit, entry.idle_until)


def slide(entry: LastingEntry[K, V], now: float, idle: float) -> None:
    """Note that a value was read, where it would go if nobody read it for `idle` seconds."""
    entry.idle_until = now + idle
    entry.deadline = min(entry.limit, entry.idle_until)


def gone_at(entry: LastingEntry[K, V]) -> float:
    """Tell the moment from which a value is not even better than nothing."""
    return min(entry.idle_until, entry.fresh_until + entry.freshness.lasts)


def judge(entry: LastingEntry[K, V], now: float, chance: Callable[[], float]) -> Verdict:
    """Tell what a read does with a value; `chance` gives a number from 0 to 1."""
    if now >= entry.idle_until:
        return Verdict.GONE
    return entry.freshness.judge(
        now=now,
        refresh_at=entry.refresh_at,
        fresh_until=entry.fresh_until,
        load_time=entry.load_time,
        chance=chance,
    )


def is_served(entry: LastingEntry[K, V], now: float) -> bool:
    """Tell whether a reader who could load is served this at once, be it refreshed behind or not."""
    if now < entry.retry_at:
        return now < min(entry.idle_until, entry.fresh_until + entry.freshness.lasts)
    return now < min(entry.idle_until, entry.fresh_until + entry.freshness.stale)


def is_invalidated(entry: LastingEntry[K, V]) -> bool:
    """Tell whether one of its tags was invalidated after they were last looked at."""
    return last_invalidated(entry.tags) > entry.seen


_PLAIN: Final = Freshness()
