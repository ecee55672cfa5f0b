"""`tags`: whole groups of values are forgotten at once, and so are values that are still on their way."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any, Final

import pytest

from asynccache import MISSING, CachedFunction, EvictionCause, async_cached
from asynccache.core.generations import Tag
from asynccache.loading import current_load
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, callers, outcome, together, turns
from tests.freshness.aging import Scene

TAGGINGS: Final[dict[str, Callable[..., Any]]] = {
    "of the result": lambda result: ("all", f"rest {result % 3}"),
    "of the call": lambda _result, key: ["all", f"rest {key % 3}"],
    "of any call": lambda _result, *args: {"all", f"rest {args[0] % 3}"},
    "one by one": lambda result: (name for name in ("all", f"rest {result % 3}")),
}


async def fill(load: Callable[[int], Any], count: int = 9) -> None:
    """Have values for 0, 1, 2, ... loaded."""
    for key in range(count):
        await load(key)


def stored(load: CachedFunction[[int], Any], count: int = 9) -> list[int]:
    """The keys that have values."""
    return [key for key in range(count) if load.cache_peek(key) is not MISSING]


def tags_in_memory() -> set[object]:
    """The names of all tags that anything holds."""
    gc.collect()
    return {thing.name for thing in gc.get_objects() if isinstance(thing, Tag)}


@pytest.mark.parametrize("tagging", TAGGINGS)
async def test_values_with_a_tag_are_forgotten(tagging: str) -> None:
    """All that carry one of the tags go, and the others stay; a function is given the result, and then the call."""

    @async_cached(tags=TAGGINGS[tagging])
    async def load(key: int) -> int:
        return key

    await fill(load)
    load.cache_invalidate_tags("rest 0", "rest 2", "nobody's")
    assert stored(load) == [1, 4, 7]
    await fill(load)
    assert stored(load) == list(range(9))
    load.cache_invalidate_tags("all")
    assert stored(load) == []


async def test_fixed_tags() -> None:
    """Names that are given as they are hold for every value; loaded after an invalidation, values are good again."""
    calls = 0

    @async_cached(tags=["prices", "shop"])
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    assert [await load(1), await load(1)] == [1, 1]
    load.cache_invalidate_tags("shop")
    assert [await load(1), await load(1)] == [2, 2]
    load.cache_invalidate_tags("other")
    assert await load(1) == 2


async def test_an_old_value_goes_with_its_tag() -> None:
    """What is invalidated by a tag is not served as an old value either, nor when the load fails."""
    scene = Scene(tags=("all",), stale=50, stale_if_error=50)
    await scene.fill()
    scene.clock.advance(11)
    scene.load.cache_invalidate_tags("all")
    (caller,) = await callers(scene.load, 1)
    assert not caller.done()
    await scene.break_down()
    assert isinstance(await outcome(caller), OSError)


async def test_what_was_put_has_tags() -> None:
    """A value that was put carries the tags that it would have if it had been loaded."""

    @async_cached(tags=lambda result: (f"user {result}",))
    async def load(key: int) -> int:
        return key

    load.cache_put(7, 1)
    load.cache_put(8, 2)
    load.cache_invalidate_tags("user 7")
    assert stored(load) == [2]


# --- values on their way --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", ["before", "after", "by the load"])
async def test_an_invalidation_while_a_value_is_loaded(known: str) -> None:
    """Those who waited before get it, it is not stored, and those who came after get a newer one, from one load.

    So it is if the tags are the same for every value, if the value's own are known only when it is there, and if the
    load says them itself.
    """
    gate: Gate[str] = Gate()
    options: dict[str, Any] = {"tags": {"before": ("a", "b"), "after": lambda value: value.split()}.get(known, ())}

    async def from_gate(key: int) -> str:
        value = await gate.load(key)
        if known == "by the load":
            current_load().tags = value.split()
        return value

    load: CachedFunction[[int], str] = async_cached(**options)(from_gate)
    before = await callers(load, 3)
    load.cache_invalidate_tags("b")
    after = await callers(load, 3)
    gate.give("a b")
    await turns()
    assert await together(*before) == ["a b"] * 3
    assert not any(task.done() for task in after)
    assert load.cache_peek(1) is MISSING
    gate.give("a b new")
    assert await together(*after) == ["a b new"] * 3
    assert load.cache_peek(1) == "a b new"
    assert gate.calls == [1, 1]


async def test_the_invalidation_of_another_tag_while_a_value_is_loaded() -> None:
    """It changes nothing: the value is stored, and all get it."""
    gate: Gate[str] = Gate()

    @async_cached(tags=lambda value: (value,))
    async def load(key: int) -> str:
        return await gate.load(key)

    before = await callers(load, 2)
    load.cache_invalidate_tags("other")
    after = await callers(load, 2)
    gate.give("mine")
    assert await together(*before, *after) == ["mine"] * 4
    assert load.cache_peek(1) == "mine"
    assert gate.calls == [1]


async def test_an_invalidation_before_a_load_begins() -> None:
    """However short before, it does not concern that load."""
    scene = Scene(tags=("all",))
    other = await callers(scene.load, 1, 2)  # in the air meanwhile, so that the invalidation is remembered
    scene.load.cache_invalidate_tags("all")
    await scene.fill("new", 1)
    assert scene.load.cache_peek(1) == "new"
    await scene.end("of before", 0)
    assert await together(*other) == ["of before"]
    assert scene.load.cache_peek(2) is MISSING


async def test_a_failure_is_everybody_s() -> None:
    """A load that fails after an invalidation tells all who wait, whenever they came: there is no value to be old."""
    scene = Scene(tags=("all",))
    before = await callers(scene.load, 1)
    scene.load.cache_invalidate_tags("all")
    after = await callers(scene.load, 1)
    await scene.break_down()
    assert [type(await outcome(task)) for task in before + after] == [OSError] * 2


@pytest.mark.parametrize("turn", range(6))
async def test_an_invalidation_as_a_value_lands(turn: int) -> None:
    """Before or after its storing: from then on the value is gone."""
    scene = Scene(tags=("all",))
    tasks = await callers(scene.load, 2)
    scene.gate.give("value")
    await turns(turn)
    scene.load.cache_invalidate_tags("all")
    assert await together(*tasks) == ["value"] * 2
    assert scene.load.cache_peek(1) is MISSING


async def test_a_load_that_invalidates_its_own_tag() -> None:
    """Its callers get its value, as they came before, and the next call loads anew."""
    calls = 0

    @async_cached(tags=("all",))
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        load.cache_invalidate_tags("all")
        return calls

    assert await together(*(load(1) for _ in range(3))) == [1, 1, 1]
    assert await load(1) == 2


# --- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.one_loop
@pytest.mark.parametrize("loading", [False, True])
async def test_tags_that_nobody_carries_are_forgotten(loading: bool) -> None:
    """After 100,000 invalidations of different tags there is nothing left of them, at the latest when loads end."""
    scene = Scene(tags=("carried",))
    await scene.fill(key=2)
    waiting = await callers(scene.load, int(loading))
    for number in range(100_000):
        scene.load.cache_invalidate_tags(f"user {number}")
    if loading:
        await scene.end("value")
        await together(*waiting)
        assert scene.load.cache_peek(1) == "value"
    assert tags_in_memory() == {"carried"}
    assert scene.load.cache_peek(2) == "old"
    scene.load.cache_clear()
    assert tags_in_memory() == set()


async def test_what_tags_have_ended_leaves_memory() -> None:
    """The sweeper takes away what nobody can get any more, as removed explicitly, and leaves the rest."""
    clock = ManualClock()
    heard: list[tuple[object, EvictionCause]] = []

    @async_cached(
        tags=TAGGINGS["of the result"], clock=clock, on_evict=lambda _key, value, cause: heard.append((value, cause))
    )
    async def load(key: int) -> int:
        return key

    await fill(load)
    load.cache_invalidate_tags("rest 0")
    assert load.cache_info().currsize == 9
    for _ in range(5):
        clock.advance(1)
        await turns()
    assert sorted(heard) == [(value, EvictionCause.EXPLICIT) for value in (0, 3, 6)]
    assert load.cache_info().currsize == 6
    assert stored(load) == [1, 2, 4, 5, 7, 8]
    assert load.cache_stats().evictions == {EvictionCause.EXPLICIT: 3}


@pytest.mark.parametrize("how", ["loaded anew", "put", "invalidated", "full"])
async def test_why_something_leaves_that_a_tag_has_ended(how: str) -> None:
    """Whatever takes it out of memory in the end, it left because its tag was invalidated."""
    causes: list[EvictionCause] = []
    calls = 0

    @async_cached(tags=("all",), maxsize=1, on_evict=lambda _key, _value, cause: causes.append(cause))
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    await load(1)
    load.cache_invalidate_tags("all")
    if how == "put":
        load.cache_put(7, 1)
    elif how == "invalidated":
        assert not load.cache_invalidate(1)
    else:
        await load(1 if how == "loaded anew" else 2)
    assert causes == [EvictionCause.EXPLICIT]


# --- where tags are -------------------------------------------------------------------------------------------------


class Shop:
    """Has prices, and a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @async_cached(tags=lambda _result, shop, item: (shop.name, f"item {item}"))
    async def price(self, item: int) -> int:
        """Give a price."""
        return item

    @async_cached(ignore=("self",), tags=lambda result: (f"rest {result % 2}",))
    async def shared(self, item: int) -> int:
        """Give something that all shops share."""
        return item


