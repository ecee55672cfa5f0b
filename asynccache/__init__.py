"""asynccache: an asyncio-native cache for coroutine functions.

Put `@async_cached` on an `async def`, and it is computed once however many ask at the same moment, kept as long as it
is worth keeping, and swept away in the background.
"""

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
from asynccache.decorator import async_cached
from asynccache.errors import CacheClosed, CacheError, LoadCancelled, RecursiveLoad
from asynccache.protocols import MISSING, EvictionCause
from asynccache.stats import CacheStats
from asynccache.wrapping.typed import CachedFunction, CacheInfo

__all__ = [
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
    "LoadCancelled",
    "MISSING",
    "RandomCache",
    "RecursiveLoad",
    "S3FIFOCache",
    "SieveCache",
    "TinyLFUCache",
    "async_cached",
]
