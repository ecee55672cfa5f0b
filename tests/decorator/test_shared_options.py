"""Options of functions that share a `Cache`: theirs, its own, and what each of them is called there."""

import gc
from functools import partial
from typing import Any

import pytest

from asynccache import Cache, EvictionCause, async_cached
from asynccache.testing import ManualClock
from tests.decorator.sharing import sources
from tests.flight.gates import together, turns


class Adding:
    """A function in the shape of an object."""

    def __init__(self, some: int) -> None:
        self.some = some

    async def __call__(self, more: int) -> int:
        """Add."""
        return self.some + more

    async def more(self, more: int) -> int:
        """Add."""
        return self.some + more


async def test_the_caches_options_unless_the_function_says_otherwise() -> None:
    """What a function does not say, the cache says; None is said, too."""
    clock = ManualClock()
    cache = Cache(ttl=10, clock=clock)
    _, usual, _ = sources(cache)
    _, long, _ = sources(cache.namespace("long"), ttl=30)
    _, ever, _ = sources(cache.namespace("ever"), ttl=None)
    await together(usual(1), long(1), ever(1))
    for time, left in ((5, [True, True, True]), (10, [False, True, True]), (20, [False, False, True])):
        clock.advance(time)
        assert [await function.cache_contains(1) for function in (usual, long, ever)] == left


async def test_functions_given_to_the_cache_know_no_arguments() -> None:
    """Those of the cache are given the result alone; those of the function the call's arguments, too."""
    clock = ManualClock()
    cache = Cache(ttl=len, clock=clock)
    _, user, _ = sources(cache, store_if=lambda _result, key: key != 2)
    await together(user(1), user(2))
    assert [await user.cache_contains(key) for key in (1, 2)] == [True, False]
    clock.advance(len("user 1"))
    assert not await user.cache_contains(1)


async def test_old_values_and_one_refresh() -> None:
    """`stale` works as for a cache of the function's own."""
    clock = ManualClock()
    cache = Cache(ttl=10, stale=10, clock=clock)
    loaded, user, _ = sources(cache)
    await user.cache_put("old", 1)
    clock.advance(15)
    assert await together(user(1), user(1)) == ["old", "old"]
    await turns()
    assert (await user(1), loaded) == ("user 1", [("user", 1)])


async def test_what_the_cache_does_for_all() -> None:
    """Its bound, its listeners and its copies are those of every function in it."""
    heard: list[object] = []
    cache = Cache(maxsize=2, policy="lru", copy="shallow", on_evict=lambda *event: heard.append(event[1:]))

    @async_cached(cache=cache)
    async def load(key: int) -> list[int]:
        return [key]

    for key in (1, 2, 3):
        (await load(key)).append(0)
    assert heard == [([1], EvictionCause.CAPACITY)]
    assert [await load(key) for key in (2, 3)] == [[2], [3]]
    (await load.cache_refresh(3)).append(0)
    assert await load(3) == [3]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("maxsize", 5), ("max_weight", 5), ("weigher", lambda key, value: 1), ("policy", "lru"), ("idle", 5),
        ("copy", "deep"), ("on_evict", print), ("max_refreshes", 5), ("clock", ManualClock()),
    ],
)  # fmt: skip
def test_options_of_a_cache_as_a_whole(option: str, value: Any) -> None:
    """They are refused, with where they belong."""
    with pytest.raises(TypeError, match=rf"{option} belongs to the whole cache: give it to Cache\({option}=\.\.\.\)"):
        async_cached(cache=Cache(), **{option: value})


