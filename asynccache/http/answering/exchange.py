"""What lies between a cache and those on its two sides: who asks, and the origin that knows the answer.

Decides the words that the engine and the adapters of frameworks have in common. A framework's client or server makes an
`Origin` of each request, and is given an `Answer`.
"""

import enum
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final, Protocol, TypeAlias

from asynccache.http import rfc9111
from asynccache.http.answering.spool import Spool
from asynccache.http.kept.stored import Body
from asynccache.http.syntax.message import Fields, Response
from asynccache.http.syntax.status import CacheStatus

_LONGEST: Final = 1e12
"""Seconds beyond which a time is as good as for ever."""

Lines: TypeAlias = Sequence[tuple[str, str]]


class Arrival(Protocol):
    """A response whose head has come from the origin, and whose body is still to be read.

    Attributes:
        response: the head.
        native: what the framework calls a response, to be handed on untouched if nothing is stored.
        is_decoded: whether a content coding is taken off the body, though the fields name it.
        is_untouched: whether the cache has to keep its hands off: it is no response of HTTP any more, or on its way.
        length: how many bytes the body has, if all of it has come with the head; None: that is not known.
        tags: what the stored response is to be purged by.
    """

    response: Response
    native: Any
    is_decoded: bool
    is_untouched: bool
    length: int | None
    tags: tuple[str, ...]

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes. Raises what the framework raises if it breaks off."""
        ...

    def discard(self) -> None:
        """Let go of it unread, so that nothing waits for a reader any more."""
        ...


class Origin(Protocol):
    """One request's way to the origin. It may be gone more than once: to validate, and then for a body."""

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> Arrival:
        """Send the request.

        Args:
            lines: fields to be sent in the place of those that have the same names.
            without: names, in lower case, of fields that are not to be sent.
        """
        ...

    def later(self) -> "Origin | None":
        """Give a way to the origin that is still there when this request is over; None if there is none."""
        ...


class Kind(enum.Enum):
    """Where an answer comes from."""

    STORED = enum.auto()
    """From what is kept, here or in another process: `fields`, `body`."""
    STREAMED = enum.auto()
    """From the origin; it is being stored, and others may be reading it too: `fields`, `spool`, and `arrival` for the
    one whose request it was."""
    PASSED = enum.auto()
    """From the origin, for this one only, untouched: `arrival`."""
    MADE = enum.auto()
    """By the cache itself: a 304, a 416, a 504: `fields`, and no body."""


@dataclass(slots=True, eq=False)
class Answer:
    """What a request is answered with.

    Attributes:
        kind: where it comes from.
        status: the status code.
        reason: the reason phrase.
        fields: as they are to be told, without Age and Cache-Status.
        status_told: what the cache did, without what depends on the time.
        terms: of the stored response that it was made of; None: the origin has just made it, or nobody.
        now: when it was made, in seconds of wall time.
        body: what is kept of it. Not for a HEAD.
        first: the first byte of the body to be sent.
        last: the last one, counted; None: to the end.
        spool: what is being read from the origin, or from a store.
        arrival: the origin's response itself, for the one whose request it was.
        is_decoded: whether a content coding was taken off the body, though the fields name it.
    """

    kind: Kind
    status: int
    reason: str
    fields: Fields
    status_told: CacheStatus
    terms: rfc9111.Terms | None = None
    now: float = 0.0
    body: Body | None = None
    first: int = 0
    last: int | None = None
    spool: Spool | None = None
    arrival: Arrival | None = None
    is_decoded: bool = False

    # What most never ask for is made when somebody does.

    @property
    def age(self) -> int | None:
        """Seconds since the origin made it, to be told as `Age` (RFC 9111, 5.1); None: it has just made it."""
        return None if self.terms is None else rfc9111.age(self.terms, self.now)

    @property
    def ttl(self) -> int | None:
        """For how many seconds more it is fresh, if it was kept, and that can be told."""
        left = inf if self.terms is None or self.kind is Kind.STREAMED else self.terms.fresh_until - self.now
        return int(left) if -_LONGEST < left < _LONGEST else None

    @property
    def cache_status(self) -> CacheStatus:
        """What the cache did (RFC 9211)."""
        ttl = self.ttl
        return self.status_told if ttl is None else replace(self.status_told, ttl=ttl)
