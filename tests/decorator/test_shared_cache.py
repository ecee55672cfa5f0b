"""`@async_cached(cache=...)`: functions that share a `Cache`, each with a part of its own in it."""

import asyncio
import types
from contextvars import ContextVar
from typing import Any

import pytest

from asynccache import (
    MISSING,
    Cache,
    CacheClosed,
    LoadCancelled,
    async_cached,
    current_load,
)
from tests.decorator.sharing import sources
from tests.flight.gates import Gate, callers, outcome, together

TENANT: ContextVar[str] = ContextVar("TENANT", default="nobody")


def in_module(name: str, cache: Cache, **options: Any) -> Any:
    """Give a function as another module would define it, which gives the module's name."""
    module = types.ModuleType(name)
    source = "async def load(key): return __name__"
    exec(source, vars(module))
    return async_cached(cache=cache, **options)(module.load)


# --- keys -----------------------------------------------------------------------------------------------------------


async def test_functions_are_not_mixed_up() -> None:
    """Calls of two functions are never one entry, whatever their arguments."""
    loaded, user, order = sources(Cache())
    for _ in range(2):
        assert await together(user(1), order(1), user(2)) == ["user 1", "order 1", "user 2"]
    assert loaded == [("user", 1), ("order", 1), ("user", 2)]


async def test_functions_and_the_caches_own_keys() -> None:
    """What is set in the cache by hand is nobody's argument, and a function's entries are not among its keys."""
    cache = Cache()
    _, user, _ = sources(cache)
    await cache.set(1, "by hand")
    await cache.namespace("user").set(1, "by hand")
    assert await user(1) == "user 1"
    assert await cache.get(1) == "by hand"
    assert (cache.keys(), cache.namespace("user").keys()) == ([1], [1])


async def test_modules_are_not_mixed_up() -> None:
    """Functions of one name in two modules are two."""
    cache = Cache()
    one, other = in_module("one", cache), in_module("other", cache)
    assert await together(one(1), other(1)) == ["one", "other"]


async def test_what_is_defined_again_begins_anew() -> None:
    """A module that is loaded again may give other values: it has none of the old ones."""
    cache = Cache()
    assert await in_module("one", cache)(1) == "one"
    again = in_module("one", cache)
    assert await again.cache_peek(1) is MISSING
    await again.cache_put("new", 1)
    assert await again(1) == "new"


async def test_versions_are_not_mixed_up() -> None:
    """A function of another `version` is another function."""
    cache = Cache()
    functions = [in_module("one", cache, version=version) for version in (1, 2, "2")]
    for number, function in enumerate(functions):
        await function.cache_put(number, 1)
    assert [await function(1) for function in functions] == [0, 1, 2]


async def test_caches_are_not_mixed_up() -> None:
    """One function may be put into two caches."""

    async def load(key: int) -> int:
        return key

    one, other = async_cached(cache=Cache())(load), async_cached(cache=Cache())(load)
    await one(1)
    assert (await one.cache_contains(1), await other.cache_contains(1)) == (True, False)


async def test_in_a_namespace() -> None:
    """A function in a namespace is cleared with it, and only there."""
    cache = Cache()
    _, user, _ = sources(cache)
    _, inner, _ = sources(cache.namespace("inner"))
    await together(user(1), inner(1))
    await cache.namespace("inner").clear()
    assert (await user.cache_contains(1), await inner.cache_contains(1)) == (True, False)
    await cache.clear()
    assert not await user.cache_contains(1)


