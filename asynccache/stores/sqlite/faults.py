"""What SQLite's errors mean for a store.

Decides which of them pass by themselves, which mean that the file is damaged, and what a caller hears of the others.
"""

import sqlite3
from typing import Final

from asynccache.errors import StoreError, StoreUnavailable

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WORDS: Final = {
    sqlite3.SQLITE_FULL: "there is no room left for it",
    sqlite3.SQLITE_READONLY: "it may not be written",
    sqlite3.SQLITE_PERM: "it may not be opened",
    sqlite3.SQLITE_AUTH: "it may not be opened",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened, or its folder is not there or may not be written",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_TOOBIG: "an item is too large",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}


def code_of(error: sqlite3.Error) -> int:
    """Give the primary result code; 0 if there is none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether somebody else is at it, so that it is worth trying again."""
    return code_of(error) in _BUSY


def is_damaged(error: sqlite3.Error) -> bool:
    """Tell whether the file is no database, or no whole one."""
    return code_of(error) in _DAMAGED


def as_store_error(name: str, error: sqlite3.Error) -> StoreError:
    """Say it in the store's words: SQLite's own may repeat what is in the file."""
    code = code_of(error)
    words = _WORDS.get(code, f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}".strip())
    kind = StoreUnavailable if code == sqlite3.SQLITE_CANTOPEN else StoreError
    return kind(f"{name}: {words}")
