"""Seeing loads to their end: what closing a cache, and leaving its lifespan, wait for."""

import asyncio
import contextvars
from asyncio import get_running_loop
from typing import Any

from asynccache.flight.flight import Flight, current, leads_to
from asynccache.flight.flights import Flights


async def drain(flights: Flights[Any, Any], *, cancel: bool, everywhere: bool) -> None:
    """Wait until all loads of this loop have ended; with `cancel`, end them first.

    Callers of a cancelled load get `LoadCancelled`. Left out is the load that calls this, and those that wait for it.

    Args:
        flights: whose loads.
        cancel: end them; else let them finish.
        everywhere: end those of other loops too. They are not waited for.
    """
    here = get_running_loop()
    flights.finishing = not cancel
    try:
        while found := _to_be_drained(flights):  # a load that is let finish may start others
            if cancel:
                for flight in found:
                    _end(flights, flight, here, everywhere)
            if not await _wait_for(flights, [flight for flight in found if _loop_of(flight) is here], here):
                return
    finally:
        flights.finishing = False


def _to_be_drained(flights: Flights[Any, Any]) -> list[Flight[Any]]:
    myself = current.get()
    return [flight for flight in flights.tables.airborne() if myself is None or not leads_to(flight, myself)]


def _end(flights: Flights[Any, Any], flight: Flight[Any], here: asyncio.AbstractEventLoop, everywhere: bool) -> None:
    task = flight.task
    loop = _loop_of(flight)
    if task is None or loop is None or (loop is not here and not everywhere):
        return
    flights.tables.detach_flight(loop, flight)
    if flight.is_abandoned:  # it is cleaning up already: a second time would disturb that
        return
    flight.is_abandoned = True
    if loop is here:
        task.cancel()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel, context=contextvars.Context())


async def _wait_for(flights: Flights[Any, Any], found: list[Flight[Any]], here: asyncio.AbstractEventLoop) -> bool:
    """Wait for flights as their callers do; tell whether there were any."""
    waits: list[tuple[Flight[Any], asyncio.Future[Any]]] = [(flight, here.create_future()) for flight in found]
    for flight, future in waits:
        flight.waiters[future] = 0
    try:
        for _, future in waits:
            await future
    finally:
        for flight, future in waits:
            flights.leave(here, flight, future)
    return bool(waits)


def _loop_of(flight: Flight[Any]) -> asyncio.AbstractEventLoop | None:
    task = flight.task  # once: on another thread's loop it may land at any moment
    return None if task is None else task.get_loop()
