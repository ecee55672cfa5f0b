"""A feed that can be lost, and news that can be held back."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable

from asynccache.stores.contract import Feed, OnChange


class ChaosFeed:
    """Passes on what another feed tells, unless it is lost. It is used on the loop that it was begun on.

    Args:
        on_change: who listens.
    """

    def __init__(self, on_change: OnChange) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._inner: Feed | None = None
        self._is_lost = False
        self._is_closed = False
        self._is_held = False
        self._waiting: list[list[bytes] | None] = []

    def begin(self, inner: Feed, *, is_lost: bool, is_held: bool) -> None:
        """Take the place of a feed."""
        self._inner = inner
        self._is_lost = is_lost
        self._is_held = is_held

    @property
    def is_live(self) -> bool:
        """Whether all changes are told, or will be."""
        return not self._is_lost and not self._is_closed and self._inner is not None and self._inner.is_live

    def hear(self, keys: Iterable[bytes] | None) -> None:
        """Be told by the feed inside."""
        news = None if keys is None else list(keys)
        if self._is_held:
            self._waiting.append(news)
        elif not self._is_lost:
            self._tell(news)

    def lose(self) -> None:
        """Be live no more, and say so."""
        self._on_its_loop(self._lose)

    def restore(self) -> None:
        """Be live again, and say that anything may have changed."""
        self._on_its_loop(self._restore)

    def hold(self) -> None:
        """Keep news back."""
        self._on_its_loop(self._hold)

    def release(self) -> None:
        """Tell what was kept back, in its order."""
        self._on_its_loop(self._release)

    async def aclose(self) -> None:
        """Listen no more."""
        self._is_closed = True
        if self._inner is not None:
            await self._inner.aclose()

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._waiting.clear()
            self._tell(None)

    def _restore(self) -> None:
        if self._is_lost:
            self._tell(None)
            self._is_lost = False

    def _hold(self) -> None:
        self._is_held = True

    def _release(self) -> None:
        self._is_held = False
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            self.hear(news)

    def _tell(self, news: list[bytes] | None) -> None:
        if not self._is_closed:
            self._on_change(news)

    def _on_its_loop(self, change: Callable[[], None]) -> None:
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            change()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(change, context=contextvars.Context())
