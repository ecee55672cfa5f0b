"""JSON that keeps types: what is read is of the very types that were written, and no others.

Decides how values are spelled. What JSON has is written as it is; anything else as an object with one key, the tag, as
in `{"$tuple": [1, 2]}`. A dict that JSON lacks, or that looks like a tag, is written as `{"$dict": [[key, value]]}`.

A type is taken exactly: a subclass may carry more than its base, so it is refused instead of being flattened. Reading
makes values of the types below and calls nothing else, whatever the bytes say.
"""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from operator import index
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

MOST_NESTED: Final = 100
"""Levels of JSON that are written: a list takes one, a tuple two, `$dict` three. Readers must not run out of stack."""

_LONGEST_INT: Final = 2_048
"""Bits of an integer that is written in decimal digits: Python may refuse to read 640 digits or more."""


class Unencodable(TypeError):
    """Raised for a value that cannot be written. The message names its type, never the value."""


class Undecodable(ValueError):
    """Raised for bytes that `encode` did not write."""


def encode(value: object) -> bytes:
    """Write a value; the same value gives the same bytes, also if sets happen to be in another order.

    Args:
        value: None, bool, int, float, complex, Decimal, Fraction, str, bytes, bytearray, datetime, date, time,
            timedelta, timezone, UUID; or list, tuple, set, frozenset, dict of any of these.

    Returns:
        One line of UTF-8, without its end. Lone surrogates, which UTF-8 lacks, are written as Python's "surrogatepass".

    Raises:
        Unencodable: a value inside is of another type, a subclass of these included; or it is nested too deeply.
    """
    return _text(_plain(value, MOST_NESTED)).encode("utf-8", "surrogatepass")


def decode(data: bytes) -> object:
    """Read what `encode` wrote.

    Raises:
        Undecodable: it did not write this. No other error is raised, whatever the bytes.
    """
    try:
        text = data.decode("utf-8", "surrogatepass")
        return json.loads(text, object_pairs_hook=_revived, parse_constant=_no_constant)
    except Undecodable:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        reason = type(error).__name__  # its message may tell what the bytes say
    raise Undecodable(f"not typed JSON ({reason})")


class _Form(NamedTuple):
    """How a type that JSON lacks is written: a tag, and a payload of types that can be written themselves."""

    tag: str
    payload: Callable[[Any], Any]
    revive: Callable[[Any], object]
    ordered: bool = True


def _int(text: str) -> int:
    return int(text, 16)


def _base64(data: bytes | bytearray) -> str:
    return b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _bytearray(text: str) -> bytearray:
    return bytearray(_bytes(text))


def _pairs(table: dict[Any, Any]) -> list[list[Any]]:
    return [[key, value] for key, value in table.items()]


def _clock_parts(moment: datetime | time) -> list[Any]:
    return [moment.replace(tzinfo=None).isoformat(), moment.fold, moment.tzinfo]


def _datetime(parts: list[Any]) -> datetime:
    return datetime.fromisoformat(parts[0]).replace(fold=parts[1], tzinfo=parts[2])


def _time(parts: list[Any]) -> time:
    return time.fromisoformat(parts[0]).replace(fold=parts[1], tzinfo=parts[2])


def _delta_parts(delta: timedelta) -> list[int]:
    return [delta.days, delta.seconds, delta.microseconds]


def _timedelta(parts: list[Any]) -> timedelta:
    return timedelta(*parts)


def _zone_parts(zone: timezone) -> list[Any]:
    """The offset, and the name if it was given one."""
    offset, name = zone.utcoffset(None), zone.tzname(None)
    return [offset] if name == timezone(offset).tzname(None) else [offset, name]


def _timezone(parts: list[Any]) -> timezone:
    return timezone(*parts)


def _fraction_parts(number: Fraction) -> list[int]:
    return [number.numerator, number.denominator]


def _fraction(parts: list[Any]) -> Fraction:
    return Fraction(*map(index, parts))  # whole numbers only: of "1e1000000000", a billion digits would be worked out


_FORMS: Final[dict[type, _Form]] = {
    int: _Form("$int", hex, _int),
    float: _Form("$float", repr, float),
    complex: _Form("$complex", repr, complex),
    Decimal: _Form("$decimal", str, Decimal),
    Fraction: _Form("$fraction", _fraction_parts, _fraction),
    bytes: _Form("$bytes", _base64, _bytes),
    bytearray: _Form("$bytearray", _base64, _bytearray),
    tuple: _Form("$tuple", list, tuple),
    set: _Form("$set", list, set, ordered=False),
    frozenset: _Form("$frozenset", list, frozenset, ordered=False),
    dict: _Form("$dict", _pairs, dict),
    datetime: _Form("$datetime", _clock_parts, _datetime),
    date: _Form("$date", date.isoformat, date.fromisoformat),
    time: _Form("$time", _clock_parts, _time),
    timedelta: _Form("$timedelta", _delta_parts, _timedelta),
    timezone: _Form("$timezone", _zone_parts, _timezone),
    UUID: _Form("$uuid", str, UUID),
}
"""The types that JSON lacks, or of which it lacks some values."""

_BY_TAG: Final = {form.tag: form for form in _FORMS.values()}

_text: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


def _plain(value: Any, levels: int) -> object:
    """Spell a value in what JSON has."""
    kind = cast("Any", type(value))
    if kind in (str, bool, type(None)):
        return value
    if (kind is int and value.bit_length() <= _LONGEST_INT) or (kind is float and math.isfinite(value)):
        return value
    if not levels:
        raise Unencodable(f"nested more than {MOST_NESTED} levels deep, or in itself: cannot be written as typed JSON")
    if kind is list:
        return [_plain(item, levels - 1) for item in value]
    if kind is dict:
        value = value.copy()  # at once: another thread may change it while it is gone through
        if _json_has(value):
            return {key: _plain(item, levels - 1) for key, item in value.items()}
    form = _FORMS.get(kind)
    if form is None:
        raise Unencodable(f"{kind.__module__}.{kind.__qualname__} cannot be written as typed JSON")
    payload: Any = _plain(form.payload(value), levels - 1)
    return {form.tag: payload if form.ordered else sorted(payload, key=_text)}


def _json_has(table: dict[Any, Any]) -> bool:
    """Whether JSON has such a dict: all keys are strings, and it does not look like a tag."""
    return all(type(key) is str for key in table) and not (len(table) == 1 and next(iter(table)).startswith("$"))


def _revived(pairs: list[tuple[str, Any]]) -> object:
    """Make of an object, whose parts have been revived already, what it stands for."""
    if len(pairs) == 1 and pairs[0][0].startswith("$"):
        return _value_of(*pairs[0])
    table = dict(pairs)
    if len(table) < len(pairs):
        raise Undecodable("not typed JSON (a key comes twice)")
    return table


def _value_of(tag: str, payload: Any) -> object:
    """Revive a payload, and see that it is what would be written: parsers take more than was ever agreed on."""
    form = _BY_TAG.get(tag)
    if form is None:
        raise Undecodable("not typed JSON (an unknown tag)")
    value = form.revive(payload)
    again = form.payload(value)
    if not (again == payload if form.ordered else type(payload) is list and len(again) == len(cast("Any", payload))):
        raise Undecodable("not typed JSON (a payload that is not as it would be written)")
    return value


def _no_constant(_name: str) -> object:
    raise Undecodable("not typed JSON (a number that JSON lacks)")
