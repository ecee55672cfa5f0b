"""`current_load()`: what a load can ask and say about itself."""

import asyncio
import contextvars

import pytest

from asynccache import MISSING, async_cached
from asynccache.flight.loading import Load, current_load
from tests.flight.gates import Gate, together, turns
from tests.freshness.telling import set_to, telling

# --- what it knows --------------------------------------------------------------------------------------------------


async def test_the_key() -> None:
    """It is that of `cache_key`; of a method, too."""
    keys: list[object] = []
    _, _, load = telling(lambda load: keys.append(load.key))

    class Shop:
        """Has prices."""

        @async_cached
        async def price(self, item: int, currency: str = "EUR") -> None:
            """Note the key."""
            keys.append(current_load().key)

    shop = Shop()
    await load(7)
    await shop.price(7)
    assert keys == [load.cache_key(7), shop.price.cache_key(7, currency="EUR")]


async def test_the_value_that_there_is() -> None:
    """`stale` is the stored value, fresh or old; `MISSING` at the first load, after an invalidation, and once gone."""
    seen: list[object] = []
    clock, _, load = telling(lambda load: seen.append(load.stale), stale=10, tags=("all",))
    await load(1)
    await load.cache_refresh(1)
    clock.advance(11)
    await load(1)
    await turns()
    assert seen == [MISSING, "value 1", "value 2"]
    load.cache_invalidate(1)
    await load(1)
    load.cache_invalidate_tags("all")
    await load(1)
    clock.advance(20)
    await load(1)
    assert seen[3:] == [MISSING] * 3


async def test_a_value_that_is_only_kept_in_case_of_failure() -> None:
    """It is there for a conditional request, up to the end of `stale_if_error`."""
    seen: list[object] = []
    clock, _, load = telling(lambda load: seen.append(load.stale), stale_if_error=10)
    await load(1)
    clock.advance(15)
    await load(1)
    assert seen == [MISSING, "value 1"]


async def test_one_load_is_one_object() -> None:
    """Whoever asks within a load, in whatever task or thread it spreads to, is given the same."""
    seen: list[Load] = []

    async def ask() -> None:
        seen.append(current_load())

    @async_cached
    async def load(key: int) -> None:
        await asyncio.gather(ask(), asyncio.create_task(ask()))
        seen.append(await asyncio.to_thread(current_load))

    await load(1)
    assert len(seen) == 3
    assert len(set(map(id, seen))) == 1


async def test_loads_within_loads() -> None:
    """Each load has its own; after an inner one has ended the outer one's is the current one again."""
    found: list[object] = []

    @async_cached
    async def inner(key: int) -> None:
        found.append(("inner", current_load().key == inner.cache_key(key)))

    @async_cached
    async def outer(key: int) -> None:
        await inner(key + 1)
        found.append(("outer", current_load().key == outer.cache_key(key)))

    await outer(1)
    assert found == [("inner", True), ("outer", True)]


@pytest.mark.parametrize("context", ["caller", "empty"])
async def test_in_whatever_context_it_runs(context: str) -> None:
    """Also where loads run in an empty context."""
    _, _, load = telling(set_to("store", False), context=context)
    await load(1)
    assert load.cache_info().currsize == 0


# --- where there is none --------------------------------------------------------------------------------------------


async def test_outside_of_a_load() -> None:
    """There is no current load in a task of its own, in the code that called, or in the bare function."""

    @async_cached
    async def load(key: int) -> None:
        current_load()

    await load(1)
    with pytest.raises(RuntimeError, match="no load here"):
        current_load()
    with pytest.raises(RuntimeError, match="no load here"):
        await load.__wrapped__(1)
    with pytest.raises(RuntimeError, match="no load here"):
        contextvars.copy_context().run(current_load)


@pytest.mark.parametrize("ends", ["well", "badly", "cancelled"])
async def test_in_a_task_that_outlives_the_load(ends: str) -> None:
    """Once the load has ended, however, there is none any more; what it still says is said to nobody."""
    gate: Gate[str] = Gate()
    after: Gate[None] = Gate()
    found: list[object] = []
    left: list[asyncio.Task[None]] = []

    async def outlive() -> None:
        held = current_load()
        await after.load()
        held.store, held.ttl = False, 1
        try:
            current_load()
        except RuntimeError as error:
            found.append(type(error))

    @async_cached(ttl=10)
    async def load(key: int) -> str:
        left.append(asyncio.create_task(outlive()))
        return await gate.load(key)

    task = asyncio.create_task(load(1))
    await turns()
    if ends == "well":
        gate.give("value")
    elif ends == "badly":
        gate.fail(OSError())
    else:
        task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None or isinstance(task.exception(), OSError)
    await turns()
    after.give(None)
    await together(*left)
    assert found == [RuntimeError]
    assert load.cache_peek(1) == ("value" if ends == "well" else MISSING)
