"""How long to wait before one asks for a lock again, if no message comes.

While every change is told, a message says when to ask; in between one asks seldom, should a message be lost, and once
when the holder's lease is over: an engine may take its time to remove, and tell of, what has expired. While nothing is
told, one asks after pauses that grow. All pauses are drawn by lot, so that processes do not ask all at once.
"""

import math
import random
from collections.abc import Callable
from typing import Final

from asynccache.locks.lease import holder_ttl
from asynccache.protocols import Clock, SupportsTimers

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.25
"""Seconds between two questions while changes are not told."""

LONGEST_SILENCE: Final = 2.0
"""Seconds between two questions while they are."""


class Patience:
    """What one who waits knows about the holder.

    Args:
        clock: tells the time.
        chance: draws a number from 0 to 1.
    """

    def __init__(self, clock: Clock | SupportsTimers, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._step = FIRST_PAUSE
        self._seen: bytes | None = None
        self._end = math.inf

    def unfed(self) -> float:
        """Give the seconds until the next question while changes are not told."""
        step, self._step = self._step, min(self._step * 2, LONGEST_PAUSE)
        return self._drawn(step)

    def silence(self) -> float:
        """Give the seconds until the next question while changes are told, and nothing is known of the holder."""
        return self._drawn(LONGEST_SILENCE)

    def fed(self, value: bytes, *, is_news: bool) -> float:
        """Give the seconds until the next question while changes are told.

        Args:
            value: what the holder has written.
            is_news: whether there was a message since the last time: the holder may have renewed its lease.
        """
        now = self._clock()
        if is_news or value != self._seen:
            self._seen, self._end, self._step = value, now + holder_ttl(value), FIRST_PAUSE
        if now >= self._end:  # an engine that counts whole seconds keeps it for longer
            return self.unfed()
        return min(self._end - now, self.silence())

    def _drawn(self, most: float) -> float:
        return most * (0.5 + 0.5 * self._chance())
