"""What becomes of a value that is no longer new: every verdict at its edges, and every option that is refused."""

import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asynccache.core.freshness import Freshness, Verdict

FRESH, REFRESH, STALE, FALLBACK, GONE = Verdict
NEVER: Final = math.inf
ENDLESS: Final = math.inf


def just_before(moment: float) -> float:
    """The last moment before another."""
    return math.nextafter(moment, -math.inf)


def just_after(moment: float) -> float:
    """The first moment after another."""
    return math.nextafter(moment, math.inf)


def no_chance() -> float:
    """The chance, where nobody may ask for it."""
    raise AssertionError("nothing is left to chance here")


def always(chance: float) -> Callable[[], float]:
    """A chance that is known beforehand."""
    return lambda: chance


def verdict(
    freshness: Freshness, now: float, *, ttl: float, chance: float | None = None, load_time: float = 1.0
) -> Verdict:
    """Judge a value that was stored at 100 for `ttl` seconds."""
    fresh_until = 100.0 + ttl
    return freshness.judge(
        now=now,
        refresh_at=freshness.refresh_at(100.0, fresh_until),
        fresh_until=fresh_until,
        load_time=load_time,
        chance=no_chance if chance is None else always(chance),
    )


PLAIN: Final = Freshness()
AHEAD: Final = Freshness(refresh_ahead=0.75)
OLD: Final = Freshness(stale=3.0)
ON_ERROR: Final = Freshness(stale_if_error=7.0)
BOTH: Final = Freshness(stale=3.0, stale_if_error=7.0)
STALE_FOR_LONGER: Final = Freshness(stale=7.0, stale_if_error=3.0)
ALL: Final = Freshness(stale=3.0, stale_if_error=7.0, refresh_ahead=0.75)

EDGES: Final = [
    # promised, ttl, the edge, the verdict just before it, and that from then on
    ("ttl", PLAIN, 8.0, 108.0, FRESH, GONE),
    ("ttl of none", PLAIN, 0.0, 100.0, FRESH, GONE),
    ("refresh_ahead", AHEAD, 8.0, 106.0, FRESH, REFRESH),
    ("ttl after refresh_ahead", AHEAD, 8.0, 108.0, REFRESH, GONE),
    ("ttl before stale", OLD, 8.0, 108.0, FRESH, STALE),
    ("stale", OLD, 8.0, 111.0, STALE, GONE),
    ("stale of no ttl", OLD, 0.0, 103.0, STALE, GONE),
    ("ttl before stale_if_error", ON_ERROR, 8.0, 108.0, FRESH, FALLBACK),
    ("stale_if_error", ON_ERROR, 8.0, 115.0, FALLBACK, GONE),
    ("stale before stale_if_error", BOTH, 8.0, 111.0, STALE, FALLBACK),
    ("stale_if_error counts from the ttl", BOTH, 8.0, 115.0, FALLBACK, GONE),
    ("stale beyond stale_if_error", STALE_FOR_LONGER, 8.0, 111.0, STALE, STALE),
    ("stale, the longer", STALE_FOR_LONGER, 8.0, 115.0, STALE, GONE),
    ("all: refresh_ahead", ALL, 8.0, 106.0, FRESH, REFRESH),
    ("all: ttl", ALL, 8.0, 108.0, REFRESH, STALE),
    ("all: stale", ALL, 8.0, 111.0, STALE, FALLBACK),
    ("all: stale_if_error", ALL, 8.0, 115.0, FALLBACK, GONE),
]


@pytest.mark.parametrize(
    ("freshness", "ttl", "edge", "before", "after"), [row[1:] for row in EDGES], ids=[row[0] for row in EDGES]
)
def test_verdicts_change_at_their_edge(
    freshness: Freshness, ttl: float, edge: float, before: Verdict, after: Verdict
) -> None:
    """A verdict holds up to the moment before its edge; the next holds from the edge itself on."""
    assert verdict(freshness, just_before(edge), ttl=ttl) is before
    assert verdict(freshness, edge, ttl=ttl) is after
    assert verdict(freshness, just_after(edge), ttl=ttl) is after


@pytest.mark.parametrize("freshness", [PLAIN, AHEAD, OLD, ON_ERROR, ALL, Freshness(early=1.0)])
def test_what_never_ends_is_fresh_for_ever(freshness: Freshness) -> None:
    """An infinite ttl leaves nothing to refresh, to outlast, or to chance: from first to last it is a plain hit."""
    for now in (100.0, 1e300):
        assert verdict(freshness, now, ttl=NEVER, chance=0.0) is FRESH
    assert freshness.refresh_at(100.0, NEVER) == NEVER
    assert freshness.attention(NEVER, NEVER, 5.0) == NEVER


def test_endless_windows_do_not_end() -> None:
    """A window without end: served old, or kept for failures, however late it is."""
    assert verdict(Freshness(stale=ENDLESS), 1e300, ttl=8.0) is STALE
    assert verdict(Freshness(stale_if_error=ENDLESS), 1e300, ttl=8.0) is FALLBACK
    assert verdict(Freshness(stale=3.0, stale_if_error=ENDLESS), 111.0, ttl=8.0) is FALLBACK


