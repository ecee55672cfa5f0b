"""Parts of a representation: which one is asked for, which one is kept, and how two become one.

Decides about ranges of bytes, one at a time (RFC 9110, 14; RFC 9111, 3.3 and 3.4). A request for several at once is
treated as one for the whole, which RFC 9110, 14.2 allows.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from asynccache.http.syntax.conditional import entity_tag, is_strong, is_strong_date, last_modified, same_strong
from asynccache.http.syntax.dates import parse_date
from asynccache.http.syntax.fields import delta_seconds
from asynccache.http.syntax.message import Fields, Headers, single

_RANGE: Final = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a representation a stored 206 holds: from `first` to `last`, both counted, of `length` bytes.

    `length` is None if the origin did not tell (RFC 9110, 14.4).
    """

    first: int
    last: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The answer to a range that begins behind the end: 416 (RFC 9110, 15.5.17).

    Attributes:
        length: of the whole representation, in bytes.
    """

    length: int


@dataclass(frozen=True, slots=True)
class Part:
    """A range that is asked for and held.

    Attributes:
        span: where it lies in the representation.
        first: its first byte in the body that holds it.
        last: its last byte there, counted.
    """

    span: Span
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one of two bodies that are joined.

    Attributes:
        source: which body.
        start: the first byte.
        stop: the first byte that is not taken.
    """

    source: Literal["held", "received"]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Combined:
    """Two parts of one representation as one.

    Attributes:
        span: what they are together.
        pieces: what to write one after the other.
    """

    span: Span
    pieces: tuple[Piece, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the representation is missing."""
        return is_whole(self.span)


def requested_range(headers: Headers, size: int | None) -> Span | Unsatisfiable | None:
    """Read which bytes a request asks for (RFC 9110, 14.1.2 and 14.2).

    Args:
        headers: of the request.
        size: of the whole representation, in bytes; None if it is not known.

    Returns:
        None if it asks for no single range of bytes, or for one that cannot be known without the size: then the whole
        is the answer.
    """
    lines = headers.getall("range", ())
    found = _RANGE.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    if found is None or size == 0:
        return None
    first, last = _position(found[1]), _position(found[2])
    if first is None:
        return _suffix(last, size)
    if last is not None and last < first:
        return None
    if size is None:
        return Span(first, last, None) if last is not None else None
    if first >= size:
        return Unsatisfiable(size)
    return Span(first, size - 1 if last is None else min(last, size - 1), size)


def _suffix(length: int | None, size: int | None) -> Span | Unsatisfiable | None:
    if length is None or size is None:
        return None
    return Span(max(0, size - length), size - 1, size) if length else Unsatisfiable(size)


def _position(digits: str) -> int | None:
    """Read a number of any length without its cost: what is beyond every body is as good as the largest."""
    if not digits:
        return None
    return int(digits) if len(digits) <= 18 else _LARGEST


def content_range(fields: Headers) -> Span | None:
    """Read which part a 206 holds (RFC 9110, 14.4); None if that is not said, or not possible.

    A part whose `Content-Length` is not what the range makes is not possible either: nobody knows which bytes it has.
    """
    lines = fields.getall("content-range", ())
    found = _CONTENT_RANGE.fullmatch(lines[0].strip()) if len(lines) == 1 else None
    if found is None:
        return None
    span = Span(int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3]))
    if span.last < span.first or (span.length is not None and span.length <= span.last):
        return None
    told = single(fields, "content-length")
    if told is not None and delta_seconds(told) != min(size_of(span), 2**31):
        return None
    return span


def size_of(span: Span) -> int:
    """How many bytes a part has."""
    return span.last - span.first + 1


def is_whole(span: Span) -> bool:
    """Whether a part is all there is."""
    return span.first == 0 and span.length == span.last + 1


def if_range_holds(headers: Headers, fields: Headers) -> bool:
    """Tell whether a part may be the answer: `If-Range` is absent, or names what is kept (RFC 9110, 13.1.5)."""
    wanted = single(headers, "if-range")
    if wanted is None:
        return "if-range" not in headers
    if '"' in wanted[:3]:
        return same_strong(wanted, entity_tag(fields))
    asked, known = parse_date(wanted), last_modified(fields)
    return asked is not None and asked == known and is_strong_date(fields)


def holds(held: Span, wanted: Span) -> bool:
    """Tell whether all of a wanted part is in another (RFC 9111, 3.3)."""
    return held.first <= wanted.first and wanted.last <= held.last


def slice_of(held: Span | None, size: int, headers: Headers) -> Part | Unsatisfiable | None:
    """Find what a request asks for in a body.

    Args:
        held: which part the body is; None: the whole.
        size: of the body, in bytes.
        headers: of the request.

    Returns:
        None if no single range is asked for, or not all of it is there.
    """
    span = held if held is not None else Span(0, size - 1, size)
    wanted = requested_range(headers, span.length)
    if not isinstance(wanted, Span):
        return wanted
    if not holds(span, wanted) or size_of(span) != size:
        return None
    return Part(wanted, wanted.first - span.first, wanted.last - span.first)


def part_fields(fields: Fields, span: Span, size: int) -> Fields:
    """Give the fields of a 206 (RFC 9110, 15.3.7.1).

    Args:
        fields: of the stored response that it is taken from.
        span: which part it is.
        size: of that, in bytes.
    """
    length = "*" if span.length is None else span.length
    return fields.with_lines(
        ("Content-Range", f"bytes {span.first}-{span.last}/{length}"), ("Content-Length", str(size))
    )


def whole_fields(fields: Fields, size: int) -> Fields:
    """Give the fields of a 200 that was put together from parts (RFC 9110, 15.3.7.3)."""
    return fields.without(("content-range",)).with_lines(("Content-Length", str(size)))


def may_be_combined(held: Headers, received: Headers) -> bool:
    """Tell whether two parts are of one representation: they have the same strong validator (RFC 9111, 3.4)."""
    tag = entity_tag(received)
    if tag is not None or entity_tag(held) is not None:
        return same_strong(entity_tag(held), tag)
    dates = last_modified(held), last_modified(received)
    return dates[0] is not None and dates[0] == dates[1] and is_strong_date(held) and is_strong_date(received)


def combined(held: Span, received: Span) -> Combined | None:
    """Join two parts of one representation (RFC 9110, 15.3.7.3); where both have a byte, the received one is taken.

    None if they leave a gap between them, or tell different lengths.
    """
    lengths = {span.length for span in (held, received)} - {None}
    if len(lengths) > 1 or held.first > received.last + 1 or received.first > held.last + 1:
        return None
    pieces = (
        Piece("held", 0, received.first - held.first),
        Piece("received", 0, size_of(received)),
        Piece("held", received.last + 1 - held.first, size_of(held)),
    )
    length = next(iter(lengths), None)
    span = Span(min(held.first, received.first), max(held.last, received.last), length)
    return Combined(span, tuple(piece for piece in pieces if piece.start < piece.stop))


def missing_range(span: Span, fields: Headers) -> tuple[tuple[str, str], ...]:
    """Say which lines ask for what a stored beginning lacks (RFC 9111, 3.3); none if that cannot be asked."""
    tag = entity_tag(fields)
    if span.first or is_whole(span) or tag is None or not is_strong(tag):
        return ()
    return (("Range", f"bytes={span.last + 1}-"), ("If-Range", tag))
