"""RFC 9111, section 3: what is stored, why something is not, and which fields are kept."""

import pytest

from asynccache.http.rfc9111 import Refusal, answers_get, span_of, stored_fields, updated_fields, why_not_stored
from asynccache.http.settings.policy import Ignorable, Policy
from asynccache.http.syntax.ranges import Span
from tests.http.rfc_messages import NOW, PRIVATE, SHARED, URI, fields, request, response, when

HOUR = "Cache-Control: max-age=3600"
TAG = 'ETag: "a"'
CHANGED = f"Last-Modified: {when(-86_400)}"
HEURISTIC = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]
OTHERS = [201, 202, 299, 302, 303, 307, 400, 401, 403, 416, 499, 500, 502, 503, 504, 599]


def refused(*lines: str, policy: Policy = PRIVATE, status: int = 200, asked: tuple[str, ...] = ()) -> Refusal | None:
    """Why the response with those lines to a request with those others is not stored."""
    part = ("Content-Range: bytes 4-9/10",) if status == 206 and not any("Content-" in line for line in lines) else ()
    return why_not_stored(request(*asked), response(*lines, *part, status=status), policy)


@pytest.mark.parametrize("status", [*HEURISTIC, *OTHERS])
@pytest.mark.parametrize("line", [HOUR, "Cache-Control: max-age=0", f"Expires: {when(9)}", "Expires: 0"])
def test_what_says_how_long_it_is_fresh_is_stored(status: int, line: str) -> None:
    """Whatever its status, known or not; also if that is no time at all: a request may accept it old."""
    assert refused(line, status=status) is None


@pytest.mark.parametrize("status", HEURISTIC)
def test_some_statuses_are_stored_with_a_validator_only(status: int) -> None:
    """Those for which RFC 9110, 15.1 allows to guess."""
    assert refused(CHANGED, status=status) is None
    assert refused(TAG, status=status) is None
    assert refused(status=status) == Refusal.NO_FRESHNESS
    assert refused(status=status, policy=SHARED) == Refusal.NO_FRESHNESS


@pytest.mark.parametrize("line", [CHANGED, TAG])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", Refusal.NO_FRESHNESS),
        ("must-revalidate", Refusal.NO_FRESHNESS),
        ("no-cache", None),
        ("public", None),
        ("max-age=0", None),
    ],
)
def test_a_shared_cache_takes_silence_for_no_leave(line: str, said: str, expected: Refusal | None) -> None:
    """A validator alone may have been made for one user; who means caches, says so, or lets them guess."""
    lines = (line, f"Cache-Control: {said}") if said else (line,)
    assert refused(*lines, policy=Policy(shared=True, heuristic_fraction=0.0)) == expected
    guessing = refused(*lines, policy=SHARED)
    assert guessing == (None if line == CHANGED else expected)
    assert refused(*lines) is None


@pytest.mark.parametrize("line", ["Cache-Control: max-age=0", "Expires: 0", f"Expires: {when(-9)}"])
def test_a_shared_cache_stores_nothing_that_it_could_never_use(line: str) -> None:
    """Without any lifetime there has to be a validator, or a time for which it may be old."""
    assert refused(line, policy=SHARED) == Refusal.NO_FRESHNESS
    assert refused(line, TAG, policy=SHARED) is None
    assert refused(line, policy=Policy(shared=True, ttl=9)) is None
    assert refused(line, policy=Policy(shared=True, stale_if_error=9)) is None
    assert refused("Cache-Control: max-age=0, stale-while-revalidate=9", policy=SHARED) is None


@pytest.mark.parametrize("status", OTHERS)
def test_other_statuses_are_not_guessed_at(status: int) -> None:
    """Unless the response says that it may be stored."""
    assert refused(CHANGED, TAG, status=status) == Refusal.NO_FRESHNESS
    assert refused(CHANGED, "Cache-Control: public", status=status) is None
    assert refused(CHANGED, "Cache-Control: private", status=status) is None
    assert refused(CHANGED, "Cache-Control: private", status=status, policy=SHARED) == Refusal.PRIVATE
    assert refused(CHANGED, 'Cache-Control: private="a"', status=status, policy=SHARED) == Refusal.NO_FRESHNESS


