"""What a cache promises of what goes together: namespaces, tags, and the functions that share it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from asynccache.cache.cache import Cache
from asynccache.decorator import async_cached
from asynccache.flight.loading import current_load
from asynccache.protocols import MISSING
from asynccache.testing.contracts.cache_base import CacheTests, Source

Forget = Callable[[Cache], Awaitable[None]]


async def _clear(cache: Cache) -> None:
    await cache.clear()


async def _invalidate(cache: Cache) -> None:
    await cache.invalidate_tags("tag")


def _named_by_value(value: str) -> list[str]:
    return [value]


def _tags_of_price(_price: float, sku: str) -> list[str]:
    return [f"product {sku}"]


def _tags_of_text(_text: str, sku: str, _language: str) -> list[str]:
    return [f"product {sku}"]


FORGETTING: Final[dict[str, Forget]] = {"clear": _clear, "invalidate_tags": _invalidate}
"""Two ways to forget what bears the tag "tag"."""


class GroupTests(CacheTests):
    """Promises about namespaces and tags."""

    async def test_namespaces_have_keys_of_their_own(self) -> None:
        """One key in several namespaces is so many keys; views of one name are alike."""
        async with self.opened() as cache:
            views = [cache, cache.namespace("a"), cache.namespace("b"), cache.namespace("a").namespace("b")]
            for number, view in enumerate(views):
                await view.set("key", number)
            await cache.namespace("b").delete("key")

            assert [await view.get("key") for view in views] == [0, 1, None, 3]
            assert await cache.namespace("a").get_many(["key", "other"]) == {"key": 1}

    async def test_a_namespace_is_cleared_with_what_is_inside(self) -> None:
        """To clear a namespace forgets it and those inside it, and nothing beside it; it can be filled again."""
        async with self.opened() as cache:
            inner, outer, beside = cache.namespace("a").namespace("b"), cache.namespace("a"), cache.namespace("b")
            for view in (cache, outer, inner, beside):
                await view.set("key", "old")
            await outer.clear()
            assert [await view.get("key") for view in (cache, outer, inner, beside)] == ["old", None, None, "old"]

            await inner.set("key", "new")
            assert await outer.get_or_load("key", Source("new")) == "new"
            assert [await view.get("key") for view in (cache, outer, inner, beside)] == ["old", "new", "new", "old"]

    async def test_a_cleared_cache_is_empty(self) -> None:
        """To clear a cache forgets all there is, in namespaces too; it can be filled again."""
        async with self.opened() as cache:
            await cache.set_many({"a": 1, "b": 2})
            await cache.namespace("inside").set("a", 3)
            await cache.clear()
            assert await cache.get_many(["a", "b"]) == {}
            assert await cache.namespace("inside").get("a") is None

            await cache.set("a", 4)
            assert await cache.get_or_load("b", Source(5)) == 5
            assert await cache.get_many(["a", "b"]) == {"a": 4, "b": 5}

    async def test_tags_reach_what_bears_them(self) -> None:
        """To invalidate a tag forgets what bears it in all namespaces, and nothing else."""
        async with self.opened() as cache:
            inside = cache.namespace("inside")
            await cache.set("both", 1, tags=["red", "blue"])
            await cache.set_many({"blue": 2, "blue too": 3}, tags=["blue"])
            await inside.get_or_load("red", Source(4), tags=["red"])
            await cache.set("none", 5)
            await cache.invalidate_tags("red", "nobody's")

            assert await cache.get_many(["both", "blue", "blue too", "none"]) == {"blue": 2, "blue too": 3, "none": 5}
            assert await inside.get("red") is None

    async def test_what_is_stored_later_is_valid(self) -> None:
        """A tag that was invalidated can be borne again."""
        async with self.opened() as cache:
            for value in range(3):
                await cache.invalidate_tags("tag")
                await cache.set("set", value, tags=["tag"])
                await cache.get_or_load("loaded", Source(value), tags=["tag"])
                # Written behind, it may be loaded once more; but it is never the one of before.
                assert await cache.get("set") == value
                assert await cache.get_or_load("loaded", Source(value), tags=["tag"]) == value

    async def test_tags_that_a_result_tells(self) -> None:
        """Tags may be a function of the value, or be told by the load itself."""

        async def load() -> str:
            current_load().tags = ["told"]
            return "value"

        async with self.opened() as cache:
            await cache.get_or_load("function", Source("user 7"), tags=_named_by_value)
            await cache.get_or_load("load", load)
            await cache.invalidate_tags("user 7")
            assert await cache.get_many(["function", "load"]) == {"load": "value"}

            await cache.invalidate_tags("told")
            assert await cache.get("load") is None

    @pytest.mark.parametrize("forget", FORGETTING)
    async def test_groups_hold_against_loads(self, forget: str) -> None:
        """What a load brings is not kept if it was to be forgotten since the load began."""
        source = Source("old", is_held=True)
        async with self.opened() as cache:
            call = asyncio.ensure_future(cache.get_or_load("key", source, tags=["tag"]))
            await self.soon(source.begun.wait())
            await FORGETTING[forget](cache)
            source.go_on.set()

            assert await self.soon(call) == "old"
            assert await cache.get("key") is None


class FunctionTests(CacheTests):
    """Promises about functions that share a cache."""

    async def test_functions_have_keys_of_their_own(self) -> None:
        """Two functions never meet, nor do two versions of one; each keeps what it has computed."""
        computed: list[str] = []
        async with self.opened() as cache:

            @async_cached(cache=cache, name="square")
            async def square(number: int) -> int:
                computed.append("square")
                return number**2

            @async_cached(cache=cache, name="cube")
            async def cube(number: int) -> int:
                computed.append("cube")
                return number**3

            for _ in range(2):
                assert (await square(3), await square(number=3), await cube(3)) == (9, 9, 27)
            await cube.cache_clear()
            assert (await square(3), await cube(3)) == (9, 27)

            assert computed == ["square", "cube", "cube"]
            assert await cache.get(3) is None

    async def test_the_controls_of_a_function(self) -> None:
        """Controls find, put and forget what calls would be given."""
        computed: list[int] = []
        async with self.opened() as cache:

            @async_cached(cache=cache)
            async def double(number: int) -> int:
                computed.append(number)
                return number * 2

            assert await double.cache_peek(1) is MISSING
            assert not await double.cache_contains(1)
            await double.cache_put(5, 1)
            assert (await double(1), await double.cache_peek(1), await double.cache_contains(1)) == (5, 5, True)
            assert await double.cache_refresh(1) == 2
            assert await double(1) == 2
            await double.cache_invalidate(1)
            assert await double.cache_peek(1) is MISSING
            assert await double(1) == 2

            assert computed == [1, 1]

    async def test_tags_of_functions(self) -> None:
        """Tags of a call reach the values of all functions that bear them."""
        computed: list[str] = []
        async with self.opened() as cache:

            @async_cached(cache=cache, tags=_tags_of_price)
            async def price(sku: str) -> float:
                computed.append(f"price of {sku}")
                return 9.99

            @async_cached(cache=cache, tags=_tags_of_text)
            async def text(sku: str, language: str) -> str:
                computed.append(f"text of {sku}")
                return f"{sku} in {language}"

            for _ in range(2):
                await asyncio.gather(price("A1"), price("B1"), text("A1", "en"))
            await cache.invalidate_tags("product A1")
            assert await asyncio.gather(price("A1"), price("B1"), text("A1", "en")) == [9.99, 9.99, "A1 in en"]

            assert sorted(computed) == ["price of A1"] * 2 + ["price of B1"] + ["text of A1"] * 2
