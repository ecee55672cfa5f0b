"""Which loads a call can join: a table for each event loop, and what has left it.

Decides who can be found, not what becomes of them. A flight that was detached (invalidated, overwritten, cleared away)
still serves those who came before, but stores nothing, and nobody joins it any more.
"""

import asyncio
import contextvars
import weakref
from collections.abc import Hashable
from typing import Any, TypeVar

from asynccache.flight.flight import Flight
from asynccache.loops import PerLoop

K = TypeVar("K", bound=Hashable)


class FlightTables(PerLoop[dict[K, Flight[K]]]):
    """The flights of one cache, by loop and key."""

    def __init__(self) -> None:
        super().__init__(dict)
        self._unlinked: set[Flight[K]] = set()
        self._refreshes: set[Flight[K]] = set()
        _tables.add(self)

    def of(self, key: K) -> list[Flight[K]]:
        """Give the flights of a key, on whatever loop."""
        found = [table.get(key) for table in list(self.states.values())]
        return [flight for flight in found if flight is not None]

    def is_flying(self, key: K) -> bool:
        """Tell whether a call for this key would join a load, on any loop."""
        return any(not flight.landed for flight in self.of(key))

    def joinable(self) -> list[Flight[K]]:
        """All loads that a call could join, on all loops."""
        tables = list(self.states.values())
        return [flight for table in tables for flight in list(table.values()) if not flight.landed]

    def count(self, owner: object) -> int:
        """Count the loads of one owner that a call could join, on all loops."""
        return sum(flight.owner is owner for flight in self.joinable())

    def refreshes(self) -> int:
        """Count the refreshes under way."""
        return len(self._refreshes)

    def begin_refresh(self, flight: Flight[K]) -> None:
        """Note of a refresh that begins."""
        self._refreshes.add(flight)

    def end_refresh(self, flight: Flight[K]) -> None:
        """Note that a refresh has ended."""
        self._refreshes.discard(flight)

    def drop_closed(self) -> None:
        """Forget loops that were closed, and the refreshes that were left behind on them."""
        super().drop_closed()
        for flight in list(self._refreshes):
            task = flight.task
            if task is not None and task.get_loop().is_closed():
                self._refreshes.discard(flight)

    def clear(self) -> None:
        """Forget all loops, in a forked child."""
        super().clear()
        self._refreshes.clear()

    def airborne(self) -> list[Flight[K]]:
        """All loads that have not ended, those included that nobody can join any more."""
        return [*self.joinable(), *self._unlinked]

    def detach(self, key: K) -> bool:
        """Let the loads of a key store nothing and serve nobody but those who wait already; tell if there were any."""
        found = False
        for table in list(self.states.values()):
            flight = table.pop(key, None)
            if flight is not None:
                found |= not flight.landed
                self._let_go(flight)
        return found

    def detach_flight(self, loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
        """Do as `detach` does, for one flight of one loop."""
        unlink(self.enter(loop), flight)
        self._let_go(flight)

    def detach_all(self, *, is_doubt: bool = False) -> None:
        """Do as `detach` does, for all keys.

        Args:
            is_doubt: whether that is because nobody knows what has changed.
        """
        for table in list(self.states.values()):
            for key in list(table):
                flight = table.pop(key, None)
                if flight is not None:
                    flight.is_cut_off = is_doubt
                    self._let_go(flight)

    def forget(self, flight: Flight[K]) -> None:
        """A detached flight has landed."""
        self._unlinked.discard(flight)

    def forget_unlinked(self) -> None:
        """In a forked child: forget loads of the parent that nobody could join any more; they will not run here."""
        self._unlinked.clear()

    def _let_go(self, flight: Flight[K]) -> None:
        """Note of a flight that is in no table any more: it stores nothing, and still has to be seen to its end."""
        flight.is_detached = True
        if not flight.landed:
            self._unlinked.add(flight)


def unlink(table: dict[K, Flight[K]], flight: Flight[K]) -> None:
    """Take a flight out of its table, if it is still there: by identity, as another may have its place."""
    if table.get(flight.key) is flight:
        table.pop(flight.key, None)  # another thread, or a signal handler, may have detached it just now


def share_for_this_turn(
    loop: asyncio.AbstractEventLoop, table: dict[K, Flight[K]], flight: Flight[K], generation: int
) -> None:
    """Let tasks that ask in this same turn of the loop share what an eager load gave without waiting.

    To them it was under way when they asked, as it is where loads are not started eagerly. If its value is stored
    they find that anyway. The caller's own task is not among them: if it asks again, it means a new load.
    """
    caller = asyncio.current_task(loop)
    if caller is not None and not flight.is_stored and not flight.is_detached:
        flight.caller = caller
        flight.shared_at = generation
        table[flight.key] = flight
        loop.call_soon(_end_of_turn, table, flight, context=contextvars.Context())


def is_shared(loop: asyncio.AbstractEventLoop, flight: Flight[K], generation: int) -> bool:
    """Tell whether a load that has just landed counts as being in the air for who asks now."""
    return flight.shared_at == generation and flight.caller is not asyncio.current_task(loop)


def _end_of_turn(table: dict[K, Flight[K]], flight: Flight[K]) -> None:
    unlink(table, flight)
    flight.caller = flight.outcome = None


_tables: "weakref.WeakSet[FlightTables[Any]]" = weakref.WeakSet()


def flights_in_the_air() -> list[Flight[Any]]:
    """All loads that are in the air in this process, for tests that must leave none behind."""
    while True:
        try:
            return [flight for tables in list(_tables) for flight in tables.airborne()]
        except RuntimeError:  # another thread has just made a cache
            continue
