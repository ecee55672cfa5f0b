"""Generations of tags and scopes, as the store knows them.

A record's version is the generation: random, so that to invalidate is to write a new one, which can be done twice, late
and without reading. A value in the store is valid as long as all records that it depends on have the versions that they
had when its load began; if one of them is missing, it is not. So losing a record costs misses, never a stale value.

While the feed is live, a version once read is known until the feed tells of a change; else it is read with every value.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from asynccache.shared.changes import Changes

RECORD_TTL: Final = 30 * 86_400.0
"""Seconds that a record is kept; what depends on it is a miss after that."""

NEVER: Final = -1.0
"""When a record was last invalidated that never was."""

_MOST: Final = 100_000
"""Versions known at once; all are forgotten when there are more."""


class Generation(NamedTuple):
    """What a record says.

    Attributes:
        version: what tells it from every other.
        invalidated: when it was last invalidated, in seconds since 1970; `NEVER` if it never was.
    """

    version: bytes
    invalidated: float


class Records:
    """The versions of records that are known in this process.

    Args:
        changes: tell what has changed since a read began.

    Attributes:
        is_live: tells whether all changes are heard of.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.is_live: Callable[[], bool] = lambda: False
        self._known: dict[bytes, Generation] = {}

    def known_of(self, keys: Sequence[bytes]) -> dict[bytes, Generation | None]:
        """Give what is known of records, None for what is not or cannot be relied on."""
        if not self._known or not self.is_live():
            return dict.fromkeys(keys)
        return {key: self._known.get(key) for key in keys}

    def learn(self, key: bytes, generation: Generation, since: int) -> None:
        """Note what was read, unless it may have changed since the read began."""
        if self.is_live() and not self._changes.has_changed((key,), since):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = generation

    def forget(self, keys: Iterable[bytes] | None) -> None:
        """Forget what has changed; None: everything."""
        if keys is None:
            self._known.clear()
            return
        for key in keys:
            self._known.pop(key, None)
