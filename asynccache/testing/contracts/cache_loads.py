"""What a cache promises of loads, even one that keeps nothing: one load for all who ask, and nobody pays for others."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from asynccache.decorator import async_cached
from asynccache.errors import CacheClosed, LoadCancelled, LoadTimeout, RecursiveLoad
from asynccache.testing.contracts.cache_base import CacheTests, Source, turns
from asynccache.testing.contracts.interruptions import ended, interrupted

T = TypeVar("T")

CALLERS = 50


async def _numbered(tasks: AsyncIterator[T]) -> AsyncIterator[tuple[int, T]]:
    number = 0
    async for task in tasks:
        yield number, task
        number += 1


class LoadTests(CacheTests):
    """Promises about loads."""

    async def test_a_load_is_shared(self) -> None:
        """Many who ask for a key at the same moment have its value by one load."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            calls = [asyncio.ensure_future(cache.get_or_load("key", source)) for _ in range(CALLERS)]
            await self.soon(source.begun.wait())
            await turns()
            source.go_on.set()

            assert await self.soon(asyncio.gather(*calls)) == ["value"] * CALLERS
            assert source.loads == 1

    async def test_loads_of_other_keys_are_others(self) -> None:
        """Each key has a load of its own, and its own value."""
        async with self.opened() as cache:
            sources = [Source(number) for number in range(CALLERS)]
            calls = [cache.get_or_load(("key", number), source) for number, source in enumerate(sources)]

            assert await self.soon(asyncio.gather(*calls)) == list(range(CALLERS))
            assert {source.loads for source in sources} == {1}

    async def test_an_error_is_raised_to_all(self) -> None:
        """What a load raises is raised to all who wait, and is not kept: the next call loads anew."""
        source = Source("later", is_held=True)
        source.error = LookupError("no such thing")
        async with self.opened() as cache:
            calls = [asyncio.ensure_future(cache.get_or_load("key", source)) for _ in range(3)]
            await self.soon(source.begun.wait())
            await turns()
            source.go_on.set()
            outcomes = await self.soon(asyncio.gather(*calls, return_exceptions=True))
            assert outcomes == [source.error] * 3
            assert source.loads == 1

            source.error = None
            assert await cache.get_or_load("key", source) == "later"

    async def test_who_is_cancelled_leaves_alone(self) -> None:
        """A caller that is cancelled leaves at once; the others get the value by the same load."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            calls = [asyncio.ensure_future(cache.get_or_load("key", source)) for _ in range(3)]
            await self.soon(source.begun.wait())
            await turns()
            calls[0].cancel()
            await asyncio.wait([calls[0]])
            assert calls[0].cancelled()

            source.go_on.set()
            assert await self.soon(asyncio.gather(*calls[1:])) == ["value"] * 2
            assert source.loads == 1

    async def test_the_last_to_leave_ends_the_load(self) -> None:
        """A load that nobody waits for any more is cancelled, and the next call begins another."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            call = asyncio.ensure_future(cache.get_or_load("key", source))
            await self.soon(source.begun.wait())
            call.cancel()
            await asyncio.wait([call])
            await turns()
            assert cache.stats().in_flight == 0

            source.go_on.set()
            assert await self.soon(cache.get_or_load("key", source)) == "value"
            assert source.loads == 2

    async def test_loads_cancelled_anywhere(self) -> None:
        """However far a call has come when it is cancelled, the next one has the value."""
        numbers = itertools.count()
        async with self.opened() as cache:
            tasks = interrupted(lambda: cache.get_or_load((number := next(numbers)), Source(number)))
            async for number, task in _numbered(tasks):
                await ended(task)
                assert await self.soon(cache.get_or_load(number, Source(number))) == number

    async def test_a_load_that_is_cancelled_from_inside(self) -> None:
        """A load that cancels itself is a `LoadCancelled` to callers who were not cancelled."""
        source = Source()
        source.error = asyncio.CancelledError()
        async with self.opened() as cache:
            with pytest.raises(LoadCancelled):
                await self.soon(cache.get_or_load("key", source))

    async def test_a_load_that_takes_too_long(self) -> None:
        """After its `timeout` a load is given up, and the key is free."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            with pytest.raises(LoadTimeout):
                await self.soon(cache.get_or_load("key", source, timeout=0.01))
            source.go_on.set()

            assert await self.soon(cache.get_or_load("key", source)) == "value"

    async def test_a_load_that_waits_for_itself(self) -> None:
        """A load that asks for its own key is told so at once."""
        async with self.opened() as cache:

            async def load() -> Any:
                return await cache.get_or_load("key", load)

            with pytest.raises(RecursiveLoad):
                await self.soon(cache.get_or_load("key", load))

    async def test_many_keys_are_loaded_by_one_call(self) -> None:
        """`get_or_load_many` asks once for all keys, in a mapping by their order; what is left out is left out."""
        asked: list[list[Any]] = []

        async def load_many(keys: list[Any]) -> dict[Any, Any]:
            asked.append(keys)
            return {key: f"value of {key}" for key in reversed(keys) if key != "no such"}

        async with self.opened() as cache:
            found = await cache.get_or_load_many(["b", "no such", "a", "b"], load_many)

            assert list(found.items()) == [("b", "value of b"), ("a", "value of a")]
            assert [sorted(keys) for keys in asked] == [["a", "b", "no such"]]

    async def test_many_keys_join_loads(self) -> None:
        """`get_or_load_many` waits for a load that is under way, and loads the rest."""
        source, rest = Source("joined", is_held=True), Source()
        asked: list[Any] = []

        async def load_many(keys: list[Any]) -> list[Any]:
            asked.extend(keys)
            await rest()
            return ["loaded" for _ in keys]

        async with self.opened() as cache:
            one = asyncio.ensure_future(cache.get_or_load("a", source))
            await self.soon(source.begun.wait())
            many = asyncio.ensure_future(cache.get_or_load_many(["a", "b"], load_many))
            await self.soon(rest.begun.wait())
            source.go_on.set()

            assert await self.soon(many) == {"a": "joined", "b": "loaded"}
            assert await one == "joined"
            assert (asked, source.loads) == (["b"], 1)

    async def test_an_error_of_many_is_raised(self) -> None:
        """What a load of many raises is raised."""

        async def load_many(keys: list[Any]) -> dict[Any, Any]:
            raise LookupError(*keys)

        async with self.opened() as cache:
            with pytest.raises(LookupError):
                await cache.get_or_load_many(["a", "b"], load_many)

    async def test_a_function_is_computed_once(self) -> None:
        """Many calls of a function at the same moment are one computation; its errors reach all."""
        computed: list[int] = []
        async with self.opened() as cache:

            @async_cached(cache=cache)
            async def half(number: int) -> int:
                computed.append(number)
                await asyncio.sleep(0.01)
                if number % 2:
                    raise ValueError(number)
                return number // 2

            assert await self.soon(asyncio.gather(*(half(number=8) for _ in range(CALLERS)))) == [4] * CALLERS
            outcomes = await self.soon(asyncio.gather(half(7), half(7), return_exceptions=True))

            assert [type(outcome) for outcome in outcomes] == [ValueError] * 2
            assert computed == [8, 7]

    async def test_a_load_outside_of_the_cache(self) -> None:
        """Inside of `disabled()` each call makes its own load."""
        source = Source()
        async with self.opened() as cache:
            with cache.disabled():
                assert await cache.get_or_load("key", source) == "value"
                assert await cache.get_or_load("key", source) == "value"
                assert await cache.get("key") is None
            assert source.loads == 2

    async def test_closing_ends_loads(self) -> None:
        """Who waits for a load when the cache is closed is told, and none is left."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            call = asyncio.ensure_future(cache.get_or_load("key", source))
            await self.soon(source.begun.wait())
            await self.soon(cache.aclose())

            with pytest.raises(LoadCancelled):
                await self.soon(call)
            assert cache.stats().in_flight == 0

    async def test_closing_may_wait_for_loads(self) -> None:
        """With `wait`, a load may end by itself before the cache is closed."""
        source = Source(is_held=True)
        async with self.opened() as cache:
            call = asyncio.ensure_future(cache.get_or_load("key", source))
            await self.soon(source.begun.wait())
            closing = asyncio.ensure_future(cache.aclose(wait=True))
            await turns()
            source.go_on.set()

            assert await self.soon(call) == "value"
            await self.soon(closing)

    async def test_a_closed_cache_says_so(self) -> None:
        """What reads, loads or stores raises `CacheClosed` after the end; to close it once more does nothing."""
        async with self.opened() as cache:
            await cache.aclose()
            await cache.aclose()

            calls: tuple[Callable[[], Awaitable[Any]], ...] = (
                partial(cache.get, "key"),
                partial(cache.get_many, ["key"]),
                partial(cache.set, "key", "value"),
                partial(cache.set_many, {"key": "value"}),
                partial(cache.get_or_load, "key", Source()),
                cache.__aenter__,
            )
            for call in calls:
                with pytest.raises(CacheClosed):
                    await call()
            await cache.clear()
            assert not await cache.delete("key")

    async def test_options_that_cannot_be_meant(self) -> None:
        """A mistake in an option is told at once, and nothing is loaded."""
        source = Source()
        async with self.opened() as cache:
            with pytest.raises(TypeError, match="ttl"):
                await cache.get_or_load("key", source, tll=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
            with pytest.raises(ValueError, match="ttl"):
                await cache.get_or_load("key", source, ttl=-1)
            with pytest.raises(TypeError):
                await cache.get_or_load(["a", "list"], source)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            assert source.loads == 0
