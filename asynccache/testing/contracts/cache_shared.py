"""What caches on one store promise each other: what one does the others see, as if each were a process of its own."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache.cache.cache import Cache
from asynccache.decorator import async_cached
from asynccache.testing.contracts.cache import CacheContract
from asynccache.testing.contracts.cache_base import Source
from asynccache.testing.contracts.cache_groups import FORGETTING
from asynccache.wrapping.typed import SharedFunction


@dataclass(frozen=True)
class Product:
    """A value that is no plain data."""

    sku: str
    tags: tuple[str, ...]


class SharedCacheContract(CacheContract):
    """The promises of caches with a store, and those of every cache.

    Caches that are made in one test have to have the same store, and stand for as many processes::

        class TestMyStore(SharedCacheContract):
            async def make_cache(self, **options: Any) -> Cache:
                return Cache("mystore://localhost?timeout=5", **options)

    A store should have a generous time limit here: what a cache does without its store is not what this is about.
    """

    def options_of_all(self) -> dict[str, Any]:
        """Give what all caches of a test are made with."""
        return {**super().options_of_all(), "namespace": self.namespace}

    async def stored(self, key: str) -> Any:
        """Give what a process finds that has just been started; None if nothing."""
        async with self.opened() as cache:
            return await cache.get(key)

    async def test_what_one_sets_others_find(self) -> None:
        """A value is found in another process, and takes the place of what that one had."""
        async with self.opened() as here, self.opened() as there:
            await here.set_many({"a": ("old", 1), "b": None})
            assert await there.get_many(["a", "b", "c"]) == {"a": ("old", 1), "b": None}

            await here.set("a", "new")
            await self.comes_to(there, "a", "new")
            assert await there.peek("a") == "new"
            assert await there.contains("b")

    async def test_what_one_has_loaded_others_find(self) -> None:
        """A value that was loaded in one process is not loaded in another."""
        source = Source()
        async with self.opened() as here, self.opened() as there:
            await here.get_or_load("key", source)
            await self.comes_to(there, "key", "value")

            assert await there.get_or_load("key", source) == "value"
            assert source.loads == 1

    async def test_many_are_loaded_where_nobody_has_them(self) -> None:
        """Of many keys, only those are asked for that no process has loaded."""
        asked: list[list[str]] = []

        async def load_many(keys: list[str]) -> dict[str, str]:
            asked.append(sorted(keys))
            return {key: f"value of {key}" for key in keys}

        async with self.opened() as here, self.opened() as there:
            await here.get_or_load_many(["a", "b"], load_many)
            await self.comes_to(there, "a", "value of a")
            await self.comes_to(there, "b", "value of b")

            assert len(await there.get_or_load_many(["a", "b", "c"], load_many)) == 3
            assert asked == [["a", "b"], ["c"]]

    async def test_values_outlive_their_cache(self) -> None:
        """What a cache has stored and loaded is found by those that are made after it was closed."""
        async with self.opened() as cache:
            await cache.set("set", 1)
            await cache.get_or_load("loaded", Source(2))

        async with self.opened() as cache:
            assert await cache.get_many(["set", "loaded"]) == {"set": 1, "loaded": 2}

    async def test_what_one_deletes_is_gone_for_all(self) -> None:
        """A deletion reaches those who have the value in process."""
        async with self.opened() as here, self.opened() as there:
            await here.set_many({"a": 1, "b": 2, "c": 3})
            assert len(await there.get_many(["a", "b", "c"])) == 3
            await there.delete("a")
            await there.delete_many(["b"])

            await self.is_dropped(here, "a", "b")
            assert await here.get("c") == 3
            assert await there.get_many(["a", "b", "c"]) == {"c": 3}

    @pytest.mark.parametrize("forget", FORGETTING)
    async def test_what_one_forgets_is_gone_for_all(self, forget: str) -> None:
        """To clear, or to invalidate a tag, reaches those who have the values in process; what comes later is valid."""
        async with self.opened() as here, self.opened() as there:
            await here.set_many({"a": 1, "b": 2}, tags=["tag"])
            await here.namespace("inside").set("a", 3, tags=["tag"])
            assert len(await there.get_many(["a", "b"])) == 2
            assert await there.namespace("inside").get("a") == 3
            await FORGETTING[forget](there)

            await self.is_dropped(here, "a", "b")
            await self.is_dropped(here.namespace("inside"), "a")
            await there.set("a", 4, tags=["tag"])
            await self.comes_to(here, "a", 4)

    async def test_a_namespace_is_cleared_for_all(self) -> None:
        """To clear a namespace reaches all processes, and nothing beside it."""
        async with self.opened() as here, self.opened() as there:
            for cache in (here, here.namespace("a"), here.namespace("a").namespace("b"), here.namespace("c")):
                await cache.set("key", "value")
            await there.namespace("a").clear()

            await self.is_dropped(here.namespace("a"), "key")
            await self.is_dropped(here.namespace("a").namespace("b"), "key")
            for cache in (here, there):
                assert await cache.get("key") == "value"
                assert await cache.namespace("c").get("key") == "value"

    async def test_a_new_term_holds_for_all(self) -> None:
        """A value that was touched in one process lasts for its new term in others."""
        async with self.opened() as here, self.opened() as there:
            await here.set_many({"longer": 1, "shorter": 2}, ttl=100_000)
            assert len(await there.get_many(["longer", "shorter"])) == 2
            assert await here.touch("longer", 300_000)
            assert await here.touch("shorter", 0.1)

            await self.is_dropped(there, "shorter")
            self.clock.leap(200_000)
            assert await there.get("longer") == 1

    async def test_old_values_help_all(self) -> None:
        """An old value that another process has loaded stands in for a load that fails."""
        source = Source("old")
        async with self.opened(ttl=100_000, stale_if_error=100_000) as here:
            await here.get_or_load("key", source)
        source.error = OSError("away")
        self.clock.leap(150_000)

        async with self.opened(ttl=100_000, stale_if_error=100_000) as there:
            assert await there.get_or_load("key", source) == "old"
            assert await there.get("key") is None

    async def test_errors_are_answers_for_all(self) -> None:
        """An error that is to be remembered is raised in other processes without a load."""
        source = Source()
        source.error = LookupError("no such thing")
        async with self.opened(errors={LookupError: 100_000}) as here:
            with pytest.raises(LookupError):
                await here.get_or_load("key", source)

        async with self.opened(errors={LookupError: 100_000}) as there:
            with pytest.raises(LookupError, match="no such thing"):
                await there.get_or_load("key", source)
        assert source.loads == 1

    async def test_functions_are_shared(self) -> None:
        """A function in several processes is computed once; its results have the type that it says it returns."""
        computed: list[str] = []

        def product_in(cache: Cache) -> SharedFunction[[str], Product]:
            @async_cached(cache=cache, name="product")
            async def product(sku: str) -> Product:
                computed.append(sku)
                return Product(sku, ("new",))

            return product

        async with self.opened() as here, self.opened() as there:
            product, same = product_in(here), product_in(there)
            assert await product("A1") == Product("A1", ("new",))

            async def is_there() -> bool:
                return await same.cache_contains("A1")

            await self.eventually(is_there)
            assert await same("A1") == Product("A1", ("new",))
            assert computed == ["A1"]

            await same.cache_invalidate("A1")

            async def is_gone() -> bool:
                return not await product.cache_contains("A1")

            await self.eventually(is_gone)
            assert await product("A1") == Product("A1", ("new",))
            assert computed == ["A1", "A1"]

    async def test_namespaces_of_a_store_never_meet(self) -> None:
        """Caches of other namespaces see nothing of each other, and forget nothing of each other."""
        async with self.opened() as here, self.opened(namespace=f"{self.namespace}-2") as other:
            await here.set("key", "mine", tags=["tag"])
            assert await other.get("key") is None
            await other.set("key", "its", tags=["tag"])
            await other.invalidate_tags("tag")
            await other.clear()

            assert await here.get("key") == "mine"
            assert await self.stored("key") == "mine"
            assert await other.get("key") is None

    async def test_the_last_of_rivals_is_seen_by_all(self) -> None:
        """Whoever of several processes was the last to set a key, in the end all give the same value."""
        async with self.opened() as here, self.opened() as there:
            for turn in range(5):
                rivals = (here.set("key", ("here", turn)), there.set("key", ("there", turn)))
                await asyncio.gather(*rivals, here.get("key"), there.get("key"))
                value = await self.stored("key")

                assert value in {("here", turn), ("there", turn)}
                await self.comes_to(here, "key", value)
                await self.comes_to(there, "key", value)


class FleetContract(SharedCacheContract):
    """The promises of caches whose store can change a key on a condition, and those of all that have a store."""

    @pytest.mark.parametrize("forget", ["delete", *FORGETTING])
    async def test_what_is_forgotten_elsewhere_holds_against_loads(self, forget: str) -> None:
        """What a load brings is kept by nobody if another process has forgotten it since the load began."""
        source = Source("old", is_held=True)
        async with self.opened() as here, self.opened() as there:
            call = asyncio.ensure_future(here.get_or_load("key", source, tags=["tag"]))
            await self.soon(source.begun.wait())
            await (there.delete("key") if forget == "delete" else FORGETTING[forget](there))
            source.go_on.set()
            await self.soon(call)

            await self.is_dropped(here, "key")
            assert await there.get("key") is None
        assert await self.stored("key") is None

    async def test_what_is_set_elsewhere_holds_against_loads(self) -> None:
        """A value that another process has set since a load began is not overwritten by what the load brings."""
        source = Source("old", is_held=True)
        async with self.opened() as here, self.opened() as there:
            call = asyncio.ensure_future(here.get_or_load("key", source))
            await self.soon(source.begun.wait())
            await there.set("key", "new")
            source.go_on.set()
            await self.soon(call)

            await self.comes_to(here, "key", "new")
            assert await there.get("key") == "new"
        assert await self.stored("key") == "new"

    async def test_of_two_loads_the_later_begun_is_seen_by_all(self) -> None:
        """A load that has begun before a deletion does not take the place of one that has begun after it."""
        early, late = Source("old", is_held=True), Source("new")
        async with self.opened() as here, self.opened() as there:
            call = asyncio.ensure_future(here.get_or_load("key", early))
            await self.soon(early.begun.wait())
            await there.delete("key")
            assert await there.get_or_load("key", late) == "new"
            early.go_on.set()
            await self.soon(call)

            await self.comes_to(here, "key", "new")
            await self.comes_to(there, "key", "new")
        assert await self.stored("key") == "new"

    async def test_a_fleet_loads_once(self) -> None:
        """With `coalesce="fleet"`, callers in several processes have a value by one load."""
        source = Source(is_held=True)
        fleet = {"coalesce": "fleet", "write": "through", "lease_ttl": 30}
        async with self.opened(**fleet) as a, self.opened(**fleet) as b, self.opened(**fleet) as c:
            calls = [asyncio.ensure_future(cache.get_or_load("key", source)) for cache in (a, b, c) for _ in range(20)]
            await self.soon(source.begun.wait())
            await asyncio.sleep(0.05)
            source.go_on.set()

            assert await self.soon(asyncio.gather(*calls)) == ["value"] * 60
            assert source.loads == 1

    async def test_a_fleet_goes_on_after_an_error(self) -> None:
        """If the load of one process fails, its own callers are told, and another process loads."""
        failing, working = Source(is_held=True), Source()
        failing.error = OSError("away")
        async with self.opened(coalesce="fleet", lease_ttl=30) as here, self.opened(coalesce="fleet") as there:
            call = asyncio.ensure_future(here.get_or_load("key", failing))
            await self.soon(failing.begun.wait())
            waiting = asyncio.ensure_future(there.get_or_load("key", working))
            await asyncio.sleep(0.05)
            assert working.loads == 0
            failing.go_on.set()

            with pytest.raises(OSError, match="away"):
                await self.soon(call)
            assert await self.soon(waiting) == "value"