@pytest.mark.parametrize("status", [100, 103, 199, 304])
def test_what_is_not_final_is_not_stored(status: int) -> None:
    """Nor a 304, which is about something that is."""
    assert refused(HOUR, status=status) == Refusal.STATUS


def test_a_part_is_stored_if_it_says_which_it_is() -> None:
    """Several parts in one, or a part that contradicts itself, are not (3.3)."""
    part = "Content-Range: bytes 4-9/10"
    assert refused(HOUR, part, status=206) is None
    assert refused(HOUR, part, "Content-Length: 5", status=206) == Refusal.PARTIAL
    assert refused(HOUR, "Content-Type: multipart/byteranges; boundary=x", status=206) == Refusal.PARTIAL
    assert span_of(response(part, status=206)) == Span(4, 9, 10)
    assert span_of(response(part, status=200)) is None


@pytest.mark.parametrize("value", ["no-store", "max-age=10000, nO-StOrE", 'max-age=5, no-store="x"'])
@pytest.mark.parametrize("policy", [PRIVATE, SHARED])
def test_nothing_is_stored_against_no_store(value: str, policy: Policy) -> None:
    """Neither if the response says it, nor if the request does (5.2.2.5, 5.2.1.5)."""
    assert refused(f"Cache-Control: {value}", TAG, policy=policy) == Refusal.NO_STORE
    assert refused(HOUR, asked=(f"Cache-Control: {value}",), policy=policy) == Refusal.NO_STORE


def test_must_understand_goes_before_no_store() -> None:
    """For statuses that are known; others are not stored, with or without no-store (5.2.2.3)."""
    both, alone = (
        "Cache-Control: max-age=3600, no-store, must-understand",
        "Cache-Control: max-age=3600, must-understand",
    )
    assert refused(both) is None
    assert refused(both, status=404) is None
    assert refused(both, status=599) == Refusal.MUST_UNDERSTAND
    assert refused(alone, status=599) == Refusal.MUST_UNDERSTAND
    assert refused(alone) is None
    assert refused(both, asked=("Cache-Control: no-store",)) == Refusal.NO_STORE


UNDERSTOOD = [*range(200, 206), *range(300, 304), 305, 307, 308, *range(400, 418), 421, 422, 426, *range(500, 506)]


def test_the_statuses_of_the_standard_are_understood() -> None:
    """All that RFC 9110, 15 defines, and no others."""
    said = "Cache-Control: max-age=9, must-understand"
    stored = {status for status in range(200, 600) if refused(said, status=status) is None}
    assert stored - {206, 304} == set(UNDERSTOOD)


def test_a_shared_cache_stores_nothing_private() -> None:
    """A private one does; if only some fields are private, both do."""
    private, some = "Cache-Control: private, max-age=3600", 'Cache-Control: private="set-cookie", max-age=3600'
    assert refused(private) is None
    assert refused(private, policy=SHARED) == Refusal.PRIVATE
    assert refused(some) is None
    assert refused(some, policy=SHARED) is None
    assert refused('Cache-Control: private="", max-age=3600', policy=SHARED) == Refusal.PRIVATE


@pytest.mark.parametrize("leave", ["public", "must-revalidate", "s-maxage=3600"])
def test_a_shared_cache_asks_for_leave_to_store_what_a_login_got(leave: str) -> None:
    """Three directives give it (3.5); a private cache needs none."""
    login = ("Authorization: Basic eDp5",)
    assert refused(HOUR, asked=login, policy=SHARED) == Refusal.AUTHORIZATION
    assert refused(f"Cache-Control: max-age=3600, {leave}", asked=login, policy=SHARED) is None
    assert refused(HOUR, asked=login) is None


def test_a_shared_cache_stores_no_cookies() -> None:
    """A private one does: they are its user's."""
    assert refused(HOUR, "Set-Cookie: a=b", policy=SHARED) == Refusal.SET_COOKIE
    assert refused(HOUR, "Set-Cookie: a=b") is None


