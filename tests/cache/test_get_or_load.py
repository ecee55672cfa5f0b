"""`Cache.get_or_load`: one load for all who ask at once, as each call says it."""

import asyncio
import contextlib
import contextvars
import functools
import re
from typing import Any

import pytest

from asynccache import MISSING, Cache, LoadTimeout, current_load
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, outcome, together, turns


async def asked(cache: Cache, gate: Gate[str], count: int = 1, **options: Any) -> "list[asyncio.Task[str]]":
    """Let so many callers wait for a load of "key"."""
    load = functools.partial(gate.load, "key")
    tasks = [asyncio.create_task(cache.get_or_load("key", load, **options)) for _ in range(count)]
    await turns()
    return tasks


@pytest.mark.parametrize("namespace", [False, True], ids=["root", "namespace"])
async def test_one_load_for_all_who_ask(namespace: bool) -> None:
    """A hundred callers wait for one load, get its value, and so does who comes later."""
    whole = Cache()
    cache = whole.namespace("n") if namespace else whole
    gate: Gate[str] = Gate()
    tasks = await asked(cache, gate, 100)
    gate.give("value")
    assert await together(*tasks) == ["value"] * 100
    assert await cache.get_or_load("key", gate.load) == await cache.get("key") == "value"
    assert gate.calls == ["key"]
    stats = cache.stats()
    assert (stats.misses, stats.coalesced, stats.loads, stats.hits) == (1, 99, 1, 2)


@pytest.mark.parametrize("value", [None, False, 0, ""], ids=repr)
async def test_what_is_none_is_loaded_once(value: object) -> None:
    """None and what is false are values."""
    cache = Cache()
    calls: list[None] = []

    async def load() -> object:
        calls.append(None)
        return value

    assert [await cache.get_or_load("key", load) for _ in range(3)] == [value] * 3
    assert len(calls) == 1


async def test_a_value_that_was_set_is_not_loaded() -> None:
    """What set stored is what get_or_load gives, and the other way round."""
    cache = Cache()
    gate: Gate[str] = Gate()
    await cache.set("key", "value")
    assert await cache.get_or_load("key", gate.load) == "value"
    assert gate.calls == []


async def test_options_of_the_call_that_loads_count() -> None:
    """It is the call whose load runs that says how its value is kept, and the cache where it says nothing."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, tags=["all"])
    gate: Gate[str] = Gate()
    tasks = [*await asked(cache, gate, ttl=100, tags=["mine"]), *await asked(cache, gate, ttl=1)]
    gate.give("value")
    await together(*tasks)
    clock.advance(50)
    await cache.invalidate_tags("all")
    assert await cache.get("key") == "value"
    await cache.invalidate_tags("mine")
    assert await cache.get("key") is None
    tasks = await asked(cache, gate, ttl=None)
    gate.give("new")
    await together(*tasks)
    clock.advance(1_000)
    assert await cache.get("key") == "new"
    await cache.invalidate_tags("all")
    assert await cache.get("key") is None


async def test_a_call_can_be_told_not_to_store() -> None:
    """`store_if` and `ttl=0` of one call: the value is given, and loaded again next time."""
    cache = Cache()
    gate: Gate[str] = Gate()
    for options in ({"store_if": lambda _: False}, {"ttl": 0}):
        tasks = await asked(cache, gate, 3, **options)
        gate.give("value")
        assert await together(*tasks) == ["value"] * 3
        assert not await cache.contains("key")


async def test_a_timeout_of_one_call() -> None:
    """Who waits is told, the key is free at once, and the load is cancelled."""
    clock = ManualClock()
    cache = Cache(clock=clock, name="users")
    gate: Gate[str] = Gate()
    (task,) = await asked(cache, gate, timeout=5)
    clock.advance(5)
    error = await outcome(task)
    assert isinstance(error, LoadTimeout)
    assert (str(error), error.key) == ("the load of users took longer than its timeout", "key")
    assert gate.cancelled == 1
    (task,) = await asked(cache, gate)
    clock.advance(500)
    gate.give("value")
    assert await task == "value"


async def test_errors_and_old_values_of_one_call() -> None:
    """A call says itself which errors are answers, and how long an old value is better than one."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10)
    gate: Gate[str] = Gate()
    await cache.set("key", "old", stale_if_error=100)
    clock.advance(11)
    (task,) = await asked(cache, gate, stale_if_error=100, errors={KeyError: 3})
    gate.fail(OSError())
    assert await task == "old"
    clock.advance(1)
    (task,) = await asked(cache, gate, stale_if_error=100, errors={KeyError: 3})
    gate.fail(KeyError("gone"))
    assert isinstance(await outcome(task), KeyError)
    with pytest.raises(KeyError, match="gone"):
        await cache.get_or_load("key", gate.load)
    assert (await cache.get("key"), await cache.contains("key"), cache.keys()) == (None, False, [])
    assert len(gate.calls) == 2


