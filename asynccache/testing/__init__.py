"""For the tests of applications that cache: a clock that passes when told, and a look at what is in the air."""

from asynccache.flight.tables import flights_in_the_air as live_flights
from asynccache.testing.clock import ManualClock

__all__ = ["ManualClock", "live_flights"]
