"""What looking for trouble found beside the model: each once broken, each the smallest call that shows it."""

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from asynccache import CachedFunction, LoadCancelled, LoadTimeout, async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, turns


class NotFound(Exception):
    """An answer."""


class Incomparable:
    """A value that refuses to be compared, as arrays do."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of this is ambiguous")


@pytest.mark.parametrize("options", [{}, {"ttl": 60.0}, {"tags": ()}], ids=["plain", "ttl", "lasting"])
@pytest.mark.parametrize("value", [None, 0, Incomparable()], ids=["None", "0", "incomparable"])
@pytest.mark.one_loop
async def test_whether_there_was_something_does_not_hang_on_the_value(options: dict[str, Any], value: object) -> None:
    """`cache_invalidate` tells that a value was there, and removes it, be it None or one that cannot be compared."""

    async def give(key: int) -> object:
        return value

    load: CachedFunction[[int], object] = async_cached(**options)(give)
    await load(1)
    assert load.cache_invalidate(1) is True
    assert load.cache_invalidate(1) is False
    assert not load.cache_contains(1)


NOT_KEPT: Final[dict[str, dict[str, Any]]] = {
    "kept": {},
    "store_if": {"store_if": lambda _value: False},
    "maxsize": {"maxsize": 0},
    "ttl": {"ttl": 0},
    "ttl of the value": {"ttl": lambda _value: 0},
    "too heavy": {"max_weight": 1, "weigher": lambda _key, _value: 2},
}


@pytest.mark.parametrize("options", NOT_KEPT.values(), ids=NOT_KEPT)
async def test_late_callers_get_nothing_that_was_invalid_when_they_came(options: dict[str, Any]) -> None:
    """Who calls after a tag was invalidated gets no value whose load began before, be that stored or not."""
    gate: Gate[str] = Gate()
    load = async_cached(tags=("a",), **options)(gate.load)
    first = asyncio.create_task(load(1))
    await turns()
    load.cache_invalidate_tags("a")
    between = asyncio.create_task(load(1))
    await turns()
    load.cache_invalidate_tags("a")
    last = asyncio.create_task(load(1))
    await turns()
    gate.give("old")
    await turns()
    assert await first == "old"
    assert not between.done()
    assert not last.done()
    gate.give("new")
    assert [await between, await last] == ["new", "new"]
    assert len(gate.calls) == 2


OVERTAKEN: Final[dict[str, Callable[[CachedFunction[[int], str]], object]]] = {
    "put": lambda load: load.cache_put("put", 1),
    "invalidate": lambda load: load.cache_invalidate(1),
    "clear": lambda load: load.cache_clear(),
}


@pytest.mark.parametrize("overtake", OVERTAKEN.values(), ids=OVERTAKEN)
async def test_a_load_that_was_overtaken_twice_serves_only_those_who_came_before(
    overtake: Callable[[CachedFunction[[int], str]], object],
) -> None:
    """That a key was overwritten later does not bring back what its tag had made invalid before the call."""
    gate: Gate[str] = Gate()
    load: CachedFunction[[int], str] = async_cached(tags=("a",))(gate.load)
    first = asyncio.create_task(load(1))
    await turns()
    load.cache_invalidate_tags("a")
    late = asyncio.create_task(load(1))
    await turns()
    overtake(load)
    gate.give("old")
    await turns()
    assert await first == "old"
    if len(gate.calls) == 2:
        gate.give("put")
    assert await late == "put"


async def test_what_is_shared_in_one_turn_is_not_shared_beyond_an_invalidation() -> None:
    """A load that ends at once is shared with others of the same turn, but not with one who invalidated its tag."""
    loads = 0

    @async_cached(tags=("a",), store_if=lambda _value: False)
    async def load(key: int) -> int:
        nonlocal loads
        loads += 1
        return loads

    async def invalidate_and_call() -> int:
        load.cache_invalidate_tags("a")
        return await load(1)

    first, second = await asyncio.gather(asyncio.create_task(load(1)), asyncio.create_task(invalidate_and_call()))
    assert (first, second) in {(1, 2), (2, 2)}
    assert second == loads


@pytest.mark.parametrize("error", [asyncio.CancelledError, None], ids=["cancelled", "too late"])
@pytest.mark.one_loop
async def test_what_the_cache_says_itself_is_no_answer(error: type[BaseException] | None) -> None:
    """However general a type is to be remembered, a load's time limit and its cancellation are outages, not answers."""
    clock, gate = ManualClock(), Gate[str]()
    load = async_cached(ttl=10, timeout=1, errors={Exception: 50}, clock=clock)(gate.load)
    call = asyncio.create_task(load(1))
    await turns()
    if error is None:
        clock.advance(1)
    else:
        gate.fail(error())
    with pytest.raises(LoadTimeout if error is None else LoadCancelled):
        await call
    assert not load.cache_contains(1)
    again = asyncio.create_task(load(1))
    await turns()
    gate.give("value")
    assert await again == "value"


class WatchedKey:
    """Equal to all others; tells when it is compared."""

    def __init__(self, compared: Callable[[], object]) -> None:
        self._compared = compared

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        self._compared()
        return True


@pytest.mark.parametrize("policy", ["lru", "lfu", "gdsf", "s3fifo"])
@pytest.mark.one_loop
async def test_an_error_never_comes_out_as_a_value(policy: str) -> None:
    """A hit in another thread, in the very moment in which an error takes the value's place, gives one or the other."""
    is_missing = False
    got: list[str] = []

    @async_cached(maxsize=10, policy=policy, ttl=100, errors={NotFound: 5}, clock=ManualClock())
    async def load(key: WatchedKey) -> str:
        if is_missing:
            raise NotFound
        return "value"

    async def read(key: WatchedKey) -> None:
        try:
            got.append(await load(key))
        except NotFound:
            got.append("NotFound")

    reader = threading.Thread(target=lambda: asyncio.run(read(one)))
    here = threading.current_thread()

    def compared() -> None:  # under the lock, as the error is about to be stored: the reader gets as far as it can
        if is_missing and threading.current_thread() is here and not reader.ident:
            reader.start()
            reader.join(0.2)

    one, other = WatchedKey(compared), WatchedKey(compared)
    await load(one)
    is_missing = True
    with pytest.raises(NotFound):
        await load.cache_refresh(other)
    await asyncio.to_thread(reader.join)
    assert got in (["value"], ["NotFound"])


def lines_of(call: Callable[[], object]) -> int:
    """How many lines run in a call."""
    count, outer = 0, sys.gettrace()

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(outer)
    return count


@pytest.mark.one_loop
async def test_invalidating_a_tag_takes_the_same_time_for_any_number_of_entries() -> None:
    """As many lines run to invalidate a tag of five thousand entries as of one; all of them are invalid at once."""

    @async_cached(maxsize=None, tags=("a",), clock=ManualClock())
    async def load(key: int) -> int:
        return key

    @async_cached(maxsize=None, tags=("a",), clock=ManualClock())
    async def load_one(key: int) -> int:
        return key

    await load_one(0)
    for key in range(5_000):
        load.cache_put(key, key)
    assert (
        lines_of(lambda: load.cache_invalidate_tags("a")) == lines_of(lambda: load_one.cache_invalidate_tags("a")) > 5
    )
    assert not any(load.cache_contains(key) for key in range(5_000))
    assert load.cache_stats().size == 5_000
