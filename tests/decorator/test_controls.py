"""What the controls of a decorated function tell and do."""

import asyncio
import functools
from typing import Any

import pytest

from asynccache import MISSING, CacheClosed, LoadCancelled, RemovalCause, async_cached
from asynccache.testing import ManualClock


@pytest.mark.one_loop
async def test_info_has_the_four_fields_of_functools() -> None:
    """`cache_info()` reads and compares as that of `functools.lru_cache` does."""

    @functools.lru_cache(maxsize=3)
    def model(x: int) -> int:
        return x

    @async_cached(maxsize=3)
    async def load(x: int) -> int:
        return x

    for x in (1, 2, 1, 3, 4, 1, 2, 2):
        model(x)
        await load(x)
        assert tuple(load.cache_info()) == tuple(model.cache_info())
    assert load.cache_info()._fields == model.cache_info()._fields


async def test_joining_a_load_is_a_hit_in_the_short_figures() -> None:
    """Callers who join a load are hits in `cache_info()`, and `coalesced` in `cache_stats()`."""
    gate = asyncio.Event()

    @async_cached
    async def load(x: int) -> int:
        await gate.wait()
        return x

    waiting = asyncio.gather(*(load(1) for _ in range(5)))
    await asyncio.sleep(0)
    assert load.cache_info() == (4, 1, 1024, 1)
    assert load.cache_parameters()["tasks"] == load.cache_stats().in_flight == 1
    gate.set()
    assert await waiting == [1] * 5
    await load(1)
    stats = load.cache_stats()
    assert (stats.hits, stats.misses, stats.coalesced, stats.loads) == (1, 1, 4, 1)
    assert (stats.failures, stats.abandoned, stats.in_flight, stats.size, stats.weight) == (0, 0, 0, 1, 1)
    assert load.cache_info() == (5, 1, 1024, 1)


@pytest.mark.one_loop
async def test_failures_are_counted_and_not_stored() -> None:
    """A load that fails is a miss and a failure; the next call loads again."""

    @async_cached
    async def load(x: int) -> int:
        raise LookupError(x)

    for _ in range(2):
        with pytest.raises(LookupError):
            await load(1)
    stats = load.cache_stats()
    assert (stats.misses, stats.loads, stats.failures, stats.size) == (2, 0, 2, 0)


@pytest.mark.one_loop
async def test_removals_are_counted_by_cause() -> None:
    """`cache_stats().removals` tells why entries have left."""
    clock = ManualClock()

    @async_cached(maxsize=2, ttl=10, clock=clock)
    async def load(x: int) -> int:
        return x

    for x in (1, 2, 3):
        await load(x)
    assert load.cache_stats().removals == {RemovalCause.SIZE: 1}
    load.cache_invalidate(3)
    await load.cache_refresh(2)
    clock.advance(10)
    await load(2)
    assert load.cache_stats().removals == dict.fromkeys(RemovalCause, 1)


@pytest.mark.one_loop
async def test_clear_forgets_entries_and_counters() -> None:
    """`cache_clear()` leaves a cache as it was made."""

    @async_cached(maxsize=2)
    async def load(x: int) -> int:
        return x

    fresh = load.cache_stats()
    for x in (1, 1, 2, 3):
        await load(x)
    load.cache_clear()
    assert load.cache_info() == (0, 0, 2, 0)
    assert load.cache_stats() == fresh
    assert load.cache_peek(3) is MISSING


async def test_clear_during_a_load() -> None:
    """A load that a clear overtakes serves those who wait, and is not stored."""
    gate = asyncio.Event()
    versions = iter(["old", "new"])

    @async_cached
    async def load() -> str:
        version = next(versions)
        await gate.wait()
        return version

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    load.cache_clear()
    assert not load.cache_contains()
    gate.set()
    assert await waiting == "old"
    assert load.cache_peek() is MISSING
    assert await load() == "new"


