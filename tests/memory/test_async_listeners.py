"""Listeners that are awaited: in a task behind, in order, one notice at a time, and never in the cache's way.

They are told here without a cache: what leaves one, and why, is tested elsewhere.
"""

import asyncio
import contextvars
import gc
import weakref
from functools import partial
from typing import Any

import pytest

from asynccache.memory.listeners import EvictionNotices, read_listeners
from tests.flight.gates import Gate, turns
from tests.memory.listening import EVICTED, EXPIRED, Listener, keys_of, left, workers


async def test_what_has_left_is_counted_by_cause() -> None:
    """Every entry told of is counted under its cause, with listeners and without."""
    for listeners in ([], [Listener().hear]):
        notices = EvictionNotices(listeners, "prices")
        assert notices.hears is bool(listeners)
        notices.tell([])
        assert workers() == []
        notices.tell([*left(1, 2), (3, 3, EXPIRED)])
        assert dict(notices.counts) == {EVICTED: 2, EXPIRED: 1}
        await notices.drain()


async def test_an_awaited_listener_hears_all_in_order() -> None:
    """What is told comes to the listener later, in the order in which it was told, with key, value and cause."""
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(1, 2))
    notices.tell([(3, None, EXPIRED)])
    assert listener.heard == []
    await notices.drain()
    assert listener.heard == [(1, "value 1", EVICTED), (2, "value 2", EVICTED), (3, None, EXPIRED)]
    assert (notices.callback_errors, notices.dropped) == (0, 0)


@pytest.mark.one_loop
async def test_coroutine_functions_are_known_in_every_shape() -> None:
    """A bound method, a partial, an object with an `async def __call__` and a partial of one are all awaited."""
    one, two, three, four = (Listener() for _ in range(4))
    both = read_listeners([one.hear, partial(two.with_label, "two"), three, partial(four)])
    notices = EvictionNotices(both, "prices")
    notices.tell(left(1))
    await notices.drain()
    assert [keys_of(listener.heard) for listener in (one, two, three, four)] == [[1], [("two", 1)], [1], [1]]


async def test_plain_listeners_hear_at_once() -> None:
    """Plain listeners are told before `tell` returns, in their order, whatever stands between them."""
    heard: list[str] = []
    awaited = Listener()

    def one(*_: object) -> None:
        heard.append("one")

    def two(*_: object) -> None:
        heard.append("two")

    notices = EvictionNotices([one, awaited.hear, two], "prices")
    notices.tell(left(1, 2))
    assert heard == ["one", "two", "one", "two"]
    assert awaited.heard == []
    await notices.drain()
    assert keys_of(awaited.heard) == [1, 2]


async def test_one_notice_at_a_time() -> None:
    """The next notice is heard when all listeners have ended with the one before, and they follow one another."""
    gate: Gate[None] = Gate()
    slow, quick = Listener(gate), Listener()
    notices = EvictionNotices([slow.hear, quick.hear], "prices")
    notices.tell(left(1, 2))
    await turns()
    assert (keys_of(slow.heard), keys_of(quick.heard)) == ([1], [])
    gate.give(None)
    await turns()
    assert (keys_of(slow.heard), keys_of(quick.heard)) == ([1, 2], [1])
    gate.give(None)
    await notices.drain()
    assert keys_of(quick.heard) == [1, 2]


async def test_there_is_a_task_only_while_something_waits() -> None:
    """One task at most, named after the cache; none before the first notice, and none is kept after the last."""
    gate: Gate[None] = Gate()
    seen: weakref.WeakSet[object] = weakref.WeakSet()
    notices = EvictionNotices([Listener(gate).hear], "prices")
    assert workers() == []
    for number in range(2):
        notices.tell(left(number))
        notices.tell(left(number + 10))
        await turns()
        assert len(workers()) == 1
        seen.update(workers())
        gate.give(None)
        await turns()
        gate.give(None)
        await turns()
        assert workers() == []
    gc.collect()
    assert len(seen) == 0


async def test_a_notice_that_comes_as_the_task_ends_is_heard() -> None:
    """However close to the end of the last notice another comes, it is heard."""
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    for count in range(8):
        notices.tell(left(2 * count))
        await turns(count)
        notices.tell(left(2 * count + 1))
        await turns()
    assert keys_of(listener.heard) == list(range(16))


async def test_a_listener_may_tell_of_more() -> None:
    """A listener that makes others leave, plain or awaited, is told of these after those that left before."""
    awaited: list[object] = []
    plain: list[object] = []

    def hear_at_once(key: Any, *_: object) -> None:
        plain.append(key)
        if key < 10:
            notices.tell(left(key + 10))

    async def hear(key: Any, *_: object) -> None:
        awaited.append(key)
        if key in (1, 2):
            notices.tell(left(key + 100))

    notices = EvictionNotices([hear_at_once, hear], "prices")
    notices.tell(left(1, 2))
    assert plain == [1, 11, 2, 12]
    await notices.drain()
    assert awaited == [1, 2, 11, 12, 101, 102]
    assert notices.counts[EVICTED] == 6


async def test_listeners_run_in_an_empty_context() -> None:
    """A listener sees no context variable of whoever made an entry leave."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def hear(*_: object) -> None:
        seen.append(variable.get())

    notices = EvictionNotices([hear], "prices")
    variable.set("the caller's")
    notices.tell(left(1))
    await notices.drain()
    assert seen == ["unset"]


async def test_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners that never wait let the loop turn whenever a slice of time is over."""
    monkeypatch.setattr("asynccache.memory.listeners.SLICE", 0.0)
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(*range(10)))
    seen = set[int]()
    for _ in range(20):
        await asyncio.sleep(0)
        seen.add(len(listener.heard))
    assert seen >= set(range(1, 11))


async def test_many_notices_need_few_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a slice of time quick listeners hear one notice after the other, and do not fall behind a busy cache."""
    monkeypatch.setattr("asynccache.memory.listeners.SLICE", 60.0)
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(*range(1_000)))
    await turns(3)
    assert len(listener.heard) == 1_000
