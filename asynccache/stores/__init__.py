"""Where bytes are kept outside of this process: one contract, one driver a file.

Drivers are imported when they are asked for: one that is not used costs nothing, and needs no package.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from asynccache.stores.contract import (
    Feed,
    Item,
    OnChange,
    Store,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    SupportsScan,
)
from asynccache.stores.urls import StoreUrl, open_store

if TYPE_CHECKING:
    from asynccache.stores.hazelcast import HazelcastStore
    from asynccache.stores.memcached import MemcachedStore
    from asynccache.stores.memory import MemoryStore
    from asynccache.stores.redis import RedisStore
    from asynccache.stores.sqlite import SQLiteStore

__all__ = [
    "Feed",
    "HazelcastStore",
    "Item",
    "MemcachedStore",
    "MemoryStore",
    "OnChange",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "StoreUrl",
    "SupportsConditions",
    "SupportsCounters",
    "SupportsFeed",
    "SupportsScan",
    "open_store",
]

_DRIVERS: Final = {
    "HazelcastStore": "hazelcast",
    "MemcachedStore": "memcached",
    "MemoryStore": "memory",
    "RedisStore": "redis",
    "SQLiteStore": "sqlite",
}


def __getattr__(name: str) -> Any:
    if name not in _DRIVERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_DRIVERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
