"""RFC 9111, section 4.2: how old a response is, and for how long it is fresh."""

from math import inf

import pytest

from asynccache.http.rfc9111 import age, terms
from asynccache.http.settings.policy import Ignorable, Policy
from tests.http.rfc_messages import NOW, PRIVATE, SHARED, fresh_for, stored, terms_of, when

HOUR = "Cache-Control: max-age=3600"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HOUR], 3600),
        (["Cache-Control: max-age=0"], 0),
        (["Cache-Control: max-age=2147483647"], 2**31 - 1),
        (["Cache-Control: max-age=99999999999"], 2**31),
        (["Cache-Control: max-age=-3600"], 0),
        (["Cache-Control: foobar, MaX-aGe=3600"], 3600),
        ([HOUR, f"Expires: {when(-7200)}"], 3600),
        ([HOUR, "Expires: 0"], 3600),
        (["Cache-Control: max-age=0", f"Expires: {when(3600)}"], 0),
        (["Cache-Control: max-age=x", f"Expires: {when(3600)}"], 0),
        ([f"Expires: {when(30)}"], 30),
        ([f"Expires: {when(0)}"], 0),
        (["Expires: 0"], 0),
        ([f"Expires: {when(30)}", f"Expires: {when(31)}"], 0),
        ([f"Expires: {when(30)}", "Date: foo"], 30),
        ([f"Expires: {when(20)}", f"Date: {when(10)}"], 10),
        ([f"Expires: {when(10)}", f"Date: {when(-10)}"], 10),
        (["Cache-Control: max-age=1800, max-age=1"], 1800),
        (["Cache-Control: max-age=1", "Cache-Control: max-age=1800"], 1),
    ],
)
def test_the_first_explicit_lifetime_counts(lines: list[str], expected: float) -> None:
    """max-age goes before Expires, the first of two before the second, and what is not valid is old (4.2.1)."""
    assert fresh_for(*lines) == expected


def test_an_old_date_to_expire_is_old_by_as_much() -> None:
    """How long a response has been old is known, for those who accept that."""
    assert fresh_for(f"Expires: {when(-5000)}") == -5000
    assert fresh_for(f"Expires: {when(300)}", f"Date: {when(400)}") == -100


def test_s_maxage_is_for_shared_caches() -> None:
    """There it goes before everything, elsewhere it is not looked at; an old use of it is forbidden (5.2.2.10)."""
    lines = ["Cache-Control: max-age=1, s-maxage=3600", f"Expires: {when(-10)}"]
    assert (fresh_for(*lines, policy=SHARED), fresh_for(*lines)) == (3600, 1)
    assert fresh_for("Cache-Control: max-age=3600, s-maxage=1", policy=SHARED) == 1
    assert terms_of(*lines, policy=SHARED).must_revalidate
    assert not terms_of(*lines).must_revalidate


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 0),
        (["Age: 7200"], 7200),
        (["Age: 2147483649"], 2**31),
        (["Age: 0, 7200"], 0),
        (["Age: 7200, 0"], 7200),
        (["Age: 0", "Age: 7200"], 0),
        (["Age: 7200", "Age: 0"], 7200),
        (["Age: 7200;foo=bar"], 7200),
        (["Age: abc"], 0),
        (["Age: -7200"], 0),
        (["Age: 7200.0"], 0),
        (["Age: "], 0),
        ([f"Date: {when(-50)}"], 50),
        ([f"Date: {when(50)}"], 0),
        ([f"Date: {when(-10)}", "Age: 25"], 25),
        ([f"Date: {when(-30)}", "Age: 25"], 30),
        ([f"Date: {when(10)}", "Age: 15"], 15),
        (["Date: foo"], 0),
    ],
)
def test_a_response_has_an_age_when_it_comes(lines: list[str], expected: int) -> None:
    """The larger of what it says and what its date shows; what is no number says nothing (4.2.3, 5.1)."""
    told = terms_of(*lines, HOUR)
    assert told.born == NOW - expected
    assert told.fresh_until == told.born + 3600
    assert age(told, NOW) == expected


def test_the_way_counts_as_age() -> None:
    """What it said was true when it was asked for, not when it came (4.2.3); the date needs no such correction."""
    assert terms_of("Age: 30", delay=4.5).born == NOW - 34.5
    assert terms_of(delay=4.5).born == NOW - 4.5
    assert terms_of(f"Date: {when(-30)}", delay=4.5).born == NOW - 30
    assert terms_of(delay=-4.5).born == NOW


def test_age_is_whole_seconds() -> None:
    """It grows with the clock, and is never less than 0."""
    told = terms_of("Age: 30")
    assert [age(told, NOW + seconds) for seconds in (2.9, 3.0, -100)] == [32, 33, 0]


@pytest.mark.parametrize("status", [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])
def test_a_lifetime_is_guessed(status: int) -> None:
    """A tenth of the time since the last change, a day at most (4.2.2)."""
    assert fresh_for(f"Last-Modified: {when(-1000)}", status=status) == 100
    assert fresh_for(f"Last-Modified: {when(-10_000_000)}", status=status) == 86_400
    assert terms_of(f"Last-Modified: {when(-1000)}", status=status).is_heuristic