@pytest.mark.one_loop
async def test_invalidate_tells_whether_there_was_anything() -> None:
    """`cache_invalidate` is True if a value or a load was forgotten; other entries stay."""

    @async_cached
    async def load(x: int) -> int:
        return x

    assert load.cache_invalidate(1) is False
    await load(1)
    await load(2)
    assert load.cache_invalidate(x=1) is True
    assert load.cache_invalidate(1) is False
    assert load.cache_contains(2)


async def test_invalidate_during_a_load() -> None:
    """After an invalidation nobody new gets what a load that began before brings."""
    gates = [asyncio.Event(), asyncio.Event()]
    begun: list[int] = []

    @async_cached
    async def load() -> int:
        number = len(begun)
        begun.append(number)
        await gates[number].wait()
        return number

    old = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    assert load.cache_invalidate() is True
    new = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    gates[1].set()
    assert await new == 1
    gates[0].set()
    assert await old == 0
    assert await load() == 1


@pytest.mark.one_loop
async def test_contains_and_peek_count_as_nothing() -> None:
    """Looking changes no counter, loads nothing, and does not save an entry from eviction."""

    @async_cached(maxsize=2)
    async def load(x: int) -> int:
        return x

    await load(1)
    await load(2)
    before = load.cache_stats()
    for _ in range(5):
        assert load.cache_contains(1)
        assert load.cache_peek(1) == 1
        assert not load.cache_contains(9)
        assert load.cache_peek(9) is MISSING
    assert load.cache_stats() == before
    await load(3)
    assert not load.cache_contains(1)


async def test_contains_a_load_under_way() -> None:
    """A call that would join a load is contained; there is nothing to peek at yet."""
    gate = asyncio.Event()

    @async_cached
    async def load() -> int:
        await gate.wait()
        return 1

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    assert load.cache_contains()
    assert load.cache_peek() is MISSING
    gate.set()
    await waiting


@pytest.mark.one_loop
async def test_put_is_as_if_the_call_had_been_made() -> None:
    """A value that was put is what the call gives, replaces what was there, and is evicted and counted like any."""
    gone: list[object] = []

    @async_cached(maxsize=2, on_evict=lambda key, value, cause: gone.append((key, value, cause)))
    async def load(x: int, y: int = 0) -> int:
        raise AssertionError

    load.cache_put(5, 1)
    load.cache_put(6, x=1, y=0)
    assert await load(1) == load.cache_peek(1, 0) == 6
    load.cache_put(7, 2)
    load.cache_put(8, 3)
    assert gone == [((1, 0), 5, RemovalCause.REPLACED), ((1, 0), 6, RemovalCause.SIZE)]
    assert load.cache_info() == (1, 0, 2, 2)


async def test_put_wins_over_a_load_under_way() -> None:
    """What was put while a load was under way stays; the load's value goes to those who waited for it."""
    gate = asyncio.Event()

    @async_cached
    async def load() -> str:
        await gate.wait()
        return "loaded"

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    load.cache_put("put")
    assert await load() == "put"
    gate.set()
    assert await waiting == "loaded"
    assert await load() == "put"


def test_put_without_a_loop() -> None:
    """A cache can be filled before there is a loop, also one whose entries expire."""
    clock = ManualClock()

    @async_cached(ttl=5, clock=clock)
    async def load(x: int) -> int:
        return -x

    load.cache_put(1, 1)
    assert load.cache_peek(1) == 1
    assert asyncio.run(load(1)) == 1
    clock.advance(5)
    assert load.cache_peek(1) is MISSING
    assert asyncio.run(load(1)) == -1


