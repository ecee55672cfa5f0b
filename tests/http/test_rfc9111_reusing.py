"""RFC 9111, section 4: which stored response answers a request, and whether it may."""

import pytest

from asynccache.http.rfc9111 import (
    Reuse,
    choose,
    forbids_storing,
    may_serve_on_error,
    reuse,
    vary_names,
    wants_only_stored,
)
from asynccache.http.settings.policy import Ignorable, Policy
from tests.http.rfc_messages import NOW, PRIVATE, SHARED, fields, request, stored, terms_of, when

FRESH, STALE, BEHIND, VALIDATE = Reuse.FRESH, Reuse.STALE, Reuse.REVALIDATE_BEHIND, Reuse.VALIDATE
LENIENT = Policy(ignore=frozenset({"request-directives"}))


def reused(response: str, after: float, *asked: str, policy: Policy = PRIVATE) -> Reuse:
    """What a response with those directives may be used for, so many seconds after it came."""
    return reuse(request(*asked), terms_of(f"Cache-Control: {response}", policy=policy), NOW + after, policy)


@pytest.mark.parametrize(
    ("response", "after", "expected"),
    [
        ("max-age=60", 59.9, FRESH),
        ("max-age=60", 60, VALIDATE),
        ("max-age=60, must-revalidate", 59.9, FRESH),
        ("max-age=60, must-revalidate", 60, VALIDATE),
        ("no-cache, max-age=60", 0, VALIDATE),
        ("max-age=1, stale-while-revalidate=4", 4.9, BEHIND),
        ("max-age=1, stale-while-revalidate=4", 5, VALIDATE),
        ("max-age=1, stale-while-revalidate=4, must-revalidate", 3, VALIDATE),
        ("no-cache, stale-while-revalidate=4", 3, VALIDATE),
        ("max-age=60, immutable", 60, VALIDATE),
        ("stale-if-error=60", 1, VALIDATE),
    ],
)
def test_a_request_without_wishes_gets_what_is_fresh(response: str, after: float, expected: Reuse) -> None:
    """Or what its origin allows to be used while it is validated, and nothing else."""
    assert reused(response, after) is expected
    assert reused(response, after, "Cache-Control: no-transform") is expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("no-cache", VALIDATE),
        ("No-Cache", VALIDATE),
        ("no-store", VALIDATE),
        ("max-age=0", VALIDATE),
        ("max-age=9", VALIDATE),
        ("max-age=10", FRESH),
        ("max-age=x", VALIDATE),
        ("min-fresh=50", FRESH),
        ("min-fresh=51", VALIDATE),
        ("min-fresh=x", FRESH),
        ("max-stale", FRESH),
        ("only-if-cached", FRESH),
        ("max-age=10, min-fresh=51", VALIDATE),
        ("max-age=9, max-stale", VALIDATE),
    ],
)
def test_a_request_may_want_it_fresher(asked: str, expected: Reuse) -> None:
    """Here of a response that is 10 seconds old, and fresh for 50 more (5.2.1); unless nobody is to listen to it."""
    assert reused("max-age=60", 10, f"Cache-Control: {asked}") is expected
    assert reused("max-age=60", 10, f"Cache-Control: {asked}", policy=LENIENT) is FRESH


def test_what_cannot_be_read_allows_and_asks_for_nothing() -> None:
    """Not even for a second."""
    for value in ("0", "x"):
        assert reused("max-age=60", 60.5, f"Cache-Control: max-stale={value}") is VALIDATE
        assert reused("max-age=60", 59.5, f"Cache-Control: min-fresh={value}") is FRESH


def test_no_age_at_all_is_too_much_for_a_request_that_accepts_none() -> None:
    """max-age=0 asks the origin even within the same instant."""
    assert reused("max-age=60", 0, "Cache-Control: max-age=0") is VALIDATE
    assert reused("max-age=60", 0, "Cache-Control: max-age=1") is FRESH


def test_an_age_counts_that_it_had_when_it_came() -> None:
    """Not only the time here."""
    told = terms_of("Cache-Control: max-age=3600", "Age: 1800")
    assert reuse(request("Cache-Control: max-age=600"), told, NOW, PRIVATE) is VALIDATE
    assert reuse(request("Cache-Control: min-fresh=1801"), told, NOW, PRIVATE) is VALIDATE
    assert reuse(request("Cache-Control: max-age=1800, min-fresh=1800"), told, NOW, PRIVATE) is FRESH


