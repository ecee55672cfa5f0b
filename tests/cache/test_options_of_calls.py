"""What a single call says of its value counts more than the cache's own options; what cannot be meant is refused."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from asynccache import Cache
from asynccache.options.loads import OF_LOADS_ONLY
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, turns


async def test_a_call_says_how_long() -> None:
    """`ttl` of a call replaces that of the cache; None is for ever, 0 is not at all."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10)
    await cache.set("cache's", 1)
    await cache.set("long", 1, ttl=timedelta(minutes=1))
    await cache.set("ever", 1, ttl=None)
    await cache.set("not", 1, ttl=0)
    await cache.set("length", "abc", ttl=len)
    assert not await cache.contains("not")
    clock.advance(5)
    assert sorted(cache.keys()) == ["cache's", "ever", "long"]
    clock.advance(5)
    assert sorted(cache.keys()) == ["ever", "long"]
    clock.advance(50)
    assert cache.keys() == ["ever"]


async def test_options_of_many_hold_for_each() -> None:
    """What set_many is told of its values is told of each of them; functions are asked for each."""
    clock = ManualClock()
    cache = Cache(clock=clock)
    await cache.set_many({1: 1, 2: 2}, ttl=lambda value: value * 10, tags=lambda value: [f"t{value}"])
    await cache.invalidate_tags("t2")
    assert cache.keys() == [1]
    clock.advance(10)
    assert cache.keys() == []


async def test_what_is_not_to_be_stored_still_replaces() -> None:
    """A value that `store_if` refuses is not kept, and neither is the older one, which is out of date."""
    cache = Cache(store_if=bool)
    await cache.set("key", "value")
    await cache.set("key", "")
    assert not await cache.contains("key")
    await cache.set("key", "", store_if=None)
    assert await cache.contains("key")


async def test_stale_of_a_call() -> None:
    """A value that was set with a window of its own is served old in it."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10)
    gate: Gate[str] = Gate()
    await cache.set("key", "old", stale=5)
    clock.advance(14)
    assert await cache.get_or_load("key", gate.load) == "old"
    await turns()
    gate.give("new")
    await turns()
    assert await cache.get("key") == "new"


async def test_weights() -> None:
    """A call may say what its value weighs; else the weigher does, or the estimate of bytes."""
    cache = Cache(max_weight=10, weigher=lambda _key, value: len(value))
    await cache.set("a", "xxx")
    await cache.set("b", "x", weight=4)
    assert cache.stats().weight == 7
    await cache.set("a", "xxx", weight=0.5)
    assert cache.stats().weight == 4.5
    await cache.set("b", "x", weight=10.5)
    assert cache.stats().weight == 0.5
    await cache.set("c", "x" * 11)
    assert cache.keys() == ["a"]
    by_bytes = Cache(max_weight=10_000)
    await by_bytes.set("key", "x" * 5_000)
    assert 5_000 < by_bytes.stats().weight < 6_000


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"tll": 3}, TypeError, "cache has no option 'tll': did you mean 'ttl'?"),
    ({"maxsize": 3}, TypeError, "cache has no option 'maxsize': it has "),
    ({"idle": 3}, TypeError, "cache has no option 'idle': "),
    ({"ttl": "3"}, ValueError, "ttl must be a number of seconds, a timedelta or None, not '3'"),
    ({"ttl": -1}, ValueError, "ttl must be 0 seconds or more, not -1"),
    ({"ttl": float("nan")}, ValueError, "ttl must be 0 seconds or more, not nan"),
    ({"ttl": True}, ValueError, "ttl must be a number of seconds"),
    ({"ttl": lambda: 3}, TypeError, "ttl is called with the result alone here"),
    ({"jitter": 3}, ValueError, "jitter requires ttl"),
    ({"ttl": 3, "jitter": -1}, ValueError, "jitter must be non-negative"),
    ({"ttl": 3, "stale": -1}, ValueError, "stale must be 0 seconds or more"),
    ({"stale": 3}, ValueError, "stale requires ttl to be set"),
    ({"error_backoff": "1"}, ValueError, "error_backoff must be a number of seconds"),
    ({"ttl": 3, "refresh_ahead": 1}, ValueError, "refresh_ahead must be a share of the ttl between 0 and 1"),
    ({"ttl": 3, "early": 0}, ValueError, "early must be a factor of more than 0"),
    ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds"),
    ({"soft_timeout": 1}, ValueError, "soft_timeout requires stale_if_error"),
    ({"errors": KeyError}, TypeError, "errors must map exception types to seconds"),
    ({"errors": {BaseException: 1}}, TypeError, "errors cannot remember BaseException"),
    ({"store_if": True}, TypeError, "store_if must be a function of the result"),
    ({"tags": "a"}, TypeError, "tags must be several tags: write ('a',)"),
    ({"tags": [1]}, TypeError, "tags must be strings, not int"),
    ({"on_abandon": "wait"}, ValueError, 'on_abandon must be "cancel", "finish" or a number of seconds'),
    ({"context": "mine"}, ValueError, 'context must be "caller"'),
    ({"weight": 1}, ValueError, "weight requires max_weight"),
]


@pytest.mark.one_loop
@pytest.mark.parametrize(("options", "kind", "words"), REFUSED, ids=lambda value: str(value)[:30])
async def test_options_that_cannot_be_meant(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    """Every call refuses them with what to write instead, loads nothing and leaves what is stored alone."""
    cache = Cache()
    calls: list[object] = []

    async def load(keys: object = None) -> dict[str, str]:
        calls.append(keys)
        return {}

    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: cache.get_or_load("key", load, **options),
        lambda: cache.get_or_load_many(["key"], load, **options),
    ]
    if not OF_LOADS_ONLY.intersection(options):  # which storing refuses for another reason
        asked.append(lambda: cache.set("key", "value", **options))
        asked.append(lambda: cache.set_many({"key": "value"}, **options))
    await cache.set("other", "value")
    for ask in asked:
        with pytest.raises(kind, match=re.escape(words)):
            await ask()
    assert calls == []
    assert cache.items() == [("other", "value")]


@pytest.mark.one_loop
@pytest.mark.parametrize("weight", [-1, float("nan"), "1", True])
async def test_weights_that_are_none(weight: Any) -> None:
    """A weight is a number of 0 or more."""
    with pytest.raises((TypeError, ValueError), match="weight must be"):
        await Cache(max_weight=10).set("key", "value", weight=weight)


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ttl": -1}, "ttl must be 0 seconds or more"),
        ({"stale": 5}, "stale requires ttl to be set"),
        ({"stale_if_error": 5}, "stale_if_error requires ttl to be set"),
        ({"refresh_ahead": 0.5}, "refresh_ahead requires ttl to be set"),
        ({"early": 1}, "early requires ttl to be set"),
        ({"maxsize": -1}, "maxsize"),
        ({"max_refreshes": 0}, "max_refreshes must be 1 or more"),
        ({"policy": "best"}, "policy"),
        ({"name": 3}, "name must be a string"),
        ({"copy": "flat"}, 'copy must be "deep", "shallow"'),
        ({"tags": "a"}, "tags must be several tags"),
        ({"ttl": lambda result, key: 3}, "ttl is called with the result alone here"),
    ],
    ids=str,
)
def test_defaults_that_cannot_be_meant(options: dict[str, Any], words: str) -> None:
    """The cache's own options are refused where it is made."""
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        Cache(**options)


