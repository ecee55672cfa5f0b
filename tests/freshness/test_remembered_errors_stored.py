"""Errors that are remembered take the place of values: what that means to all else that a cache does."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from asynccache import MISSING, EvictionCause, LRUCache, async_cached
from asynccache.core.entry import Entry
from tests.flight.gates import callers, outcome, together, turns
from tests.freshness.aging import Scene, aged


class NotFound(LookupError):
    """An answer."""


async def answered(scene: Scene, error: Exception, key: int = 1) -> object:
    """Let a load end with an error; tell what its caller got."""
    (caller,) = await callers(scene.load, 1, key)
    scene.gate.fail(error)
    return await outcome(caller)


async def test_an_answer_takes_the_old_value_s_place() -> None:
    """Also when a refresh brings it: the old value is not served any more, though its window is not over."""
    scene = await aged(stale=50, errors={NotFound: 5})
    assert await scene.read() == "old"
    await scene.break_down(NotFound())
    assert isinstance(await scene.read(), NotFound)
    assert scene.load.cache_peek(1) is MISSING
    assert scene.gate.calls == [1, 1]


async def test_an_answer_has_no_windows() -> None:
    """A remembered error is not served old, and there is no refresh behind it."""
    scene = Scene(stale=50, stale_if_error=50, refresh_ahead=0.5, errors={NotFound: 4})
    await answered(scene, NotFound())
    scene.clock.advance(3)
    assert isinstance(await scene.read(), NotFound)
    assert scene.gate.calls == [1]
    scene.clock.advance(1)
    (caller,) = await callers(scene.load, 1)
    await scene.break_down(OSError())
    assert isinstance(await outcome(caller), OSError)


async def test_a_value_takes_an_error_s_place() -> None:
    """`cache_put` and `cache_refresh` replace a remembered error by a value, at once."""
    scene = Scene(errors={NotFound: 5})
    for new in ("put", "loaded"):
        await answered(scene, NotFound())
        if new == "put":
            scene.load.cache_put("put", 1)
        else:
            asking = asyncio.create_task(scene.load.cache_refresh(1))
            await turns()
            await scene.end("loaded")
            await together(asking)
        assert await scene.read() == new
        scene.load.cache_invalidate(1)


async def test_a_remembered_error_can_be_forgotten() -> None:
    """`cache_invalidate`, tags and `cache_clear` forget it as they do a value; it is contained, but is no value."""
    scene = Scene(errors={NotFound: 5}, tags=("all",))
    for forget in (lambda: scene.load.cache_invalidate(1), lambda: scene.load.cache_invalidate_tags("all")):
        await answered(scene, NotFound())
        assert scene.load.cache_contains(1)
        assert scene.load.cache_peek(1) is MISSING
        assert forget() in (True, None)
        assert not scene.load.cache_contains(1)
        assert await scene.read() == "waits"


async def test_an_error_that_comes_after_an_invalidation_is_not_remembered() -> None:
    """What was invalidated while the load ran is not answered from memory, be the answer an error."""
    scene = Scene(errors={NotFound: 5})
    (caller,) = await callers(scene.load, 1)
    scene.load.cache_invalidate(1)
    await scene.break_down(NotFound())
    assert isinstance(await outcome(caller), NotFound)
    assert await scene.read() == "waits"


async def test_remembered_errors_are_counted() -> None:
    """The load is a failure, and each call that is answered from memory is a hit."""
    scene = Scene(errors={NotFound: 5})
    await answered(scene, NotFound())
    for _ in range(3):
        await scene.read()
    stats = scene.load.cache_stats()
    assert (stats.hits, stats.misses, stats.failures, stats.loads) == (3, 1, 1, 0)


async def test_remembered_errors_stay_within_bounds_and_go() -> None:
    """They count as entries, are evicted as such, and are swept away when their time is over."""
    scene = Scene(errors={NotFound: 5}, maxsize=2)
    for key in range(3):
        await answered(scene, NotFound(), key)
    assert [scene.load.cache_contains(key) for key in range(3)].count(True) == 2
    assert scene.load.cache_info().currsize == 2
    scene.clock.advance(7)
    await turns()
    assert scene.load.cache_info().currsize == 0


async def test_a_cache_that_stores_nothing_remembers_no_error() -> None:
    """With `maxsize=0` every call loads."""
    scene = Scene(errors={NotFound: 5}, maxsize=0)
    for _ in range(2):
        await answered(scene, NotFound())
    assert scene.gate.calls == [1, 1]


async def test_a_weigher_that_knows_values_only() -> None:
    """If it raises for an error, that is remembered all the same, and nobody is bothered."""
    scene = Scene(errors={NotFound: 5}, max_weight=10, weigher=lambda _key, value: len(value))
    await answered(scene, NotFound())
    assert isinstance(await scene.read(), NotFound)
    assert scene.load.cache_stats().callback_errors == 0


async def test_an_error_that_is_asked_for_is_not_idle() -> None:
    """With `idle`, an error that somebody is told again and again is remembered for its time."""
    scene = Scene(errors={NotFound: 50}, idle=5)
    await answered(scene, NotFound())
    for _ in range(10):
        scene.clock.advance(4)
        assert isinstance(await scene.read(), NotFound)
    scene.clock.advance(10)
    assert await scene.read() == "waits"


class Watched(LRUCache[Any, Any]):
    """A policy that lets a hit come as early as one in another thread can."""

    looks: ClassVar[list[Callable[[], None]]] = []

    def replace(self, entry: Entry[Any, Any], value: Any, weight: float) -> Sequence[Entry[Any, Any]]:
        """Replace a value, and look at once."""
        evicted = super().replace(entry, value, weight)
        for look in self.looks:
            look()
        return evicted


async def test_an_error_is_never_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hit in the midst of an error's taking a fresh value's place gets that value, the error, or waits."""
    fails = False
    seen: list[object] = []

    @async_cached(ttl=100, errors={NotFound: 50}, policy=Watched)
    async def load(key: int) -> str:
        if fails:
            raise NotFound
        return "value"

    def look() -> None:
        hit = load(1)
        try:
            hit.send(None)
        except (StopIteration, NotFound) as end:
            seen.append(end.value if isinstance(end, StopIteration) else "error")
        hit.close()

    monkeypatch.setattr(Watched, "looks", [look])
    await load(1)
    fails = True
    with pytest.raises(NotFound):
        await load.cache_refresh(1)
    assert set(seen) <= {"value", "error"}
    with pytest.raises(NotFound):
        await load(1)


async def test_listeners_hear_of_values_only() -> None:
    """They hear nothing of a remembered error that leaves, but of the value whose place it takes."""
    heard: list[object] = []
    scene = Scene(errors={NotFound: 5}, on_evict=lambda *notice: heard.append(notice))
    await answered(scene, NotFound())
    scene.load.cache_invalidate(1)
    await scene.fill("value")
    asking = asyncio.create_task(scene.load.cache_refresh(1))
    await turns()
    await scene.break_down(NotFound())
    assert isinstance(await outcome(asking), NotFound)
    scene.load.cache_clear()
    assert heard == [(scene.load.cache_key(1), "value", EvictionCause.REPLACED)]
