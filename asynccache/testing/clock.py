"""A clock that stands still until it is told to go on."""

import heapq
import itertools
from collections.abc import Callable


class ManualClock:
    """Time for tests: give it as `clock=`, and let it pass by `advance`.

    Sweepers and seconds of grace wait by this clock too, so that nothing in a test depends on real time.

    Args:
        start: the time at the beginning, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return self._now

    def advance(self, by: float) -> None:
        """Let `by` seconds pass, and make in their order the calls that fall due.

        Raises:
            ValueError: time would go back.
        """
        if not by >= 0:
            raise ValueError(f"time does not go back: advance by 0 seconds or more, not {by!r}")
        end = self._now + by
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            self._now = max(self._now, timer.due)
            timer.fire()
        self._now = max(self._now, end)  # a call may have let time pass itself

    def call_later(self, delay: float, callback: Callable[[], object]) -> "_Timer":
        """Call `callback` once `delay` seconds have passed by this clock."""
        timer = _Timer(self._now + delay, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer


class _Timer:
    def __init__(self, due: float, number: int, callback: Callable[[], object]) -> None:
        self.due = due
        self._number = number
        self._callback: Callable[[], object] | None = callback

    def __lt__(self, other: "_Timer") -> bool:
        return (self.due, self._number) < (other.due, other._number)

    def cancel(self) -> None:
        """Do not make the call."""
        self._callback = None

    def fire(self) -> None:
        """Make the call, unless it was cancelled."""
        if self._callback is not None:
            self._callback()
