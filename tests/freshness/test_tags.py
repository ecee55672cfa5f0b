"""`tags`: whole groups of values are forgotten at once, and so are values that are still on their way."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from asynccache import MISSING, async_cached
from tests.flight.gates import callers, outcome, together
from tests.freshness.aging import Scene
from tests.freshness.tagging import TAGGINGS, fill, stored


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


class Gatekeeper(str):
    """The name of a tag that lets another thread put a value just when it has been looked for, and not been found."""

    at_looks: ClassVar[list[Callable[[], None]]] = []

    def __hash__(self) -> int:
        if self.at_looks:
            self.at_looks.pop()()
        return super().__hash__()


@pytest.mark.one_loop
def test_a_tag_that_two_threads_make() -> None:
    """A tag is one tag, though one thread invalidates it while another stores the first value that carries it."""

    @async_cached(tags=("all",))
    async def load(key: int) -> str:
        return "value"

    putting = threading.Thread(target=load.cache_put, args=("put", 1))

    def put() -> None:
        putting.start()
        putting.join(0.05)  # it has to wait until the invalidation is over: if not, it is through by now

    name = Gatekeeper("all")
    Gatekeeper.at_looks.extend([put, lambda: None])
    load.cache_invalidate_tags(name)
    assert Gatekeeper.at_looks == []
    putting.join()
    load.cache_invalidate_tags("all")
    assert load.cache_peek(1) is MISSING


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
