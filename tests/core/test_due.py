"""What is due for removal: by time, by tag, or as rubbish; a little at each turn, and each once."""

import itertools
import math
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.due import DueEntries
from asynccache.core.entry import NEVER, Entry
from asynccache.core.freshness import Freshness
from asynccache.core.generations import Generations
from asynccache.core.lasting_entry import LastingEntry, date, gone_at, lasting, slide

ENTRY: Final = lasting(Entry)
SOON: Final = 1.0
"""Seconds after an invalidation at which the entries are walked through, if there are few of them."""


class Table:
    """Entries, and what is due of them."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry[int, Any]] = {}
        self.generations = Generations()
        self.due = DueEntries(self.entries, gone_at)
        self.removed: list[int] = []

    def add(self, key: int, now: float, ttl: float, *, stale: float = 0.0, tags: tuple[str, ...] = ()) -> None:
        """Store an entry."""
        entry = ENTRY(key, "value")
        date(entry, now=now, fresh_until=now + ttl, freshness=Freshness(stale=stale), idle=None, load_time=0.0)
        entry.tags, entry.seen = self.generations.tags(tags), self.generations.now
        self.entries[key] = entry
        if gone_at(entry) < NEVER:
            self.due.add(key, gone_at(entry), now)

    def entry(self, key: int) -> LastingEntry[int, Any]:
        """Give an entry as what it is."""
        entry: Any = self.entries[key]
        return entry  # type: ignore[no-any-return]

    def invalidate(self, tag: str, now: float) -> None:
        """Invalidate a tag."""
        self.generations.invalidate(self.generations.tag(tag))
        self.due.purge_soon(now)

    def remove(self, key: int) -> None:
        """Remove an entry that is due."""
        del self.entries[key]
        self.removed.append(key)

    def sweep(self, now: float) -> int:
        """Do all that is due, and tell in how many steps."""
        return sum(1 for _ in self.due.steps(now, self.remove))


# --- by time ----------------------------------------------------------------------------------------------------------


def test_entries_are_removed_when_they_are_of_no_use() -> None:
    """Not when the ttl is over but when all that was promised is; and nothing is due before, or after."""
    table = Table()
    table.add(1, 0.0, 10.0)
    table.add(2, 0.0, 10.0, stale=10.0)
    table.add(3, 0.0, NEVER)
    table.sweep(9.999)
    assert table.removed == []
    assert 10.0 <= table.due.next_due() <= 11.25 + 1 / 128
    table.sweep(table.due.next_due())
    assert table.removed == [1]
    assert 20.0 <= table.due.next_due() <= 22.5 + 1 / 128
    table.sweep(table.due.next_due())
    assert table.removed == [1, 2]
    assert table.due.next_due() == math.inf
    assert list(table.entries) == [3]


def test_an_entry_that_has_moved_is_put_back() -> None:
    """An entry that was read meanwhile comes up once, stays, and comes up again when its new time is over."""
    table = Table()
    table.add(1, 0.0, 10.0)
    date(table.entry(1), now=0.0, fresh_until=100.0, freshness=Freshness(), idle=10.0, load_time=0.0)
    slide(table.entry(1), 9.0, 10.0)
    table.sweep(12.0)
    assert table.removed == []
    assert 19.0 <= table.due.next_due() <= 20.0
    table.sweep(table.due.next_due())
    assert table.removed == [1]


def test_an_entry_that_now_stays_for_ever_is_not_put_back() -> None:
    """What has no end any more is not looked at again."""
    table = Table()
    table.add(1, 0.0, 10.0)
    date(table.entry(1), now=5.0, fresh_until=NEVER, freshness=Freshness(), idle=None, load_time=0.0)
    table.sweep(12.0)
    assert (table.removed, table.due.next_due()) == ([], math.inf)


def test_a_key_that_has_gone_is_passed_over() -> None:
    """A key whose entry has left by another way is no error, and its successor is judged by its own time."""
    table = Table()
    table.add(1, 0.0, 10.0)
    table.add(2, 0.0, 10.0)
    del table.entries[1]
    table.add(2, 5.0, 100.0)
    table.sweep(20.0)
    assert table.removed == []
    assert list(table.entries) == [2]


def test_a_sweep_left_half_way_goes_on() -> None:
    """Each step looks at one key; whoever stops leaves the rest as due at once, and loses none."""
    table = Table()
    for key in range(10):
        table.add(key, 0.0, 10.0)
    for done in range(1, 10):
        next(table.due.steps(20.0, table.remove))
        assert len(table.removed) == done
        assert table.due.next_due() == -math.inf
    table.sweep(20.0)
    assert sorted(table.removed) == list(range(10))
    assert table.due.next_due() == math.inf


# --- by tag -----------------------------------------------------------------------------------------------------------


def test_what_a_tag_has_made_invalid_is_removed_a_little_later() -> None:
    """A second after an invalidation, and not before, those that carry the tag go, and no others do."""
    table = Table()
    for key in range(100):
        table.add(key, 0.0, NEVER, tags=("odd",) if key % 2 else ("even",))
    table.invalidate("odd", 50.0)
    due = table.due.next_due()
    assert due == pytest.approx(50.0 + SOON + 100 / 50_000)
    table.sweep(math.nextafter(due, 0))
    assert table.removed == []
    table.sweep(due)
    assert sorted(table.removed) == list(range(1, 100, 2))
    assert table.due.next_due() == math.inf


def test_an_entry_stored_after_the_invalidation_stays() -> None:
    """Who carries the tag since then is valid, also under the same key."""
    table = Table()
    table.add(1, 0.0, NEVER, tags=("a",))
    table.add(2, 0.0, NEVER, tags=("a",))
    table.invalidate("a", 0.0)
    table.add(1, 0.5, NEVER, tags=("a",))
    table.sweep(5.0)
    assert table.removed == [2]


def test_many_invalidations_share_a_walk() -> None:
    """Further invalidations neither put off the walk that is planned nor cause another."""
    table = Table()
    for key in range(3):
        table.add(key, 0.0, NEVER, tags=(str(key),))
    for key in range(3):
        table.invalidate(str(key), key / 10)
    due = table.due.next_due()
    assert due == pytest.approx(SOON + 3 / 50_000)
    table.sweep(due)
    assert sorted(table.removed) == [0, 1, 2]
    assert table.due.next_due() == math.inf


def test_an_invalidation_during_a_walk_causes_another() -> None:
    """What is made invalid after the walk has passed it is found by the next."""
    table = Table()
    for key in range(64):
        table.add(key, 0.0, NEVER, tags=("a",) if key < 32 else ("b",))
    table.invalidate("a", 0.0)
    walk = table.due.steps(5.0, table.remove)
    next(walk)
    next(walk)
    table.invalidate("b", 5.0)
    for _ in walk:
        pass
    assert sorted(table.removed) == list(range(32))
    assert table.due.next_due() == pytest.approx(5.0 + SOON + 64 / 50_000)
    table.sweep(10.0)
    assert sorted(table.removed) == list(range(64))


def test_a_walk_takes_small_steps() -> None:
    """A walk looks at 16 entries a step, and where it is left half-way it is due at once, and goes on."""
    table = Table()
    for key in range(160):
        table.add(key, 0.0, NEVER, tags=("a",))
    table.invalidate("a", 0.0)
    for step in range(1, 10):
        next(table.due.steps(5.0, table.remove))
        assert len(table.removed) == 16 * step
        assert table.due.next_due() == -math.inf
    assert table.sweep(5.0) == 1
    assert len(table.removed) == 160
    assert table.due.next_due() == math.inf


def test_a_walk_in_a_large_table_comes_later() -> None:
    """A table of a million is walked through only after twenty seconds more: it costs a few percent of the time."""
    table = Table()
    for key in range(50_000):
        table.entries[key] = ENTRY(key, "value")
    table.due.purge_soon(100.0)
    assert table.due.next_due() == 100.0 + SOON + 1.0


def test_an_empty_table_is_not_walked_through() -> None:
    """Where nothing is stored, an invalidation leaves nothing to do."""
    table = Table()
    table.invalidate("a", 0.0)
    assert table.due.next_due() == math.inf


def test_what_left_during_a_walk_is_passed_over() -> None:
    """An entry that leaves, or is replaced, between the beginning of a walk and its turn is not removed for another."""
    table = Table()
    for key in range(40):
        table.add(key, 0.0, NEVER, tags=("a",))
    table.invalidate("a", 0.0)
    walk = table.due.steps(5.0, table.remove)
    next(walk)
    first = set(table.removed)
    replaced, left = [key for key in range(40) if key not in first][:2]
    table.add(replaced, 5.0, NEVER, tags=("a",))
    del table.entries[left]
    for _ in walk:
        pass
    assert list(table.entries) == [replaced]
    assert left not in table.removed


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half_way", [False, True])
def test_clear_forgets_all_that_was_due(half_way: bool) -> None:
    """After `clear` nothing is due, also in the midst of a walk."""
    table = Table()
    for key in range(100):
        table.add(key, 0.0, 10.0, tags=("a",))
    table.invalidate("a", 0.0)
    walk = table.due.steps(5.0, table.remove)
    if half_way:
        next(walk)
    table.entries.clear()
    table.due.clear()
    removed = list(table.removed)
    assert table.due.next_due() == math.inf
    for _ in walk:
        pass
    assert table.sweep(100.0) == 0
    assert table.removed == removed


def test_rubbish_is_taken_out() -> None:
    """Keys that were added and have gone do not gather: there is never much more in the wheel than in the table."""
    table = Table()
    table.add(0, 0.0, 10_000.0)
    for key in range(1, 1_000):
        table.add(key, 0.0, 10_000.0)
        del table.entries[key]
        if table.due.next_due() == -math.inf:
            table.sweep(0.0)
    assert table.due.next_due() > 0
    table.sweep(20_000.0)
    assert table.removed == [0]


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "tag", "pass", "pass", "drop", "a step"]),
        st.integers(0, 9),
        st.sampled_from([0.1, 1.0, 5.0, 30.0]),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_removed_that_is_of_use_and_in_the_end_all_the_rest_is(
    steps: list[tuple[str, int, float]],
) -> None:
    """Against a plain list: what goes was over or invalid, and a while after everything nothing such is left."""
    table, now = Table(), 0.0
    ends: dict[int, tuple[float, int, bool]] = {}
    invalidated: dict[bool, int] = {False: -1, True: -1}
    for number, (what, key, time) in enumerate(steps):
        if what == "add":
            is_odd = bool(key % 2)
            table.add(key, now, time, tags=(str(is_odd),))
            ends[key] = now + time, number, is_odd
        elif what == "tag":
            table.invalidate(str(bool(key % 2)), now)
            invalidated[bool(key % 2)] = number
        elif what == "drop":
            table.entries.pop(key, None)
        else:
            now += time
            count = 1 if what == "a step" else None
            for _ in itertools.islice(table.due.steps(now, table.remove), count):
                pass
        for gone in table.removed:
            end, stored, is_odd = ends[gone]
            assert end <= now or stored < invalidated[is_odd]
        table.removed.clear()
    table.sweep(now + 100.0)
    table.sweep(now + 100.0)
    assert table.entries == {}
    assert table.due.next_due() == math.inf
