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
from asynccache.http.tasks import OwnedTasks


class NullSink:
    """Reads a body for nobody, so that it is stored. Implements `Sink`."""

    def __init__(self) -> None:
        self._over: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""

    def finish(self) -> None:
        """That was all."""
        self._tell(None)

    def fail(self, error: BaseException) -> None:
        """The rest will not come."""
        self._tell(error)

    async def wait_for_room(self) -> None:
        """There is always room."""

    async def wait(self) -> None:
        """Return when all has come.

        Raises:
            Exception: what it broke off with.
        """
        error = await self._over
        if error is not None:
            raise error

    def _tell(self, error: BaseException | None) -> None:
        if not self._over.done():
            self._over.set_result(error)


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
