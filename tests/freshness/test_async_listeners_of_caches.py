"""`on_evict` of a real cache, plain and awaited: every cause, and what closing has to wait for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import pytest

from asynccache import EvictionCause, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, together, turns

Notice: TypeAlias = tuple[object, object, EvictionCause]

KINDS: Final = ("plain", "awaited")


class Heard:
    """What a listener was told.

    Args:
        kind: "plain" or "awaited".
    """

    def __init__(self, kind: str) -> None:
        self.notices: list[Notice] = []
        self.listener: Callable[..., Any] = self.hear if kind == "plain" else self.hear_later

    def hear(self, key: object, value: object, cause: EvictionCause) -> None:
        """Be a plain listener."""
        self.notices.append((key, value, cause))

    async def hear_later(self, key: object, value: object, cause: EvictionCause) -> None:
        """Be one that is awaited."""
        await asyncio.sleep(0)
        self.notices.append((key, value, cause))


async def explicit(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    load.cache_invalidate(1)


async def by_tag(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    load.cache_invalidate_tags("all")
    for _ in range(3):
        clock.advance(1)
        await turns()


async def replaced(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    load.cache_put("put", 1)


async def replaced_by_a_refresh(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    clock.advance(10)
    await load(1)
    await turns()


async def expired(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    clock.advance(25)
    await turns()


async def crowded_out(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    await load(2)


async def cleared(clock: ManualClock, load: Any) -> None:
    """Make an entry leave."""
    load.cache_clear()


CAUSES: Final[dict[Callable[[ManualClock, Any], Coroutine[Any, Any, None]], EvictionCause]] = {
    explicit: EvictionCause.EXPLICIT,
    by_tag: EvictionCause.EXPLICIT,
    replaced: EvictionCause.REPLACED,
    replaced_by_a_refresh: EvictionCause.REPLACED,
    expired: EvictionCause.EXPIRED,
    crowded_out: EvictionCause.CAPACITY,
    cleared: EvictionCause.CLEARED,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leave", CAUSES, ids=lambda leave: leave.__name__)
async def test_every_cause(kind: str, leave: Callable[[ManualClock, Any], Coroutine[Any, Any, None]]) -> None:
    """However an entry leaves, its listener is told once, with key, value and the right cause."""
    clock = ManualClock()
    heard = Heard(kind)
    calls = 0

    @async_cached(ttl=10, stale=10, tags=("all",), maxsize=1, clock=clock, on_evict=heard.listener)
    async def load(key: int) -> int:
        nonlocal calls
        calls += 1
        return calls

    await load(1)
    await leave(clock, load)
    await turns()
    assert heard.notices == [(load.cache_key(1), 1, CAUSES[leave])]


async def test_plain_and_awaited_listeners_together() -> None:
    """Of several, plain ones hear at once and awaited ones behind, each of everything, in order."""
    plain, awaited = Heard("plain"), Heard("awaited")

    @async_cached(maxsize=2, on_evict=[awaited.listener, plain.listener])
    async def load(key: int) -> int:
        return key

    for key in range(5):
        await load(key)
    assert [value for _, value, _ in plain.notices] == [0, 1, 2]
    await turns()
    assert awaited.notices == plain.notices


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("end", ["close", "lifespan"])
async def test_the_end_waits_for_what_is_queued(wait: bool, end: str) -> None:
    """Closing, and leaving a lifespan, end when listeners have heard all that has left, closing's own included."""
    gate: Gate[None] = Gate()

    async def hear(key: Any, value: object, cause: EvictionCause) -> None:
        await gate.load((value, cause))

    @async_cached(maxsize=2, on_evict=hear)
    async def load(key: int) -> int:
        return key

    async def life() -> None:
        if end == "close":
            await load.cache_close(wait=wait)
            return
        async with load.cache_lifespan(wait=wait):
            pass

    for key in range(3):
        await load(key)
    ending = asyncio.create_task(life())
    expected = [(0, EvictionCause.CAPACITY)]
    if end == "close":
        expected += [(key, EvictionCause.CLEARED) for key in (1, 2)]
    for count in range(len(expected)):
        await turns()
        assert not ending.done()
        assert gate.calls == expected[: count + 1]
        gate.give(None)
    await together(ending)
    assert gate.calls == expected


