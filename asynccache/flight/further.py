"""What flights do for tiers further away: loads that such a tier makes, and old values that it has found."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.flight.flight import Flight
from asynccache.flight.plan import Plan
from asynccache.protocols import MISSING

if TYPE_CHECKING:
    from asynccache.flight.flights import Flights

K = TypeVar("K", bound=Hashable)


async def load(
    flights: "Flights[K, Any]", flight: Flight[K], plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Make a load for a tier further away, which has not found the value, and time it."""
    began = flights.clock()
    try:
        return await plan.load(*args, **kwargs)
    finally:
        flights.note_time(flight, began)


def serve_old(flights: "Flights[K, Any]", flight: Flight[K], value: Any, *, is_fresh: bool) -> None:
    """Give those who wait a value from a tier further away, and let the load go on without them.

    Args:
        flights: whose load it is.
        flight: the load.
        value: the value.
        is_fresh: whether it is only about to become old.
    """
    flight.goes_on = flight.old_is_served = True
    for counts in (flights.counts, None if flight.plan is None else flight.plan.counts):
        if counts is not None:
            counts.misses -= 1
            counts.stale += 0 if is_fresh else len(flight.waiters)
            counts.hits += len(flight.waiters) if is_fresh else 0
    flight.hand_out(value)


def gives_old(flights: "Flights[K, Any]", plan: Plan, flight: Flight[K]) -> bool:
    """Tell whether a caller is given the old value that a load has found further away; count it then."""
    if plan.beyond is None or plan.beyond.is_anew or flight.old_value() is MISSING:
        return False
    for counts in (flights.counts, plan.counts):
        if counts is not None:
            counts.stale += 1
    return True
