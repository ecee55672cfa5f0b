# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of `asynccache.testing`. See `api.py` for how to read this."""

from collections import Counter
from typing import Any, assert_type

from asynccache import Cache
from asynccache.stores import MemoryStore, Store, SupportsFeed
from asynccache.testing import (
    CacheContract,
    Chaos,
    ConditionsContract,
    CountersContract,
    FeedContract,
    FleetContract,
    LockContract,
    ManualClock,
    ScanContract,
    SharedCacheContract,
    StoreContract,
)


class MyContract(ConditionsContract, CountersContract, FeedContract, ScanContract):
    """All that a store may promise."""

    clock = None
    shortest_ttl = 0.5
    patience = 5

    async def make_store(self) -> Store:
        """Make one."""
        return MemoryStore("mine")


class MyCacheContract(FleetContract):
    """All that a cache may promise."""

    patience = 5

    async def make_cache(self, **options: Any) -> Cache:
        """Make one."""
        return Cache("memory://mine", **options)


class MyLockContract(LockContract):
    """What locks promise."""

    async def make_store(self) -> Store:
        """Make one."""
        return MemoryStore("mine")


all_of_a_cache: list[type[CacheContract]] = [CacheContract, SharedCacheContract, FleetContract]
no_store: type[StoreContract] = CacheContract  # type: ignore[assignment]


class WrongContract(StoreContract):
    """A suite that forgets what it is to make."""

    async def make_store(self) -> None:  # type: ignore[override]
        """Make none."""


async def chaos() -> None:
    chaos = Chaos(
        MemoryStore(), fail=0.1, delay=(0, 0.05), corrupt=0.01, lose_feed=0.1, without=[SupportsFeed], seed=1,
        clock=ManualClock(),
    )  # fmt: skip
    store: Store = chaos
    await store.aclose()
    chaos.down = True
    chaos.loses_replies = True
    chaos.hold("get_many", "after set_many")
    chaos.hold()
    await chaos.held()
    await chaos.held("get_many", count=2)
    chaos.release("get_many")
    chaos.release()
    chaos.lose_feed()
    chaos.restore_feed()
    assert_type(chaos.calls, Counter[str])
    assert_type(chaos.keys, Counter[str])
    assert_type(await chaos.get_many([b"key"]), dict[bytes, bytes])

    chaos.hold(1)  # type: ignore[arg-type]
    Chaos("redis://localhost")  # type: ignore[arg-type]
    Chaos(MemoryStore(), 0.1)  # type: ignore[call-arg]
    Chaos(MemoryStore(), fails=0.1)  # type: ignore[call-arg]
