"""Waiting until awaited listeners have heard all, and stopping them."""

import asyncio

import pytest

from asynccache.memory.listeners import EvictionNotices
from tests.flight.gates import Gate, together, turns
from tests.memory.listening import Listener, keys_of, left, workers


async def test_draining_waits_for_what_comes_meanwhile() -> None:
    """Draining ends when all has been heard, also what was told while it waited; with nothing to do, at once."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")
    await together(notices.drain())
    notices.tell(left(1))
    draining = asyncio.create_task(notices.drain())
    await turns()
    notices.tell(left(2))
    gate.give(None)
    await turns()
    assert not draining.done()
    gate.give(None)
    await together(draining)
    assert keys_of(listener.heard) == [1, 2]


async def test_whoever_stops_waiting_leaves_the_listener_at_work() -> None:
    """A cancelled drain, and one whose deadline is over, end; the listener goes on and hears the rest."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(1, 2))
    draining = asyncio.create_task(notices.drain())
    await turns()
    draining.cancel()
    await asyncio.wait([draining])
    assert draining.cancelled()
    loop = asyncio.get_running_loop()
    await together(notices.drain(deadline=loop.time()), notices.drain(deadline=loop.time() + 0.001))
    assert (gate.cancelled, gate.calls) == (0, [1])
    for _ in range(2):
        gate.give(None)
        await turns()
    assert keys_of(listener.heard) == [1, 2]


@pytest.mark.parametrize("in_a_task_of_its_own", [False, True])
async def test_a_listener_does_not_wait_for_itself(in_a_task_of_its_own: bool) -> None:
    """Draining and stopping from inside a listener end at once, also in a task that it waits for; it is not cut off."""
    ended: list[object] = []

    async def close() -> None:
        await notices.drain()
        notices.stop(asyncio.get_running_loop())

    async def hear(key: object, *_: object) -> None:
        await (asyncio.create_task(close()) if in_a_task_of_its_own else close())
        await asyncio.sleep(0)
        ended.append(key)

    notices = EvictionNotices([hear], "prices")
    notices.tell(left(1, 2))
    await together(notices.drain())
    assert (ended, notices.dropped) == ([1], 1)
    notices.tell(left(3))
    await together(notices.drain())
    assert ended == [1, 3]


async def test_what_a_listener_has_left_behind_may_wait() -> None:
    """A task started by a listener that has ended since waits like any other for what is heard now."""
    gate: Gate[None] = Gate()
    begin = asyncio.Event()
    left_behind: list[asyncio.Task[None]] = []

    async def drain_later() -> None:
        await begin.wait()
        await notices.drain()

    async def hear(key: object, *_: object) -> None:
        if key == 1:
            left_behind.append(asyncio.create_task(drain_later()))
        else:
            await gate.load(key)

    notices = EvictionNotices([hear], "prices")
    notices.tell(left(1, 2))
    await turns()
    assert gate.calls == [2]
    begin.set()
    await turns()
    assert not left_behind[0].done()
    gate.give(None)
    await together(*left_behind)


async def test_what_a_listener_has_left_behind_may_wait_for_the_next_task() -> None:
    """Also where all had been heard since, and what it waits for has not begun."""
    begin = asyncio.Event()
    left_behind: list[asyncio.Task[None]] = []
    heard_before: list[bool] = []

    async def drain_later() -> None:
        await begin.wait()
        await notices.drain()
        heard_before.append(heard == [1, 2])

    async def hear(key: object, *_: object) -> None:
        if key == 1:
            left_behind.append(asyncio.create_task(drain_later()))
        heard.append(key)

    heard: list[object] = []
    notices = EvictionNotices([hear], "prices")
    notices.tell(left(1))
    await turns()
    begin.set()
    notices.tell(left(2))
    await together(*left_behind)
    assert heard_before == [True]


async def test_stopping_cancels_and_forgets() -> None:
    """Stopping cancels the listener at work and drops what waits; what is told next is heard, in its own order."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")
    notices.stop(asyncio.get_running_loop())
    notices.tell(left(1, 2, 3))
    await turns()
    notices.stop(asyncio.get_running_loop())
    notices.tell(left(4))
    await turns()
    assert (keys_of(listener.heard), gate.cancelled, notices.dropped) == ([1, 4], 1, 2)
    gate.give(None)
    await together(notices.drain())
    assert (workers(), notices.callback_errors) == ([], 0)


async def test_stopping_before_the_first_turn() -> None:
    """A task that is stopped before it has begun ends as well, and hears nothing."""
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(1))
    notices.stop(asyncio.get_running_loop())
    await turns()
    assert (listener.heard, notices.dropped, workers()) == ([], 1, [])


async def test_a_listener_that_does_not_let_itself_be_cancelled() -> None:
    """Whoever swallows the cancellation is the last to hear: neither the next listener nor the next notice follows."""
    gate: Gate[None] = Gate()
    heard: list[object] = []

    async def stubborn(key: object, *_: object) -> None:
        heard.append(key)
        try:
            await gate.load(key)
        except asyncio.CancelledError:
            heard.append("stubborn")

    after = Listener()
    notices = EvictionNotices([stubborn, after.hear], "prices")
    notices.tell(left(1, 2))
    await turns()
    [task] = workers()
    task.cancel()
    await turns()
    assert (heard, after.heard, notices.dropped, task.done()) == ([1, "stubborn"], [], 1, True)
