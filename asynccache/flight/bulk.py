"""One caller who waits for many loads: it joins those in the air, starts the others, and then waits for all."""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from asynccache.core.keys import refuse_text, refuse_unhashable
from asynccache.errors import LeftOut
from asynccache.flight.flight import AGAIN, Failure, Flight, current, raise_failure
from asynccache.flight.flights import Call, Flights
from asynccache.flight.further import gives_old
from asynccache.flight.plan import Plan
from asynccache.protocols import MISSING

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def fetch_many(
    flights: Flights[K, V], plan: Plan, keys: Iterable[K], call: Callable[[K], Call]
) -> dict[K, V | Failure]:
    """Wait for the values of several keys. Loads are started in order, all in the same turn of the loop.

    Args:
        flights: whose loads.
        plan: how to load what is not in the air yet.
        keys: each once.
        call: gives what the load of a key is called with.

    Returns:
        For each key its value, or why there is none.

    Raises:
        CacheClosed, RecursiveLoad: as `Flights.fetch` does.
    """
    loop = asyncio.get_running_loop()
    table = flights.tables.enter(loop)
    parent = current.get()
    outcomes: dict[K, Any] = {}
    waits: list[tuple[K, Flight[K], asyncio.Future[Any]]] = []
    joined: list[Flight[K]] = []
    try:
        for key in keys:
            flight = flights.join(loop, table, plan, key, call(key), parent)
            joined.append(flight)
            if flight.old_is_served and not flight.landed and gives_old(flights, plan, flight):
                outcomes[key] = flight.old
                continue
            if not flight.landed:
                waits.append((key, flight, flights.wait_for(loop, flight)))
                continue
            outcomes[key] = flight.take_outcome()  # its first step was its last
        for key, _, future in waits:
            outcomes[key] = await future
    finally:
        for _, flight, future in waits:  # those that it was kept from waiting for
            flights.leave(loop, flight, future)
        if parent is not None:
            for flight in joined:
                parent.end_to_wait(flight)
    again = [key for key, outcome in outcomes.items() if outcome is AGAIN]
    if again:  # another caller may have loaded them by now
        outcomes |= {key: _served(flights, key) for key in again}
        outcomes |= await fetch_many(flights, plan, [key for key in again if outcomes[key] is MISSING], call)
    return outcomes


def _served(flights: Flights[K, V], key: K) -> Any:
    try:
        return flights.owner.served(key)
    except LeftOut as error:
        return left_out(error)
    except Exception as error:  # which is remembered for this key
        return Failure(error, None)


def left_out(error: LeftOut) -> Failure:
    """Give the outcome of a key that is remembered to have been left out."""
    failure = Failure(error, None)
    failure.is_left_out = True
    return failure


def distinct(keys: Iterable[K]) -> list[K]:
    """Give keys once each, in their order.

    Raises:
        TypeError: one of them can be no key.
    """
    refuse_text("keys", keys)
    distinct: dict[K, None] = {}
    for key in keys:
        refuse_unhashable(key)
        distinct[key] = None
    return list(distinct)


def raise_first(*outcomes: dict[Any, Any]) -> None:
    """Raise the first failure that callers have to hear of, if there is one; then all outcomes are forgotten."""
    found = [outcome for outcome in outcomes[0].values() if isinstance(outcome, Failure) and not outcome.is_left_out]
    if not found:
        return
    failed = found[0]
    for some in outcomes:
        some.clear()  # or the error, by its traceback and its callers' frames, would hold itself in memory
    try:
        raise_failure(failed)
    finally:
        del failed, found


def is_left_out(outcome: object) -> bool:
    """Tell whether there is no value, and nothing else to say."""
    return isinstance(outcome, Failure) and outcome.is_left_out
