"""The thread that works on a file: it gathers what all loops ask, and does it together.

Decides the order: reads first, as nobody else's lock can stop them; then all changes in one transaction, so that many
callers share one commit; then a slice of tidying. While another process holds the file's lock, changes wait for it, and
reads go on.

The thread is a daemon, and holds its store by nothing: a program that forgets to close a store ends all the same, and a
store that nobody has any more ends its thread. What a daemon may do to the file when it is stopped anywhere, is what a
SIGKILL does, which has to be harmless anyway.

A connection must not be carried into a forked child, not even to be closed there. So it is closed before a fork, when
no transaction is under way, and opened again afterwards, in the child by a thread of its own.
"""

import logging
import os
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.sqlite import faults
from asynccache.stores.sqlite.database import Database, Settings
from asynccache.stores.sqlite.files import SUFFIX, Identity, identity, set_aside
from asynccache.stores.sqlite.jobs import Asked, Job, Page, Read, Stop, Write

_MOST_JOBS: Final = 64
"""Jobs that are done together; each is the batch of one loop."""

_RETRY: Final = 0.002
"""Seconds until a lock that another process holds is asked for again."""

_IDLE: Final = 5.0
"""Seconds after which a file that nobody asks for anything is tidied."""

_REBUILD_PAUSE: Final = 60.0
"""Seconds for which a second damage is taken for the disk's, and the file left alone."""

_FORK_PATIENCE: Final = 1.0

_log: Final = logging.getLogger("asynccache")


