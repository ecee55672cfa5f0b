"""What is taken off a response, or added to it, before it may be everybody's.

Decides what a handler's silence means. A response that says for how long it is fresh was meant for a cache. One that
says that it is not, or is kept only because the owner has set a time for everything, may have been made for one user:
it is kept for requests with the same `Authorization` and `Cookie`, unless the owner says that nobody is told apart by
them (`identity=()`).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from asynccache.http import rfc9111
from asynccache.http.answering.exchange import Answer
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.message import Fields, Pairs, Request, Response
from asynccache.http.syntax.status import CacheStatus

_PLAIN: Final = Request("GET", "http://localhost/", Fields())
"""A request that lets everything be kept, be it for one user."""

_TAG: Final = re.compile(r"[^,\s]+")
_DIGEST: Final = 12


def narrowing(fields: Fields, policy: Policy, now: float) -> tuple[str, ...]:
    """Give the request fields by which a response has to vary though it does not say so: those that tell users apart.

    Args:
        fields: of the response.
        policy: how it is judged.
        now: when it came, in seconds since 1970.
    """
    response = Response(200, fields, now, now)
    if rfc9111.is_for_everybody(response, policy) or rfc9111.why_not_stored(_PLAIN, response, policy) is not None:
        return ()
    return tuple(name for name in policy.identity if name not in policy.ignore)


def for_sharing(fields: Fields, policy: Policy) -> Fields:
    """Give the fields with which a response is judged and kept.

    `Set-Cookie` is not among them where the owner has it ignored: what is stored then is the response without it, since
    the cookie was meant for the one who asked.
    """
    return fields.without(("set-cookie",)) if "set-cookie" in policy.ignore and "set-cookie" in fields else fields


def tags_in(lines: Iterable[str]) -> tuple[str, ...]:
    """Read the values of a field with tags: by commas or spaces, as different caches have it."""
    return tuple(tag for line in lines for tag in _TAG.findall(line))


def content_tag(body: bytes, *, is_weak: bool = False) -> str:
    """Make an entity tag of all octets of a representation (RFC 9110, 8.8.3): another for any other octets."""
    tag = f'"{blake2b(body, digest_size=_DIGEST).hexdigest()}"'
    return f"W/{tag}" if is_weak else tag


def without_age(fields: Fields) -> Fields:
    """Give the fields of what is kept without the age that it came with: it is older now (RFC 9111, 5.1)."""
    return fields.without(("age",)) if "age" in fields else fields


def extra_lines(answer: Answer) -> Pairs:
    """Give the fields that tell what the cache did: how old an answer is, and where it comes from (RFC 9211)."""
    status = ("Cache-Status", _written(answer.status_told, answer.ttl))
    return (status,) if answer.age is None else (("Age", str(answer.age)), status)


@lru_cache(maxsize=1024)
def _written(status: CacheStatus, ttl: int | None) -> str:
    return str(status if ttl is None else replace(status, ttl=ttl))
