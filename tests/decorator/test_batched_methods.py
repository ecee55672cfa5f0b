"""Batched methods: instances have batches and values of their own, which go with them."""

import asyncio
import gc
import inspect
import weakref
from typing import Any

import pytest

from asynccache import MISSING, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import callers, outcome, together, turns

CLOCK = ManualClock()


class Shop:
    """Has prices; equal to any other shop."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.asked: list[list[int]] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shop)

    def __hash__(self) -> int:
        return 1

    def times(self, keys: list[int]) -> list[int]:
        """Note which keys are asked for, and give their values."""
        self.asked.append(keys)
        return [self.factor * key for key in keys]

    @async_cached.batched()
    async def prices(self, keys: list[int]) -> list[int]:
        """Give prices."""
        return self.times(keys)

    @async_cached.batched(ignore=("self",))
    async def common(self, keys: list[int]) -> list[int]:
        """Give what is the same for all shops, or should be."""
        return self.times(keys)

    @async_cached.batched(key=lambda self, key: (self.factor, key // 10))
    async def tens(self, keys: list[int]) -> list[int]:
        """Give one value for ten keys."""
        return self.times(keys)

    @async_cached.batched(max_wait=1, clock=CLOCK)
    async def awaited(self, keys: list[int]) -> list[int]:
        """Give prices, after a while."""
        return self.times(keys)

    @staticmethod
    @async_cached.batched()
    async def static(keys: list[int]) -> list[int]:
        """Give what belongs to no shop."""
        return keys


class Branch(Shop):
    """A shop with prices of its own."""

    @async_cached.batched()
    async def prices(self, keys: list[int]) -> list[int]:
        """Give prices, one more than the shop's."""
        return [1 + await super(Branch, self).prices(key) for key in keys]


async def test_instances_are_not_mixed_up() -> None:
    """Each is asked for what was asked of itself, and keeps its own values, though they be equal."""
    one, other = Shop(10), Shop(100)
    assert await together(one.prices(1), other.prices(1), one.prices(2)) == [10, 100, 20]
    assert (one.asked, other.asked) == ([[1, 2]], [[1]])
    assert await together(one.prices(1), other.prices(2)) == [10, 200]
    assert (one.asked, other.asked) == ([[1, 2]], [[1], [2]])


async def test_by_way_of_the_class() -> None:
    """`Shop.prices(shop, 1)` is `shop.prices(1)`, also in what it is asked for together with."""
    shop = Shop(10)
    assert await together(Shop.prices(shop, 1), shop.prices(2)) == [10, 20]
    assert shop.asked == [[1, 2]]


async def test_controls_belong_to_the_instance() -> None:
    """They take a key; asked of the class, the instance first."""
    one, other = Shop(10), Shop(100)
    await together(one.prices(1), other.prices(1))
    assert one.prices.cache_info() == (0, 1, 1024, 1)
    one.prices.cache_put(7, 2)
    assert (await one.prices(2), other.prices.cache_peek(2)) == (7, MISSING)
    assert await one.prices.cache_refresh(2) == 20
    assert Shop.prices.cache_invalidate(one, 1)
    assert (one.prices.cache_contains(1), other.prices.cache_contains(1)) == (False, True)


async def test_one_cache_for_all_instances() -> None:
    """With `ignore=("self",)` a value is everybody's; whoever asked first is asked, each for his own keys."""
    one, other = Shop(10), Shop(100)
    assert await together(one.common(1), other.common(1), other.common(2)) == [10, 10, 200]
    assert await together(one.common(2), other.common(1)) == [200, 10]
    assert (one.asked, other.asked) == ([[1]], [[2]])
    Shop.common.cache_clear()


async def test_a_key_of_the_instance() -> None:
    """`key` is given the instance too, and the method the key that was asked for first of those that are alike."""
    shop = Shop(10)
    assert await together(shop.tens(21), shop.tens(25), shop.tens(31)) == [210, 210, 310]
    assert shop.asked == [[21, 31]]
    assert shop.tens.cache_contains(29)


async def test_subclasses_and_super() -> None:
    """An override has batches of its own, and may ask for those of what it overrides."""
    branch = Branch(10)
    assert await together(branch.prices(1), branch.prices(2)) == [11, 21]
    assert branch.asked == [[1], [2]]  # it asks for one after the other
    assert Shop.prices.cache_contains(branch, 1)
    assert Branch.prices.cache_contains(branch, 1)


async def test_static_methods() -> None:
    """They are functions, and belong to no instance."""
    assert await together(Shop.static(1), Shop.static(2)) == [1, 2]


async def test_an_instance_goes_with_its_values() -> None:
    """Nothing of a method or of its batches keeps an instance."""
    shop = Shop(10)
    await together(shop.prices(1), shop.common(1), shop.tens(1))
    (task,) = await callers(shop.awaited, 1, 1)
    CLOCK.advance(1)
    assert await task == 10
    gone = weakref.ref(shop)
    del shop, task
    gc.collect()
    assert gone() is None
    Shop.common.cache_clear()


async def test_an_instance_goes_when_its_batch_is_over() -> None:
    """Who waits for a batch needs no instance besides; if all have left, it goes with the batch's time."""
    waiting = asyncio.create_task(Shop(10).awaited(1))
    await turns()
    gc.collect()
    CLOCK.advance(1)
    assert await waiting == 10
    shop = Shop(10)
    leaving = asyncio.create_task(shop.awaited(1))
    await turns()
    leaving.cancel()
    assert await outcome(leaving) is asyncio.CancelledError
    gone = weakref.ref(shop)
    del shop, leaving, waiting
    CLOCK.advance(1)
    await turns()
    gc.collect()
    assert gone() is None


@pytest.mark.one_loop
def test_it_is_a_method_of_one_key() -> None:
    """Name and documentation are the method's own; its parameter is one key."""
    method: Any = Shop(1).prices
    assert (method.__name__, method.__qualname__, method.__doc__) == ("prices", "Shop.prices", "Give prices.")
    assert list(inspect.signature(method).parameters) == ["key"]
    assert inspect.iscoroutinefunction(method)


@pytest.mark.one_loop
def test_what_is_no_method_of_an_instance() -> None:
    """Class methods, and instances by another name than `self`, are refused where they are written."""
    with pytest.raises(TypeError, match="must take a list of keys"):

        class ByClass:
            @classmethod
            @async_cached.batched()
            async def prices(cls, keys: list[int]) -> list[int]:
                return keys

    with pytest.raises(TypeError, match="must take a list of keys"):

        class ByAnotherName:
            @async_cached.batched()
            async def prices(this, keys: list[int]) -> list[int]:  # noqa: N805
                return keys

    with pytest.raises(TypeError, match="write @staticmethod above"):
        async_cached.batched()(staticmethod(Shop.static))  # type: ignore[arg-type]
