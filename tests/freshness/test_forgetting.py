"""`cache_invalidate`: it forgets, and tells whether there was anything, whatever the value."""

from typing import Any, Final, NoReturn

import pytest

from asynccache import MISSING, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import callers
from tests.freshness.aging import Scene, aged


class Array:
    """Compares as arrays do: to something that is neither true nor false."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> NoReturn:
        raise ValueError("the truth value of an array is ambiguous")


VALUES: Final[list[Any]] = [None, False, 0, "", b"", (), MISSING.name, NotImplemented, Array()]


@pytest.mark.parametrize("options", [{}, {"ttl": 10}, {"ttl": 10, "stale": 5}, {"tags": ("all",)}], ids=str)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
async def test_whatever_the_value(value: Any, options: dict[str, Any]) -> None:
    """Any value is something that was there, once; nothing is asked of it."""
    loads = 0

    async def give(key: int) -> Any:
        nonlocal loads
        loads += 1
        return value

    load = async_cached(clock=ManualClock(), **options)(give)
    assert load.cache_invalidate(1) is False
    assert await load(1) is value
    assert await load(1) is value
    assert loads == 1
    assert load.cache_contains(1)
    assert load.cache_peek(1) is value
    assert load.cache_invalidate(1) is True
    assert load.cache_invalidate(1) is False
    assert load.cache_peek(1) is MISSING


async def test_an_old_value_is_something() -> None:
    """As long as it may be served, be it only in case of failure, there is something to forget; then there is not."""
    for options in ({"stale": 5}, {"stale_if_error": 5}):
        for seconds, found in ((4, True), (5, False)):
            scene = await aged(10 + seconds, **options)
            assert scene.load.cache_invalidate(1) is found


async def test_a_load_is_something() -> None:
    """What is on its way can be forgotten before it is there."""
    scene = Scene()
    (caller,) = await callers(scene.load, 1)
    assert scene.load.cache_invalidate(1) is True
    assert scene.load.cache_invalidate(1) is False
    await scene.end("value")
    assert await caller == "value"
    assert scene.load.cache_peek(1) is MISSING