async def test_refresh_loads_anew_and_meanwhile_serves_the_old() -> None:
    """While a refresh is under way others get the old value; afterwards the new one; two refreshes share a load."""
    gate = asyncio.Event()
    versions = iter(range(10))

    @async_cached
    async def load() -> int:
        version = next(versions)
        if version:
            await gate.wait()
        return version

    assert await load() == 0
    refreshing = asyncio.gather(load.cache_refresh(), load.cache_refresh())
    await asyncio.sleep(0)
    assert await load() == load.cache_peek() == 0
    gate.set()
    assert list(await refreshing) == [1, 1]
    assert await load() == 1


@pytest.mark.one_loop
async def test_failed_refresh_keeps_the_old_value() -> None:
    """A refresh that fails raises to who asked for it, and leaves what was there."""
    answers: list[object] = [1, LookupError()]

    @async_cached
    async def load() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await load()
    with pytest.raises(LookupError):
        await load.cache_refresh()
    assert await load() == 1


@pytest.mark.one_loop
async def test_key_is_what_tells_calls_apart() -> None:
    """`cache_key` is equal for equal calls, and is what listeners are told."""
    told: list[object] = []

    @async_cached(on_evict=lambda key, value, cause: told.append(key))
    async def load(x: int, y: int = 2) -> int:
        return x

    assert load.cache_key(1) == load.cache_key(x=1, y=2) != load.cache_key(1, 3)
    await load(1)
    load.cache_invalidate(1)
    assert told == [load.cache_key(1)]


@pytest.mark.parametrize(
    "control", ["cache_contains", "cache_invalidate", "cache_key", "cache_peek", "cache_refresh", "cache_put"]
)
@pytest.mark.one_loop
async def test_controls_bind_arguments_as_calls_do(control: str) -> None:
    """A control about a call refuses arguments that the call would refuse, unhashable ones too."""

    @async_cached
    async def load(x: int, *, y: int = 0) -> int:
        return x

    async def ask(*args: Any, **kwargs: Any) -> None:
        call: Any = getattr(load, control)
        answer = call(0, *args, **kwargs) if control == "cache_put" else call(*args, **kwargs)
        if control == "cache_refresh":
            await answer

    await ask(1, y=1)
    for args, kwargs in [((), {}), ((1, 2), {}), ((1,), {"z": 1}), ((1,), {"x": 1})]:
        with pytest.raises(TypeError, match="argument"):
            await ask(*args, **kwargs)
    with pytest.raises(TypeError, match="unhashable"):
        await ask([])


@pytest.mark.one_loop
async def test_parameters_tell_the_options() -> None:
    """`cache_parameters()` has the bound and `typed` as they were given."""

    @async_cached(maxsize=None, typed=True)
    async def unbounded() -> None: ...

    @async_cached(max_weight=5, weigher=lambda key, value: 1)
    async def weighed() -> None: ...

    assert unbounded.cache_parameters() == {"typed": True, "maxsize": None, "tasks": 0, "closed": False}
    assert weighed.cache_parameters()["maxsize"] is None
    assert weighed.cache_info().maxsize is None


@pytest.mark.one_loop
async def test_closed_cache_takes_no_calls() -> None:
    """After `cache_close()` calls raise `CacheClosed`, which names the function; closing twice does nothing more."""

    @async_cached(name="prices")
    async def load(x: int) -> int:
        return x

    await load(1)
    await load.cache_close()
    await load.cache_close()
    assert load.cache_parameters()["closed"]
    assert load.cache_info().currsize == 0
    for call in (load(1), load(2), load.cache_refresh(1)):
        with pytest.raises(CacheClosed, match="prices"):
            await call
    assert not load.cache_contains(1)


@pytest.mark.one_loop
async def test_put_does_not_open_a_closed_cache() -> None:
    """What is put into a closed cache is not served: every call raises `CacheClosed`."""

    @async_cached
    async def load(x: int) -> int:
        return x

    await load.cache_close()
    try:
        load.cache_put(1, 1)
    except CacheClosed:
        pass
    with pytest.raises(CacheClosed):
        await load(1)


