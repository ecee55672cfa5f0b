"""Options that cannot be meant are refused where they are written, with what to write instead."""

import math
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias

import pytest

from asynccache import LRUCache, async_cached

NAN: Final = math.nan
INFINITE: Final = math.inf
Refused: TypeAlias = tuple[type[Exception], str, dict[str, Any]]

VARIABLE: Final[ContextVar[int]] = ContextVar("VARIABLE")


async def load(x: int, *, y: int = 0) -> int:
    """The function that is decorated."""
    return x + y


async def coroutine_function(*args: object) -> float:
    """What no option takes but `on_evict`, as nobody would await it."""
    return 1


class AwaitedObject:
    """A coroutine function in the shape of an object."""

    async def __call__(self, *args: object) -> float:
        """Take everything, as `coroutine_function` does."""
        return 1


class NotACache:
    """No policy."""


def each(kind: type[Exception], message: str, option: str, *values: Any, **others: Any) -> list[Refused]:
    """One option with several values that are refused alike."""
    return [(kind, message, {option: value, **others}) for value in values]


def one(key: object, value: object) -> int:
    """Weigh."""
    return 1


REFUSED: Final[list[Refused]] = [
    *each(ValueError, "ttl must be 0 seconds or more", "ttl", -1, -0.001, NAN, -INFINITE, timedelta(-1)),
    *each(ValueError, "ttl must be a number of seconds, a timedelta or None", "ttl", True, "5", [], b""),
    *each(ValueError, "idle must be 0 seconds or more", "idle", -1, NAN, timedelta(-1)),
    *each(ValueError, "idle must be a number of seconds", "idle", True, "5", lambda v: 5),
    (ValueError, "jitter requires ttl", {"jitter": 1}),
    (ValueError, "jitter requires ttl", {"jitter": 1, "idle": 5}),
    (ValueError, "jitter must be", {"ttl": 5, "jitter": -1}),
    (ValueError, "jitter must be", {"ttl": 5, "jitter": NAN}),
    (ValueError, "jitter must be a finite", {"ttl": 5, "jitter": INFINITE}),
    (ValueError, "jitter must be a number", {"ttl": 5, "jitter": "1"}),
    (ValueError, "jitter must be a number", {"ttl": 5, "jitter": True}),
    *each(TypeError, "maxsize must be a whole number", "maxsize", True, False, 1.5, 8.0, "8", NAN, []),
    (ValueError, "maxsize must be 0 or more", {"maxsize": -1}),
    (TypeError, "weigher needs max_weight", {"weigher": lambda k, v: 1}),
    (TypeError, "weigher must be a function of key and value", {"max_weight": 10, "weigher": 5}),
    *each(ValueError, "max_weight must be", "max_weight", -1, NAN, INFINITE, weigher=one),
    *each(TypeError, "max_weight must be a number", "max_weight", True, "9", [], weigher=one),
    (ValueError, "policy must be one of auto, lru, .*'mru'", {"policy": "mru"}),
    (ValueError, "policy must be one of", {"policy": "LRU"}),
    *each(TypeError, "policy must be a name or a subclass", "policy", None, 5, NotACache, LRUCache(8)),
    *each(TypeError, "key must be callable", "key", "x", 5, ("x",)),
    (ValueError, "with key=, let that see to them", {"key": lambda x: x, "typed": True}),
    (ValueError, "with key=, let that see to them", {"key": lambda x: x, "ignore": ("y",)}),
    (ValueError, "with key=, let that see to them", {"key": lambda x: x, "vary": (VARIABLE,)}),
    (TypeError, r"ignore must be several names: write ignore=\('y',\)", {"ignore": "y"}),
    (TypeError, "ignore must be the names", {"ignore": 5}),
    (ValueError, "ignore names 'z', but the parameters of load are x, y", {"ignore": ("y", "z")}),
    (ValueError, "ignore names 0", {"ignore": (0,)}),
    (TypeError, r"vary must be several context variables: write vary=\(", {"vary": VARIABLE}),
    (TypeError, "vary must be contextvars.ContextVar objects, not 'VARIABLE'", {"vary": ("VARIABLE",)}),
    (TypeError, "vary must be", {"vary": 5}),
    *each(ValueError, 'copy must be "deep", "shallow", a function', "copy", "deeply", True, 5, ["deep"]),
    *each(ValueError, "on_abandon must be", "on_abandon", "stop", None, True, -1, NAN, timedelta(-1), []),
    *each(TypeError, "on_evict must be a function of key, value and cause", "on_evict", 5, "x", [5], [print, 5]),
    *each(TypeError, "clock must be a function that gives seconds", "clock", None, 5, "monotonic"),
    *each(ValueError, 'context must be "caller"', "context", "copy", None, True, []),
    (TypeError, "ttl must be a plain function", {"ttl": coroutine_function}),
    (TypeError, "store_if must be a plain function", {"store_if": coroutine_function}),
    (TypeError, "ttl is called with the result", {"ttl": lambda: 5}),
    (TypeError, "store_if is called with the result", {"store_if": lambda result, other: True}),
    *each(TypeError, "store_if", "store_if", 5, "x", True),
    (TypeError, "weigher", {"max_weight": 10, "weigher": coroutine_function}),
    (TypeError, "key", {"key": coroutine_function}),
    (TypeError, "copy", {"copy": coroutine_function}),
    (TypeError, "store_if must be a plain function", {"store_if": AwaitedObject()}),
    (TypeError, "weigher must be a plain function", {"max_weight": 10, "weigher": partial(AwaitedObject(), 1)}),
    *each(TypeError, "typed", "typed", "no", "yes"),
    *each(TypeError, "name", "name", 5, ["x"]),
    (TypeError, "tttl", {"tttl": 5}),
]


