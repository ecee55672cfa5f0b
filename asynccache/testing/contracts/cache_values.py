"""What a cache promises of values: what was stored last is given, as it was, for as long as it was to last."""

import asyncio
import datetime
import uuid
from decimal import Decimal
from typing import Any, Final

import pytest

from asynccache.cache.cache import Cache
from asynccache.protocols import MISSING
from asynccache.testing.contracts.cache_base import CacheTests, Source, turns
from asynccache.testing.contracts.interruptions import ended, interrupted

VALUES: Final[dict[str, Any]] = {
    "none": None,
    "truth": [True, False, 1, 0, 1.0, -0.5, 2**80],
    "text": "käse €\r\n\0 \ud800",
    "bytes": bytes(range(256)),
    "nested": {"a": [(1, ("b",), [])], 5: {"x", "y"}, (1, 2): frozenset({3})},
    "times": [datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC), datetime.date(2026, 1, 1)],
    "numbers": [Decimal("9.90"), uuid.UUID(int=7), datetime.timedelta(seconds=1.5)],
    "large": "0123456789" * 30_000,
}
"""Plain data of all kinds, by what it is."""

KEYS: Final[tuple[Any, ...]] = (
    "key", "", " ", "a:b", "käse\r\n€", "*", 7, -1, 2**70, 1.5, None, b"\0\xff", "7", "None", ("user", 7),
    ("user", "7"), (("user",), 7), (), ("",), "x" * 2_000, "x" * 2_001, datetime.date(2026, 1, 1),
)  # fmt: skip
"""Keys that are not equal."""


