"""Who is told that an entry has left a cache, and how: at once, or in a task behind.

Plain listeners are called on the spot. Coroutine functions cannot be awaited where entries leave, which is in the midst
of anybody's call: notices for them wait on a queue, and on each event loop one task works that off in order. It ends
when nothing is left. What a listener raises reaches neither the cache nor the other listeners; it is shown where the
application shows such things.

Why entries leave is decided elsewhere; here it is only counted.
"""

import asyncio
import contextlib
import contextvars
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from asynccache.callables import accepts, is_coroutine_function
from asynccache.loops import PerLoop, raise_out_of
from asynccache.protocols import AsyncEvictionListener, EvictionCause, EvictionListener

Removed: TypeAlias = tuple[Any, Any, EvictionCause]
"""Key, value and cause of an entry that has left."""

AsyncListener: TypeAlias = AsyncEvictionListener[Any, Any]
AnyListener: TypeAlias = EvictionListener[Any, Any] | AsyncListener

MOST_WAITING: Final = 10_000
"""Notices that wait on one event loop at most, for listeners that are slower than the cache."""

SLICE: Final = 0.002
"""Seconds after which listeners that never wait let others have a turn of the loop."""

_WHOSE: Final = "an on_evict listener"
_log: Final = logging.getLogger("asynccache")


class _Queue:
    """What waits to be heard on one loop, and who works it off. It holds notices, and nothing of the cache."""

    __slots__ = ("has_overflowed", "hearing", "waiting", "worker")

    def __init__(self) -> None:
        self.waiting: deque[Removed] = deque(maxlen=MOST_WAITING)
        self.worker: asyncio.Task[None] | None = None
        self.hearing: object | None = None
        """Stands for the notice that is being heard: a new object for each."""
        self.has_overflowed = False

    def is_heard_here(self) -> bool:
        """Tell whether the running code belongs to a listener that is just hearing a notice of this queue."""
        hearing = _hearing.get()
        return hearing is not None and hearing is self.hearing


