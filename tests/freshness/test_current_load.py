"""`current_load()`: what a load can ask and say about itself."""

import asyncio
import contextvars
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from asynccache import MISSING, async_cached
from asynccache.loading import Load, current_load
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, together, turns

Say = Callable[[Load], object]


def telling(say: Say, **options: Any) -> tuple[ManualClock, list[int], Any]:
    """Give a clock, the keys that were loaded, and a function whose loads say something."""
    clock = ManualClock()
    loaded: list[int] = []

    async def load(key: int) -> str:
        loaded.append(key)
        say(current_load())
        return f"value {len(loaded)}"

    chosen: dict[str, Any] = {"ttl": 10, "clock": clock} | options
    return clock, loaded, async_cached(**chosen)(load)


def set_to(name: str, value: object) -> Say:
    """Make what sets an attribute."""
    return lambda load: setattr(load, name, value)


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


# --- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [3, 3.0, timedelta(seconds=3)])
async def test_its_time_to_live(ttl: object) -> None:
    """The value is fresh for as long as its load says, in place of the option."""
    clock, loaded, load = telling(set_to("ttl", ttl))
    await load(1)
    clock.advance(2.5)
    assert await load(1) == "value 1"
    clock.advance(0.5)
    assert await load(1) == "value 2"
    assert loaded == [1, 1]


async def test_a_value_that_lives_for_ever_and_one_that_does_not_live() -> None:
    """None keeps it for ever; 0 does not keep it, though those who wait get it."""
    clock, loaded, load = telling(set_to("ttl", None))
    await load(1)
    clock.advance(1e9)
    assert (await load(1), loaded) == ("value 1", [1])
    _, loaded, load = telling(set_to("ttl", 0))
    assert [await load(1), await load(1)] == ["value 1", "value 2"]
    assert load.cache_info().currsize == 0


async def test_windows_begin_where_its_time_to_live_ends() -> None:
    """`stale` counts from the end of the ttl that the load has said."""
    clock, loaded, load = telling(set_to("ttl", 3), stale=5)
    await load(1)
    clock.advance(7.5)
    assert await load(1) == "value 1"
    await turns()
    assert loaded == [1, 1]
    clock.advance(8)
    assert await load(1) == "value 3"


async def test_not_to_be_stored() -> None:
    """With `store = False` the value goes to those who wait, and nobody else."""
    _, _, load = telling(set_to("store", False))
    assert await together(*(load(1) for _ in range(3))) == ["value 1"] * 3
    await turns()
    assert load.cache_info().currsize == 0
    assert await load(1) == "value 2"


async def test_an_error_that_is_not_to_be_remembered() -> None:
    """`store = False` holds for an error that would be remembered, too."""
    calls = 0

    @async_cached(errors={KeyError: 50})
    async def load(key: int) -> None:
        nonlocal calls
        calls += 1
        current_load().store = False
        raise KeyError(key)

    for _ in range(2):
        with pytest.raises(KeyError):
            await load(1)
    assert calls == 2


async def test_its_tags() -> None:
    """They are in place of those that the options give; none at all, if it says so."""
    _, _, load = telling(set_to("tags", ["special"]), tags=("usual",))
    await load(1)
    load.cache_invalidate_tags("usual")
    assert load.cache_peek(1) == "value 1"
    load.cache_invalidate_tags("special")
    assert load.cache_peek(1) is MISSING


async def test_what_is_said_counts_for_this_load_alone() -> None:
    """The next load of the same key begins with the options again."""
    said = [3.0]

    def say_once(load: Load) -> None:
        if said:
            load.ttl = said.pop()

    clock, loaded, load = telling(say_once)
    await load(1)
    clock.advance(3)
    await load(1)
    clock.advance(9)
    assert await load(1) == "value 2"
    assert loaded == [1, 1]


async def test_nothing_said_changes_nothing() -> None:
    """A load that only asks is kept as the options say; what it did not say reads as `MISSING`."""
    seen: list[object] = []
    clock, _, load = telling(lambda load: seen.extend([load.ttl, load.tags, load.store]), tags=("all",))
    await load(1)
    assert seen == [MISSING, MISSING, True]
    clock.advance(9)
    assert await load(1) == "value 1"
    load.cache_invalidate_tags("all")
    assert await load(1) == "value 2"


