"""A stored response, and all of one cache key.

Decides what is kept of a response and of the request that it answered. How that looks as bytes, `records` decides; what
it may be used for, `rfc9111`.
"""

from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeAlias

from asynccache.http.syntax.message import Fields
from asynccache.http.syntax.ranges import Span


@dataclass(frozen=True, slots=True)
class InlineBody:
    """A body that lies in the record of its response.

    Attributes:
        content: its octets, as the origin's client handed them on.
    """

    content: bytes

    @property
    def size(self) -> int:
        """How many bytes."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class ChunkedBody:
    """A body that lies beside the record of its response, in pieces of one size (the last may be shorter).

    Attributes:
        id: random; what the keys of its chunks begin with.
        size: how many bytes.
        chunk_size: of one piece, in bytes.
        kept_until: when the pieces are forgotten, in seconds of wall time.
    """

    id: bytes
    size: int
    chunk_size: int
    kept_until: float = inf


Body: TypeAlias = InlineBody | ChunkedBody


@dataclass(frozen=True, slots=True, eq=False)
class StoredResponse:
    """A response that is kept (RFC 9111, 3).

    Attributes:
        method: of the request that it answered.
        status: 206 if it holds a part of the representation only.
        reason: the reason phrase.
        fields: without those of the connection (RFC 9111, 3.1).
        request_time: when it was asked for, or last validated, in seconds of wall time.
        response_time: when it came, or was last validated, likewise.
        vary: the request fields that tell it apart from others, in lower case and sorted; those of `Policy.identity`
            among them, if it is for one user only.
        selecting: digest of the values that those fields had (RFC 9111, 4.1).
        body: what was in it.
        span: which part that is; None: all of it.
        is_decoded: whether a content coding was taken off the body, though the fields still name it.
        tags: what it is purged by.
    """

    method: str
    status: int
    reason: str
    fields: Fields
    request_time: float
    response_time: float
    vary: tuple[str, ...] = ()
    selecting: bytes = b""
    body: Body = InlineBody(b"")
    span: Span | None = None
    is_decoded: bool = False
    tags: tuple[str, ...] = field(default=())

    def with_body(self, body: Body) -> "StoredResponse":
        """Give the same response with a body."""
        return replace(self, body=body)
