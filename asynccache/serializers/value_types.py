"""From an annotation to the shape that writes and reads its values.

Decides which annotations there can be: plain data; containers and unions of others; dataclasses, named tuples,
TypedDicts, enumerations; pydantic models, msgspec structs and attrs classes. What cannot be is refused when a cache is
made, not when a value is lost. How each is spelled, shapes.py and records.py decide.
"""

import enum
import types
import typing
from collections import abc
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, NamedTuple, NewType, TypeVar, get_args, get_origin
from uuid import UUID

from asynccache.serializers.class_fields import fields_of, is_model, maker_of, slots_of
from asynccache.serializers.records import Adapted, Keys, Member, Model, Record
from asynccache.serializers.shapes import OTHERWISE, Either, Maybe, Places, Plain, Row, Shape, Table, name_of

_SCALARS: Final[dict[Any, frozenset[type]]] = {
    kind: frozenset({kind})
    for kind in (
        str, bool, Decimal, Fraction, bytes, bytearray, datetime, time, timedelta, timezone, UUID, type(None),
    )
} | {
    int: frozenset({int, bool}),
    float: frozenset({float, int, bool}),  # as PEP 484 has it
    complex: frozenset({complex, float, int, bool}),
    date: frozenset({date, datetime}),
    tzinfo: frozenset({timezone}),
}  # fmt: skip
"""What has no parts, with the types of its values: subclasses count if plain data has them."""

_ROWS: Final[dict[Any, tuple[type, ...]]] = {
    list: (list,),
    tuple: (tuple,),
    set: (set,),
    frozenset: (frozenset,),
    abc.Sequence: (list, tuple),
    abc.MutableSequence: (list,),
    abc.Set: (set, frozenset),
    abc.MutableSet: (set,),
    abc.Collection: (list, tuple, set, frozenset),
    abc.Iterable: (list, tuple, set, frozenset),
}
_TABLES: Final = (dict, abc.Mapping, abc.MutableMapping)


class ValueType(NamedTuple):
    """What an annotation says of values.

    Attributes:
        shape: writes and reads them; None if they are plain data, which needs nothing.
        mark: 8 bytes that no other annotation has, nor the same one once the fields of a class in it are others. With
            them, no plain JSON, msgpack or pickle begins.
    """

    shape: Shape | None
    mark: bytes


def value_type(annotation: object) -> ValueType:
    """Find out how values of an annotated type are written.

    Args:
        annotation: a type as annotations spell it, resolved: no string.

    Raises:
        TypeError: there is no way; the message says what to write.
    """
    reading = _Reading()
    try:
        shape = reading.shape(annotation)
    except RecursionError:
        raise TypeError("an alias of a type that refers to itself cannot be written: write a class, or Any") from None
    if isinstance(shape, Plain):
        return ValueType(None, b"")
    said = "\n".join([shape.says, *sorted(reading.fields)])
    return ValueType(shape, b"\xc1" + blake2b(said.encode(), digest_size=7).digest())


