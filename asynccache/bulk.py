"""One caller who waits for many loads: it joins those in the air, starts the others, and then waits for all."""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from asynccache.flight import AGAIN, Failure, Flight, current
from asynccache.flights import Call, Flights
from asynccache.plan import Plan

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
            if not flight.landed:
                waits.append((key, flight, flights.wait_for(loop, flight)))
                continue
            outcomes[key] = flight.outcome  # its first step was its last
            if flight.caller is None:
                flight.outcome = None
        for key, _, future in waits:
            outcomes[key] = await future
    finally:
        for _, flight, future in waits:  # those that it was kept from waiting for
            flights.leave(loop, flight, future)
        if parent is not None:
            for flight in joined:
                parent.end_to_wait(flight)
    for key, outcome in outcomes.items():
        if outcome is AGAIN:
            outcomes[key] = await flights.ask_again(plan, key, *call(key))
    return outcomes
