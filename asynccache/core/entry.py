"""What a bounded mapping keeps for one key."""

import math
from typing import Final, Generic, TypeVar, cast

K = TypeVar("K")
V = TypeVar("V")

NEVER: Final = math.inf
"""The deadline of an entry that does not expire."""


class Entry(Generic[K, V]):
    """A key, its value, and the few numbers that policy and expiry need.

    An entry that was removed from the middle of a cache has no `value` any more (the attribute is unset): a queue
    may still hold the empty shell, and a reader in another thread that found the entry just before notices by the
    `AttributeError`, at no cost to those who hit.
    """

    __slots__ = ("deadline", "key", "value", "visits", "weight")

    key: K
    value: V
    visits: int
    """Hits since the policy last looked, as far as the policy counts them."""
    weight: float
    """What the entry takes of `max_weight`; 1 without a weigher."""
    deadline: float
    """The moment, on the owner's clock, from which the value must not be served. No policy reads it."""

    def __init__(self, key: K, value: V, weight: float = 1) -> None:
        self.key = key
        self.value = value
        self.visits = 0
        self.weight = weight
        self.deadline = NEVER


class SlidingEntry(Entry[K, V]):
    """What a checker knows of the entries that `sliding` makes: their deadline moves with each hit."""

    __slots__ = ("limit",)

    limit: float
    """The moment that the deadline cannot move beyond."""


def sliding(entry_type: type[Entry[K, V]]) -> type[SlidingEntry[K, V]]:
    """Make a policy's kind of entry one that has a `limit`: who needs none pays no memory for it."""
    made = type("Sliding" + entry_type.__name__, (entry_type,), {"__slots__": SlidingEntry.__slots__})
    return cast("type[SlidingEntry[K, V]]", made)
