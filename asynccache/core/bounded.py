"""The base of all bounded mappings: what they share, whatever their policy.

Decides the mapping's face (`get`, `put`, `[]`, iteration, `pop`, `popitem`, copies), the bounds and the bookkeeping
of weights. Which entry goes when there is no room is decided by the policy, one file each beside this one: a policy
implements `_link`, `_unlink`, `_victim` and `touch`, and nothing else.

No clock, no lock, no randomness of its own: those belong to the floors above.
"""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, KeysView, MutableMapping, Sequence
from collections.abc import ItemsView as ItemsViewABC
from collections.abc import ValuesView as ValuesViewABC
from typing import Any, ClassVar, Generic, TypeVar, overload

from asynccache.core.entry import Entry
from asynccache.core.sizeof import sizeof
from asynccache.protocols import MISSING, Missing

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")
Self = TypeVar("Self", bound="BoundedCache[Any, Any]")


def check_maxsize(maxsize: object) -> None:
    """Refuse what is not a number of entries.

    Raises:
        TypeError: not a whole number or None.
        ValueError: negative.
    """
    if maxsize is None:
        return
    if isinstance(maxsize, bool) or not isinstance(maxsize, int):
        raise TypeError(f"maxsize must be a whole number of entries, or None for no bound, not {maxsize!r}")
    if maxsize < 0:
        raise ValueError(f"maxsize must be 0 or more, or None for no bound, not {maxsize!r}")


def check_max_weight(max_weight: object, weigher: object) -> None:
    """Refuse a weight bound that is no positive number, and a weigher that is no function or has no bound.

    Raises:
        TypeError: `max_weight` is not a number, `weigher` not callable, or without `max_weight`.
        ValueError: `max_weight` is negative, infinite or NaN.
    """
    if max_weight is None and weigher is None:
        return
    if max_weight is None:
        raise TypeError("weigher needs max_weight: how much all entries together may weigh")
    if weigher is not None and not callable(weigher):
        raise TypeError(f"weigher must be a function of key and value, not {weigher!r}")
    if isinstance(max_weight, bool) or not isinstance(max_weight, int | float):
        raise TypeError(f"max_weight must be a number, not {max_weight!r}")
    if not 0 <= max_weight < math.inf:
        raise ValueError(f"max_weight must be a finite number of 0 or more, not {max_weight!r}")


