"""`cache.disabled()` and `cache.refreshing()`: going past a cache, for one task and what it starts."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from asynccache import Cache, CacheClosed, async_cached
from asynccache.testing import ManualClock
from tests.cache.many import ManyGate
from tests.flight.gates import Gate, together, turns


class Loads:
    """Loads that count: each gives the next number."""

    def __init__(self) -> None:
        self.count = 0

    async def load(self) -> int:
        """Give the next number, after a turn of the loop."""
        self.count += 1
        number = self.count
        await asyncio.sleep(0)
        return number


async def test_disabled_finds_and_stores_nothing() -> None:
    """Every read is a miss that is not counted, every load is made, and nothing is kept of it."""
    cache = Cache(ttl=10, clock=ManualClock())
    loads = Loads()
    await cache.set("key", "stored")
    before = cache.stats()
    with cache.disabled():
        assert await cache.get("key", "nothing") == "nothing"
        assert await cache.peek("key", "nothing") == "nothing"
        assert (await cache.contains("key"), await cache.get_many(["key"])) == (False, {})
        assert [await cache.get_or_load("key", loads.load) for _ in range(2)] == [1, 2]
        assert await together(*[cache.get_or_load("key", loads.load) for _ in range(3)]) == [3, 4, 5]
        assert await cache.get_or_load("other", loads.load) == 6
        assert cache.stats() == before
    assert (await cache.get("key"), await cache.get("other")) == ("stored", None)


async def test_disabled_loads_of_many() -> None:
    """All keys are asked for, each call for itself, and nothing is kept."""
    cache = Cache()
    gate = ManyGate()
    await cache.set(1, "stored")
    with cache.disabled():
        tasks = [await gate.ask(cache, 2, 1, 2), await gate.ask(cache, 1)]
    gate.give(number=0)
    gate.give({}, number=1)
    assert await together(*tasks) == [{2: 20, 1: 10}, {}]
    assert gate.calls == [[2, 1], [1]]
    assert cache.items() == [(1, "stored")]


async def test_options_are_refused_while_disabled() -> None:
    """What cannot be meant is refused also where it would not be needed."""
    cache = Cache()
    with cache.disabled():
        with pytest.raises(TypeError, match="did you mean 'ttl'"):
            await cache.get_or_load("key", Loads().load, ttll=3)  # type: ignore[call-arg]  # that is the point
        with pytest.raises(TypeError, match="did you mean 'ttl'"):
            await cache.get_or_load_many([1], ManyGate().load, ttll=3)  # type: ignore[call-arg]  # that is the point
        with pytest.raises(ValueError, match="ttl must be 0 seconds or more"):
            await cache.set("key", "value", ttl=-1)


async def test_a_set_while_disabled_makes_the_old_value_go() -> None:
    """It is out of date all the same, and so is a load in the air; delete, clear and tags work as always."""
    cache = Cache()
    gate: Gate[str] = Gate()
    await cache.set_many({1: "a", 2: "b", 3: "c"}, tags=["t"])
    task = asyncio.create_task(cache.get_or_load(4, gate.load))
    await turns()
    with cache.disabled():
        await cache.set_many({1: "new", 4: "new"})
        assert await cache.delete(2)
        await cache.set(5, "new")
    assert cache.items() == [(3, "c")]
    gate.give("old")
    assert await task == "old"
    assert cache.items() == [(3, "c")]
    with cache.disabled():
        await cache.invalidate_tags("t")
    assert cache.items() == []


async def test_refreshing_loads_and_stores() -> None:
    """Nothing is read; what is loaded replaces what was there. Callers at once share one load."""
    cache = Cache()
    loads = Loads()
    await cache.set("key", "stored")
    with cache.refreshing():
        assert await cache.get("key") is None
        assert (await cache.peek("key"), await cache.contains("key"), await cache.get_many(["key"])) == (
            None,
            False,
            {},
        )
        assert await cache.get_or_load("key", loads.load) == 1
        assert await together(*[cache.get_or_load("key", loads.load) for _ in range(3)]) == [2] * 3
        await cache.set("other", "value")
    assert cache.items() == [("key", 2), ("other", "value")]
    assert await cache.get_or_load("key", loads.load) == 2


async def test_refreshing_many() -> None:
    """All keys are asked for by one call, and stored."""
    cache = Cache()
    gate = ManyGate()
    await cache.set_many({1: "stored", 3: "stored"})
    with cache.refreshing():
        task = await gate.ask(cache, 1, 2)
    gate.give()
    assert await task == {1: 10, 2: 20}
    assert cache.items() == [(1, 10), (3, "stored"), (2, 20)]


async def test_refreshing_forgets_remembered_errors() -> None:
    """Who loads anew is not told yesterday's error."""
    cache = Cache(errors={KeyError: 100})
    loads = Loads()

    async def fail() -> int:
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            await cache.get_or_load("key", fail)
    with cache.refreshing():
        assert await cache.get_or_load("key", loads.load) == 1
    assert await cache.get("key") == 1


