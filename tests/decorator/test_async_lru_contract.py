"""What people rely on who come from async-lru, in the words of its interface: moving over is changing an import.

The promises are those that async-lru 2.4 tests (https://github.com/aio-libs/async-lru), put and tested in our own way.
Where we differ on purpose, the last tests here say how.
"""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from asynccache import LoadCancelled, async_cached
from asynccache.decorator import Decorator
from asynccache.testing import ManualClock


def alru_cache(maxsize: int | None = 128, **options: Any) -> Decorator:
    """`async_cached` with the other's defaults."""
    return async_cached(maxsize=maxsize, policy="lru", **options)


@pytest.mark.one_loop
@pytest.mark.parametrize("decorate", [async_cached, async_cached(), alru_cache(), async_cached(maxsize=None)])
async def test_bare_called_and_with_options(decorate: Any) -> None:
    """The decorator works bare, called, and applied by hand; what it gives returns a coroutine."""

    async def load() -> int:
        return 5

    cached = decorate(load)
    awaitable = cached()
    assert asyncio.iscoroutine(awaitable)
    assert await awaitable == await cached() == 5
    assert cached.cache_info()[:2] == (1, 1)


async def test_hundred_concurrent_calls_are_one() -> None:
    """A hundred calls at once are one miss and ninety-nine hits, and all get the same object."""

    @alru_cache()
    async def load() -> object:
        return object()

    values = await asyncio.gather(*(load() for _ in range(100)))
    assert len({id(value) for value in values}) == 1
    assert load.cache_info() == (99, 1, 128, 1)
    assert await load() is values[0]
    assert load.cache_info() == (100, 1, 128, 1)
    assert load.cache_parameters()["tasks"] == 0


@pytest.mark.one_loop
async def test_two_decorations_share_nothing() -> None:
    """One function decorated twice has two caches."""

    async def load(x: int) -> int:
        return x

    one, other = alru_cache()(load), alru_cache()(load)
    await one(1)
    assert (one.cache_info().currsize, other.cache_info().currsize) == (1, 0)


@pytest.mark.one_loop
async def test_least_recently_used_goes_first() -> None:
    """When there is no room the entry goes that was used longest ago."""

    @alru_cache(maxsize=3)
    async def load(x: int) -> int:
        return x

    for x in (3, 4, 5, 3, 2, 1):
        await load(x)
    assert [x for x in range(6) if load.cache_contains(x)] == [1, 2, 3]
    assert load.cache_info() == (1, 5, 3, 3)
    for x in (7, 8, 9):
        await load(x)
    assert [x for x in range(10) if load.cache_contains(x)] == [7, 8, 9]


@pytest.mark.one_loop
async def test_invalidating_one_call_of_many_arguments() -> None:
    """Each spelling-out of positional arguments is an entry of its own, order counts, and each can be invalidated."""

    @alru_cache()
    async def load(*args: int) -> int:
        return len(args)

    for size in range(2, 8):
        forth = tuple(range(size))
        back = forth[::-1]
        await load(*forth)
        await load(*back)
        assert load.cache_invalidate(*back)
        assert not load.cache_invalidate(*back)
        assert load.cache_contains(*forth)
    assert load.cache_info() == (0, 12, 128, 6)


@pytest.mark.one_loop
async def test_error_is_given_to_all_and_not_kept() -> None:
    """Concurrent callers share an error, the next call tries again, and a failed load's locals are freed."""

    class Local:
        pass

    locals_seen: list[weakref.ref[Local]] = []

    @alru_cache()
    async def load(x: int) -> None:
        local = Local()
        locals_seen.append(weakref.ref(local))
        await asyncio.sleep(0)
        raise ZeroDivisionError

    answers = await asyncio.gather(load(1), load(1), load(1), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ZeroDivisionError}
    assert load.cache_info() == (2, 1, 128, 0)
    with pytest.raises(ZeroDivisionError):
        await load(1)
    assert load.cache_info() == (2, 2, 128, 0)
    del answers
    await asyncio.sleep(0)
    gc.collect()
    assert [local() for local in locals_seen] == [None, None]


@pytest.mark.parametrize("cancelled", range(4))
async def test_cancelling_some_leaves_the_others(cancelled: int) -> None:
    """However many of three callers are cancelled, those are, and the others get their values."""
    gate = asyncio.Event()

    @alru_cache()
    async def load(x: int) -> int:
        await gate.wait()
        return x

    tasks = [asyncio.ensure_future(load(x)) for x in range(3)]
    await asyncio.sleep(0)
    for task in tasks[:cancelled]:
        task.cancel()
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [x < cancelled for x in range(3)]
    assert [task.result() for task in tasks[cancelled:]] == list(range(cancelled, 3))