async def test_closing_waits_for_what_a_load_s_end_has_queued() -> None:
    """With `wait`, what the last loads push out is heard of before closing ends."""
    heard = Heard("awaited")
    gate: Gate[int] = Gate()

    @async_cached(maxsize=1, on_evict=heard.listener)
    async def load(key: int) -> int:
        return await gate.load(key)

    first = asyncio.create_task(load(1))
    await turns()
    gate.give(1)
    await first
    second = asyncio.create_task(load(2))
    await turns()
    closing = asyncio.create_task(load.cache_close(wait=True))
    await turns()
    gate.give(2)
    await together(closing, second)
    assert [(value, cause) for _, value, cause in heard.notices] == [
        (1, EvictionCause.CAPACITY),
        (2, EvictionCause.CLEARED),
    ]


async def test_a_listener_that_calls_the_function_again() -> None:
    """It may load the very key that has left: that is a load like any other, and it is stored."""
    loaded: list[int] = []
    again: list[object] = []

    async def hear(key: Any, value: Any, cause: EvictionCause) -> None:
        if cause is EvictionCause.EXPLICIT:
            again.append(await load(value))

    @async_cached(on_evict=hear)
    async def load(key: int) -> int:
        loaded.append(key)
        return key

    await load(7)
    load.cache_invalidate(7)
    await turns()
    assert (loaded, again) == ([7, 7], [7])
    assert load.cache_peek(7) == 7


async def test_a_listener_that_changes_the_cache() -> None:
    """A plain one may put and invalidate while entries leave; nothing is lost, nothing is told twice."""
    told: list[int] = []
    came: set[int] = set()

    def hear(key: Any, value: Any, cause: EvictionCause) -> None:
        told.append(value)
        if cause is EvictionCause.CAPACITY and value < 10:
            came.add(value + 10)
            load.cache_put(value + 10, value + 10)
            load.cache_invalidate(value + 5)

    @async_cached(maxsize=2, on_evict=hear)
    async def load(key: int) -> int:
        came.add(key)
        return key

    for key in range(3):
        await load(key)
    there = [key for key in came if load.cache_contains(key)]
    assert sorted([*told, *there]) == sorted(came)
    assert len(came) >= 4
    assert len(there) == load.cache_info().currsize


async def test_a_listener_that_closes_the_cache() -> None:
    """An awaited listener may close the cache whose notice it hears: neither waits for the other for ever."""
    closed: list[bool] = []

    async def hear(key: Any, value: object, cause: EvictionCause) -> None:
        if not closed:
            closed.append(False)
            await load.cache_close()
            closed[0] = True

    @async_cached(maxsize=1, on_evict=hear)
    async def load(key: int) -> int:
        return key

    await load(1)
    await load(2)
    await turns()
    assert closed == [True]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_listener_that_raises(kind: str, loop_errors: list[dict[str, Any]]) -> None:
    """Every third notice fails: the sweep goes on to its end, all is heard, and mistakes are counted and shown."""
    clock = ManualClock()
    heard = Heard("plain")

    def fail_at_times(key: Any, value: Any, cause: EvictionCause) -> None:
        heard.hear(key, value, cause)
        if value % 3 == 0:
            raise RuntimeError("a listener's mistake")

    async def fail_later(key: Any, value: Any, cause: EvictionCause) -> None:
        fail_at_times(key, value, cause)

    @async_cached(ttl=10, stale=5, clock=clock, on_evict=fail_at_times if kind == "plain" else fail_later)
    async def load(key: int) -> int:
        return key

    for key in range(30):
        await load(key)
    assert load.cache_stats().sweeper_alive
    for _ in range(5):
        clock.advance(5)
        await turns(40)
    assert sorted(value for _, value, _ in heard.notices) == list(range(30))  # type: ignore[type-var]
    assert load.cache_info().currsize == 0
    assert load.cache_stats().callback_errors == len(loop_errors) == 10
    await load(1)
    assert load.cache_stats().sweeper_alive
    loop_errors.clear()