async def test_tags_of_methods() -> None:
    """The function is given the instance too; each instance's tags are its own, be their names the same."""
    one, other = Shop("one"), Shop("other")
    for shop in (one, other):
        for item in range(3):
            await shop.price(item)
    one.price.cache_invalidate_tags("item 1", "other")
    assert [one.price.cache_contains(item) for item in range(3)] == [True, False, True]
    assert [other.price.cache_contains(item) for item in range(3)] == [True, True, True]
    other.price.cache_invalidate_tags("other")
    assert [other.price.cache_contains(item) for item in range(3)] == [False, False, False]


async def test_tags_where_instances_share() -> None:
    """With `ignore=("self",)` an invalidation asked of one instance holds for all."""
    one, other = Shop("one"), Shop("other")
    for item in range(4):
        await one.shared(item)
    other.shared.cache_invalidate_tags("rest 1")
    assert [one.shared.cache_contains(item) for item in range(4)] == [True, False, True, False]


async def test_a_tag_from_another_thread() -> None:
    """An invalidation that comes from a thread without a loop holds at once."""
    scene = Scene(tags=("all",))
    await scene.fill()
    (before,) = await callers(scene.load, 1, 2)
    await asyncio.to_thread(scene.load.cache_invalidate_tags, "all")
    assert scene.load.cache_peek(1) is MISSING
    await scene.end("value")
    assert await together(before) == ["value"]
    assert scene.load.cache_peek(2) is MISSING


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags", [lambda _: "all", lambda _: [1], lambda _: [b"all"], lambda result: result.missing], ids=range(4)
)
async def test_a_function_that_gives_no_tags(tags: Callable[[Any], Any], loop_errors: list[dict[str, Any]]) -> None:
    """Its mistake is shown and counted; callers get the value all the same, but it is not stored."""

    @async_cached(tags=tags)
    async def load(key: int) -> int:
        return key

    assert await load(1) == 1
    assert load.cache_info().currsize == 0
    assert load.cache_stats().callback_errors == 1
    assert len(loop_errors) == 1
    loop_errors.clear()


@pytest.mark.one_loop
async def test_where_there_are_no_tags() -> None:
    """`cache_invalidate_tags` of a function without tags is refused, and so are tags that are no strings."""

    @async_cached
    async def plain(key: int) -> int:
        return key

    @async_cached(tags=())
    async def tagged(key: int) -> int:
        return key

    with pytest.raises(TypeError, match=r"has no tags: give it some by @async_cached\(tags=\.\.\.\)"):
        plain.cache_invalidate_tags("all")
    with pytest.raises(TypeError, match="tags must be strings, not int"):
        tagged.cache_invalidate_tags(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a mistake
    tagged.cache_invalidate_tags()
    tagged.cache_invalidate_tags("all")
