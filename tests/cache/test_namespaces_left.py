"""Namespaces leave nothing behind, and keys are shown as the user wrote them."""

import asyncio
import gc

import pytest

from asynccache import Cache, EvictionCause, LoadCancelled, LoadTimeout, RecursiveLoad
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, outcome, turns


@pytest.mark.one_loop
async def test_nothing_is_left_of_dropped_namespaces() -> None:
    """Views come and go with each request: neither objects nor tags of them add up once their entries have gone."""
    clock = ManualClock()
    cache = Cache(clock=clock)

    async def use(count: int) -> int:
        for number in range(count):
            view = cache.namespace(f"of {count}").namespace(str(number))
            await view.set("key", "value")
            await view.get("key")
            await view.clear()
        clock.advance(10)
        await turns(50)
        gc.collect()
        return len(gc.get_objects())

    await use(300)
    before = await use(301)
    assert await use(302) - before < 100
    assert (cache.stats().size, cache.stats().hits) == (0, 903)


async def test_listeners_and_weighers_see_the_user_s_keys() -> None:
    """Whatever tells a key tells that of the user, without the namespace."""
    seen: list[object] = []

    def weigh(key: object, _value: object) -> int:
        seen.append(key)
        return 1

    def hear(key: object, _value: object, _cause: EvictionCause) -> None:
        seen.append(key)

    cache = Cache(max_weight=10, weigher=weigh, on_evict=hear)
    part = cache.namespace("a").namespace("b")
    await part.set(("pair", 1), "value")
    await part.delete(("pair", 1))
    assert seen == [("pair", 1)] * 2


async def test_errors_tell_the_user_s_keys() -> None:
    """`key` of LoadTimeout, LoadCancelled and RecursiveLoad is that of the user."""
    clock = ManualClock()
    part = Cache(clock=clock, timeout=5).namespace("a")
    gate: Gate[str] = Gate()
    task = asyncio.create_task(part.get_or_load("key", gate.load))
    await turns()
    clock.advance(5)
    timed_out = await outcome(task)
    task = asyncio.create_task(part.get_or_load("key", gate.load))
    await turns()
    gate.fail(asyncio.CancelledError())
    cancelled = await outcome(task)

    async def load() -> str:
        return await part.get_or_load("key", load)

    with pytest.raises(RecursiveLoad) as raised:
        await load()
    assert isinstance(timed_out, LoadTimeout)
    assert isinstance(cancelled, LoadCancelled)
    assert (timed_out.key, cancelled.key, raised.value.key) == ("key", "key", "key")
