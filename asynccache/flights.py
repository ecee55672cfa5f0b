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
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from asynccache.errors import CacheClosed, RecursiveLoad
from asynccache.flight import Failure, Flight, current, failure_of, leads_to, primed
from asynccache.loops import PerLoop, raise_out_of
from asynccache.protocols import TimerHandle

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)

OnAbandon: TypeAlias = Literal["cancel", "finish"] | float
"""What becomes of a load that nobody waits for any more: cancelled at once, finished, or cancelled after so many
seconds of grace."""

CallLater: TypeAlias = Callable[[asyncio.AbstractEventLoop, float, Callable[[], object]], TimerHandle]
"""Calls a function after so many seconds, on a loop."""


class FlightOwner(Protocol[K, V_contra]):
    """The cache that flights belong to."""

    def take_in(self, flight: Flight[K], value: V_contra, args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bool:
        """Store what a load has brought, unless `flight.is_detached`; tell whether it is stored.

        Looks at that under the lock under which it calls `detach`.
        """
        ...


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
        self.name = name
        self._task_name = f"load of {name}"
        self._load = load
        self._owner = weakref.ref(owner)
        self._call_later = call_later
        self._finishes = on_abandon == "finish"
        self._grace = on_abandon if isinstance(on_abandon, int | float) else 0.0
        self._new_context = contextvars.copy_context if inherit_context else contextvars.Context
        self._tables: PerLoop[dict[K, Flight[K]]] = PerLoop(dict)
        self._unlinked: set[Flight[K]] = set()
        # Closed, it takes no more calls; while it is finishing, it takes those that loads in the air make.
        self.closed = self.finishing = False
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
        parent = current.get()
        flight = table.get(key)
        if flight is None or (flight.landed and flight.caller is asyncio.current_task(loop)):
            flight = self._launch(loop, table, key, args, kwargs, parent)
        else:
            self._board(flight, parent)
        future: asyncio.Future[Any] | None = None
        try:
            if flight.landed:  # its first step was its last
                outcome = flight.outcome
                if flight.caller is None:
                    flight.outcome = None
            else:
                future = loop.create_future()
                flight.waiters[future] = None
                outcome = await future
        except BaseException:  # cancelled, or thrown away with its loop: however a caller goes, it is counted out
            if future is not None:
                self.leave(loop, flight, future)
            raise
        finally:
            del future  # it holds the outcome: see below
            if parent is not None:
                parent.end_to_wait(flight)
        if not isinstance(outcome, Failure):
            value: V = outcome
            return value
        context = outcome.error.__context__
        try:
            # With the load's own frames and without those of others who waited: it is one object for all of them.
            raise outcome.error.with_traceback(outcome.traceback)
        finally:
            outcome.error.__context__ = context  # nor with what this caller was just handling
            del outcome, context  # or the error, by its traceback and this frame, would hold itself in memory

    def _board(self, flight: Flight[K], parent: Flight[Any] | None) -> None:
        if parent is not None:
            if not parent.landed and leads_to(flight, parent):
                raise RecursiveLoad(self.name, flight.key)
            parent.begin_to_wait(flight)
        self.coalesced += 1
        if flight.grace is not None:
            flight.grace.cancel()
            flight.grace = None

    def leave(self, loop: asyncio.AbstractEventLoop, flight: Flight[K], future: "asyncio.Future[Any]") -> None:
        """A caller goes before the flight has landed. Nothing is awaited here, as that could be cancelled again."""
        if flight.landed:
            return
        del flight.waiters[future]
        if flight.waiters or self._finishes:
            return
        if self._grace:
            flight.grace = self._call_later(loop, self._grace, lambda: self._abandon(loop, flight))
        else:
            self._abandon(loop, flight)

    def _abandon(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
        if flight.landed or flight.waiters or flight.task is None or flight.is_abandoned:
            return
        self.detach_flight(loop, flight)
        flight.is_abandoned = True
        self.abandoned += 1
        flight.task.cancel()

    def _let_go(self, flight: Flight[K]) -> None:
        """Note of a flight that is in no table any more: it stores nothing, and still has to be seen to its end."""
        flight.is_detached = True
        if not flight.landed:
            self._unlinked.add(flight)

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
        if self.closed and not (self.finishing and parent is not None and not parent.landed):
            raise CacheClosed(self.name)
        if parent is not None and self._is_loading(key, parent):
            raise RecursiveLoad(self.name, key)
        self.misses += 1
        flight = table[key] = Flight(key, self)
        if parent is not None:
            parent.begin_to_wait(flight)  # before the load runs, which may do so at once and close a ring
        coroutine = self._fly(loop, table, flight, args, kwargs)
        # Eager steps nest, each in its caller's stack: a load that is still in its own eager step starts no other so.
        may_be_eager = parent is None or not parent.boarding
        try:
            task = self._start(loop, flight, coroutine, may_be_eager)
            if task.done() and not flight.landed:  # the stack was too deep for its last step, or its first
                self._fail(loop, flight, task.exception() or asyncio.CancelledError())
                self._land(table, flight)
        except BaseException:  # there was no task to be made, or no room on the stack for any of this
            table.pop(key, None)
            if parent is not None:
                parent.end_to_wait(flight)
            coroutine.close()
            raise
        if flight.landed:
            self._share_for_this_turn(loop, table, flight)
        else:
            # Nobody is to be told that a load was still running when somebody closed its loop by hand.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            flight.task = task
        return flight

    def _is_loading(self, key: K, parent: Flight[Any]) -> bool:
        """Tell whether a load of `key` that the table does not show (detached, on another loop) waits for `parent`."""
        if parent.owner is self and parent.key == key:
            return True
        elsewhere = [table.get(key) for table in list(self._tables.states.values())]
        return any(flight is not None and leads_to(flight, parent) for flight in elsewhere)

    def _start(
        self,
        loop: asyncio.AbstractEventLoop,
        flight: Flight[K],
        coroutine: Coroutine[Any, Any, None],
        may_be_eager: bool,
    ) -> asyncio.Task[None]:
        context = self._new_context()
        factory = loop.get_task_factory()
        if sys.version_info >= (3, 12) and may_be_eager and (factory is None or factory is asyncio.eager_task_factory):
            flight.boarding = True
            task = asyncio.Task(coroutine, loop=loop, name=self._task_name, context=context, eager_start=True)
            flight.boarding = False
            return task
        coroutine.send(None)  # up to `primed`
        if factory is None or not may_be_eager:
            return asyncio.Task(coroutine, loop=loop, name=self._task_name, context=context)
        return loop.create_task(coroutine, name=self._task_name, context=context)

    def _share_for_this_turn(
        self, loop: asyncio.AbstractEventLoop, table: dict[K, Flight[K]], flight: Flight[K]
    ) -> None:
        """Let tasks that ask in this same turn of the loop share what an eager load gave without waiting.

        To them it was under way when they asked, as it is where loads are not started eagerly. If its value is stored
        they find that anyway. The caller's own task is not among them: if it asks again, it means a new load.
        """
        caller = asyncio.current_task(loop)
        if caller is not None and not flight.is_stored and not flight.is_detached:
            flight.caller = caller
            table[flight.key] = flight
            loop.call_soon(self._end_of_turn, table, flight, context=contextvars.Context())

    def _end_of_turn(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        self._unlink(table, flight)
        flight.caller = flight.outcome = None

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
                await primed
            current.set(flight)
            flight.outcome = value = await self._load(*args, **kwargs)
            owner = self._owner()
            if owner is not None:
                flight.is_stored = owner.take_in(flight, value, args, kwargs)
            self.loads += 1
        except BaseException as error:  # whatever ends a load, those who wait for it have to be told
            self._fail(loop, flight, error)
        self._land(table, flight)

    def _fail(self, loop: asyncio.AbstractEventLoop, flight: Flight[K], error: BaseException) -> None:
        self.failures += 1
        flight.outcome = failure_of(error, self.name, flight.key)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            # A task that ended in it would also be logged, since nobody asks a flight's task for its exception.
            raise_out_of(loop, error)
        if loop.is_closed():  # under the load: there is nobody left to tell
            flight.waiters.clear()

    def _land(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        flight.landed = True
        if table.get(flight.key) is flight:
            table.pop(flight.key, None)  # as in `_unlink`
        if flight.is_detached:
            self._unlinked.discard(flight)
        if flight.grace is not None:
            flight.grace.cancel()
        waiters, outcome = flight.waiters, flight.outcome
        # A landed flight lets go of all: its context may be kept by a task that the load has left behind.
        flight.waiters = {}
        flight.task = flight.owner = flight.grace = None
        if not flight.boarding:
            flight.outcome = None
        for future in waiters:
            if not future.done():
                future.set_result(outcome)

    def _unlink(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        if table.get(flight.key) is flight:
            table.pop(flight.key, None)  # another thread, or a signal handler, may have detached it just now

    # --- the owner --------------------------------------------------------------------------------------------------

    def detach(self, key: K) -> bool:
        """Let the loads of a key store nothing and serve nobody but those who wait already; tell if there were any."""
        found = False
        for table in list(self._tables.states.values()):
            flight = table.pop(key, None)
            if flight is not None:
                found |= not flight.landed
                self._let_go(flight)
        return found

    def detach_flight(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
        """Do as `detach` does, for one flight of one loop."""
        self._unlink(self._tables.enter(loop), flight)
        self._let_go(flight)

    def detach_all(self) -> None:
        """Do as `detach` does, for all keys."""
        for table in list(self._tables.states.values()):
            for key in list(table):
                flight = table.pop(key, None)
                if flight is not None:
                    self._let_go(flight)

    def forget_unlinked(self) -> None:
        """In a forked child: forget loads of the parent that nobody could join any more; they will not run here."""
        self._unlinked.clear()

    def reset_counters(self) -> None:
        """Begin to count anew."""
        self.misses = self.coalesced = self.loads = self.failures = self.abandoned = 0

    def is_flying(self, key: K) -> bool:
        """Tell whether a call for this key would join a load, on any loop."""
        found = [table.get(key) for table in list(self._tables.states.values())]
        return any(flight is not None and not flight.landed for flight in found)

    def in_flight(self) -> int:
        """Count the loads that a call could join, on all loops."""
        return len(self._linked())

    def _linked(self) -> list[Flight[K]]:
        tables = list(self._tables.states.values())
        return [flight for table in tables for flight in list(table.values()) if not flight.landed]

    def airborne(self) -> list[Flight[K]]:
        """All loads that have not ended, those included that nobody can join any more."""
        return [*self._linked(), *self._unlinked]


_all: "weakref.WeakSet[Flights[Any, Any]]" = weakref.WeakSet()


def flights_in_the_air() -> list[Flight[Any]]:
    """All loads that are in the air in this process, for tests that must leave none behind."""
    while True:
        try:
            return [flight for flights in list(_all) for flight in flights.airborne()]
        except RuntimeError:  # another thread has just made a cache
            continue
