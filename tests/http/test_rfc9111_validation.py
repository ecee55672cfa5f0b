"""RFC 9111, section 4.3: what a validation asks, and what its answer does."""

from dataclasses import replace

import pytest

from asynccache.http.kept.stored import InlineBody
from asynccache.http.rfc9111 import freshened, head_update, selected_by, terms, validation_lines
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.message import Response
from asynccache.http.syntax.ranges import Span
from tests.http.rfc_messages import NOW, PRIVATE, SHARED, fields, response, stored, when

CHANGED = f"Last-Modified: {when(-900)}"
LATER = NOW + 1000


def late(*lines: str, status: int = 304, dated: bool = True) -> Response:
    """An answer that comes later."""
    date = (f"Date: {when(1000)}",) if dated else ()
    return Response(status, fields(*date, *lines), LATER - 1, LATER)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([['ETag: "a"']], (("If-None-Match", '"a"'),)),
        ([['ETag: W/"a"', CHANGED]], (("If-None-Match", 'W/"a"'), ("If-Modified-Since", when(-900)))),
        ([[CHANGED]], (("If-Modified-Since", when(-900)),)),
        ([['ETag: "a"'], ['ETag: "b"', CHANGED], ['ETag: "a"']], (("If-None-Match", '"a", "b"'),)),
        ([[CHANGED], ['ETag: "b"']], (("If-None-Match", '"b"'), ("If-Modified-Since", when(-900)))),
        ([["Last-Modified: x"]], ()),
        ([[]], ()),
        ([], ()),
    ],
)
def test_a_validation_names_all_tags_and_one_date(
    candidates: list[list[str]], expected: tuple[tuple[str, str], ...]
) -> None:
    """The tags of all that could be meant, the date of the first; as they were sent (4.3.1)."""
    assert validation_lines([stored(*lines) for lines in candidates]) == expected


def test_a_strong_tag_selects_all_that_have_it() -> None:
    """And if none has it, the 304 is about none of them, whatever else it says (4.3.4)."""
    one, two, other = stored('ETag: "a"'), stored('ETag: "a"', "X: 1"), stored('ETag: W/"a"')
    kept = [one, other, two]
    assert selected_by(late('ETag: "a"'), kept, None) == [one, two]
    assert selected_by(late('ETag: "b"', CHANGED), [*kept, stored(CHANGED)], one) == []


def test_a_weak_tag_selects_one() -> None:
    """The chosen one if it has the tag, else the most recent that has it."""
    old, new = stored('ETag: W/"a"', f"Date: {when(-9)}"), stored('ETag: "a"', f"Date: {when(-8)}")
    kept = [old, new, stored('ETag: W/"b"')]
    assert selected_by(late('ETag: W/"a"'), kept, None) == [new]
    assert selected_by(late('ETag: W/"a"'), kept, old) == [old]
    assert selected_by(late('ETag: W/"c"'), kept, old) == []


def test_a_date_selects_the_chosen_one_only() -> None:
    """Others may have been changed in the same second."""
    one, two = stored(CHANGED), stored(CHANGED)
    assert selected_by(late(CHANGED), [one, two], two) == [two]
    assert selected_by(late(CHANGED), [one, two], None) == []
    assert selected_by(late(f"Last-Modified: {when(-1)}"), [one, two], one) == []


def test_an_answer_that_names_nothing_is_about_all_that_was_asked_for() -> None:
    """If that was one; else nobody knows about which."""
    tagged, bare, other = stored('ETag: "a"'), stored(), stored('ETag: "b"')
    assert selected_by(late(), [tagged, bare], None) == [tagged]
    assert selected_by(late(), [tagged], tagged) == [tagged]
    assert selected_by(late(), [bare], bare) == [bare]
    assert selected_by(late(), [tagged, other], tagged) == []
    assert selected_by(late(), [tagged, bare], bare) == []
    assert selected_by(late(), [], None) == []


def test_a_confirmed_response_is_as_if_it_came_now() -> None:
    """It has the times of the answer, and the fields that this brings; the rest stays (4.3.4)."""
    old = stored('ETag: "a"', "Cache-Control: max-age=2", "X: 1", "Y: 1", "Content-Length: 10", vary=("x",))
    new = freshened(old, late('ETag: "a"', "Cache-Control: max-age=3600", "X: 2", "Content-Length: 0"), PRIVATE)
    assert (new.request_time, new.response_time) == (LATER - 1, LATER)
    assert new.fields == fields(
        "Y: 1", "Content-Length: 10", f"Date: {when(1000)}", 'ETag: "a"', "Cache-Control: max-age=3600", "X: 2"
    )
    assert terms(new, PRIVATE).fresh_until == LATER - 1 + 3600
    again = replace(new, fields=old.fields, request_time=old.request_time, response_time=old.response_time)
    assert all(getattr(again, name) == getattr(old, name) for name in old.__slots__)


