"""Items in this process."""

from asynccache.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
