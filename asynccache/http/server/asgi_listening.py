"""Whether the client of an ASGI request is still there.

Decides when that is asked, and what follows. It is asked as soon as an answer takes time, until that is sent: what is
answered at once costs no listening. Who has gone waits no longer for what others make. What is made for the one who has
gone is still made, and may be kept, unless the application itself listens for a disconnect: then it is to hear of it.
"""

import asyncio
from types import TracebackType

from asynccache.http.server.asgi_types import Receive


class Listening:
    """A block that is left when the client has gone: what it awaits is cancelled, and nothing is raised.

    Args:
        receive: of the request, whose body is empty; None: somebody else listens.

    Attributes:
        is_gone: whether the client has gone.
    """

    def __init__(self, receive: Receive | None) -> None:
        self.is_gone = False
        self._stays = False
        self._is_over = False
        self._receive = receive
        self._begin: asyncio.Handle | None = None
        self._task: asyncio.Task[None] | None = None
        self._limit = asyncio.timeout(None)  # it knows how to cancel its own task, and to tell that from other cancels

    async def __aenter__(self) -> "Listening":
        await self._limit.__aenter__()
        if self._receive is not None:
            self._begin = asyncio.get_running_loop().call_soon(self._listen, self._receive)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._is_over = True
        if self._begin is not None:
            self._begin.cancel()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:  # its own: what the block has raised is not raised there
            return True
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})
        return False

    def stay(self) -> None:
        """An application works for this client: the block is not left."""
        self._stays = True

    def may_go(self) -> None:
        """The block is left when the client has gone, or has gone already."""
        self._stays = False
        if self.is_gone:
            self._leave()

    def _leave(self) -> None:
        if not (self._stays or self._is_over):
            self._is_over = True
            self._limit.reschedule(0.0)

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