async def test_last_caller_takes_the_load_along() -> None:
    """A load that nobody waits for any more is cancelled and forgotten."""
    finished: list[int] = []

    @alru_cache()
    async def load(x: int) -> None:
        await asyncio.Event().wait()
        finished.append(x)

    task = asyncio.ensure_future(load(1))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert finished == []
    assert load.cache_info() == (0, 1, 128, 0)


@pytest.mark.one_loop
async def test_ttl_and_jitter() -> None:
    """An expired entry is not contained and is swept; with jitter it lives a little longer, never shorter."""
    clock = ManualClock()

    @alru_cache(ttl=10, clock=clock)
    async def plain(x: int) -> int:
        return x

    @alru_cache(ttl=10, jitter=5, clock=clock)
    async def jittered(x: int) -> int:
        return x

    await plain(1)
    await jittered(1)
    clock.advance(9.99)
    assert plain.cache_contains(1)
    assert jittered.cache_contains(1)
    clock.advance(5.02)
    assert not plain.cache_contains(1)
    assert not jittered.cache_contains(1)
    clock.advance(10)
    assert plain.cache_info().currsize == jittered.cache_info().currsize == 0


@pytest.mark.one_loop
async def test_invalidated_entry_takes_its_end_along() -> None:
    """What is loaded after an invalidation lives its whole ttl, whatever the old entry had left."""
    clock = ManualClock()

    @alru_cache(ttl=2, clock=clock)
    async def load() -> int:
        return 1

    await load()
    load.cache_invalidate()
    clock.advance(1)
    await load()
    clock.advance(1.5)
    assert load.cache_contains()
    assert load.cache_info() == (0, 2, 128, 1)


@pytest.mark.parametrize("mistake", [{"jitter": 1.0}, {"ttl": 1.0, "jitter": -0.5}, {"typed": True, "key": len}])
def test_contradictions_are_value_errors(mistake: dict[str, Any]) -> None:
    """Jitter without ttl, negative jitter, and `typed` together with `key` are refused."""
    with pytest.raises(ValueError, match=r"jitter requires ttl|jitter must be non-negative|typed"):
        alru_cache(**mistake)


def test_values_outlive_a_loop() -> None:
    """By design: a new loop finds the values of the old one, without a warning, and counters go on."""

    @alru_cache()
    async def load(x: int) -> int:
        return x

    for _ in range(3):
        assert asyncio.run(load(1)) == 1
    assert load.cache_info() == (2, 1, 128, 1)


async def test_nobody_is_cancelled_who_was_not() -> None:
    """By design: callers of a load that `cache_close()` cancels get `LoadCancelled`, not `CancelledError`."""

    @alru_cache()
    async def load(x: int) -> int:
        await asyncio.Event().wait()
        return x

    waiting = asyncio.gather(*(load(x) for x in range(3)), return_exceptions=True)
    await asyncio.sleep(0)
    closing = load.cache_close()
    assert load.cache_parameters()["tasks"] == 3
    await closing
    assert {type(answer) for answer in await waiting} == {LoadCancelled}
    with pytest.raises(RuntimeError):
        await load(1)


@pytest.mark.one_loop
async def test_every_spelling_is_one_entry() -> None:
    """By design: arguments are bound to the signature, so that keywords and defaults make no second entry."""

    @alru_cache()
    async def load(x: int, y: int = 10) -> int:
        return x + y

    for call in (load(1), load(1, 10), load(1, y=10), load(y=10, x=1)):
        await call
    assert load.cache_info() == (3, 1, 128, 1)


@pytest.mark.one_loop
async def test_instances_are_apart_and_free() -> None:
    """By design: each instance has a cache of its own, with the bound for itself, that does not keep it alive."""

    class Service:
        @alru_cache()
        async def load(self, x: int) -> int:
            return x

    one, other = Service(), Service()
    await one.load(1)
    assert one.load.cache_info() == (0, 1, 128, 1)
    assert other.load.cache_info() == (0, 0, 128, 0)
    ref = weakref.ref(one)
    await asyncio.sleep(0)
    del one
    assert ref() is None
    method = other.load
    assert weakref.ref(method)() is method
