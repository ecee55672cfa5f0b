"""What can be stored, and whose object a caller gets."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asynccache import MISSING, GDSFCache, async_cached
from asynccache.decorator import Decorator


async def numbers() -> AsyncIterator[int]:
    """An async generator."""
    yield 1


def plain_numbers() -> Iterator[int]:
    """A generator."""
    yield 1


async def coroutine() -> int:
    """Be awaited only once."""
    return 1


class Awaitable1:
    """Something else to await."""

    def __await__(self) -> Any:
        yield


SINGLE_USE: list[tuple[str, Callable[[], object], str]] = [
    ("a coroutine", coroutine, "awaited only once"),
    ("a future", lambda: asyncio.get_running_loop().create_future(), "awaited only once"),
    ("an awaitable", Awaitable1, "awaited only once"),
    ("an async generator", numbers, "iterated only once"),
    ("a generator", plain_numbers, "iterated only once"),
    ("an iterator", lambda: iter([1]), "iterated only once"),
    ("a map", lambda: map(str, [1]), "iterated only once"),
    ("an open file", lambda: io.StringIO("text"), "iterated only once"),
]


@pytest.mark.parametrize(
    ("make", "message"), [(make, message) for _, make, message in SINGLE_USE], ids=[n for n, _, _ in SINGLE_USE]
)
@pytest.mark.parametrize("options", [{}, {"maxsize": 0}, {"ttl": 0}, {"copy": "shallow"}], ids=str)
async def test_single_use_values_are_refused(make: Callable[[], object], message: str, options: dict[str, Any]) -> None:
    """A value that only its first user could use is a `TypeError` that names the function, and is not stored."""
    decorate: Decorator = async_cached(**options)

    @decorate
    async def load() -> object:
        return make()

    for _ in range(2):
        with pytest.raises(TypeError, match=f"load returned an? .*{message}"):
            await load()
    value = make()
    with pytest.raises(TypeError, match=message):
        load.cache_put(value)
    assert load.cache_peek() is MISSING
    stats = load.cache_stats()
    assert (stats.size, stats.failures) == (0, 2)


@pytest.mark.one_loop
async def test_task_is_refused_and_left_alone() -> None:
    """A task that is returned by mistake is refused, and not cancelled: it is the user's."""

    @async_cached
    async def load() -> Awaitable[int]:
        tasks.append(asyncio.ensure_future(coroutine()))
        return tasks[-1]

    tasks: list[asyncio.Future[int]] = []
    with pytest.raises(TypeError, match="Task"):
        await load()
    assert await tasks[0] == 1


@pytest.mark.one_loop
async def test_refused_put_keeps_what_was_there() -> None:
    """A put that is refused changes nothing."""

    @async_cached
    async def load() -> object:
        return 1

    await load()
    with pytest.raises(TypeError):
        load.cache_put(iter(()))
    assert load.cache_peek() == 1


@pytest.mark.one_loop
@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, (1, 2), "text", b"bytes", range(3), Path("x"), int, numbers, len, ...]
)
async def test_other_values_are_stored(value: object) -> None:
    """What can be used again and again is stored, iterables, classes and functions included."""

    @async_cached
    async def load() -> object:
        return value

    assert await load() is await load() is value
    assert load.cache_info()[:2] == (1, 1)


async def test_all_get_one_object_by_default() -> None:
    """Without `copy`, callers share the stored object, as with `functools.lru_cache`."""

    @async_cached
    async def load() -> list[int]:
        await asyncio.sleep(0)
        return []

    values = await asyncio.gather(load(), load())
    assert values[0] is values[1] is await load() is load.cache_peek()


@pytest.mark.parametrize(("copy", "inner_shared"), [("deep", False), ("shallow", True), (lambda v: [v[0]], True)])
@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"idle": 60}, {"maxsize": 0}, {"typed": True}], ids=str)
async def test_copies(copy: Any, inner_shared: bool, options: dict[str, Any]) -> None:
    """With `copy` each caller gets an object of its own, who waited for the load too; the stored one stays."""

    @async_cached(copy=copy, **options)
    async def load(x: int) -> list[list[int]]:
        await asyncio.sleep(0)
        return [inner]

    inner = [1]
    got = list(await asyncio.gather(load(1), load(1), load(1)))
    got += [await load(1), await load.cache_refresh(1), await load(1)]
    assert len({id(value) for value in got}) == len(got)
    assert [value[0] is got[0][0] for value in got[1:]] == [inner_shared] * 5
    for value in got:
        value.append([2])
    assert await load(1) == [[1]]


@pytest.mark.one_loop
async def test_error_in_a_copy_is_the_callers() -> None:
    """What `copy` raises reaches the caller who was to get the copy; the value stays."""
    fails = [True, False]

    def copy(value: int) -> int:
        if fails.pop(0):
            raise LookupError
        return value

    @async_cached(copy=copy)
    async def load() -> int:
        return 1

    with pytest.raises(LookupError):
        await load()
    assert await load() == 1
    assert load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
@pytest.mark.parametrize("error", [KeyError, AttributeError, TypeError])
async def test_error_in_a_copy_is_not_taken_for_a_miss(error: type[Exception]) -> None:
    """An error in `copy` at a hit is raised, and starts no load."""
    loads = 0

    def copy(value: int) -> int:
        raise error("in copy")

    @async_cached(copy=copy)
    async def load() -> int:
        nonlocal loads
        loads += 1
        return 1

    for _ in range(3):
        with pytest.raises(error, match="in copy"):
            await load()
    assert loads == 1


@pytest.mark.one_loop
async def test_a_policy_that_fails_costs_the_entry_only(loop_errors: list[Any]) -> None:
    """A policy of one's own that raises is reported and counted, and nothing half-stored is left; the value arrives."""

    class Costly(GDSFCache[int, int]):
        def __init__(self, maxsize: int | None, **options: Any) -> None:
            super().__init__(maxsize, cost=lambda key, value: 1 / value, **options)

    @async_cached(policy=Costly)
    async def load(key: int) -> int:
        return key

    assert [await load(0), await load(0), await load(4), await load(4)] == [0, 0, 4, 4]
    stats = load.cache_stats()
    assert (stats.hits, stats.misses, stats.size, stats.callback_errors) == (1, 3, 1, 2)
    assert len(loop_errors) == 2
