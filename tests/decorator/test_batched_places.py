"""Where calls for many keys are made: within other loads, in contexts, on loops and in threads."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from asynccache import Cache, RecursiveLoad, async_cached, current_load
from tests.decorator.batches import batched, ended
from tests.flight.gates import together

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("TENANT", default="nobody")


async def test_a_call_that_asks_for_what_it_loads() -> None:
    """It would wait for itself, and is told so at once; it may ask for other keys."""
    asked: list[list[int]] = []

    @async_cached.batched()
    async def load(keys: list[int]) -> list[int]:
        asked.append(keys)
        return [key if key < 10 else await load(key - step) + step for key in keys]

    step = 10
    assert await together(load(14), load(25)) == [14, 25]
    assert asked == [[14, 25], [4], [15], [5]]
    load.cache_clear()
    step = 0
    errors = await ended(load(14), load(5))
    assert [type(error) for error in errors] == [RecursiveLoad, RecursiveLoad]


async def test_calls_that_wait_for_each_other() -> None:
    """A ring through two functions is told as well."""

    @async_cached.batched()
    async def there(keys: list[int]) -> list[int]:
        return [await back(key) for key in keys]

    @async_cached.batched()
    async def back(keys: list[int]) -> list[int]:
        return [await there(key) for key in keys]

    (error,) = await ended(there(1))
    assert isinstance(error, RecursiveLoad)


@pytest.mark.parametrize(("context", "tenant"), [("caller", "first"), ("empty", "nobody")])
async def test_the_context_of_a_call(context: Any, tenant: str) -> None:
    """It sees the context variables of the first who asked, or none."""
    seen: list[str] = []

    @async_cached.batched(context=context)
    async def load(keys: list[int]) -> list[int]:
        seen.append(TENANT.get())
        return keys

    async def ask(name: str, key: int) -> int:
        TENANT.set(name)
        return await load(key)

    await together(ask("first", 1), ask("second", 2))
    assert seen == [tenant]


async def test_tenants_are_never_in_one_call() -> None:
    """What `vary` tells apart is asked for apart, each in its own context: nobody gets another's values."""
    asked: list[tuple[str, list[int]]] = []

    @async_cached.batched(vary=(TENANT,))
    async def load(keys: list[int]) -> list[str]:
        asked.append((TENANT.get(), keys))
        return [f"{key} of {TENANT.get()}" for key in keys]

    async def ask(name: str, key: int) -> str:
        TENANT.set(name)
        return await load(key)

    for _ in range(2):
        found = await together(ask("A", 1), ask("B", 1), ask("A", 2), ask("B", 3), load(3))
        assert found == ["1 of A", "1 of B", "2 of A", "3 of B", "3 of nobody"]
    assert sorted(asked) == [("A", [1, 2]), ("B", [1, 3]), ("nobody", [3])]


async def test_equal_keys_that_the_cache_tells_apart() -> None:
    """They are never one key of a call: each may have a value of its own."""

    @async_cached.batched(typed=True)
    async def by_type(keys: list[float]) -> list[str]:
        return [repr(key) for key in keys]

    @async_cached.batched(key=lambda key: (TENANT.get(), key))
    async def by_tenant(keys: list[int]) -> list[str]:
        return [f"{key} of {TENANT.get()}" for key in keys]

    async def ask(name: str, key: int) -> str:
        TENANT.set(name)
        return await by_tenant(key)

    assert await together(by_type(1), by_type(1.0), by_type(True), by_type(1)) == ["1", "1.0", "True", "1"]
    assert await together(ask("A", 1), ask("B", 1)) == ["1 of A", "1 of B"]


async def test_past_the_cache() -> None:
    """Where the cache is disabled, each key is asked for and nothing stored, be it from within another load."""
    cache = Cache()

    @async_cached.batched(cache=cache)
    async def load(keys: list[int]) -> list[str]:
        current_load().store = False
        return [f"value {key}" for key in keys]

    @async_cached
    async def page(key: int) -> str:
        with cache.disabled():
            return await load(key)

    await load.cache_put("old", 1)
    with cache.disabled():
        assert await together(load(1), load(2)) == ["value 1", "value 2"]
    assert await page(1) == "value 1"
    assert page.cache_contains(1)
    assert (await load.cache_peek(1), await load.cache_contains(2)) == ("old", False)


async def test_past_the_cache_it_still_cannot_wait_for_itself() -> None:
    """A call that asks for its own key is told so, where nothing is stored as well."""
    cache = Cache()

    @async_cached.batched(cache=cache)
    async def load(keys: list[int]) -> list[int]:
        return [await load(key) for key in keys]

    with cache.disabled():
        (error,) = await ended(load(1))
    assert isinstance(error, RecursiveLoad)


async def test_the_function_without_its_cache() -> None:
    """`__wrapped__` is it, called with one key."""
    asked, load = batched()
    assert await together(load.__wrapped__(1), load.__wrapped__(1)) == ["value 1", "value 1"]
    assert asked == [[1], [1]]
    assert load.cache_info() == (0, 0, 1024, 0)


@pytest.mark.one_loop
def test_one_loop_after_the_other() -> None:
    """Values stay, and each loop has batches of its own."""
    asked, load = batched()

    async def ask(*keys: int) -> list[str]:
        return await together(*map(load, keys))

    assert [asyncio.run(ask(1, 2)), asyncio.run(ask(2, 3))] == [["value 1", "value 2"], ["value 2", "value 3"]]
    assert asked == [[1, 2], [3]]


@pytest.mark.one_loop
def test_loops_in_threads() -> None:
    """A batch belongs to one loop: calls on others are asked for by others, at the same time."""
    everywhere = threading.Barrier(3, timeout=5)
    asked: list[tuple[list[int], int]] = []

    @async_cached.batched()
    async def load(keys: list[int]) -> list[int]:
        everywhere.wait()  # on each of the three loops: none waits for another's call
        asked.append((keys, threading.get_ident()))
        return keys

    async def ask(number: int) -> None:
        assert await together(load(number), load(number + 10)) == [number, number + 10]

    threads = [threading.Thread(target=lambda number=number: asyncio.run(ask(number))) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(keys for keys, _ in asked) == [[0, 10], [1, 11], [2, 12]]
    assert len({thread for _, thread in asked}) == 3