async def test_a_failure_reaches_all_and_is_not_kept() -> None:
    """All who wait get the same error, and the next call loads again."""
    cache = Cache()
    gate: Gate[str] = Gate()
    tasks = await asked(cache, gate, 3)
    error = ValueError("no")
    gate.fail(error)
    assert [await outcome(task) for task in tasks] == [error] * 3
    (task,) = await asked(cache, gate)
    gate.give("value")
    assert await task == "value"
    assert (cache.stats().failures, cache.stats().loads) == (1, 1)


WRONG: list[tuple[Any, str]] = [
    (5, "load must be a coroutine function, not a int: give a function"),
    (lambda: 5, "load must be a coroutine function, but gave a int: write `async def`"),
    (None, "load must be a coroutine function, not a NoneType: give a function"),
]


@pytest.mark.parametrize("is_disabled", [False, True], ids=["on", "off"])
async def test_a_load_that_is_none(is_disabled: bool) -> None:
    """What is no coroutine function is refused with what to write, and a coroutine does not complain then."""
    cache = Cache()
    with cache.disabled() if is_disabled else contextlib.nullcontext():
        for load, words in WRONG:
            with pytest.raises(TypeError, match=re.escape(words)):
                await cache.get_or_load("key", load)
        coroutine: Any = Gate[str]().load()
        with pytest.raises(TypeError, match="give the function, not what it returns: lambda"):
            await cache.get_or_load("key", coroutine)
    assert not await cache.contains("key")


async def test_any_awaitable_will_do() -> None:
    """A lambda that gives a coroutine or a future, a partial, an object: whatever can be called and awaited."""
    cache = Cache()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(1)

    class Loader:
        async def __call__(self) -> int:
            return 3

    async def load(number: int) -> int:
        return number

    assert await cache.get_or_load("a", lambda: future) == 1
    assert await cache.get_or_load("b", functools.partial(load, 2)) == 2
    assert await cache.get_or_load("c", Loader()) == 3
    assert await cache.get_or_load("d", lambda: load(4)) == 4


async def test_a_load_sees_its_caller_s_context_or_none() -> None:
    """By default it runs in a copy of the first caller's; with `context="empty"` in an empty one."""
    variable = contextvars.ContextVar("variable", default="empty")
    variable.set("caller's")
    cache = Cache()

    async def load() -> str:
        seen = variable.get()
        variable.set("load's")
        return seen

    assert await cache.get_or_load("a", load) == "caller's"
    assert await cache.get_or_load("b", load, context="empty") == "empty"
    assert variable.get() == "caller's"


async def test_a_load_can_speak_of_its_value() -> None:
    """`current_load()` knows the key as the user does, in a namespace too; what it says counts more than options."""
    clock = ManualClock()
    seen: list[object] = []

    async def load() -> str:
        this = current_load()
        seen.extend([this.key, this.stale])
        this.ttl = 3
        this.tags = ["said"]
        return "value"

    for cache in (Cache(clock=clock, ttl=10), Cache(clock=clock, ttl=10).namespace("n")):
        await cache.get_or_load(("pair", 1), load, ttl=20, tags=["option"])
        await cache.invalidate_tags("option")
        assert await cache.contains(("pair", 1))
        clock.advance(3)
        assert not await cache.contains(("pair", 1))
    assert seen == [("pair", 1), MISSING] * 2
