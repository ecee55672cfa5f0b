"""For the tests of applications that cache, and of stores of one's own.

A clock that passes when told, a look at what is in the air, a store that misbehaves when told, and the promises of
stores, caches and locks as tests. The latter need pytest and pytest-asyncio, and are imported when they are asked for.
"""

import importlib
from typing import TYPE_CHECKING

from asynccache.flight.tables import flights_in_the_air as live_flights
from asynccache.testing.chaos import Chaos
from asynccache.testing.clock import ManualClock

if TYPE_CHECKING:
    from asynccache.testing.contracts import (
        CacheContract,
        ConditionsContract,
        CountersContract,
        FeedContract,
        FleetContract,
        LockContract,
        ScanContract,
        SharedCacheContract,
        StoreContract,
    )

__all__ = [
    "CacheContract",
    "Chaos",
    "ConditionsContract",
    "CountersContract",
    "FeedContract",
    "FleetContract",
    "LockContract",
    "ManualClock",
    "ScanContract",
    "SharedCacheContract",
    "StoreContract",
    "live_flights",
]


def __getattr__(name: str) -> object:
    if name.endswith("Contract") and name in __all__:
        return getattr(importlib.import_module("asynccache.testing.contracts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
