"""One server, as seen from one event loop: its connections, and one request after another on each.

Decides when a connection is made, kept and dropped. One is made by a task of its own: a request that is given up
meanwhile leaves it to the next, so that a handshake longer than a request's time limit is still finished. A connection
on which a reply is outstanding is never used again. There are never more of them than requests at once.
"""

import asyncio
import contextlib
import contextvars
import os
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError, ResponseError

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.redis.faults import translate

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

CONNECTING: Final = 2.0
"""Seconds that a connection may take until it is ready, with its certificate and password."""


class Server:
    """One server.

    Args:
        name: for errors.
        connect: makes a connection that is ready for use.
    """

    def __init__(self, name: str, connect: "Callable[[], Awaitable[AbstractConnection]]") -> None:
        self.name = name
        self.breaker = CircuitBreaker()
        """Tells whether it is worth asking."""
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._idle: list[AbstractConnection] = []
        self._used: set[AbstractConnection] = set()
        self._making: set[asyncio.Task[None]] = set()
        self._waiting: deque[asyncio.Future[AbstractConnection | StoreError]] = deque()
        self._end: AsyncGenerator[None] | None = None
        self._is_closed = False
        _all.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    async def request(self, packed: bytes, replies: int) -> list[Any]:
        """Send commands, and give the reply to each; one that is an error is given, not raised.

        Raises:
            StoreError: the server could not be reached, or was lost meanwhile: what it did is not known.
        """
        connection = await self._take()
        try:
            await connection.send_packed_command([packed], check_health=False)
            received = [await _reply(connection) for _ in range(replies)]
        except (RedisError, OSError) as error:
            self._drop(connection)
            self.drop_idle()  # what has broken one has most likely broken them all
            raise translate(error, self.name) from error
        except BaseException:
            self._drop(connection)
            if self.breaker.is_open:
                self.drop_idle()
            raise
        self._give(connection)
        return received

    async def aclose(self) -> None:
        """Drop everything, and wait until those connections are closed that nobody uses."""
        idle, self._idle = self._idle, []
        self.close()
        for connection in idle:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect()

    def drop_idle(self) -> None:
        """Drop the connections that nobody uses at present: the server behind them may not be the right one."""
        idle, self._idle = self._idle, []
        for connection in idle:
            self._drop(connection)

    def close(self) -> None:
        """Drop everything, now."""
        self._is_closed = True
        for task in self._making:
            task.cancel()
        for connection in list(self._used):
            self._drop(connection)
        self.drop_idle()
        while self._waiting:
            self._fail(StoreUnavailable(f"{self.name} is let go of"))

    def connections(self) -> "list[AbstractConnection]":
        """Give those that there are at present."""
        return [*self._idle, *self._used]

    # --- connections --------------------------------------------------------------------------------------------------

    async def _take(self) -> "AbstractConnection":
        while self._idle:
            connection = self._idle.pop()
            self._used.add(connection)
            if await _is_usable(connection):
                return connection
            self._drop(connection)
        if self._is_closed:
            raise StoreUnavailable(f"{self.name} is let go of")
        future: asyncio.Future[AbstractConnection | StoreError] = self._loop.create_future()
        self._waiting.append(future)
        if len(self._making) < len(self._waiting):
            await self._begin()
        try:
            taken = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not isinstance(given := future.result(), StoreError):
                self._give(given)
            elif future in self._waiting:
                self._waiting.remove(future)
            raise
        if isinstance(taken, StoreError):
            raise taken
        return taken

    async def _begin(self) -> None:
        if self._end is None:
            self._end = self._close_with_loop()
            await anext(self._end)
        task = self._loop.create_task(self._make(), context=contextvars.Context())
        self._making.add(task)
        task.add_done_callback(self._making.discard, context=contextvars.Context())

    async def _make(self) -> None:
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await self._connect()
        except (RedisError, OSError) as error:
            self._fail(translate(error, self.name))
        except Exception as error:  # of settings that the client does not take, say
            self._fail(StoreError(f"{self.name} cannot be reached in this way: {type(error).__name__}"))
        else:
            self._used.add(connection)
            self._give(connection)

    def _fail(self, error: StoreError) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(error)
                return

    def _give(self, connection: "AbstractConnection") -> None:
        """Hand a connection on to who waits for one, or keep it."""
        if self._is_closed:
            self._drop(connection)
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        self._used.discard(connection)
        self._idle.append(connection)

    def _drop(self, connection: "AbstractConnection") -> None:
        self._used.discard(connection)
        drop(connection)

    async def _close_with_loop(self) -> AsyncGenerator[None]:
        """End when the loop is shut down: loops end their async generators before they are closed, so connections of
        a cache that outlives its loop go in good order.
        """
        try:
            yield
        finally:
            self.close()


async def _reply(connection: "AbstractConnection") -> Any:
    untyped: Any = connection
    try:
        return await untyped.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


async def _is_usable(connection: "AbstractConnection") -> bool:
    """Tell whether nothing has come on a connection while it was idle: the end of it, say."""
    is_connected: bool = connection.is_connected  # pyright: ignore[reportUnknownMemberType]
    try:
        return is_connected and not await connection.can_read()
    except (RedisError, OSError):
        return False


def drop(connection: "AbstractConnection") -> None:
    """Close a connection without waiting, whatever is under way on it."""
    closing = connection.disconnect(nowait=True)
    try:
        closing.send(None)
    except (StopIteration, RedisError, OSError, RuntimeError):  # it was broken already, or its loop is closed
        return
    closing.close()


_all: "weakref.WeakSet[Server]" = weakref.WeakSet()
_of_parents: "list[AbstractConnection]" = []


def _keep() -> None:
    # A forked child has its parent's connections in memory. If they were finalized there, the child would take them out
    # of the selector, which it shares with its parent. So it keeps them, unused, to its end.
    _of_parents.extend(connection for server in list(_all) for connection in server.connections())


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(before=_keep, after_in_parent=_of_parents.clear)
