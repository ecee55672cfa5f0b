"""The queue whose entries can leave from the middle."""

import gc
import pickle
import weakref

from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.entry_queue import NOWHERE, EntryQueue, QueuedEntry

Queue = EntryQueue[int, int]


def filled(size: int) -> tuple[Queue, list[QueuedEntry[int, int]]]:
    """Make a queue of entries with the keys 0, 1, 2 and so on."""
    queue: Queue = EntryQueue(place=1)
    entries = [QueuedEntry(key, key) for key in range(size)]
    for entry in entries:
        queue.append(entry)
    return queue, entries


def held(queue: Queue) -> int:
    """Count what the queue holds in memory, shells included."""
    return len(queue) + queue.shells


def test_first_in_first_out() -> None:
    """Entries leave in the order in which they came, and know whether they are in a queue."""
    queue, entries = filled(3)
    assert [entry.place for entry in entries] == [1, 1, 1]
    assert [queue.popleft() for _ in entries] == entries
    assert [entry.place for entry in entries] == [NOWHERE] * 3
    assert not queue


def test_an_entry_leaves_from_the_middle() -> None:
    """A removed entry is neither counted nor given, and the others keep their order."""
    queue, entries = filled(5)
    queue.remove(entries[2])
    assert len(queue) == 4
    assert [entry.key for entry in queue] == [0, 1, 3, 4]
    assert [queue.popleft().key for _ in range(4)] == [0, 1, 3, 4]


def test_shells_at_the_old_end_go_at_once() -> None:
    """What is removed from the old end leaves no shell."""
    queue, entries = filled(10)
    for entry in entries[1:5]:
        queue.remove(entry)
    assert queue.shells == 4
    queue.remove(entries[0])
    assert queue.shells == 0
    assert [entry.key for entry in queue] == [5, 6, 7, 8, 9]


def test_clear() -> None:
    """A cleared queue is empty, and can be used again."""
    queue, entries = filled(5)
    queue.remove(entries[3])
    queue.clear()
    assert len(queue) == queue.shells == 0
    queue.append(QueuedEntry(7, 7))
    assert queue.popleft().key == 7


def test_shells_never_pile_up() -> None:
    """However entries leave, shells are at most about twice as many as entries."""
    for step in (1, 2, 3, 7, 997):
        queue, entries = filled(1_000)
        for number in range(999):
            queue.remove(entries[(number + 1) * step % 1_000] if step % 2 else entries[999 - number])
            assert held(queue) <= 3 * len(queue) + 8
        assert len(queue) == 1


class Watched(QueuedEntry[int, int]):
    """An entry that counts how often a queue looks at it."""

    __slots__ = ("_place",)
    looks = 0

    @property
    def place(self) -> int:
        """The number of the queue."""
        Watched.looks += 1
        return self._place

    @place.setter
    def place(self, place: int) -> None:
        self._place = place


def test_no_removal_looks_at_more_than_a_few_entries() -> None:
    """A removal from the middle looks at five entries at most, so that it costs the same in a queue of a million."""
    queue: Queue = EntryQueue(place=1)
    entries = [Watched(key, key) for key in range(2_000)]
    for entry in entries:
        queue.append(entry)
    for entry in reversed(entries[1:]):
        Watched.looks = 0
        queue.remove(entry)
        assert Watched.looks <= 5
    assert list(queue) == entries[:1]


@given(
    st.lists(st.tuples(st.sampled_from(["append", "popleft", "remove", "burst"]), st.integers(0, 1_000)), max_size=200)
)
def test_it_behaves_like_a_list(steps: list[tuple[str, int]]) -> None:
    """Any mix of arrivals, departures from the old end and from the middle is that of a plain list."""
    queue, _ = filled(0)
    plain: list[QueuedEntry[int, int]] = []
    for number, (step, where) in enumerate(steps):
        if step == "append" or not plain:
            plain.append(QueuedEntry(number, number))
            queue.append(plain[-1])
        elif step == "burst":
            for _ in range(where % 20):
                plain.append(QueuedEntry(number, number))
                queue.append(plain[-1])
        elif step == "popleft":
            assert queue.popleft() is plain.pop(0)
        else:
            queue.remove(plain.pop(where % len(plain)))
        assert list(queue) == plain
        assert len(queue) == len(plain)
        assert held(queue) <= 3 * len(plain) + 8


def test_pickling_keeps_the_order() -> None:
    """A pickled queue, shells and all, gives the same entries in the same order."""
    queue, entries = filled(10)
    for entry in entries[1:8:2]:
        queue.remove(entry)
        del entry.value
    twin = pickle.loads(pickle.dumps(queue))
    assert [entry.key for entry in twin] == [entry.key for entry in queue] == [0, 2, 4, 6, 8, 9]
    assert twin.shells == 0
    assert len(twin) == 6


def test_freed_without_the_collector() -> None:
    """A dropped queue frees its entries at once: nothing in it refers back."""

    class Marked(QueuedEntry[int, int]):
        __slots__ = ("__weakref__",)

    queue: Queue = EntryQueue(place=1)
    entry = Marked(1, 1)
    queue.append(entry)
    alive = weakref.ref(entry)
    gc.disable()
    try:
        del queue, entry
        assert alive() is None
    finally:
        gc.enable()
