"""Random programs on a store of the whole contract, held against a dict and a clock that is moved by hand."""

import asyncio
import math
from abc import abstractmethod
from typing import Final, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from asynccache.stores import Item, Store, SupportsConditions, SupportsCounters, SupportsScan
from asynccache.testing import ManualClock

TIMEOUT: Final = 30.0
"""Seconds that a store may take: no time limit is what is tested here."""

KEYS: Final = st.sampled_from(
    [b"", b"\x00", b"a", b"a\x00", b"a\xff", b"a\xff\xff", b"ab", b"\r\n*", b"\xff", b"\xff\xff"]
)
VALUES: Final = st.sampled_from([b"", b"\x00", b"one", b"one more", b"\xff" * 300])
TTLS: Final = st.sampled_from([None, None, -1.0, 0.0, 0.5, 1.0, 2.5, 1e6])
ITEMS: Final = st.builds(Item, VALUES, TTLS)


class WholeStore(Store, SupportsConditions, SupportsCounters, SupportsScan, Protocol):
    """A store that can do all that the model knows."""


class StoreMachine(RuleBasedStateMachine):
    """Two stores of the same items, asked in turns, and what they ought to say."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1000.0)
        self.runner = asyncio.Runner()
        self.items: dict[bytes, tuple[bytes, float]] = {}
        self.counters: dict[bytes, tuple[int, float]] = {}
        self.stores = [self.open(), self.open()]

    @abstractmethod
    def open(self) -> WholeStore:
        """Make one more store of the same items."""

    def changed(self, *keys: bytes) -> None:
        """Look at what was told of a change of these keys."""

    def teardown(self) -> None:
        """Close both."""
        for store in self.stores:
            self.runner.run(store.aclose())
        self.runner.close()

    # --- the model ----------------------------------------------------------------------------------------------------

    def until(self, ttl: float | None) -> float:
        """Tell when a time is over that begins now."""
        return math.inf if ttl is None else self.clock() + ttl

    def present(self, key: bytes) -> bytes | None:
        """Give what has not expired."""
        value, until = self.items.get(key, (b"", -math.inf))
        return value if self.clock() < until else None

    def put(self, key: bytes, item: Item) -> None:
        """Keep it."""
        self.items[key] = (item.value, self.until(item.ttl))

    # --- what may happen ----------------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([0.25, 0.5, 1.0, 7.0]))
    def time_passes(self, by: float) -> None:
        """Let time pass."""
        self.clock.advance(by)

    @rule(which=st.integers(0, 1), keys=st.lists(KEYS, max_size=6))
    def get(self, which: int, keys: list[bytes]) -> None:
        """What is there is given, exactly as long as its ttl allows."""
        found = self.runner.run(self.stores[which].get_many(keys))
        assert found == {key: value for key in keys if (value := self.present(key)) is not None}

    @rule(which=st.integers(0, 1), items=st.dictionaries(KEYS, ITEMS, max_size=6))
    def set(self, which: int, items: dict[bytes, Item]) -> None:
        """What is set is there; a ttl of 0 or less deletes."""
        self.runner.run(self.stores[which].set_many(items))
        for key, item in items.items():
            self.put(key, item)
        self.changed(*items)

    @rule(which=st.integers(0, 1), keys=st.lists(KEYS, max_size=6))
    def delete(self, which: int, keys: list[bytes]) -> None:
        """What is deleted is counted, each key once."""
        there = {key for key in keys if self.present(key) is not None}
        assert self.runner.run(self.stores[which].delete_many(keys)) == len(there)
        for key in keys:
            self.items.pop(key, None)
        self.changed(*there)

    @rule(which=st.integers(0, 1), key=KEYS, item=ITEMS)
    def add(self, which: int, key: bytes, item: Item) -> None:
        """What is added is kept if nothing is there."""
        is_free = self.present(key) is None
        assert self.runner.run(self.stores[which].add(key, item)) is is_free
        if is_free:
            self.put(key, item)
            self.changed(key)

    @rule(which=st.integers(0, 1), key=KEYS, expected=VALUES, item=ITEMS)
    def compare_and_set(self, which: int, key: bytes, expected: bytes, item: Item) -> None:
        """What begins as expected is replaced."""
        present = self.present(key)
        is_it = present is not None and present.startswith(expected)
        assert self.runner.run(self.stores[which].compare_and_set(key, expected, item)) is is_it
        if is_it:
            self.put(key, item)
            self.changed(key)

    @rule(which=st.integers(0, 1), key=KEYS, expected=VALUES)
    def compare_and_delete(self, which: int, key: bytes, expected: bytes) -> None:
        """What begins as expected is deleted."""
        present = self.present(key)
        is_it = present is not None and present.startswith(expected)
        assert self.runner.run(self.stores[which].compare_and_delete(key, expected)) is is_it
        if is_it:
            del self.items[key]
            self.changed(key)

    @rule(which=st.integers(0, 1), key=KEYS, ttl=st.sampled_from([None, 0.5, 2.5]))
    def increment(self, which: int, key: bytes, ttl: float | None) -> None:
        """A counter goes on until its time is over, and is no item."""
        total, until = self.counters.get(key, (0, -math.inf))
        total = total + 1 if self.clock() < until else 1
        assert self.runner.run(self.stores[which].increment(key, ttl=ttl)) == total
        self.counters[key] = (total, self.until(ttl))

    @rule(which=st.integers(0, 1), prefix=KEYS)
    def scan(self, which: int, prefix: bytes) -> None:
        """A scan gives all keys that begin so, and no pattern of theirs means anything."""

        async def scanned() -> list[bytes]:
            return [key async for some in self.stores[which].scan(prefix) for key in some]

        there = [key for key in self.items if key.startswith(prefix) and self.present(key) is not None]
        assert sorted(self.runner.run(scanned())) == sorted(there)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        """What was kept is there for a store that comes later, while another holds it."""
        self.runner.run(self.stores[which].aclose())
        self.stores[which] = self.open()