async def test_what_makes_a_key() -> None:
    """Every spelling of a call is one entry; `typed`, `vary`, `ignore` and `key` say what else counts, as ever."""
    cache = Cache()

    @async_cached(cache=cache)
    async def plain(x: int, *, y: int = 0) -> int:
        return x

    @async_cached(cache=cache, typed=True, vary=(TENANT,), ignore=("verbose",))
    async def much(x: float, verbose: bool = False) -> str:
        return f"{x} {TENANT.get()}"

    @async_cached(cache=cache, key=lambda x, **more: x % 10)
    async def little(x: int, **more: int) -> int:
        return x

    await plain(1)
    assert await plain.cache_contains(x=1, y=0)
    assert await together(much(1), much(1.0), much(1, verbose=True)) == ["1 nobody", "1.0 nobody", "1 nobody"]
    TENANT.set("somebody")
    assert await much(1) == "1 somebody"
    assert much.cache_info()[:2] == (1, 3)
    assert (await little(15), await little(25, z=1)) == (15, 15)
    assert little.cache_key(35) == 5


async def test_what_has_no_hash_is_explained() -> None:
    """The message names the argument, and nothing of what keys look like inside."""
    _, user, _ = sources(Cache())
    for call in (user, user.cache_contains, user.cache_refresh):
        with pytest.raises(TypeError, match=r"unhashable argument 'key' \(list\) of .*user"):
            await call([])


# --- going past it, and the end -------------------------------------------------------------------------------------


async def test_going_past_the_cache() -> None:
    """A task that has it disabled calls the function itself; one that refreshes stores what comes."""
    cache = Cache()
    loaded, user, _ = sources(cache)
    with cache.disabled():
        assert await together(user(1), user(1)) == ["user 1", "user 1"]
    assert len(loaded) == 2
    assert not await user.cache_contains(1)
    await user.cache_put("old", 1)
    with cache.refreshing():
        assert await user(1) == "user 1"
    assert await user.cache_peek(1) == "user 1"
    with Cache().disabled():
        await user(1)
    assert len(loaded) == 3


async def test_controls_of_who_goes_past_it() -> None:
    """They find nothing and store nothing; what is put makes an old value out of date all the same."""
    cache = Cache()
    _, user, _ = sources(cache)
    await user.cache_put("old", 1)
    with cache.disabled():
        assert (await user.cache_contains(1), await user.cache_peek(1)) == (False, MISSING)
        assert await user.cache_refresh(2) == "user 2"
        await user.cache_put("new", 1)
    assert [await user.cache_contains(key) for key in (1, 2)] == [False, False]


async def test_copies_of_who_refreshes() -> None:
    """Who loads anew is given a copy too: nobody can change what is stored."""
    cache = Cache(copy="deep")

    @async_cached(cache=cache)
    async def load(key: int) -> list[int]:
        return [key]

    with cache.refreshing():
        (await load(1)).append(5)
        (await cache.get_or_load("a", lambda: load.__wrapped__(1))).append(5)
    (await load(1)).append(5)
    assert await load(1) == await cache.get("a") == [1]


async def test_past_the_cache_from_within_a_load() -> None:
    """What a load says that is not stored is nothing to the load that has asked for it."""
    cache = Cache()

    @async_cached(cache=cache)
    async def inner(key: int) -> int:
        current_load().store = False
        return key

    @async_cached
    async def outer(key: int) -> int:
        with cache.disabled():
            return await inner(key)

    assert await outer(1) == 1
    assert outer.cache_contains(1)


async def test_the_end() -> None:
    """A cache that is closed ends the loads of its functions, which can then be asked no more."""
    gate: Gate[str] = Gate()
    async with Cache(name="shop") as cache:

        @async_cached(cache=cache)
        async def load(key: int) -> str:
            return await gate.load(key)

        await load.cache_put("put", 1)
        (waiting,) = await callers(load, 1, 2)
    assert isinstance(await outcome(waiting), LoadCancelled)
    assert gate.cancelled == 1
    for call in (load(1), load.cache_put("put", 1), load.cache_refresh(1)):
        with pytest.raises(CacheClosed):
            await call
    assert (await load.cache_contains(1), await load.cache_peek(1)) == (False, MISSING)


@pytest.mark.one_loop
def test_on_any_loop() -> None:
    """A function that is decorated before there is a loop works on each, one after the other."""
    loaded, user, _ = sources(Cache())
    assert [asyncio.run(user(1)) for _ in range(2)] == ["user 1", "user 1"]
    assert loaded == [("user", 1)]
