"""Field values are taken apart as they are meant, and broken ones so that less is reused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http.syntax.fields import FOREVER, Directives, delta_seconds, directives, is_token, members, parameters
from tests.http.rfc_messages import fields


def said(*values: str) -> Directives:
    """The directives of a message with those lines of Cache-Control."""
    return directives(fields(*(f"Cache-Control: {value}" for value in values)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a, b", ["a", "b"]),
        (" ,a,, b\t,", ["a", "b"]),
        ('x="a, b", c', ['x="a, b"', "c"]),
        (r'x="a\", b", c', [r'x="a\", b"', "c"]),
        ('x="a, no-store', ['x="a', "no-store"]),
        ('"a", "b, no-store', ['"a"', '"b', "no-store"]),
        ("", []),
    ],
)
def test_a_list_is_split_at_commas_that_separate(value: str, expected: list[str]) -> None:
    """Quotes hide commas, but only if they are closed; empty members count for nothing."""
    assert members(value) == expected


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters='",\\ \t'), min_size=1)))
def test_a_joined_list_is_split_again(parts: list[str]) -> None:
    """Whatever members a list has, they come out as they went in."""
    assert members(", ".join(parts)) == parts


def test_parameters_are_split_at_semicolons_outside_of_quotes() -> None:
    """A semicolon in a quoted string is part of a value."""
    assert parameters('a; b="1;2" ;;c') == ["a", 'b="1;2"', "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("003600", 3600),
        ("2147483647", FOREVER - 1),
        ("2147483649", FOREVER),
        ("9" * 5000, FOREVER),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("1_0", None),
        (" 1", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_seconds_are_digits_and_nothing_else(text: str, expected: int | None) -> None:
    """A number is read whatever its length, and what is similar to one is none."""
    assert delta_seconds(text) == expected


def test_names_of_directives_have_no_case() -> None:
    """`No-StOrE` is `no-store`."""
    assert "no-store" in said("MaX-aGe=5, No-StOrE")
    assert said("MaX-aGe=5").seconds("max-age") == 5


def test_several_lines_are_one_list() -> None:
    """A directive counts on whichever line it stands; of two, the first (RFC 9111, 4.2.1)."""
    assert said("s-maxage=7", "max-age=1, max-age=9").seconds("max-age") == 1
    assert "s-maxage" in said("max-age=1", "s-maxage=7")


@pytest.mark.parametrize(
    "value",
    [
        "max-age",
        "max-age=",
        "max-age=a",
        "max-age=-5",
        "max-age='5'",
        "max-age =5",
        "max-age= 5",
        'max-age="5',
        "max-age=5.5",
    ],
)
def test_seconds_that_cannot_be_read_are_none(value: str) -> None:
    """What has no valid freshness is stale, not fresh for some guess."""
    assert said(value).seconds("max-age") == 0


def test_an_argument_may_be_quoted() -> None:
    """Both forms of an argument are read (RFC 9111, 5.2); what is inside of another directive's is not."""
    assert said('max-age="3600"').seconds("max-age") == 3600
    assert said(r'max-age="3\600"').seconds("max-age") == 3600
    assert said('extension="max-age=3600", max-age=1').seconds("max-age") == 1
    assert said('max-age=1, extension="a, max-age=3600"').seconds("max-age") == 1


@pytest.mark.parametrize("value", ["no-store=1", 'no-store =""', "x, no-store;", 'x="y, no-store'])
def test_what_forbids_counts_however_it_is_written(value: str) -> None:
    """A broken argument beside or before it does not take `no-store` away."""
    assert "no-store" in said(value) or "no-store;" in said(value)


@pytest.mark.parametrize(
    ("value", "names", "is_unqualified"),
    [
        ("no-cache", set[str](), True),
        ('no-cache="A, b"', {"a", "b"}, False),
        ("no-cache=a", {"a"}, False),
        ('no-cache=""', set[str](), True),
        ('no-cache="a b"', set[str](), True),
        ('no-cache="a", no-cache', {"a"}, True),
        ("max-age=1", set[str](), False),
    ],
)
def test_a_directive_may_be_about_some_fields_only(value: str, names: set[str], is_unqualified: bool) -> None:
    """It is about the whole response unless it lists names of fields, and only those."""
    assert said(value).field_names("no-cache") == names
    assert said(value).is_unqualified("no-cache") is is_unqualified


def test_directives_can_be_left_out() -> None:
    """What is ignored is not there any more; the rest is."""
    left = said("no-store, max-age=5").without({"no-store"})
    assert "no-store" not in left
    assert left.seconds("max-age") == 5
    assert not directives(fields("Date: x"))
    assert left


@pytest.mark.parametrize(
    ("text", "expected"), [("max-age", True), ("", False), ("a b", False), ("a\n", False), ("ä", False)]
)
def test_a_token_has_letters_of_its_own(text: str, expected: bool) -> None:
    """Nothing with spaces, separators or letters beyond ASCII is a token."""
    assert is_token(text) is expected
