"""Methods that share a `Cache`: what tells their instances apart, and whose their controls are."""

import gc
import inspect
import weakref
from typing import Any

import pytest

from asynccache import MISSING, Cache, async_cached
from tests.flight.gates import together

CACHE = Cache()


class Shop:
    """Sells at prices of its own, in a town that it shares with others."""

    def __init__(self, town: str) -> None:
        self.town = town
        self.loaded: list[object] = []

    @async_cached(cache=CACHE, ignore=("self",))
    async def tax(self, item: str) -> str:
        """Give what is the same in all towns."""
        self.loaded.append(item)
        return f"tax of {item}"

    @async_cached(cache=CACHE, key=lambda self, item: (self.town, item.lower()))
    async def price(self, item: str) -> str:
        """Give what is the same in a town."""
        self.loaded.append(item)
        return f"{item} in {self.town}"

    @staticmethod
    @async_cached(cache=CACHE)
    async def static(item: str) -> str:
        """Give what belongs to no shop."""
        return f"static {item}"

    @classmethod
    @async_cached(cache=CACHE, ignore=("cls",))
    async def of_class(cls, item: str) -> str:
        """Give what belongs to all classes."""
        return f"{item} of {cls.__name__}"

    @async_cached.batched(cache=CACHE, key=lambda self, item: (self.town, item))
    async def prices(self, items: list[str]) -> list[str]:
        """Give what is the same in a town, all at once."""
        self.loaded.append(tuple(items))
        return [f"{item} in {self.town}" for item in items]


@pytest.fixture(autouse=True)
async def empty_cache() -> None:
    """Begin each test without values."""
    await CACHE.clear()


async def test_the_same_for_all() -> None:
    """With `ignore=("self",)` all instances have one value, and whoever asked first is asked."""
    one, other = Shop("A"), Shop("B")
    assert [await shop.tax("tea") for shop in (one, other)] == ["tax of tea"] * 2
    assert await Shop.tax(other, "tea") == "tax of tea"
    assert (one.loaded, other.loaded) == (["tea"], [])
    await other.tax.cache_put("none", "tea")
    assert await one.tax("tea") == await Shop.tax.cache_peek(one, "tea") == "none"
    assert await one.tax.cache_invalidate("tea")
    assert not await Shop.tax.cache_contains(other, "tea")
    assert one.tax.cache_key("tea") == Shop.tax.cache_key(other, "tea")


async def test_loading_anew_takes_an_instance() -> None:
    """Where none is told from another, the class is asked, with the instance to load by; an instance says so."""
    shop = Shop("A")
    assert await Shop.tax.cache_refresh(shop, "tea") == "tax of tea"
    with pytest.raises(TypeError, match="ask the class, and give the instance first"):
        await shop.tax.cache_refresh("tea")
    assert shop.loaded == ["tea"]


async def test_what_tells_instances_apart() -> None:
    """`key` is given the instance, and says which of them have the same values."""
    one, twin, other = Shop("A"), Shop("A"), Shop("B")
    assert [await shop.price("Tea") for shop in (one, twin, other)] == ["Tea in A", "Tea in A", "Tea in B"]
    assert await twin.price("TEA") == "Tea in A"
    assert (one.loaded, twin.loaded, other.loaded) == (["Tea"], [], ["Tea"])


async def test_controls_of_an_instance() -> None:
    """They take a call's arguments, and know the instance; asked of the class, it comes first."""
    one, other = Shop("A"), Shop("B")
    await together(one.price("tea"), other.price("tea"))
    assert one.price.cache_key("TEA") == Shop.price.cache_key(one, "TEA") == ("A", "tea")
    assert await one.price.cache_invalidate("tea")
    assert [await shop.price.cache_contains("tea") for shop in (one, other)] == [False, True]
    await one.price.cache_put("free", "tea")
    assert await one.price.cache_peek(item="tea") == await one.price("tea") == "free"
    assert await Shop.price.cache_peek(other, "tea") == "tea in B"
    assert await one.price.cache_refresh("tea") == await Shop.price.cache_refresh(one, "tea") == "tea in A"
    assert one.price.cache_info() == other.price.cache_info() == Shop.price.cache_info()
    await other.price.cache_clear()
    assert await one.price.cache_peek("tea") is MISSING


async def test_batched() -> None:
    """Batches are each instance's own, values are those of all that `key` says are alike."""
    one, twin, other = Shop("A"), Shop("A"), Shop("B")
    assert await together(one.prices("x"), twin.prices("x"), other.prices("x"), one.prices("y")) == [
        "x in A", "x in A", "x in B", "y in A",
    ]  # fmt: skip
    assert (one.loaded, twin.loaded, other.loaded) == ([("x", "y")], [], [("x",)])
    assert [await shop.prices.cache_contains("y") for shop in (one, twin, other)] == [True, True, False]


async def test_static_methods_and_class_methods() -> None:
    """They are functions; a class method ignores its class."""
    assert (await Shop.static("a"), await Shop.static.cache_contains("a")) == ("static a", True)
    method: Any = Shop.of_class
    assert (await method("a"), await method("a")) == ("a of Shop", "a of Shop")
    assert await method.cache_contains("a")


async def test_instances_go() -> None:
    """A cache keeps no instance; its values stay."""
    shop = Shop("C")
    await together(shop.price("tea"), shop.tax("tea"), shop.prices("tea"))
    gone = weakref.ref(shop)
    del shop
    gc.collect()
    assert gone() is None
    assert await Shop("C").price.cache_contains("tea")


@pytest.mark.one_loop
async def test_what_reflection_tells() -> None:
    """A method asked of an instance is a coroutine function of its name, without the instance."""
    for method in (Shop("A").price, Shop("A").tax):
        found: Any = method
        assert inspect.iscoroutinefunction(found)
        assert list(inspect.signature(found).parameters) == ["item"]
        assert found.__qualname__.startswith("Shop.")
        assert found.__doc__.startswith("Give what is the same")


@pytest.mark.one_loop
async def test_one_method_of_one_instance() -> None:
    """Asked for twice, it is equal and has one hash, as bound methods have; of another instance, it is another."""
    shop = Shop("A")
    assert shop.price == shop.price != Shop("A").price
    assert len({shop.price, shop.price}) == 1


@pytest.mark.one_loop
def test_nothing_tells_instances_apart() -> None:
    """Then it is refused where it is written, with both ways out."""
    words = r"Service\.load shares a cache, which cannot know one self from another: write ignore=\('self',\).*or key="
    with pytest.raises(TypeError, match=words):

        class Service:
            @async_cached(cache=CACHE)
            async def load(self, x: int) -> int:
                return x


@pytest.mark.one_loop
def test_nothing_tells_classes_apart() -> None:
    """A class method, above or below `classmethod`, is refused unless it ignores its class."""
    with pytest.raises(TypeError, match=r"cannot know one cls from another: write ignore=\('cls',\)"):

        class Above:
            @classmethod
            @async_cached(cache=CACHE)
            async def load(cls, x: int) -> int:
                return x

    async def load(cls: Any, x: int) -> int:
        return x

    with pytest.raises(TypeError, match=r"cannot know one cls from another"):
        async_cached(cache=CACHE)(classmethod(load))  # type: ignore[arg-type]


@pytest.mark.one_loop
def test_a_key_that_does_not_take_the_instance() -> None:
    """It is refused where it is written."""
    with pytest.raises(TypeError, match="key is called with the call's arguments"):

        class Service:
            @async_cached(cache=CACHE, key=lambda x: x)
            async def load(self, x: int) -> int:
                return x
