"""What users give an HTTP cache as an option, read: each kind of thing has one reader, and one way to be refused.

Decides what is such a thing at all; what an option does, those decide who have it.
"""

from collections.abc import Iterable
from typing import Final, cast

from asynccache.core.expiry import seconds
from asynccache.http.syntax.fields import is_token

_NEVER_REUSED: Final = frozenset({"CONNECT", "DELETE", "OPTIONS", "PATCH", "PUT", "TRACE"})
"""Their responses tell of what was done, or of a connection: no other request can be answered with them (RFC 9110, 9.3;
RFC 5789)."""


def read_time(option: str, value: object) -> float:
    """Read a length of time.

    Raises:
        ValueError: it is none, or endless.
    """
    read = None if value is None else seconds(option, value)
    if read is None:
        raise ValueError(f"{option} must be a number of seconds or a timedelta, and not endless: {value!r}")
    return read


def read_fraction(option: str, value: object) -> float:
    """Read a number from 0 to 1.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option} must be a number from 0 to 1, not {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{option} must be from 0 to 1, not {value!r}")
    return float(value)


def read_size(option: str, value: object) -> int:
    """Read a number of bytes.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{option} must be a whole number of bytes, such as 64 * 1024 * 1024, not {value!r}")
    if value < 1:
        raise ValueError(f"{option} must be 1 byte or more, not {value!r}")
    return value


def read_flag(option: str, value: object) -> bool:
    """Read what is true or not.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{option} must be True or False, not {value!r}")
    return value


def read_words(option: str, value: object) -> tuple[str, ...]:
    """Read several words; they may come from a generator.

    Raises:
        TypeError: it is one string, or holds something else.
    """
    if isinstance(value, str):
        raise TypeError(f"{option} must hold several words, such as ({value!r},), not one string")
    if not isinstance(value, Iterable):
        raise TypeError(f"{option} must hold words, such as a set or a tuple of strings, not {value!r}")
    words: list[str] = []
    for word in cast("Iterable[object]", value):
        if not isinstance(word, str):
            raise TypeError(f"{option} must hold strings, not {word!r}")
        words.append(word)
    return tuple(sorted(words) if isinstance(value, set | frozenset) else words)


def read_tokens(option: str, value: object, example: str) -> tuple[str, ...]:
    """Read several names of fields or methods.

    Raises:
        TypeError, ValueError: they are none.
    """
    names = read_words(option, value)
    for name in names:
        if not is_token(name):
            raise ValueError(f"{option} must hold names such as {example}, not {name!r}")
    return names


def read_headers(option: str, value: object) -> tuple[str, ...]:
    """Read several names of fields; their order and case mean nothing.

    Raises:
        TypeError, ValueError: they are none.
    """
    return tuple(sorted({name.lower() for name in read_tokens(option, value, '"Authorization"')}))


def read_methods(option: str, value: object) -> frozenset[str]:
    """Read the methods of requests whose responses are kept.

    Raises:
        TypeError, ValueError: they are none, or no response to one of them can answer another request.
    """
    methods = frozenset(name.upper() for name in read_tokens(option, value, '"GET"'))
    if wrong := sorted(methods & _NEVER_REUSED):
        raise ValueError(
            f"{option} cannot hold {wrong[0]!r}: what answers it is no answer to the next one; leave it out"
        )
    return methods
