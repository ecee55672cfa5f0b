"""All responses to one cache key as bytes, and back.

Decides the format. A record is a sealed envelope, so that it begins with a stamp which no other record has, and is not
believed if anybody has touched it. Its payload, all numbers big-endian:

    generation 8 · length of the head 4 · head · the bodies that lie inside, one after the other

The head is JSON: a list with one list for each response, the newest first. Its text is UTF-8 with surrogates let
through, as fields may hold any octets. What the responses depend on, the envelope says; in the place of what was
invalidated lies an envelope without a payload, a tombstone, whose version is the new generation.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from asynccache.http.kept.stored import Body, ChunkedBody, InlineBody, StoredResponse
from asynccache.http.syntax.message import Fields
from asynccache.http.syntax.ranges import Span
from asynccache.serializers.envelope import Envelope, Kind, Sealer, new_version, stamp
from asynccache.serializers.proofs import Unopenable

FORMAT: Final = 0x48
"""Stands in the place of a codec: what else is kept in such envelopes is not read as responses, nor the other way."""

UNKNOWN: Final = bytes(8)
"""The generation of a key of which nothing is remembered."""

_FIXED: Final = struct.Struct(">8sI")

Versions: TypeAlias = Mapping[bytes, bytes]
"""The keys of marks, each with its version."""


class KeptBody(InlineBody):
    """A body inside a record: a window on the record's bytes, so that they are not there twice."""

    __slots__ = ("_first", "_record", "_size")

    _record: bytes
    _first: int
    _size: int

    def __init__(self, record: bytes, first: int, size: int) -> None:
        put = object.__setattr__  # the base is frozen
        put(self, "_record", record)
        put(self, "_first", first)
        put(self, "_size", size)

    @property
    def content(self) -> bytes:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only in the base too
        """Its octets."""
        return self._record[self._first : self._first + self._size]

    @property
    def size(self) -> int:
        """How many bytes."""
        return self._size

    def __eq__(self, other: object) -> bool:
        return self.content == other.content if isinstance(other, InlineBody) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content)

    def __repr__(self) -> str:
        return f"<KeptBody, {self._size} bytes>"


