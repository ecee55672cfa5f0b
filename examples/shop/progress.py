"""A progress line that suits where it is written: one that updates itself on a terminal, a few plain ones elsewhere.

It goes to standard error, so that standard output holds nothing but the report.
"""

import sys
import time

_TERMINAL_INTERVAL = 0.1
"""Seconds between two updates: enough to see it move."""


class Progress:
    """Tells how much of `total` is done."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._started = time.perf_counter()
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._quarters = 0

    def show(self, done: int) -> None:
        """Show it if it is time for that: a tenth of a second has passed, or, outside a terminal, a further quarter."""
        if self._terminal:
            now = time.perf_counter()
            if now - self._shown_at >= _TERMINAL_INTERVAL:
                self._shown_at = now
                print(f"\r{self._label}: {done / self._total:4.0%}", end="", file=sys.stderr, flush=True)
        elif (quarters := done * 4 // self._total) > self._quarters and done < self._total:
            self._quarters = quarters
            print(f"{self._label}: {done / self._total:.0%}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Show that all is done, and how long it took."""
        start = "\r" if self._terminal else ""
        seconds = time.perf_counter() - self._started
        print(f"{start}{self._label}: done in {seconds:.1f} s", file=sys.stderr, flush=True)
