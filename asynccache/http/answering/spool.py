"""One body on its way: from the origin, or from a store, to any number of readers, and into the store.

Decides who is waited for. The beginning of a body is read ahead, whoever reads; after that, the quickest reader sets
the pace. What the others have not read yet lies in memory, up to a limit; who is further behind is waited for, but not
for long. Who comes while all of it is still there reads along. With the last reader gone the rest is not read, unless
it is short: what is not whole is not kept.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from asynccache.errors import StoreError
from asynccache.http.answering.sinks import NullSink, Sink

_log: Final = logging.getLogger("asynccache")

WINDOW: Final = 1024 * 1024
"""How many bytes are read ahead of a reader, and how late one may come to read along."""

LAG: Final = 16 * 1024 * 1024
"""How many bytes one reader may be behind another. Larger bodies, where that is known, are not shared."""


SHORT: Final = 64 * 1024
"""A body of so many bytes is read to its end though its reader has gone, as with redirects."""

PATIENCE: Final = 5.0
"""Seconds that this may take, and for which a reader is waited for that others do not get on for."""


class BodyWriter(Protocol):
    """Writes a body into a store."""

    async def write(self, chunk: bytes) -> bool:
        """Keep a piece; False: it will not be kept, go on without."""
        ...

    async def abandon(self) -> None:
        """Delete what was written."""
        ...


class Spool:
    """A body that is being read.

    Args:
        chunks: gives the body; closed at the end.
        writer: keeps it; None if it is not to be kept.
        done: told at the end, in the task that reads: whether it was written.
        let_go: told if the rest is not read.
        length: how many bytes it has, if that is known.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        writer: BodyWriter | None = None,
        done: Callable[[bool], Awaitable[None]] | None = None,
        let_go: Callable[[], None] | None = None,
        length: int | None = None,
    ) -> None:
        self._chunks = chunks
        self._writer = writer
        self._done = done
        self._let_go = let_go
        self._is_short = length is not None and length <= SHORT
        self.is_shareable = length is None or length <= LAG
        self._lags: dict[Sink, int] = {}
        self._writing: asyncio.Task[bool] | None = None
        self._window: list[bytes] | None = []
        self._size = 0
        self._first_reader: asyncio.Future[None] | None = None
        self._has_begun = self._is_whole = self._is_over = False
        self._error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def may_be_joined(self) -> bool:
        """Whether all that has come so far is still here for one who comes now."""
        return self._window is not None and self._error is None and self.is_shareable

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it, and not only the store."""
        return any(not isinstance(sink, NullSink) for sink in self._lags)

    @property
    def is_read(self) -> bool:
        """Whether somebody reads it."""
        return bool(self._lags)

    def start(self) -> asyncio.Task[None]:
        """Begin to read, in a task of its own that no reader's cancellation reaches."""
        self.task = task = asyncio.get_running_loop().create_task(
            self._run(), name="body of an HTTP response", context=contextvars.Context()
        )
        task.add_done_callback(self._end_unbegun, context=contextvars.Context())
        return task

    def _end_unbegun(self, _: object) -> None:
        """Let go of a body whose task was cancelled before its first step, in which nothing of it runs."""
        if not self._has_begun:
            self._end(ConnectionResetError("the body was given up before it was read"))
            if self._let_go is not None:
                self._let_go()

    def begun(self) -> "asyncio.Task[None]":
        """Give the task that reads, begun if it was not."""
        return self.task if self.task is not None else self.start()

    def attach(self, sink: Sink) -> None:
        """Let a reader read along, from the beginning on. Only while `may_be_joined`."""
        for chunk in self._window or ():
            sink.feed(chunk)
        if self._error is not None:
            sink.fail(self._error)
        elif self._is_over:
            sink.finish()
        else:
            self._lags[sink] = 0
            if self._first_reader is not None and not self._first_reader.done():
                self._first_reader.set_result(None)

    def leave(self, sink: Sink, *, may_be_finished: bool = False) -> None:
        """A reader reads no more. With the last one the body is given up, unless the rest is short.

        Args:
            sink: the reader's.
            may_be_finished: whether that reader does not mind that the rest is read.
        """
        if sink in self._lags:
            del self._lags[sink]
            if not self._lags:
                if may_be_finished and self._is_short:
                    self._finish_for_nobody()
                else:
                    self._give_up_without_readers()

    def _finish_for_nobody(self) -> None:
        sink = NullSink()
        self._lags[sink] = 0
        loop = asyncio.get_running_loop()
        timer = loop.call_later(PATIENCE, self.leave, sink, context=contextvars.Context())
        self.begun().add_done_callback(lambda _: timer.cancel(), context=contextvars.Context())

    def expect_no_leader(self) -> None:
        """The caller for whom it was begun has gone before it could read; others who wait with it come in a moment."""
        loop, context = asyncio.get_running_loop(), contextvars.Context()
        # In the next turn they are told that it has come, and begin to read; only then can nobody be known to read.
        loop.call_soon(lambda: loop.call_soon(self._give_up_without_readers, context=context), context=context)

    def _give_up_without_readers(self) -> None:
        if not self._lags and self.task is not None and not self._is_whole:
            self._window = None  # nobody joins what is going down
            self.task.cancel()

    async def _run(self) -> None:
        self._has_begun = True
        try:
            await self._wait_for_a_reader()
            async for chunk in self._chunks:
                self._hand_out(chunk)
                await self._keep(chunk)
                await self._wait_for_readers()
            await self._written()
            self._is_whole = True
            await self._store()
        except asyncio.CancelledError:
            self._end(ConnectionResetError("the body was given up: nobody read it any more"))
            raise
        except Exception as error:  # whatever broke, the readers are told; nobody else waits for this task
            self._end(error)
        else:
            self._end(None)
        finally:
            if not self._is_whole:
                await self._give_up()

    async def _store(self) -> None:
        """Store what has come, before readers are told that this was all: who has read it finds it stored."""
        if self._done is None:
            return
        try:
            await self._done(self._writer is not None)
        except Exception as error:  # the body has come whole: that it cannot be stored is no reader's affair
            _log.error("a response could not be stored: %s", type(error).__name__)

    async def _wait_for_a_reader(self) -> None:
        if not self._lags:
            self._first_reader = asyncio.get_running_loop().create_future()
            await self._first_reader

    def _hand_out(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._window is not None:
            self._window.append(chunk)
            if self._size > WINDOW:
                self._window = None
        for sink, lag in self._lags.items():
            sink.feed(chunk)
            self._lags[sink] = 0 if sink.has_room else lag + len(chunk)

    async def _keep(self, chunk: bytes) -> None:
        """Write a piece; of a large body, while the next one is on its way."""
        await self._written()
        if self._writer is None:
            return
        if self._window is None:
            self._writing = asyncio.get_running_loop().create_task(
                self._writer.write(chunk), context=contextvars.Context()
            )
        elif not await self._writer.write(chunk):
            self._writer = None

    async def _written(self) -> None:
        if self._writing is not None:
            is_kept = await self._writing
            self._writing = None
            if not is_kept:
                self._writer = None

    async def _wait_for_readers(self) -> None:
        if self._window is not None:
            return
        if len(self._lags) == 1:
            await next(iter(self._lags)).wait_for_room()
        elif not any(sink.has_room for sink in self._lags):
            await self._wait_for_one()
        for sink, lag in list(self._lags.items()):
            if lag > LAG:
                await self._wait_for_the_last(sink)

    async def _wait_for_one(self) -> None:
        """Wait until somebody has room."""
        loop = asyncio.get_running_loop()
        waits = {loop.create_task(sink.wait_for_room(), context=contextvars.Context()) for sink in self._lags}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wait_for_the_last(self, sink: Sink) -> None:
        """Wait for one who is far behind; if that takes too long, the others go on without."""
        try:
            async with asyncio.timeout(PATIENCE):
                await sink.wait_for_room()
        except TimeoutError:
            if self._lags.pop(sink, None) is not None:
                sink.fail(StoreError("it was read too slowly, and others waited for it"))

    def _end(self, error: BaseException | None) -> None:
        self._is_over, self._error = True, error
        sinks, self._lags = self._lags, {}
        for sink in sinks:
            if error is None:
                sink.finish()
            else:
                sink.fail(error)

    async def _give_up(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()  # pyright: ignore[reportUnknownMemberType]  # of whatever it sends
        if self._writer is not None:
            await self._writer.abandon()
        if self._let_go is not None:
            self._let_go()
