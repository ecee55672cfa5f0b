"""What keeps the tier in process true to the store: its feed, and what follows from each piece of news.

Decides for how long a value may be kept in process. While the feed is proven live, as long as it lasts: whatever
changes, by whomever, is dropped here. Where there is no feed, or it is lost, for a second at most, or `local_ttl`. When
it is lost everything is dropped, and once more when it is there again: nobody told of what changed in between.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncGenerator, Hashable, Iterable
from typing import Any, Final

from asynccache.errors import StoreError
from asynccache.locks.wakeups import Wakeups
from asynccache.memory.tier import MemoryTier
from asynccache.shared.link import Link
from asynccache.stores.contract import Feed, SupportsFeed

_log: Final = logging.getLogger("asynccache")

ALONE: Final = 1.0
"""Seconds that a value is kept in process while nobody tells of changes, unless `local_ttl` says otherwise."""


class Coherence:
    """The feed of one cache, and what it brings about.

    Args:
        link: the way to the store.
        memory: the tier in process.
        wakeups: woken by each piece of news.
        local_ttl: seconds that a value is kept in process at most; None for as long as it lasts, where there is a feed.
        name: of the cache, for the log.
    """

    def __init__(
        self, link: Link, memory: MemoryTier[Any, Any], wakeups: Wakeups, local_ttl: float | None, name: str
    ) -> None:
        self._link = link
        self._memory = memory
        self._wakeups = wakeups
        self._local_ttl = local_ttl
        self._name = name
        self._lock = threading.Lock()
        self._source = link.store if isinstance(link.store, SupportsFeed) else None
        self._feed: Feed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._end: AsyncGenerator[None] | None = None
        self.is_closed = False
        self._waiting: set[asyncio.Future[None]] = set()

    def is_live(self) -> bool:
        """Tell whether all changes are heard of."""
        return self._feed is not None and self._feed.is_live

    def held(self) -> float | None:
        """Tell how many seconds a value that is stored now may be kept in process; None as long as it lasts."""
        if self.is_live():
            return self._local_ttl
        if self._local_ttl is None or (self._source is not None and self._local_ttl > ALONE):
            return ALONE
        return self._local_ttl

    def ensure(self) -> None:
        """See to it that the feed is listened to, on this loop if on no other."""
        if self._loop is not None and not self._loop.is_closed():
            return
        if self._source is None or self.is_closed:
            return
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._loop is not None and not self._loop.is_closed():
                return
            was_live, self._loop, self._feed = self._feed is not None, loop, None
        if was_live:  # its loop was closed under it
            self.on_change(None)
        self._task = loop.create_task(self._listen(self._source), context=contextvars.Context())

    async def began(self, seconds: float) -> None:
        """Wait until all changes are heard of, `seconds` at most."""
        if self._source is None or self.is_live():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return
        finally:
            self._waiting.discard(future)

    async def _listen(self, source: SupportsFeed) -> None:
        try:
            self._end = self._until_the_end()
            await anext(self._end)
            self._feed = feed = await source.listen(self._link.keys.prefix, self.on_change)
            if self.is_closed:
                await feed.aclose()
            elif feed.is_live:  # what was read before that may have changed unheard
                self.on_change(None)
        except StoreError as error:
            self._source = None
            _log.warning("%s: values are kept in process for %g s only, as %s", self._name, self.held() or 0.0, error)

    async def _until_the_end(self) -> AsyncGenerator[None]:
        """End with the loop: loops end their async generators before they are closed, and then nobody listens."""
        try:
            yield
        finally:
            self._feed = self._loop = None
            self._drop_all()

    def on_change(self, keys: Iterable[bytes] | None) -> None:
        """Drop what has changed in the store; None: everything, as nobody knows."""
        if keys is None:
            self._drop_all()
            self._link.outbox.wake()
        else:
            keys = list(keys)
            self._link.changes.note(keys)
            self._link.outbox.hear(keys)
            for key in keys:
                self._drop(key)
        self._wakeups.ring(keys)

    def _drop_all(self) -> None:
        for future in list(self._waiting):
            future.get_loop().call_soon_threadsafe(_settle, future)
        self._link.counts.flushes += 1
        self._link.changes.note(None)
        self._link.outbox.hear(None)
        self._link.records.forget(None)
        self._memory.forget_all(is_doubt=True)

    def _drop(self, key: bytes) -> None:
        memory, generations = self._memory, self._memory.store.generations
        found = self._link.keys.read(key, generations)
        if found.kind == "v":
            memory.drop(found.key)
        elif found.kind:
            self._link.records.forget((key,))
            if found.key and not generations.concerns(found.key):
                return  # each invalidation makes every entry be looked at once more
            if found.kind == "t":
                memory.invalidate_tags((found.key,))
            elif found.key:
                self.forget_scope(found.key)
            else:  # it may have been made, or made anew: the store tells by the generation what is valid
                memory.forget_all(is_doubt=True)

    def forget_scope(self, path: tuple[Hashable, ...]) -> None:
        """Forget, in process, all values of a namespace; of the whole cache if it is ()."""
        if path:
            self._memory.invalidate_scope(self._memory.store.generations.tag(path))
        else:
            self._memory.forget_all()

    async def aclose(self) -> None:
        """Listen no more."""
        self.is_closed = True
        here = asyncio.get_running_loop()
        if self._loop is not here:
            feed, loop = self._feed, self._loop
            if feed is not None and loop is not None and loop.is_running():
                asyncio.run_coroutine_threadsafe(feed.aclose(), loop)
            return
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        if self._feed is not None:
            await self._feed.aclose()
        if self._end is not None:
            await self._end.aclose()


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
