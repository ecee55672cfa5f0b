"""Fetching behind: a new response for an old one that is being served meanwhile (RFC 5861, 3).

Decides that there is one such fetch a key at a time, that no caller's going away ends it, that after one that failed
there is none for a while, and that closing the cache ends it.
"""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from asynccache.core.lru import LRUCache
from asynccache.http.counts import HttpStats
from asynccache.http.errands import Coming, Landing, Passed
from asynccache.http.message import WallClock
from asynccache.http.spool import NullSink
from asynccache.http.tasks import OwnedTasks

BACKOFF: Final = 5.0
"""Seconds after a fetch that failed, in which the old response is served without trying again."""

_REMEMBERED: Final = 4_096
_log: Final = logging.getLogger("asynccache")


class Background:
    """The fetches that nobody waits for.

    Args:
        tasks: keep them, and see them to their end.
        counts: told how they end.
        clock: tells the wall time.
        name: what messages call the cache.
    """

    def __init__(self, tasks: OwnedTasks, counts: HttpStats, clock: WallClock, name: str) -> None:
        self._tasks = tasks
        self._counts = counts
        self._clock = clock
        self._name = name
        self._keys: Final[set[str]] = set()
        self._failed: LRUCache[str, float] = LRUCache(_REMEMBERED)

    def start(self, key: str, fetch: Callable[[], Awaitable[Landing]]) -> None:
        """Fetch, unless that is going on already for this key, or has failed a moment ago."""
        if key in self._keys or 0 <= self._clock() - self._failed.get(key, float("-inf")) < BACKOFF:
            return
        self._keys.add(key)
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            self._run(key, fetch), name="refresh of an HTTP response", context=contextvars.Context()
        )
        self._tasks.own(task)
        task.add_done_callback(lambda _: self._keys.discard(key), context=contextvars.Context())

    async def _run(self, key: str, fetch: Callable[[], Awaitable[Landing]]) -> None:
        try:
            reason = await _read(await fetch())
        except Exception as error:  # the old response is still there
            self._note_failure(key, type(error).__name__, error)
        else:
            if reason is None:
                self._counts.refreshed += 1
                self._failed.pop(key, None)
            else:
                self._note_failure(key, reason, None)

    def _note_failure(self, key: str, reason: str, error: Exception | None) -> None:
        """Count it; tell of it once, until one has gone well again. A key may be secret, and is not told."""
        self._counts.failed_refreshes += 1
        level = logging.DEBUG if key in self._failed else logging.WARNING
        self._failed.put(key, self._clock())
        _log.log(level, "%s: fetching a new response behind an old one failed: %s", self._name, reason, exc_info=error)


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
