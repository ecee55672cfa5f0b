"""`stale_if_error`: an old value is better than an error, for so long, and no longer."""

import asyncio
from typing import Any

import pytest

from asynccache import MISSING, RecursiveLoad, async_cached
from asynccache.errors import LoadTimeout
from asynccache.testing import ManualClock
from tests.flight.gates import callers, outcome, together, turns
from tests.freshness.aging import MOMENT, TTL, Scene, aged


class NotFound(Exception):
    """An answer."""


async def asked(scene: Scene, count: int = 1) -> "list[asyncio.Task[str]]":
    """Let so many callers wait for a load."""
    waiting = await callers(scene.load, count)
    assert not any(task.done() for task in waiting)
    return waiting


async def test_all_who_wait_get_the_old_value_when_the_load_fails() -> None:
    """A hundred callers wait for one load; it fails, and they get the old value, which is counted as that."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene, 100)
    await scene.break_down()
    assert await together(*waiting) == ["old"] * 100
    stats = scene.load.cache_stats()
    assert (stats.stale, stats.hits, stats.misses, stats.coalesced) == (100, 0, 2, 99)
    assert (stats.failures, stats.loads) == (1, 1)


async def test_when_the_load_works_nobody_gets_the_old_value() -> None:
    """An old value is only there in case of failure: callers wait for the new one."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene, 3)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 3
    assert scene.load.cache_stats().stale == 0


async def test_after_a_failure_the_load_is_left_in_peace() -> None:
    """For `error_backoff` seconds calls get the old value at once; the first one after that loads again."""
    scene = await aged(stale_if_error=50, error_backoff=3)
    waiting = await asked(scene)
    await scene.break_down()
    await together(*waiting)
    assert [await scene.read() for _ in range(3)] == ["old"] * 3
    scene.clock.advance(3 - MOMENT)
    assert await scene.read() == "old"
    assert scene.gate.calls == [1, 1]
    scene.clock.advance(MOMENT)
    waiting = await asked(scene, 3)
    await scene.end("new")
    assert await together(*waiting) == ["new"] * 3
    assert scene.gate.calls == [1, 1, 1]


async def test_a_second_is_the_time_after_a_failure_where_none_is_given() -> None:
    """Without `error_backoff` the load is asked again after one second."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene)
    await scene.break_down()
    await together(*waiting)
    scene.clock.advance(1 - MOMENT)
    assert await scene.read() == "old"
    scene.clock.advance(MOMENT)
    waiting = await asked(scene)
    await scene.end("new")
    await together(*waiting)


async def test_a_new_value_makes_an_end_of_waiting() -> None:
    """What a load or `cache_put` has brought after a failure is loaded anew as soon as its own ttl ends."""
    scene = await aged(stale_if_error=50, error_backoff=30)
    waiting = await asked(scene)
    await scene.break_down()
    await together(*waiting)
    scene.load.cache_put("put", 1)
    scene.clock.advance(TTL)
    waiting = await asked(scene)
    await scene.end("new")
    assert await together(*waiting) == ["new"]


async def test_the_window_has_an_end() -> None:
    """Up to its last moment the old value is served; at its end, counted from the ttl's, the error is raised."""
    scene = await aged(TTL + 5 - MOMENT, stale_if_error=5)
    waiting = await asked(scene)
    await scene.break_down()
    assert await together(*waiting) == ["old"]
    scene.clock.advance(MOMENT)
    waiting = await asked(scene)
    await scene.break_down()
    assert isinstance(await outcome(waiting[0]), OSError)


async def test_a_window_that_ends_while_the_load_runs() -> None:
    """What counts is when the load fails, not when it began."""
    scene = await aged(stale_if_error=5)
    waiting = await asked(scene)
    scene.clock.advance(5)
    await scene.break_down()
    assert isinstance(await outcome(waiting[0]), OSError)


async def test_a_window_that_ends_while_the_load_is_left_in_peace() -> None:
    """When the old value may not be served any more, the load is asked, however short ago it failed."""
    scene = await aged(stale_if_error=5, error_backoff=60)
    waiting = await asked(scene)
    await scene.break_down()
    await together(*waiting)
    scene.clock.advance(5)
    await scene.fill("new")


async def test_where_there_is_no_old_value_the_error_is_raised() -> None:
    """The first load's failure is what it is, and the next call loads at once."""
    scene = Scene(stale_if_error=50)
    for _ in range(2):
        waiting = await asked(scene, 3)
        await scene.break_down()
        assert [type(await outcome(task)) for task in waiting] == [OSError] * 3


