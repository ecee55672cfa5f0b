"""What is remembered of an exception that is an answer, as "not found" is, and for how long.

Decides what of an exception is kept: its type and all that it says, nothing of how it came to be raised. A traceback
holds every frame on the way with all its variables, grows each time it is raised again, and is shared by all who are
given the same exception; so each of them gets a new one. When a load's exception is an answer, and what a cache then
does with it, is decided by the floors above.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import BuiltinFunctionType, FrameType, GetSetDescriptorType, MemberDescriptorType, TracebackType
from typing import Any, Final, TypeAlias, cast

from asynccache.core.expiry import seconds
from asynccache.protocols import MISSING, Missing

_Field: TypeAlias = GetSetDescriptorType | MemberDescriptorType

_NOT_KEPT: Final = {"__cause__", "__context__", "__dict__", "__suppress_context__", "__traceback__", "__weakref__"}
"""Fields that tell how an exception came to be raised, or that are not one value. What is in `__dict__` is kept."""

_LEVELS: Final = 3
"""How deep inside lists, tuples and dicts exceptions are looked for: `args` of a group is a tuple with a list."""


class RememberedError:
    """An exception that can be raised any number of times, each time as if it were the first.

    Kept are its type, `args`, attributes, notes, and the fields of classes written in C (`OSError.errno`). Traceback,
    cause and context are not; nor are those of exceptions that it holds, in a group or as attributes.

    Args:
        error: the exception; it is left as it is. One of a class that can in no way be made anew is kept itself.
    """

    __slots__ = ("_kept",)

    def __init__(self, error: Exception) -> None:
        self._kept = _Copying().run(error)

    def again(self) -> Exception:
        """Make the exception to raise: a new one at each call, without calling its `__init__`."""
        return cast("Exception", _Copying().run(self._kept)).with_traceback(None)


@dataclass(frozen=True, slots=True)
class ErrorTerms:
    """For how long exceptions of each type are remembered. Made by `from_option`, which checks.

    Attributes:
        terms: seconds by type; 0 for not at all, None for ever.
    """

    terms: Mapping[type[Exception], float | None]

    @classmethod
    def from_option(cls, value: object) -> "ErrorTerms | None":
        """Read the option `errors` as users write it; None if it names no type.

        Raises:
            TypeError: it is no mapping, or a key is no exception type that can be remembered.
            ValueError: a time is negative, NaN or no length of time.
        """
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise TypeError(f"errors must map exception types to seconds, as {{KeyError: 5.0}}, not {value!r}")
        times = cast("Mapping[object, object]", value)
        terms = {_exception_type(kind): seconds(f"errors[{_name_of(kind)}]", time) for kind, time in times.items()}
        return cls(terms) if terms else None

    def ttl_of(self, error: BaseException) -> float | Missing | None:
        """Tell for how many seconds `error` is remembered: 0 for not at all, None for ever, MISSING if no type fits.

        Of several types that fit, the one that comes first in the method resolution order decides.
        """
        return next((self.terms[kind] for kind in type(error).__mro__ if kind in self.terms), MISSING)


def _exception_type(kind: object) -> type[Exception]:
    if isinstance(kind, type) and issubclass(kind, Exception):
        return kind
    if isinstance(kind, type) and issubclass(kind, BaseException):
        raise TypeError(
            f"errors cannot remember {_name_of(kind)}: BaseException, CancelledError and others that are no Exception "
            "are addressed to one task, not to all who ask"
        )
    raise TypeError(f"errors must have exception types as keys, not {kind!r}")


def _name_of(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else repr(kind)


class _Copying:
    """One copy of an exception and of the exceptions that it holds, rings of them included.

    All are made before any is given its attributes: only so can two that hold each other be copied.
    """

    def __init__(self) -> None:
        self._copies: dict[int, BaseException] = {}
        self._unfilled: list[tuple[BaseException, BaseException]] = []  # grows while it is read

    def run(self, error: BaseException) -> BaseException:
        made = self._copy(error)
        for pair in self._unfilled:
            self._fill(*pair)
        return made

    def _copy(self, error: BaseException) -> BaseException:
        made = self._copies.get(id(error))
        if made is None:
            made = self._copies[id(error)] = self._make(error)
            if made is not error:
                self._unfilled.append((error, made))
        return made

    def _make(self, error: BaseException) -> BaseException:
        if not issubclass(type(error), BaseExceptionGroup):
            return _bare(error)
        group = cast("BaseExceptionGroup[BaseException]", error)  # with all its members: it can be given none later
        return BaseExceptionGroup.__new__(type(group), group.message, [*map(self._copy, group.exceptions)])

    def _fill(self, error: BaseException, made: BaseException) -> None:
        """Give a copy all that the exception says."""
        vars(made).update({name: self._kept(value) for name, value in vars(error).items()})
        for field in _fields(type(error)):
            value = _read(field, error)
            # A field of C that is unset reads as None, and is not the same once it has been set to None.
            if value is not MISSING and value is not _read(field, made):
                with suppress(AttributeError, TypeError):  # read-only: `__new__` has set it
                    field.__set__(made, self._kept(value))

    def _kept(self, value: Any, levels: int = _LEVELS) -> Any:
        """What stands for a value in the copy: the value itself, but lists and dicts of its own to add to."""
        kind = cast("Any", type(value))
        if issubclass(kind, BaseException):
            return self._copy(value)
        if issubclass(kind, TracebackType | FrameType):
            return None
        if levels and kind is list:
            return [self._kept(item, levels - 1) for item in value]
        if levels and kind is tuple:
            return tuple(self._kept(item, levels - 1) for item in value)
        if levels and kind is dict:
            return {key: self._kept(value[key], levels - 1) for key in value}
        return value


def _bare(error: BaseException) -> BaseException:
    """Make an exception of the same type, whose attributes are still to be set.

    By a `__new__` written in C, which makes a new one and does nothing else, and without `__init__`: given `args`,
    which may be its own message, that would make another message of it.
    """
    kind = type(error)
    makers = [maker for base in kind.__mro__ if isinstance(maker := vars(base).get("__new__"), BuiltinFunctionType)]
    attempts = [partial(make, kind, *args) for make in makers for args in (error.args, ())]
    # A class written in another language may refuse them all, and yet know how to be pickled.
    for attempt in (*attempts, partial(copy.copy, error)):
        with suppress(Exception):  # this may be a class's own code
            made = attempt()
            if type(made) is kind and made is not error:
                return made
    return error


def _fields(kind: type[BaseException]) -> Iterator[_Field]:
    """The fields that are not in `__dict__`: `args`, slots, and those of classes written in C."""
    for base in kind.__mro__:
        for name, field in vars(base).items():
            if isinstance(field, _Field) and name not in _NOT_KEPT:
                yield field


def _read(field: _Field, error: BaseException) -> object:
    try:
        return field.__get__(error)
    except AttributeError:
        return MISSING
