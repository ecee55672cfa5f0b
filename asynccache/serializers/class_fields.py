"""Which fields a class has, of what types, and how an instance is made of them.

Decides what makes a class one with fields: that it is a dataclass, a named tuple, a TypedDict, or a class of pydantic,
msgspec or attrs. These packages are known by what their classes have, never imported.
"""

import dataclasses
import enum
import types
from collections.abc import Sequence
from typing import Any, cast, get_type_hints, is_typeddict

from asynccache.serializers.records import Make, made_bare, made_by_call, made_of_tuple
from asynccache.serializers.shapes import OTHERWISE, name_of


def is_model(kind: Any) -> bool:
    """Whether a class is a model of pydantic."""
    return hasattr(kind, "__pydantic_fields_set__") and hasattr(kind, "model_fields")


def is_named_tuple(kind: Any) -> bool:
    """Whether a class is one of tuples whose places have names."""
    return hasattr(kind, "_fields") and issubclass(kind, tuple)


def fields_of(kind: Any) -> dict[str, Any] | None:
    """The fields of a class and their types; None if it has none that are known.

    Raises:
        TypeError: their types cannot be found.
    """
    if is_model(kind):
        return _model_fields(kind)
    if issubclass(kind, enum.Enum):
        return None
    names = _names(kind)
    if names is None:
        return None
    try:
        hints = get_type_hints(kind)
    except NameError as error:
        raise TypeError(
            f"the annotation {error.name!r} in {name_of(kind)} is not found:"
            " define what it names at the top of its module, and import it not only for type checkers"
        ) from None
    return {name: hints.get(name, Any) for name in names}


def _names(kind: Any) -> Sequence[str] | None:
    if is_typeddict(kind):
        return [*kind.__annotations__]
    if is_named_tuple(kind):
        return cast("Sequence[str]", kind._fields)
    if hasattr(kind, "__struct_fields__"):
        return cast("Sequence[str]", kind.__struct_fields__)
    if hasattr(kind, "__attrs_attrs__"):
        return [attribute.name for attribute in kind.__attrs_attrs__]
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None


def _model_fields(kind: Any) -> dict[str, Any]:
    if not kind.__pydantic_complete__:
        kind.model_rebuild()  # it has been waiting for names that are there by now
    return {name: field.annotation for name, field in kind.model_fields.items()}


def maker_of(kind: Any) -> Make:
    """What makes an instance of a class of its fields.

    Raises:
        TypeError: nothing does.
    """
    if is_named_tuple(kind):
        return made_of_tuple
    if hasattr(kind, "__struct_fields__"):
        return made_by_call
    try:
        object.__new__(kind)
    except TypeError:  # it is abstract, or is made as a container or an exception is
        pass
    else:
        return made_bare
    raise TypeError(f"values of {name_of(kind)} cannot be written, as it cannot be made of its fields: {OTHERWISE}")


def slots_of(kind: type) -> set[str]:
    """The slots of a class and its bases, by the names under which they are found."""
    return {
        name
        for base in kind.__mro__
        for name, part in vars(base).items()
        if isinstance(part, types.MemberDescriptorType) and not name.startswith("__")
    }
