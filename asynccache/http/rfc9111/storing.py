"""RFC 9111, section 3: what may be stored, and which of its fields."""

from enum import StrEnum
from typing import Final

from asynccache.http.rfc9111.directives import forbids_storing, response_directives
from asynccache.http.rfc9111.freshness import may_be_guessed, own_lifetime, stale_window
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.conditional import entity_tag, last_modified
from asynccache.http.syntax.dates import format_date, parse_date
from asynccache.http.syntax.fields import Directives, all_members
from asynccache.http.syntax.message import SAFE_METHODS, Fields, Request, Response, single
from asynccache.http.syntax.ranges import Span, content_range
from asynccache.http.syntax.uris import cache_uri, same_origin
from asynccache.http.syntax.vary import varies_by

_UNDERSTOOD: Final = frozenset(
    {*range(200, 207), *range(300, 306), 307, 308, *range(400, 418), 421, 422, 426, *range(500, 506)}
)
"""Status codes of RFC 9110, 15."""

_OF_THE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection"}
    | {"proxy-authenticate", "proxy-authentication-info", "proxy-authorization"}
)
"""Fields that end here (RFC 9110, 7.6.1) or at the proxy (3.1)."""

_NEVER_OF_THE_CONNECTION: Final = frozenset(
    {"age", "cache-control", "content-encoding", "content-length", "content-range", "content-type", "date", "etag"}
    | {"expires", "last-modified", "vary"}
)
"""Fields that nobody may nominate in `Connection`: without them a response would be taken for another."""

_OF_THE_OCTETS: Final = frozenset({"content-encoding", "content-length", "content-range"})
"""Fields that say how to read the octets that are stored."""


class Refusal(StrEnum):
    """Why a response is not stored."""

    METHOD = "method"
    STATUS = "status"
    PARTIAL = "partial"
    MUST_UNDERSTAND = "must-understand"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"
    SET_COOKIE = "set-cookie"
    VARY_ANY = "vary-any"
    NO_FRESHNESS = "no-freshness"
    NO_VALIDATOR = "no-validator"


def why_not_stored(request: Request, response: Response, policy: Policy) -> Refusal | None:
    """Say why a response may not be stored, or why that would be of no use; None if it is to be stored (3)."""
    said = response_directives(response.fields, policy)
    if request.method not in policy.methods and not answers_get(request, response):
        return Refusal.METHOD
    if response.status < 200 or response.status == 304:
        return Refusal.STATUS
    if response.status == 206 and span_of(response) is None:  # 3.3
        return Refusal.PARTIAL
    if "must-understand" in said and response.status not in _UNDERSTOOD:  # 5.2.2.3
        return Refusal.MUST_UNDERSTAND
    if ("no-store" in said and "must-understand" not in said) or forbids_storing(request, policy):  # 5.2.2.5, 5.2.1.5
        return Refusal.NO_STORE
    if varies_by(response.fields) is None and "vary" not in policy.ignore:  # 4.1: it would match nothing
        return Refusal.VARY_ANY
    if policy.shared and (refusal := _why_not_shared(request, response.fields, said, policy)):
        return refusal
    return _why_useless(request, response, said, policy)


def _why_not_shared(request: Request, fields: Fields, said: Directives, policy: Policy) -> Refusal | None:
    """Say why a response is for one user only (3, 3.5 and 5.2.2.7)."""
    if said.is_unqualified("private"):
        return Refusal.PRIVATE
    is_for_all = any(name in said for name in ("must-revalidate", "public", "s-maxage"))
    if "authorization" in request.headers and "authorization" not in policy.ignore and not is_for_all:
        return Refusal.AUTHORIZATION
    if "set-cookie" in fields and "set-cookie" not in policy.ignore:
        return Refusal.SET_COOKIE  # 7.3 warns of it; 3 would allow it, but a cookie is seldom meant for everybody
    return None


def _why_useless(request: Request, response: Response, said: Directives, policy: Policy) -> Refusal | None:
    """Say why a response could never be reused (3: the last requirement, and the note)."""
    is_validatable = entity_tag(response.fields) is not None or last_modified(response.fields) is not None
    if said.is_unqualified("no-cache") and not is_validatable:
        return Refusal.NO_VALIDATOR
    lifetime = own_lifetime(response, said, policy)
    if lifetime is not None:
        is_usable = lifetime > 0 or is_validatable or not policy.shared or _may_be_old(said, policy)
        return None if is_usable or policy.ttl is not None else Refusal.NO_FRESHNESS
    if policy.ttl is None and request.method not in SAFE_METHODS:  # RFC 9110, 9.3.3
        return Refusal.NO_FRESHNESS
    is_of_use = policy.ttl is not None or policy.default_ttl is not None or _is_worth_asking(response, said, policy)
    return None if is_of_use and may_be_guessed(response.status, said, policy) else Refusal.NO_FRESHNESS


def _may_be_old(said: Directives, policy: Policy) -> bool:
    return any(stale_window(name, said, policy) for name in ("stale-while-revalidate", "stale-if-error"))


def _is_worth_asking(response: Response, said: Directives, policy: Policy) -> bool:
    """Tell whether what says nothing of its lifetime is kept to be validated, or for what may be guessed of it.

    In a shared cache, silence is no leave: an origin that gives all its users one entity tag, a version for instance,
    would confirm to one of them what another was told.
    """
    is_dated = last_modified(response.fields) is not None
    if policy.shared and "public" not in said and not said.is_unqualified("no-cache"):
        return is_dated and policy.heuristic_fraction > 0
    return is_dated or entity_tag(response.fields) is not None


def answers_get(request: Request, response: Response) -> bool:
    """Tell whether what came for a POST may be stored as what a GET would have been answered (RFC 9110, 9.3.3).

    It may if `Content-Location` says that it is a representation of the same resource; besides, `why_not_stored` asks
    for explicit freshness.
    """
    place = single(response.fields, "content-location")
    if request.method != "POST" or response.status != 200 or place is None:
        return False
    return same_origin(request.uri, place) == cache_uri(request.uri)


def stored_fields(fields: Fields, policy: Policy, received: float | None = None) -> Fields:
    """Give the fields that are kept of a response (3.1).

    Args:
        fields: as they came.
        policy: `no-cache="…"` is for all caches (5.2.2.4), `private="…"` for shared ones (5.2.2.7).
        received: when they came; a response without a date gets this one (RFC 9110, 6.6.1). None: it gets none.
    """
    said = response_directives(fields, policy)
    private = said.field_names("private") if policy.shared else frozenset[str]()
    kept = fields.without(_of_the_connection(fields) | said.field_names("no-cache") | private)
    date = single(fields, "date")
    if received is None or (date is not None and parse_date(date) is not None):
        return kept
    return kept.with_lines(("Date", format_date(received)))


def _of_the_connection(fields: Fields) -> frozenset[str]:
    nominated = {name.lower() for name in all_members(fields, "connection")}
    return _OF_THE_CONNECTION | (nominated - _NEVER_OF_THE_CONNECTION)


def updated_fields(stored: Fields, received: Fields) -> Fields:
    """Give stored fields with those of a newer response in the place of their namesakes (3.2).

    Those that say how to read the stored octets stay, as these do. An old `Age` goes: it told how old the response was
    when it came, and now it came again (4.2.3).
    """
    return stored.without(("age",)).with_lines(*received.without(_of_the_connection(received) | _OF_THE_OCTETS))


def span_of(response: Response) -> Span | None:
    """Say which part of a representation a response holds; None: all of it, or nobody knows (3.3)."""
    return content_range(response.fields) if response.status == 206 else None
