"""Where a body goes, piece by piece, for one reader; and one who reads for nobody."""

import asyncio
from typing import Protocol


class Sink(Protocol):
    """Where a body goes, piece by piece, for one reader."""

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        ...

    def finish(self) -> None:
        """That was all."""
        ...

    def fail(self, error: BaseException) -> None:
        """The rest will not come."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether not too much lies unread."""
        ...

    async def wait_for_room(self) -> None:
        """Return as soon as not too much lies unread."""
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

    has_room = True

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
