"""RFC 9111, section 4.2: how old a stored response is, and for how long it is fresh."""

from dataclasses import dataclass
from math import inf
from typing import Final

from asynccache.http.kept.stored import StoredResponse
from asynccache.http.rfc9111.directives import response_directives
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.conditional import entity_tag, last_modified
from asynccache.http.syntax.dates import parse_date
from asynccache.http.syntax.fields import Directives, delta_seconds
from asynccache.http.syntax.message import Fields, Response, single

_HEURISTICALLY_CACHEABLE: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""RFC 9110, 15.1."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a stored response may be reused.

    Attributes:
        born: the point in time at which its age was 0.
        lifetime: for how long it is fresh from then on.
        fresh_until: when that is over; minus infinity for one that must be validated at every use.
        must_revalidate: whether it may never be used old, whoever would like it.
        stale_while_revalidate: for how long it may be used after that, while it is validated (RFC 5861, 3).
        stale_if_error: for how long it may be used after that, if the origin fails (RFC 5861, 4).
        immutable: whether to validate it is vain while it is fresh (RFC 8246).
        is_heuristic: whether nobody has said how long it is fresh.
        etag: its entity tag, as it was sent.
        last_modified: likewise.
    """

    born: float
    lifetime: float
    fresh_until: float
    must_revalidate: bool = False
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    immutable: bool = False
    is_heuristic: bool = False
    etag: str | None = None
    last_modified: str | None = None


def terms(stored: StoredResponse, policy: Policy) -> Terms:
    """Work out on what terms a stored response may be reused (4.2, 5.2.2; RFC 5861; RFC 8246)."""
    said = response_directives(stored.fields, policy)
    born = born_at(stored)
    explicit = freshness_lifetime(stored, said, policy, born)
    lifetime = heuristic_lifetime(stored, said, policy, born) if explicit is None else explicit
    is_never_fresh = said.is_unqualified("no-cache")
    return Terms(
        born,
        lifetime,
        -inf if is_never_fresh else born + lifetime,
        must_revalidate=is_never_fresh or _must_revalidate(said, policy),
        stale_while_revalidate=stale_window("stale-while-revalidate", said, policy),
        stale_if_error=stale_window("stale-if-error", said, policy),
        immutable="immutable" in said,
        is_heuristic=explicit is None,
        etag=entity_tag(stored.fields),
        last_modified=single(stored.fields, "last-modified"),
    )


def freshness_lifetime(stored: StoredResponse, said: Directives, policy: Policy, born: float) -> float | None:
    """Give the explicit lifetime of a response: the first that there is (4.2.1); None if there is none.

    What the user sets counts from when the response came, however old it was then.
    """
    if policy.ttl is not None:
        return stored.response_time + policy.ttl - born
    return own_lifetime(stored, said, policy)


def own_lifetime(stored: StoredResponse | Response, said: Directives, policy: Policy) -> float | None:
    """Give the lifetime that a response tells itself (4.2.1); None if it tells none."""
    if policy.shared and (seconds := said.seconds("s-maxage")) is not None:  # 5.2.2.10
        return seconds
    if (seconds := said.seconds("max-age")) is not None:  # 5.2.2.1
        return seconds
    if "expires" in stored.fields:  # 5.3
        expires = _first_date(stored.fields, "expires", stored.response_time)
        return expires - date_of(stored) if expires is not None else 0.0
    return None


def is_for_everybody(response: Response, policy: Policy) -> bool:
    """Tell whether a response says that a cache may reuse it without asking, be it for a second only.

    `max-age=0`, an `Expires` in the past and `no-cache` say the opposite: it may have been made for one user.
    """
    said = response_directives(response.fields, policy)
    if "public" in said:
        return True
    if said.is_unqualified("no-cache"):
        return False
    lifetime = own_lifetime(response, said, policy)
    return lifetime is not None and lifetime + (said.seconds("stale-while-revalidate") or 0) > 0


def heuristic_lifetime(stored: StoredResponse, said: Directives, policy: Policy, born: float) -> float:
    """Guess the lifetime of a response that does not tell it (4.2.2): a part of the time since it was last changed."""
    if not may_be_guessed(stored.status, said, policy):
        return 0.0
    if policy.default_ttl is not None:
        return stored.response_time + policy.default_ttl - born
    date = date_of(stored)
    changed = last_modified(stored.fields, date)
    if changed is None:
        return 0.0
    return min(policy.heuristic_limit, policy.heuristic_fraction * max(0.0, date - changed))


def may_be_guessed(status: int, said: Directives, policy: Policy) -> bool:
    """Tell whether a lifetime may be guessed: by the status (RFC 9110, 15.1), or as it is told (5.2.2.7, 5.2.2.9)."""
    return is_cacheable_by_default(status) or "public" in said or ("private" in said and not policy.shared)


def is_cacheable_by_default(status: int) -> bool:
    """Tell whether a response with this status may be kept without saying so (RFC 9110, 15.1)."""
    return status in _HEURISTICALLY_CACHEABLE


def born_at(stored: StoredResponse) -> float:
    """Give the point in time at which the age of a response was 0 (4.2.3): `now - current_age`, whenever now is."""
    apparent_age = max(0.0, stored.response_time - date_of(stored))
    response_delay = max(0.0, stored.response_time - stored.request_time)
    corrected_age_value = age_value(stored.fields) + response_delay
    return stored.response_time - max(apparent_age, corrected_age_value)


def age_value(fields: Fields) -> int:
    """Read `Age` (5.1): of several the first, without what somebody may have written behind it.

    What is no number at all is taken as not there, though the RFC encourages to take it as old: that is what the public
    conformance tests, by an editor of the RFC, require.
    """
    lines = fields.getall("age", ())
    first = lines[0].partition(",")[0].partition(";")[0].strip() if lines else ""
    return delta_seconds(first) or 0


def date_of(stored: StoredResponse | Response) -> float:
    """Give when a response was made (RFC 9110, 6.6.1): when it came, if it does not tell."""
    date = _first_date(stored.fields, "date", stored.response_time)
    return date if date is not None else stored.response_time


def _first_date(fields: Fields, name: str, near: float) -> float | None:
    value = single(fields, name)
    return parse_date(value, near) if value is not None else None


def _must_revalidate(said: Directives, policy: Policy) -> bool:
    """Tell whether a response may not be used old (5.2.2.2, 5.2.2.8, 5.2.2.10)."""
    is_strict = "must-revalidate" in said or (policy.shared and "proxy-revalidate" in said)
    return is_strict or (policy.shared and "s-maxage" in said and "must-revalidate" not in policy.ignore)


def stale_window(name: str, said: Directives, policy: Policy) -> float:
    """Give for how long a response may be used after its lifetime (RFC 5861).

    Not at all if it must be revalidated. But where `s-maxage` alone demands that (5.2.2.10), and the origin itself
    allows old responses beside it, it has said what it means.
    """
    if said.is_unqualified("no-cache") or "must-revalidate" in said or (policy.shared and "proxy-revalidate" in said):
        return 0.0
    if (seconds := said.seconds(name)) is not None:
        return seconds
    if _must_revalidate(said, policy):
        return 0.0
    return policy.stale_if_error if name == "stale-if-error" else policy.stale_while_revalidate


def age(terms: Terms, now: float) -> int:
    """Give the value of `Age` (5.1): whole seconds, 0 or more."""
    return max(0, int(now - terms.born))
