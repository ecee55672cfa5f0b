"""How containers of values that plain data lacks become plain data and back: the shapes of annotations.

Decides how lists, tuples, sets, dicts and unions of others are spelled. A value must be of the very type that was said;
a subclass may carry more. The classes inside are the business of records.py, and which shape belongs to which
annotation that of value_types.py.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from asynccache.serializers.typed_json import Undecodable, Unencodable

Types: TypeAlias = frozenset[type] | None
"""The exact types of values that a shape takes; None: any that plain data has."""


OTHERWISE: Final = (
    "write a dataclass, a TypedDict, a NamedTuple, a class of pydantic, msgspec or attrs, or plain data;"
    ' or codec="pickle" with secret=...'
)
"""What to write instead of a type that cannot be."""


def name_of(kind: type) -> str:
    """What a type is called, with its module."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_exactly(value: object, kind: type) -> bool:
    """Whether a value is of that very type."""
    return type(value) is kind


def other_type(value: object, wanted: str) -> Unencodable:
    """The error for a value of another type than was said."""
    return Unencodable(f"{name_of(type(value))} where {wanted} was promised")


def not_so(wanted: str) -> Undecodable:
    """The error for plain data that stands for no such value."""
    return Undecodable(f"not what is written for {wanted}")


class Shape(Protocol):
    """What is done with the values of one annotation. `says` spells the annotation, for messages and fingerprints."""

    types: Types
    says: str

    def plain(self, value: Any) -> object:
        """Make plain data of a value.

        Raises:
            Unencodable: it is not what the annotation promises.
        """
        ...

    def revive(self, data: Any) -> object:
        """Make the value that plain data stands for.

        Raises:
            Undecodable: it stands for none.
        """
        ...


class Plain:
    """Plain data, as it is."""

    def __init__(self, types: Types, says: str) -> None:
        self.types = types
        self.says = says

    def plain(self, value: Any) -> object:
        """See that it is of one of the types; what is inside of it, the writer sees."""
        if self.types is not None and type(value) not in self.types:
            raise other_type(value, self.says)
        return value

    def revive(self, data: Any) -> object:
        """Likewise."""
        if self.types is not None and type(data) not in self.types:
            raise not_so(self.says)
        return data


class Row:
    """Any number of items: a list of them, with the index of the row's type if there are several."""

    def __init__(self, kinds: Sequence[Any], item: Shape, says: str) -> None:
        self.types: Types = frozenset(kinds)
        self.says = says
        self._kinds = kinds
        self._item = item

    def plain(self, value: Any) -> object:
        """Write the items."""
        if type(value) not in self._kinds:
            raise other_type(value, self.says)
        plain = self._item.plain
        items = [plain(item) for item in list(value)]  # a copy at once: another thread may change it meanwhile
        return items if len(self._kinds) == 1 else [self._kinds.index(type(value)), items]

    def revive(self, data: Any) -> object:
        """Read the items."""
        kind, items = self._kinds[0], data
        if len(self._kinds) > 1:
            index, items = data
            kind = dict(enumerate(self._kinds))[index]
        if not is_exactly(items, list):
            raise not_so(self.says)
        revive = self._item.revive
        values = [revive(item) for item in items]
        return values if kind is list else kind(values)


class Places:
    """A tuple with a type for each place."""

    def __init__(self, places: Sequence[Shape], says: str) -> None:
        self.types: Types = frozenset({tuple})
        self.says = says
        self._places = places

    def plain(self, value: Any) -> object:
        """Write a list."""
        if not is_exactly(value, tuple) or len(value) != len(self._places):
            raise other_type(value, self.says)
        return [place.plain(item) for place, item in zip(self._places, value, strict=True)]

    def revive(self, data: Any) -> object:
        """Read a list."""
        return tuple([place.revive(item) for place, item in zip(self._places, data, strict=True)])


class Table:
    """A dict: a list of pairs, or a dict if its keys are plain."""

    def __init__(self, key: Shape, item: Shape, says: str) -> None:
        self.types: Types = frozenset({dict})
        self.says = says
        self._key = key
        self._item = item
        self._paired = not isinstance(key, Plain)

    def plain(self, value: Any) -> object:
        """Write the pairs."""
        if not is_exactly(value, dict):
            raise other_type(value, self.says)
        key_of, item_of = self._key.plain, self._item.plain
        pairs = [(key_of(key), item_of(item)) for key, item in list(value.items())]
        return [[*pair] for pair in pairs] if self._paired else dict(pairs)

    def revive(self, data: Any) -> object:
        """Read the pairs."""
        if not is_exactly(data, list if self._paired else dict):
            raise not_so(self.says)
        pairs = data if self._paired else data.items()
        key_of, item_of = self._key.revive, self._item.revive
        return {key_of(key): item_of(item) for key, item in pairs}


class Maybe:
    """None, or what another shape takes, which never writes None."""

    def __init__(self, shape: Shape, says: str) -> None:
        self.types: Types = None if shape.types is None else shape.types | {type(None)}
        self.says = says
        self._shape = shape

    def plain(self, value: Any) -> object:
        """Write it."""
        return None if value is None else self._shape.plain(value)

    def revive(self, data: Any) -> object:
        """Read it."""
        return None if data is None else self._shape.revive(data)


class Either:
    """What one of several shapes takes: its index, and what it writes."""

    def __init__(self, shapes: Sequence[Shape], says: str) -> None:
        self.says = says
        self._shapes = shapes
        self._by_type = {kind: index for index, shape in enumerate(shapes) for kind in shape.types or ()}
        self._rest = next((index for index, shape in enumerate(shapes) if shape.types is None), None)
        self.types: Types = None if self._rest is not None else frozenset(self._by_type)

    def plain(self, value: Any) -> object:
        """Write it by the shape that takes its very type."""
        kind = cast("Any", type(value))
        index = self._by_type.get(kind, self._rest)
        if index is None:
            raise other_type(value, self.says)
        return [index, self._shapes[index].plain(value)]

    def revive(self, data: Any) -> object:
        """Read it by the same shape."""
        index, part = data
        if type(index) is not int or index < 0:
            raise not_so(self.says)
        return self._shapes[index].revive(part)
