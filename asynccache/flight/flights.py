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
from asyncio import get_running_loop
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from asynccache.core.generations import Generations
from asynccache.errors import CacheClosed, LeftOut, RecursiveLoad
from asynccache.flight.flight import (
    AGAIN,
    Failure,
    Flight,
    current,
    failure_of,
    leads_to,
    primed,
    raise_failure,
    start_task,
)
from asynccache.flight.further import gives_old
from asynccache.flight.limits import limit
from asynccache.flight.owner import FlightOwner, OwnerRef
from asynccache.flight.plan import Plan
from asynccache.flight.tables import FlightTables, is_shared, share_for_this_turn
from asynccache.loops import raise_out_of
from asynccache.protocols import MISSING, Clock, TimerHandle
from asynccache.stats import FINEST, LoadCounts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Call: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]
"""What a load is called with, by position and by name."""

CallLater: TypeAlias = Callable[[asyncio.AbstractEventLoop, float, Callable[[], object]], TimerHandle]
"""Calls a function after so many seconds, on a loop."""


class Flights(Generic[K, V]):
    """The loads in the air of one cache: on each event loop at most one a key.

    Args:
        name: what the cache is called in errors.
        owner: told of each value before anybody else. Not kept alive: if it has gone, there is nothing to store in.
        clock: what loads are timed by.
        call_later: starts a timer.
        generations: of the owner's tags; None if it has none.
        tables: those of other flights, to be seen to their end together with these.

    Attributes:
        owner: told of each value before anybody else; not kept alive.
        tables: the flights by key.
        counts: of loads.
        batches: flights beside these that load many keys each, if there ever were any.
    """

    def __init__(
        self,
        name: str,
        owner: FlightOwner[K, V],
        *,
        clock: Clock,
        call_later: CallLater,
        generations: Generations | None = None,
        tables: FlightTables[K] | None = None,
    ) -> None:
        self.name = name
        self.owner = OwnerRef(owner, name)
        self.clock = clock
        self.call_later = call_later
        self._generations = generations
        self.tables: FlightTables[K] = FlightTables() if tables is None else tables
        # Closed, it takes no more calls; while it is finishing, it takes those that loads in the air make.
        self.closed = self.finishing = False
        self.counts = LoadCounts()
        self.batches: Flights[Any, Any] | None = None

    # --- a caller ---------------------------------------------------------------------------------------------------

    async def fetch(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V:
        """Wait for the value of `key`: from the load that is in the air, or from a new one.

        Args:
            plan: how to load it, if a load has to be started.
            key: what loads are told apart by.
            args, kwargs: what to call the load with.

        Raises:
            CacheClosed: the cache was closed.
            LoadCancelled: the load was cancelled, though this caller was not.
            LoadTimeout: the load took longer than its plan allows.
            RecursiveLoad: this call is part of the very load that it would wait for.
            Exception: whatever the load raised; the same object for all that waited.
        """
        loop = get_running_loop()
        try:
            table = self.tables.states[id(loop)]
        except KeyError:
            table = self.tables.enter(loop)
        parent = current.get()
        if key in table:
            flight = self.join(loop, table, plan, key, (args, kwargs), parent)
        else:
            flight = self._launch(loop, table, Flight(key, self, plan), plan, (args, kwargs), parent)
        future: asyncio.Future[Any] | None = None
        try:
            if flight.landed:  # its first step was its last
                outcome = flight.take_outcome()
            elif flight.old_is_served and gives_old(self, plan, flight):
                outcome = flight.old
            else:
                future = self.wait_for(loop, flight)
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
            return value if value is not AGAIN else await self.ask_again(plan, key, args, kwargs)
        try:
            raise_failure(outcome)
        finally:
            del outcome  # as in there

    def join(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        plan: Plan,
        key: K,
        call: Call,
        parent: Flight[Any] | None,
    ) -> Flight[K]:
        """Give the load of a key: one in the air, or a new one. Whoever joins waits for it, and then tells `parent`."""
        flight = table.get(key)
        if flight is None or (flight.landed and not is_shared(loop, flight, self._generation())):
            return self._launch(loop, table, Flight(key, self, plan), plan, call, parent)
        self._board(flight, parent)
        if plan.counts is not None:
            plan.counts.coalesced += 1
        return flight

    async def ask_again(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V:
        """Do as `fetch` does, after a load whose value was out of date: another caller may have loaded it by now."""
        value = self.owner.served(key)
        return await self.fetch(plan, key, args, kwargs) if value is MISSING else value

    def wait_for(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> "asyncio.Future[Any]":
        """Give what will be told a load's outcome. Whoever waits for it no more has to `leave`."""
        future: asyncio.Future[Any] = loop.create_future()
        flight.waiters[future] = self._generation()
        return future

    def refresh(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Start a load that nobody waits for. There must be none in the air for this key on this loop."""
        loop = get_running_loop()
        flight = Flight(key, self, plan)
        flight.is_refresh = flight.goes_on = True
        self.tables.begin_refresh(flight)
        try:
            self._launch(loop, self.tables.enter(loop), flight, plan, (args, kwargs), None)
        except BaseException:  # whatever kept it from beginning: it does not count any more
            self.tables.end_refresh(flight)
            raise
        self.counts.refreshes += 1
        for counts in (self.counts, plan.counts):
            if counts is not None:
                counts.misses -= 1  # nobody waited

    def beside(self, owner: FlightOwner[K, Any]) -> "Flights[K, Any]":
        """Make flights that end when these do, for what several loads have in common. They are not counted as these."""
        return Flights(self.name, owner, clock=self.clock, call_later=self.call_later, tables=self.tables)

    def _board(self, flight: Flight[K], parent: Flight[Any] | None) -> None:
        if parent is not None:
            if not parent.landed and leads_to(flight, parent):
                raise RecursiveLoad(*flight.known_as())
            parent.begin_to_wait(flight)
        self.counts.coalesced += 1
        if flight.grace is not None:
            flight.grace.cancel()
            flight.grace = None

    def leave(self, loop: asyncio.AbstractEventLoop, flight: Flight[K], future: "asyncio.Future[Any]") -> None:
        """A caller goes before the flight has landed. Nothing is awaited here, as that could be cancelled again."""
        plan = flight.plan
        if plan is None or flight.waiters.pop(future, None) is None:  # it has landed, or has served its callers
            return
        if flight.waiters or flight.goes_on or plan.on_abandon == "finish":
            return
        if plan.grace:
            flight.grace = self.call_later(loop, plan.grace, lambda: self._abandon(loop, flight))
        else:
            self._abandon(loop, flight)

    def _abandon(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
        if not (flight.landed or flight.waiters or flight.goes_on or flight.task is None or flight.is_abandoned):
            self.counts.abandoned += 1
            self.cancel(loop, flight)

    def cancel(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
        """Give a load up: the next call begins a new one at once."""
        self.tables.detach_flight(loop, flight)
        flight.is_abandoned = True
        if flight.task is not None:
            flight.task.cancel()

    # --- the flight -------------------------------------------------------------------------------------------------

    def _launch(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        flight: Flight[K],
        plan: Plan,
        call: Call,
        parent: Flight[Any] | None,
    ) -> Flight[K]:
        if self.closed:
            self.refuse_closed(parent)
        if parent is not None and self._is_loading(flight.key, parent):
            raise RecursiveLoad(plan.name, plan.own_key(flight.key))
        self.counts.misses += 1
        if plan.counts is not None:
            plan.counts.misses += 1
        if self._generations is not None:
            self.owner.begin(flight)
        table[flight.key] = flight
        if parent is not None:
            parent.begin_to_wait(flight)  # before the load runs, which may do so at once and close a ring
        coroutine = self._fly(loop, table, flight, plan, call)
        # Eager steps nest, each in its caller's stack: a load that is still in its own eager step starts no other so.
        # Nor does a refresh begin in the step of a reader who is not to wait for it.
        may_be_eager = (parent is None or not parent.boarding) and not flight.is_refresh
        try:
            task = start_task(loop, flight, plan, coroutine, may_be_eager=may_be_eager)
            if task.done() and not flight.landed:  # the stack was too deep for its last step, or its first
                self._fail(loop, flight, task.exception() or asyncio.CancelledError())
                self._land(table, flight)
        except BaseException:  # there was no task to be made, or no room on the stack for any of this
            table.pop(flight.key, None)
            if parent is not None:
                parent.end_to_wait(flight)
            coroutine.close()
            raise
        if flight.landed:
            share_for_this_turn(loop, table, flight, self._generation())
        else:
            # Nobody is to be told that a load was still running when somebody closed its loop by hand.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            flight.task = task
            if plan.has_time_limit:
                limit(self, loop, flight, plan)
        return flight

    def _generation(self) -> int:
        return 0 if self._generations is None else self._generations.now

    def refuse_closed(self, parent: Flight[Any] | None) -> None:
        """Refuse what is asked of a closed cache, but not by its own loads that are let finish.

        Raises:
            CacheClosed: it was closed.
        """
        if self.closed and not (self.finishing and parent is not None and not parent.landed):
            raise CacheClosed(self.name)

    def _is_loading(self, key: K, parent: Flight[Any]) -> bool:
        """Tell whether a load of `key` that the table does not show (detached, on another loop) waits for `parent`."""
        if parent.owner is self and parent.key == key:
            return True
        return any(leads_to(flight, parent) for flight in self.tables.of(key))

    async def _fly(
        self,
        loop: asyncio.AbstractEventLoop,
        table: dict[K, Flight[K]],
        flight: Flight[K],
        plan: Plan,
        call: Call,
    ) -> None:
        args, kwargs = call
        try:
            if not flight.boarding:
                await primed
            current.set(flight)
            if plan.beyond is not None:
                flight.outcome = value = await plan.beyond.load(flight, args, kwargs)
            else:
                began = self.clock()
                try:
                    flight.outcome = value = await plan.load(*args, **kwargs)
                finally:
                    self.note_time(flight, began)
            flight.is_stored = self.owner.take_in(flight, value, args, kwargs)
            self.counts.loads += not flight.is_found
        except BaseException as error:  # whatever ends a load, those who wait for it have to be told
            self._fail(loop, flight, error)
        finally:
            self._land(table, flight)

    def note_time(self, flight: Flight[K], began: float) -> None:
        """Note how long a load took that has just ended."""
        flight.load_time = seconds = self.clock() - began
        self.counts.seconds += seconds
        self.counts.buckets[int(seconds * FINEST).bit_length()] += 1

    def _fail(self, loop: asyncio.AbstractEventLoop, flight: Flight[K], error: BaseException) -> None:
        failure = failure_of(error, *flight.known_as())
        failure.is_left_out = isinstance(error, LeftOut) and error.flight is flight
        if failure.is_left_out:  # which is an answer
            self.counts.loads += 1
        elif not flight.is_found:
            self.counts.failures += 1
        if isinstance(error, asyncio.CancelledError):
            self.counts.cancelled += 1
        flight.outcome = self.instead(flight, failure)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            # A task that ended in it would also be logged, since nobody asks a flight's task for its exception.
            raise_out_of(loop, error)
        if loop.is_closed():  # under the load: there is nobody left to tell
            flight.waiters.clear()

    def instead(self, flight: Flight[K], failure: Failure) -> Any:
        """Give what those who wait are given for a failure: that, or an old value."""
        old = MISSING if flight.is_detached else self.owner.take_failure(flight, failure)
        return failure if old is MISSING else old

    def _land(self, table: dict[K, Flight[K]], flight: Flight[K]) -> None:
        flight.landed = True
        if table.get(flight.key) is flight:
            table.pop(flight.key, None)  # as in `unlink`
        if flight.is_detached:
            self.tables.forget(flight)
        if flight.is_refresh:
            self.tables.end_refresh(flight)
        if flight.waiters:
            flight.hand_out(flight.outcome)
        # A landed flight lets go of all: its context may be kept by a task that the load has left behind.
        flight.task = flight.owner = flight.plan = None
        if flight.grace is not None or flight.limits or flight.epoch is not None or flight.said is not None:
            self._let_go(flight)
        if flight.terms is not None or flight.old is not MISSING:
            flight.terms = None
            flight.old = MISSING
        if not flight.boarding:
            flight.outcome = None

    def _let_go(self, flight: Flight[K]) -> None:
        """Let a landed flight lose what few have."""
        for timer in flight.limits if flight.grace is None else (flight.grace, *flight.limits):
            timer.cancel()
        flight.grace = flight.epoch = flight.said = None
        flight.limits = ()