@pytest.mark.parametrize(
    ("freshness", "lasts"),
    [
        (PLAIN, 0.0),
        (Freshness(error_backoff=9.0), 0.0),
        (AHEAD, 0.0),
        (Freshness(early=1.0), 0.0),
        (OLD, 3.0),
        (ON_ERROR, 7.0),
        (BOTH, 7.0),
        (STALE_FOR_LONGER, 7.0),
        (Freshness(stale=ENDLESS, stale_if_error=7.0), ENDLESS),
    ],
)
def test_a_value_is_kept_for_the_longer_window(freshness: Freshness, lasts: float) -> None:
    """It lasts beyond its ttl as long as the longer of two windows."""
    assert freshness.lasts == lasts


@given(
    st.builds(
        Freshness,
        stale=st.floats(0, 100),
        stale_if_error=st.floats(0, 100),
        refresh_ahead=st.floats(0.01, 1),
    ),
    st.floats(0, 100),
    st.lists(st.floats(0, 400), min_size=2),
)
def test_a_value_never_gets_younger(freshness: Freshness, ttl: float, moments: list[float]) -> None:
    """As time goes by verdicts only ever go on, in their order, and beyond what lasts there is nothing."""
    verdicts = [verdict(freshness, 100.0 + moment, ttl=ttl) for moment in sorted(moments)]
    order = list(Verdict)
    assert verdicts == sorted(verdicts, key=order.index)
    for moment, found in zip(sorted(moments), verdicts, strict=True):
        assert (found is GONE) == (100.0 + moment >= 100.0 + ttl + freshness.lasts)


# --- early: refreshing by chance -------------------------------------------------------------------------------------

DISTANCES: Final = [0.01, 0.3, 1.0, 2.0, 5.0, 12.0]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("early", "load_time"), [(1.0, 1.0), (0.5, 2.0), (2.0, 0.25), (1.0, 3.0)])
def test_the_chance_of_a_refresh_is_that_of_the_paper(distance: float, early: float, load_time: float) -> None:
    """At a distance before expiry, chances below exp(-distance / (early * load time)) refresh, and no others do.

    The paper's P(now - delta * beta * ln(rand) >= expiry), with rand even in (0, 1], is just that number.
    """
    freshness = Freshness(early=early)
    edge = math.exp(-distance / (early * load_time))
    now = 1_000.0 - distance
    for chance, expected in ((edge * (1 - 1e-9), REFRESH), (edge * (1 + 1e-9), FRESH), (1.0, FRESH), (0.0, REFRESH)):
        found = freshness.judge(
            now=now, refresh_at=1_000.0, fresh_until=1_000.0, load_time=load_time, chance=always(chance)
        )
        assert found is expected, chance


@pytest.mark.parametrize("distance", DISTANCES)
def test_reads_refresh_as_often_as_the_formula_says(distance: float) -> None:
    """Of reads with seeded chances, exactly those refresh for which the formula says so, one by one."""
    freshness, rolls = Freshness(early=1.5), random.Random(20_15)
    chances = [1.0 - rolls.random() for _ in range(5_000)]  # in (0, 1], as in the paper
    edge = math.exp(-distance / (1.5 * 2.0))
    assume_off_edge = [chance for chance in chances if abs(chance - edge) > 1e-9]
    asked = iter(assume_off_edge)
    refreshed = [
        freshness.judge(
            now=50.0 - distance, refresh_at=50.0, fresh_until=50.0, load_time=2.0, chance=lambda: next(asked)
        )
        is REFRESH
        for _ in assume_off_edge
    ]
    assert refreshed == [chance <= edge for chance in assume_off_edge]
    assert next(asked, None) is None, "a read asks for one chance, and for no more"


@given(
    early=st.floats(0.01, 100),
    load_time=st.floats(0, 1_000),
    before=st.floats(1e-6, 1e6),
    chance=st.floats(math.exp(-35.999), 1),
)
def test_before_attention_chance_refreshes_nothing(
    early: float, load_time: float, before: float, chance: float
) -> None:
    """Before the moment of attention a read need not think: no chance down to e**-37 would make it refresh."""
    freshness = Freshness(early=early)
    moment = freshness.attention(1e9, 1e9, load_time)
    now = moment - before
    assume(now < 1e9)
    found = freshness.judge(now=now, refresh_at=1e9, fresh_until=1e9, load_time=load_time, chance=always(chance))
    assert found is FRESH


def test_attention_begins_when_chance_or_refresh_ahead_may() -> None:
    """A read has to think from the earlier of two moments on: where chance begins, or `refresh_ahead`."""
    assert Freshness().attention(100.0, 100.0, 2.0) == 100.0
    assert Freshness(refresh_ahead=0.5).attention(50.0, 100.0, 2.0) == 50.0
    assert Freshness(early=1.0).attention(100.0, 100.0, 2.0) == 100.0 - 37 * 2.0
    assert Freshness(early=0.5, refresh_ahead=0.9).attention(90.0, 100.0, 2.0) == 100.0 - 37
    assert Freshness(early=0.1, refresh_ahead=0.5).attention(50.0, 100.0, 1.0) == 50.0
    assert Freshness(early=1.0).attention(100.0, 100.0, 0.0) == 100.0


