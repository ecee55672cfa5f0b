"""Time limits of loads: when an old value is served instead, and when a load is given up."""

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.errors import LoadTimeout
from asynccache.flight.flight import Failure, Flight
from asynccache.flight.plan import Plan
from asynccache.protocols import MISSING, TimerHandle

if TYPE_CHECKING:
    from asynccache.flight.flights import Flights

K = TypeVar("K", bound=Hashable)


def limit(flights: "Flights[K, Any]", loop: asyncio.AbstractEventLoop, flight: Flight[K], plan: Plan) -> None:
    """Let the limits of a load's plan run, from now on."""
    timers: list[TimerHandle] = []
    if plan.soft_timeout is not None:
        timers.append(flights.call_later(loop, plan.soft_timeout, lambda: _serve_old(flights, flight)))
    if plan.timeout is not None:
        timers.append(flights.call_later(loop, plan.timeout, lambda: _time_out(flights, loop, flight)))
    flight.limits = tuple(timers)


def _serve_old(flights: "Flights[K, Any]", flight: Flight[K]) -> None:
    """Let those who wait have an old value, if there is one, and the load go on without them."""
    if flight.landed or flight.is_detached:
        return
    flight.is_late = True
    old = flights.owner.fallback(flight)
    if old is not MISSING:
        flight.goes_on = True
        flight.hand_out(old)


def _time_out(flights: "Flights[K, Any]", loop: asyncio.AbstractEventLoop, flight: Flight[K]) -> None:
    """Give a load up: tell those who wait, and let the next call begin anew, however long it takes to end."""
    if flight.landed or flight.is_abandoned:
        return
    flights.counts.timeouts += 1
    outcome = flights.instead(flight, Failure(LoadTimeout(*flight.known_as()), None))
    flights.cancel(loop, flight)
    flight.hand_out(outcome)
