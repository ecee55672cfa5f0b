"""Large bodies: in pieces beside the record of their response.

Decides when a body is large, and when its pieces go. They are written before the record that names them, under an id of
their own: nobody sees a body of which a part is missing. Pieces that no record names any more are deleted after a
while, when whoever reads them will have come to the end; the rest goes when its time is over.
"""

import asyncio
import contextlib
import contextvars
import os
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final

from asynccache.errors import StoreError
from asynccache.http.kept.store_link import StoreLink
from asynccache.http.kept.stored import Body, ChunkedBody, InlineBody
from asynccache.serializers.envelope import Envelope, Kind, new_version
from asynccache.serializers.proofs import Unopenable
from asynccache.stores.contract import Item

PIECE: Final = 0x49
"""Stands in the place of a codec."""

GRACE: Final = 300.0
"""Seconds for which a body is still read that no record names any more."""

_ID: Final = 15
_DELETED_AT_ONCE: Final = 256


class BodyLost(StoreError):
    """Raised for a body of which a piece is gone, or cannot be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyLimits:
    """How bodies are kept. All in bytes.

    Attributes:
        inline: the largest that lies in its record.
        piece: of one piece.
        most: the largest that is kept at all.
    """

    inline: int
    piece: int
    most: int


class Bodies:
    """Reads and writes bodies.

    Args:
        link: the way to the store.
        limits: how they are kept.
    """

    def __init__(self, link: StoreLink, limits: BodyLimits) -> None:
        self.link = link
        self.limits = limits
        self._lock = threading.Lock()
        self._reading: Counter[bytes] = Counter()
        self._unnamed: deque[tuple[float, ChunkedBody]] = deque()

    async def read(self, body: Body, first: int = 0, last: int | None = None) -> AsyncGenerator[bytes, None]:
        """Give a body, or a part of it, piece by piece; the next one is asked for while one is used.

        Args:
            body: which.
            first: index of the first byte.
            last: index of the last byte; None for the last of all.

        Raises:
            BodyLost: a piece is gone or cannot be read.
        """
        end = body.size if last is None else min(last + 1, body.size)
        if isinstance(body, InlineBody):
            if first < end:
                yield body.content[first:end]
            return
        with self._lock:
            self._reading[body.id] += 1
        numbers = range(first // body.chunk_size, -(-end // body.chunk_size))
        try:
            async with contextlib.aclosing(self._pieces(body, numbers)) as pieces:
                async for start, piece in pieces:
                    yield piece[max(first - start, 0) : end - start]
        finally:
            with self._lock:
                self._reading[body.id] -= 1
                if not self._reading[body.id]:
                    del self._reading[body.id]

    async def _pieces(self, body: ChunkedBody, numbers: range) -> AsyncGenerator[tuple[int, bytes], None]:
        """Give pieces, each with the index of its first byte in the body."""
        loop = asyncio.get_running_loop()
        ahead: asyncio.Task[bytes | BodyLost] | None = None
        try:
            for number in numbers:
                found = await (self._piece(body, number) if ahead is None else ahead)
                ahead = None
                if isinstance(found, BodyLost):
                    self.link.counts.lost += 1
                    raise found
                if number + 1 in numbers:
                    # With nobody's context: it may hold what has to go before this is read.
                    ahead = loop.create_task(self._piece(body, number + 1), context=contextvars.Context())
                yield number * body.chunk_size, found
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _piece(self, body: ChunkedBody, number: int) -> bytes | BodyLost:
        """Read a piece. What is wrong with it is given back: it may be that nobody asks any more."""
        key = self.link.spelling.piece(body.id, number)
        try:
            data = (await self.link.store.get_many([key])).get(key)
        except StoreError as error:
            self.link.counts.note_error(error)
            return _caused(BodyLost("a piece of a body cannot be read"), error)
        if data is None:
            return BodyLost("a piece of a body is gone")
        try:
            envelope = self.link.sealer.open(key, data)
        except Unopenable as error:
            self.link.counts.unreadable[error.reason] += 1
            return BodyLost(f"a piece of a body is not to be believed ({error.reason})")
        size = min(body.chunk_size, body.size - number * body.chunk_size)
        if envelope.codec != PIECE or len(envelope.payload) != size:
            return BodyLost("a piece of a body has another length")
        return envelope.payload

    # --- what goes ----------------------------------------------------------------------------------------------------

    def let_go(self, bodies: Iterable[Body]) -> None:
        """Note that no record names these any more."""
        due = self.link.clock() + GRACE
        with self._lock:
            self._unnamed.extend((due, body) for body in bodies if isinstance(body, ChunkedBody))

    async def sweep(self) -> None:
        """Delete some of what has not been named for long enough."""
        keys: list[bytes] = []
        while self._unnamed and len(keys) < _DELETED_AT_ONCE and (body := self._due()) is not None:
            keys += [self.link.spelling.piece(body.id, number) for number in range(-(-body.size // body.chunk_size))]
        if keys:
            await self.delete(keys)

    async def delete(self, keys: list[bytes]) -> None:
        """Delete pieces. If the store fails, they go when their time is over."""
        try:
            await self.link.store.delete_many(keys)
        except StoreError as error:
            self.link.counts.note_error(error)

    def _due(self) -> ChunkedBody | None:
        with self._lock:
            if not self._unnamed or self._unnamed[0][0] > self.link.clock():
                return None
            _, body = self._unnamed.popleft()
            if self._reading.get(body.id):
                self._unnamed.append((self.link.clock() + GRACE, body))
                return None
            return body


class BodyWriter:
    """Writes one body. For one task.

    Args:
        bodies: whose it will be.
        kept: seconds for which its pieces are kept.
    """

    __slots__ = ("_bodies", "_buffer", "_id", "_is_over", "_kept", "_size", "_until", "_written")

    def __init__(self, bodies: Bodies, kept: float) -> None:
        self._bodies = bodies
        self._kept = kept
        self._until = bodies.link.clock() + kept
        self._id = os.urandom(_ID)
        self._buffer = bytearray()
        self._size = 0
        self._written = 0
        self._is_over = False

    async def write(self, chunk: bytes) -> bool:
        """Keep the next bytes; False: it is too large, or the store has failed, and nothing will be kept."""
        if self._is_over:
            return False
        limits = self._bodies.limits
        self._size += len(chunk)
        if self._size > limits.most:
            self._bodies.link.counts.too_large += 1
            await self.abandon()
            return False
        self._buffer += chunk
        if self._size <= limits.inline:
            return True
        while len(self._buffer) >= limits.piece:
            if not await self._send(limits.piece):
                return False
        return True

    async def finish(self) -> Body | None:
        """Write what is left, and give what a record names; None if it could not be kept."""
        if self._is_over:
            return None
        if self._size <= self._bodies.limits.inline:
            self._is_over = True
            return InlineBody(bytes(self._buffer))
        if self._buffer and not await self._send(len(self._buffer)):
            return None
        self._is_over = True
        return ChunkedBody(self._id, self._size, self._bodies.limits.piece, self._until)

    async def abandon(self) -> None:
        """Delete what was written, unless the body is finished."""
        if self._is_over:
            return
        self._is_over = True
        self._buffer.clear()
        if self._written:
            spelling = self._bodies.link.spelling
            await self._bodies.delete([spelling.piece(self._id, number) for number in range(self._written)])

    async def _send(self, size: int) -> bool:
        """Write the next piece; False: the store has failed, and what was written is deleted."""
        link = self._bodies.link
        key = link.spelling.piece(self._id, self._written)
        envelope = Envelope(
            Kind.VALUE, new_version(), link.clock(), codec=PIECE, payload=bytes(memoryview(self._buffer)[:size])
        )
        self._written += 1  # before it is: a caller who is cancelled while it is written deletes it as well
        try:
            await link.store.set_many({key: Item(link.sealer.seal(key, envelope), self._kept)})
        except StoreError as error:
            link.counts.note_error(error)
            await self.abandon()
            return False
        del self._buffer[:size]
        return True


def _caused(lost: BodyLost, error: StoreError) -> BodyLost:
    lost.__cause__ = error
    return lost