class BoundedCache(MutableMapping[K, V], Generic[K, V]):
    """A mapping that never holds more than it was told to.

    It works alone, without an event loop, and is not thread-safe: whoever shares it between threads locks.

    Reading (`get`, `[]`) tells the policy that the entry was used; `peek`, `in`, iteration, `items()`, `values()`
    and comparison do not.

    Args:
        maxsize: how many entries there may be; None for no bound, 0 to store nothing.
        max_weight: how much all entries together may weigh.
        weigher: a function of key and value that tells the entry's weight, a number of 0 or more; `sizeof`, which
            estimates bytes, if there is a `max_weight` only.

    Raises:
        TypeError, ValueError: an argument that cannot be meant, with what to write instead.
    """

    entry_type: ClassVar[type[Entry[Any, Any]]] = Entry
    """What the policy keeps for a key."""

    hit_source: ClassVar[str] = "touch(entry)"
    """What a hit has to do, as one Python statement over the names `entry`, `key`, `touch` and those of `hit_names()`;
    "" if nothing. It is `touch` written out, for those who compile it into a function's own body."""

    copied_parts: ClassVar[tuple[str, ...]] = ("entries",)
    """The attributes that hold entries, or what was learnt of them: a copy has its own, and shares all others."""

    def __init__(
        self,
        maxsize: int | None,
        *,
        max_weight: float | None = None,
        weigher: Callable[[K, V], float] | None = None,
    ) -> None:
        check_maxsize(maxsize)
        check_max_weight(max_weight, weigher)
        self.entries: dict[K, Entry[K, V]] = self._new_table()
        self._maxsize = maxsize
        self._size_limit = math.inf if maxsize is None else maxsize
        self._max_weight = max_weight
        self._weight_limit = math.inf if max_weight is None else max_weight
        self._weigher = sizeof if weigher is None and max_weight is not None else weigher
        self._weight: float = 0

    # --- what a policy implements -------------------------------------------------------------------------------

    def _new_table(self) -> dict[K, Entry[K, V]]:
        """Make the table of entries. It is made once and never replaced: others hold on to it."""
        return {}

    @abstractmethod
    def _link(self, entry: Entry[K, V]) -> None:
        """Take in a new entry, for which there is room."""

    @abstractmethod
    def _unlink(self, entry: Entry[K, V]) -> None:
        """Let an entry go that somebody else removes."""

    @abstractmethod
    def _victim(self) -> Entry[K, V]:
        """Choose the entry that goes next, and let it go. There is at least one."""

    @abstractmethod
    def _unlink_all(self) -> None:
        """Let all entries go, and forget what was learnt of them."""

    def touch(self, entry: Entry[K, V]) -> None:
        """Note that a read found this entry."""

    def hit_names(self) -> dict[str, object]:
        """Tell what the further names in `hit_source` stand for."""
        return {}

    # --- entries: for caches that build on this one ---------------------------------------------------------------

    def weigh(self, key: K, value: V) -> float:
        """Tell what an entry would weigh: 1 without a weigher.

        Raises:
            ValueError: the weigher gave a negative weight or NaN.
            Exception: whatever the weigher raises.
        """
        if self._weigher is None:
            return 1
        weight = self._weigher(key, value)
        if not weight >= 0:
            raise ValueError(f"weigher must give a number of 0 or more, not {weight!r}")
        return weight

    def fits(self, weight: float) -> bool:
        """Tell whether an entry of this weight can be stored at all, be it by evicting all others."""
        return self._size_limit >= 1 and weight <= self._weight_limit

    def admit(self, entry: Entry[K, V]) -> Sequence[Entry[K, V]]:
        """Store a new entry whose key is absent and whose weight fits; return those evicted to make room."""
        evicted: Sequence[Entry[K, V]] = ()
        if len(self.entries) >= self._size_limit or self._weight + entry.weight > self._weight_limit:
            evicted = self._make_room(entry.weight)
        self._link(entry)  # first: if a policy's own function fails in there, nothing has come in
        self.entries[entry.key] = entry
        self._weight += entry.weight
        return evicted

    def remove(self, entry: Entry[K, V]) -> V:
        """Remove an entry that is stored, and give its value; the entry has none any more."""
        self._take_out(entry)
        self._unlink(entry)
        value = entry.value
        del entry.value
        return value

    def evict(self) -> Entry[K, V]:
        """Remove the entry that the policy gives up next, and return it. There is at least one."""
        entry = self._victim()
        self._take_out(entry)
        return entry

    def replace(self, entry: Entry[K, V], value: V, weight: float) -> Sequence[Entry[K, V]]:
        """Give a stored entry a new value whose weight fits; return those evicted to make room for it.

        It counts as a use. Where the new weight needs room, the entry is taken out first, so that it can never be
        the one that is evicted for itself.
        """
        if self._weight - entry.weight + weight <= self._weight_limit:
            self._reweigh(entry, weight)
            entry.value = value
            self.touch(entry)
            return ()
        successor = type(entry)(entry.key, value, weight)
        successor.visits = entry.visits
        successor.deadline = entry.deadline
        self.remove(entry)
        return self.admit(successor)

    def _reweigh(self, entry: Entry[K, V], weight: float) -> None:
        """Give a stored entry a weight for which there is room; a policy that sums up parts does so here too."""
        self._weight += weight - entry.weight
        entry.weight = weight

    def _take_out(self, entry: Entry[K, V]) -> None:
        del self.entries[entry.key]
        # Sums of floats drift: an empty cache weighs nothing, whatever was added and taken away.
        self._weight = self._weight - entry.weight if self.entries else 0

    def _make_room(self, weight: float) -> Sequence[Entry[K, V]]:
        entries = self.entries
        evicted: list[Entry[K, V]] = []
        while entries and (len(entries) >= self._size_limit or self._weight + weight > self._weight_limit):
            entry = self._victim()
            del entries[entry.key]  # as `_take_out` does, once for each entry that ever comes in
            self._weight = self._weight - entry.weight if entries else 0
            evicted.append(entry)
        return evicted

    # --- the mapping ----------------------------------------------------------------------------------------------

    @property
    def maxsize(self) -> int | None:
        """How many entries there may be; None for no bound."""
        return self._maxsize

    @property
    def max_weight(self) -> float | None:
        """How much all entries together may weigh; None for no bound."""
        return self._max_weight

    @property
    def weight(self) -> float:
        """What all entries weigh together: their number, without a weigher."""
        return self._weight

    def __getitem__(self, key: K) -> V:
        entry = self.entries.get(key)
        if entry is None:
            return self.__missing__(key)
        self.touch(entry)
        return entry.value

    def __missing__(self, key: K) -> V:
        """Give the value of `cache[key]` where nothing is stored: a subclass may load it here, as with `dict`."""
        raise KeyError(key)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, /, default: Any = None) -> Any:
        """Give the value of `key`, or `default`; counts as a use."""
        entry = self.entries.get(key)
        if entry is None:
            return default
        self.touch(entry)
        return entry.value

    @overload
    def peek(self, key: K) -> V | None: ...
    @overload
    def peek(self, key: K, default: V | D) -> V | D: ...
    def peek(self, key: K, default: Any = None) -> Any:
        """Give the value of `key`, or `default`; does not count as a use."""
        entry = self.entries.get(key)
        return default if entry is None else entry.value

    def put(self, key: K, value: V) -> bool:
        """Store a value, and evict as many others as it takes; tell whether it was stored.

        A value that is heavier than the whole cache is not stored; nor is what it should have replaced kept, for
        that is out of date.

        Raises:
            ValueError: the weigher gave a negative weight or NaN; nothing has changed.
            Exception: whatever the weigher raises; nothing has changed.
        """
        weight = self.weigh(key, value)
        entry = self.entries.get(key)
        if not self.fits(weight):
            if entry is not None:
                self.remove(entry)
            return False
        if entry is None:
            self.admit(self.entry_type(key, value, weight))
        else:
            self.replace(entry, value, weight)
        return True

    def __setitem__(self, key: K, value: V) -> None:
        """Store a value as `put` does, but refuse one that does not fit.

        Raises:
            ValueError: the value is heavier than the whole cache, or `maxsize` is 0; nothing has changed.
        """
        if not self.fits(self.weigh(key, value)):
            raise ValueError("value too large: it is heavier than the whole cache may be")
        self.put(key, value)

    def __delitem__(self, key: K) -> None:
        self.remove(self.entries[key])

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, /, default: V | D) -> V | D: ...
    def pop(self, key: K, /, default: Any = MISSING) -> Any:
        """Remove `key` and give its value; without a `default`, a key that is not there raises `KeyError`."""
        entry = self.entries.get(key)
        if entry is not None:
            return self.remove(entry)
        if default is MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Remove the entry that would be evicted next, and give its key and value.

        Raises:
            KeyError: the cache is empty.
        """
        if not self.entries:
            raise KeyError(f"{type(self).__name__} is empty") from None  # nor from what the caller is handling
        entry = self.evict()
        return entry.key, entry.value

    def setdefault(self, key: K, default: Any = None) -> Any:
        """Give the value of `key`; where there is none, store `default` and give that."""
        value: V | Missing = self.get(key, MISSING)
        if value is not MISSING:
            return value
        self[key] = default
        return default

    def clear(self) -> None:
        """Remove all entries, and forget what was learnt of their use."""
        self._unlink_all()
        self.entries.clear()
        self._weight = 0

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[K]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def keys(self) -> KeysView[K]:
        """A view of the keys, in no promised order."""
        return self.entries.keys()

    def items(self) -> "ItemsViewABC[K, V]":
        """A view of keys and values; reading it does not count as a use."""
        return _PeekingItems(self)

    def values(self) -> "ValuesViewABC[V]":
        """A view of the values; reading it does not count as a use."""
        return _PeekingValues(self)

    def __copy__(self: Self) -> Self:
        """Copy the cache with its order and counts; keys, values and all other attributes are shared."""
        shared = [*self.entries.keys(), *(entry.value for entry in self.entries.values())]
        parts = {name: self.__dict__[name] for name in self.copied_parts}
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.__dict__.update(copy.deepcopy(parts, {id(item): item for item in shared}))
        return twin

    def __repr__(self) -> str:
        bound = f"maxsize={self._maxsize}"
        if self._max_weight is not None:
            bound += f", max_weight={self._max_weight}, weight={self._weight}"
        return f"{type(self).__name__}({bound}, size={len(self.entries)})"


class _PeekingItems(ItemsViewABC[K, V]):
    _mapping: BoundedCache[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        for key, entry in self._mapping.entries.items():
            yield key, entry.value

    def __contains__(self, item: object) -> bool:
        pair: Any = item
        if not isinstance(item, tuple) or len(pair) != 2:
            return False
        found: object = self._mapping.peek(pair[0], MISSING)
        value: object = pair[1]
        return found is not MISSING and (found is value or found == value)


class _PeekingValues(ValuesViewABC[V]):
    _mapping: BoundedCache[Any, V]

    def __iter__(self) -> Iterator[V]:
        for entry in self._mapping.entries.values():
            yield entry.value

    def __contains__(self, value: object) -> bool:
        return any(found is value or found == value for found in self)
