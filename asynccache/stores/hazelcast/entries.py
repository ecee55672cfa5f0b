"""What a key, a value and a time to live are in a Hazelcast map.

Pure. A key is a string of as many characters as it has bytes: members can compare strings, so that ranges of keys are
found where they are. A value is a byte array that ends with a deadline: members set a time to live in a second step
where a value is replaced on a condition, and one that was never set, as its writer died in between, must not keep an
entry, and a lease less than any, for ever.
"""

import math
from typing import Any, Final

_SPARE: Final = 60_000
"""Milliseconds after its deadline in which an entry is left to its member: clocks of writers and readers differ."""

_NEVER: Final = 0
_LONGEST: Final = 1e9
"""Seconds; what is to be kept longer is kept for ever."""

_BYTE_ARRAY: Final = -12
_STRING: Final = -11
_NULL: Final = 0
"""Hazelcast's numbers for what is serialized. (Open Client Protocol, serialization.)"""

FOREIGN: Final = object()
"""What is found where somebody else has put something else."""


def text(key: bytes) -> str:
    """Give the key in the map."""
    return key.decode("latin-1")


def key_of(name: object) -> bytes | None:
    """Give the key that is meant by one in the map, or None if it is none of ours."""
    try:
        return name.encode("latin-1") if isinstance(name, str) else None
    except UnicodeEncodeError:
        return None


def successor(prefix: str) -> str | None:
    """Give the first string behind all that begin with a prefix, or None if there is none."""
    short = prefix.rstrip("\xff")
    return short[:-1] + chr(ord(short[-1]) + 1) if short else None


def entry(value: bytes, ttl: float | None, now: float) -> bytearray:
    """Give what is kept for a value.

    Args:
        value: the bytes.
        ttl: seconds.
        now: the wall clock, in seconds.
    """
    kept = bytearray(value)
    kept += (_NEVER if seconds(ttl) is None else int((now + (ttl or 0)) * 1_000)).to_bytes(8, "big", signed=True)
    return kept


def value_of(kept: object, now: float) -> bytes | None:
    """Give the value that is kept, or None where there is none, or one that should be gone."""
    if not isinstance(kept, bytearray) or len(kept) < 8:
        return None
    deadline = int.from_bytes(kept[-8:], "big", signed=True)
    if deadline != _NEVER and deadline + _SPARE < now * 1_000:
        return None
    return bytes(memoryview(kept)[:-8])


def seconds(ttl: float | None) -> int | None:
    """Give the time to live as a member takes it: never too early, at most two seconds late.

    It drops fractions of seconds, of the time to live as well as of its clock: 2.0 may be 1.1.
    """
    return None if ttl is None or ttl > _LONGEST else math.ceil(ttl) + 1


def decoder(decode: Any) -> Any:
    """Wrap what decodes keys and values, so that it takes strings and byte arrays only.

    Hazelcast's Python client unpickles what says that it is a pickle: whoever can write to the map could run code in
    all its readers.
    """

    def decode_plain(data: Any) -> object:
        kind = _NULL if data is None else data.get_type()
        return decode(data) if kind in {_BYTE_ARRAY, _STRING, _NULL} else FOREIGN

    return decode_plain
