"""What is due for removal: entries that have expired, entries that a tag has made invalid, and rubbish in the wheel.

Nobody is served any of it, as reads look for themselves; here it is found, to be taken out of memory step by step.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from asynccache.core.entry import NEVER, Entry
from asynccache.core.lasting_entry import is_invalidated
from asynccache.core.wheel import ExpiryWheel

K = TypeVar("K")

_TIDY_FROM: Final = 64
"""Rubbish in the wheel is not worth a look below this number of keys."""

_PURGE_DELAY: Final = 1.0
"""Seconds after which entries that a tag has made invalid are looked for, so that many invalidations share a walk."""
_PURGED_A_SECOND: Final = 50_000
"""The walk looks at every entry: in a large cache it comes so much later that it costs a few percent of the time."""
_AT_A_STEP: Final = 16


class DueEntries(Generic[K]):
    """When what has to be looked at. Not thread-safe.

    Args:
        entries: the table of entries.
        gone_at: tells the moment from which an entry is of no use.
    """

    def __init__(
        self,
        entries: dict[K, Entry[K, Any]],
        gone_at: Callable[[Any], float],
    ) -> None:
        self._entries = entries
        self._gone_at = gone_at
        self._wheel: ExpiryWheel[K] = ExpiryWheel()
        self._tidy_above = _TIDY_FROM
        self._purge_at = math.inf
        self._to_purge: list[Any] = []
        self._rubbish: list[Entry[K, Any]] = []

    def add(self, key: K, until: float, now: float) -> None:
        """Note that the entry of a key is of no use from a moment on."""
        self._wheel.add(key, until, now)

    def purge_soon(self, now: float) -> bool:
        """Note that there may be entries that a tag has made invalid; tell whether that was not known yet."""
        if not self._entries or self._purge_at < math.inf:
            return False
        self._purge_at = now + _PURGE_DELAY + len(self._entries) / _PURGED_A_SECOND
        return True

    def discard(self, entries: list[Entry[K, Any]]) -> None:
        """Take entries that nobody needs any more, to be given back little by little."""
        self._rubbish = entries

    def next_due(self) -> float:
        """Tell when there will be something to do; infinity if never."""
        return (
            -math.inf
            if self._needs_tidying() or self._to_purge or self._rubbish
            else min(self._wheel.next_due(), self._purge_at)
        )

    def _needs_tidying(self) -> bool:
        # What was begun is done to its end, though there is less rubbish with every step.
        return self._wheel.is_tidying or self._wheel.size > self._tidy_above

    def steps(self, now: float, remove: Callable[[K], object]) -> Iterator[None]:
        """Do what is due, a little at each turn; where one stopped half-way, the next goes on.

        Args:
            now: the moment.
            remove: removes the entry of a key.
        """
        for key in self._wheel.due(now):
            entry = self._entries.get(key)
            if entry is not None:
                until = self._gone_at(entry)
                if until <= now:
                    remove(key)
                elif until < NEVER:  # it was moved since it was put here
                    self._wheel.add(key, until, now)
            yield
        yield from self._purge(now, remove)
        while self._rubbish:
            del self._rubbish[-_AT_A_STEP:]
            yield
        if self._needs_tidying():
            yield from self._wheel.tidy(self._entries.__contains__)
            self._tidy_above = max(_TIDY_FROM, 2 * self._wheel.size)

    def _purge(self, now: float, remove: Callable[[K], object]) -> Iterator[None]:
        if self._purge_at <= now:
            self._purge_at = math.inf
            # By way of `dict`: a hit in another thread may just be moving a key of an `OrderedDict`.
            self._to_purge += dict.values(self._entries)  # pyright: ignore[reportUnknownMemberType]
        to_purge = self._to_purge
        while to_purge:
            for _ in range(min(_AT_A_STEP, len(to_purge))):
                entry = to_purge.pop()
                stored: Any = self._entries.get(entry.key)
                if stored is entry and is_invalidated(stored):
                    remove(stored.key)
            yield

    def clear(self) -> None:
        """Forget everything."""
        self._wheel.clear()
        self._tidy_above = _TIDY_FROM
        self._purge_at = math.inf
        self._to_purge.clear()
