"""aiohttp's stream of a body, fed by a cache instead of a connection.

Decides how much a reader may leave unread before it is waited for.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.helpers import BaseTimerContext

from asynccache.errors import StoreError

_LIMIT: Final = 256 * 1024
"""Bytes that lie unread before reading is paused are twice as many."""


class StreamSink:
    """A reader's own stream. Implements `Sink`, and stands where a stream expects the protocol of its connection.

    Args:
        loop: the reader's.
        timer: the reader's time limit; None if it has none any more.
        is_cut_off: whether nothing can come any more, as the session was closed; None: that cannot be.

    Attributes:
        is_over: whether all has come, or the reader has gone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timer: BaseTimerContext | None = None,
        is_cut_off: Callable[[], bool] | None = None,
    ) -> None:
        self._reading_paused = False
        self._room: asyncio.Future[None] | None = None
        self._loop = loop
        self.is_over = False
        self._is_cut_off = is_cut_off
        self._at_end: list[Callable[[], object]] = []
        self.reader = StreamReader(cast("Any", self), _LIMIT, timer=timer, loop=loop)

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        if chunk:
            self.reader.feed_data(chunk)

    def finish(self) -> None:
        """That was all."""
        self.reader.feed_eof()
        self._end()

    def fail(self, error: BaseException) -> None:
        """The rest will not come. What a store has lost is to the reader what a connection loses that breaks off."""
        if isinstance(error, StoreError):
            told = ClientPayloadError(f"the body could not be read to its end: {error}")
            told.__cause__ = error
            error = told
        if self.reader.exception() is None:
            self.reader.set_exception(error)
        self._end()

    @property
    def has_room(self) -> bool:
        """Whether not too much lies unread."""
        return not self._reading_paused

    async def wait_for_room(self) -> None:
        """Return as soon as not too much lies unread."""
        while self._reading_paused:
            self._room = self._loop.create_future()
            await self._room

    def pause_reading(self) -> None:
        """Too much lies unread: asked by the stream."""
        self._reading_paused = True

    def resume_reading(self, **_: Any) -> None:
        """There is room again: told by the stream."""
        self._reading_paused = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def leave(self) -> None:
        """The reader has gone: nobody waits for it any more."""
        self.resume_reading()
        self._end()

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Have a function called when the body has come, or its reader has gone: as a connection does that is released.

        That is how aiohttp ends a request's time limit.
        """
        self._at_end.append(callback)

    @property
    def connected(self) -> bool:
        """Whether there is something to wait for: asked by the stream before it waits."""
        return self._is_cut_off is None or not self._is_cut_off()

    def _end(self) -> None:
        self.is_over = True
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback()


def stream_of(content: bytes, loop: asyncio.AbstractEventLoop) -> StreamReader:
    """Give a stream of which all has come."""
    sink = StreamSink(loop)
    sink.feed(content)
    sink.finish()
    return sink.reader
