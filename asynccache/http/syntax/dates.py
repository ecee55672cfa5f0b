"""HTTP-dates as seconds since 1970, and back.

Decides which dates are valid: the three forms of RFC 9110, 5.6.7, in whatever case (RFC 9111, 4.2), and nothing that is
only similar. Time zones of this machine play no part.
"""

import re
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY: Final = r"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY: Final = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>\d\d| \d) {_TIME} (?P<year>\d{{4}})",
    )
)
_FIFTY_YEARS: Final = 50 * 365.2425 * 86_400


def parse_date(value: str, near: float | None = None) -> int | None:
    """Read an HTTP-date: seconds since 1970, or None if it is not valid.

    Args:
        value: as it stands in the field.
        near: the time, in seconds, that a year of two digits is close to; None: such years are 1969 to 2068.
    """
    for form in _FORMS:
        if found := form.fullmatch(value.strip(" \t")):
            parts = {name: found[name] for name in ("hour", "minute", "second", "day")}
            month = _MONTHS.index(found["month"].lower()) + 1
            year = int(found["year"])
            if len(found["year"]) == 2:
                return _near(year, month, parts, near)
            return _seconds(year, month, parts)
    return None


def format_date(seconds: float) -> str:
    """Write an IMF-fixdate, the form that is to be sent (RFC 9110, 5.6.7)."""
    return formatdate(int(seconds), usegmt=True)


def _seconds(year: int, month: int, parts: dict[str, str]) -> int | None:
    second = min(int(parts["second"]), 59)  # a leap second: the nearest earlier time (RFC 9111, 4.2)
    try:
        moment = datetime(year, month, int(parts["day"]), int(parts["hour"]), int(parts["minute"]), second, tzinfo=UTC)
    except ValueError:  # the 30th of February
        return None
    return int(moment.timestamp())


def _near(year: int, month: int, parts: dict[str, str], near: float | None) -> int | None:
    """Give a year its century: what is more than 50 years ahead was meant to be in the past (RFC 9110, 5.6.7)."""
    if near is None:
        return _seconds(year + (2000 if year < 69 else 1900), month, parts)
    centuries = (_seconds(start + year, month, parts) for start in (2100, 2000, 1900))
    return next((time for time in centuries if time is not None and time - near <= _FIFTY_YEARS), None)