async def test_a_load_that_cancels_itself_has_failed() -> None:
    """Its callers are not cancelled, and get the old value."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene, 3)
    await scene.break_down(asyncio.CancelledError())
    assert await together(*waiting) == ["old"] * 3
    assert scene.load.cache_stats().cancelled == 1


async def test_a_load_that_takes_too_long_has_failed() -> None:
    """At its `timeout` callers get the old value instead of `LoadTimeout`, and it counts as a failure."""
    scene = await aged(stale_if_error=50, timeout=4)
    waiting = await asked(scene, 3)
    scene.clock.advance(4)
    assert await together(*waiting) == ["old"] * 3
    assert await scene.read() == "old"
    assert scene.gate.calls == [1, 1]
    assert (scene.load.cache_stats().timeouts, scene.load.cache_stats().failures) == (1, 1)


async def test_beyond_the_window_a_load_that_takes_too_long_raises() -> None:
    """`LoadTimeout` is raised where no old value may be served."""
    scene = await aged(stale_if_error=3, timeout=4)
    (waiting,) = await asked(scene)
    scene.clock.advance(4)
    assert isinstance(await outcome(waiting), LoadTimeout)


async def test_callers_who_leave_are_no_failure() -> None:
    """A load that was cancelled because nobody waited any more has not failed: the next call loads at once."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene, 2)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await turns()
    assert scene.gate.cancelled == 1
    await scene.fill("new")


@pytest.mark.parametrize("said", ["invalidate", "clear", "tags"])
async def test_what_was_invalidated_is_served_to_nobody(said: str) -> None:
    """If the old value is invalidated while the load runs, and the load then fails, callers get the error."""
    scene = await aged(stale_if_error=50, tags=("all",))
    waiting = await asked(scene, 2)
    if said == "invalidate":
        scene.load.cache_invalidate(1)
    elif said == "clear":
        scene.load.cache_clear()
    else:
        scene.load.cache_invalidate_tags("all")
    await scene.break_down()
    assert [type(await outcome(task)) for task in waiting] == [OSError] * 2


async def test_what_was_put_while_the_load_ran() -> None:
    """A value that is put during a load that then fails stays, and is served as fresh."""
    scene = await aged(stale_if_error=50)
    waiting = await asked(scene)
    scene.load.cache_put("put", 1)
    await scene.break_down()
    await outcome(waiting[0])
    assert await scene.read() == "put"
    assert scene.load.cache_stats().hits == 1


async def test_an_answer_is_no_outage() -> None:
    """An error that `errors` names takes the old value's place: callers are told, now and later."""
    scene = await aged(stale_if_error=50, errors={NotFound: 5})
    waiting = await asked(scene, 3)
    await scene.break_down(NotFound())
    assert [type(await outcome(task)) for task in waiting] == [NotFound] * 3
    assert isinstance(await scene.read(), NotFound)
    assert scene.load.cache_peek(1) is MISSING


async def test_a_mistake_in_the_program_is_no_outage() -> None:
    """A load that waits for itself is told so, also where there is an old value."""
    clock = ManualClock()
    calls = 0

    @async_cached(ttl=10, stale_if_error=50, clock=clock)
    async def load(key: int) -> str:
        nonlocal calls
        calls += 1
        return "old" if calls == 1 else await load(key)

    await load(1)
    clock.advance(10)
    with pytest.raises(RecursiveLoad):
        await load(1)


@pytest.mark.parametrize(("stale", "stale_if_error"), [(5, 20), (20, 5)])
async def test_two_windows(stale: float, stale_if_error: float) -> None:
    """Both count from the ttl's end: first served while it is refreshed, and as long as the longer lasts, kept."""
    scene = await aged(stale=stale, stale_if_error=stale_if_error, error_backoff=0)
    assert await scene.read() == "old"
    await scene.break_down()
    scene.clock.advance(6)
    if stale > 6:
        assert await scene.read() == "old"
        await scene.break_down()
    else:
        waiting = await asked(scene)
        await scene.break_down()
        assert await together(*waiting) == ["old"]
    scene.clock.advance(14)
    (last,) = await asked(scene)
    await scene.break_down()
    assert isinstance(await outcome(last), OSError)


async def test_an_old_value_is_kept_no_longer_than_it_may_be_served() -> None:
    """It leaves memory when the longer of its windows ends, and not before."""
    scene = await aged(TTL + 4, stale_if_error=5, stale=3)
    await turns()
    assert scene.load.cache_info().currsize == 1
    scene.clock.advance(2)
    await turns()
    assert scene.load.cache_info().currsize == 0


async def test_a_value_past_its_ttl_is_not_shown_as_stored() -> None:
    """What is kept only in case of failure is not there for `cache_peek`, and `cache_contains` does not promise it."""
    scene = await aged(stale_if_error=50)
    assert scene.load.cache_peek(1) is MISSING
    assert not scene.load.cache_contains(1)


async def test_a_value_that_nobody_reads() -> None:
    """With `idle` an old value goes when that is over, be its window longer; a read in time keeps it."""
    for read_between in (True, False):
        scene = await aged(30, stale=40, stale_if_error=500, idle=60)
        if read_between:
            await scene.read()
            await scene.break_down()
        scene.clock.advance(31)
        (waiting,) = await asked(scene)
        await scene.break_down()
        assert (await outcome(waiting) == "old") is read_between


@pytest.mark.parametrize("options", [{}, {"tags": ("all",)}, {"stale": 5}, {"errors": {NotFound: 5}}], ids=str)
async def test_only_who_asks_for_old_values_gets_them(options: dict[str, Any]) -> None:
    """Without `stale_if_error` a `cache_refresh` that fails raises, though there is a value, and leaves that alone."""
    scene = await aged(1, **options)
    asking = asyncio.create_task(scene.load.cache_refresh(1))
    await turns()
    await scene.break_down()
    assert isinstance(await outcome(asking), OSError)
    assert await scene.read() == "old"
