"""What every store promises, as tests. They need pytest and pytest-asyncio; nothing else of the package does.

Decides what is asked of a store, not how it is made: a subclass says that.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.base", *(f"{__name__}.{part}" for part in (
    "conditions", "counters", "expiry", "feed", "interruptions", "scan", "store",
)))  # fmt: skip

from asynccache.testing.contracts.conditions import ConditionsContract  # noqa: E402  # after the line above
from asynccache.testing.contracts.counters import CountersContract  # noqa: E402
from asynccache.testing.contracts.feed import FeedContract  # noqa: E402
from asynccache.testing.contracts.scan import ScanContract  # noqa: E402
from asynccache.testing.contracts.store import StoreContract  # noqa: E402

__all__ = ["ConditionsContract", "CountersContract", "FeedContract", "ScanContract", "StoreContract"]