@pytest.mark.one_loop
@pytest.mark.parametrize("value", [iter(()), (number for number in range(3))], ids=["iterator", "generator"])
async def test_values_that_can_be_read_only_once(value: Any) -> None:
    """The second reader would find them used up: they are refused, and what was there stays."""
    cache = Cache()
    await cache.set("key", "before")
    with pytest.raises(TypeError, match="only once"):
        await cache.set("key", value)
    assert await cache.get("key") == "before"


@pytest.mark.one_loop
async def test_keys_that_cannot_be_keys() -> None:
    """An unhashable key is a TypeError of every call, in a namespace too."""
    for cache in (Cache(), Cache().namespace("n")):
        key: Any = ["list"]
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: cache.set(key, 1),  # noqa: B023  # called at once
            lambda: cache.get(key),  # noqa: B023
            lambda: cache.get_many([key]),  # noqa: B023
            lambda: cache.get_or_load(key, Gate[str]().load),  # noqa: B023
            lambda: cache.peek(key),  # noqa: B023
            lambda: cache.contains(key),  # noqa: B023
            lambda: cache.delete(key),  # noqa: B023
            lambda: cache.touch(key, 1),  # noqa: B023
            lambda: cache.get_or_load_many([key], ManyGate().load),  # noqa: B023
        ]
        for ask in asked:
            with pytest.raises(TypeError, match=r"unhashable key \(list\): use something that can be in a dict"):
                await ask()


@pytest.mark.one_loop
async def test_a_mistake_in_an_option_costs_the_entry_and_not_the_value(loop_errors: list[dict[str, Any]]) -> None:
    """A ttl function that raises is reported and counted; the value is given, and not stored."""
    cache = Cache(name="users")
    await cache.set("key", "before")

    def ttl(_value: object) -> float:
        raise ZeroDivisionError

    await cache.set("key", "after", ttl=ttl)
    assert not await cache.contains("key")
    assert cache.stats().callback_errors == 1
    assert [str(heard["message"]) for heard in loop_errors] == [
        "a function given as an option of users raised ZeroDivisionError"
    ]
