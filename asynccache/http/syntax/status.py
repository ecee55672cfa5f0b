"""What the cache did with one request, as `Cache-Status` tells it (RFC 9211).

Decides how that is written; what it was, the engine decides.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from asynccache.http.syntax.fields import is_token

Forwarded: TypeAlias = Literal[
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"
]  # fmt: skip
"""Why a request went to the origin (RFC 9211, 2.2)."""

_PRINTABLE: Final = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What the cache did. `str()` of it is the value of the field.

    Attributes:
        cache: the name of this cache.
        hit: whether the request was answered from the cache without asking the origin.
        fwd: why the origin was asked; None if it was not.
        fwd_status: what the origin's status code was, if it was asked.
        ttl: for how many seconds more the response is fresh; less than 0 if it is not.
        stored: whether the origin's response was stored.
        collapsed: whether the request waited for another's response instead of being sent itself.
        key: the cache key.
        detail: more, in our own words.
    """

    cache: str = "asynccache"
    hit: bool = False
    fwd: Forwarded | None = None
    fwd_status: int | None = None
    ttl: int | None = None
    stored: bool = False
    collapsed: bool = False
    key: str | None = None
    detail: str | None = None

    def __str__(self) -> str:
        """Give the value of the field (RFC 9211, 2; RFC 8941, 3)."""
        parameters = [
            "hit" if self.hit else None,
            f"fwd={self.fwd}" if self.fwd is not None and not self.hit else None,
            f"fwd-status={self.fwd_status}" if self.fwd_status is not None else None,
            f"ttl={self.ttl}" if self.ttl is not None else None,
            "stored" if self.stored else None,
            "collapsed" if self.collapsed else None,
            f"key={_string(self.key)}" if self.key is not None else None,
            f"detail={_item(self.detail)}" if self.detail is not None else None,
        ]
        return "; ".join([_item(self.cache), *(each for each in parameters if each is not None)])


def _item(text: str) -> str:
    """Write a token if it is one, else a string (RFC 8941, 3.3.4 and 3.3.3)."""
    return text if text[:1].isalpha() and is_token(text) else _string(text)


def _string(text: str) -> str:
    """Write a string of a structured field; what it cannot hold becomes a question mark."""
    held = "".join(letter if ord(letter) in _PRINTABLE else "?" for letter in text)
    return '"' + held.replace("\\", "\\\\").replace('"', '\\"') + '"'
