"""How many bytes an entry takes, roughly: what `max_weight` counts where no `weigher` is given.

Decides what belongs to an entry: whatever can be reached from its key and value, each object once, but not what a whole
program shares (classes, functions, modules) nor what it is running (frames). Nothing here calls the objects' own code
except their `__sizeof__` and `nbytes`.
"""

import enum
import gc
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any, Final, cast

ENTRY_OVERHEAD: Final = 150
"""Bytes that an entry takes besides its key and value: 118 to 177 were measured with S3-FIFO and LRU, according to how
full the table is (CPython 3.11 to 3.13)."""

MOST_LOOKED_AT: Final = 10_000
"""Objects of one entry that are looked at; this takes 6 to 8 ms. What is beyond is estimated."""

_LEVELS_ESTIMATED: Final = 4
"""Containers, from the outermost inwards, whose rest is estimated: errors multiply from level to level."""

_PLAIN: Final = frozenset({str, bytes, int, float, complex, bool, type(None)})
"""Types that refer to nothing else, and whose size is told at once."""

_IN_ROWS: Final = frozenset({list, tuple, set, frozenset, deque})

_SHARED: Final = (
    type, enum.Enum, ModuleType, FunctionType, BuiltinFunctionType, MethodType, CodeType, FrameType, TracebackType,
)  # fmt: skip
"""What an entry may refer to, but does not keep alive by itself."""


def sizeof(key: object, value: object) -> int:
    """Estimate the bytes that an entry takes in memory.

    Args:
        key, value: those of the entry. What they refer to is counted too, be it used elsewhere as well: write a
            `weigher` if values share much. An object with `nbytes`, as arrays have, counts for that many.

    Returns:
        Bytes, `ENTRY_OVERHEAD` included. Once `MOST_LOOKED_AT` objects were looked at, the rest of each container is
        taken to be like the part that was seen.
    """
    if type(value) in _PLAIN and type(key) in _PLAIN:
        return ENTRY_OVERHEAD + sys.getsizeof(key) + sys.getsizeof(value)
    return ENTRY_OVERHEAD + _Count((key, value)).bytes


class _Container:
    """An object on the way down: how many parts it has, those to come, and what was counted before they were."""

    __slots__ = ("before", "parts", "size", "taken")

    def __init__(self, size: int, parts: Iterator[object], before: int) -> None:
        self.size = size
        self.parts = parts
        self.before = before
        self.taken = 0


class _Count:
    """A count of the bytes that can be reached, depth first, without recursion."""

    def __init__(self, roots: tuple[object, ...]) -> None:
        self.bytes = 0
        self._seen: dict[int, object] = {}  # with the object: while it lives, no other has its id
        self._path = [_Container(len(roots), iter(roots), 0)]
        self._look_around()
        self._estimate_rest()

    def _look_around(self) -> None:
        path, seen = self._path, self._seen
        left = MOST_LOOKED_AT
        while path and left:
            container = path[-1]
            try:
                part = next(container.parts)
            except (StopIteration, RuntimeError):  # a RuntimeError: another thread has changed the container meanwhile
                path.pop()
                continue
            left -= 1
            container.taken += 1
            if id(part) not in seen:
                seen[id(part)] = part
                self._look_at(part)

    def _look_at(self, part: object) -> None:
        """Count one object, and go into it if it has parts."""
        kind = type(part)
        if kind in _PLAIN:
            self.bytes += sys.getsizeof(part)
        elif not issubclass(kind, _SHARED):
            array = _array_size(part)
            self.bytes += max(array or 0, _own_size(part))
            size, parts = _parts(part) if array is None else (0, iter(()))
            if size:
                self._path.append(_Container(size, parts, self.bytes))

    def _estimate_rest(self) -> None:
        """Take the parts that were not looked at for like those that were, from the inner containers outwards."""
        for container in reversed(self._path[:_LEVELS_ESTIMATED]):
            if container.taken:
                seen = self.bytes - container.before
                self.bytes += seen * max(0, container.size - container.taken) // container.taken


def _own_size(part: object) -> int:
    """The bytes of an object without its parts."""
    try:
        return sys.getsizeof(part)
    except Exception:  # its own `__sizeof__` is any code
        return object.__sizeof__(part)


def _array_size(part: object) -> int | None:
    """The bytes that an array says it has; None for what is no array."""
    with suppress(Exception):  # `nbytes` is any code
        if hasattr(type(part), "nbytes"):
            return int(cast("Any", part).nbytes)
    return None


def _parts(part: Any) -> tuple[int, Iterator[object]]:
    """The number of an object's parts, and these: its items, attributes, slots, and whatever else it holds.

    The collector knows them without asking the object, and without making a `__dict__` for one that has none yet. It
    tells them all at once, so the containers that may be long are read bit by bit.
    """
    kind = cast("Any", type(part))
    if kind in _IN_ROWS:
        return len(part), iter(part)
    if kind is dict:
        return 2 * len(part), chain.from_iterable(part.items())
    referents = gc.get_referents(part)
    return len(referents), iter(referents)