# --- not_modified ---------------------------------------------------------------------------------------------------


async def test_not_modified() -> None:
    """The old value is kept, the very same object, for a new term, and goes to whoever waits."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale_if_error=50, clock=clock)
    async def load(key: int) -> list[int]:
        nonlocal calls
        calls += 1
        return [1] if calls == 1 else current_load().not_modified()

    first = await load(1)
    clock.advance(15)
    assert await load(1) is first
    clock.advance(9)
    assert (await load(1) is first, calls) == (True, 2)
    clock.advance(1)
    assert (await load(1) is first, calls) == (True, 3)


async def test_not_modified_may_come_with_a_term_of_its_own() -> None:
    """A `ttl` that the load says holds for the value that is kept."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale=50, clock=clock)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        current = current_load()
        if current.stale is MISSING:
            return "whole"
        current.ttl = 3
        return str(current.not_modified())

    await load(1)
    clock.advance(10)
    await load(1)
    await turns()
    clock.advance(2)
    assert (await load(1), calls) == ("whole", 2)
    clock.advance(1)
    assert (await load(1), load.cache_stats().stale) == ("whole", 2)
    await turns()
    assert calls == 3


@pytest.mark.parametrize("how", ["first", "invalidated", "error"])
async def test_where_there_is_nothing_to_keep(how: str) -> None:
    """`not_modified()` is a `LookupError` if there is no value: at first, after an invalidation, after an error."""
    broken = how == "error"

    @async_cached(ttl=10, errors={KeyError: 5})
    async def load(key: int) -> object:
        if broken:
            raise KeyError
        return current_load().not_modified()

    if how == "invalidated":
        load.cache_put("value", 1)
        load.cache_invalidate(1)
    if broken:
        with pytest.raises(KeyError):
            await load(1)
        broken = False
        asking = load.cache_refresh(1)
    else:
        asking = load(1)
    with pytest.raises(LookupError, match="has no old value that could be kept: load it whole"):
        await asking


async def test_an_invalidation_before_not_modified() -> None:
    """A value that is invalidated while the load asks whether it is modified is not kept."""
    gate: Gate[str] = Gate()

    @async_cached(ttl=10)
    async def load(key: int) -> object:
        current = current_load()
        await gate.load(key)
        return current.not_modified()

    load.cache_put("value", 1)
    asking = asyncio.create_task(load.cache_refresh(1))
    await turns()
    load.cache_invalidate(1)
    gate.give("")
    assert await together(asking) == ["value"]
    assert load.cache_peek(1) is MISSING


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


# --- what it cannot say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name", "value", "error", "words"),
    [
        ({"ttl": None}, "ttl", 5, TypeError, "do not expire: give it a ttl, which a load can then change"),
        ({}, "tags", ["a"], TypeError, r"have no tags: give it tags=\(\), which a load can then change"),
        ({"tags": ()}, "tags", "a", TypeError, r"tags must be several tags: write \('a',\)"),
        ({"tags": ()}, "tags", [1], TypeError, "tags must be strings, not int"),
        ({}, "ttl", -1, ValueError, "ttl must be 0 seconds or more, not -1"),
        ({}, "ttl", float("nan"), ValueError, "ttl must be 0 seconds or more, not nan"),
        ({}, "ttl", True, ValueError, "ttl must be a number of seconds, a timedelta or None, not True"),
        ({}, "ttl", "5", ValueError, "ttl must be a number of seconds, a timedelta or None, not '5'"),
        ({}, "tlt", 5, AttributeError, "tlt"),
    ],
)
async def test_what_is_refused(
    options: dict[str, Any], name: str, value: object, error: type[Exception], words: str
) -> None:
    """What a load cannot mean is refused where it is said: there, in the load, and so its callers are told."""
    _, _, load = telling(set_to(name, value), **options)
    with pytest.raises(error, match=words):
        await load(1)
