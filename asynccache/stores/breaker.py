"""A circuit breaker: what has failed several times in a row is left alone for a while, then tried once.

Decides when an engine is worth asking. (M. Nygard, "Release It!", 2007.)
"""

import random
import time
from collections.abc import Callable
from typing import Final

from asynccache.protocols import Clock

_PATIENCE: Final = 3
"""Failures in a row before the engine is left alone."""

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 4.0


class CircuitBreaker:
    """Tells whether an engine is worth asking. Thread-safe as far as it matters: at worst one request more is made.

    Args:
        clock: tells the time in seconds.
        chance: gives a number from 0 to 1: pauses differ by a quarter, so that a fleet does not come back as one.
    """

    def __init__(self, clock: Clock = time.monotonic, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._closed_until = 0.0
        self.is_open = False
        """Whether the engine was given up; once the pause is over, one request may try it."""

    def may_ask(self) -> bool:
        """Tell whether a request may be made; if the pause is over, one may, and others have to wait for a pause more
        or for its success.
        """
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        self._closed_until = now + self._next_pause()
        return True

    def is_worth_asking(self) -> bool:
        """Tell what `may_ask` would, without making use of it."""
        return not self.is_open or self._clock() >= self._closed_until

    def succeed(self) -> None:
        """Note that the engine has answered."""
        self._failures = 0
        if self.is_open:
            self.is_open = False
            self._pause = _FIRST_PAUSE

    def fail(self) -> None:
        """Note that it has not."""
        self._failures += 1
        # While it is open, the pause goes on that began with the last try: what was in the air by then is no news.
        if not self.is_open and self._failures >= _PATIENCE:
            self.is_open = True
            self._closed_until = self._clock() + self._next_pause()

    def _next_pause(self) -> float:
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        return pause * (0.75 + 0.5 * self._chance())
