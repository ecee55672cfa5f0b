"""Options about freshness, limits, errors and tags that cannot be meant are refused, with what to write instead."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import pytest

from asynccache import async_cached

NAN: Final = float("nan")
INFINITY: Final = float("inf")


async def load(key: int) -> int:
    """Be decorated."""
    return key


async def asynchronous(*_: object) -> list[str]:
    """Be where no coroutine function may be."""
    return []


def times(option: str, **others: Any) -> list[tuple[dict[str, Any], type[Exception], str]]:
    """What is refused of every option that is a length of time."""
    return [
        ({option: value, **others}, ValueError, f"{option} must be {words}, not {value!r}")
        for value, words in (
            (-1, "0 seconds or more"),
            (NAN, "0 seconds or more"),
            (True, "a number of seconds, a timedelta or None"),
            ("5", "a number of seconds, a timedelta or None"),
            ([5], "a number of seconds, a timedelta or None"),
        )
    ]


REFUSED: Final[list[tuple[dict[str, Any], type[Exception], str]]] = [
    *times("stale", ttl=10),
    *times("stale_if_error", ttl=10),
    *times("error_backoff", ttl=10, stale=5),
    *times("timeout"),
    *times("soft_timeout", ttl=10, stale_if_error=5),
    ({"stale": timedelta(seconds=-1), "ttl": 10}, ValueError, "stale must be 0 seconds or more"),
    ({"stale": 5}, ValueError, "stale requires ttl to be set: it counts from there"),
    ({"stale_if_error": 5}, ValueError, "stale_if_error requires ttl to be set: it counts from there"),
    ({"refresh_ahead": 0.8}, ValueError, "refresh_ahead requires ttl to be set: it counts from there"),
    ({"early": 1.0}, ValueError, "early requires ttl to be set: it counts from there"),
    ({"stale": 5, "idle": 10}, ValueError, "stale requires ttl to be set"),
    ({"refresh_ahead": 0, "ttl": 1}, ValueError, "a share of the ttl between 0 and 1, such as 0.8, not 0"),
    ({"refresh_ahead": 1, "ttl": 1}, ValueError, "a share of the ttl between 0 and 1, such as 0.8, not 1"),
    ({"refresh_ahead": NAN, "ttl": 1}, ValueError, "a share of the ttl between 0 and 1, such as 0.8, not nan"),
    ({"refresh_ahead": True, "ttl": 1}, TypeError, "a share of the ttl between 0 and 1, such as 0.8, not True"),
    ({"refresh_ahead": "0.8", "ttl": 1}, TypeError, "a share of the ttl between 0 and 1, such as 0.8, not '0.8'"),
    ({"early": 0, "ttl": 1}, ValueError, "early must be a factor of more than 0, such as 1.0, not 0"),
    ({"early": INFINITY, "ttl": 1}, ValueError, "early must be a factor of more than 0, such as 1.0, not inf"),
    ({"early": True, "ttl": 1}, TypeError, "early must be a factor of more than 0, such as 1.0, not True"),
    ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds, or None for no limit"),
    (
        {"soft_timeout": 0, "ttl": 1, "stale_if_error": 1},
        ValueError,
        "soft_timeout must be more than 0 seconds, or None for no limit",
    ),
    ({"soft_timeout": 2, "ttl": 1}, ValueError, "soft_timeout requires stale_if_error: it is when the old value is"),
    ({"soft_timeout": 2, "ttl": 1, "stale_if_error": 0}, ValueError, "soft_timeout requires stale_if_error"),
    ({"max_refreshes": 0}, ValueError, "max_refreshes must be 1 or more, not 0"),
    ({"max_refreshes": True}, TypeError, "max_refreshes must be a whole number of refreshes at once, not True"),
    ({"max_refreshes": 1.5}, TypeError, "max_refreshes must be a whole number of refreshes at once, not 1.5"),
    ({"max_refreshes": None}, TypeError, "max_refreshes must be a whole number of refreshes at once, not None"),
    ({"errors": KeyError}, TypeError, "errors must map exception types to seconds, as {KeyError: 5.0}"),
    ({"errors": [KeyError]}, TypeError, "errors must map exception types to seconds, as {KeyError: 5.0}"),
    ({"errors": {"KeyError": 5}}, TypeError, "errors must have exception types as keys, not 'KeyError'"),
    ({"errors": {KeyError(): 5}}, TypeError, "errors must have exception types as keys, not KeyError()"),
    ({"errors": {int: 5}}, TypeError, "errors must have exception types as keys"),
    ({"errors": {BaseException: 5}}, TypeError, "errors cannot remember BaseException"),
    ({"errors": {asyncio.CancelledError: 5}}, TypeError, "errors cannot remember CancelledError"),
    ({"errors": {KeyError: -1}}, ValueError, "errors[KeyError] must be 0 seconds or more, not -1"),
    ({"errors": {KeyError: "5"}}, ValueError, "errors[KeyError] must be a number of seconds, a timedelta or None"),
    ({"tags": "all"}, TypeError, "tags must be several tags: write ('all',)"),
    ({"tags": [1]}, TypeError, "tags must be strings, not int"),
    ({"tags": [b"all"]}, TypeError, "tags must be strings, not bytes"),
    ({"tags": asynchronous}, TypeError, "tags must be a plain function, not a coroutine function: nobody awaits it"),
    ({"tags": lambda: ["all"]}, TypeError, "tags is called with the result and then the call's arguments"),
    ({"tags": lambda _result, _key, _more: ["all"]}, TypeError, "or with the result alone: write a function that"),
    ({"weight": 5}, TypeError, "async_cached() has no option 'weight'"),
    ({"stael": 5}, TypeError, "async_cached() has no option 'stael': did you mean 'stale'?"),
    ({"stale_if_eror": 5}, TypeError, "did you mean 'stale_if_error'?"),
    ({"time_out": 5}, TypeError, "did you mean 'timeout'?"),
    ({"tag": ["all"]}, TypeError, "did you mean 'tags'?"),
    ({"refreshahead": 0.8}, TypeError, "did you mean 'refresh_ahead'?"),
    ({"namespace": "shop"}, TypeError, "async_cached() has no option 'namespace'"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED, ids=str)
def test_what_cannot_be_meant(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """It is refused where it is written, in words that say what to write."""
    with pytest.raises(error) as raised:
        async_cached(**options)(load)
    assert words in str(raised.value)


ACCEPTED: Final[list[dict[str, Any]]] = [
    {"ttl": 10, "stale": 0},
    {"ttl": 10, "stale": INFINITY, "stale_if_error": timedelta(days=1)},
    {"ttl": timedelta(minutes=1), "stale": timedelta(minutes=5), "error_backoff": timedelta(seconds=2)},
    {"ttl": 10, "refresh_ahead": 0.999, "early": 1},
    {"ttl": lambda _: 5, "stale": 5},
    {"timeout": INFINITY},
    {"timeout": timedelta(seconds=1), "ttl": 10, "stale_if_error": 5, "soft_timeout": 0.1},
    {"errors": {}},
    {"errors": {KeyError: None, LookupError: timedelta(seconds=5), OSError: 0}},
    {"tags": ()},
    {"tags": {"all", "some"}},
    {"tags": lambda _: ["all"]},
    {"stale": None, "stale_if_error": None, "refresh_ahead": None, "early": None, "errors": None, "tags": None},
    {"max_refreshes": 1},
]


@pytest.mark.parametrize("options", ACCEPTED, ids=str)
async def test_what_can_be_meant(options: dict[str, Any]) -> None:
    """It is accepted, and the function works."""
    function = async_cached(**options)(load)
    assert [await function(1), await function(1)] == [1, 1]
    assert function.cache_stats().loads == 1