@pytest.mark.parametrize(
    ("response", "asked", "expected"),
    [
        ("max-age=60", "max-stale", STALE),
        ("max-age=60", "max-stale=10", STALE),
        ("max-age=60", "max-stale=9", VALIDATE),
        ("max-age=60", "max-stale=x", VALIDATE),
        ("max-age=60", "max-stale=10, max-age=69", VALIDATE),
        ("max-age=60", "max-stale=10, max-age=70", STALE),
        ("max-age=60", "max-stale=10, min-fresh=1", VALIDATE),
        ("max-age=60, must-revalidate", "max-stale", VALIDATE),
        ("no-cache, max-age=60", "max-stale", VALIDATE),
        ("max-age=60, stale-while-revalidate=20", "max-stale=10", BEHIND),
        ("max-age=60, stale-while-revalidate=20", "max-stale=9", VALIDATE),
        ("max-age=60, stale-while-revalidate=20", "max-age=100", VALIDATE),
        ("max-age=60, stale-while-revalidate=20", "min-fresh=0", VALIDATE),
        ("max-age=60, stale-while-revalidate=20", "only-if-cached", BEHIND),
    ],
)
def test_a_request_may_accept_it_old(response: str, asked: str, expected: Reuse) -> None:
    """Here 10 seconds after its time; by as much as it says, if the origin does not forbid it (5.2.1.2, 4.2.4)."""
    assert reused(response, 70, f"Cache-Control: {asked}") is expected


@pytest.mark.parametrize(("lifetime", "expected"), [(0, VALIDATE), (1, STALE)])
def test_a_shared_cache_lets_requests_accept_only_what_was_once_fresh(lifetime: int, expected: Reuse) -> None:
    """What nobody has called fresh may be another user's: a request's leave is not its owner's (4.2.4)."""
    said = f"Cache-Control: max-age={lifetime}"
    assert reused(f"max-age={lifetime}", 2, "Cache-Control: max-stale", policy=SHARED) is expected
    assert reused(f"max-age={lifetime}", 2, "Cache-Control: max-stale") is STALE
    told = terms_of(said, policy=SHARED)
    wish = request("Cache-Control: stale-if-error=9")
    assert may_serve_on_error(wish, told, NOW + 2, SHARED) is (expected is STALE)
    assert may_serve_on_error(wish, told, NOW + 2, PRIVATE)


def test_what_never_changes_is_not_validated_at_a_reload() -> None:
    """While it is fresh, max-age=0 finds it fresh; no-cache, a forced reload, does not (RFC 8246, 2)."""
    response = "max-age=60, immutable"
    assert reused(response, 10, "Cache-Control: max-age=0") is FRESH
    assert reused(response, 60, "Cache-Control: max-age=0") is VALIDATE
    assert reused(response, 60, "Cache-Control: max-age=0, max-stale") is VALIDATE
    assert reused(response, 10, "Cache-Control: no-cache") is VALIDATE
    assert reused(response, 10, "Cache-Control: max-age=0, min-fresh=51") is VALIDATE


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["Pragma: no-cache"], VALIDATE),
        (["Pragma: x, No-Cache"], VALIDATE),
        (["Pragma: x"], FRESH),
        (["Pragma: no-cache", "Cache-Control: max-age=60"], FRESH),
    ],
)
def test_an_old_way_to_say_no_cache_counts(asked: list[str], expected: Reuse) -> None:
    """But not beside Cache-Control (5.4)."""
    assert reused("max-age=60", 10, *asked) is expected


def test_s_maxage_forbids_old_use_in_shared_caches_only() -> None:
    """There it means proxy-revalidate too; leave of the origin's own is leave (5.2.2.10, RFC 5861)."""
    asked = "Cache-Control: max-stale"
    assert reused("s-maxage=2, max-age=2", 3, asked, policy=SHARED) is VALIDATE
    assert reused("s-maxage=2, max-age=2", 3, asked) is STALE
    assert reused("s-maxage=2, stale-while-revalidate=9", 3, policy=SHARED) is BEHIND


def test_requests_say_what_is_not_to_happen() -> None:
    """Not asking the origin, and not storing; unless nobody is to listen to them (5.2.1.5, 5.2.1.7)."""
    only, none = request("Cache-Control: only-if-cached"), request("Cache-Control: no-store")
    assert [wants_only_stored(each, PRIVATE) for each in (only, none, request())] == [True, False, False]
    assert [forbids_storing(each, PRIVATE) for each in (only, none, request())] == [False, True, False]
    assert not wants_only_stored(only, LENIENT)
    assert not forbids_storing(none, LENIENT)


