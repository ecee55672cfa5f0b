"""One body on its way: from the origin, or from a store, to any number of readers, and into the store.

Decides who is waited for. The beginning of a body is read ahead, whoever reads; after that, the slowest reader sets the
pace, so that no more than a window lies in memory. Who comes while all of it is still in the window reads along. With
the last reader gone the rest is not read, unless it is short: what is not whole is not kept.
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from asynccache.http.exchange import Sink

WINDOW: Final = 1024 * 1024
"""How many bytes are read ahead of the slowest reader, and how late one may come to read along."""


SHORT: Final = 64 * 1024
"""A body of so many bytes is read to its end though its reader has gone, as with redirects."""

PATIENCE: Final = 5.0
"""Seconds that this may take."""


class BodyWriter(Protocol):
    """Writes a body into a store."""

    async def write(self, chunk: bytes) -> bool:
        """Keep a piece; False: it will not be kept, go on without."""
        ...

    async def abandon(self) -> None:
        """Delete what was written."""
        ...


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
            BaseException: what it broke off with.
        """
        error = await self._over
        if error is not None:
            raise error

    def _tell(self, error: BaseException | None) -> None:
        if not self._over.done():
            self._over.set_result(error)


class Spool:
    """A body that is being read.

    Args:
        chunks: gives the body; closed at the end.
        writer: keeps it; None if it is not to be kept.
        done: told at the end, in the task that reads: whether it is whole and was written. Its errors are the reader's.
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
        self._sinks: list[Sink] = []
        self._window: list[bytes] | None = []
        self._size = 0
        self._first_reader: asyncio.Future[None] | None = None
        self._is_whole = self._is_over = False
        self._error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def may_be_joined(self) -> bool:
        """Whether all that has come so far is still here for one who comes now."""
        return self._window is not None and self._error is None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it, and not only the store."""
        return any(not isinstance(sink, NullSink) for sink in self._sinks)

    @property
    def is_read(self) -> bool:
        """Whether somebody reads it."""
        return bool(self._sinks)

    def start(self) -> asyncio.Task[None]:
        """Begin to read, in a task of its own that no reader's cancellation reaches."""
        self.task = asyncio.get_running_loop().create_task(
            self._run(), name="body of an HTTP response", context=contextvars.Context()
        )
        return self.task

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
            self._sinks.append(sink)
            if self._first_reader is not None and not self._first_reader.done():
                self._first_reader.set_result(None)

    def leave(self, sink: Sink, *, may_be_finished: bool = False) -> None:
        """A reader reads no more. With the last one the body is given up, unless the rest is short.

        Args:
            sink: the reader's.
            may_be_finished: whether that reader does not mind that the rest is read.
        """
        if sink in self._sinks:
            self._sinks.remove(sink)
            if not self._sinks:
                if may_be_finished and self._is_short:
                    self._finish_for_nobody()
                else:
                    self._give_up_without_readers()

    def _finish_for_nobody(self) -> None:
        sink = NullSink()
        self._sinks.append(sink)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(PATIENCE, self.leave, sink, context=contextvars.Context())
        self.begun().add_done_callback(lambda _: timer.cancel(), context=contextvars.Context())

    def expect_no_leader(self) -> None:
        """The caller for whom it was begun has gone before it could read; others who wait with it come in a moment."""
        loop, context = asyncio.get_running_loop(), contextvars.Context()
        # In the next turn they are told that it has come, and begin to read; only then can nobody be known to read.
        loop.call_soon(lambda: loop.call_soon(self._give_up_without_readers, context=context), context=context)

    def _give_up_without_readers(self) -> None:
        if not self._sinks and self.task is not None and not self._is_whole:
            self._window = None  # nobody joins what is going down
            self.task.cancel()

    async def _run(self) -> None:
        try:
            await self._wait_for_a_reader()
            async for chunk in self._chunks:
                self._hand_out(chunk)
                await self._keep(chunk)
                await self._wait_for_readers()
            self._is_whole = True
            if self._done is not None:  # before readers are told: who has read it all finds it stored
                await self._done(self._writer is not None)
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

    async def _wait_for_a_reader(self) -> None:
        if not self._sinks:
            self._first_reader = asyncio.get_running_loop().create_future()
            await self._first_reader

    def _hand_out(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._window is not None:
            self._window.append(chunk)
            if self._size > WINDOW:
                self._window = None
        for sink in self._sinks:
            sink.feed(chunk)

    async def _keep(self, chunk: bytes) -> None:
        if self._writer is not None and not await self._writer.write(chunk):
            self._writer = None

    async def _wait_for_readers(self) -> None:
        if self._window is None:
            for sink in list(self._sinks):
                await sink.wait_for_room()

    def _end(self, error: BaseException | None) -> None:
        self._is_over, self._error = True, error
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            if error is None:
                sink.finish()
            else:
                sink.fail(error)

    async def _give_up(self) -> None:
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()
        if self._writer is not None:
            await self._writer.abandon()
        if self._let_go is not None:
            self._let_go()