@pytest.mark.parametrize(
    ("kind", "words", "options"),
    [
        (TypeError, r"cache must be a Cache, not 'redis'.*: write cache=Cache\(", {"cache": "redis"}),
        (TypeError, "cache must be a Cache", {"cache": Cache}),
        (TypeError, "version must be a number or a string, not 1.5", {"cache": Cache(), "version": 1.5}),
        (TypeError, "version must be a number or a string, not True", {"cache": Cache(), "version": True}),
        (TypeError, "version requires cache", {"version": 2}),
        (TypeError, r"async_cached\(\) has no option 'tag'.*'tags'", {"cache": Cache(), "tag": "x"}),
        (TypeError, r"async_cached\(\) has no option 'weight'", {"cache": Cache(), "weight": 5}),
        (ValueError, "ttl must be", {"cache": Cache(), "ttl": -1}),
    ],
)
def test_options_that_cannot_be_meant(kind: type[Exception], words: str, options: dict[str, Any]) -> None:
    """They are refused where they are written."""
    with pytest.raises(kind, match=words):
        async_cached(**options)


async def test_defaults_and_options_are_judged_together() -> None:
    """What needs another option finds it among the cache's; what finds it nowhere is refused."""
    cache = Cache(ttl=10, stale_if_error=5)
    for options in ({"jitter": 1}, {"soft_timeout": 1}, {"stale": 1}, {"refresh_ahead": 0.5}, {"early": 1}):
        _, user, _ = sources(cache.namespace(str(options)), **options)
        assert await user(1) == "user 1"
        with pytest.raises(ValueError, match=r"requires (ttl|stale_if_error)"):
            sources(Cache(), **options)


async def test_a_name_of_its_own() -> None:
    """What is no plain function has to be given a name; a name is what values are found by."""

    async def add(some: int, more: int) -> int:
        return some + more

    cache = Cache()
    one, hundred = partial(add, 1), partial(add, 100)
    for nameless in (one, Adding(1), Adding(1).more):
        with pytest.raises(TypeError, match=r"is no plain function, .*: give it one by name="):
            async_cached(cache=cache)(nameless)
    plus_one, plus_hundred = async_cached(cache=cache, name="one")(one), async_cached(cache=cache, name="100")(hundred)
    assert (await plus_one(1), await plus_hundred(1)) == (2, 101)
    assert await async_cached(cache=cache, name="mine")(Adding(5).more)(1) == 6


async def test_closures_of_one_factory() -> None:
    """Each has values of its own, though all have one name."""
    cache = Cache()

    def adding(some: int, name: str | None = None) -> Any:
        @async_cached(cache=cache, name=name)
        async def plus(more: int) -> int:
            return some + more

        return plus

    one, hundred = adding(1), adding(100)
    assert await together(one(1), hundred(1), adding(5, "named")(1)) == [2, 101, 6]
    await one.cache_clear()
    assert await hundred.cache_contains(1)
    assert not await one.cache_contains(1)


def test_the_name_is_a_string() -> None:
    """Anything else is refused."""
    with pytest.raises(TypeError, match="name must be a string"):
        async_cached(cache=Cache(), name=5)  # type: ignore[call-overload]


async def test_a_closure_after_another_has_gone() -> None:
    """It has none of the other's values, though they stand in the cache by the same name."""
    cache = Cache()

    def adding(some: int) -> Any:
        @async_cached(cache=cache)
        async def plus(more: int) -> int:
            return some + more

        return plus

    assert await adding(1)(1) == 2
    gc.collect()
    assert await adding(100)(1) == 101


async def test_a_batched_function_is_defined_again() -> None:
    """A module that has one can be loaded again, as with any function."""
    cache = Cache()

    def define(factor: int) -> Any:
        names: dict[str, Any] = {"async_cached": async_cached, "cache": cache, "factor": factor, "__name__": "module"}
        exec("@async_cached.batched(cache=cache)\nasync def load(keys): return [factor * key for key in keys]", names)
        return names["load"]

    load = define(1)
    assert await load(1) == 1
    load = define(10)
    assert await load(1) == 10


async def test_one_name_for_two_functions() -> None:
    """Each has values of its own."""
    cache = Cache()
    first = async_cached(cache=cache, name="plus")(Adding(1).more)
    second = async_cached(cache=cache, name="plus")(Adding(100).more)
    assert await together(first(1), second(1), first(1)) == [2, 101, 2]
