"""Listeners that are awaited: in a task behind, in order, one notice at a time, and never in the cache's way.

They are told here without a cache: what leaves one, and why, is tested elsewhere.
"""

import asyncio
import contextvars
import gc
import threading
import weakref
from functools import partial
from typing import Any, Final, TypeAlias

import pytest

from asynccache.listeners import MOST_WAITING, EvictionNotices, Removed, read_listeners
from asynccache.protocols import EvictionCause
from tests.flight.gates import Gate, together, turns
from tests.flight.scripts import output_of, run_script

Heard: TypeAlias = list[tuple[object, object, EvictionCause]]

EVICTED: Final = EvictionCause.CAPACITY
EXPIRED: Final = EvictionCause.EXPIRED


def left(*keys: object) -> list[Removed]:
    """What is told when these keys leave."""
    return [(key, f"value {key}", EVICTED) for key in keys]


def keys_of(heard: Heard) -> list[object]:
    """The keys that were heard of."""
    return [key for key, _, _ in heard]


class Listener:
    """Writes down what it is told; it can be made to wait, or to raise."""

    def __init__(self, gate: Gate[None] | None = None, error: BaseException | None = None) -> None:
        self.heard: Heard = []
        self.gate = gate
        self.error = error

    async def hear(self, key: Any, value: object, cause: EvictionCause) -> None:
        """Be the listener."""
        self.heard.append((key, value, cause))
        if self.gate is not None:
            await self.gate.load(key)
        if self.error is not None:
            raise self.error

    async def __call__(self, key: object, value: object, cause: EvictionCause) -> None:
        """Be a listener that is an object."""
        await self.hear(key, value, cause)

    async def with_label(self, label: str, key: object, value: object, cause: EvictionCause) -> None:
        """Be a listener that is given more, by a partial."""
        await self.hear((label, key), value, cause)


def workers() -> "list[asyncio.Task[Any]]":
    """The tasks that run listeners on this loop."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "on_evict of prices"]


# --- telling --------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr("asynccache.listeners.SLICE", 0.0)
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
    monkeypatch.setattr("asynccache.listeners.SLICE", 60.0)
    listener = Listener()
    notices = EvictionNotices([listener.hear], "prices")
    notices.tell(left(*range(1_000)))
    await turns(3)
    assert len(listener.heard) == 1_000


# --- mistakes -------------------------------------------------------------------------------------------------------


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


# --- draining and stopping ------------------------------------------------------------------------------------------


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


# --- loops, threads, lifetimes --------------------------------------------------------------------------------------


@pytest.mark.one_loop
async def test_each_loop_hears_its_own() -> None:
    """What is told on a loop is heard on it; a listener at work on another loop can be stopped from here."""
    stuck = threading.Event()
    here, ended = Listener(), list[str]()

    async def hear(key: object, *removed: Any) -> None:
        if key == "here":
            await here.hear(key, *removed)
            return
        stuck.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(threading.current_thread().name)

    notices = EvictionNotices([hear], "prices")
    loops: list[asyncio.AbstractEventLoop] = []

    async def elsewhere() -> None:
        loops.append(asyncio.get_running_loop())
        notices.tell(left("there", "later"))
        await notices.drain()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()), name="another", daemon=True)
    thread.start()
    await asyncio.to_thread(stuck.wait, 10)
    notices.tell(left("here"))
    await together(notices.drain())
    assert (keys_of(here.heard), ended) == (["here"], [])
    notices.stop(loops[0])
    await asyncio.to_thread(thread.join, 10)
    assert (thread.is_alive(), ended, notices.dropped) == (False, ["another"], 1)
    notices.stop(loops[0])  # closed by now


def test_one_loop_after_the_other() -> None:
    """On a new loop listeners hear again, whatever was cut off at the end of the last one."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")

    async def cut_off() -> None:
        notices.tell(left(1, 2))
        await turns()

    async def whole() -> None:
        listener.gate = None
        notices.tell(left(3))
        await notices.drain()

    asyncio.run(cut_off())
    asyncio.run(whole())
    assert (keys_of(listener.heard), gate.cancelled, notices.dropped) == ([1, 3], 1, 1)