class ValueTests(CacheTests):
    """Promises about values."""

    async def test_nothing_is_there_at_first(self) -> None:
        """What was never stored is not given."""
        async with self.opened() as cache:
            assert await cache.get("key") is None
            assert await cache.get("key", MISSING) is MISSING
            assert await cache.peek("key", "default") == "default"
            assert await cache.get_many(["a", "b"]) == {}
            assert not await cache.contains("key")
            assert not await cache.delete("key")
            assert await cache.delete_many(["a", "b"]) == 0
            assert not await cache.touch("key", 10)

    async def test_what_was_stored_last_is_given(self) -> None:
        """Each way to read gives what was stored last."""
        async with self.opened() as cache:
            await cache.set("key", "first")
            await cache.set("key", "second")

            assert await cache.get("key", "default") == "second"
            assert await cache.peek("key") == "second"
            assert await cache.contains("key")
            assert await cache.get_many(["key", "other"]) == {"key": "second"}

    @pytest.mark.parametrize("kind", VALUES)
    async def test_values_come_back_as_they_were(self, kind: str) -> None:
        """Plain data is given as it was stored, with all types."""
        async with self.opened() as cache:
            await cache.set("set", VALUES[kind])
            await cache.get_or_load("loaded", Source(VALUES[kind]))
            for key in ("set", "loaded"):
                found = await cache.get(key, MISSING)
                assert found == VALUES[kind]
                assert types_of(found) == types_of(VALUES[kind])

    async def test_keys_are_told_apart(self) -> None:
        """Keys that are not equal are not mixed up, whatever they look like."""
        async with self.opened() as cache:
            await cache.set_many({key: number for number, key in enumerate(KEYS)})

            assert await cache.get_many(KEYS) == {key: number for number, key in enumerate(KEYS)}
            for number, key in enumerate(KEYS):
                assert await cache.get(key) == number

    async def test_equal_keys_are_one(self) -> None:
        """Keys that Python takes for equal are one key."""
        async with self.opened() as cache:
            await cache.set(1, "one")
            await cache.set(("a", 2.0), "two")

            assert [await cache.get(key) for key in (1.0, True)] == ["one", "one"]
            assert await cache.get(("a", 2)) == "two"

    async def test_none_is_a_value(self) -> None:
        """A load that gives None is not made again."""
        source = Source(None)
        async with self.opened() as cache:
            assert await cache.get_or_load("key", source) is None
            assert await cache.get_or_load("key", source) is None
            assert await cache.contains("key")
            assert source.loads == 1

    async def test_what_was_loaded_is_kept(self) -> None:
        """A value that was loaded is given without another load, one by one and several at once."""
        source = Source()

        async def load_many(keys: list[str]) -> dict[str, str]:
            return {key: f"value of {key}" for key in keys}

        async with self.opened() as cache:
            await cache.get_or_load("a", source)
            assert await cache.get_or_load("a", source) == "value"
            assert await cache.get_or_load_many(["a", "b"], load_many) == {"a": "value", "b": "value of b"}
            assert await cache.get_or_load("b", source) == "value of b"
            assert source.loads == 1

    async def test_what_was_deleted_is_gone(self) -> None:
        """A deletion takes away what it names and nothing else; it can be stored again."""
        async with self.opened() as cache:
            await cache.set_many({"a": 1, "b": 2, "c": 3, "d": 4})
            await cache.delete("a")
            await cache.delete_many(["b", "c", "never"])
            assert await cache.get_many(["a", "b", "c", "d"]) == {"d": 4}

            await cache.set("a", 5)
            assert await cache.get_or_load("b", Source(6)) == 6
            assert await cache.get_many(["a", "b"]) == {"a": 5, "b": 6}

    async def test_a_deletion_holds_against_loads(self) -> None:
        """A load that was under way when its key was deleted gives its value to who waits, and it is not kept."""
        source = Source("old", is_held=True)
        async with self.opened() as cache:
            call = await self.begun(cache, source)
            await cache.delete("key")
            source.go_on.set()

            assert await self.soon(call) == "old"
            assert await cache.get("key") is None

    async def test_a_value_holds_against_loads(self) -> None:
        """A value that was set while a load was under way stays."""
        source = Source("old", is_held=True)
        async with self.opened() as cache:
            call = await self.begun(cache, source)
            await cache.set("key", "new")
            source.go_on.set()

            assert await self.soon(call) in {"old", "new"}
            assert await cache.get("key") == "new"

    async def begun(self, cache: Cache, source: Source, **options: Any) -> "asyncio.Future[Any]":
        """Begin a load that is held up."""
        call = asyncio.ensure_future(cache.get_or_load("key", source, **options))
        await self.soon(source.begun.wait())
        return call

    async def test_writes_cancelled_anywhere(self) -> None:
        """A write that was cancelled is done or not, and never undoes what comes after it."""
        async with self.opened() as cache:
            for call in (lambda: cache.set("key", "cancelled"), lambda: cache.delete_many(["key"])):
                async for task in interrupted(call):
                    await ended(task)
                    await cache.set("key", "later")
                    await turns(5)
                    assert await cache.get("key") == "later"

    async def test_deletions_cancelled_anywhere(self) -> None:
        """A deletion that has begun is done, even if its caller does not wait for that."""
        begun: list[int] = []
        async with self.opened() as cache:

            async def delete() -> None:
                begun.append(0)
                await cache.delete("key")

            await cache.set("key", "value")
            async for task in interrupted(delete):
                await ended(task)
                assert await cache.get("key") == (None if begun else "value")
                await cache.set("key", "value")
                begun.clear()

    async def test_loops_in_threads(self) -> None:
        """Event loops in several threads share what is stored."""

        async def work(number: int) -> None:
            for turn in range(5):
                await cache.set(number, turn)
                assert await cache.get_many([number, "all"]) == {number: turn, "all": "x"}
                assert await cache.get_or_load((number, turn), Source(turn)) == turn

        async with self.opened() as cache:
            await cache.set("all", "x")
            await asyncio.gather(*(asyncio.to_thread(asyncio.run, work(number)) for number in range(3)), work(3))

            assert await cache.get_many(range(4)) == dict.fromkeys(range(4), 4)


