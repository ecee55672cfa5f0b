"""The pure core: bounded mappings, one eviction policy a file, over one base.

Nothing here awaits, reads a clock or does I/O. This file decides only what the core's public names are.
"""

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry
from asynccache.core.fifo import FIFOCache
from asynccache.core.gdsf import GDSFCache
from asynccache.core.lfu import LFUCache
from asynccache.core.lru import LRUCache
from asynccache.core.random_replacement import RandomCache
from asynccache.core.s3fifo import S3FIFOCache
from asynccache.core.sieve import SieveCache
from asynccache.core.tinylfu import TinyLFUCache

__all__ = [
    "BoundedCache",
    "Entry",
    "FIFOCache",
    "GDSFCache",
    "LFUCache",
    "LRUCache",
    "RandomCache",
    "S3FIFOCache",
    "SieveCache",
    "TinyLFUCache",
]
