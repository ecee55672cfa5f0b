"""Fetching behind: a new response for an old one that is being served meanwhile (RFC 5861, 3).

Decides that there is one such fetch a URL at a time, that it is not the caller's (whose conditions, range and
cancellation do not count), and that closing the cache ends it.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Final

from asynccache.http.counts import HttpStats
from asynccache.http.exchange import Answer, Kind
from asynccache.http.spool import NullSink
from asynccache.http.tasks import OwnedTasks


class Background:
    """The fetches that nobody waits for.

    Args:
        tasks: keep them, and see them to their end.
        counts: told how they end.
    """

    def __init__(self, tasks: OwnedTasks, counts: HttpStats) -> None:
        self._tasks = tasks
        self._counts = counts
        self._keys: Final[set[str]] = set()

    def start(self, key: str, fetch: Callable[[], Awaitable[Answer]]) -> None:
        """Fetch, unless that is going on already for this key."""
        if key not in self._keys:
            self._keys.add(key)
            coroutine = self._run(fetch)
            loop = asyncio.get_running_loop()
            task = loop.create_task(coroutine, name="refresh of an HTTP response", context=contextvars.Context())
            self._tasks.own(task)
            task.add_done_callback(lambda _: self._keys.discard(key), context=contextvars.Context())

    async def _run(self, fetch: Callable[[], Awaitable[Answer]]) -> None:
        try:
            await _read_all(await fetch())
            self._counts.refreshed += 1
        except Exception:  # the old response is still there, and the next request tries again
            self._counts.failed_refreshes += 1


async def _read_all(answer: Answer) -> None:
    if answer.kind is Kind.PASSED and answer.arrival is not None:
        answer.arrival.discard()
    elif answer.spool is not None:
        sink = NullSink()
        answer.spool.attach(sink)
        try:
            await sink.wait()
        finally:
            answer.spool.leave(sink)
