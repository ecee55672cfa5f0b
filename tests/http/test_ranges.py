"""A part is asked for, found and joined with others byte by byte, or the whole is the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http.syntax.ranges import (
    Combined,
    Part,
    Span,
    Unsatisfiable,
    combined,
    content_range,
    if_range_holds,
    may_be_combined,
    missing_range,
    part_fields,
    requested_range,
    size_of,
    slice_of,
    whole_fields,
)
from tests.http.rfc_messages import fields, when

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        ("bytes=0-1", 11, Span(0, 1, 11)),
        ("bytes=1-", 11, Span(1, 10, 11)),
        ("bytes=-1", 11, Span(10, 10, 11)),
        ("bytes=-99", 11, Span(0, 10, 11)),
        ("bytes=5-99", 11, Span(5, 10, 11)),
        ("bytes=5-" + "9" * 5000, 11, Span(5, 10, 11)),
        ("BYTES= 0-1 ", 11, Span(0, 1, 11)),
        ("bytes=11-", 11, Unsatisfiable(11)),
        ("bytes=" + "9" * 5000 + "-", 11, Unsatisfiable(11)),
        ("bytes=-0", 11, Unsatisfiable(11)),
        ("bytes=2-1", 11, None),
        ("bytes=-", 11, None),
        ("bytes=0-1,3-4", 11, None),
        ("bytes=a-b", 11, None),
        ("bytes=\u0660-\u0661", 11, None),
        ("items=0-1", 11, None),
        ("bytes 0-1", 11, None),
        ("bytes=0-", 0, None),
        ("bytes=2-4", None, Span(2, 4, None)),
        ("bytes=2-", None, None),
        ("bytes=-2", None, None),
    ],
)
def test_a_single_range_is_read(value: str, size: int | None, expected: Span | Unsatisfiable | None) -> None:
    """What is no single range of bytes is not looked at; what begins behind the end is refused."""
    assert requested_range(fields(f"Range: {value}"), size) == expected


def test_two_lines_of_ranges_are_not_looked_at() -> None:
    """The whole is the answer to what is not valid."""
    assert requested_range(fields("Range: bytes=0-1", "Range: bytes=0-1"), 11) is None
    assert requested_range(fields(), 11) is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Content-Range: bytes 4-9/10"], Span(4, 9, 10)),
        (["Content-Range: bytes 4-9/*"], Span(4, 9, None)),
        (["Content-Range: Bytes 4-9/10", "Content-Length: 6"], Span(4, 9, 10)),
        (["Content-Range: bytes 4-9/10", "Content-Length: 5"], None),
        (["Content-Range: bytes 4-9/9"], None),
        (["Content-Range: bytes 9-4/10"], None),
        (["Content-Range: bytes */10"], None),
        (["Content-Range: items 4-9/10"], None),
        (["Content-Range: bytes 4-9/10"] * 2, None),
        (["Content-Range: bytes 4-" + "9" * 30 + "/*"], None),
        ([], None),
    ],
)
def test_a_part_says_which_it_is(lines: list[str], expected: Span | None) -> None:
    """A part that contradicts itself is none that could be used (RFC 9110, 14.4)."""
    assert content_range(fields(*lines)) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ([], True),
        (['If-Range: "a"'], True),
        (['If-Range: W/"a"'], False),
        (['If-Range: "b"'], False),
        ([f"If-Range: {when(-9)}"], True),
        ([f"If-Range: {when(-8)}"], False),
        ([f"If-Range: {when(-10)}"], False),
        (["If-Range: x"], False),
        (['If-Range: "a"', 'If-Range: "b"'], False),
    ],
)
def test_a_condition_on_a_range_is_strong(condition: list[str], expected: bool) -> None:
    """A part is the answer only if exactly what is kept is named (RFC 9110, 13.1.5)."""
    kept = fields('ETag: "a"', f"Last-Modified: {when(-9)}", f"Date: {when(0)}")
    assert if_range_holds(fields(*condition), kept) is expected


def test_a_weak_validator_makes_no_part() -> None:
    """Neither a weak tag nor a date that was not over holds, even if it is the same."""
    assert not if_range_holds(fields('If-Range: W/"a"'), fields('ETag: W/"a"'))
    assert not if_range_holds(fields(f"If-Range: {when(0)}"), fields(f"Last-Modified: {when(0)}", f"Date: {when(0)}"))


@pytest.mark.parametrize(
    ("held", "size", "asked", "expected"),
    [
        (None, 10, "bytes=2-4", Part(Span(2, 4, 10), 2, 4)),
        (None, 10, "bytes=10-", Unsatisfiable(10)),
        (None, 10, "bytes=x", None),
        (Span(4, 9, 10), 6, "bytes=-5", Part(Span(5, 9, 10), 1, 5)),
        (Span(4, 9, 10), 6, "bytes=6-", Part(Span(6, 9, 10), 2, 5)),
        (Span(4, 9, 10), 6, "bytes=3-5", None),
        (Span(4, 8, 10), 5, "bytes=6-", None),
        (Span(4, 9, None), 6, "bytes=6-8", Part(Span(6, 8, None), 2, 4)),
        (Span(4, 9, None), 6, "bytes=6-", None),
        (Span(4, 9, 10), 5, "bytes=6-8", None),
    ],
)
def test_a_part_is_found_in_what_is_held(
    held: Span | None, size: int, asked: str, expected: Part | Unsatisfiable | None
) -> None:
    """Only what lies wholly in the body is taken from it, and nothing from a body of the wrong size."""
    assert slice_of(held, size, fields(f"Range: {asked}")) == expected


def test_the_fields_of_a_part_tell_which_it_is() -> None:
    """They are those of the response, but for the range and the length."""
    kept = fields("A: 1", "Content-Length: 10", "Content-Range: bytes 0-9/10")
    assert part_fields(kept, Span(2, 4, 10), 3) == fields("A: 1", "Content-Range: bytes 2-4/10", "Content-Length: 3")
    assert part_fields(kept, Span(2, 4, None), 3) == fields("A: 1", "Content-Range: bytes 2-4/*", "Content-Length: 3")
    assert whole_fields(kept, 10) == fields("A: 1", "Content-Length: 10")


def joined(held: Span, received: Span) -> bytes:
    """What two parts of the alphabet make together."""
    parts = {"held": ALPHABET[held.first : held.last + 1], "received": ALPHABET[received.first : received.last + 1]}
    found = combined(held, received)
    assert found is not None
    return b"".join(parts[piece.source][piece.start : piece.stop] for piece in found.pieces)


@given(*[st.integers(0, 25)] * 4)
def test_joined_parts_are_what_they_were_cut_from(a: int, b: int, c: int, d: int) -> None:
    """Overlapping or touching parts give all bytes from the first to the last, each once; others stay apart."""
    held, received = Span(min(a, b), max(a, b), 26), Span(min(c, d), max(c, d), 26)
    found = combined(held, received)
    if held.last + 1 < received.first or received.last + 1 < held.first:
        assert found is None
        return
    assert found is not None
    assert joined(held, received) == ALPHABET[found.span.first : found.span.last + 1]
    assert size_of(found.span) == len(joined(held, received))
    assert found.is_whole is (size_of(found.span) == 26)


def test_parts_of_different_lengths_are_not_joined() -> None:
    """A length that only one of them tells is that of both."""
    assert combined(Span(0, 4, 10), Span(5, 9, 11)) is None
    found = combined(Span(0, 4, None), Span(5, 9, 10))
    assert isinstance(found, Combined)
    assert found.span == Span(0, 9, 10)
    unknown = combined(Span(0, 4, None), Span(5, 9, None))
    assert unknown is not None
    assert not unknown.is_whole


@pytest.mark.parametrize(
    ("held", "received", "expected"),
    [
        (['ETag: "a"'], ['ETag: "a"'], True),
        (['ETag: "a"'], ['ETag: "b"'], False),
        (['ETag: W/"a"'], ['ETag: W/"a"'], False),
        (['ETag: "a"', f"Last-Modified: {when(-9)}"], [f"Last-Modified: {when(-9)}"], False),
        ([f"Last-Modified: {when(-9)}"], [f"Last-Modified: {when(-9)}"], True),
        ([f"Last-Modified: {when(-9)}"], [f"Last-Modified: {when(-8)}"], False),
        ([f"Last-Modified: {when(0)}"], [f"Last-Modified: {when(0)}"], False),
        ([], [], False),
    ],
)
def test_parts_are_of_one_representation_by_a_strong_validator(
    held: list[str], received: list[str], expected: bool
) -> None:
    """Nothing weaker joins two parts (RFC 9111, 3.4)."""
    date = f"Date: {when(0)}"
    assert may_be_combined(fields(*held, date), fields(*received, date)) is expected


def test_the_rest_of_a_beginning_is_asked_for() -> None:
    """Only of one that a strong tag names, and only if something is missing."""
    tag = fields('ETag: "a"')
    assert missing_range(Span(0, 4, 10), tag) == (("Range", "bytes=5-"), ("If-Range", '"a"'))
    assert missing_range(Span(0, 4, None), tag) == (("Range", "bytes=5-"), ("If-Range", '"a"'))
    for span, lines in [(Span(0, 9, 10), tag), (Span(1, 4, 10), tag), (Span(0, 4, 10), fields('ETag: W/"a"'))]:
        assert missing_range(span, lines) == ()
    assert missing_range(Span(0, 4, 10), fields()) == ()
