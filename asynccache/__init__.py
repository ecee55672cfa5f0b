"""asynccache: an asyncio-native cache for coroutine functions.

Put `@async_cached` on an `async def`, and it is computed once however many ask at the same moment, kept as long as it
is worth keeping, and swept away in the background.
"""

from asynccache.cache.cache import Cache
from asynccache.cache.warm_start import RestoreReport
from asynccache.cache.warming import WarmReport
from asynccache.core import (
    FIFOCache,
    GDSFCache,
    LFUCache,
    LRUCache,
    RandomCache,
    S3FIFOCache,
    SieveCache,
    TinyLFUCache,
)
from asynccache.core.sizeof import sizeof
from asynccache.decorator import async_cached
from asynccache.errors import (
    CacheClosed,
    CacheError,
    LoadCancelled,
    LoadTimeout,
    LockTimeout,
    RecursiveLoad,
    StoreError,
    StoreTimeout,
    StoreUnavailable,
)
from asynccache.flight.loading import Load, current_load
from asynccache.locks.lease import Lease
from asynccache.options.loads import LoadOptions
from asynccache.protocols import MISSING, EvictionCause
from asynccache.serializers.snapshots import SnapshotReport
from asynccache.stats import CacheStats, SharedStats
from asynccache.wrapping.typed import CachedFunction, CacheInfo, SharedFunction

__all__ = [
    "Cache",
    "CacheClosed",
    "CacheError",
    "CacheInfo",
    "CacheStats",
    "CachedFunction",
    "EvictionCause",
    "FIFOCache",
    "GDSFCache",
    "LFUCache",
    "LRUCache",
    "Lease",
    "Load",
    "LoadCancelled",
    "LoadOptions",
    "LoadTimeout",
    "LockTimeout",
    "MISSING",
    "RandomCache",
    "RecursiveLoad",
    "RestoreReport",
    "S3FIFOCache",
    "SharedFunction",
    "SharedStats",
    "SieveCache",
    "SnapshotReport",
    "StoreError",
    "StoreTimeout",
    "StoreUnavailable",
    "TinyLFUCache",
    "WarmReport",
    "async_cached",
    "current_load",
    "sizeof",
]