def test_a_chance_of_zero_refreshes_from_attention_on() -> None:
    """A chance of exactly 0, of which there is no logarithm, means as early as it ever gets, and no error."""
    freshness = Freshness(early=1.0)
    edge = freshness.attention(100.0, 100.0, 2.0)
    for now, expected in ((edge - 0.001, FRESH), (edge, REFRESH), (99.0, REFRESH)):
        found = freshness.judge(now=now, refresh_at=100.0, fresh_until=100.0, load_time=2.0, chance=always(0.0))
        assert found is expected


def test_chance_is_asked_only_where_it_decides() -> None:
    """Without `early`, after the ttl, and from `refresh_ahead` on, nobody rolls dice."""
    both = Freshness(early=1.0, refresh_ahead=0.5, stale=5.0)
    assert verdict(both, 104.0, ttl=8.0) is REFRESH
    assert verdict(both, 108.0, ttl=8.0) is STALE
    assert verdict(both, 113.0, ttl=8.0) is GONE
    assert verdict(PLAIN, 104.0, ttl=8.0) is FRESH


# --- options ----------------------------------------------------------------------------------------------------------

REFUSED: Final[list[tuple[dict[str, Any], type[Exception], str]]] = [
    ({"stale": -1}, ValueError, "stale must be 0 seconds or more, not -1"),
    ({"stale": math.nan}, ValueError, "stale must be 0 seconds or more"),
    ({"stale": "60"}, ValueError, "stale must be a number of seconds"),
    ({"stale": True}, ValueError, "stale must be a number of seconds"),
    ({"stale": timedelta(seconds=-1)}, ValueError, "stale must be 0 seconds or more"),
    ({"stale_if_error": -0.5}, ValueError, "stale_if_error must be 0 seconds or more, not -0.5"),
    ({"stale_if_error": []}, ValueError, "stale_if_error must be a number of seconds"),
    ({"error_backoff": -1}, ValueError, "error_backoff must be 0 seconds or more, not -1"),
    ({"error_backoff": False}, ValueError, "error_backoff must be a number of seconds"),
    ({"refresh_ahead": 0}, ValueError, "refresh_ahead must be a share of the ttl between 0 and 1, such as 0.8, not 0"),
    ({"refresh_ahead": 1}, ValueError, "refresh_ahead must be a share"),
    ({"refresh_ahead": 1.0}, ValueError, "refresh_ahead must be a share"),
    ({"refresh_ahead": 80}, ValueError, "refresh_ahead must be a share"),
    ({"refresh_ahead": -0.1}, ValueError, "refresh_ahead must be a share"),
    ({"refresh_ahead": math.nan}, ValueError, "refresh_ahead must be a share"),
    ({"refresh_ahead": True}, TypeError, "refresh_ahead must be a share"),
    ({"refresh_ahead": "0.8"}, TypeError, "refresh_ahead must be a share"),
    ({"refresh_ahead": timedelta(seconds=1)}, TypeError, "refresh_ahead must be a share"),
    ({"early": 0}, ValueError, "early must be a factor of more than 0, such as 1.0, not 0"),
    ({"early": -1.0}, ValueError, "early must be a factor"),
    ({"early": math.inf}, ValueError, "early must be a factor"),
    ({"early": math.nan}, ValueError, "early must be a factor"),
    ({"early": True}, TypeError, "early must be a factor"),
    ({"early": "1"}, TypeError, "early must be a factor"),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSED, ids=[str(row[0]) for row in REFUSED])
def test_options_without_a_meaning_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """What cannot be meant is refused, by the option's name and with what to write instead."""
    with pytest.raises(error, match=f"^{message}"):
        Freshness.from_options(**options)


def test_options_are_read_as_they_are_written() -> None:
    """Seconds, lengths of time and None are read; what is left out promises nothing but a second's backoff."""
    assert Freshness.from_options() == Freshness(
        stale=0.0, stale_if_error=0.0, error_backoff=1.0, refresh_ahead=1.0, early=0.0
    )
    assert Freshness.from_options(timedelta(minutes=1), 5, timedelta(0), 0.5, 2) == Freshness(
        stale=60.0, stale_if_error=5.0, error_backoff=0.0, refresh_ahead=0.5, early=2.0
    )
    assert Freshness.from_options(math.inf, math.inf) == Freshness(stale=math.inf, stale_if_error=math.inf)
    assert Freshness.from_options(0, 0, math.inf) == Freshness(error_backoff=math.inf)


@pytest.mark.parametrize("share", [just_after(0.0), 0.8, just_before(1.0)])
def test_a_refresh_ahead_lies_between_storing_and_the_end(share: float) -> None:
    """Whatever the share, the refresh begins not before the storing, and not after the end of the ttl."""
    freshness = Freshness.from_options(refresh_ahead=share)
    assert 100.0 <= freshness.refresh_at(100.0, 110.0) <= 110.0
    assert freshness.refresh_at(100.0, 110.0) == 100.0 + 10.0 * share
