"""Field values taken apart: lists, whole seconds, and the directives of `Cache-Control`.

Decides what counts as written well enough to be believed. Where a value is broken, it is read so that less is reused:
a directive that forbids counts however it is written, one that permits must be well-formed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from asynccache.http.syntax.message import Headers

FOREVER: Final = 2**31
"""Seconds that stand for every larger number of them (RFC 9111, 1.2.2)."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_UNQUOTED: Final = {mark: re.compile(rf'(?:[^"{mark}]|"(?:[^"\\]|\\.)*+")++', re.DOTALL) for mark in ",;"}
_BALANCED: Final = re.compile(r'(?:[^"]|"(?:[^"\\]|\\.)*+")*+', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

Arguments: TypeAlias = Mapping[str, Sequence[str | None]]


def members(value: str) -> list[str]:
    """Give the members of a list, without those that are empty (RFC 9110, 5.6.1).

    Commas in quoted strings separate nothing. If a quote is never closed, no quote counts: nothing hides behind it.
    """
    return _split(value, ",")


def parameters(member: str) -> list[str]:
    """Give what stands between the semicolons of a member (RFC 9110, 5.6.6), those in quoted strings left alone."""
    return _split(member, ";")


def _split(value: str, mark: str) -> list[str]:
    if '"' in value and _BALANCED.fullmatch(value):
        parts: list[str] = _UNQUOTED[mark].findall(value)
    else:
        parts = value.split(mark)
    return [part for each in parts if (part := each.strip(" \t"))]


def all_members(headers: Headers, name: str) -> list[str]:
    """Give the members of a list that may take several lines."""
    return [member for line in headers.getall(name, ()) for member in members(line)]


def is_token(text: str) -> bool:
    """Whether this could be the name of a field, a method or a directive (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def delta_seconds(text: str) -> int | None:
    """Read whole seconds; None if they are none (RFC 9111, 1.2.2). More than `FOREVER` is `FOREVER`."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), FOREVER) if len(digits) <= 10 else FOREVER


class Directives:
    """What `Cache-Control` says (RFC 9111, 5.2). Names are asked for in lower case.

    Args:
        arguments: of each directive, one for every time that it is there: None where it has none, empty where it has
            one that cannot be used.
    """

    __slots__ = ("_arguments",)

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments

    def __contains__(self, name: object) -> bool:
        return name in self._arguments

    def __bool__(self) -> bool:
        return bool(self._arguments)

    def argument(self, name: str) -> str | None:
        """Give what the first directive of this name says; None if there is none, or it says nothing more."""
        found = self._arguments.get(name)
        return found[0] if found else None

    def seconds(self, name: str) -> int | None:
        """Give the seconds that the first directive of this name tells; None if there is no such directive.

        0 if it tells something else: what has no valid freshness is taken as stale (RFC 9111, 4.2.1).
        """
        if name not in self._arguments:
            return None
        return delta_seconds(self.argument(name) or "") or 0

    def strictest(self, least: Iterable[str], most: Iterable[str]) -> "Directives":
        """Give these directives, of those that tell seconds several times only the strictest.

        Args:
            least: names of those of which the least number is the strictest; having none is the mildest.
            most: names of those of which the greatest is.
        """
        several = {name for name, each in self._arguments.items() if len(each) > 1}
        strict = {name: _least(self._arguments[name]) for name in several.intersection(least)}
        strict |= {name: _most(self._arguments[name]) for name in several.intersection(most)}
        return Directives({**self._arguments, **{name: (each,) for name, each in strict.items()}}) if strict else self

    def is_unqualified(self, name: str) -> bool:
        """Whether a directive of this name is there that means the whole response, not only some of its fields."""
        return any(_field_names(argument) is None for argument in self._arguments.get(name, ()))

    def field_names(self, name: str) -> frozenset[str]:
        """Give the fields, in lower case, that directives of this name are about."""
        lists = map(_field_names, self._arguments.get(name, ()))
        return frozenset(field for names in lists if names for field in names)

    def without(self, names: Iterable[str]) -> "Directives":
        """Give these directives without those of the names."""
        gone = frozenset(names)
        return Directives({name: each for name, each in self._arguments.items() if name not in gone})


def directives(headers: Headers) -> Directives:
    """Give what the `Cache-Control` of a message says (RFC 9111, 5.2)."""
    lines = headers.getall("cache-control", ())
    return _parsed(tuple(lines)) if lines else _NONE


@lru_cache(maxsize=512)
def _parsed(lines: tuple[str, ...]) -> Directives:
    found: dict[str, list[str | None]] = {}
    for line in lines:
        for member in members(line):
            name, equals, argument = member.partition("=")
            found.setdefault(name.strip().lower(), []).append(_argument(name, argument) if equals else None)
    return Directives(found)


def _argument(name: str, text: str) -> str:
    """Read the argument of a directive; spaces around "=" make it one that cannot be used."""
    if name != name.rstrip() or text != text.lstrip():
        return ""
    if not text.startswith('"'):
        return text
    quoted = _QUOTED.fullmatch(text)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""


def _least(arguments: Sequence[str | None]) -> str | None:
    return min(arguments, key=lambda each: FOREVER + 1 if each is None else delta_seconds(each) or 0)


def _most(arguments: Sequence[str | None]) -> str | None:
    return max(arguments, key=lambda each: delta_seconds(each or "") or 0)


def _field_names(argument: str | None) -> Sequence[str] | None:
    """Read names of fields; None if the directive has none, or names something that cannot be one."""
    names = members(argument.lower()) if argument is not None else []
    return names if names and all(map(is_token, names)) else None


_NONE: Final = Directives({})
