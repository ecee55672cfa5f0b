"""Items in a file, by way of the standard library's `sqlite3`."""

from asynccache.stores.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
