"""One client of an engine for each event loop, for drivers whose clients belong to the loop that made them.

Decides when such a client is closed: when it is discarded, when the store is closed, or when its loop ends its
asynchronous generators, as `asyncio.run` does before it closes a loop. The last is how a program that uses one store in
several runs, one after the other, leaves no connection behind. A client that was passed in is never closed.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Generic, TypeVar

from asynccache.errors import StoreUnavailable
from asynccache.loops import PerLoop

C = TypeVar("C")

_ELSEWHERE: Final = 1.0
"""Seconds that a loop in another thread gets to close its client."""


class LoopClients(Generic[C]):
    """One client for each event loop.

    Args:
        make: makes one, on the loop that it is for, without waiting.
        close: closes one, on that loop.
    """

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[object]]) -> None:
        self._make = make
        self._close = close
        self._held: PerLoop[_Held[C]] = PerLoop(self._hold)
        self._ending: set[asyncio.Task[None]] = set()

    def get(self) -> C:
        """Give the client of this loop; make it if there is none."""
        loop = asyncio.get_running_loop()
        held = self._held.states.get(id(loop))
        if held is None or held.is_over:
            self._held.states.pop(id(loop), None)
            held = self._held.enter(loop)
        return held.client

    def discard(self, client: C) -> None:
        """Close a client behind, if it still is the one of this loop; the next `get` makes another."""
        loop = asyncio.get_running_loop()
        held = self._held.states.get(id(loop))
        if held is not None and held.client is client:
            del self._held.states[id(loop)]
            task = loop.create_task(held.end(), context=contextvars.Context())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard, context=contextvars.Context())

    async def aclose(self) -> None:
        """Close the clients of all loops. One whose loop does not run at the moment goes with its loop."""
        here = asyncio.get_running_loop()
        await asyncio.gather(*(task for task in self._ending if task.get_loop() is here))
        for loop, held in list(self._held.items()):
            self._held.states.pop(id(loop), None)
            if loop is here:
                await held.end()
            elif loop.is_running():
                with contextlib.suppress(RuntimeError, TimeoutError):  # it may stop at any moment
                    ending = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(held.end(), loop))
                    await asyncio.wait_for(ending, _ELSEWHERE)
        self._held.drop_closed()

    def _hold(self) -> "_Held[C]":
        return _Held(self._make(), self._close)


class _Held(Generic[C]):
    """A client, and what closes it, once."""

    def __init__(self, client: C, close: Callable[[C], Awaitable[object]]) -> None:
        self.client = client
        self.is_over = False
        self._close = close
        self._life = self._live()
        with contextlib.suppress(StopIteration):  # run to its `yield`: from here on its loop knows of it
            self._life.__anext__().send(None)

    async def end(self) -> None:
        await self._life.aclose()

    async def _live(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.is_over = True
            await self._close(self.client)


class GivenClient(Generic[C]):
    """A client that was passed in: used on one loop only, and never closed.

    Args:
        client: what was passed in.
        name: of the store, in errors.
    """

    def __init__(self, client: C, name: str) -> None:
        self._client = client
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):  # made where no loop runs: the first one that asks is the client's
            self._loop = asyncio.get_running_loop()

    def get(self) -> C:
        """Give the client.

        Raises:
            StoreUnavailable: it belongs to another loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise StoreUnavailable(f"{self._name} was made with a client that belongs to another event loop")
        return self._client

    def discard(self, client: C) -> None:
        """Keep it: it is not ours."""

    async def aclose(self) -> None:
        """Leave it open: it is not ours."""