@pytest.mark.parametrize(
    ("response", "asked", "after", "expected"),
    [
        ("max-age=2", "", 1000, False),
        ("max-age=2, must-revalidate", "", 3, False),
        ("max-age=2, no-cache", "", 3, False),
        ("no-cache", "", 0, False),
        ("max-age=2, stale-if-error=60", "", 61.9, True),
        ("max-age=2, stale-if-error=60", "", 62, False),
        ("max-age=2, stale-if-error=60, must-revalidate", "", 3, False),
        ("max-age=2", "stale-if-error=60", 61.9, True),
        ("max-age=2", "stale-if-error=60", 62, False),
        ("max-age=2, must-revalidate", "stale-if-error=60", 3, False),
        ("max-age=2, stale-if-error=60", "no-cache", 3, False),
        ("max-age=2, stale-if-error=60", "no-store", 3, False),
        ("max-age=2, stale-if-error=60", "max-age=9", 3, False),
        ("max-age=2, stale-if-error=60", "min-fresh=9", 3, False),
        ("max-age=2, stale-if-error=60", "max-stale=0", 3, False),
    ],
)
def test_an_old_response_may_stand_for_one_that_failed(response: str, asked: str, after: float, expected: bool) -> None:
    """For as long as the response or the request allows, and not at all if neither does (4.2.4; RFC 5861, 4)."""
    told = terms_of(f"Cache-Control: {response}")
    wish = request(f"Cache-Control: {asked}") if asked else request()
    assert may_serve_on_error(wish, told, NOW + after, PRIVATE) is expected


def test_how_long_it_may_stand_for_a_failure_is_the_users_too() -> None:
    """Where the response does not say it."""
    own = Policy(stale_if_error=60)
    told = terms_of("Cache-Control: max-age=2", policy=own)
    assert may_serve_on_error(request(), told, NOW + 61, own)
    assert not may_serve_on_error(request(), told, NOW + 62, own)


def test_a_shared_cache_stands_for_no_failure_against_s_maxage() -> None:
    """Unless its origin gives leave beside it."""
    told = terms_of("Cache-Control: max-age=2, s-maxage=2", policy=SHARED)
    assert not may_serve_on_error(request("Cache-Control: stale-if-error=9"), told, NOW + 3, SHARED)
    told = terms_of("Cache-Control: s-maxage=2, stale-if-error=9", policy=SHARED)
    assert may_serve_on_error(request(), told, NOW + 3, SHARED)
    assert not may_serve_on_error(request(), told, NOW + 12, SHARED)


def ignoring(*names: Ignorable) -> Policy:
    """A policy that does not look at those."""
    return Policy(ignore=frozenset(names))


@pytest.mark.parametrize(
    ("lines", "policy", "expected"),
    [
        (["Vary: Foo, accept"], PRIVATE, ("accept", "authorization", "cookie", "foo")),
        ([], PRIVATE, ("authorization", "cookie")),
        (["Vary: cookie"], PRIVATE, ("authorization", "cookie")),
        (["Cache-Control: public", "Vary: foo"], PRIVATE, ("foo",)),
        (["Vary: foo"], SHARED, ("foo",)),
        (["Vary: foo"], Policy(identity=()), ("foo",)),
        (["Vary: foo"], Policy(identity=("x-user", "x-other")), ("foo", "x-user")),
        (["Vary: *"], PRIVATE, None),
        (["Vary: *", "Cache-Control: public"], SHARED, None),
        (["Vary: *"], ignoring("vary"), ("authorization", "cookie")),
        ([], ignoring("authorization"), ("cookie",)),
    ],
)
def test_responses_vary_by_what_they_say_and_by_whom_they_are_for(
    lines: list[str], policy: Policy, expected: tuple[str, ...] | None
) -> None:
    """In a private cache, users are told apart as well, unless a response is public (4.1)."""
    asked = request("Cookie: a=1", "Authorization: x", "X-User: 1", "Foo: 2")
    assert vary_names(fields(*lines), policy, asked.headers) == expected


def test_what_nobody_in_particular_asked_for_is_for_everybody() -> None:
    """A request that says nothing of its user gets a response that does not vary by it."""
    assert vary_names(fields("Vary: foo"), PRIVATE, request().headers) == ("foo",)
    assert vary_names(fields(), PRIVATE, request("Cookie: a=1").headers) == ("cookie",)


def test_a_response_is_chosen_that_the_request_selects() -> None:
    """All fields that it varies by must be those of the request that it was for (4.1)."""
    one = stored(vary=("foo",), asked=request("Foo: 1"))
    two = stored(vary=("foo",), asked=request("Foo: 2"))
    assert choose(request("Foo: 2").headers, [one, two]) is two
    assert choose(request("foo:  1 ", "Other: 3").headers, [one, two]) is one
    assert choose(request("Foo: 3").headers, [one, two]) is None
    assert choose(request().headers, [one, two]) is None
    assert choose(request("Foo: 1").headers, [one]) is one
    assert choose(request("Foo: 2").headers, [one]) is None
    assert choose(request().headers, []) is None


def test_the_most_recent_of_several_is_chosen() -> None:
    """By its date, or when it came; in whatever order they are kept (4)."""
    old, new = stored(f"Date: {when(-9)}"), stored(f"Date: {when(-8)}", vary=("foo",))
    dateless = stored("Date: x")
    assert choose(request().headers, [old, new]) is choose(request().headers, [new, old]) is new
    assert choose(request().headers, [old, dateless, new]) is dateless