@pytest.mark.parametrize("status", [201, 202, 302, 403, 502, 503, 504, 599])
def test_a_lifetime_is_not_guessed_for_other_statuses(status: int) -> None:
    """Unless the response says that it may be stored."""
    changed = f"Last-Modified: {when(-1000)}"
    assert fresh_for(changed, status=status) == 0
    assert fresh_for(changed, "Cache-Control: public", status=status) == 100
    assert fresh_for(changed, "Cache-Control: private", status=status) == 100


@pytest.mark.parametrize("line", ["A: 1", f"Last-Modified: {when(10)}", "Last-Modified: x"])
def test_without_a_change_in_the_past_nothing_is_guessed(line: str) -> None:
    """Then it is old at once."""
    assert fresh_for(line) == 0


def test_how_to_guess_is_the_users() -> None:
    """The part of the time, the limit, and a time of the user's own."""
    changed = f"Last-Modified: {when(-1000)}"
    assert fresh_for(changed, policy=Policy(heuristic_fraction=0.0)) == 0
    assert fresh_for(changed, policy=Policy(heuristic_limit=7)) == 7
    assert fresh_for(changed, policy=Policy(default_ttl=60)) == 60
    assert fresh_for(changed, HOUR, policy=Policy(default_ttl=60)) == 3600
    assert fresh_for(changed, policy=Policy(default_ttl=60), status=500) == 0


def test_a_time_of_the_users_counts_from_the_coming() -> None:
    """Whatever the response says about itself; its age stays the true one."""
    told = terms_of(HOUR, "Age: 7200", policy=Policy(ttl=60))
    assert told.fresh_until == NOW + 60
    assert age(told, NOW) == 7200
    assert told.lifetime == 7260
    assert not told.is_heuristic


def test_no_cache_is_never_fresh() -> None:
    """Nor may it be used old, whoever would like that (5.2.2.4); with a list of fields it may be both."""
    told = terms_of("Cache-Control: no-cache, max-age=9, stale-while-revalidate=9, stale-if-error=9")
    assert (told.fresh_until, told.must_revalidate) == (-inf, True)
    assert (told.stale_while_revalidate, told.stale_if_error) == (0, 0)
    some = terms_of('Cache-Control: no-cache="a", max-age=9')
    assert (some.fresh_until, some.must_revalidate) == (NOW + 9, False)
    assert terms_of("Cache-Control: no-cache", policy=Policy(ttl=9)).fresh_until == -inf


@pytest.mark.parametrize(
    ("value", "private", "shared"),
    [
        ("max-age=9", False, False),
        ("max-age=9, must-revalidate", True, True),
        ("max-age=9, proxy-revalidate", False, True),
        ("max-age=9, s-maxage=9", False, True),
    ],
)
def test_some_responses_may_not_be_used_old(value: str, private: bool, shared: bool) -> None:
    """Two directives mean shared caches only (5.2.2.2, 5.2.2.8, 5.2.2.10). No time of the user's changes that."""
    line = f"Cache-Control: {value}"
    for policy, expected in ((PRIVATE, private), (SHARED, shared)):
        own = Policy(shared=policy.shared, stale_while_revalidate=7, stale_if_error=8)
        told = terms_of(line, policy=own)
        assert told.must_revalidate is expected
        assert (told.stale_while_revalidate, told.stale_if_error) == ((0, 0) if expected else (7, 8))
        own = Policy(shared=policy.shared, ignore=frozenset({"must-revalidate"}))
        assert not terms_of(line, policy=own).must_revalidate


@pytest.mark.parametrize("value", ["must-revalidate", "proxy-revalidate"])
def test_an_order_to_revalidate_goes_before_leave_to_use_old(value: str) -> None:
    """Of two that contradict each other, the stricter counts (4.2.1); s-maxage alone is made milder by its origin."""
    leave = "Cache-Control: s-maxage=9, stale-while-revalidate=7, stale-if-error=8"
    told = terms_of(f"{leave}, {value}", policy=SHARED)
    assert (told.stale_while_revalidate, told.stale_if_error) == (0, 0)
    told = terms_of(leave, policy=SHARED)
    assert (told.stale_while_revalidate, told.stale_if_error, told.must_revalidate) == (7, 8, True)


def test_how_long_it_may_be_used_old_is_the_origins() -> None:
    """What the user says is for responses that say nothing (RFC 5861)."""
    own = Policy(stale_while_revalidate=7, stale_if_error=8)
    line = "Cache-Control: max-age=1, stale-while-revalidate=30, stale-if-error=40"
    for policy in (PRIVATE, own):
        told = terms_of(line, policy=policy)
        assert (told.stale_while_revalidate, told.stale_if_error) == (30, 40)
    assert terms_of("Cache-Control: stale-if-error=x", policy=own).stale_if_error == 0


def test_what_a_validation_needs_is_told_as_it_was_sent() -> None:
    """Tag and date are what the origin wrote."""
    told = terms_of('ETag: W/"a"', f"Last-Modified: {when(-9)}", "Cache-Control: max-age=9, immutable")
    assert (told.etag, told.last_modified, told.immutable) == ('W/"a"', when(-9), True)
    assert not terms_of(HOUR).immutable


@pytest.mark.parametrize(("ignored", "expected"), [("no-cache", NOW + 9), ("no-store", -inf)])
def test_the_user_may_have_no_cache_ignored(ignored: Ignorable, expected: float) -> None:
    """Then the freshness of the response counts."""
    kept = stored("Cache-Control: no-cache, max-age=9")
    assert terms(kept, Policy(ignore=frozenset({ignored}))).fresh_until == expected
