"""Entries about which there is more to decide than hit or miss: their dates, and what a read does with them."""

import math
from typing import Any, Final

import pytest

from asynccache.core.entry import NEVER, Entry
from asynccache.core.freshness import Freshness, Verdict
from asynccache.core.generations import Generations
from asynccache.core.lasting_entry import (
    LastingEntry,
    date,
    gone_at,
    is_invalidated,
    is_served,
    judge,
    lasting,
    slide,
)
from asynccache.core.policies import choose_policy
from asynccache.core.remembered_error import RememberedError

FRESH, REFRESH, STALE, FALLBACK, GONE = Verdict
ALL: Final = Freshness(stale=3.0, stale_if_error=7.0, refresh_ahead=0.75)


def entry_of(
    freshness: Freshness = ALL,
    *,
    value: object = "value",
    ttl: float = 8.0,
    idle: float | None = None,
    load_time: float = 0.0,
) -> LastingEntry[str, Any]:
    """Store a value at 100."""
    entry: LastingEntry[str, Any] = lasting(Entry)("key", value)
    date(entry, now=100.0, fresh_until=100.0 + ttl, freshness=freshness, idle=idle, load_time=load_time)
    return entry


def verdict(entry: LastingEntry[str, Any], now: float, chance: float = 1.0) -> Verdict:
    """Judge an entry."""
    return judge(entry, now, lambda: chance)


@pytest.mark.parametrize("policy", ["lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu", "gdsf"])
def test_every_policy_can_have_lasting_entries(policy: str) -> None:
    """Any policy's kind of entry is made a lasting one, with all fields and no dictionary."""
    kind = choose_policy(policy, 10).entry_type
    made = lasting(kind)
    entry = made("key", "value", 2.0)
    date(entry, now=0.0, fresh_until=1.0, freshness=ALL, idle=1.0, load_time=0.5)
    assert isinstance(entry, kind)
    assert (entry.key, entry.value, entry.weight) == ("key", "value", 2.0)
    assert not hasattr(entry, "__dict__")
    assert made.__name__ == "Lasting" + kind.__name__


@pytest.mark.parametrize(
    ("freshness", "ttl", "idle", "deadline", "gone"),
    [
        (Freshness(), 8.0, None, 108.0, 108.0),
        (Freshness(), NEVER, None, NEVER, NEVER),
        (Freshness(), 8.0, 5.0, 105.0, 105.0),
        (Freshness(), 8.0, 9.0, 108.0, 108.0),
        (Freshness(), NEVER, 5.0, 105.0, 105.0),
        (Freshness(stale=3.0), 8.0, None, 108.0, 111.0),
        (Freshness(stale=3.0), 8.0, 9.0, 108.0, 109.0),
        (ALL, 8.0, None, 106.0, 115.0),
        (ALL, 8.0, 2.0, 102.0, 102.0),
        (ALL, 8.0, 12.0, 106.0, 112.0),
        (ALL, 8.0, 20.0, 106.0, 115.0),
        (Freshness(stale=math.inf), 8.0, None, 108.0, NEVER),
        (Freshness(stale_if_error=math.inf), 8.0, 5.0, 105.0, 105.0),
        (Freshness(early=1.0), 50.0, None, 150.0 - 37.0, 150.0),
        (Freshness(early=1.0), NEVER, None, NEVER, NEVER),
    ],
)
def test_dates_say_when_to_think_and_when_it_is_gone(
    freshness: Freshness, ttl: float, idle: float | None, deadline: float, gone: float
) -> None:
    """A plain hit looks at one moment only: the first at which anything else might have to be done."""
    entry = entry_of(freshness, ttl=ttl, idle=idle, load_time=1.0)
    assert (entry.deadline, gone_at(entry)) == (deadline, gone)
    assert entry.retry_at == -math.inf, "a new value has not failed yet"


def test_a_new_date_forgets_the_old_one() -> None:
    """A value that takes another's place has its own terms, and its own chance to be refreshed."""
    entry = entry_of(idle=2.0)
    entry.retry_at = 500.0
    entry.value = RememberedError(LookupError())
    date(entry, now=200.0, fresh_until=205.0, freshness=ALL, idle=None, load_time=3.0)
    assert (entry.deadline, gone_at(entry), entry.idle_until) == (-math.inf, 205.0, NEVER)
    entry.value = "value"
    date(entry, now=300.0, fresh_until=308.0, freshness=ALL, idle=None, load_time=3.0)
    assert (entry.deadline, gone_at(entry), entry.retry_at, entry.load_time) == (306.0, 315.0, -math.inf, 3.0)