def test_a_confirmed_response_has_lost_its_age() -> None:
    """Unless the answer has one of its own: an age counts from the last validation (4.2.3)."""
    old = stored("Age: 7200", "Cache-Control: max-age=3600")
    assert "age" not in freshened(old, late(), PRIVATE).fields
    assert terms(freshened(old, late(), PRIVATE), PRIVATE).born == LATER - 1
    assert terms(freshened(old, late("Age: 50"), PRIVATE), PRIVATE).born == LATER - 51


@pytest.mark.parametrize("lines", [(), ("Date: x",)])
def test_a_confirmation_without_a_date_is_of_when_it_came(lines: tuple[str, ...]) -> None:
    """The old date would make it as old as it was before."""
    new = freshened(stored("Cache-Control: max-age=9"), late(*lines, dated=False), PRIVATE)
    assert new.fields.getall("date") == [when(1000)]
    assert terms(new, PRIVATE).born == LATER - 1


def test_a_confirmation_brings_no_cookies_into_a_shared_cache() -> None:
    """Nor fields that may not be reused."""
    answer = late("Set-Cookie: a=b", 'Cache-Control: max-age=9, no-cache="x"', "X: 1", "Connection: y", "Y: 1")
    new = freshened(stored("X: 0"), answer, SHARED).fields
    assert not any(name in new for name in ("set-cookie", "x", "y", "connection"))
    assert "set-cookie" in freshened(stored(), answer, PRIVATE).fields
    assert "set-cookie" in freshened(stored(), answer, Policy(shared=True, ignore=frozenset({"set-cookie"}))).fields


@pytest.mark.parametrize(
    ("kept", "told", "is_same"),
    [
        (["X: 1"], ["X: 2"], True),
        (['ETag: "a"'], ['ETag: "a"'], True),
        (['ETag: "a"'], ['ETag: "b"'], False),
        (['ETag: "a"'], [], True),
        ([], ['ETag: "a"'], False),
        ([CHANGED], [CHANGED], True),
        ([CHANGED], [f"Last-Modified: {when(0)}"], False),
        (['ETag: "a"', CHANGED], ['ETag: "a"', f"Last-Modified: {when(0)}"], False),
        (["Content-Length: 10"], ["Content-Length: 10"], True),
        (["Content-Length: 10"], ["Content-Length: 11"], False),
        ([], ["Content-Length: 10"], True),
        ([], ["Content-Length: 11"], False),
        ([], ["Content-Length: 10", "Content-Length: 11"], False),
    ],
)
def test_a_head_confirms_or_invalidates(kept: list[str], told: list[str], is_same: bool) -> None:
    """What it tells of tag, date and length must be so of what is stored (4.3.5)."""
    new = head_update(stored(*kept, "Cache-Control: max-age=2"), late(*told, "Z: 1", status=200), PRIVATE)
    assert (new is not None) is is_same
    if new is not None:
        assert "z" in new.fields
        assert new.response_time == LATER


def test_a_head_tells_the_length_of_the_whole() -> None:
    """A part is compared by the length that it told, a decoded body by its field only."""
    answer = late("Content-Length: 10", status=200)
    assert head_update(stored(status=206, span=Span(4, 5, 10), body=InlineBody(b"45")), answer, PRIVATE) is not None
    assert head_update(stored(status=206, span=Span(4, 5, 11), body=InlineBody(b"45")), answer, PRIVATE) is None
    assert head_update(stored(status=206, span=Span(4, 5, None), body=InlineBody(b"45")), answer, PRIVATE) is None
    assert head_update(stored(is_decoded=True), answer, PRIVATE) is None
    assert head_update(stored("Content-Length: 10", is_decoded=True, body=InlineBody(b"long" * 9)), answer, PRIVATE)


def test_a_head_that_fails_changes_nothing() -> None:
    """Only that the resource has gone does."""
    kept = stored("Cache-Control: max-age=2")
    assert head_update(kept, late(status=503), PRIVATE) is kept
    assert head_update(kept, late(status=302), PRIVATE) is kept
    assert head_update(kept, late(status=404), PRIVATE) is None
    assert head_update(kept, late(status=410), PRIVATE) is None
    missing = stored(status=404)
    assert head_update(missing, late(status=404), PRIVATE) is missing
    assert head_update(missing, late(status=200), PRIVATE) is None


def test_nothing_that_was_stored_is_changed() -> None:
    """What is confirmed is a new object: others may be reading the old one."""
    kept = stored("Age: 5", "X: 1")
    before = kept.fields.pairs
    freshened(kept, response("X: 2", status=304), PRIVATE)
    assert kept.fields.pairs == before