class Kept(NamedTuple):
    """A response, and until when it is of use, in seconds of wall time."""

    response: StoredResponse
    until: float


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What lies under one cache key.

    Attributes:
        stamp: how its bytes begin.
        generation: of the key.
        kept: the responses, the newest first.
        versions: those that the marks had on which the responses depend.
        head_size: bytes of what is not bodies, for those who count them.
    """

    stamp: bytes
    generation: bytes
    kept: tuple[Kept, ...] = ()
    versions: Versions = field(default_factory=dict[bytes, bytes])
    head_size: int = 0


def tombstone(sealer: Sealer, key: bytes, now: float) -> bytes:
    """Make what lies in the place of responses that were invalidated."""
    return sealer.seal(key, Envelope(Kind.TOMBSTONE, new_version(), now))


def encoded(
    sealer: Sealer, key: bytes, now: float, generation: bytes, kept: Sequence[Kept], versions: Versions
) -> bytes:
    """Make the bytes of a record, with a stamp of its own.

    Args:
        sealer: vouches for it.
        key: in the store.
        now: seconds of wall time.
        generation: of the key.
        kept: the responses, the newest first.
        versions: those of the marks that they depend on.

    Raises:
        Unencodable: it would be larger than what is read again.
        ValueError: a time is no finite number.
    """
    rows = [_row(response, until) for response, until in kept]
    text = json.dumps(rows, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    head = text.encode("utf-8", "surrogatepass")
    bodies = [response.body.content for response, _ in kept if isinstance(response.body, InlineBody)]
    payload = b"".join((_FIXED.pack(generation, len(head)), head, *bodies))
    envelope = Envelope(
        Kind.VALUE, new_version(), now, generations=tuple(versions.items()), codec=FORMAT, payload=payload
    )
    return sealer.seal(key, envelope)


def decoded(sealer: Sealer, key: bytes, data: bytes) -> Record:
    """Read the bytes of a record.

    Raises:
        Unopenable: they are not to be believed; nothing else is raised, whatever the bytes.
    """
    envelope = sealer.open(key, data)
    if envelope.kind is Kind.TOMBSTONE and not envelope.payload:
        return Record(stamp(data), envelope.version)
    if envelope.kind is not Kind.VALUE or envelope.codec != FORMAT:
        raise Unopenable("parts")
    try:
        return _record(envelope, data)
    except (ValueError, TypeError, struct.error, RecursionError, OverflowError):
        raise Unopenable("parts") from None


def _record(envelope: Envelope, data: bytes) -> Record:
    payload = envelope.payload
    generation, head_size = _FIXED.unpack_from(payload)
    first = _FIXED.size + head_size
    rows = json.loads(payload[_FIXED.size : first].decode("utf-8", "surrogatepass"))
    # The payload is the last of a record but for the few bytes that vouch for it.
    at = data.rindex(payload) + first
    kept: list[Kept] = []
    for row in _list(rows):
        one = _kept(_list(row), data, at)
        kept.append(one)
        if isinstance(one.response.body, KeptBody):
            at += one.response.body.size
    if at != data.rindex(payload) + len(payload):
        raise ValueError("bodies of other lengths")
    return Record(stamp(data), generation, tuple(kept), dict(envelope.generations), first)


# --- one response -----------------------------------------------------------------------------------------------------


def _row(response: StoredResponse, until: float) -> list[Any]:
    body, span = response.body, response.span
    return [
        response.method,
        response.status,
        response.reason,
        response.fields.pairs,
        response.request_time,
        response.response_time,
        response.vary,
        response.selecting.hex(),
        body.size if isinstance(body, InlineBody) else _chunks_row(body, until),
        None if span is None else [span.first, span.last, span.length],
        response.is_decoded,
        response.tags,
        until,
    ]


def _chunks_row(body: ChunkedBody, until: float) -> list[Any]:
    return [body.id.hex(), body.size, body.chunk_size, until if body.kept_until == inf else body.kept_until]


def _kept(row: list[Any], data: bytes, at: int) -> Kept:
    """Read a response, every part of it checked: without a secret, anybody can have written it."""
    method, status, reason, fields, asked, came, vary, selecting, body, span, is_decoded, tags, until = row
    if type(is_decoded) is not bool:
        raise TypeError("no flag")
    response = StoredResponse(
        method=_text(method),
        status=_number(status),
        reason=_text(reason),
        fields=Fields(_pair(pair) for pair in _list(fields)),
        request_time=_time(asked),
        response_time=_time(came),
        vary=tuple(map(_text, _list(vary))),
        selecting=bytes.fromhex(_text(selecting)),
        body=_body(body, data, at),
        span=None if span is None else _span(_list(span)),
        is_decoded=is_decoded,
        tags=tuple(map(_text, _list(tags))),
    )
    return Kept(response, _time(until))


def _body(said: Any, data: bytes, at: int) -> Body:
    if not isinstance(said, list):
        return KeptBody(data, at, _number(said))
    identity, size, chunk_size, until = _list(said)
    if not _number(chunk_size):
        raise ValueError("pieces of nothing")
    return ChunkedBody(bytes.fromhex(_text(identity)), _number(size), _number(chunk_size), _time(until))


def _span(said: list[Any]) -> Span:
    first, last, length = said
    return Span(_number(first), _number(last), None if length is None else _number(length))


def _pair(said: Any) -> tuple[str, str]:
    name, value = _list(said)
    return _text(name), _text(value)


def _list(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise TypeError("no list")
    return said  # pyright: ignore[reportUnknownVariableType]  # of whatever


def _text(said: Any) -> str:
    if type(said) is not str:
        raise TypeError("no text")
    return said


def _number(said: Any) -> int:
    if type(said) is not int or said < 0:
        raise TypeError("no number")
    return said


def _time(said: Any) -> float:
    if type(said) not in {int, float} or not isfinite(said):
        raise TypeError("no time")
    return float(said)


def tags_of(responses: Iterable[StoredResponse]) -> list[str]:
    """Give the tags of responses, each once."""
    return list(dict.fromkeys(tag for response in responses for tag in response.tags))