async def test_it_holds_for_this_task_and_what_it_starts() -> None:
    """Other tasks, also those that were started before, use the cache as always."""
    cache = Cache()
    loads = Loads()
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def other() -> list[object]:
        found = [await cache.get("key")]
        await inside.wait()
        found += [await cache.get("key"), await cache.get_or_load("key", loads.load)]
        go_on.set()
        return found

    await cache.set("key", "stored")
    task = asyncio.create_task(other())
    await turns()
    with cache.disabled():
        inside.set()
        await go_on.wait()
        assert await asyncio.gather(cache.get("key"), *[cache.get_or_load("key", loads.load) for _ in range(2)]) == [
            None,
            1,
            2,
        ]
        started = asyncio.create_task(cache.get_or_load("key", loads.load))
    assert await task == ["stored"] * 3
    assert await started == 3
    assert await cache.get("key") == "stored"


async def test_the_innermost_counts() -> None:
    """One within the other, and once more the same; after an error too, it is as it was before."""
    cache = Cache()
    loads = Loads()

    async def ask() -> object:
        return await cache.get_or_load("key", loads.load)

    assert await ask() == 1
    with cache.disabled():
        assert await ask() == 2
        with cache.refreshing():
            assert await ask() == 3
            with cache.refreshing():
                assert await ask() == 4
        assert await ask() == 5
    assert await ask() == 4

    async def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), cache.refreshing():
        await cache.get_or_load("key", fail)
    assert await ask() == 4


async def test_one_cache_is_not_another() -> None:
    """Only the cache that was named is passed by; its namespaces are part of it, from whichever it was said."""
    cache, other = Cache(), Cache()
    part = cache.namespace("a")
    for one in (cache, other, part):
        await one.set("key", "stored")
    with cache.disabled():
        assert [await one.get("key") for one in (cache, other, part)] == [None, "stored", None]
    with part.disabled():
        assert [await one.get("key") for one in (cache, other, part)] == [None, "stored", None]
    assert [await one.get("key") for one in (cache, other, part)] == ["stored"] * 3


async def test_functions_that_share_the_cache() -> None:
    """They go past it too: each call runs them; refreshing stores what they give."""
    cache = Cache()
    loads = Loads()

    @async_cached(cache=cache)
    async def function(_key: int) -> int:
        return await loads.load()

    assert [await function(1) for _ in range(2)] == [1, 1]
    with cache.disabled():
        assert [await function(1) for _ in range(2)] == [2, 3]
        assert await together(function(1), function(1)) == [4, 5]
        assert not await function.cache_contains(1)
    assert await function(1) == 1
    with cache.refreshing():
        assert await together(function(1), function(1)) == [6, 6]
    assert await function(1) == 6


async def test_old_values_are_not_served_while_refreshing() -> None:
    """Who asks for the newest waits for it, though an old value could be served; others are served that."""
    clock = ManualClock()
    cache = Cache(clock=clock, ttl=10, stale=100)
    gate: Gate[str] = Gate()
    await cache.set("key", "old")
    clock.advance(10)
    with cache.refreshing():
        task = asyncio.create_task(cache.get_or_load("key", gate.load))
    await turns()
    assert await cache.get_or_load("key", gate.load) == "old"
    gate.give("new")
    assert await task == "new"
    assert (await cache.get("key"), len(gate.calls)) == ("new", 1)


async def test_a_closed_cache_stays_closed() -> None:
    """No way past it leads around its end: a refreshing call is refused as any other."""
    cache = Cache()
    await cache.aclose()
    with cache.refreshing(), pytest.raises(CacheClosed):
        await cache.get_or_load("key", Loads().load)


async def test_left_by_a_generator_elsewhere() -> None:
    """As a fixture may be, which is closed in another task: nothing is raised, and nothing else is changed."""
    cache = Cache()

    @contextlib.contextmanager
    def fixture() -> Iterator[None]:
        with cache.disabled():
            yield

    await cache.set("key", "stored")
    entered = fixture()

    async def enter() -> object:
        entered.__enter__()
        return await cache.get("key")

    assert await asyncio.create_task(enter()) is None
    assert await cache.get("key") == "stored"
    entered.__exit__(None, None, None)
    assert await cache.get("key") == "stored"
