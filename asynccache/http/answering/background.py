"""Fetching behind: a new response for an old one that is being served meanwhile (RFC 5861, 3).

Decides that there is one such fetch a key at a time, that no caller's going away ends it, that after one that failed
there is none for a while, that where there is no way to do it behind the next caller has to wait, and that closing the
cache ends it.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Final

from asynccache.core.lru import LRUCache
from asynccache.http.answering.counts import HttpStats
from asynccache.http.answering.errands import Coming, Landing, Passed
from asynccache.http.answering.outages import Outages
from asynccache.http.answering.sinks import NullSink
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.syntax.message import WallClock

BACKOFF: Final = 5.0
"""Seconds after a fetch that failed, in which the old response is served without trying again."""

_REMEMBERED: Final = 4_096


class Background:
    """The fetches that nobody waits for.

    Args:
        tasks: keep them, and see them to their end.
        counts: told how they end.
        clock: tells the wall time.
        outages: told of failures.
    """

    def __init__(self, tasks: OwnedTasks, counts: HttpStats, clock: WallClock, outages: Outages) -> None:
        self._tasks = tasks
        self._counts = counts
        self._clock = clock
        self._outages = outages
        self._running: Final[dict[str, asyncio.Task[None]]] = {}
        self._failed: LRUCache[str, float] = LRUCache(_REMEMBERED)
        self._stranded: LRUCache[str, float] = LRUCache(_REMEMBERED)

    def is_stranded(self, key: str) -> bool:
        """Whether the last fetch of this key could not even begin, as the session of its caller was closed by then."""
        return key in self._stranded

    def start(self, key: str, fetch: Callable[[], Awaitable[Landing]]) -> None:
        """Fetch, unless that is going on already for this key, or has failed a moment ago."""
        running = self._running.get(key)
        if self._waits(key) or (running is not None and not running.get_loop().is_closed()):
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            self._run(key, fetch), name="refresh of an HTTP response", context=contextvars.Context()
        )
        self._running[key] = task
        self._tasks.own(task)
        task.add_done_callback(lambda _: self._running.pop(key, None), context=contextvars.Context())

    def begin_in_foreground(self, key: str) -> None:
        """Note that a caller does what could not be done behind."""
        self._stranded.pop(key, None)

    def _waits(self, key: str) -> bool:
        return 0 <= self._clock() - self._failed.get(key, float("-inf")) < BACKOFF

    async def _run(self, key: str, fetch: Callable[[], Awaitable[Landing]]) -> None:
        error: Exception | None = None
        try:
            reason = await _read(await fetch())
        except Exception as raised:  # the old response is still there
            reason, error = type(raised).__name__, raised
        if reason is None:
            self._failed.pop(key, None)
            self._counts.refreshed += 1
            return
        (self._stranded if isinstance(error, RuntimeError) else self._failed).put(key, self._clock())
        self._counts.failed_refreshes += 1
        self._outages.tell(reason, error, is_own=False)


async def _read(landing: Landing) -> str | None:
    """See a response into the store; say why there is no new one, None if there is."""
    if isinstance(landing, Coming):
        sink = NullSink()
        landing.spool.attach(sink)
        try:
            await sink.wait()
        finally:
            landing.spool.leave(sink)
        return None
    if isinstance(landing, Passed):
        status = landing.arrival.response.status
        landing.arrival.discard()
        return f"status {status}" if status >= 500 else None
    return f"status {landing.status}" if landing.is_old else None
