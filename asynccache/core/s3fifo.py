"""S3-FIFO: most keys are used once, so newcomers prove themselves in a small queue before they reach the main one.
After Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.

Decides the shares of the two queues, when an entry moves from one to the other, and what is remembered of keys that
went (the ghost): only their hashes, so that no key is kept alive. The numbers differ from the paper's where
measurements over eleven real traces said so: a small queue of 20%, not 10, and never under 32 places.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import Entry, K, V
from asynccache.core.entry_queue import EntryQueue, QueuedEntry

_SMALL: Final = 1
_MAIN: Final = 2

_MOST_VISITS: Final = 3
"""Where the counter of hits stops; `hit_source` has the same number."""

_SCAN_LIMIT: Final = 8192
"""Entries that may be moved or spared in one go, about 2 ms: a million entries all used must not hold up an event
loop. The next one goes, used or not."""


_STEPS: Final = 8
"""Turns of the ghost that may be let go at once."""


class GhostHashes:
    """The hashes of keys that went lately, in the order in which they went.

    A hash that is forgotten keeps its turn in the line. So that a second, newer turn is told from it, the table counts
    the turns a hash has in the line, and the sign says whether the newest still counts. (An `OrderedDict` would be
    simpler, and take 60 bytes more for each.)
    """

    __slots__ = ("_counting", "_line", "_turns")

    def __init__(self) -> None:
        self._line: deque[int] = deque()
        self._turns: dict[int, int] = {}
        self._counting = 0

    def __len__(self) -> int:
        return self._counting

    def remember(self, key_hash: int, limit: int) -> None:
        """Add a hash as the newest, and let go of the oldest where there are more than `limit`.

        The line may be twice as long: where more turns are void than count, the oldest go though they count. A few
        at a time do, so that no call takes long.
        """
        turns = self._turns.get(key_hash, 0)
        if turns <= 0:
            self._counting += 1
            turns = -turns
        self._turns[key_hash] = turns + 1
        self._line.append(key_hash)
        steps = _STEPS
        while steps and (self._counting > limit or len(self._line) > 2 * limit):
            self._let_go(self._line.popleft())
            steps -= 1

    def forget(self, key_hash: int) -> bool:
        """Take a hash out; tell whether it was there."""
        turns = self._turns.get(key_hash, 0)
        if turns <= 0:
            return False
        self._turns[key_hash] = -turns
        self._counting -= 1
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._line.clear()
        self._turns.clear()
        self._counting = 0

    def _let_go(self, key_hash: int) -> None:
        turns = self._turns.pop(key_hash)
        if turns == 1:
            self._counting -= 1
        elif turns != -1:
            self._turns[key_hash] = turns - 1 if turns > 0 else turns + 1


class S3FIFOCache(BoundedCache[K, V]):
    """Evicts newcomers that nobody asked for again before anything that was; the default from 128 entries up.

    Args:
        maxsize, max_weight, weigher: those of `BoundedCache`.
        small: the share of the cache that newcomers get, above 0 and below 1; by weight where there is a `max_weight`.
        small_places: how many places newcomers get at least, though never more than half of `maxsize`.
        promote_at: how many hits, 1 to 3, let a newcomer stay.
        ghost: how many keys that went are remembered, as a share of `maxsize` (of the entries stored, where
            there is a `max_weight`).

    Raises:
        TypeError, ValueError: an argument that cannot be meant.
    """

    entry_type = QueuedEntry
    hit_source: ClassVar[str] = "if entry.visits < 3: entry.visits += 1"
    copied_parts: ClassVar[tuple[str, ...]] = ("entries", "_small", "_main", "_ghost")

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
        small: float = 0.2,
        small_places: int = 32,
        promote_at: int = 2,
        ghost: float = 0.9,
    ) -> None:
        super().__init__(maxsize, max_weight=max_weight, weigher=weigher)
        _check_share("small", small, zero=False)
        _check_share("ghost", ghost, zero=True)
        _check_whole("small_places", small_places, 0, None)
        _check_whole("promote_at", promote_at, 1, _MOST_VISITS)
        self._promote_at = promote_at
        self._ghost_share = ghost
        self._ghost_size = None if max_weight is not None or maxsize is None else int(maxsize * ghost)
        self._small_limit, self._main_limit = self._limits(small, small_places)
        self._small: EntryQueue[K, V] = EntryQueue(_SMALL)
        self._main: EntryQueue[K, V] = EntryQueue(_MAIN)
        self._small_weight: float = 0
        self._ghost = GhostHashes()
        self._was_full = False
        self._came_back = False

    def touch(self, entry: Entry[K, V]) -> None:
        """Count a use, up to three."""
        if entry.visits < _MOST_VISITS:
            entry.visits += 1

    def admit(self, entry: Entry[K, V]) -> Sequence[Entry[K, V]]:
        """Store a new entry whose key is absent and whose weight fits; return those evicted to make room."""
        # Asked before room is made: what goes for this entry may push its own key out of the ghost.
        self._came_back = self._ghost.forget(hash(entry.key))
        return super().admit(entry)

    def _limits(self, small: float, small_places: int) -> tuple[float, float]:
        if self._max_weight is not None:
            return self._max_weight * small, self._max_weight - self._max_weight * small
        if self._maxsize is None:
            return math.inf, math.inf
        places = min(max(int(self._maxsize * small), small_places), self._maxsize // 2)
        return places, self._maxsize - places

    def _link(self, entry: Entry[K, V]) -> None:
        # Until the cache is full for the first time there is nothing to compete for, and the main queue has room.
        fills_up = not self._was_full and self._small_weight >= self._small_limit
        if self._came_back or fills_up:
            self._main.append(entry)
        else:
            self._small.append(entry)
            self._small_weight += entry.weight

    def _unlink(self, entry: Entry[K, V]) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        if queued.place == _SMALL:
            self._small.remove(queued)
            self._small_weight = self._small_weight - queued.weight if self._small.size else 0
        else:
            self._main.remove(queued)

    def _victim(self) -> Entry[K, V]:
        self._was_full = True
        if self._small.size and self._weight - self._small_weight <= self._main_limit:
            return self._leave_small() or self._leave_main()
        return self._leave_main()

    def _leave_small(self) -> Entry[K, V] | None:
        """Move what has proved itself to the main queue, and take out the first that has not; None if all had."""
        small = self._small
        for _ in range(_SCAN_LIMIT):
            entry = small.popleft()
            # Sums of floats drift, as in the base.
            self._small_weight = self._small_weight - entry.weight if small.size else 0
            if entry.visits < self._promote_at:
                limit = self._ghost_size
                if limit is None:
                    limit = int(len(self.entries) * self._ghost_share)
                self._ghost.remember(hash(entry.key), limit)
                return entry
            entry.visits = 0
            self._main.append(entry)
            if not small.size:
                break
        return None

    def _leave_main(self) -> Entry[K, V]:
        """Give what was used another round at the price of one hit, and take out the first that was not used."""
        entry = self._main.popleft()
        for _ in range(_SCAN_LIMIT):
            if not entry.visits:
                break
            entry.visits -= 1
            self._main.append(entry)
            entry = self._main.popleft()
        return entry

    def _reweigh(self, entry: Entry[K, V], weight: float) -> None:
        queued: QueuedEntry[K, V] = entry  # type: ignore[assignment]  # as entry_type says
        if queued.place == _SMALL:
            self._small_weight += weight - entry.weight
        super()._reweigh(entry, weight)

    def _unlink_all(self) -> None:
        self._small.clear()
        self._main.clear()
        self._ghost.clear()
        self._small_weight = 0
        self._was_full = False


def _check_share(name: str, share: object, *, zero: bool) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise TypeError(f"{name} must be a share of the cache, a number, not {share!r}")
    if not (0 <= share < math.inf if zero else 0 < share < 1):
        bounds = "0 or more" if zero else "above 0 and below 1"
        raise ValueError(f"{name} must be a share of the cache, {bounds}, not {share!r}")


def _check_whole(name: str, number: object, least: int, most: int | None) -> None:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} must be a whole number, not {number!r}")
    if number < least or (most is not None and number > most):
        raise ValueError(
            f"{name} must be {least} or more" + f", {most} at most" * (most is not None) + f", not {number}"
        )
