"""The estimate of an entry's bytes: near the truth, bounded in time, and never an error."""

import enum
import sys
import tracemalloc
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core import LRUCache, S3FIFOCache
from asynccache.core.sizeof import ENTRY_OVERHEAD, MOST_LOOKED_AT, sizeof

KEY: Final = "key"
OF_KEY: Final = ENTRY_OVERHEAD + sys.getsizeof(KEY)


def size_of(value: object) -> int:
    """What a value adds to an entry."""
    return sizeof(KEY, value) - OF_KEY


class Plain:
    """Attributes in a `__dict__`."""

    def __init__(self, number: int) -> None:
        self.name = f"name of {number}"
        self.numbers = [number, number + 1]


@dataclass(slots=True)
class Slotted:
    """Attributes in slots."""

    name: str
    numbers: list[int]


Pair = namedtuple("Pair", "name numbers")


class Colour(enum.Enum):
    """Members that a program has once."""

    RED = "red" * 1_000


SHAPES: dict[str, Callable[[int], object]] = {
    "record": lambda n: {"id": n, "name": f"name of {n}", "tags": [str(n)]},
    "tuple": lambda n: (n, str(n), (float(n),)),
    "set": lambda n: {str(n), f"also {n}"},
    "frozenset": lambda n: frozenset((str(n), n)),
    "deque": lambda n: deque([str(n)], maxlen=5),
    "object": Plain,
    "slots": lambda n: Slotted(str(n), [n]),
    "namedtuple": lambda n: Pair(str(n), [n]),
    "ordered dict": lambda n: OrderedDict(id=n, name=str(n)),
    "bytes": bytes,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", [300, 20_000])
def test_near_what_is_allocated(shape: str, number: int) -> None:
    """Many values of each shape, looked at wholly or in part, count for what they take, give or take a quarter."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        values = [SHAPES[shape](1_000 + step % 500) for step in range(number)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.75 * taken < size_of(values) < 1.25 * taken


@pytest.mark.parametrize("make", [LRUCache, S3FIFOCache])
def test_the_overhead_is_near_what_is_allocated(make: Callable[[None], Any]) -> None:
    """An entry takes about so much besides its key and value."""
    keys = list(range(20_000))
    tracemalloc.start()
    try:
        cache = make(None)
        for key in keys:
            cache[key] = None
        taken = tracemalloc.get_traced_memory()[0] / len(keys)
    finally:
        tracemalloc.stop()
    assert 0.7 * taken < ENTRY_OVERHEAD < 1.3 * taken


@pytest.mark.parametrize("value", [None, True, 5, 2**100, 1.5, 1j, "text", "écrit", b"bytes", bytearray(50), object()])
def test_what_refers_to_nothing(value: object) -> None:
    """A plain value counts for its own size, key and overhead come on top."""
    assert sizeof(KEY, value) == OF_KEY + sys.getsizeof(value)
    assert sizeof(value, KEY) == OF_KEY + sys.getsizeof(value)


def test_the_key_counts_too() -> None:
    """A key with parts counts with them."""
    long = "x" * 10_000
    assert sizeof((long, 1), None) > 10_000


def test_each_object_counts_once() -> None:
    """What is referred to twice, from key and value or within, takes its room once."""
    page = bytes(10_000)
    assert size_of([page] * 50) < 11_000
    assert sizeof((page,), [page]) < 11_000


def test_rings() -> None:
    """A value that contains itself is counted as any other."""
    ring: list[Any] = [bytes(1_000)]
    ring.append(ring)
    known = {"self": ring}
    ring.append(known)
    assert 1_000 < size_of(ring) < 2_000


def test_what_the_program_shares_does_not_count() -> None:
    """Classes, functions, modules and members of an enumeration are not the entry's."""
    for shared in (Plain, size_of, sys, Colour.RED, "".join, test_rings, Plain(1).__init__):  # type: ignore[misc]
        assert size_of(shared) == 0
        assert size_of([shared]) == sys.getsizeof([shared])


def test_deep_nesting() -> None:
    """However deep a value is nested, the recursion limit is not met, and no estimate gets out of hand."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested, 5]
    assert MOST_LOOKED_AT * 50 < size_of(nested) < 100_000 * 200


def test_few_of_many_are_looked_at() -> None:
    """However many objects a value has, a bounded number of them is looked at."""
    looked_at = 0

    class Counted:
        def __sizeof__(self) -> int:
            nonlocal looked_at
            looked_at += 1
            return 100

    counted = size_of([Counted() for _ in range(3 * MOST_LOOKED_AT)])
    assert 0 < looked_at <= MOST_LOOKED_AT
    assert counted > 3 * MOST_LOOKED_AT * 100
    assert size_of([None] * 1_000_000) == pytest.approx(8_000_000, rel=0.01)


def test_few_big_parts_of_many_small_ones() -> None:
    """A container of a few big ones, of which one was looked at in part, counts for all of them."""
    number = 3 * MOST_LOOKED_AT
    big = {f"row {row}": [float(row + column) for column in range(number)] for row in range(4)}
    assert size_of(big) == pytest.approx(4 * number * (8 + sys.getsizeof(1.0)), rel=0.05)


class View:
    """A small object over many bytes that are not its own, as a view of an array is."""

    def __init__(self, nbytes: object) -> None:
        self._nbytes = nbytes

    @property
    def nbytes(self) -> Any:
        """How many bytes it shows; may be anything."""
        if isinstance(self._nbytes, Exception):
            raise self._nbytes
        return self._nbytes


def test_arrays_count_for_their_bytes() -> None:
    """What tells its `nbytes` counts for that many."""
    assert size_of(View(10**6)) == 10**6
    assert size_of([View(10**6), View(10**6)]) == pytest.approx(2 * 10**6, rel=0.01)
    assert size_of(memoryview(bytes(5_000))) == 5_000


class OddSize:
    """An object whose size is anything."""

    def __init__(self, size: Any) -> None:
        self._size = size

    def __sizeof__(self) -> int:
        if isinstance(self._size, Exception):
            raise self._size
        return self._size  # type: ignore[no-any-return]


class Unfriendly:
    """An object that cannot be asked anything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError

    def __iter__(self) -> Iterator[object]:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


ODD: dict[str, Callable[[], object]] = {
    "no number of bytes": lambda: View(None),
    "bytes in words": lambda: View("many"),
    "less than no bytes": lambda: View(-5),
    "bytes not told": lambda: View(ValueError("no")),
    "size not told": lambda: OddSize(ValueError("no")),
    "size of the wrong type": lambda: OddSize("big"),
    "less than no size": lambda: OddSize(-1),
    "size beyond all bounds": lambda: OddSize(10**30),
    "nothing told": Unfriendly,
    "no length": lambda: type("Odd", (dict,), {"__len__": None})(a=1),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_odd_objects(make: Callable[[], object]) -> None:
    """An object that will not tell its size, or tells nonsense, counts for something, and nothing is raised."""
    odd = make()
    assert 0 < size_of(odd) < 1_000
    assert 0 < size_of([odd, {1: odd}]) < 2_000


def test_a_container_that_changes_while_it_is_counted() -> None:
    """What another thread does to the value meanwhile raises nothing."""
    table: dict[object, object] = {}

    class Meddler:
        def __sizeof__(self) -> int:
            table[len(table)] = None
            return 50

    table.update({"first": Meddler(), "second": 2})
    assert size_of(table) > 50


VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES, VALUES)
def test_more_weighs_more(value: object, other: object) -> None:
    """A value counts for at least its own size, and nothing counts for less by holding something else as well."""
    assert sys.getsizeof(value) <= size_of(value) <= size_of([value]) <= size_of([value, other])


def test_a_bound_in_bytes() -> None:
    """`max_weight` alone bounds the bytes of all entries."""
    cache: LRUCache[int, bytes] = LRUCache(None, max_weight=100_000)
    for number in range(100):
        cache[number] = bytes(10_000)
    assert 8 <= len(cache) <= 9
    assert 80_000 < cache.weight <= 100_000
    assert not cache.put(0, bytes(100_000))
