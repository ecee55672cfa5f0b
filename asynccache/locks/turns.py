"""Taking turns: of those on one loop who want the same lock, one at a time asks the store.

A hundred tasks that wait for a lock would else all ask whenever it is given back, and ninety-nine in vain. Whoever has
the turn passes it on as soon as the lock is theirs, or they have left; not when they give the lock back, as a holder
may be stopped for longer than its lease lasts.
"""

import asyncio
from collections import deque

from asynccache.locks.pauses import within
from asynccache.loops import PerLoop
from asynccache.protocols import Clock, SupportsTimers


class Turns:
    """Who is next, key by key, on each loop."""

    def __init__(self) -> None:
        self._lines: PerLoop[dict[bytes, deque[asyncio.Future[bool]]]] = PerLoop(dict)

    async def take(self, key: bytes, seconds: float | None, clock: Clock | SupportsTimers) -> bool:
        """Wait for one's turn; give False if there was none in so many seconds. Whoever has it must `pass_on`.

        A caller that is cancelled has no turn.
        """
        loop = asyncio.get_running_loop()
        lines = self._lines.enter(loop)
        if key not in lines:
            lines[key] = deque()
            return True
        line = lines[key]
        mine: asyncio.Future[bool] = loop.create_future()
        line.append(mine)
        try:
            return await within(seconds, clock, mine)
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.result():  # it came at the same moment
                self.pass_on(key)
            raise
        finally:
            if mine in line:
                line.remove(mine)

    def pass_on(self, key: bytes) -> None:
        """Let the next one have the turn."""
        lines = self._lines.enter(asyncio.get_running_loop())
        line = lines[key]
        while line:
            following = line.popleft()
            if not following.done():
                following.set_result(True)
                return
        del lines[key]