class Worker:
    """Does what is asked about one file, one thing after the other, in a thread that is started on first use.

    Args:
        name: of the store, in errors.
        settings: of the file.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        self._prepare()
        _all.add(self)

    def _prepare(self) -> None:
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._at_work = threading.Lock()
        self._is_resting = False
        self._database: Database | None = None
        self._seen: Identity = None
        self._rebuilt_at = float("-inf")

    @property
    def thread(self) -> threading.Thread | None:
        """The thread, if it was started."""
        return self._thread

    def submit(self, asked: Asked, patience: float) -> Job:
        """Ask for something, on a running loop.

        Raises:
            StoreUnavailable: no thread can be started.
        """
        job = Job(asked, patience)
        if self._thread is None:
            self._start()
        self._queue.put(job)
        return job

    def stop(self) -> None:
        """End once everything that was asked is done, without waiting for that."""
        self._queue.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=f"asynccache {self._name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # there are too many, or the interpreter is ending
                    raise StoreUnavailable(f"{self._name}: no thread can be started") from error
                self._thread = thread

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        waiting: list[Job] = []
        ends: list[Job | None] = []
        has_more = False
        while waiting or not ends:
            for job in self._gather(0.0 if has_more else _RETRY if waiting else _IDLE):
                if job is None or isinstance(job.asked, Stop):
                    ends.append(job)
                else:
                    waiting.append(job)
            with self._at_work:
                waiting = self._serve(waiting)
                has_more = self._tidy()
        with self._at_work:
            self._close()
        for job in ends:
            if job is not None:
                job.answer(None)

    def _gather(self, patience: float) -> list[Job | None]:
        """Wait for something to do, and take all that is there then."""
        jobs: list[Job | None] = []
        try:
            jobs.append(self._queue.get(timeout=patience) if patience else self._queue.get_nowait())
            while len(jobs) < _MOST_JOBS:
                jobs.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return jobs

    def _serve(self, jobs: list[Job]) -> list[Job]:
        """Do these; give those back that have to be tried again."""
        jobs = [job for job in jobs if not job.outcome.done()]  # nobody waits for the others any more
        reads = [job for job in jobs if isinstance(job.asked, Read)]
        pages = [job for job in jobs if isinstance(job.asked, Page)]
        writes = [job for job in jobs if isinstance(job.asked, Write)]
        again = self._attempt(reads, self._read) if reads else []
        for job in pages:
            again += self._attempt([job], self._page)
        if writes:
            again += self._attempt(writes, self._write)
        return again

    def _attempt(self, jobs: list[Job], do: Callable[[Database, Any], Sequence[object]]) -> list[Job]:
        try:
            outcomes = do(self._open(), [job.asked for job in jobs])
        except sqlite3.Error as error:
            if faults.is_busy(error):
                return self._still_patient(jobs)
            if faults.is_damaged(error) and self._set_aside():
                return jobs
            self._close()
            outcomes = [faults.as_store_error(self._name, error)] * len(jobs)
        except StoreError as error:
            outcomes = [error] * len(jobs)
        except Exception as error:  # whatever it is, the next ones are to be served
            self._close()
            outcomes = [StoreError(f"{self._name} failed: {type(error).__name__}")] * len(jobs)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.answer(outcome)
        return []

    @staticmethod
    def _read(database: Database, asked: Sequence[Read]) -> Sequence[object]:
        """Read the keys of all together: each is given more than it asked for, and looks for its own."""
        keys = asked[0].keys if len(asked) == 1 else list(dict.fromkeys(key for one in asked for key in one.keys))
        return [database.read(keys)] * len(asked)

    @staticmethod
    def _page(database: Database, asked: Sequence[Page]) -> Sequence[object]:
        return [database.page(one.start, one.end) for one in asked]

    @staticmethod
    def _write(database: Database, asked: Sequence[Write]) -> Sequence[object]:
        return database.write([one.ops for one in asked])

    def _still_patient(self, jobs: list[Job]) -> list[Job]:
        now = time.monotonic()
        for job in jobs:
            if job.deadline <= now:
                job.answer(StoreTimeout(f"{self._name} was locked by another process for all the time there was"))
        return [job for job in jobs if now < job.deadline]

    def _tidy(self) -> bool:
        try:
            return self._database is not None and self._database.tidy()
        except sqlite3.Error as error:  # it is tried again later
            if faults.is_damaged(error):
                self._set_aside()
            elif not faults.is_busy(error):
                self._close()
        except Exception:  # the thread has to outlive it, as callers wait for it
            self._close()
        return False

    # --- the file -----------------------------------------------------------------------------------------------------

    def _open(self) -> Database:
        if self._database is not None and not self._database.is_current():  # it was deleted, or set aside
            self._database.leave()
            self._database = None
        if self._database is None:
            self._seen = identity(self._settings.path)
            self._database = Database(self._settings)
            self._seen = identity(self._settings.path)
        return self._database

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _set_aside(self) -> bool:
        """Rename the damaged file, so that the next attempt begins a new one; tell whether it was done."""
        database, self._database = self._database, None
        if database is not None:
            database.leave()
        now = time.monotonic()
        if now - self._rebuilt_at < _REBUILD_PAUSE:
            return False
        self._rebuilt_at = now
        try:
            set_aside(self._settings.path, self._seen)
        except OSError:
            return False
        _log.warning("%s is damaged: it was renamed to *%s, and is begun anew", self._name, SUFFIX)
        return True

    # --- forks --------------------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Before a fork: let nothing be under way, and nothing be open."""
        self._is_resting = self._at_work.acquire(timeout=_FORK_PATIENCE)
        if self._is_resting:
            self._close()

    def resume(self) -> None:
        """In the parent, after a fork: go on."""
        if self._is_resting:
            self._is_resting = False
            self._at_work.release()

    def begin_anew(self) -> None:
        """In the child: there is no thread here, and nobody who waits."""
        if self._database is not None:  # the disk hung, so it is still open; to close it here would spoil the parent's
            _inherited.append(self._database)
        self._prepare()


_all: "weakref.WeakSet[Worker]" = weakref.WeakSet()
_inherited: Final[list[Database]] = []


def _each(do: Callable[[Worker], None]) -> Callable[[], None]:
    def do_all() -> None:
        for worker in list(_all):
            do(worker)

    return do_all


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(
        before=_each(Worker.rest), after_in_parent=_each(Worker.resume), after_in_child=_each(Worker.begin_anew)
    )
