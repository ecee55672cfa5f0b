"""Single-flight: one load for a key, however many ask for it at once, whoever of them leaves.

A load runs in a task of its own, the flight. Each caller waits on a private future; nobody awaits the task, so
nobody's cancellation reaches it and it reaches nobody. All the rules of that are in this file:

1. A flight is in the table before its task exists: an eagerly started task runs the load at once.
2. Every removal from the table is checked by identity. A flight that was detached (invalidated, overwritten, cleared
   away) still serves those who came before, but stores nothing.
3. The last caller to leave takes the flight out of the table first; only then is it cancelled. So nobody ever joins
   a flight that is going down.
4. A caller sees `CancelledError` only if that caller was cancelled; a load that is cancelled gives `LoadCancelled`.
5. A load that would wait for itself, directly or around a ring of keys, gets `RecursiveLoad` at once.

What is done with a value is the owner's business, as is every lock.
"""

import asyncio
import contextvars
import sys
import weakref
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable, Mapping
from types import TracebackType
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from asynccache.errors import CacheClosed, LoadCancelled, RecursiveLoad
from asynccache.loops import PerLoop
from asynccache.protocols import TimerHandle

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)

OnAbandon: TypeAlias = Literal["cancel", "finish"] | float
"""What becomes of a load that nobody waits for any more: cancelled at once, finished, or cancelled after so many
seconds of grace."""

CallLater: TypeAlias = Callable[[asyncio.AbstractEventLoop, float, Callable[[], object]], TimerHandle]
"""Calls a function after so many seconds, on a loop."""

_current: contextvars.ContextVar["Flight[Any] | None"] = contextvars.ContextVar("asynccache.flight", default=None)
"""The flight whose load the running code belongs to."""


class Flight(Generic[K]):
    """One load in the air.

    After its landing a shell may live on: a task that the load left behind keeps the load's context, and that the
    flight. So the shell holds nothing but its key and its result, and nothing holds on to the cache.
    """

    __slots__ = (
        "boarding", "error", "grace", "is_detached", "key", "landed", "owner", "task", "traceback", "value",
        "waiters", "waits_for",
    )  # fmt: skip

    def __init__(self, key: K, owner: "Flights[K, Any]") -> None:
        self.key = key
        self.owner: Flights[K, Any] | None = owner
        self.task: asyncio.Task[None] | None = None
        self.waiters: dict[asyncio.Future[None], None] = {}
        self.waits_for: list[Flight[Any]] = []
        # In its first, eager step, which runs inside its first caller's own step.
        self.boarding = False
        self.landed = False
        # Its value is not to be stored: something newer has been said about the key since it began.
        self.is_detached = False
        self.grace: TimerHandle | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.traceback: TracebackType | None = None


class _Primed:
    """Awaited first thing by a flight that is not started eagerly, and run up to there before its task is made.

    A task that is cancelled before its first step throws into its coroutine where that stands. If that has not been
    run at all, it stands outside of any `try`: the flight would never land, and its callers would wait for ever.
    """

    def __await__(self) -> Generator[None, None, None]:
        yield


_primed: Final = _Primed()


