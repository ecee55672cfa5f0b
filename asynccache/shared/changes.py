"""What has changed in the store while something was being read from it.

A reply and the news of a change come by different ways, so news can arrive before a reply that is older. What was read
may be kept only if nothing was heard of it since the request was sent: news that comes in between forbids it, whichever
of the two was first on the server. (`failures` of such caches elsewhere: a stale value kept for ever.)
"""

import threading
from collections.abc import Iterable
from typing import Final

_MOST: Final = 10_000
"""Changes remembered while reads are under way; beyond that all those reads count as overtaken."""


class Changes:
    """The changes heard of while reads are under way. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[bytes, int] = {}
        self._now = 0
        self._all_changed_at = 0
        self._reads = 0

    def begin(self) -> int:
        """Note that a read begins; give the moment, to be asked about later. Each has to `end`."""
        with self._lock:
            self._reads += 1
            return self._now

    def end(self) -> None:
        """Note that a read has ended, and nothing will be asked about it any more."""
        with self._lock:
            self._reads -= 1
            if not self._reads:
                self._heard.clear()

    def note(self, keys: Iterable[bytes] | None) -> None:
        """Note that these keys have changed; None: any may have. Before anything is dropped on account of it."""
        with self._lock:
            if not self._reads:
                return
            self._now += 1
            if keys is None or len(self._heard) > _MOST:
                self._all_changed_at = self._now
                self._heard.clear()
            else:
                self._heard.update(dict.fromkeys(keys, self._now))

    def has_changed(self, keys: Iterable[bytes], since: int) -> bool:
        """Tell whether one of these keys has changed since a read began."""
        if self._all_changed_at > since:
            return True
        heard = self._heard
        return bool(heard) and any(heard.get(key, 0) > since for key in keys)
