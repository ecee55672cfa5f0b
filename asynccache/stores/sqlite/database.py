"""One connection to a file of items: how it is opened, read, swept, and kept within its size.

Decides the tables and the statements. Nothing here waits for anybody or translates an error; who may use a connection
when, is decided by the worker.

Where there is a limit of size, what was written the longest time ago has to go, except what this process has read since
it was last looked at: that is put at the end of the queue (the second chance of F. Corbató, "A Paging Experiment with
the Multics System", 1968). So reads write nothing.
"""

import contextlib
import sqlite3
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from asynccache.protocols import Clock
from asynccache.stores.batching import Op
from asynccache.stores.sqlite import schema
from asynccache.stores.sqlite.changes import apply
from asynccache.stores.sqlite.files import identity
from asynccache.stores.sqlite.timeline import Machine

Synchronous: TypeAlias = Literal["off", "normal", "full"]

PAGE: Final = 512
"""Keys that a scan gives at once."""

_PATIENCE: Final = 0.005
"""Seconds to wait for another process's lock; then others are served first."""

_SLICE: Final = 256
"""Rows that are swept or evicted, and pages that are given back, in one step."""

_MOST_REMEMBERED: Final = 100_000
"""Keys read that are remembered for their second chance."""


class Settings(NamedTuple):
    """What a store was made with.

    Attributes:
        path: of the file.
        synchronous: when SQLite waits for the disk.
        max_bytes: of the file, its log not counted; None for no limit.
        clock: tells the time; None for that of the file's timeline.
        machine: whose clocks the timeline goes by.
    """

    path: Path
    synchronous: Synchronous
    max_bytes: int | None
    clock: Clock | None
    machine: Machine


class Database:
    """A connection. One thread may use it at a time. Everything raises `sqlite3.Error`.

    Args:
        settings: what is to be opened, and how.

    Raises:
        StoreError: the file is somebody else's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = sqlite3.connect(
            settings.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=128
        )
        try:
            schema.prepare(self._connection, synchronous=settings.synchronous, by_age=settings.max_bytes is not None)
            self._timeline = schema.take_timeline(self._connection, settings.machine)
        except BaseException:
            self.close()
            raise
        self._identity = identity(settings.path)
        self._longest = self._connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) - 1024
        self._read_lately: set[bytes] = set()
        self._next_sweep = 0.0
        self._is_changed = False

    @property
    def now(self) -> float:
        """The time, by which items expire."""
        clock = self._settings.clock
        return self._settings.machine.uptime() + self._timeline.offset if clock is None else clock()

    def is_current(self) -> bool:
        """Tell whether the file that is open is still the one of this name."""
        return self._identity is not None and identity(self._settings.path) == self._identity

    def read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys."""
        found: dict[bytes, bytes] = {}
        now = self.now
        for start in range(0, len(keys), schema.MOST_READ):
            some = keys[start : start + schema.MOST_READ]
            some += some[-1:] * (-len(some) % schema.STEP)  # few widths, so that all statements stay prepared
            found.update(self._connection.execute(schema.reading(len(some)), (*some, now)))
        if self._settings.max_bytes is not None:
            if len(self._read_lately) > _MOST_REMEMBERED:
                self._read_lately.clear()
            self._read_lately.update(found)
        return found

    def page(self, start: bytes, end: bytes | None) -> list[bytes]:
        """Give keys from `start` up to, but without, `end`, in their order, as many as go at once."""
        sql = schema.PAGE if end is None else schema.PAGE_UP_TO
        bounds = (start,) if end is None else (start, end)
        return [key for (key,) in self._connection.execute(sql, (*bounds, self.now, PAGE))]

    def write(self, lots: list[list[Op]]) -> list[list[object]]:
        """Make changes, all in one transaction, and tell what each came to."""
        limit = self._settings.max_bytes
        longest = self._longest if limit is None else min(self._longest, limit // 2)
        with self._transaction():
            now = self.now
            results = [apply(self._connection, ops, now, longest=longest) for ops in lots]
            self._evict(max(8, sum(map(len, lots))))
        self._is_changed = True
        return results

    def tidy(self) -> bool:
        """Sweep and shrink a little, if it is time; tell whether there is more to do."""
        now = self.now
        if now < self._next_sweep:
            return False
        has_more = self._sweep(now) | self._shrink()
        self._next_sweep = now if has_more else now + 1.0
        return has_more

    def _sweep(self, now: float) -> bool:
        """Delete what has expired, and note how late it is."""
        due = [table for table in schema.TABLES if self._connection.execute(schema.has_due(table), (now,)).fetchone()]
        if not due and not self._is_changed and not self._is_too_large():
            return False
        has_more = False
        with self._transaction():
            for table in due:
                has_more |= self._connection.execute(schema.sweeping(table), (now, _SLICE)).rowcount >= _SLICE
            has_more |= self._evict(8)
            self._connection.execute(schema.NOTE_LATEST, (now,))
        self._is_changed = False
        return has_more

    def _evict(self, rounds: int) -> bool:
        """Make room; tell whether there is still too little."""
        connection = self._connection
        while self._is_too_large():
            oldest: list[bytes] = [key for (key,) in connection.execute(schema.OLDEST, (_SLICE // 8,))]
            if rounds <= 0 or not oldest:
                return bool(oldest)
            spared = self._read_lately.intersection(oldest)
            self._read_lately -= spared
            connection.executemany(schema.RENEW, [(self.now, key) for key in oldest if key in spared])
            connection.executemany(schema.DELETE_ANY, [(key,) for key in oldest if key not in spared])
            rounds -= 1
        return False

    def _is_too_large(self) -> bool:
        limit = self._settings.max_bytes
        return limit is not None and self.used_bytes() > limit

    def _shrink(self) -> bool:
        """Give free pages back to the system where they are many; tell whether there are more."""
        if self._number("freelist_count") * 4 <= max(self._number("page_count"), 4 * _SLICE):
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({_SLICE})").fetchall()
        return True

    def used_bytes(self) -> int:
        """Tell how many bytes of the file hold something."""
        return (self._number("page_count") - self._number("freelist_count")) * self._number("page_size")

    def _number(self, pragma: str) -> int:
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def leave(self) -> None:
        """Let go of a file that has lost its name, without touching the log of the one that has it now.

        When the last connection is closed, SQLite takes the log away by its name. That can be told not to happen since
        Python 3.12; before, the connection is kept as it is for as long as this process lives.
        """
        if sys.version_info >= (3, 12):
            with contextlib.suppress(sqlite3.Error):
                self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
            self.close()
        else:
            _left.append(self._connection)


_left: Final[list[sqlite3.Connection]] = []
