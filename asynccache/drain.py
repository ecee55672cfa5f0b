"""Seeing loads to their end: what closing a cache, and leaving its lifespan, wait for."""

import asyncio
import contextvars
from asyncio import get_running_loop
from typing import Any

from asynccache.flight import Flight, current, leads_to
from asynccache.flights import Flights


async def drain(flights: Flights[Any, Any], *, cancel: bool) -> None:
    """Wait until all loads of this loop have ended; with `cancel`, end them, and those of other loops, first.

    Callers of a cancelled load get `LoadCancelled`. Left out is the load that calls this, and those that wait for it.
    """
    here = get_running_loop()
    flights.finishing = not cancel
    while found := _to_be_drained(flights):  # a load that is let finish may start others
        if cancel:
            for flight in found:
                _end(flights, flight, here)
        if not await _wait_for(flights, [flight for flight in found if _is_on(flight, here)], here):
            return


def _to_be_drained(flights: Flights[Any, Any]) -> list[Flight[Any]]:
    myself = current.get()
    return [flight for flight in flights.airborne() if myself is None or not leads_to(flight, myself)]


def _end(flights: Flights[Any, Any], flight: Flight[Any], here: asyncio.AbstractEventLoop) -> None:
    flights.detach(flight.key)
    if flight.is_abandoned or flight.task is None:  # it is cleaning up already: a second time would disturb that
        return
    flight.is_abandoned = True
    loop = flight.task.get_loop()
    if loop is here:
        flight.task.cancel()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(flight.task.cancel, context=contextvars.Context())


async def _wait_for(flights: Flights[Any, Any], found: list[Flight[Any]], here: asyncio.AbstractEventLoop) -> bool:
    """Wait for flights as their callers do; tell whether there were any."""
    waits: list[tuple[Flight[Any], asyncio.Future[Any]]] = [(flight, here.create_future()) for flight in found]
    for flight, future in waits:
        flight.waiters[future] = None
    try:
        for _, future in waits:
            await future
    finally:
        for flight, future in waits:
            flights.leave(here, flight, future)
    return bool(waits)


def _is_on(flight: Flight[Any], loop: asyncio.AbstractEventLoop) -> bool:
    return flight.task is not None and flight.task.get_loop() is loop