def test_a_remembered_error_has_its_ttl_and_nothing_beyond() -> None:
    """An error is thought about at every read, lives for its own time whether it is read or not, and then is gone."""
    entry = entry_of(value=RememberedError(LookupError()), ttl=8.0, idle=5.0)
    assert (entry.deadline, entry.idle_until, gone_at(entry)) == (-math.inf, NEVER, 108.0)
    assert [verdict(entry, now) for now in (100.0, math.nextafter(108.0, 0), 108.0)] == [FRESH, FRESH, GONE]


@pytest.mark.parametrize("idle", [2.0, 7.0, 9.0, 12.0])
def test_idle_ends_everything(idle: float) -> None:
    """At idle's end a value is gone, whatever else it was promised, and up to that moment it is not."""
    entry = entry_of(idle=idle)
    assert verdict(entry, math.nextafter(100.0 + idle, 0)) is not GONE
    assert verdict(entry, 100.0 + idle) is GONE
    assert verdict(entry, math.nextafter(100.0 + idle, math.inf)) is GONE


def test_each_read_moves_the_end_of_idle() -> None:
    """A read moves idle's end, but neither the moment to think beyond its limit nor the end of what lasts."""
    entry = entry_of(idle=4.0)
    slide(entry, 101.0, 4.0)
    assert (entry.idle_until, entry.deadline, gone_at(entry)) == (105.0, 105.0, 105.0)
    slide(entry, 104.0, 4.0)
    assert (entry.idle_until, entry.deadline, gone_at(entry)) == (108.0, 106.0, 108.0)
    slide(entry, 107.5, 4.0)
    assert (entry.idle_until, entry.deadline, gone_at(entry)) == (111.5, 106.0, 111.5)
    assert [verdict(entry, now) for now in (107.9, 108.0, 110.9, 111.0, 111.5)] == [
        REFRESH,
        STALE,
        STALE,
        FALLBACK,
        GONE,
    ]
    slide(entry, 114.0, 4.0)
    assert gone_at(entry) == 115.0


@pytest.mark.parametrize(
    ("retry_at", "idle", "end"),
    [
        (-math.inf, None, 111.0),
        (-math.inf, 9.0, 109.0),
        (114.0, None, 114.0),
        (200.0, None, 115.0),
        (200.0, 12.0, 112.0),
        (110.0, None, 111.0),
    ],
)
def test_an_old_value_is_served_while_it_is_refreshed_or_nobody_asks(
    retry_at: float, idle: float | None, end: float
) -> None:
    """It is served in `stale`, and after a failure until it is time to ask again; never beyond what lasts, or idle."""
    entry = entry_of(idle=idle)
    entry.retry_at = retry_at
    served = [is_served(entry, now) for now in (100.0, math.nextafter(end, 0), end, math.nextafter(end, math.inf))]
    assert served == [True, True, False, False]


def test_judging_is_by_the_entrys_own_terms() -> None:
    """An entry is judged by what was promised when it was stored, its load's time included."""
    entry = entry_of(Freshness(early=2.0), ttl=100.0, load_time=3.0)
    edge = math.exp(-10.0 / 6.0)
    assert verdict(entry, 190.0, edge * 1.000001) is FRESH
    assert verdict(entry, 190.0, edge * 0.999999) is REFRESH
    assert [verdict(entry_of(), now) for now in (105.9, 106.0, 108.0, 111.0, 115.0)] == [
        FRESH, REFRESH, STALE, FALLBACK, GONE,
    ]  # fmt: skip


def test_an_entry_is_invalidated_by_what_is_said_after_it_was_looked_at() -> None:
    """Only invalidations of its own tags after the generation that it was last checked at count."""
    generations = Generations()
    entry = entry_of()
    generations.invalidate(generations.tag("a"))
    entry.tags, entry.seen = generations.tags(["a", "b"]), generations.now
    assert not is_invalidated(entry)
    other = generations.tag("other")
    generations.invalidate(other)
    assert not is_invalidated(entry)
    generations.invalidate(generations.tag("b"))
    assert is_invalidated(entry)
    entry.tags = ()
    assert not is_invalidated(entry)
