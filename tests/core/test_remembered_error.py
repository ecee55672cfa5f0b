"""Exceptions that are remembered: the same each time, new each time, and holding nothing of how they were raised."""

import asyncio
import gc
import math
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from asynccache.core.remembered_error import ErrorTerms, RememberedError
from asynccache.errors import LoadCancelled
from asynccache.protocols import MISSING


class NotFound(Exception):
    """Takes an id, and makes a message of it: its `args` are not what it is made with."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"no {item_id}")
        self.item_id = item_id


class Slotted(Exception):
    """Keeps its code in a slot, and has another slot that is never set."""

    __slots__ = ("code", "unset")

    def __init__(self, code: int | None) -> None:
        super().__init__()
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class Particular(Exception):
    """Made in its own way only."""

    def __new__(cls, *, name: str) -> "Particular":
        """Make one, by name."""
        return super().__new__(cls, f"particular {name}")

    def __init__(self, *, name: str) -> None:
        super().__init__(f"about {name}")


class Single(Exception):
    """There is one of it, says its `__new__`."""

    one: "Single | None" = None

    def __new__(cls) -> "Single":
        """Give the one there is."""
        if cls.one is None:
            cls.one = super().__new__(cls)
        return cls.one


@dataclass(frozen=True)
class Frozen(Exception):
    """Refuses to have its attributes set."""

    code: int


class Refusals(ExceptionGroup[Exception]):
    """A group that is made in its own way."""

    def __new__(cls, errors: list[Exception]) -> "Refusals":
        """Make a group that has always the same message."""
        return super().__new__(cls, "refused", errors)


def raised(make: Callable[[], Exception]) -> Exception:
    """An exception as a loader's caller sees it: raised, with a traceback, a cause and a context."""
    try:
        try:
            raise ZeroDivisionError("the context")
        except ZeroDivisionError as context:
            raise make() from context
    except Exception as error:
        return error


def undecodable() -> Exception:
    """What decoding raises: all it says is in fields of C."""
    return UnicodeDecodeError("utf-8", b"a\xffb", 1, 2, "invalid start byte")


def retitled() -> Exception:
    """An exception whose `args` were changed after it was made."""
    error = OSError("elsewhere")
    error.args = (2, "No such file")
    return error


def with_notes() -> Exception:
    """An exception with notes."""
    error = ValueError("odd")
    error.add_note("seen in row 5")
    return error


EXCEPTIONS: list[Callable[[], Exception]] = [
    lambda: ValueError("plain", 5),
    lambda: KeyError("x"),
    lambda: OSError(2, "No such file", "a.txt"),
    lambda: OSError(2, "No such file", "a.txt", None, "b.txt"),
    lambda: ImportError("no such module", name="odd", path="odd.py"),
    lambda: SyntaxError("bad", ("a.py", 3, 1, "x = ", 3, 4)),
    lambda: StopAsyncIteration(5),
    lambda: NotFound(7),
    lambda: Slotted(5),
    lambda: Slotted(None),
    lambda: Particular(name="x"),
    Single,
    lambda: Frozen(5),
    lambda: LoadCancelled("load", ("key", 1)),
    lambda: ExceptionGroup("all failed", [NotFound(1), ExceptionGroup("inner", [KeyError("k")])]),
    lambda: Refusals([NotFound(1)]),
    undecodable,
    retitled,
    with_notes,
]


def fields(error: BaseException) -> dict[str, Any]:
    """The public attributes that are neither methods nor exceptions, and the notes."""
    names = {name for name in dir(error) if not name.startswith("_")} - {"args", "exceptions", "one"} | {"__notes__"}
    values = {name: getattr(error, name) for name in names if hasattr(error, name)}
    return {name: value for name, value in values.items() if not callable(value)}


@pytest.mark.parametrize("make", EXCEPTIONS)
def test_the_same_each_time(make: Callable[[], Exception]) -> None:
    """Type, message, arguments, attributes, fields and notes are those of the exception that was remembered."""
    error = raised(make)
    remembered = RememberedError(error)
    for again in (remembered.again(), remembered.again()):
        assert type(again) is type(error)
        assert (str(again), repr(again)) == (str(error), repr(error))
        assert repr(again.args) == repr(error.args)
        assert fields(again) == fields(error)


@pytest.mark.parametrize("make", EXCEPTIONS)
def test_new_each_time(make: Callable[[], Exception]) -> None:
    """What one caller's raising adds is seen by no other, nor by the exception that was remembered."""
    error = raised(make)
    before = fields(error)
    remembered = RememberedError(error)
    first = remembered.again()
    vars(first).setdefault("__notes__", []).append("mine")
    with pytest.raises(type(first)):
        raise first from KeyError("mine")
    second = remembered.again()
    assert second is not first is not error
    assert (second.__traceback__, second.__cause__, second.__context__) == (None, None, None)
    assert fields(second) == fields(error) == before


def test_the_exception_itself_is_left_as_it_is() -> None:
    """Whoever is handling the exception still finds its traceback, cause and context."""
    error = raised(lambda: NotFound(1))
    before = "".join(traceback.format_exception(error))
    RememberedError(error)
    assert "".join(traceback.format_exception(error)) == before
    assert "the context" in before


class Page:
    """Something big."""


def failing_with(page: Page, make: Callable[[], Exception]) -> RememberedError:
    """Remember an exception that was raised where `page` was a local variable."""
    try:
        kept = page  # noqa: F841  # what the frame holds
        raise make()
    except Exception as error:
        return RememberedError(error)