class TimeTests(CacheTests):
    """Promises about time."""

    async def test_a_value_lasts_for_its_ttl(self) -> None:
        """A value is given for all of its time, and not a moment longer."""
        async with self.opened() as cache:
            await cache.set("short", 1, ttl=10)
            await cache.set("long", 2)
            await cache.get_or_load("loaded", Source(3), ttl=10)
            await self.leap(cache, 8)
            assert await cache.get_many(["short", "long", "loaded"]) == {"short": 1, "long": 2, "loaded": 3}

            await self.leap(cache, 2)
            assert await cache.get_many(["short", "long", "loaded"]) == {"long": 2}
            assert not await cache.contains("short")
            assert await cache.peek("loaded") is None

    async def test_the_ttl_of_a_cache_is_for_all(self) -> None:
        """What says nothing of its time has that of the cache."""
        async with self.opened(ttl=10) as cache:
            await cache.set_many({"as all": 1})
            await cache.set("for ever", 2, ttl=None)
            await self.leap(cache, 10)

            assert await cache.get_many(["as all", "for ever"]) == {"for ever": 2}

    async def test_no_time_is_not_kept(self) -> None:
        """With a ttl of 0 nothing is kept, not even what was there before."""
        source = Source()
        async with self.opened() as cache:
            await cache.set("key", "before")
            await cache.set("key", "now", ttl=0)
            assert await cache.get("key") is None

            assert await cache.get_or_load("key", source, ttl=0) == "value"
            assert await cache.get_or_load("key", source, ttl=0) == "value"
            assert source.loads == 2

    async def test_a_value_may_begin_a_new_term(self) -> None:
        """To touch a value gives it a new term from now on, longer or shorter."""
        async with self.opened() as cache:
            await cache.set_many({"longer": 1, "shorter": 2, "endless": 3}, ttl=10)
            await self.leap(cache, 5)
            assert await cache.touch("longer", 10)
            assert await cache.touch("shorter", 1)
            assert await cache.touch("endless", None)
            await self.leap(cache, 6)
            assert await cache.get_many(["longer", "shorter", "endless"]) == {"longer": 1, "endless": 3}

            await self.leap(cache, 5)
            assert await cache.get_many(["longer", "endless"]) == {"endless": 3}
            assert not await cache.touch("longer", 10)

    async def test_an_old_value_is_given_while_a_new_one_is_loaded(self) -> None:
        """Within `stale`, the old value is given at once, and a load behind brings the new one."""
        source = Source("old")
        async with self.opened(ttl=10_000, stale=10_000) as cache:
            await cache.get_or_load("key", source)
            source.value = "new"
            source.go_on.clear()
            await self.leap(cache, 11_000)

            assert await cache.get("key") is None
            assert await self.soon(cache.get_or_load("key", source)) == "old"
            source.go_on.set()
            await self.comes_to(cache, "key", "new")
            assert source.loads == 2

    async def test_an_old_value_is_better_than_an_error(self) -> None:
        """Within `stale_if_error`, the old value stands in for a load that fails; after it, the error is raised."""
        source = Source("old")
        async with self.opened(ttl=10, stale_if_error=100) as cache:
            await cache.get_or_load("key", source)
            source.error = OSError("away")
            await self.leap(cache, 50)
            assert await cache.get_or_load("key", source) == "old"

            await self.leap(cache, 100)
            with pytest.raises(OSError, match="away"):
                await cache.get_or_load("key", source)

    async def test_an_error_may_be_an_answer(self) -> None:
        """An error that is to be remembered is raised again without a load, for its time."""
        source = Source()
        source.error = LookupError("no such thing")
        async with self.opened(errors={LookupError: 10}) as cache:
            for _ in range(2):
                with pytest.raises(LookupError, match="no such thing"):
                    await cache.get_or_load("key", source)
            assert source.loads == 1
            assert await cache.get("key") is None

            source.error = None
            await self.leap(cache, 10)
            assert await cache.get_or_load("key", source) == "value"

    async def test_values_may_be_loaded_anew(self) -> None:
        """Inside of `refreshing()` values are loaded whatever is there, and kept."""
        source = Source("old")
        async with self.opened() as cache:
            await cache.get_or_load("key", source)
            await self.leap(cache, 0)
            source.value = "new"
            with cache.refreshing():
                assert await cache.get_or_load("key", source) == "new"

            assert await cache.get("key") == "new"
            assert source.loads == 2

    async def test_what_is_set_in_a_disabled_cache(self) -> None:
        """Inside of `disabled()` nothing is stored, and what is set is forgotten: nobody finds the old value."""
        async with self.opened() as cache:
            await cache.set_many({"a": "old", "b": "kept"})
            with cache.disabled():
                await cache.set("a", "new")
                assert await cache.get("b") is None

            assert await cache.get_many(["a", "b"]) == {"b": "kept"}


def types_of(value: Any) -> list[str]:
    """Name the types that plain data is made of, in the order in which it tells them."""
    name = type(value).__name__
    parts: list[Any] = []
    if name == "dict":
        parts = [part for pair in value.items() for part in pair]
    elif name in {"list", "tuple"}:
        parts = list(value)
    return [name, *(inner for part in parts for inner in types_of(part))]
