"""The tables of a file of items, and every statement that is made.

Decides what a file has to be to be taken for ours: SQLite's `application_id` names the kind, `user_version` the format.
"""

import functools
import sqlite3
from typing import Final

from asynccache.errors import StoreError
from asynccache.stores.sqlite.timeline import Machine, Timeline, begin

APPLICATION: Final = 0x61736363
"""What says in the file's header that it is ours: "ascc"."""

FORMAT: Final = 1

MOST_READ: Final = 256
"""Keys in one statement."""

STEP: Final = 4
"""Keys are filled up to a multiple of this."""

TABLES: Final = ("items", "counters")

_CREATE: Final = (
    # With row ids: without them, values from 1,000 bytes on would spill over, and take a page of 4,096 bytes each.
    "CREATE TABLE items (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, until REAL, written REAL NOT NULL)",
    "CREATE TABLE counters (key BLOB PRIMARY KEY, total INTEGER NOT NULL, until REAL) WITHOUT ROWID",
    "CREATE TABLE timeline (one INTEGER PRIMARY KEY, start TEXT NOT NULL, offset REAL NOT NULL, latest REAL NOT NULL)",
    "CREATE INDEX items_by_until ON items (until) WHERE until IS NOT NULL",
    "CREATE INDEX counters_by_until ON counters (until) WHERE until IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)

_LIVES: Final = "(until IS NULL OR until > ?)"

PAGE: Final = f"SELECT key FROM items WHERE key >= ? AND {_LIVES} ORDER BY key LIMIT ?"  # noqa: S608  # our own words
PAGE_UP_TO: Final = f"SELECT key FROM items WHERE key >= ? AND key < ? AND {_LIVES} ORDER BY key LIMIT ?"  # noqa: S608

_PUT: Final = (
    "INSERT INTO items (key, value, until, written) VALUES (?, ?, ?, ?) ON CONFLICT (key)"
    " DO UPDATE SET value = excluded.value, until = excluded.until, written = excluded.written"
)
SET: Final = _PUT
ADD: Final = f"{_PUT} WHERE items.until <= ?"
DELETE: Final = f"DELETE FROM items WHERE key = ? AND {_LIVES}"  # noqa: S608
DELETE_ANY: Final = "DELETE FROM items WHERE key = ?"
COMPARE_AND_SET: Final = (
    f"UPDATE items SET value = ?, until = ?, written = ? WHERE key = ? AND {_LIVES}"  # noqa: S608
    " AND coalesce(substr(value, 1, ?), x'') = ?"
)
COMPARE_AND_DELETE: Final = f"{DELETE} AND coalesce(substr(value, 1, ?), x'') = ?"
COUNT: Final = (
    "INSERT INTO counters (key, total, until) VALUES (?, 1, ?) ON CONFLICT (key)"
    " DO UPDATE SET total = CASE WHEN until <= ? THEN 1 ELSE total + 1 END, until = excluded.until"
)
TOTAL: Final = "SELECT total FROM counters WHERE key = ?"

OLDEST: Final = "SELECT key FROM items ORDER BY written LIMIT ?"
RENEW: Final = "UPDATE items SET written = ? WHERE key = ?"
NOTE_LATEST: Final = "UPDATE timeline SET latest = max(latest, ?)"


@functools.cache
def reading(width: int) -> str:
    """Make the statement that reads so many keys."""
    return f"SELECT key, value FROM items WHERE key IN ({', '.join('?' * width)}) AND {_LIVES}"  # noqa: S608


@functools.cache
def has_due(table: str) -> str:
    """Make the statement that tells whether something of a table has expired."""
    return f"SELECT 1 FROM {table} WHERE until <= ? LIMIT 1"  # noqa: S608


@functools.cache
def sweeping(table: str) -> str:
    """Make the statement that deletes some of what has expired."""
    return f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE until <= ? LIMIT ?)"  # noqa: S608


def prepare(connection: sqlite3.Connection, *, synchronous: str, by_age: bool) -> None:
    """Make sure that the file is ours; make one that is empty ours.

    Args:
        connection: to the file.
        synchronous: when SQLite waits for the disk.
        by_age: whether items are looked for by their age.

    Raises:
        StoreError: it is somebody else's, or of another format.
        sqlite3.Error: it cannot be read, or not be written.
    """
    run = connection.execute
    run("PRAGMA trusted_schema = OFF")
    is_made = _is_made(connection)
    if not is_made:  # on a file that is made, this would be a write at every opening
        run("PRAGMA page_size = 4096")
        run("PRAGMA auto_vacuum = INCREMENTAL")
    run("PRAGMA journal_mode = WAL")
    run(f"PRAGMA synchronous = {synchronous.upper()}")
    run("PRAGMA wal_autocheckpoint = 2000")  # 8 MB: at 2 MB, writes of 500 bytes at random keys cost a third more
    run("PRAGMA journal_size_limit = 16777216")
    run("PRAGMA cache_size = -2048")  # 2 MB; with 16, reading and writing at random keys was no quicker, measured
    if not is_made:
        _make(connection)
    if by_age and not run("SELECT 1 FROM sqlite_master WHERE name = 'items_by_age'").fetchone():
        run("CREATE INDEX IF NOT EXISTS items_by_age ON items (written)")


def _is_made(connection: sqlite3.Connection) -> bool:
    # In this order, as another process may just be making it ours: who sees its tables sees its number as well.
    is_empty = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise StoreError(f"the file is of format {version}, and this asynccache reads format {FORMAT}")
        return True
    if application or not is_empty:
        raise StoreError("the file is a database of something else, and was left as it is")
    return False


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_made(connection):  # nobody else was quicker
            for statement in _CREATE:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def take_timeline(connection: sqlite3.Connection, machine: Machine) -> Timeline:
    """Give the time of the file; begin it anew if the machine was started anew.

    Raises:
        sqlite3.Error: it cannot be read, or not be written.
    """
    row = connection.execute("SELECT start, offset, latest FROM timeline").fetchone()
    if row is not None and Timeline(*row).holds_for(machine):
        return Timeline(*row)
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute("SELECT start, offset, latest FROM timeline").fetchone()
        timeline = begin(machine, None if row is None else Timeline(*row))
        connection.execute("INSERT OR REPLACE INTO timeline VALUES (0, ?, ?, ?)", timeline)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return timeline