@pytest.mark.parametrize("make", EXCEPTIONS)
def test_what_the_raiser_held_can_go(make: Callable[[], Exception]) -> None:
    """A remembered exception keeps no frame alive, and so none of the variables in it."""
    page = Page()
    watch = weakref.ref(page)
    remembered = failing_with(page, make)
    del page
    Single.one = None  # it holds itself, and with it all that it was raised with
    gc.collect()
    assert watch() is None
    assert remembered.again().__traceback__ is None


def wrapped(page: Page) -> Exception:
    """An exception that holds another one, which was raised where `page` was a local variable, in every way it can."""
    try:
        raise KeyError("inner")
    except KeyError as inner:
        outer = ValueError("outer", inner)
        outer.__dict__.update(original=inner, several=[inner], named={"inner": inner}, at=inner.__traceback__)
        return outer


def test_exceptions_inside_are_stripped_too() -> None:
    """An exception that is held by another one, in its arguments or attributes, keeps no frame alive either."""
    page = Page()
    watch = weakref.ref(page)
    remembered = RememberedError(wrapped(page))
    del page
    gc.collect()
    assert watch() is None
    again = cast("Any", remembered.again())
    assert again.args[1] is again.original is again.several[0] is again.named["inner"]
    assert (type(again.original), again.original.args, again.at) == (KeyError, ("inner",), None)


def test_members_of_a_group_are_new_each_time() -> None:
    """Callers who raise the members of a group do not add to each other's."""
    remembered = RememberedError(raised(lambda: ExceptionGroup("both", [KeyError("a"), KeyError("b")])))
    first, second = (cast("ExceptionGroup[KeyError]", remembered.again()) for _ in range(2))
    first.exceptions[0].add_note("mine")
    assert not hasattr(second.exceptions[0], "__notes__")
    assert second.args[1] == list(second.exceptions)


def test_a_ring_of_exceptions() -> None:
    """Two that hold each other, and a member that holds its group, are copied as such."""
    member = NotFound(1)
    group = ExceptionGroup("all", [member])
    member.__dict__.update(group=group, me=member)
    again = cast("Any", RememberedError(group).again())
    assert again is not group
    assert again.exceptions[0].group is again
    assert again.exceptions[0].me is again.exceptions[0] is not member


def test_no_code_of_the_class_is_run() -> None:
    """`__init__` is for those who find something wrong, not for those who are told of it again."""
    made = []

    class Counted(Exception):
        def __init__(self, reason: str) -> None:
            super().__init__(reason)
            made.append(reason)

    remembered = RememberedError(Counted("first"))
    remembered.again()
    assert made == ["first"]


class Foreign(Exception):
    """Stands for one whose class is written in another language: it can be pickled, and made in no other way."""

    def __reduce__(self) -> tuple[Any, ...]:
        if self.args[0] == "refuse":
            raise TypeError
        return (Foreign, ("made anew",))


def test_a_class_that_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that can only be pickled is copied so; one that cannot be copied is given itself, stripped."""
    monkeypatch.setattr("asynccache.core.remembered_error.BuiltinFunctionType", Foreign)  # it has no such `__new__`
    error = raised(lambda: Foreign("copy"))
    again = RememberedError(error).again()
    assert (again is not error, again.args, again.__traceback__) == (True, ("copy",), None)
    error = raised(lambda: Foreign("refuse"))
    remembered = RememberedError(error)
    assert error.__traceback__ is not None
    assert remembered.again() is error
    assert error.__traceback__ is None


def test_no_terms() -> None:
    """Without types, there is nothing to remember."""
    assert ErrorTerms.from_option(None) is None
    assert ErrorTerms.from_option({}) is None


def test_the_most_specific_type_decides() -> None:
    """Whatever their order, the type that comes first in the method resolution order decides."""
    for types in ([LookupError, KeyError], [KeyError, LookupError]):
        terms = ErrorTerms.from_option({kind: 5 if kind is KeyError else timedelta(minutes=1) for kind in types})
        assert terms is not None
        assert (terms.ttl_of(KeyError()), terms.ttl_of(IndexError()), terms.ttl_of(ValueError())) == (5, 60, MISSING)


def test_never_and_for_ever() -> None:
    """0 is told as such, so that a type may be taken out of a wider one; None and infinity are for ever."""
    terms = ErrorTerms.from_option({LookupError: None, OSError: math.inf, KeyError: 0})
    assert terms is not None
    assert (terms.ttl_of(IndexError()), terms.ttl_of(OSError()), terms.ttl_of(KeyError())) == (None, None, 0)


@pytest.mark.parametrize(
    ("kind", "message", "option"),
    [
        (TypeError, r"errors must map exception types to seconds, as \{KeyError: 5\.0\}, not 5", 5),
        (TypeError, "errors must map exception types", [KeyError]),
        (TypeError, "errors must map exception types", KeyError),
        (TypeError, "errors must have exception types as keys, not 'KeyError'", {"KeyError": 5}),
        (TypeError, "errors must have exception types as keys, not <class 'int'>", {int: 5}),
        (TypeError, "errors must have exception types as keys", {(KeyError, OSError): 5}),
        (TypeError, "errors cannot remember BaseException", {BaseException: 5}),
        (TypeError, "errors cannot remember CancelledError", {asyncio.CancelledError: 5}),
        (ValueError, r"errors\[KeyError\] must be 0 seconds or more, not -1", {KeyError: -1}),
        (ValueError, r"errors\[KeyError\] must be a number of seconds", {KeyError: "5"}),
        (ValueError, r"errors\[KeyError\] must be a number of seconds", {KeyError: True}),
    ],
)
def test_terms_that_cannot_be_meant(kind: type[Exception], message: str, option: object) -> None:
    """What cannot be meant is refused, and the message says what to write instead."""
    with pytest.raises(kind, match=message):
        ErrorTerms.from_option(option)