class _Reading:
    """One annotation being read, with all that it refers to.

    Attributes:
        fields: a line for each class, with the types of its fields.
    """

    def __init__(self) -> None:
        self.fields: list[str] = []
        self._known: dict[Any, Shape] = {}

    def shape(self, annotation: Any) -> Shape:
        """The shape of a type."""
        annotation = _bare(annotation)
        if type(annotation).__hash__ is None:
            raise TypeError(f"{annotation!r} is no type: {OTHERWISE}")
        if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
            return Plain(None, "Any")
        if annotation is None or annotation in _SCALARS:
            kind = annotation or type(None)
            return Plain(_SCALARS[kind], kind.__qualname__)
        origin = get_origin(annotation) or annotation
        if origin is typing.Union or origin is types.UnionType:
            return self._either([self.shape(one) for one in get_args(annotation)])
        if origin is Literal:
            return self._literal(get_args(annotation))
        if origin in _ROWS:
            return self._row(origin, get_args(annotation))
        if origin in _TABLES:
            return self._table(*(get_args(annotation) or (Any, Any)))
        if not isinstance(origin, type):
            raise TypeError(f"values of {annotation!r} cannot be written: {OTHERWISE}")
        if annotation not in self._known:
            self._class(annotation, origin)
        return self._known[annotation]

    def _row(self, origin: Any, args: tuple[Any, ...]) -> Shape:
        kinds = _ROWS[origin]
        if origin is tuple and args and args[-1] is not Ellipsis:
            places = [self.shape(one) for one in args]
            says = f"tuple[{', '.join(place.says for place in places)}]"
            return _plain_if(Places(places, says), places)
        item = self.shape(args[0] if args else Any)
        return _plain_if(Row(kinds, item, f"{origin.__name__}[{item.says}]"), [item])

    def _table(self, key: Any, item: Any) -> Shape:
        keys, items = self.shape(key), self.shape(item)
        return _plain_if(Table(keys, items, f"dict[{keys.says}, {items.says}]"), [keys, items])

    def _literal(self, values: Iterable[Any]) -> Shape:
        return self._either([self.shape(type(value)) for value in dict.fromkeys(values)])

    def _either(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of a union, in which the type of a value must tell which one it is."""
        others = list({shape.says: shape for shape in shapes if not isinstance(shape, Plain)}.values())
        plain = _merged([shape for shape in shapes if isinstance(shape, Plain)])
        says = " | ".join(shape.says for shape in ([*others, plain] if plain else others))
        if plain and not others:
            return plain
        if len(others) == 1 and (plain is None or plain.types == _SCALARS[type(None)]):
            return Maybe(others[0], says) if plain else others[0]
        every = [*others, plain] if plain else others
        kinds = [kind for shape in every for kind in shape.types or ()]
        if len(kinds) > len(set(kinds)) or any(shape.types is None for shape in others):
            raise TypeError(f"{says} cannot be written, as the type of a value does not tell which it is: {OTHERWISE}")
        return Either(every, says)

    def _class(self, annotation: Any, kind: Any) -> None:
        """Note the shape of a class, before those of its fields, which may be of the same class."""
        says = name_of(kind) if annotation is kind else f"{name_of(kind)}[{', '.join(map(repr, get_args(annotation)))}]"
        hints = fields_of(kind)
        if is_model(kind):
            shape: Any = Model(kind, says)
        elif issubclass(kind, enum.Enum):
            shape = Member(kind, says)
        elif typing.is_typeddict(kind):
            shape = Keys(kind.__required_keys__, says)
        elif hints is not None:
            shape = Record(kind, maker_of(kind), says)
        else:
            raise TypeError(f"values of {says} cannot be written: {OTHERWISE}")
        self._known[annotation] = shape
        if hints is None:
            return
        bound = dict(zip(getattr(kind, "__parameters__", ()), get_args(annotation), strict=False))
        for name, hint in hints.items():
            shape.fields[name] = self._field(shape, _substituted(hint, bound))
        if isinstance(shape, Record):
            shape.hidden = sorted(slots_of(kind) - shape.fields.keys())
        self.fields.append(f"{says}({', '.join(f'{name}: {part.says}' for name, part in shape.fields.items())})")

    def _field(self, owner: object, hint: Any) -> Shape:
        """The shape of a field; in a pydantic model, it may be of a type that only pydantic knows."""
        try:
            return self.shape(hint)
        except TypeError:
            if not isinstance(owner, Model):
                raise
            adapted = _adapted(hint)
            if adapted is None:
                raise
            return adapted


def _plain_if(shape: Shape, parts: Sequence[Shape]) -> Shape:
    """A container of plain data is plain data."""
    return Plain(shape.types, shape.says) if all(isinstance(part, Plain) for part in parts) else shape


def _merged(shapes: Sequence[Plain]) -> Plain | None:
    if not shapes:
        return None
    known = [shape.types for shape in shapes if shape.types is not None]
    merged = frozenset[type]().union(*known) if len(known) == len(shapes) else None
    return Plain(merged, " | ".join(dict.fromkeys(shape.says for shape in shapes)))


def _bare(annotation: Any) -> Any:
    """An annotation without what says nothing of the values."""
    while True:
        if get_origin(annotation) in _WRAPPERS:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # in `typing` from 3.12 on
            annotation = annotation.__value__
        else:
            return annotation


_WRAPPERS: Final = (Annotated, typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)


def _substituted(hint: Any, bound: Mapping[Any, Any]) -> Any:
    """A field of a generic class, with what the annotation says for its parameters."""
    if isinstance(hint, TypeVar):
        return bound.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    if not bound or not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(bound.get(one, Any) for one in parameters)]


def _adapted(hint: Any) -> Shape | None:
    """What pydantic makes of a type, if it knows it."""
    from pydantic import TypeAdapter

    origin = get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, abc.Iterator):  # looking at one would use it up
        return None
    try:
        return Adapted(TypeAdapter(hint), repr(hint))
    except Exception:  # pydantic has several errors for this, and types may have their own
        return None
