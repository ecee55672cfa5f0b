"""Exceptions that are answers, as "not found" is, as bytes and back.

Decides what of an exception is written: the name of its type, its `args`, its attributes and notes. What reads it knows
the types that there can be, and compares names: a name is never imported. Traceback, cause and context are not written,
nor what types of Python's own keep elsewhere and do not make of their `args`.
"""

from collections.abc import Iterable
from typing import Any, cast

from asynccache.serializers.typed_json import Undecodable, Unencodable, decode, encode


def encode_error(error: Exception, known: Iterable[type[Exception]]) -> bytes | None:
    """Write an exception.

    Args:
        error: the exception.
        known: the types that may be written, and no subclasses of them.

    Returns:
        None if it is of another type, if two types have its name, or if it holds what is no plain data.
    """
    name = _name(type(error))
    if _found(name, known) is not type(error):
        return None
    try:
        return encode([name, error.args, vars(error)])
    except Unencodable:
        return None


def decode_error(data: bytes, known: Iterable[type[Exception]]) -> Exception | None:
    """Make an exception of what `encode_error` wrote, without calling its `__init__` if that is not Python's own.

    Args:
        data: what was written.
        known: the types that may be made.

    Returns:
        None if these bytes are for none of them.
    """
    try:
        name, args, attributes = cast("Any", decode(data))
        kind = _found(name, known)
        if kind is None or [type(args), type(attributes)] != [tuple, dict]:
            return None
        error = kind.__new__(kind, *args)
        _base(kind).__init__(error, *args)
        error.args = args
        error.__dict__.update(attributes)
    except Undecodable:
        return None
    except Exception:  # a type's own `__new__` is any code
        return None
    return error


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _found(name: str, known: Iterable[type[Exception]]) -> type[Exception] | None:
    """The type of that name, if there is just one."""
    found = {kind for kind in known if _name(kind) == name}
    return found.pop() if len(found) == 1 else None


def _base(kind: type[Exception]) -> Any:
    """The nearest base that is Python's own: its `__init__` sets the fields that are not attributes."""
    return next(base for base in kind.__mro__ if base.__module__ == "builtins")
