"""What is asked of the thread that works on a file, and how the answer gets back to the loop that waits for it."""

import asyncio
import contextvars
import time
from typing import Any, NamedTuple, TypeAlias

from asynccache.stores.batching import Op


class Read(NamedTuple):
    """What is kept under these keys?"""

    keys: list[bytes]


class Write(NamedTuple):
    """Make these changes."""

    ops: list[Op]


class Page(NamedTuple):
    """Which keys are there from `start` up to `end`?"""

    start: bytes
    end: bytes | None


class Stop(NamedTuple):
    """Let go of the file, and end."""


Asked: TypeAlias = Read | Write | Page | Stop


class Job:
    """Something that is asked. To be made on the loop that waits for it.

    Args:
        asked: what is asked.
        patience: seconds after which it is given up if it could not be begun.
    """

    __slots__ = ("_loop", "asked", "deadline", "outcome")

    def __init__(self, asked: Asked, patience: float) -> None:
        self.asked = asked
        self.deadline = time.monotonic() + patience
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Any] = self._loop.create_future()

    def answer(self, outcome: object) -> None:
        """Tell the outcome, from any thread. An error is told as a result: of one that nobody waits for any more,
        asyncio would complain.
        """
        try:
            self._loop.call_soon_threadsafe(_settle, self.outcome, outcome, context=contextvars.Context())
        except RuntimeError:  # the loop is closed: nobody waits
            return


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    if not future.done():
        future.set_result(outcome)
