"""How instances of classes become plain data and back, one kind of class a class here.

Decides what is kept of an instance: its fields, and what else it holds by itself. It must be of the very class that was
said; a subclass may carry more. An instance is made as unpickling makes one, without its `__init__`: so it is as it
was, even if fields have been changed since it was made. Only structs of msgspec have no such way: their
`__post_init__` runs again. Optional packages are known by what their classes have, never imported.
"""

from collections.abc import Callable, Mapping
from enum import Enum, Flag
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

from asynccache.serializers.shapes import Shape, Types, is_exactly, name_of, not_so, other_type
from asynccache.serializers.typed_json import Unencodable

_NOTHING: Final[dict[str, Any]] = {}


def computed_by(kind: type) -> frozenset[str]:
    """The attributes that a class works out when they are first asked for, and then keeps."""
    parts = ((name, part) for base in kind.__mro__ for name, part in vars(base).items())
    return frozenset(name for name, part in parts if isinstance(part, cached_property))


class Keys:
    """A TypedDict: a dict with a type for each key."""

    def __init__(self, required: frozenset[str], says: str) -> None:
        self.types: Types = frozenset({dict})
        self.says = says
        self.fields: dict[str, Shape] = {}
        self._required = required

    def plain(self, value: Any) -> object:
        """Write a dict."""
        if not is_exactly(value, dict) or not self._fits(value):
            raise other_type(value, self.says)
        return {key: self.fields[key].plain(item) for key, item in value.items()}

    def revive(self, data: Any) -> object:
        """Read a dict."""
        if not is_exactly(data, dict) or not self._fits(data):
            raise not_so(self.says)
        return {key: self.fields[key].revive(item) for key, item in data.items()}

    def _fits(self, table: dict[Any, Any]) -> bool:
        return self._required <= table.keys() <= self.fields.keys()


class Member:
    """A member of an enumeration: its name, or the number of one made of flags."""

    def __init__(self, kind: type[Enum], says: str) -> None:
        self.types: Types = frozenset({kind})
        self.says = says
        self._kind: Any = kind
        self._is_flag = issubclass(kind, Flag)

    def plain(self, value: Any) -> object:
        """Write its name."""
        if type(value) is not self._kind:
            raise other_type(value, self.says)
        if not self._is_flag and self._kind.__members__.get(value.name) is not value:
            raise Unencodable(f"a member of {self.says} that is not found under its own name")
        return value.value if self._is_flag else value.name

    def revive(self, data: Any) -> object:
        """Find it by its name."""
        if not self._is_flag:
            return self._kind.__members__[data]
        if type(data) is not int or self._kind(data).value != data:
            raise not_so(self.says)
        return self._kind(data)


