"""Functions that are decorated in two processes with caches over one store: one function, to the store."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from asynccache import async_cached
from tests.shared.world import World, turns


@dataclass(frozen=True)
class Price:
    """What a function returns."""

    amount: Decimal
    since: datetime
    tags: tuple[str, ...] = ()


OLD = Price(Decimal("1.50"), datetime(2026, 1, 1, tzinfo=UTC), ("new",))
NEW = Price(Decimal("2.50"), datetime(2026, 1, 2, tzinfo=UTC))


class Program:
    """The function of one process, as each process would import it.

    Attributes:
        loads: what was loaded, by whom.
        truth: what a load gives.
    """

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.truth = OLD
        self.error: Exception | None = None

    def price_in(self, cache: Any, **options: Any) -> Any:
        """Decorate the function in one process."""

        @async_cached(cache=cache, name="prices.price", **options)
        async def price(sku: str, currency: str = "EUR") -> Price:
            self.loads.append(sku)
            if self.error is not None:
                raise self.error
            return self.truth

        return price


TIERS = [{}, {"maxsize": 0}]


@pytest.mark.parametrize("tier", TIERS)
async def test_a_function_is_computed_once_for_all(world: World, tier: dict[str, Any]) -> None:
    """One process's result is another's, of the very type that the function says it returns."""
    a, b = await world.pair(**tier)
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    assert await here("A1") == OLD
    assert await there("A1") == OLD
    assert await there(sku="A1", currency="EUR") == OLD
    assert program.loads == ["A1"]


async def test_another_version_is_another_function(world: World) -> None:
    """A new version neither finds nor replaces what the old one has left."""
    a, b = await world.pair()
    program = Program()
    old, new = program.price_in(a.cache), program.price_in(b.cache, version=2)
    assert await old("A1") == OLD
    program.truth = NEW
    assert await new("A1") == NEW
    assert await old("A1") == OLD
    assert program.loads == ["A1", "A1"]


@pytest.mark.parametrize("tier", TIERS)
async def test_an_invalidated_call_is_computed_anew_by_all(world: World, tier: dict[str, Any]) -> None:
    """`cache_invalidate` is for the call as it is spelled, in all processes."""
    a, b = await world.pair(**tier)
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    for sku in ("A1", "B2"):
        await here(sku)
        await there(sku)
    program.truth = NEW
    await there.cache_invalidate("A1")
    await turns()
    assert await here("A1") == NEW
    assert await there("A1") == NEW
    assert await here("B2") == OLD


@pytest.mark.parametrize("tier", TIERS)
async def test_a_cleared_function_is_computed_anew_by_all(world: World, tier: dict[str, Any]) -> None:
    """`cache_clear` clears one function's values, and nobody else's, in all processes."""
    a, b = await world.pair(**tier)
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    await a.cache.set("A1", "beside")
    await here("A1")
    await there("A1")
    program.truth = NEW
    await there.cache_clear()
    await turns()
    assert await here("A1") == NEW
    assert await there("A1") == NEW
    assert await b.cache.get("A1") == "beside"


@pytest.mark.parametrize("tier", TIERS)
async def test_what_is_put_is_there_for_all(world: World, tier: dict[str, Any]) -> None:
    """`cache_put` replaces a result in all processes."""
    a, b = await world.pair(**tier)
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    assert await there("A1") == OLD
    await here.cache_put(NEW, "A1")
    await turns()
    assert await here("A1") == NEW
    assert await there("A1") == NEW
    assert program.loads == ["A1"]


@pytest.mark.parametrize("tier", TIERS)
async def test_a_refreshed_call_is_refreshed_for_all(world: World, tier: dict[str, Any]) -> None:
    """`cache_refresh` computes whatever is stored, and all processes have the result."""
    a, b = await world.pair(**tier)
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    assert await here("A1") == OLD
    assert await there("A1") == OLD
    program.truth = NEW
    assert await here.cache_refresh("A1") == NEW
    await turns()
    assert await there("A1") == NEW
    assert program.loads == ["A1", "A1"]


async def test_tags_of_functions_reach_all(world: World) -> None:
    """A function of result and arguments tells tags, and they are invalidated for all."""
    a, b = await world.pair()
    program = Program()
    options: dict[str, Any] = {"tags": lambda _price, sku, currency="EUR": [f"{sku} {currency}"]}
    here, there = program.price_in(a.cache, **options), program.price_in(b.cache, **options)
    await here("A1")
    await there("A1", "USD")
    program.truth = NEW
    await a.cache.invalidate_tags("A1 EUR")
    await turns()
    assert await there("A1") == NEW
    assert await here("A1", "USD") == OLD


async def test_errors_that_are_answers_are_answers_for_all(world: World) -> None:
    """An error named in `errors` is raised in other processes without a load, with its arguments, and in time."""
    a, b = await world.pair()
    program = Program()
    options: dict[str, Any] = {"errors": {KeyError: 5}}
    here, there = program.price_in(a.cache, **options), program.price_in(b.cache, **options)
    program.error = KeyError("no such product", 7)
    with pytest.raises(KeyError) as first:
        await here("A1")
    program.error = None
    for call in (there, there, here):
        with pytest.raises(KeyError) as second:
            await call("A1")
        assert second.value.args == first.value.args
    assert program.loads == ["A1"]
    world.clock.advance(5.1)
    assert await there("A1") == OLD
    assert await here("A1") == OLD


async def test_errors_that_are_no_answers_are_not_remembered(world: World) -> None:
    """An error that is not named is raised once, by whoever has asked."""
    a, b = await world.pair()
    program = Program()
    here, there = (program.price_in(process.cache, errors={KeyError: 5}) for process in (a, b))
    program.error = OSError("down")
    with pytest.raises(OSError, match="down"):
        await here("A1")
    program.error = None
    assert await there("A1") == OLD


async def test_a_remembered_error_is_no_value_for_who_names_no_errors(world: World) -> None:
    """Who has not said that an error is an answer computes anew."""
    a, b = await world.pair()
    program = Program()
    here, there = program.price_in(a.cache, errors={KeyError: 50}), program.price_in(b.cache)
    program.error = KeyError("A1")
    with pytest.raises(KeyError):
        await here("A1")
    program.error = None
    assert await there("A1") == OLD
    await turns()
    assert await here("A1") == OLD


async def test_a_remembered_error_goes_when_it_is_invalidated(world: World) -> None:
    """An error is forgotten like any value, everywhere."""
    a, b = await world.pair()
    program = Program()
    here, there = (program.price_in(process.cache, errors={KeyError: 50}) for process in (a, b))
    program.error = KeyError("A1")
    for call in (here, there):
        with pytest.raises(KeyError):
            await call("A1")
    program.error = None
    await there.cache_invalidate("A1")
    await turns()
    assert await here("A1") == OLD
    assert await there("A1") == OLD


async def test_what_a_batch_has_loaded_is_not_loaded_in_the_other_process(world: World) -> None:
    """`batched` functions ask for what no process has."""
    a, b = await world.pair()
    await a.cache.clear()
    asked: list[list[int]] = []

    def names_in(cache: Any) -> Any:
        decorate: Any = async_cached.batched(cache=cache, name="users.names")

        @decorate  # type: ignore[untyped-decorator]  # it is what a program would write, in one step
        async def names(numbers: list[int]) -> list[str]:
            asked.append(sorted(numbers))
            return [f"user {number}" for number in numbers]

        return names

    here, there = names_in(a.cache), names_in(b.cache)
    assert list(await asyncio.gather(here(1), here(2))) == ["user 1", "user 2"]
    assert list(await asyncio.gather(there(3), there(1), there(2))) == ["user 3", "user 1", "user 2"]
    assert asked == [[1, 2], [3]]
    await there.cache_invalidate(1)
    await turns()
    assert list(await asyncio.gather(here(1), here(2))) == ["user 1", "user 2"]
    assert asked == [[1, 2], [3], [1]]


async def test_a_method_is_shared_by_what_its_instances_are_told_apart_by(world: World) -> None:
    """Instances in two processes that say they are the same share their results."""
    a, b = await world.pair()
    loads: list[int] = []

    def shop_in(cache: Any) -> Any:
        class Shop:
            def __init__(self, number: int) -> None:
                self.number = number

            @async_cached(cache=cache, name="shops.name", key=lambda self: self.number)
            async def name(self) -> str:
                loads.append(self.number)
                return f"shop {self.number}"

        return Shop

    here, there = shop_in(a.cache), shop_in(b.cache)
    assert await here(1).name() == "shop 1"
    assert await there(1).name() == "shop 1"
    assert await there(2).name() == "shop 2"
    assert loads == [1, 2]


async def test_cache_contains_and_peek_see_the_store(world: World) -> None:
    """What another process has computed is there for whoever looks."""
    a, b = await world.pair()
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    await here("A1")
    assert await there.cache_contains("A1")
    assert await there.cache_peek("A1") == OLD
    assert not await there.cache_contains("B2")
    assert program.loads == ["A1"]


async def test_cache_info_counts_what_was_found_in_the_store_as_a_hit(world: World) -> None:
    """A call that needs no load is a hit of the function."""
    a, b = await world.pair()
    program = Program()
    here, there = program.price_in(a.cache), program.price_in(b.cache)
    await here("A1")
    await there("A1")
    await there("A1")
    assert (here.cache_info().hits, here.cache_info().misses) == (0, 1)
    assert (there.cache_info().hits, there.cache_info().misses) == (2, 0)
