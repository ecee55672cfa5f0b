"""What tests of bodies on their way are made of: a source, a store and readers that wait for the test's words."""

import asyncio
from collections.abc import AsyncIterator

from asynccache.http.answering.spool import Spool

PIECE = 256 * 1024


class Source:
    """A body that comes when the test says so."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self.taken = 0
        self.is_closed = False

    def send(self, *pieces: bytes) -> None:
        """Let pieces come."""
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def end(self, error: BaseException | None = None) -> None:
        """Let it end."""
        self._pieces.put_nowait(error)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body."""
        try:
            while True:
                piece = await self._pieces.get()
                if isinstance(piece, BaseException):
                    raise piece
                if piece is None:
                    return
                self.taken += 1
                yield piece
        finally:
            self.is_closed = True


class Writer:
    """Keeps what is written."""

    def __init__(self, *, most: int = 2**40) -> None:
        self.content = b""
        self.is_abandoned = False
        self.most = most
        self.gate: asyncio.Event | None = None

    async def write(self, chunk: bytes) -> bool:
        """Keep a piece, unless it is too much."""
        if self.gate is not None:
            await self.gate.wait()
        self.content += chunk
        return len(self.content) <= self.most

    async def abandon(self) -> None:
        """Keep nothing."""
        self.is_abandoned = True


class Reader:
    """A sink that has room when the test says so."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.pieces: list[bytes] = []
        self.end: BaseException | str | None = None
        self.room = asyncio.Event()
        if has_room:
            self.room.set()

    @property
    def has_room(self) -> bool:
        """Whether more may come."""
        return self.room.is_set()

    @property
    def content(self) -> bytes:
        """All that came."""
        return b"".join(self.pieces)

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        self.pieces.append(chunk)

    def finish(self) -> None:
        """That was all."""
        assert self.end is None
        self.end = "whole"

    def fail(self, error: BaseException) -> None:
        """The rest will not come."""
        assert self.end is None
        self.end = error

    async def wait_for_room(self) -> None:
        """Wait for the test's word."""
        await self.room.wait()


class Scene:
    """A spool, with all that is around it."""

    def __init__(self, *, length: int | None = None, most: int = 2**40) -> None:
        self.source = Source()
        self.writer = Writer(most=most)
        self.told: list[bool] = []
        self.let_go = 0
        self.spool = Spool(
            self.source.chunks(), writer=self.writer, done=self.done, let_go=self.note_let_go, length=length
        )

    async def done(self, is_written: bool) -> None:
        """Note that it is whole."""
        self.told.append(is_written)

    def note_let_go(self) -> None:
        """Note that the rest is not read."""
        self.let_go += 1

    def start(self, *readers: Reader) -> "asyncio.Task[None]":
        """Begin to read, for these."""
        task = self.spool.start()
        for reader in readers:
            self.spool.attach(reader)
        return task
