"""Two requests match exactly if the fields that a response varies by mean the same in both."""

import pytest
from multidict import CIMultiDict

from asynccache.http.syntax.vary import normalised, selecting, varies_by
from tests.http.rfc_messages import fields


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Vary: Foo, accept ,FOO"], ("accept", "foo")),
        (["Vary: b", "Vary: a"], ("a", "b")),
        (["Vary: "], ()),
        ([], ()),
        (["Vary: *"], None),
        (["Vary: , *"], None),
        (["Vary: ", "Vary: *"], None),
        (["Vary: Foo, *"], None),
    ],
)
def test_names_are_lower_sorted_and_single(lines: list[str], expected: tuple[str, ...] | None) -> None:
    """However `Vary` is written, the same names come out; a star among them means any."""
    assert varies_by(fields(*lines)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["Foo: 1, 2"], ["Foo: 1", "Foo: 2"]),
        (["Foo: 1,2"], ["Foo:  1, 2 "]),
        (["Accept-Language: en, de"], ["Accept-Language: en", "Accept-Language: de, EN"]),
        (["Accept-Language: en, de"], ["Accept-Language: eN, De"]),
        (["Accept-Language: en, de"], ["Accept-Language:  en , de"]),
        (["Accept-Language: en;q=1.0, de;q=0.50"], ["Accept-Language: en, de; Q=0.5"]),
        (["Accept-Encoding: gzip, br"], ["accept-encoding: BR", "Accept-Encoding: gzip"]),
        (["Accept: text/html;level=1;q=0.5, */*"], ["Accept: */*, Text/HTML; Level=1; q=0.500"]),
        (["Cookie: a=1; b=2"], ["Cookie: a=1", "Cookie: b=2"]),
        ([], []),
    ],
)
def test_values_that_mean_the_same_match(one: list[str], other: list[str]) -> None:
    """Spaces and lines tell nothing apart, and for content negotiation neither do case, weights and most orders."""
    names = ("accept", "accept-encoding", "accept-language", "cookie", "foo")
    assert selecting(names, fields(*one)) == selecting(names, fields(*other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["Foo: 1"], ["Foo: 2"]),
        (["Foo: 1"], []),
        (["Foo: "], []),
        (["Foo: 1"], ["Bar: 1"]),
        (["Foo: 1", "Bar: 2"], ["Foo: 12"]),
        (["Foo: 1, 2"], ["Foo: 2, 1"]),
        (["Foo: a"], ["Foo: A"]),
        (['Foo: "1, 2"'], ['Foo: "1,2"']),
        (["Accept-Language: en;q=0.5, de"], ["Accept-Language: en, de;q=0.5"]),
        (["Accept-Language: de, en"], ["Accept-Language: en, de"]),
        (["Accept-Language: en;q=0"], ["Accept-Language: en"]),
        (["Accept-Language: en;q=7"], ["Accept-Language: en"]),
        (['Accept: a/b;x="Y"'], ['Accept: a/b;x="y"']),
        (["Accept: a/b;q=2"], ["Accept: a/b"]),
        (["Accept: a/b;q=1;q=0"], ["Accept: a/b"]),
        (["Authorization: Digest a=1, b=2"], ["Authorization: Digest a=1,b=2"]),
        (["Cookie: a=1"], ["Cookie: A=1"]),
    ],
)
def test_values_that_may_mean_something_else_do_not_match(one: list[str], other: list[str]) -> None:
    """Absent is not empty, order and case count where nobody says that they do not, and logins are octets."""
    names = ("accept", "accept-language", "authorization", "bar", "cookie", "foo")
    assert selecting(names, fields(*one)) != selecting(names, fields(*other))


def test_no_value_leaves() -> None:
    """What comes out is of one size and holds nothing of what went in."""
    digest = selecting(("authorization",), fields("Authorization: secret"))
    assert len(digest) == 16
    assert b"secret" not in digest


def test_a_request_with_none_of_the_fields_is_told_apart_from_all_that_have_one() -> None:
    """Its digest is empty, and costs nothing."""
    assert selecting(("a", "b"), fields("C: 1")) == b"" != selecting(("a", "b"), fields("A: "))


def test_octets_beyond_ascii_are_told_apart() -> None:
    """Also those that came as surrogates, from whatever multidict."""
    values = ["ü", "\udcfc", "\xa0", ""]
    assert len({selecting(("foo",), CIMultiDict({"Foo": value})) for value in values}) == len(values)


@pytest.mark.parametrize("value", [";", ";;q=1", "en;q=0.5;x", "en;x=1"])
def test_a_preference_that_is_none_is_compared_as_it_is(value: str) -> None:
    """What cannot be read is not reordered nor lowered: it matches itself."""
    assert normalised("accept-language", fields(f"Accept-Language: B, {value}, a")) == f"B,{value},a"