def test_what_no_request_would_match_is_not_stored() -> None:
    """A star in Vary matches nothing (4.1)."""
    assert refused(HOUR, "Vary: Accept, *") == Refusal.VARY_ANY
    assert refused(HOUR, "Vary: Accept") is None


def test_what_could_never_be_used_is_not_stored() -> None:
    """What must be validated each time and cannot be is of no use; what can be is."""
    assert refused("Cache-Control: no-cache, max-age=9") == Refusal.NO_VALIDATOR
    assert refused("Cache-Control: no-cache", TAG) is None
    assert refused("Cache-Control: no-cache", CHANGED) is None
    assert refused("Cache-Control: no-cache", "Last-Modified: never", HOUR) == Refusal.NO_VALIDATOR
    assert refused('Cache-Control: no-cache="a", max-age=9') is None
    assert refused("Cache-Control: public") == Refusal.NO_FRESHNESS


def test_s_maxage_is_for_shared_caches() -> None:
    """It is no freshness for a private one."""
    assert refused("Cache-Control: s-maxage=3600", policy=SHARED) is None
    assert refused("Cache-Control: s-maxage=3600") == Refusal.NO_FRESHNESS


@pytest.mark.parametrize(
    ("ignored", "policy", "lines", "asked"),
    [
        ("no-store", PRIVATE, ("Cache-Control: no-store, max-age=9",), ()),
        ("no-cache", PRIVATE, ("Cache-Control: no-cache, max-age=9",), ()),
        ("private", SHARED, ("Cache-Control: private, max-age=9",), ()),
        ("vary", PRIVATE, (HOUR, "Vary: *"), ()),
        ("set-cookie", SHARED, (HOUR, "Set-Cookie: a=b"), ()),
        ("authorization", SHARED, (HOUR,), ("Authorization: x",)),
        ("request-directives", PRIVATE, (HOUR,), ("Cache-Control: no-store",)),
    ],
)
def test_the_user_may_have_something_ignored(
    ignored: Ignorable, policy: Policy, lines: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """What forbids to store counts no more; without the user's word it does."""
    assert refused(*lines, asked=asked, policy=policy) is not None
    assert refused(*lines, asked=asked, policy=Policy(shared=policy.shared, ignore=frozenset({ignored}))) is None


def test_a_time_of_the_users_makes_storable_what_says_nothing() -> None:
    """But not what is no answer to be repeated: errors, and what must not be stored."""
    for policy in (Policy(ttl=60), Policy(default_ttl=60)):
        assert refused(policy=policy) is None
        assert refused(status=404, policy=policy) is None
        assert refused(status=500, policy=policy) == Refusal.NO_FRESHNESS
        assert refused("Cache-Control: no-store", policy=policy) == Refusal.NO_STORE


def test_methods_are_those_of_the_policy() -> None:
    """A POST that is among them needs explicit freshness, or a time of the user's."""
    posts = Policy(methods=frozenset({"GET", "POST"}))
    asked = request(method="POST")
    assert why_not_stored(asked, response(HOUR), PRIVATE) == Refusal.METHOD
    assert why_not_stored(request(method="get"), response(HOUR), PRIVATE) == Refusal.METHOD
    assert why_not_stored(asked, response(HOUR), posts) is None
    assert why_not_stored(asked, response(TAG, CHANGED), posts) == Refusal.NO_FRESHNESS
    assert why_not_stored(asked, response(), Policy(methods=frozenset({"POST"}), ttl=9)) is None


@pytest.mark.parametrize("place", ["", "/a", "a", URI, "https://EXAMPLE.org:443/a"])
def test_what_came_for_a_post_may_answer_a_get(place: str) -> None:
    """If it says that it is what a GET would bring, and how long that is fresh (RFC 9110, 9.3.3)."""
    asked, here = request(method="POST"), f"Content-Location: {place}"
    assert answers_get(asked, response(here))
    assert why_not_stored(asked, response(here, HOUR), PRIVATE) is None
    assert why_not_stored(asked, response(here, CHANGED), PRIVATE) == Refusal.NO_FRESHNESS


def test_what_is_something_else_answers_no_get() -> None:
    """Another place, another status or another method says nothing about the resource itself."""
    here = "Content-Location: /a"
    assert not answers_get(request(method="POST"), response("Content-Location: /b"))
    assert not answers_get(request(method="POST"), response())
    assert not answers_get(request(method="POST"), response(here, status=201))
    assert not answers_get(request(method="PUT"), response(here))


CONNECTION = [
    "Connection: x", "Keep-Alive: x", "Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "Proxy-Authorization: x",
    "Proxy-Connection: x", "TE: x", "Trailer: x", "Transfer-Encoding: chunked", "Upgrade: x",
]  # fmt: skip


@pytest.mark.parametrize("line", CONNECTION)
def test_fields_of_the_connection_are_not_kept(line: str) -> None:
    """What ends at the connection or the proxy was never meant for another answer (3.1)."""
    assert stored_fields(fields("A: 1", line, "B: 2"), PRIVATE) == fields("A: 1", "B: 2")


def test_fields_that_the_connection_names_are_not_kept() -> None:
    """All others are, unknown ones too, in their order and with their lines."""
    came = fields("C: 3", "Connection: a, B", "a: 1", "b: 2", "Set-Cookie: d", "Set-Cookie: e")
    assert stored_fields(came, PRIVATE) == fields("C: 3", "Set-Cookie: d", "Set-Cookie: e")


def test_the_connection_cannot_name_what_caching_rests_on() -> None:
    """Else a peer could have a limit forgotten."""
    came = fields("Connection: cache-control, vary, etag, x", "Cache-Control: max-age=1", "Vary: a", TAG, "X: 1")
    assert stored_fields(came, PRIVATE) == fields("Cache-Control: max-age=1", "Vary: a", TAG)


def test_fields_that_may_not_be_reused_are_not_kept() -> None:
    """Those that no-cache lists nowhere, those that private lists not in a shared cache (5.2.2.4, 5.2.2.7)."""
    said = 'Cache-Control: no-cache="A, b", private="c", max-age=5'
    came = fields(said, "a: 1", "B: 2", "c: 3", "d: 4")
    assert stored_fields(came, PRIVATE) == fields(said, "c: 3", "d: 4")
    assert stored_fields(came, SHARED) == fields(said, "d: 4")
    assert stored_fields(came, Policy(ignore=frozenset({"no-cache"}))) == came


@pytest.mark.parametrize("lines", [[], ["Date: foo"], [f"Date: {when(0)}", f"Date: {when(1)}"]])
def test_what_has_no_date_gets_the_one_of_its_coming(lines: list[str]) -> None:
    """If that is told; a valid date stays (RFC 9110, 6.6.1)."""
    assert stored_fields(fields("A: 1", *lines), PRIVATE, NOW) == fields("A: 1", f"Date: {when(0)}")
    assert stored_fields(fields("A: 1", *lines), PRIVATE) == fields("A: 1", *lines)
    assert stored_fields(fields(f"Date: {when(-5)}"), PRIVATE, NOW) == fields(f"Date: {when(-5)}")


def test_an_update_replaces_what_it_brings() -> None:
    """All its lines of a name stand for all old ones; what it does not bring stays (3.2)."""
    old = fields("A: 1", "A: 2", "B: 3", "Content-Type: x")
    assert updated_fields(old, fields("a: 4", "C: 5", "Content-Type: y")) == fields(
        "B: 3", "a: 4", "C: 5", "Content-Type: y"
    )
    assert updated_fields(fields("Age: 7", "A: 1"), fields("B: 2")) == fields("A: 1", "B: 2")
    assert updated_fields(fields("Age: 7"), fields("Age: 1")) == fields("Age: 1")


@pytest.mark.parametrize(
    "line", ["Content-Length: 1", "Content-Encoding: x", "Content-Range: x", "Connection: y", "TE: z"]
)
def test_an_update_leaves_what_the_octets_need(line: str) -> None:
    """How to read what is stored does not change, and the connection is another one."""
    old = fields("Content-Length: 10", "Content-Encoding: gzip", "Content-Range: bytes 0-9/10")
    assert updated_fields(old, fields(line)) == old