Make: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""Makes an instance of a class that has these fields."""


def made_bare(kind: Any, fields: Mapping[str, Any]) -> Any:
    """Make an instance as unpickling does, frozen or not."""
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def made_of_tuple(kind: Any, fields: Mapping[str, Any]) -> Any:
    """Make a named tuple."""
    return kind._make(fields.values())


def made_by_call(kind: Any, fields: Mapping[str, Any]) -> Any:
    """Make an instance by its own `__init__`."""
    return kind(**fields)


class Record:
    """An instance of a class with fields: a list of these, and at the end what else it holds, if it does.

    Args:
        kind: the class.
        make: makes an instance.
        says: what it is called.

    Attributes:
        fields: the shape of each, by name; to be filled in, as a class may have fields of its own kind.
        hidden: slots that are no fields; likewise.
    """

    def __init__(self, kind: type, make: Make, says: str) -> None:
        self.types: Types = frozenset({kind})
        self.says = says
        self.fields: dict[str, Shape] = {}
        self.hidden: list[str] = []
        self._kind = kind
        self._make = make
        self._computed = computed_by(kind)

    def plain(self, value: Any) -> object:
        """Write the fields."""
        if type(value) is not self._kind:
            raise other_type(value, self.says)
        parts = [shape.plain(getattr(value, name)) for name, shape in self.fields.items()]
        if self.hidden and any(hasattr(value, name) for name in self.hidden):
            raise Unencodable(f"an instance of {self.says} that has other slots than its fields")
        rest = self._rest(value)
        return [*parts, rest] if rest else parts

    def revive(self, data: Any) -> object:
        """Make an instance of its fields."""
        rest: dict[str, Any] = {}
        if not is_exactly(data, list):
            raise not_so(self.says)
        parts: list[Any] = data
        if len(parts) == len(self.fields) + 1:
            *parts, rest = parts
        names = zip(self.fields.items(), parts, strict=True)
        made = self._make(self._kind, {name: shape.revive(part) for (name, shape), part in names})
        if rest:
            if rest.keys() & self.fields.keys():
                raise not_so(self.says)
            made.__dict__.update(rest)
        return made

    def _rest(self, value: Any) -> dict[str, Any]:
        """Attributes that are no fields, which must be plain data; what can be worked out again is left out."""
        held: dict[str, Any] = getattr(value, "__dict__", _NOTHING)
        if len(held) <= len(self.fields) and held.keys() <= self.fields.keys():
            return {}
        return {name: part for name, part in held.items() if name not in self.fields and name not in self._computed}


class Model:
    """An instance of a pydantic model: all that makes it equal to another, and which of its fields were set.

    Its validators do not run again; they have run when it was made.
    """

    def __init__(self, kind: type, says: str) -> None:
        self.types: Types = frozenset({kind})
        self.says = says
        self.fields: dict[str, Shape] = {}
        self._kind: Any = kind
        self._computed = computed_by(kind)

    def plain(self, value: Any) -> object:
        """Write the fields, those that the model does not know, the names of those that were set, and private ones."""
        if type(value) is not self._kind:
            raise other_type(value, self.says)
        held: dict[str, Any] = value.__dict__
        if not self.fields.keys() <= held.keys() <= self.fields.keys() | self._computed:
            raise Unencodable(f"an instance of {self.says} that has other attributes than its fields")
        parts = [shape.plain(held[name]) for name, shape in self.fields.items()]
        fields_set = sorted(value.__pydantic_fields_set__)
        return [parts, value.__pydantic_extra__, fields_set, value.__pydantic_private__]

    def revive(self, data: Any) -> object:
        """Make an instance of all these."""
        parts, extra, fields_set, private = data
        if not (is_exactly(parts, list) and is_exactly(fields_set, list)):
            raise not_so(self.says)
        if not all(part is None or is_exactly(part, dict) for part in (extra, private)):
            raise not_so(self.says)
        held = {name: shape.revive(part) for (name, shape), part in zip(self.fields.items(), parts, strict=True)}
        made = self._kind.__new__(self._kind)
        object.__setattr__(made, "__dict__", held)
        object.__setattr__(made, "__pydantic_fields_set__", set(fields_set))
        if not self._kind.__pydantic_root_model__:  # of these, a root model has none
            object.__setattr__(made, "__pydantic_extra__", extra)
            object.__setattr__(made, "__pydantic_private__", private)
        return made


class Adapted:
    """A type that only pydantic knows, inside one of its models: what pydantic makes of it for JSON.

    Args:
        adapter: pydantic's `TypeAdapter` of the type.
    """

    types: Types = None

    def __init__(self, adapter: Any, says: str) -> None:
        self.says = says
        self._adapter = adapter

    def plain(self, value: Any) -> object:
        """Write it, and see that it comes back as it is: a secret, for one, does not."""
        written = self._adapter.dump_python(value, mode="json")
        again = self._adapter.validate_python(written)
        kind = cast("Any", type(value))
        if type(again) is not kind or again != value:
            raise Unencodable(f"{name_of(kind)} does not come back from JSON as it was")
        return written

    def revive(self, data: Any) -> object:
        """Have pydantic read it."""
        return self._adapter.validate_python(data)
