"""The store in a file: what it is made with, and how batches get to the thread that works on it.

It tells of no changes: SQLite says of other processes' changes only that there was one, so that every write of theirs
would empty the tier above. That tier keeps what it has by its ttl alone.
"""

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, cast, get_args

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.protocols import Clock
from asynccache.stores.batching import DEFAULT_TIMEOUT, BatchingStore, Op, raise_anew
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.sqlite.database import Settings, Synchronous
from asynccache.stores.sqlite.jobs import Asked, Page, Read, Stop, Write
from asynccache.stores.sqlite.timeline import this_machine
from asynccache.stores.sqlite.worker import Worker
from asynccache.stores.urls import StoreUrl, one_of, seconds, size

_SMALLEST: Final = 256 * 1024
"""Bytes below which a limit says little, as tables and indexes need some pages themselves."""

_CLOSING: Final = 5.0
"""Seconds that closing may take: the log is written back then."""

_SHARE: Final = 0.8
"""The part of a caller's time for which another process's lock is waited for, so that it hears what it was."""


class SQLiteStore(BatchingStore):
    """Keeps bytes in a file, for any number of event loops, threads and processes of one machine.

    What was written when a call returns, is there after a SIGKILL. A damaged file is renamed (`.damaged` behind its
    name) and begun anew. The folder has to be there, on a disk of this machine. Implements `Store`,
    `SupportsConditions`, `SupportsCounters` and `SupportsScan`.

    Args:
        path: of the file, which is made if there is none.
        max_bytes: of the file, besides its log of some 8 MB; None for no limit. What was written the longest time ago
            has to go, except what this process has read since. An item larger than half of it is refused.
        timeout: seconds that anybody waits at most.
        synchronous: when to wait for the disk: "normal" loses nothing if the process dies, and at most the last moments
            if the machine does; "full" loses nothing then either, and waits at every change; "off" never waits, and
            may leave a damaged file then.
        clock: tells the time in seconds, by which items expire. All who share the file need the same. None for the
            file's own, which goes on steadily whatever happens to the clock of the machine.

    Raises:
        ValueError: an option that cannot be meant.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        synchronous: Synchronous = "normal",
        clock: Clock | None = None,
    ) -> None:
        if max_bytes is not None and max_bytes < _SMALLEST:
            raise ValueError(f"max_bytes must be None or at least {_SMALLEST:,}, not {max_bytes!r}")
        if synchronous not in get_args(Synchronous):
            raise ValueError(f'synchronous must be "off", "normal" or "full", not {synchronous!r}')
        if not timeout > 0:
            raise ValueError(f"timeout must be seconds, more than 0, not {timeout!r}")
        self.path: Final = Path(path).absolute()
        super().__init__(f"sqlite {self.path.name}", timeout=timeout, breaker=CircuitBreaker())
        settings = Settings(self.path, synchronous, max_bytes, clock, this_machine())
        self._worker = Worker(self.name, settings)
        weakref.finalize(self, self._worker.stop)

    @classmethod
    def from_url(cls, url: StoreUrl) -> "SQLiteStore":
        """Make the store of `sqlite:///relative.db` or `sqlite:////absolute.db`.

        It may say `?timeout=0.1`, `?max_bytes=64MB`, `?synchronous=full`.

        Raises:
            ValueError: the URL says something else.
        """
        given = url.parameters(max_bytes=size, timeout=seconds, synchronous=one_of(*get_args(Synchronous)))
        if url.hosts or url.username is not None or url.password is not None or len(url.path) < 2:
            raise ValueError("the URL of a file is sqlite:///relative.db or sqlite:////absolute.db: mind the slashes")
        return cls(url.path[1:], **given)

    async def scan(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """Give all keys that begin with `prefix`, some at a time, in their order."""
        start, end = prefix, _next_prefix(prefix)
        while keys := await self._next_page(start, end):
            yield keys
            start = keys[-1] + b"\0"

    async def _next_page(self, start: bytes, end: bytes | None) -> list[bytes]:
        if self.is_closed:
            raise StoreUnavailable(f"{self.name} is closed")
        try:
            async with asyncio.timeout(self.timeout):
                outcome = await self._ask(Page(start, end))
        except TimeoutError:
            raise StoreTimeout(f"{self.name} did not answer within {self.timeout:g} s") from None
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        return cast("list[bytes]", outcome)

    # --- what the batching asks for -----------------------------------------------------------------------------------

    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        outcome = await self._ask(Read(keys))
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        return cast("dict[bytes, bytes]", outcome)

    async def _write(self, ops: list[Op]) -> Sequence[object]:
        outcome = await self._ask(Write(ops))
        if isinstance(outcome, StoreError):  # told to each; a full disk or a lock is no reason to read no more
            return [outcome] * len(ops)
        return cast("list[object]", outcome)

    def _ask(self, asked: Asked) -> "asyncio.Future[Any]":
        return self._worker.submit(asked, self.timeout * _SHARE).outcome

    async def _disconnect(self) -> None:
        thread = self._worker.thread
        if thread is None:
            return
        stopped = self._worker.submit(Stop(), _CLOSING).outcome
        await asyncio.wait([stopped], timeout=_CLOSING)
        if stopped.done():
            thread.join()  # its last answer was this one


def _next_prefix(prefix: bytes) -> bytes | None:
    """Give the first key behind all those that begin with `prefix`; None if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
