"""A body in pieces, between the task that makes it and the one that sends it.

Decides how much may lie between them.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from asynccache.http.answering.exchange import Answer
from asynccache.http.kept.stored import InlineBody

_LIMIT: Final = 256 * 1024


class Pieces:
    """A queue for one reader. Implements `Sink`.

    Args:
        limit: bytes that lie unread before the other side has to wait.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._is_over = self._is_left = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] = []

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        if chunk and not self._is_left:
            self._pieces.append(chunk)
            self._size += len(chunk)
            self._wake_reader()

    def finish(self) -> None:
        """That was all."""
        self._is_over = True
        self._wake_reader()

    def fail(self, error: BaseException) -> None:
        """The rest will not come."""
        self._error = error
        self.finish()

    @property
    def has_room(self) -> bool:
        """Whether not too much lies unread."""
        return self._size <= self._limit

    async def wait_for_room(self) -> None:
        """Return as soon as not too much lies unread."""
        while self._size > self._limit:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._writers.append(room)
            await room

    def leave(self) -> None:
        """Nobody reads any more: nobody has to wait."""
        self._is_left = True
        self._pieces.clear()
        self._size = 0
        self._wake_writers()

    async def read(self) -> AsyncIterator[bytes]:
        """Give the pieces as they come.

        Raises:
            BaseException: what the body broke off with.
        """
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._size -= len(piece)
                if self._size <= self._limit:
                    self._wake_writers()
                yield piece
            if self._is_over:
                if self._error is not None:
                    raise self._error
                return
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake_writers(self) -> None:
        writers, self._writers = self._writers, []
        for room in writers:
            if not room.done():
                room.set_result(None)


class BodyReader:
    """The body of an answer, whatever it is read from. Made as soon as the answer is there: it may not be joined later.

    Args:
        answer: one that is not handed on untouched.
        may_be_finished: whether the rest of a short one is read, and kept, though it is left.
    """

    def __init__(self, answer: Answer, *, may_be_finished: bool = False) -> None:
        self._spool = answer.spool
        self._may_be_finished = may_be_finished
        self._pieces: Pieces | None = None
        self.content: bytes | None = None
        if answer.spool is not None:
            self._pieces = Pieces()
            answer.spool.attach(self._pieces)
        elif isinstance(answer.body, InlineBody):
            content = answer.body.content
            end = len(content) if answer.last is None else answer.last + 1
            self.content = content if not answer.first and end >= len(content) else content[answer.first : end]
        else:
            self.content = b""

    async def read(self) -> AsyncIterator[bytes]:
        """Give it piece by piece.

        Raises:
            Exception: what it broke off with.
        """
        if self._pieces is None:
            if self.content:
                yield self.content
            return
        try:
            async for piece in self._pieces.read():
                yield piece
        finally:
            self.leave()

    async def whole(self) -> bytes:
        """Give all of it.

        Raises:
            Exception: what it broke off with.
        """
        if self.content is not None:
            return self.content
        try:
            return b"".join([piece async for piece in self.read()])
        finally:
            self.leave()

    def leave_with(self, owner: object) -> None:
        """It is read no more when an object is gone that alone could read it, and may not have done so."""
        loop = asyncio.get_running_loop()
        weakref.finalize(owner, _call_soon, loop, self.leave).atexit = False

    def leave(self) -> None:
        """It is read no more."""
        if self._spool is not None and self._pieces is not None:
            self._spool.leave(self._pieces, may_be_finished=self._may_be_finished)
            self._pieces.leave()


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Call something in its loop, from wherever an object was collected."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
