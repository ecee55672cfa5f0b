"""The three forms of an HTTP-date are read, and nothing else is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http.syntax.dates import format_date, parse_date

MOMENT = int(datetime(2050, 8, 18, 2, 1, 18, tzinfo=UTC).timestamp())
TODAY = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    "value",
    [
        "Thu, 18 Aug 2050 02:01:18 GMT",
        "THU, 18 AUG 2050 02:01:18 gMT",
        "Thursday, 18-Aug-50 02:01:18 GMT",
        "Thu Aug 18 02:01:18 2050",
        " Thu, 18 Aug 2050 02:01:18 GMT\t",
    ],
)
def test_a_valid_date_is_read(value: str) -> None:
    """All three forms name the same second, in whatever case."""
    assert parse_date(value, TODAY) == MOMENT


def test_a_day_of_one_digit_is_padded_in_the_third_form() -> None:
    """The third form writes a space before it."""
    assert parse_date("Mon Aug  8 02:01:18 2050") == MOMENT - 10 * 86_400
    assert parse_date("Mon Aug 8 02:01:18 2050") is None


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 2050 02:01:18 AEST",
        "Thu, 18 Aug 2050 02:01:18 +0000",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "Thu, 18 Aug 2050 24:01:18 GMT",
        "Thu, 18 Aug 2050 02:60:18 GMT",
        "Thu, 30 Feb 2050 02:01:18 GMT",
        "Thu, 00 Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 0000 02:01:18 GMT",
        "Thu, ١٨ Aug 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT",
    ],
)
def test_what_is_only_similar_is_no_date(value: str) -> None:
    """Other zones, forms and days that do not exist are not guessed at."""
    assert parse_date(value, TODAY) is None


@pytest.mark.parametrize(
    ("year", "now", "expected"),
    [
        ("76", 2026, 2076),
        ("77", 2026, 1977),
        ("94", 2026, 1994),
        ("02", 1999, 2002),
        ("98", 2101, 2098),
        ("30", 2101, 2130),
    ],
)
def test_two_digits_of_a_year_are_never_far_ahead(year: str, now: int, expected: int) -> None:
    """What looks more than 50 years ahead was meant to be in the past (RFC 9110, 5.6.7)."""
    near = datetime(now, 12, 31, tzinfo=UTC).timestamp()
    found = parse_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", near)
    assert found is not None
    assert datetime.fromtimestamp(found, UTC).year == expected


def test_two_digits_of_a_year_have_a_century_without_a_time_too() -> None:
    """Then they are 1969 to 2068."""
    years = [parse_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT") for year in ("68", "69")]
    assert [datetime.fromtimestamp(found or 0, UTC).year for found in years] == [2068, 1969]


def test_a_leap_second_is_the_second_before_it() -> None:
    """A clock without leap seconds takes the nearest earlier time (RFC 9111, 4.2)."""
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_date("Sat, 31 Dec 2016 23:59:59 GMT")


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_read_as_it_was_written(seconds: int) -> None:
    """Every second up to the year 9999 comes back."""
    assert parse_date(format_date(seconds + 0.9)) == seconds
