"""What `@async_cached.batched` is put on, and what it refuses."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from asynccache import async_cached
from tests.flight.gates import together


@pytest.mark.one_loop
async def test_it_is_a_function_of_one_key() -> None:
    """Name, module and documentation are the function's own; its parameter is one key, by position or by name."""

    @async_cached.batched(max_size=5)
    async def load_users(ids: list[int]) -> list[int]:
        """Load users."""
        return ids

    function: Any = load_users
    assert (function.__name__, function.__doc__, function.__module__) == ("load_users", "Load users.", __name__)
    assert function.__qualname__.endswith("<locals>.load_users")
    assert list(inspect.signature(function).parameters) == ["key"]
    assert inspect.iscoroutinefunction(function)
    assert await function(1) == await function(key=1) == 1
    wrong: list[tuple[tuple[int, ...], dict[str, int]]] = [((), {}), ((1, 2), {}), ((), {"other": 1})]
    for args, kwargs in wrong:
        with pytest.raises(TypeError, match="load_users"):
            function(*args, **kwargs)


@pytest.mark.one_loop
async def test_without_parentheses() -> None:
    """Without options it can be put on as it is."""

    @async_cached.batched
    async def load(keys: list[int]) -> list[int]:
        return keys

    assert await load(1) == 1


@pytest.mark.one_loop
async def test_the_list_is_the_functions_own() -> None:
    """It may be sorted or emptied: a list of results is in the order in which the keys were given."""

    @async_cached.batched
    async def load(keys: list[int]) -> list[int]:
        found = [10 * key for key in keys]
        keys.clear()
        return found

    assert await together(load(2), load(1)) == [20, 10]


@pytest.mark.one_loop
async def test_keys_have_to_have_a_hash() -> None:
    """Even where `key` makes something else of them: they are asked for once each."""

    @async_cached.batched(key=tuple)
    async def load(keys: list[list[int]]) -> list[int]:
        return [len(key) for key in keys]

    with pytest.raises(TypeError, match=r"unhashable key \(list\)"):
        await load([1])


def no_coroutine(keys: list[int]) -> list[int]:
    """Not to be decorated."""
    return keys


async def a_generator(keys: list[int]) -> Any:
    """Nor this."""
    yield keys


async def two_lists(keys: list[int], others: list[int]) -> list[int]:
    """Nor this."""
    return keys + others


async def by_name(*, keys: list[int]) -> list[int]:
    """Nor this."""
    return keys


async def of_nothing() -> list[int]:
    """Nor this."""
    return []


async def of_any(*keys: int) -> list[int]:
    """Nor this."""
    return list(keys)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (no_coroutine, "no_coroutine is not a coroutine function"),
        (a_generator, "a_generator is an async generator"),
        (5, "decorates coroutine functions, not 5"),
        (two_lists, r"two_lists must take a list of keys, and nothing else: async def two_lists\(keys\)"),
        (by_name, "by_name must take a list of keys"),
        (of_nothing, "of_nothing must take a list of keys"),
        (of_any, "of_any must take a list of keys"),
    ],
)
def test_what_cannot_be_decorated(function: Callable[..., Any], words: str) -> None:
    """Whatever is no coroutine function of one list is refused, with what to write."""
    with pytest.raises(TypeError, match=words):
        async_cached.batched()(function)


@pytest.mark.parametrize(
    ("kind", "words", "options"),
    [
        (TypeError, "max_size must be a whole number of keys", {"max_size": "5"}),
        (TypeError, "max_size must be a whole number of keys", {"max_size": 5.0}),
        (TypeError, "max_size must be a whole number of keys", {"max_size": True}),
        (ValueError, "max_size must be 1 or more, or None", {"max_size": 0}),
        (ValueError, "max_wait must be 0 seconds or more", {"max_wait": -1}),
        (ValueError, "max_wait", {"max_wait": "1"}),
        (ValueError, "max_wait must be a finite number", {"max_wait": float("inf")}),
        (ValueError, "max_wait must be a finite number", {"max_wait": None}),
        (TypeError, r"batched\(\) has no option 'max_sizes': did you mean 'max_size'", {"max_sizes": 5}),
        (ValueError, "stale requires ttl", {"stale": 5}),
    ],
)
def test_options_that_cannot_be_meant(kind: type[Exception], words: str, options: dict[str, Any]) -> None:
    """They are refused even before there is a function."""
    with pytest.raises(kind, match=words):
        async_cached.batched(**options)
