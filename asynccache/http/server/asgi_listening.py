"""Whether the client of an ASGI request is still there.

Decides when that is asked, and what follows. It is asked as soon as an answer takes time, until that is sent: what is
answered at once costs no listening. Who has gone waits no longer for what others make. What is made for the one who has
gone is still made, and may be kept, unless the application itself listens for a disconnect: then it is to hear of it.
"""

import asyncio
from typing import Any

from asynccache.http.server.asgi_types import Receive


class Listening:
    """A block that is left when the client has gone: what it awaits is cancelled, and nothing is raised.

    Args:
        receive: of the request, whose body is empty; None: somebody else listens.

    Attributes:
        is_gone: whether the client has gone.
    """

    __slots__ = ("_begin", "_caller", "_cancels", "_has_left", "_is_over", "_receive", "_stays", "_task", "is_gone")

    def __init__(self, receive: Receive | None) -> None:
        self.is_gone = False
        self._stays = self._has_left = self._is_over = False
        self._receive = receive
        self._begin: asyncio.Handle | None = None
        self._task: asyncio.Task[None] | None = None
        self._caller: asyncio.Task[Any] | None = None
        self._cancels = 0

    def __enter__(self) -> None:
        self._caller = caller = asyncio.current_task()
        if self._receive is not None and caller is not None:
            self._cancels = caller.cancelling()
            self._begin = asyncio.get_running_loop().call_soon(self._listen, self._receive)

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> bool:
        self._is_over = True
        if self._begin is not None:
            self._begin.cancel()
        if not self._has_left or self._caller is None:
            return False
        is_only_own = self._caller.uncancel() <= self._cancels  # as in asyncio.timeout: others may have cancelled too
        return is_only_own and kind is asyncio.CancelledError

    async def end(self) -> None:
        """Listen no more. To be awaited after the block."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def stay(self) -> None:
        """An application works for this client: the block is not left."""
        self._stays = True

    def may_go(self) -> None:
        """The block is left when the client has gone, or has gone already."""
        self._stays = False
        if self.is_gone:  # soon: who says so may be the one who waits, and not wait for anything any more
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        if self._caller is not None and not (self._stays or self._is_over or self._has_left):
            self._has_left = True
            self._caller.cancel()

    def _listen(self, receive: Receive) -> None:
        self._task = asyncio.get_running_loop().create_task(self._hear(receive), name="listening for a disconnect")

    async def _hear(self, receive: Receive) -> None:
        try:
            message = await receive()
            if message["type"] == "http.request":
                message = await receive()
        except Exception:  # a server that tells of nothing any more is no reason to give up
            return
        if message["type"] == "http.disconnect":
            self.is_gone = True
            self._leave()
