"""Work that has to reach its end whoever is cancelled meanwhile: what a lock leaves in a store is deleted again.

Decides who owns such work: the `Errands` it was started with keep it from being collected, and are drained when their
cache is closed. Nobody awaits its task itself, so nobody's cancellation reaches it.
"""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from asynccache.errors import StoreUnavailable
from asynccache.locks.pauses import settle, within
from asynccache.loops import PerLoop
from asynccache.protocols import Clock, SupportsTimers

T = TypeVar("T")


class _Desk:
    """What is under way on one loop."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self.pauses: set[asyncio.Future[bool]] = set()
        self.is_hurried = False


class Errands:
    """Tasks that outlive those who started them, on each loop its own."""

    def __init__(self) -> None:
        self._desks: PerLoop[_Desk] = PerLoop(_Desk)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin with some work, which keeps no caller's context alive."""
        loop = asyncio.get_running_loop()
        tasks = self._desks.enter(loop).tasks
        task = loop.create_task(work, context=contextvars.Context())
        if not task.done():  # an eager one may be
            tasks.add(task)
            task.add_done_callback(tasks.discard, context=contextvars.Context())
        return task

    async def pause(self, seconds: float, clock: Clock | SupportsTimers) -> bool:
        """Let so many seconds pass between two tries; give False if there is no time for another."""
        loop = asyncio.get_running_loop()
        desk = self._desks.enter(loop)
        if desk.is_hurried:
            return False
        future: asyncio.Future[bool] = loop.create_future()
        desk.pauses.add(future)
        try:
            await within(seconds, clock, future)
        finally:
            desk.pauses.discard(future)
        return not desk.is_hurried

    async def drain(self) -> None:
        """Wait until nothing is under way on this loop. What pauses before another try gives up."""
        desk = self._desks.enter(asyncio.get_running_loop())
        desk.is_hurried = True
        try:
            for future in desk.pauses:
                settle(future, False)
            while desk.tasks:
                await asyncio.wait(set(desk.tasks))
        finally:
            desk.is_hurried = False


async def outcome(task: asyncio.Task[T]) -> T:
    """Wait for what a task comes to. Neither's cancellation reaches the other.

    Raises:
        StoreUnavailable: the task was cancelled, as happens to all when their loop is closed.
    """
    if not task.done():
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell(_: object) -> None:
            settle(ended, True)

        task.add_done_callback(tell, context=contextvars.Context())
        try:
            await ended
        finally:
            task.remove_done_callback(tell)
    if task.cancelled():
        raise StoreUnavailable("the request was given up, as its event loop is being closed")
    return task.result()
