"""Awaited listeners that raise, that are too slow, or for which no event loop runs."""

import asyncio
from typing import Any

import pytest

from asynccache.memory.listeners import MOST_WAITING, EvictionNotices
from tests.flight.gates import Gate, turns
from tests.memory.listening import EVICTED, Heard, Listener, keys_of, left


async def test_what_a_listener_raises_is_shown_and_stops_nothing(loop_errors: list[Any]) -> None:
    """An awaited listener's error is counted and shown once for each; later listeners and notices are still heard."""
    broken, whole = Listener(error=LookupError("secret")), Listener()
    notices = EvictionNotices([broken.hear, whole.hear], "prices")
    notices.tell(left(1, 2))
    await notices.drain()
    assert keys_of(whole.heard) == keys_of(broken.heard) == [1, 2]
    assert notices.callback_errors == len(loop_errors) == 2
    assert loop_errors[0]["message"] == "an on_evict listener of prices raised LookupError"
    assert loop_errors[0]["exception"] is broken.error


@pytest.mark.one_loop
async def test_what_a_plain_listener_raises_keeps_nothing_from_the_others(loop_errors: list[Any]) -> None:
    """A plain listener's error reaches neither the caller nor the listeners beside it."""

    def broken(*_: object) -> None:
        raise LookupError

    plain: Heard = []
    awaited = Listener()
    notices = EvictionNotices([broken, lambda *removed: plain.append(removed), awaited.hear], "prices")
    notices.tell(left(1, 2))
    await notices.drain()
    assert keys_of(plain) == keys_of(awaited.heard) == [1, 2]
    assert notices.callback_errors == len(loop_errors) == 2


async def test_an_interrupt_in_a_plain_listener_passes() -> None:
    """KeyboardInterrupt leaves `tell`; what it kept from plain listeners is still counted, and heard by the awaited."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    listener = Listener()
    notices = EvictionNotices([interrupted, listener.hear], "prices")
    with pytest.raises(KeyboardInterrupt):
        notices.tell(left(1, 2))
    await notices.drain()
    assert keys_of(listener.heard) == [1, 2]
    assert (notices.counts[EVICTED], notices.callback_errors) == (2, 0)


async def test_a_listener_that_is_cancelled_by_what_it_waits_for(loop_errors: list[Any]) -> None:
    """CancelledError out of a listener that nobody has cancelled is a mistake like any other: the next is heard."""
    listener = Listener(error=asyncio.CancelledError())
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(1, 2))
    await notices.drain()
    assert keys_of(listener.heard) == [1, 2]
    assert notices.callback_errors == len(loop_errors) == 2


async def test_an_unusual_error_stops_nothing(loop_errors: list[Any]) -> None:
    """What is neither an `Exception` nor an interrupt does not end the hearing either."""

    class Unusual(BaseException):
        pass

    listener = Listener(error=Unusual())
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(1, 2))
    await notices.drain()
    assert keys_of(listener.heard) == [1, 2]
    assert notices.callback_errors == len(loop_errors) == 2


@pytest.mark.one_loop
async def test_a_report_outside_of_a_loop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Where no loop runs a mistake goes to the package's log, with its type in the message and no value."""
    notices = EvictionNotices([], "prices")
    await asyncio.to_thread(notices.report, "the weigher", LookupError("secret"))
    [record] = caplog.records
    assert (record.name, record.message) == ("asynccache", "the weigher of prices raised LookupError")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
    assert notices.callback_errors == 1


# --- too much, and nowhere to go ------------------------------------------------------------------------------------


async def test_of_too_many_notices_the_oldest_are_dropped(loop_errors: list[Any]) -> None:
    """A bounded number waits; beyond it the oldest go, all of them counted, and said once until all is worked off."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left("first"))
    await turns()
    notices.tell(left(*range(MOST_WAITING)))
    assert (notices.dropped, loop_errors) == (0, [])
    notices.tell(left("a", "b", "c"))
    notices.tell(left("d"))
    assert notices.dropped == 4
    [said] = loop_errors
    assert said["message"] == "on_evict of prices is too slow: 10000 notices wait, the oldest are dropped"
    listener.gate = None
    gate.give(None)
    await notices.drain()
    assert keys_of(listener.heard) == ["first", *range(4, MOST_WAITING), "a", "b", "c", "d"]
    assert (notices.callback_errors, notices.counts[EVICTED]) == (0, MOST_WAITING + 5)
    notices.tell(left(*range(MOST_WAITING + 7)))
    assert (notices.dropped, len(loop_errors)) == (11, 2)
    await notices.drain()
    assert keys_of(listener.heard)[-MOST_WAITING:] == list(range(7, MOST_WAITING + 7))


@pytest.mark.one_loop
async def test_without_a_loop_there_is_nobody_to_await(caplog: pytest.LogCaptureFixture) -> None:
    """In a thread without a loop plain listeners hear; for the others notices are counted as dropped, and said once."""
    plain: Heard = []
    awaited = Listener()
    notices = EvictionNotices([lambda *removed: plain.append(removed), awaited.hear], "prices")

    def without_loop() -> None:
        notices.tell(left(1, 2))
        notices.tell([])
        notices.tell(left(3))

    await asyncio.to_thread(without_loop)
    await notices.drain()
    assert (keys_of(plain), awaited.heard) == ([1, 2, 3], [])
    assert (notices.counts[EVICTED], notices.dropped, notices.callback_errors) == (3, 3, 0)
    [record] = caplog.records
    assert record.message == "entries of prices left where no event loop runs: on_evict is awaited by none"


@pytest.mark.one_loop
async def test_only_awaited_listeners_need_a_loop() -> None:
    """A cache with plain listeners only drops nothing where no loop runs."""
    plain: Heard = []
    notices = EvictionNotices([lambda *removed: plain.append(removed)], "prices")
    await asyncio.to_thread(notices.tell, left(1))
    assert (keys_of(plain), notices.dropped) == ([1], 0)
