"""What is taken off a response, or added to it, before it may be everybody's.

Decides what a handler's silence means. A response that says how long it is fresh was meant for a cache; one that is
kept only because the owner has set a time for everything may have been made for one user: it is kept for requests with
the same `Cookie`, unless its owner says that nobody is told apart by it (`identity=()`).
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from asynccache.http.exchange import Answer
from asynccache.http.message import Fields, Headers, Pairs
from asynccache.http.policy import Policy
from asynccache.http.rfc9111.directives import response_directives
from asynccache.http.status import CacheStatus

_SAYS: Final = ("public", "max-age", "s-maxage")
_TAG: Final = re.compile(r"[^,\s]+")
_DIGEST: Final = 12


def narrowing(headers: Headers, policy: Policy) -> tuple[str, ...]:
    """Give the request fields by which a response has to vary though it does not say so: those that tell users apart.

    `Authorization` is not among them: what answers such a request is kept if it says that it may be, or not at all.
    """
    if policy.ttl is None and policy.default_ttl is None:
        return ()
    said = response_directives(headers, policy)
    if "expires" in headers or any(name in said for name in _SAYS):
        return ()
    return tuple(name for name in policy.identity if name != "authorization" and name not in policy.ignore)


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
