"""What was read last, beside the bytes that it was read from.

Decides when bytes need not be read again: while the store gives the same for a record and all marks that it depends on.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from asynccache.core.s3fifo import S3FIFOCache
from asynccache.http.kept.records import UNKNOWN
from asynccache.http.kept.stored import StoredResponse

_MOST_KEYS: Final = 4_096
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of records as they lie in the store, and what is made of their heads. A store in memory holds the former anyway."""

_OF_HEADS: Final = 10
"""How many times its size a head takes, once it is read: one of fifteen fields and 690 bytes took 6.7 KiB."""

_MOST_VISITS: Final = 3


class Variants:
    """All responses that are kept under one cache key, as they were found. Given to many callers: not to be changed.

    Attributes:
        stamp: how the record begins, which is new at every write; None if nothing lies there.
        generation: changes when the key is invalidated, and only then; `UNKNOWN` where nothing is remembered.
        responses: the newest first.
        marks: the versions of the marks that were read along.
        judged: what others have worked out of it.
    """

    __slots__ = ("generation", "judged", "marks", "responses", "stamp")

    def __init__(
        self,
        stamp: bytes | None = None,
        generation: bytes = UNKNOWN,
        responses: tuple[StoredResponse, ...] = (),
        marks: Mapping[bytes, bytes | None] | None = None,
    ) -> None:
        self.stamp = stamp
        self.generation = generation
        self.responses = responses
        self.marks: Mapping[bytes, bytes | None] = {} if marks is None else marks
        self.judged: Any = None

    def __repr__(self) -> str:
        return f"<Variants, {len(self.responses)} responses>"


class Known(NamedTuple):
    """What was read of a key.

    Attributes:
        keys: of the record and of all marks that it depends on, in the store.
        reply: what the store gave for them.
        found: what that says.
        weight: about how many bytes all this takes.
    """

    keys: tuple[bytes, ...]
    reply: dict[bytes, bytes]
    found: Variants
    weight: int


def weight_of(reply: Mapping[bytes, bytes], head_size: int) -> int:
    """Guess how many bytes it takes to remember a reply, and what was read of it."""
    return sum(map(len, reply.values())) + _OF_HEADS * head_size


class Memo:
    """Remembers what was read of the keys that are asked for most. Used from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: S3FIFOCache[str, Known] = S3FIFOCache(_MOST_KEYS, max_weight=_MOST_BYTES, weigher=_weight)
        self._entries = self._kept.entries  # read without the lock: one look-up is one step

    def get(self, key: str) -> Known | None:
        """Give what is known of a key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.visits < _MOST_VISITS:
            entry.visits += 1
        try:
            return entry.value
        except AttributeError:  # another thread has just let it go
            return None

    def put(self, key: str, known: Known) -> None:
        """Remember what was read."""
        with self._lock:
            self._kept.put(key, known)

    def forget(self, key: str) -> Known | None:
        """Let go of a key, and give what was known of it."""
        with self._lock:
            return self._kept.pop(key, None)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()


def _weight(_key: str, known: Known) -> float:
    return known.weight
