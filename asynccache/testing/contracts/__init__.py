"""What every store, every cache and every lock promises, as tests. They need pytest and pytest-asyncio; nothing else of
the package does.

Decides what is asked of a store or a cache, not how it is made: a subclass says that.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.base", *(f"{__name__}.{part}" for part in (
    "cache", "cache_base", "cache_groups", "cache_loads", "cache_shared", "cache_values", "conditions", "counters",
    "expiry", "feed", "interruptions", "locks", "scan", "store",
)))  # fmt: skip

from asynccache.testing.contracts.cache import CacheContract  # noqa: E402  # after the line above
from asynccache.testing.contracts.cache_shared import FleetContract, SharedCacheContract  # noqa: E402
from asynccache.testing.contracts.conditions import ConditionsContract  # noqa: E402
from asynccache.testing.contracts.counters import CountersContract  # noqa: E402
from asynccache.testing.contracts.feed import FeedContract  # noqa: E402
from asynccache.testing.contracts.locks import LockContract  # noqa: E402
from asynccache.testing.contracts.scan import ScanContract  # noqa: E402
from asynccache.testing.contracts.store import StoreContract  # noqa: E402

__all__ = [
    "CacheContract",
    "ConditionsContract",
    "CountersContract",
    "FeedContract",
    "FleetContract",
    "LockContract",
    "ScanContract",
    "SharedCacheContract",
    "StoreContract",
]
