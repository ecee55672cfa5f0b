"""Exceptions that are answers, as "not found" is, as bytes and back.

Decides what of an exception is written: the name of its type, its `args`, attributes, notes and slots, such as
`OSError.errno`. What reads it knows the types that there can be, and compares names: a name is never imported.
Traceback, cause and context are not written.
"""

from collections.abc import Iterable
from types import MemberDescriptorType
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
        return encode([name, error.args, vars(error), _slots(error)])
    except Unencodable:
        return None


def decode_error(data: bytes, known: Iterable[type[Exception]]) -> Exception | None:
    """Make an exception of what `encode_error` wrote, without calling its `__init__`.

    Args:
        data: what was written.
        known: the types that may be made.

    Returns:
        None if these bytes are for none of them.
    """
    try:
        name, args, attributes, slots = cast("Any", decode(data))
        kind = _found(name, known)
        if kind is None or not all(type(key) is str for key in attributes) or not slots.keys() <= _slot_names(kind):
            return None
        error = kind.__new__(kind, *args)
        error.args = args
        error.__dict__.update(attributes)
        for slot, value in slots.items():
            setattr(error, slot, value)
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


def _slot_names(kind: type) -> set[str]:
    """The fields of a type that are not in `__dict__`, other than those that tell how an exception was raised."""
    parts = ((name, part) for base in kind.__mro__ for name, part in vars(base).items())
    return {name for name, part in parts if isinstance(part, MemberDescriptorType) and not name.startswith("__")}


def _slots(error: Exception) -> dict[str, Any]:
    """Those that are filled."""
    filled = {name: getattr(error, name, None) for name in sorted(_slot_names(type(error)))}
    return {name: part for name, part in filled.items() if part is not None}
