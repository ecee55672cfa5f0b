"""RFC 9111, section 4: which stored response answers a request, and whether it may."""

from collections.abc import Sequence
from enum import Enum, auto
from math import inf

from asynccache.http.kept.stored import StoredResponse
from asynccache.http.rfc9111.directives import request_directives, response_directives
from asynccache.http.rfc9111.freshness import Terms, date_of
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.fields import Directives
from asynccache.http.syntax.message import Fields, Headers, Request
from asynccache.http.syntax.vary import selecting, varies_by


class Reuse(Enum):
    """What a stored response may be used for."""

    FRESH = auto()
    """To answer at once."""
    STALE = auto()
    """To answer at once, though it is old: the request allows that."""
    REVALIDATE_BEHIND = auto()
    """To answer at once, while it is validated."""
    VALIDATE = auto()
    """Not to answer without asking the origin."""


def reuse(request: Request, terms: Terms, now: float, policy: Policy) -> Reuse:
    """Say what a stored response may be used for (4, 4.2).

    Args:
        request: one that the response has been chosen for.
        terms: of the response.
        now: seconds since 1970.
        policy: how it is judged.
    """
    headers = request.headers
    if "cache-control" not in headers and "pragma" not in headers:  # what most requests are
        if now < terms.fresh_until:
            return Reuse.FRESH
        return Reuse.REVALIDATE_BEHIND if now < terms.fresh_until + terms.stale_while_revalidate else Reuse.VALIDATE
    said = request_directives(request, policy)
    if "no-cache" in said or "no-store" in said or not _is_young(said, terms, now):  # 5.2.1.4, 5.2.1.5
        return Reuse.VALIDATE
    if now < terms.fresh_until:
        return Reuse.FRESH
    return _reuse_stale(said, terms, now, policy)


def _is_young(said: Directives, terms: Terms, now: float) -> bool:
    """Tell whether a response is young enough, and fresh for long enough, for a request (5.2.1.1, 5.2.1.3)."""
    if "min-fresh" in said and terms.fresh_until - now < (said.seconds("min-fresh") or 0):
        return False
    oldest = said.seconds("max-age")
    if oldest is None or (terms.immutable and now < terms.fresh_until):  # RFC 8246, 2
        return True
    return oldest > 0 and now - terms.born <= oldest


def _reuse_stale(said: Directives, terms: Terms, now: float, policy: Policy) -> Reuse:
    """Say whether a response may be used though it is old (4.2.4, 5.2.1.2; RFC 5861, 3)."""
    is_content = _request_counts(terms, policy) and now - terms.fresh_until <= longest_staleness(said)
    if now < terms.fresh_until + terms.stale_while_revalidate and (is_content or not _is_choosy(said)):
        return Reuse.REVALIDATE_BEHIND
    return Reuse.STALE if is_content and not terms.must_revalidate else Reuse.VALIDATE


def longest_staleness(said: Directives) -> float:
    """Give how old a response a request accepts, counted from the end of its lifetime (5.2.1.2); less than 0: none."""
    if "max-stale" not in said:
        return -inf
    return inf if said.argument("max-stale") is None else said.seconds("max-stale") or 0


def _request_counts(terms: Terms, policy: Policy) -> bool:
    """Tell whether a request may accept a response old: in a shared cache, none that was never fresh for others."""
    return not policy.shared or terms.lifetime > 0


def _is_choosy(said: Directives) -> bool:
    """Whether a request says how old a response may be: then it wants no older one (5.2.1.1)."""
    return "max-age" in said or "min-fresh" in said or "max-stale" in said


def may_serve_on_error(request: Request, terms: Terms, now: float, policy: Policy) -> bool:
    """Tell whether an old response may answer because the origin failed (4.2.4; RFC 5861, 4).

    Args:
        request: one that the response has been chosen for.
        terms: of the response.
        now: seconds since 1970.
        policy: how it is judged.

    The RFC lets a cache that is cut off from the origin serve what is old without anybody's leave, however old it is
    (4.2.4); we want to be told for how long, by the origin, the request or the user, as for an error status.
    """
    said = request_directives(request, policy)
    if terms.must_revalidate and not terms.stale_if_error:
        return False
    if "no-cache" in said or "no-store" in said or _is_choosy(said):
        return False
    may_ask = _request_counts(terms, policy) and not terms.must_revalidate
    asked = (said.seconds("stale-if-error") or 0) if may_ask else 0
    return now < terms.fresh_until + max(terms.stale_if_error, asked)


def vary_names(fields: Fields, policy: Policy, headers: Headers) -> tuple[str, ...] | None:
    """Give the request fields that tell a response apart from others of its URI (4.1); None: no request matches it.

    In a private cache, those of the request that tell users apart are among them, unless the response is `public`: what
    was asked for without any of them is for everybody.
    """
    named: tuple[str, ...] | None = () if "vary" in policy.ignore else varies_by(fields)
    if named is None or policy.shared or "public" in response_directives(fields, policy):
        return named
    return tuple(sorted({*named, *(name for name in policy.identity if name in headers and name not in policy.ignore)}))


def choose(headers: Headers, candidates: Sequence[StoredResponse]) -> StoredResponse | None:
    """Choose the response that a request selects (4.1): of several, the most recent (4).

    Args:
        headers: of the request.
        candidates: what is stored for its URI and method.
    """
    if len(candidates) == 1:  # what most URIs have
        only = candidates[0]
        return only if selecting(only.vary, headers) == only.selecting else None
    digests = {names: selecting(names, headers) for names in {each.vary for each in candidates}}
    selected = [each for each in candidates if digests[each.vary] == each.selecting]
    if len(selected) < 2:
        return selected[0] if selected else None
    return max(selected, key=lambda each: (date_of(each), each.response_time))