class FlightOwner(Protocol[K, V_contra]):
    """The cache that flights belong to."""

    def take_in(self, flight: Flight[K], value: V_contra, args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> None:
        """Store what a load has brought, unless `flight.is_detached`: look at that under the lock that `detach` is called under."""


class Flights(Generic[K, V]):
    """The loads in the air of one cache: on each event loop at most one a key.

    Args:
        name: what the cache is called in errors.
        load: makes the value, from the arguments given to `fetch`.
        owner: told of each value before anybody else. Not kept alive: if it has gone, there is nothing to store in.
        call_later: starts a timer; used for seconds of grace.
        on_abandon: what becomes of a load that nobody waits for any more.
        inherit_context: run loads in a copy of the first caller's context variables; else in an empty context.
    """

    def __init__(
        self,
        name: str,
        load: Callable[..., Awaitable[V]],
        owner: FlightOwner[K, V],
        *,
        call_later: CallLater,
        on_abandon: OnAbandon,
        inherit_context: bool,
    ) -> None:
        self._name = name
        self._task_name = f"load of {name}"
        self._load = load
        self._owner = weakref.ref(owner)
        self._call_later = call_later
        self._finishes = on_abandon == "finish"
        self._grace = on_abandon if isinstance(on_abandon, int | float) else 0.0
        self._new_context = contextvars.copy_context if inherit_context else contextvars.Context
        self._tables: PerLoop[dict[K, Flight[K]]] = PerLoop(dict)
        self._leaving: set[Flight[K]] = set()
        self.closed = False
        self.misses = self.coalesced = self.loads = self.failures = self.abandoned = 0
        _all.add(self)

    # --- a caller ---------------------------------------------------------------------------------------------------

    async def fetch(self, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V:
        """Wait for the value of `key`: from the load that is in the air, or from a new one.

        Args:
            key: what loads are told apart by.
            args, kwargs: what to call the load with, if it has to be started.

        Raises:
            CacheClosed: the cache was closed.
            LoadCancelled: the load was cancelled, though this caller was not.
            RecursiveLoad: this call is part of the very load that it would wait for.
            Exception: whatever the load raised; the same object for all that waited.
        """
        loop = get_running_loop()
        try:
            table = self._tables.states[id(loop)]
        except KeyError:
            table = self._tables.enter(loop)
        parent = _current.get()
        flight = table.get(key)
        if flight is None:
            flight = self._launch(loop, table, key, args, kwargs, parent)
        else:
            self._board(flight, parent)
        if not flight.landed:
            await self._wait(loop, table, flight, parent)
        if flight.error is None:
            value: V = flight.value
            return value
        try:
            # With the load's own frames and without those of others who waited: it is one object for all of them.
            raise flight.error.with_traceback(flight.traceback)
        finally:
            del flight  # or the error, by its traceback and this frame, would hold itself in memory

    def _board(self, flight: Flight[K], parent: Flight[Any] | None) -> None:
        if parent is not None and not parent.landed and _leads_to(flight, parent):
            raise RecursiveLoad(self._name, flight.key)
        self.coalesced += 1
        if flight.grace is not None:
            flight.grace.cancel()
            flight.grace = None

    async def _wait(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        flight: Flight[K],
        parent: Flight[Any] | None,
    ) -> None:
        future = loop.create_future()
        flight.waiters[future] = None
        if parent is not None:
            parent.waits_for.append(flight)
        try:
            await future
        except BaseException:
            self._leave(loop, table, flight, future)
            raise
        finally:
            if parent is not None:
                parent.waits_for.remove(flight)

    def _leave(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        flight: Flight[K],
        future: "asyncio.Future[None]",
    ) -> None:
        """A caller goes before the flight has landed. Nothing is awaited here, as that could be cancelled again."""
        if flight.landed:
            return
        del flight.waiters[future]
        if flight.waiters or self._finishes:
            return
        if self._grace:
            flight.grace = self._call_later(loop, self._grace, lambda: self._abandon(table, flight))
        else:
            self._abandon(table, flight)

    def _abandon(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        if flight.landed or flight.waiters or flight.task is None or flight in self._leaving:
            return
        self._unlink(table, flight)
        flight.is_detached = True
        self.abandoned += 1
        self._leaving.add(flight)
        flight.task.cancel()

    # --- the flight -------------------------------------------------------------------------------------------------

    def _launch(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        key: K,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        parent: Flight[Any] | None,
    ) -> Flight[K]:
        if self.closed:
            raise CacheClosed(self._name)
        # A load whose own flight was detached, or is on another loop, would not meet itself in the table.
        if parent is not None and parent.owner is self and parent.key == key:
            raise RecursiveLoad(self._name, key)
        self.misses += 1
        flight = table[key] = Flight(key, self)
        context = self._new_context()
        factory = loop.get_task_factory()
        # Eager steps nest, each in its caller's stack: a load that is still in its own eager step starts no other so.
        if parent is not None and parent.boarding:
            coroutine = _prime(self._fly(loop, table, flight, args, kwargs))
            flight.task = asyncio.Task(coroutine, loop=loop, name=self._task_name, context=context)
        elif sys.version_info >= (3, 12) and (factory is None or factory is asyncio.eager_task_factory):
            flight.boarding = True
            coroutine = self._fly(loop, table, flight, args, kwargs)
            task = asyncio.Task(coroutine, loop=loop, name=self._task_name, context=context, eager_start=True)
            flight.boarding = False
            flight.task = None if flight.landed else task
        else:
            coroutine = _prime(self._fly(loop, table, flight, args, kwargs))
            flight.task = loop.create_task(coroutine, name=self._task_name, context=context)
        return flight

    async def _fly(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        flight: Flight[K],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        try:
            if not flight.boarding:
                await _primed
            _current.set(flight)
            flight.value = value = await self._load(*args, **kwargs)
            owner = self._owner()
            if owner is not None:
                owner.take_in(flight, value, args, kwargs)
            self.loads += 1
        except BaseException as error:
            self._fail(loop, flight, error)
        self._land(table, flight)

    def _fail(self, loop: asyncio.AbstractEventLoop, flight: Flight[K], error: BaseException) -> None:
        self.failures += 1
        frames = error.__traceback__
        flight.traceback = frames and frames.tb_next  # the first frame is `_fly`
        if isinstance(error, asyncio.CancelledError):
            flight.error = LoadCancelled(self._name, flight.key)
            flight.error.__cause__ = error
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            # Out of the loop with it, as from any callback. A task that ended in it would also be logged, since
            # nobody asks a flight's task for its exception.
            loop.call_soon(_raise, error, context=contextvars.Context())
            flight.error = LoadCancelled(self._name, flight.key)
            flight.error.__cause__ = error
        elif isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit):
            # They steer generators and coroutines: passed on as they are, they would end the wrong one.
            flight.error = RuntimeError(f"the load of {self._name} raised {type(error).__name__}")
            flight.error.__cause__ = error
        else:
            flight.error = error

    def _land(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        flight.landed = True
        self._unlink(table, flight)
        self._leaving.discard(flight)
        if flight.grace is not None:
            flight.grace.cancel()
        waiters = flight.waiters
        # A landed flight lets go of all: its context may be kept by a task that the load has left behind.
        flight.waiters = {}
        flight.task = flight.owner = flight.grace = None
        for future in waiters:
            if not future.done() and not future.get_loop().is_closed():
                future.set_result(None)

    def _unlink(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        if table.get(flight.key) is flight:
            del table[flight.key]

    # --- the owner --------------------------------------------------------------------------------------------------

    def detach(self, key: K) -> bool:
        """Let the loads of a key store nothing and serve nobody but those who wait already; tell if there were any."""
        found = False
        for table in list(self._tables.states.values()):
            flight = table.pop(key, None)
            if flight is not None:
                flight.is_detached = found = True
        return found

    def detach_all(self) -> None:
        """Do as `detach` does, for all keys."""
        for table in list(self._tables.states.values()):
            for key in list(table):
                flight = table.pop(key, None)
                if flight is not None:
                    flight.is_detached = True

    def reset_counters(self) -> None:
        """Begin to count anew."""
        self.misses = self.coalesced = self.loads = self.failures = self.abandoned = 0

    def is_flying(self, key: K) -> bool:
        """Tell whether a call for this key would join a load, on any loop."""
        return any(key in table for table in list(self._tables.states.values()))

    def in_flight(self) -> int:
        """Count the loads that a call could join, on all loops."""
        return sum(len(table) for table in list(self._tables.states.values()))

    async def drain(self, *, cancel: bool) -> None:
        """Wait until all loads of this loop have ended; with `cancel`, end them, and those of other loops, first.

        Callers of a cancelled load get `LoadCancelled`. The load that calls this is left out.
        """
        here, myself = get_running_loop(), _current.get()
        if cancel:
            for loop, table in self._tables.items():
                for flight in [flight for flight in list(table.values()) if flight is not myself]:
                    self._unlink(table, flight)
                    flight.is_detached = True
                    self._leaving.add(flight)
                    if flight.task is not None and loop is here:
                        flight.task.cancel()
                    elif flight.task is not None and not loop.is_closed():
                        loop.call_soon_threadsafe(flight.task.cancel, context=contextvars.Context())
        table = self._tables.enter(here)
        for flight in [*table.values(), *self._leaving]:
            if flight is not myself and flight.task is not None and flight.task.get_loop() is here:
                await self._wait(here, table, flight, None)


def _prime(coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    coroutine.send(None)
    return coroutine


def _raise(error: BaseException) -> None:
    raise error


def _leads_to(start: Flight[Any], goal: Flight[Any]) -> bool:
    """Tell whether `start` is `goal`, or waits for it, directly or around corners."""
    pending, seen = [start], {start}
    while pending:
        flight = pending.pop()
        if flight is goal:
            return True
        fresh = [other for other in flight.waits_for if other not in seen]
        seen.update(fresh)
        pending += fresh
    return False


_all: "weakref.WeakSet[Flights[Any, Any]]" = weakref.WeakSet()


def flights_in_the_air() -> list[Flight[Any]]:
    """All loads that are in the air in this process, for tests that must leave none behind."""
    return [
        flight
        for flights in list(_all)
        for table in list(flights._tables.states.values())
        for flight in [*table.values(), *flights._leaving]
    ]
