"""What is taken off a response, or added to it, before it may be everybody's.

Decides what a handler's silence means. A response that says how long it is fresh was meant for a cache; one that is kept
only because the owner has set a time for everything may have been made for one user: it is kept for requests with the
same `Cookie` and `Authorization`, unless its owner says that nobody is told apart (`identity=()`).
"""

import re
from hashlib import blake2b
from typing import Final

from asynccache.http.message import Fields
from asynccache.http.policy import Policy

_SAYS: Final = ("cache-control", "expires")
_TAG: Final = re.compile(r"[^,\s]+")
_DIGEST: Final = 12


def for_sharing(fields: Fields, policy: Policy) -> Fields:
    """Give the fields with which a response is judged and kept.

    `Set-Cookie` is not among them where the owner has it ignored: what is stored then is the response without it, since
    the cookie was meant for the one who asked.
    """
    if "set-cookie" in policy.ignore and "set-cookie" in fields:
        fields = fields.without(("set-cookie",))
    if not policy.identity or any(name in fields for name in _SAYS):
        return fields
    names = [name for name in policy.identity if name not in policy.ignore]
    return with_vary(fields, names) if policy.ttl is not None or policy.default_ttl is not None else fields


def with_vary(fields: Fields, names: "list[str] | tuple[str, ...]") -> Fields:
    """Give the fields with more names in `Vary`."""
    return Fields((*fields.pairs, ("Vary", ", ".join(names)))) if names else fields


def tags_in(lines: "list[str] | tuple[str, ...]") -> tuple[str, ...]:
    """Read the values of a field with tags: by commas or spaces, as different caches have it."""
    return tuple(tag for line in lines for tag in _TAG.findall(line))


def content_tag(body: bytes, *, is_weak: bool = False) -> str:
    """Make an entity tag of all octets of a representation (RFC 9110, 8.8.3): another for any other octets."""
    tag = f'"{blake2b(body, digest_size=_DIGEST).hexdigest()}"'
    return f"W/{tag}" if is_weak else tag