@pytest.mark.parametrize(("wait", "outcome"), [(False, LoadCancelled), (True, int)])
async def test_closing_cancels_or_awaits_loads(wait: bool, outcome: type) -> None:
    """`cache_close()` cancels loads; with `wait=True` they end and serve those who wait. Either way nothing is left."""
    gate = asyncio.Event()
    ended: list[str] = []

    @async_cached
    async def load() -> int:
        try:
            await gate.wait()
        finally:
            ended.append("load")
        return 1

    waiting = asyncio.ensure_future(load())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(load.cache_close(wait=wait))
    await asyncio.sleep(0)
    if wait:
        assert ended == []
        gate.set()
    await closing
    assert ended == ["load"]
    assert [type(answer) for answer in await asyncio.gather(waiting, return_exceptions=True)] == [outcome]
    assert load.cache_parameters() == {"typed": False, "maxsize": 1024, "tasks": 0, "closed": True}
    assert load.cache_info().currsize == 0


async def test_lifespan_ends_what_runs_behind() -> None:
    """On leaving `cache_lifespan()` loads and sweeper have ended; values stay, and the function can be called on."""
    clock = ManualClock()
    gate = asyncio.Event()

    @async_cached(ttl=60, clock=clock, on_abandon="finish")
    async def load(x: int) -> int:
        if x:
            await gate.wait()
        return x

    async with load.cache_lifespan():
        await load(0)
        waiting = asyncio.ensure_future(load(1))
        await asyncio.sleep(0)
        assert load.cache_stats().sweeper_alive
    stats = load.cache_stats()
    assert (stats.in_flight, stats.sweeper_alive, stats.size) == (0, False, 1)
    with pytest.raises(LoadCancelled):
        await waiting
    assert await load(0) == 0
    assert load.cache_info().hits == 1


async def test_bound_and_unbounded() -> None:
    """`maxsize=None` keeps everything, `maxsize=0` nothing, though callers at the same moment share a load."""
    loads: list[int] = []

    async def load(x: int) -> int:
        loads.append(x)
        await asyncio.sleep(0)
        return x

    everything, nothing = async_cached(maxsize=None)(load), async_cached(maxsize=0)(load)
    for x in range(2_000):
        await everything(x)
    assert everything.cache_info() == (0, 2_000, None, 2_000)
    loads.clear()
    for _ in range(2):
        assert await asyncio.gather(*(nothing(1) for _ in range(3))) == [1] * 3
    assert loads == [1, 1]
    assert nothing.cache_info() == (4, 2, 0, 0)
    nothing.cache_put(1, 1)
    assert nothing.cache_peek(1) is MISSING


@pytest.mark.parametrize(("maxsize", "policy"), [(127, "LRUCache"), (128, "S3FIFOCache"), (None, "S3FIFOCache")])
def test_default_policy(maxsize: int | None, policy: str) -> None:
    """Small caches are exact LRU, from 128 entries on S3-FIFO decides; "lru" always is LRU."""
    from asynccache.core.policies import choose_policy

    assert choose_policy("auto", maxsize).__name__ == policy
    assert choose_policy("lru", maxsize).__name__ == "LRUCache"


@pytest.mark.one_loop
@pytest.mark.parametrize("policy", ["lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu", "gdsf"])
@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"idle": 60}, {"copy": "deep"}, {"typed": True}])
async def test_every_policy_with_every_kind_of_hit(policy: str, options: dict[str, Any]) -> None:
    """Whatever the policy and the options, the bound holds, and each call gives its own value."""

    @async_cached(maxsize=10, policy=policy, **options)
    async def load(x: int) -> int:
        return x

    for i in range(300):
        x = i * i % 23
        assert await load(x) == x
        assert load.cache_info().currsize <= 10
    info = load.cache_info()
    assert info.hits + info.misses == 300
    assert info.hits > 0
    load.cache_clear()
    assert load.cache_info() == (0, 0, 10, 0)
