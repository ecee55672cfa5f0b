"""What went wrong with stored responses, counted and, where somebody should know of it, logged."""

import logging
from collections import Counter
from typing import Final

from asynccache.errors import StoreError
from asynccache.serializers.proofs import Reason

_log: Final = logging.getLogger("asynccache")


class StoreCounts:
    """What a store of responses has counted.

    Attributes:
        errors: requests that the store has failed to do.
        unreadable: records and pieces of bodies that were not believed, by reason.
        too_large: responses that were not kept, as they were too large.
        overtaken: responses that were not kept, as something newer was said meanwhile.
        lost: bodies of which a piece was gone.
    """

    __slots__ = ("_is_away", "_name", "errors", "lost", "overtaken", "too_large", "unreadable")

    def __init__(self, name: str) -> None:
        self.errors = self.too_large = self.overtaken = self.lost = 0
        self.unreadable: Counter[Reason] = Counter()
        self._name = name
        self._is_away = False

    def note_error(self, error: StoreError) -> None:
        """Count that the store has failed, and say so if it had not before."""
        self.errors += 1
        if not self._is_away:
            self._is_away = True
            _log.warning("HTTP cache %r does without its store, which failed: %s", self._name, error)

    def note_answer(self) -> None:
        """Say that the store answers again, if it did not."""
        if self._is_away:
            self._is_away = False
            _log.warning("HTTP cache %r: its store answers again", self._name)
