"""What makes responses invalid and could not be sent to the store yet.

Decides that it is never lost while the process lives: until it is sent, nothing that the store has is believed here.
"""

import itertools
import threading
from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 1_000
"""Above so many keys and tags, everything is made invalid instead."""


@dataclass(slots=True)
class Debt:
    """What has to be sent.

    Attributes:
        keys: cache keys that are invalid.
        marks: the keys of marks in the store, each with the moment of its purge.
    """

    keys: set[str] = field(default_factory=set[str])
    marks: dict[bytes, float] = field(default_factory=dict[bytes, float])


class Owed:
    """Remembers what has to be sent. Used from several threads at once.

    Args:
        everything: the key of the mark of all there is.

    Attributes:
        is_any: whether there is anything.
    """

    def __init__(self, everything: bytes) -> None:
        self.is_any = False
        self._everything = everything
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._keys: dict[str, int] = {}
        self._marks: dict[bytes, tuple[int, float]] = {}

    def add(self, debt: Debt, now: float) -> None:
        """Remember what could not be sent."""
        with self._lock:
            number = next(self._numbers)
            self._keys |= dict.fromkeys(debt.keys, number)
            for key, time in debt.marks.items():
                self._marks[key] = (number, max(time, self._marks.get(key, (0, time))[1]))
            if len(self._keys) + len(self._marks) > _MOST:
                self._keys, self._marks = {}, {self._everything: (number, now)}
            self.is_any = bool(self._keys or self._marks)

    def all(self) -> tuple[Debt, int]:
        """Give what has to be sent, and a number for `settled`."""
        with self._lock:
            times = {key: time for key, (_, time) in self._marks.items()}
            return Debt(set(self._keys), times), next(self._numbers)

    def settled(self, number: int) -> None:
        """Forget what was given by `all` with this number, but for what was added since."""
        with self._lock:
            self._keys = {key: added for key, added in self._keys.items() if added > number}
            self._marks = {key: added for key, added in self._marks.items() if added[0] > number}
            self.is_any = bool(self._keys or self._marks)
