"""Requests and responses as the rules of caching see them: a method, a URI, a status, fields.

Decides how fields are looked up: names in lower case, several lines of one name in their order. It knows no framework:
aiohttp's multidicts can stand where `Headers` is asked for, and whatever else looks up names in any case.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, cast

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Headers(Protocol):
    """Fields that can be looked up by name; names are asked for in lower case, whatever case they were sent in."""

    def __contains__(self, name: Any, /) -> bool:
        """Whether there is a line of this name."""
        ...

    def getall(self, name: str, default: Any, /) -> Sequence[str]:
        """Give the values of all lines of this name, in their order; `default` if there is none."""
        ...


class Fields:
    """The fields of one message, in their order and with the case they were sent in; never changed.

    Args:
        pairs: names and values. Octets beyond ASCII are told as latin-1 or as surrogates; they are kept as they come.
    """

    __slots__ = ("_values", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: Pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __eq__(self, other: object) -> bool:
        return self.pairs == other.pairs if isinstance(other, Fields) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"<Fields {sorted(self._values)}>"  # no values: some are secret

    def getall(self, name: str, default: Any = (), /) -> Sequence[str]:
        """Give the values of all lines of this name, in their order; `default` if there is none."""
        return self._values[name] if name in self._values else cast("Sequence[str]", default)

    def without(self, names: Iterable[str]) -> "Fields":
        """Give these fields without those of the names, which are in lower case."""
        gone = frozenset(names)
        return Fields(pair for pair in self.pairs if pair[0].lower() not in gone)

    def with_lines(self, *pairs: tuple[str, str]) -> "Fields":
        """Give these fields with those lines in the place of all that have the same names."""
        return Fields((*self.without(name.lower() for name, _ in pairs), *pairs))


class Without:
    """Fields as if those of some names were not there.

    Args:
        headers: all of them.
        names: those that are not seen, in lower case.
    """

    __slots__ = ("_headers", "_names")

    def __init__(self, headers: Headers, names: Iterable[str]) -> None:
        self._headers = headers
        self._names = frozenset(names)

    def __contains__(self, name: object) -> bool:
        return name not in self._names and name in self._headers

    def getall(self, name: str, default: Any = (), /) -> Sequence[str]:
        """Give the values of all lines of this name, in their order; `default` if there is none to be seen."""
        lines: Sequence[str] = default if name in self._names else self._headers.getall(name, default)
        return lines


def joined(headers: Headers, name: str) -> str | None:
    """Give the value of a field whose lines are a list: joined by commas; None if there is none (RFC 9110, 5.3)."""
    lines = headers.getall(name, ())
    return ", ".join(lines) if lines else None


def single(headers: Headers, name: str) -> str | None:
    """Give the value of a field that may have one line only: None if it has none, or several that differ."""
    lines = headers.getall(name, ())
    return lines[0].strip() if lines and all(line == lines[0] for line in lines) else None


@dataclass(slots=True, eq=False)  # not frozen: that would make it three times as slow to make, at each hit
class Request:
    """A request as far as caching is concerned. Not to be changed.

    Attributes:
        method: in the case it was sent in; methods are case-sensitive.
        uri: absolute, without a fragment and without a login.
        headers: its fields.
    """

    method: str
    uri: str
    headers: Headers


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """The head of a response that came from the origin.

    Attributes:
        status: the status code.
        fields: its fields.
        request_time: when the request was sent, in seconds of wall time.
        response_time: when the head was received, likewise.
        reason: the reason phrase.
    """

    status: int
    fields: Fields
    request_time: float
    response_time: float
    reason: str = ""


WallClock: TypeAlias = Callable[[], float]
"""Tells the time in seconds since 1970."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that ask for no change (RFC 9110, 9.2.1)."""
