"""A request whose conditions say that its sender has the response already is answered with a 304, and no other."""

import pytest

from asynccache.http.syntax.conditional import (
    entity_tag,
    is_not_modified,
    is_strong,
    is_strong_date,
    last_modified,
    not_modified_fields,
    same_strong,
    same_weak,
)
from tests.http.rfc_messages import NOW, fields, when


@pytest.mark.parametrize(
    ("one", "other", "is_strongly", "is_weakly"),
    [
        ('"1"', '"1"', True, True),
        ('W/"1"', '"1"', False, True),
        ('W/"1"', 'W/"1"', False, True),
        ('"1"', '"2"', False, False),
        ('W/"1"', 'W/"2"', False, False),
        ("1", "1", False, True),
        ('w/"1"', '"1"', False, False),
    ],
)
def test_tags_are_compared_strongly_or_weakly(one: str, other: str, is_strongly: bool, is_weakly: bool) -> None:
    """The table of RFC 9110, 8.8.3.2; a tag without quotes is never strong."""
    assert (same_strong(one, other), same_weak(one, other)) == (is_strongly, is_weakly)


def test_no_tag_is_like_no_other() -> None:
    """Two responses without a tag are not the same for that."""
    assert not same_strong(None, None)
    assert not same_weak(None, None)
    assert not same_weak('"1"', None)


@pytest.mark.parametrize(
    ("tag", "expected"), [('"a"', True), ('"', False), ('""', True), ('W/"a"', False), ('"a"b"', False)]
)
def test_a_strong_tag_is_a_quoted_one(tag: str, expected: bool) -> None:
    """What is not written as a strong tag promises nothing."""
    assert is_strong(tag) is expected


def test_two_tags_are_none() -> None:
    """A response whose tags differ from line to line has none that could be relied on."""
    assert entity_tag(fields('ETag: "1"', 'ETag: "2"')) is None
    assert entity_tag(fields('ETag: "1"', 'ETag: "1"')) == '"1"'
    assert entity_tag(fields("ETag: ")) is None


@pytest.mark.parametrize(
    ("asked", "kept", "expected"),
    [
        ('"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('W/"a"', '"a"', True),
        ('"1", "a", "5"', '"a"', True),
        ('"1", "a"', '"a"', True),
        ('"a,b", "c"', '"a,b"', True),
        ('"a\\", "b"', '"b"', True),
        ("*", '"a"', True),
        (" * ", '"a"', True),
        ('"a', '"a"', False),
        ('"b"', '"a"', False),
        ('"ab"', '"a"', False),
        ("a", '"a"', False),
        ('w/"a"', 'w/"a"', True),
        ("", '"a"', False),
        ('"abcdef\xfc"', '"abcdef\xfc"', True),
    ],
)
def test_a_listed_tag_is_known(asked: str, kept: str, expected: bool) -> None:
    """If-None-Match is compared weakly with each of its tags; a star knows every one."""
    assert is_not_modified(fields(f"If-None-Match: {asked}"), fields(f"ETag: {kept}")) is expected


def test_tags_may_be_listed_in_several_lines() -> None:
    """The lines are one list."""
    assert is_not_modified(fields('If-None-Match: "a"', 'If-None-Match: "b"'), fields('ETag: "b"'))


def test_tags_go_before_dates() -> None:
    """With If-None-Match, If-Modified-Since is not looked at: neither to agree nor to differ (RFC 9110, 13.2.2)."""
    kept = fields('ETag: "a"', f"Last-Modified: {when(-100)}")
    assert is_not_modified(fields('If-None-Match: "a"', f"If-Modified-Since: {when(-200)}"), kept)
    assert not is_not_modified(fields('If-None-Match: "b"', f"If-Modified-Since: {when(0)}"), kept)
    assert not is_not_modified(
        fields('If-None-Match: "b"', f"If-Modified-Since: {when(0)}"), fields(*[f"Date: {when(-9)}"])
    )


@pytest.mark.parametrize(("since", "expected"), [(-100, True), (-99, True), (-101, False)])
def test_a_date_is_compared_with_the_last_change(since: int, expected: bool) -> None:
    """What was not changed after that date is known."""
    kept = fields(f"Last-Modified: {when(-100)}", f"Date: {when(0)}")
    assert is_not_modified(fields(f"If-Modified-Since: {when(since)}"), kept) is expected


def test_without_a_last_change_the_date_counts() -> None:
    """And without that, the time when the response came; without all of them, nothing is known (RFC 9111, 4.3.2)."""
    asked = fields(f"If-Modified-Since: {when(0)}")
    assert is_not_modified(asked, fields(f"Date: {when(-1)}"))
    assert not is_not_modified(asked, fields(f"Date: {when(1)}"))
    assert is_not_modified(asked, fields(), NOW - 1)
    assert not is_not_modified(asked, fields(), NOW + 1)
    assert not is_not_modified(asked, fields())


def test_an_old_form_of_a_date_is_as_good() -> None:
    """A date with two digits for its year is compared like any other."""
    kept = fields("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "Date: Sun, 06 Nov 1994 09:00:00 GMT")
    assert is_not_modified(fields("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"), kept)
    assert not is_not_modified(fields("If-Modified-Since: Sunday, 06-Nov-94 08:49:36 GMT"), kept)


@pytest.mark.parametrize("lines", [["If-Modified-Since: yesterday"], [f"If-Modified-Since: {when(0)}"] * 2, []])
def test_a_condition_that_is_none_does_not_hold(lines: list[str]) -> None:
    """Without a single valid date, the whole is the answer."""
    assert not is_not_modified(fields(*lines), fields(f"Last-Modified: {when(-100)}"))


def test_a_304_tells_what_caches_need() -> None:
    """Its fields are those of the response, but for what describes a content; a date of change only without a tag."""
    kept = ("Date: x", "Vary: a", "Cache-Control: b", "Content-Location: /c", "Expires: d", "Access-Control: e")
    gone = ("Content-Length: 5", "Content-Type: text/plain", "Content-Encoding: gzip", "Content-Range: bytes 0-4/5")
    tag, changed = 'ETag: "f"', f"Last-Modified: {when(-1)}"
    assert not_modified_fields(fields(*kept, *gone, tag, changed)) == fields(*kept, tag)
    assert not_modified_fields(fields(*gone, *kept, changed)) == fields(*kept, changed)


@pytest.mark.parametrize(("date", "expected"), [(0, True), (-1, True), (-2, False), (-3, False), (None, False)])
def test_a_date_of_change_is_strong_if_it_was_over(date: int | None, expected: bool) -> None:
    """One second must lie between it and the response: else there may have been two changes (RFC 9110, 8.8.2.2)."""
    lines = [f"Last-Modified: {when(-2)}"] + ([] if date is None else [f"Date: {when(date)}"])
    assert is_strong_date(fields(*lines)) is expected


def test_an_invalid_date_of_change_is_none() -> None:
    """It validates nothing."""
    assert last_modified(fields("Last-Modified: 0")) is None
    assert last_modified(fields(f"Last-Modified: {when(0)}")) == NOW