class EvictionNotices:
    """Counts what leaves one cache, and tells its listeners.

    Safe to use from several threads. A listener may use the cache: it is not told under any lock of ours.

    Args:
        listeners: functions of key, value and cause, as `read_listeners` gives them.
        name: what the cache is called in messages.

    Attributes:
        counts: entries that have left, by cause.
        callback_errors: mistakes of the user's functions so far.
        dropped: notices that listeners to be awaited have not been given: too many waited, no event loop ran, or it
            ended first.
        hears: whether there is any listener.
    """

    def __init__(self, listeners: Sequence[AnyListener], name: str) -> None:
        self.counts: Counter[EvictionCause] = Counter()
        self.callback_errors = 0
        self.dropped = 0
        self.hears = bool(listeners)
        self._plain: list[EvictionListener[Any, Any]] = []
        self._awaited: list[AsyncListener] = []
        for listener in listeners:
            _sort(listener, self._plain, self._awaited)
        self._name = name
        self._queues: PerLoop[_Queue] = PerLoop(_Queue)
        self._has_missed_loop = False

    # --- telling ----------------------------------------------------------------------------------------------------

    def tell(self, gone: Sequence[Removed]) -> None:
        """Count what has left; tell plain listeners, each in its turn, and put on the queue what others are to hear.

        Not to be called under a lock: listeners may do as they please. What one raises is reported, and the others
        still hear; only what is no `Exception`, such as `KeyboardInterrupt`, comes through.
        """
        for _, _, cause in gone:
            self.counts[cause] += 1
        if gone and self._awaited:  # first: a plain listener may make others leave, which is to be heard of later
            self._put(gone)
        for key, value, cause in gone:
            for listener in self._plain:
                try:
                    listener(key, value, cause)
                except (
                    Exception,
                    asyncio.CancelledError,
                ) as error:  # one listener's mistake must not keep others from hearing
                    self.report(_WHOSE, error)

    def reset_counts(self) -> None:
        """Begin to count anew."""
        self.counts.clear()
        self.callback_errors = self.dropped = 0

    def report(self, whose: str, error: BaseException) -> None:
        """Count a mistake in the user's functions, and show it where the application shows such things.

        Args:
            whose: which function has raised, such as "the weigher".
            error: what it has raised. The message names its type only; keys and values stay out of logs.
        """
        self.callback_errors += 1
        _show(f"{whose} of {self._name} raised {type(error).__name__}", error)

    def _put(self, gone: Sequence[Removed]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.dropped += len(gone)
            if not self._has_missed_loop:
                self._has_missed_loop = True
                _show(f"entries of {self._name} left where no event loop runs: on_evict is awaited by none")
            return
        queue = self._queues.enter(loop)
        too_many = len(queue.waiting) + len(gone) - MOST_WAITING
        queue.waiting.extend(gone)  # when it is full, its oldest fall out
        if queue.worker is None or queue.worker.done():
            self._start(loop, queue)
        if too_many > 0:
            self.dropped += too_many
            if not queue.has_overflowed:
                queue.has_overflowed = True
                _show(f"on_evict of {self._name} is too slow: {MOST_WAITING} notices wait, the oldest are dropped")

    # --- hearing in the background ----------------------------------------------------------------------------------

    def _start(self, loop: asyncio.AbstractEventLoop, queue: _Queue) -> None:
        # An empty context, as the task would else keep the context of whoever happened to start it.
        task = loop.create_task(
            self._work_off(loop, queue), name=f"on_evict of {self._name}", context=contextvars.Context()
        )
        # Nobody is to be told that a listener was still at work when somebody closed its loop by hand.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        queue.worker = task
        _at_work.enter(loop).add(task)
        task.add_done_callback(partial(self._end, loop, queue), context=contextvars.Context())

    async def _work_off(self, loop: asyncio.AbstractEventLoop, queue: _Queue) -> None:
        await asyncio.sleep(0)  # not inside the step of whoever made an entry leave, where tasks begin at once
        end_of_slice = time.perf_counter() + SLICE
        while queue.waiting and not _is_cancelled():
            removed = queue.waiting.popleft()
            queue.hearing = hearing = object()
            _hearing.set(hearing)
            for listener in self._awaited:
                await self._hear(loop, listener, removed)
            if queue.hearing is hearing:  # else it was stopped, and its successor is hearing
                queue.hearing = None
            if time.perf_counter() >= end_of_slice:
                await asyncio.sleep(0)
                end_of_slice = time.perf_counter() + SLICE

    async def _hear(self, loop: asyncio.AbstractEventLoop, listener: AsyncListener, removed: Removed) -> None:
        if _is_cancelled():  # and the listener before did not let it through
            return
        try:
            await listener(*removed)
        except GeneratorExit:  # thrown away with its loop
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            # A task that ended in it would also be logged, since nobody asks this one for its exception.
            raise_out_of(loop, error)
        except BaseException as error:  # else the notices behind this one would never be heard
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            self.report(_WHOSE, error)

    def _end(self, loop: asyncio.AbstractEventLoop, queue: _Queue, task: "asyncio.Task[None]") -> None:
        _at_work.enter(loop).discard(task)
        if queue.worker is task:  # else what waits is its successor's
            queue.worker = None
            self._forget(queue)

    def _forget(self, queue: _Queue) -> None:
        self.dropped += len(queue.waiting)
        queue.waiting.clear()
        queue.has_overflowed = False

    # --- coming to an end -------------------------------------------------------------------------------------------

    async def drain(self, *, deadline: float | None = None) -> None:
        """Wait until listeners have heard all that this loop has to tell them, also what comes meanwhile.

        Returns at once inside a listener that is just hearing, and in what it started: that would wait for itself.
        Whoever is cancelled in here leaves the listeners at work.

        Args:
            deadline: how long to wait at most, as the loop's own `time()` in seconds; None for as long as it takes.
        """
        loop = asyncio.get_running_loop()
        queue = self._queues.enter(loop)
        while queue.worker is not None and not queue.worker.done() and not queue.is_heard_here():
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return
            await asyncio.wait([queue.worker], timeout=left)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget what waits on a loop, be it another thread's, and cancel the listener that is at work there.

        One that calls this itself is let finish. Entries that leave later are told of again.
        """
        queue = self._queues.states.get(id(loop))
        if queue is None:
            return
        if loop is asyncio._get_running_loop():
            self._stop(queue)
            return
        with contextlib.suppress(RuntimeError):  # it was closed: nothing is heard there any more
            loop.call_soon_threadsafe(self._stop, queue, context=contextvars.Context())

    def _stop(self, queue: _Queue) -> None:
        self._forget(queue)
        if queue.worker is not None and not queue.is_heard_here():
            queue.worker.cancel()
            queue.worker = queue.hearing = None


def read_listeners(value: AnyListener | Iterable[AnyListener] | None) -> tuple[AnyListener, ...]:
    """Read `on_evict`: a function of key, value and cause, plain or `async def`, or several.

    Raises:
        TypeError: it is none, or does not take three arguments.
    """
    if value is None:
        return ()
    if not callable(value) and not _is_iterable(value):
        raise TypeError(f"on_evict must be a function of key, value and cause, or several, not {value!r}")
    found = (value,) if callable(value) else tuple(value)
    for listener in found:
        _check_listener(listener)
    return found


def _check_listener(listener: object) -> None:
    if not callable(listener):
        raise TypeError(f"on_evict must be a function of key, value and cause, or several, not {listener!r}")
    if not accepts(listener, [None, None, None], {}):
        raise TypeError("on_evict is called with key, value and cause: write a function of three arguments")


def _is_iterable(value: object) -> bool:
    return isinstance(value, Iterable)


def _sort(listener: Any, plain: list[EvictionListener[Any, Any]], awaited: list[AsyncListener]) -> None:
    if is_coroutine_function(listener):
        awaited.append(listener)
    else:
        plain.append(listener)


def _is_cancelled() -> bool:
    """Tell whether somebody has cancelled the running task; what a listener raises by itself does not count."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _show(message: str, error: BaseException | None = None) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _log.error(message, exc_info=error)
        return
    loop.call_exception_handler({"message": message} | ({} if error is None else {"exception": error}))


_hearing: contextvars.ContextVar[object | None] = contextvars.ContextVar("asynccache.hearing", default=None)
"""The notice that the running code is hearing, or was started by."""

_at_work: PerLoop[set["asyncio.Task[None]"]] = PerLoop(set)
"""Event loops hold their tasks weakly; this is held also when its cache goes."""