async def test_notices_are_delivered_though_the_cache_has_gone() -> None:
    """What waits when a cache is dropped is still heard; then nothing of it is kept, nor of the values."""

    class Value:
        pass

    class Owner:
        def __init__(self) -> None:
            self.notices = EvictionNotices([hear], "prices")

    gate: Gate[None] = Gate()
    heard: list[object] = []

    async def hear(key: object, _value: object, _cause: EvictionCause) -> None:
        await gate.load(key)
        heard.append(key)

    owner, value = Owner(), Value()
    owner.notices.tell([(1, value, EVICTED), (2, value, EVICTED)])
    await turns()
    owner_ref, notices_ref, value_ref = weakref.ref(owner), weakref.ref(owner.notices), weakref.ref(value)
    del owner, value
    gc.collect()
    assert owner_ref() is None
    for _ in range(2):
        gate.give(None)
        await turns()
    assert heard == [1, 2]
    gc.collect()
    assert (notices_ref(), value_ref()) == (None, None)


async def test_a_listener_at_work_is_held_when_the_cache_goes() -> None:
    """It ends its work, though nothing but what it waits for leads to it, and that is held by nobody else."""
    waits: weakref.WeakSet[asyncio.Future[None]] = weakref.WeakSet()
    heard: list[object] = []

    async def hear(key: object, *_: object) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits.add(future)
        await future
        heard.append(key)

    EvictionNotices([hear], "prices").tell(left(1))
    await turns()
    gc.collect()
    for future in waits:
        future.set_result(None)
    await turns()
    assert heard == [1]


# --- the end of programs --------------------------------------------------------------------------------------------

START: Final = """
    import asyncio
    from asynccache.listeners import EvictionNotices
    from asynccache.protocols import EvictionCause

    def left(*keys):
        return [(key, key, EvictionCause.CAPACITY) for key in keys]

    async def hear(key, value, cause):
        print("hears", key)
        try:
            await {waits}
        finally:
            print("ends")

    notices = EvictionNotices([hear], "prices")
"""


def test_a_loop_that_ends_under_a_listener_is_silent() -> None:
    """The end of the program cancels the listener at work, what waits is forgotten, and nobody complains."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def main():
        notices.tell(left(1, 2))
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())
    print(notices.dropped, notices.callback_errors)
    """
    assert output_of(script).split("\n") == ["hears 1", "ends", "1 0", ""]


def test_entries_that_leave_while_the_loop_ends_make_no_noise() -> None:
    """A task that is cleaning up may make entries leave: a listener that begins only then is not complained about."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def clean_up():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            notices.tell(left(1))

    async def main():
        task = asyncio.create_task(clean_up())
        await asyncio.sleep(0)

    asyncio.run(main())
    """
    assert output_of(script).startswith("hears 1\n")


def test_a_loop_closed_by_hand_makes_no_noise() -> None:
    """Nor is a listener that was at work when its loop was closed, without being cancelled."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def main():
        notices.tell(left(1, 2))
        for _ in range(5):
            await asyncio.sleep(0)

    import gc

    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        notices.stop(loop)
    del loop
    gc.collect()
    print(notices.callback_errors)
    """
    assert output_of(script).split("\n")[:4] == ["hears 1", "hears 1", "ends", "0"]


def test_system_exit_in_a_listener_ends_the_program() -> None:
    """With the exit code that it gives, and in silence."""
    script = f"""{START.format(waits="leave()")}
    async def leave():
        raise SystemExit(7)

    async def main():
        notices.tell(left(1))
        await asyncio.get_running_loop().create_future()

    asyncio.run(main())
    """
    done = run_script(script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hears 1\nends\n", "")


def test_a_forked_child_starts_clean() -> None:
    """A child hears what is told in the child, and nothing of what waits in the parent."""
    script = f"""{START.format(waits="asyncio.sleep(0)")}
    import os

    async def child():
        notices.tell(left("child"))
        await notices.drain()

    async def main():
        notices.tell(left("parent"))
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            await notices.drain()
            return
        asyncio._set_running_loop(None)
        asyncio.run(child())
        os._exit(0)

    asyncio.run(main())
    """
    assert output_of(script, "-u").split("\n") == ["hears child", "ends", "hears parent", "ends", ""]
