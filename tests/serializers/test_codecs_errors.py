"""Exceptions that are answers: they come back as they were, if they are known here; nothing is imported for them."""

import sys
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.errors import LoadTimeout
from asynccache.serializers.codecs import decode_error, encode_error
from asynccache.serializers.typed_json import encode
from tests.serializers.test_typed_json import exactly, values


class NotFound(LookupError):
    """An error of a program, with an attribute and a message of its own."""

    def __init__(self, sku: str, *, shop: str) -> None:
        super().__init__(f"no {sku}")
        self.sku = sku
        self.shop = shop


class Nearly(NotFound):
    """A subclass, which may mean something else."""


class Stubborn(Exception):
    """An error that cannot be made of its `args`."""

    def __new__(cls, *args: object) -> "Stubborn":
        """Make one, if it is with the right word."""
        if args == ("made",):
            return super().__new__(cls, *args)
        raise OSError("private")


class Slotted(Exception):
    """An error with a slot, which may be empty."""

    __slots__ = ("full", "never")

    full: int


KNOWN: Final[list[type[Exception]]] = [
    NotFound, LookupError, KeyError, FileNotFoundError, LoadTimeout, Stubborn, UnicodeDecodeError, ImportError, Slotted,
]  # fmt: skip


def again(error: Exception) -> Any:
    """What an exception comes back as."""
    data = encode_error(error, KNOWN)
    assert data is not None
    return decode_error(data, KNOWN)


@given(st.lists(values, max_size=3))
def test_args_come_back_as_they_were(args: list[object]) -> None:
    """Whatever plain data they are."""
    error = again(LookupError(*args))
    assert type(error) is LookupError
    assert exactly(error.args) == exactly(tuple(args))


def test_an_error_comes_back_with_all_it_says() -> None:
    """Message, attributes and notes, without calling its `__init__`, and nothing of where it was raised."""
    error = NotFound("A1", shop="first")
    error.add_note("seen at noon")
    error.__cause__ = ValueError("private")
    back = again(error)
    assert (type(back), str(back), back.sku, back.shop, back.__notes__) == (
        NotFound, "no A1", "A1", "first", ["seen at noon"],
    )  # fmt: skip
    assert (back.__cause__, back.__context__, back.__traceback__) == (None, None, None)
    timeout = again(LoadTimeout("prices", ("A1", 5)))
    assert (str(timeout), timeout.key) == (str(LoadTimeout("prices", ())), ("A1", 5))


def test_slots_come_back() -> None:
    """Those of Python's own errors, made of `args` or not, and those of a program's."""
    missing = again(FileNotFoundError(2, "missing", "a file"))
    assert (type(missing), missing.errno, str(missing)) == (FileNotFoundError, 2, "[Errno 2] missing: 'a file'")
    undecoded = again(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "start"))
    assert (str(undecoded), undecoded.object) == (str(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "start")), b"\xff")
    assert again(ImportError("none", name="here", path="there")).path == "there"
    slotted = Slotted("text")
    slotted.full = 5
    assert (again(slotted).full, again(slotted).args, hasattr(again(slotted), "never")) == (5, ("text",), False)


@pytest.mark.parametrize("error", [ValueError(), Nearly("A1", shop="first"), IndexError(), LookupError(object())])
def test_what_is_not_known_is_not_written(error: Exception) -> None:
    """Neither other types, nor subclasses of those that are known, nor what is no plain data."""
    assert encode_error(error, KNOWN) is None


def twin() -> type[Exception]:
    """A type that has the name of all the others made here."""

    class Twin(Exception):
        pass

    return Twin


def test_two_types_of_one_name_are_neither() -> None:
    """A name that says nothing for certain is not written and not read."""
    first, second = (twin() for _ in range(2))
    data = encode_error(first(), [first])
    assert data is not None
    assert type(decode_error(data, [first])) is first
    assert encode_error(first(), [first, second]) is None
    assert decode_error(data, [first, second]) is None


def test_nothing_is_imported() -> None:
    """A name in the bytes is compared with those that are known, and is nothing else."""
    for name in (
        "antigravity:Error",
        "tests.serializers.test_codecs_errors:Nearly",
        "builtins:ValueError",
        "os:system",
    ):
        assert decode_error(encode([name, ("x",), {}, {}]), KNOWN) is None
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "value",
    [
        None, [], ["builtins:LookupError"], ["builtins:LookupError", (), {}], ["builtins:LookupError", (), [1], {}],
        ["builtins:LookupError", (), {1: 2}, {}], [["builtins:LookupError"], (), {}, {}], {"builtins:LookupError": 1},
        ["builtins:LookupError", 5, {}, {}], ["builtins:LookupError", (), {}, {"args": 1}],
        ["builtins:LookupError", (), {}, []], ["builtins:LookupError", (), {}, {"__traceback__": None}],
        ["builtins:UnicodeDecodeError", (), {}, {"start": "no number"}], [f"{__name__}:Stubborn", ("other",), {}, {}],
    ],
)  # fmt: skip
def test_junk_is_no_error(value: object) -> None:
    """Plain data that is not what is written for an exception gives none, and raises none."""
    assert decode_error(encode(["builtins:LookupError", (), {}, {}]), KNOWN) is not None
    assert decode_error(encode(value), KNOWN) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_no_error(junk: bytes) -> None:
    """Likewise."""
    assert decode_error(junk, KNOWN) is None


def test_an_error_that_can_be_made_is() -> None:
    """The tests above would say nothing if it never could."""
    assert type(again(Stubborn("made"))) is Stubborn
