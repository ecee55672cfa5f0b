"""How the keys of stored responses are spelled in a store.

Decides what lies under a namespace:

    http:r:<digest>            the record of all responses to one cache key, in a private cache
    http:s:<digest>            likewise, in a shared one: it must never serve what a private one has kept
    http:b:<id>.<number>       one piece of a body
    http:p:<digest>            the mark of a tag
    http:a:                    the mark of everything in the namespace

URLs and tags may be long, and may be secret: of both there are digests only, all of one length.
"""

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Final

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_DIGEST: Final = 24
"""Bytes: two keys of one digest cannot be found, not even by who looks for them, and base64 needs no padding."""


class Spelling:
    """The keys of one namespace.

    Args:
        namespace: what they begin with.
        shared: whether different users are served from the cache (RFC 9111, 1).

    Raises:
        TypeError, ValueError: the namespace cannot be meant.
    """

    __slots__ = ("_bodies", "_records", "_tags", "everything")

    def __init__(self, namespace: str, *, shared: bool = False) -> None:
        if not isinstance(namespace, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
            raise TypeError(f"namespace must be a string, not {namespace!r}")
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace must be 1 to 64 letters, digits, '.', '_' or '-', as in \"http\", not {namespace!r}"
            )
        prefix = namespace.encode()
        self._records = prefix + (b":s:" if shared else b":r:")
        self._bodies = prefix + b":b:"
        self._tags = prefix + b":p:"
        self.everything: Final = prefix + b":a:"

    def record(self, key: str) -> bytes:
        """Spell where the responses to a cache key lie."""
        return self._records + _digest(key)

    def tag(self, name: str) -> bytes:
        """Spell where the mark of a tag lies."""
        return self._tags + _digest(name)

    def piece(self, body: bytes, number: int) -> bytes:
        """Spell where a piece of a body lies."""
        return b"%b%b.%d" % (self._bodies, urlsafe_b64encode(body), number)


def _digest(text: str) -> bytes:
    return urlsafe_b64encode(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest())