@pytest.mark.parametrize(("kind", "message", "options"), REFUSED, ids=lambda part: str(part)[:60])
def test_refused_at_decoration(kind: type[Exception], message: str, options: dict[str, Any]) -> None:
    """An option that makes no sense is refused at decoration, and the message says what to write instead."""
    with pytest.raises(kind, match=message):
        async_cached(**options)(load)


@pytest.mark.parametrize("options", [{"ttl": -1}, {"maxsize": True}, {"policy": "mru"}, {"copy": 5}, {"on_evict": 5}])
def test_refused_without_a_function(options: dict[str, Any]) -> None:
    """What can be judged without the function is refused even before there is one."""
    with pytest.raises((TypeError, ValueError)):
        async_cached(**options)


def test_unknown_option_is_told_as_the_decorators() -> None:
    """A misspelt option is refused in the name of `async_cached`, not of something inside."""
    with pytest.raises(TypeError, match=r"async_cached\(\).*'tttl'"):
        async_cached(tttl=5)  # type: ignore[call-overload]


def test_number_of_seconds_beyond_all_bounds() -> None:
    """A whole number too large for a float is for ever, or refused by name; it is no arithmetic error."""
    try:
        function = async_cached(ttl=10**400)(load)
    except ValueError as error:
        message = str(error)
    else:
        message = f"ttl is for ever: {function.cache_info()}"
    assert "ttl" in message


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0}, {"ttl": 0.0}, {"ttl": INFINITE}, {"ttl": 1e300}, {"ttl": 5e-324},
        {"ttl": timedelta.max}, {"ttl": None},
        {"idle": 0}, {"idle": INFINITE}, {"ttl": 5, "jitter": 0}, {"ttl": 5, "jitter": timedelta(seconds=1)},
        {"ttl": float}, {"ttl": lambda result: 5}, {"ttl": lambda result, x, *, y: 5}, {"ttl": lambda *a, **k: 5},
        {"store_if": bool}, {"store_if": lambda r: True}, {"store_if": lambda r, x, y=0: True},
        {"maxsize": 0}, {"maxsize": 1}, {"maxsize": None}, {"maxsize": 10**30},
        {"max_weight": 0, "weigher": lambda k, v: 1}, {"max_weight": 1.5, "weigher": lambda k, v: 1},
        {"max_weight": 9, "weigher": lambda k, v: 1, "maxsize": 4}, {"max_weight": 10_000}, {"max_weight": 10},
        {"policy": LRUCache}, {"policy": "auto"},
        {"ignore": ()}, {"ignore": ["x", "y"]}, {"ignore": {"y"}}, {"vary": ()}, {"vary": [VARIABLE]},
        {"copy": None}, {"copy": str}, {"on_abandon": 0}, {"on_abandon": INFINITE}, {"on_abandon": timedelta(1)},
        {"on_evict": None}, {"on_evict": ()}, {"on_evict": print}, {"on_evict": [print, print]},
        {"on_evict": coroutine_function}, {"on_evict": [print, coroutine_function]}, {"name": "prices"},
        {"key": None}, {"context": "empty"},
    ],
    ids=lambda options: str(options)[:60],
)  # fmt: skip
@pytest.mark.one_loop
async def test_accepted(options: dict[str, Any]) -> None:
    """What makes sense is taken, and the function works."""
    function = async_cached(**options)(load)
    assert await function(1) == await function(1, y=0) == (1 if options != {"copy": str} else "1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": lambda: 1}, "key is called with the call's arguments"),
        ({"ttl": lambda: 1}, "ttl is called with the result"),
        ({"store_if": lambda: 1}, "store_if is called with the result"),
        ({"max_weight": 10, "weigher": len}, "weigher is called with key and value"),
        ({"on_evict": lambda key: None}, "on_evict is called with key, value and cause"),
        ({"on_evict": load}, "on_evict is called with key, value and cause"),
        ({"clock": lambda start: 0.0}, "clock is called with no arguments"),
    ],
)
def test_functions_that_take_too_little_or_too_much_are_refused(options: dict[str, Any], words: str) -> None:
    """A function that could never be called as it will be is refused where it is written, not at the first call."""
    with pytest.raises(TypeError, match=words):
        async_cached(**options)(load)


def test_a_key_of_a_method_is_told_of_the_instance() -> None:
    """Whoever forgets that a method's `key` gets the instance too reads it in the message."""
    with pytest.raises(TypeError, match="the instance first"):

        class Service:
            @async_cached(key=lambda path: path)
            async def load(self, path: str) -> str:
                return path
