"""What came back for one request, and how the suite reads its fields: as `fetch()` in JavaScript would show them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tools.conformance.suite import Member, Step

DATES: Final = frozenset({"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"})
LOCATIONS: Final = frozenset({"location", "content-location"})
BLANK: Final = " \t\r\n"


class FetchHeaders:
    """Fields by name in any case; the lines of one name are joined."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        lines: dict[str, list[str]] = {}
        for name, value in pairs:
            lines.setdefault(name.lower(), []).append(value.strip(BLANK))
        self._values = {name: ", ".join(values) for name, values in lines.items()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __repr__(self) -> str:
        return repr(self._values)

    def get(self, name: str) -> str | None:
        """The value; None if there is no such field."""
        return self._values.get(name.lower())

    def number(self, name: str) -> int | None:
        """The integer that the value begins with; None if there is none."""
        return leading_integer(self.get(name))


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as its caller got it."""

    status: int
    headers: FetchHeaders
    body: bytes


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Fields as text, an octet a character."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


def leading_integer(text: str | None) -> int | None:
    """What JavaScript's `parseInt` gives; None where that is not a number."""
    match = re.match(r"\s*([+-]?\d+)", text or "")
    return int(match[1]) if match else None


def expanded(name: str, value: Member, response: FetchHeaders, step: Step) -> str:
    """Give a field's value as it is meant: an integer in a date is seconds from the origin's now, and some locations
    are below the test's own.
    """
    name = name.lower()
    if name in DATES and isinstance(value, int):
        return http_date(response.number("server-now") or 0, value, name in step.get("rfc850date", ()))
    if name in LOCATIONS and step.get("magic_locations"):
        base = response.get("server-base-url")
        return f"{base}/{value}" if value else f"{base}"
    return str(value)


def http_date(now: int, seconds: int, is_rfc850: bool = False) -> str:
    """Spell the date `seconds` after `now`, which is in milliseconds."""
    when = datetime.fromtimestamp(now / 1000, UTC) + timedelta(seconds=seconds)
    return when.strftime("%A, %d-%b-%y %H:%M:%S GMT" if is_rfc850 else "%a, %d %b %Y %H:%M:%S GMT")
