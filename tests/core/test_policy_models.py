"""Each policy against a model of it: slow, short, and plain enough to be checked by reading.

Any sequence of operations must leave cache and model with the same entries, and with the same order of eviction.
"""

import random
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.core import (
    BoundedCache,
    FIFOCache,
    GDSFCache,
    LFUCache,
    LRUCache,
    RandomCache,
    S3FIFOCache,
    SieveCache,
    TinyLFUCache,
)
from asynccache.core.gdsf import round_down
from asynccache.core.sketch import FrequencySketch

Cache: TypeAlias = BoundedCache[int, int]


class Row:
    """What a model knows of a key."""

    def __init__(self, key: int, value: int, weight: int) -> None:
        self.key, self.value, self.weight = key, value, weight
        self.uses = 0
        self.since = 0
        self.place = ""
        self.priority = self.ratio = 0.0


class Model:
    """A cache as a list of rows, in order of arrival. A policy adds what it does at an arrival, a use, an eviction."""

    def __init__(self, maxsize: int, max_weight: int | None) -> None:
        self.maxsize, self.max_weight = maxsize, max_weight
        self.limit = maxsize if max_weight is None else max_weight
        self.rows: list[Row] = []
        self.now = 0
        self.start()

    def start(self) -> None:
        """Forget everything that was learnt."""

    def arrive(self, row: Row) -> None:
        """Take in a new row."""

    def use(self, row: Row) -> None:
        """Note a use."""

    def victim(self) -> Row:
        """Choose the row that goes next."""
        return self.rows[0]

    def left(self, row: Row) -> None:
        """Note that a row went, for whatever reason."""

    def weight(self) -> int:
        """What all rows weigh together."""
        return sum(row.weight for row in self.rows)

    def find(self, key: int) -> Row | None:
        """Find the row of a key."""
        return next((row for row in self.rows if row.key == key), None)

    def out(self, row: Row) -> None:
        """Take a row out."""
        self.left(row)
        self.rows.remove(row)

    def evict(self) -> int:
        """Evict one row, and tell its key."""
        row = self.victim()
        self.out(row)
        return row.key

    def add(self, row: Row) -> None:
        """Make room for a row, and take it in."""
        while len(self.rows) >= self.maxsize or self.too_heavy(row.weight):
            self.evict()
        self.rows.append(row)
        self.arrive(row)

    def too_heavy(self, more: int) -> bool:
        """Tell whether so much more is too much."""
        return self.max_weight is not None and self.weight() + more > self.max_weight

    def put(self, key: int, value: int) -> None:
        """Store a value."""
        weight = 1 if self.max_weight is None else value
        row = self.find(key)
        if self.max_weight is not None and weight > self.max_weight:
            if row is not None:
                self.out(row)
        elif row is None:
            self.add(Row(key, value, weight))
        else:
            self.change(row, value, weight)

    def change(self, row: Row, value: int, weight: int) -> None:
        """Give a row a new value: in place, or as a new arrival with the old uses if others must go for it."""
        if not self.too_heavy(weight - row.weight):
            row.value, row.weight = value, weight
            self.use(row)
            return
        self.out(row)
        new = Row(row.key, value, weight)
        new.uses = row.uses
        self.add(new)

    def get(self, key: int) -> int | None:
        """Read a value."""
        row = self.find(key)
        if row is None:
            return None
        self.use(row)
        return row.value

    def pop(self, key: int) -> None:
        """Remove a key."""
        row = self.find(key)
        if row is not None:
            self.out(row)

    def clear(self) -> None:
        """Remove all."""
        self.rows.clear()
        self.start()


class FIFOModel(Model):
    def change(self, row: Row, value: int, weight: int) -> None:
        """Make an update a new arrival."""
        self.out(row)
        self.add(Row(row.key, value, weight))


class LRUModel(Model):
    def use(self, row: Row) -> None:
        """Move the row to the end."""
        self.rows.remove(row)
        self.rows.append(row)


class LFUModel(Model):
    def arrive(self, row: Row) -> None:
        """Count the arrival."""
        self.use(row)

    def use(self, row: Row) -> None:
        """Count, and note since when the count holds."""
        self.now += 1
        row.uses, row.since = row.uses + 1, self.now

    def victim(self) -> Row:
        """Choose the fewest uses, and of several the longest since."""
        return min(self.rows, key=lambda row: (row.uses, row.since))

    def change(self, row: Row, value: int, weight: int) -> None:
        """Count a use; if others must go, the row itself stays with its count."""
        self.use(row)
        self.rows.remove(row)
        while self.too_heavy(weight):
            self.evict()
        row.value, row.weight = value, weight
        self.rows.append(row)


class SieveModel(Model):
    def start(self) -> None:
        """Put the hand at the oldest."""
        self.hand = 0

    def use(self, row: Row) -> None:
        """Mark the row."""
        row.uses = 1

    def victim(self) -> Row:
        """Move the hand past marked rows, and take their marks."""
        while self.rows[self.hand].uses:
            self.rows[self.hand].uses = 0
            self.hand = (self.hand + 1) % len(self.rows)
        return self.rows[self.hand]

    def left(self, row: Row) -> None:
        """Keep the hand on the row it was on, or on the next."""
        if self.rows.index(row) < self.hand:
            self.hand -= 1
        if self.hand >= len(self.rows) - 1:
            self.hand = 0


class S3FIFOModel(Model):
    def start(self) -> None:
        """Start with empty queues and an empty ghost."""
        self.small: list[Row] = []
        self.main: list[Row] = []
        self.ghost: list[int] = []
        self.was_full = False
        self.returned = False
        if self.max_weight is None:
            self.small_limit: float = min(max(self.maxsize // 5, 2), self.maxsize // 2)
        else:
            self.small_limit = self.max_weight * 0.2

    def add(self, row: Row) -> None:
        """Ask the ghost before anything goes."""
        self.returned = row.key in self.ghost
        if self.returned:
            self.ghost.remove(row.key)
        super().add(row)

    def arrive(self, row: Row) -> None:
        """Join the small queue, unless the ghost knows better or the cache is still filling up."""
        full = sum(other.weight for other in self.small) >= self.small_limit
        (self.main if self.returned or (full and not self.was_full) else self.small).append(row)

    def use(self, row: Row) -> None:
        """Count up to three."""
        row.uses = min(row.uses + 1, 3)

    def victim(self) -> Row:
        """Go through the small queue, unless the main one has more than its share."""
        self.was_full = True
        if sum(row.weight for row in self.main) <= self.limit - self.small_limit:
            while self.small:
                row = self.small[0]
                if row.uses < 2:
                    size = self.maxsize if self.max_weight is None else len(self.rows)
                    self.ghost = [*self.ghost, row.key][-int(size * 0.9) :] if int(size * 0.9) else []
                    return row
                row.uses = 0
                self.main.append(self.small.pop(0))
        while self.main[0].uses:
            self.main[0].uses -= 1
            self.main.append(self.main.pop(0))
        return self.main[0]

    def left(self, row: Row) -> None:
        """Leave the queue."""
        (self.small if row in self.small else self.main).remove(row)


class TinyLFUModel(Model):
    lapse = False

    def start(self) -> None:
        """Start with empty parts. The estimates come from a sketch as in the cache: it has tests of its own."""
        self.parts: dict[str, list[Row]] = {"window": [], "probation": [], "protected": []}
        self.sketch = FrequencySketch(64)
        self.window_limit = max(1, self.maxsize // 5) if self.max_weight is None else self.max_weight * 0.2
        self.main_limit = self.limit - self.window_limit if self.limit > self.window_limit else 0
        self.protected_limit = int(self.main_limit * 0.8 + 1e-9)
        self.probation_limit = int(self.main_limit * 0.2 + 1e-9)
        self.arriving = 1
        self.filling = True
        self.lapsed = False
        self.hits_left: float = 0

    def part_weight(self, part: str) -> int:
        """What a part weighs."""
        return sum(row.weight for row in self.parts[part])

    def move(self, row: Row, part: str) -> None:
        """Make a row the last used of a part."""
        if row.place:
            self.parts[row.place].remove(row)
        self.parts[part].append(row)
        row.place = part

    def add(self, row: Row) -> None:
        """Note what room the window must have."""
        self.arriving = row.weight
        super().add(row)
        self.arriving = 1

    def end_filling(self) -> None:
        """Count hits from now on; what rounding left over is the place of the newest protected one."""
        self.filling = False
        self.start_counting()
        if self.lapse and self.parts["protected"] and self.part_weight("probation") > self.probation_limit:
            newest, middle = self.parts["protected"].pop(), self.parts["probation"].pop()
            self.parts["protected"].insert(0, middle)
            self.parts["probation"].append(newest)
            newest.place, middle.place = middle.place, newest.place
            self.demote()

    def start_counting(self) -> None:
        """Let counts be halved after three hits for each place outside of the window, or each row where they weigh."""
        rows = len(self.parts["probation"]) + len(self.parts["protected"])
        self.hits_left = 3 * max(self.main_limit if self.max_weight is None else rows, 1)

    def arrive(self, row: Row) -> None:
        """Join the window."""
        self.sketch.add(hash(row.key))
        if self.filling:
            self.put_first(row)
        else:
            self.use_up_room()
            self.move(row, "window")

    def put_first(self, row: Row) -> None:
        """Join the window, and push on what is too much in each part."""
        self.move(row, "window")
        while self.part_weight("window") > self.window_limit and len(self.parts["window"]) > 1:
            leaving = self.parts["window"][0]
            self.move(leaving, "protected")
            if not leaving.since:
                self.sketch.add(hash(leaving.key))
            leaving.since = 1
        self.demote()

    def use_up_room(self) -> None:
        """Let what is too much in the window go on, if there is room."""
        while self.part_weight("window") > self.window_limit and len(self.parts["window"]) > 1:
            row = self.parts["window"][0]
            if self.part_weight("probation") + self.part_weight("protected") + row.weight > self.main_limit:
                break
            self.go_on(row)

    def go_on(self, row: Row) -> None:
        """Join the first part that has room, or else probation."""
        self.count_leaving(row)
        for part, limit in (("probation", self.probation_limit), ("protected", self.protected_limit)):
            if self.part_weight(part) + row.weight <= limit:
                self.move(row, part)
                return
        self.move(row, "probation")

    def count_leaving(self, row: Row) -> None:
        """Count that a row leaves the window, if that was not counted before."""
        if not row.since:
            self.sketch.add(hash(row.key))
        row.since = 0

    def use(self, row: Row) -> None:
        """Count; a row on probation is protected from now on."""
        self.demote()  # a heavier value may have filled the segment
        if row.place == "window":
            self.move(row, "window")
        elif self.filling:
            self.put_first(row)
        elif self.lapsed and row in self.parts["probation"][:1]:
            self.lapsed = False
            self.sketch.add(hash(row.key))
            row.since = 0
            self.move(row, "window")
        else:
            self.use_in_main(row)

    def use_in_main(self, row: Row) -> None:
        """Protect; where that leaves too much on probation, the oldest there goes next."""
        promoted = row.place == "probation"
        self.move(row, "protected")
        self.demote()
        if promoted and self.lapse and self.part_weight("probation") > self.probation_limit:
            self.lapsed = True
        self.sketch.add(hash(row.key))
        self.hits_left -= 1
        if not self.hits_left:
            self.sketch.halve()
            self.start_counting()

    def demote(self) -> None:
        """Send what is too much in the protected segment back to probation."""
        while self.part_weight("protected") > self.protected_limit and self.parts["protected"]:
            self.move(self.parts["protected"][0], "probation")

    def victim(self) -> Row:
        """Give up the oldest while the cache fills, what has lapsed, or the loser of a comparison."""
        if self.filling and (len(self.rows) >= self.maxsize or self.too_heavy(self.arriving)):
            self.end_filling()
        if self.filling:
            return (self.parts["probation"] + self.parts["protected"] + self.parts["window"])[0]
        if self.lapsed:
            self.lapsed = False
            return self.parts["probation"][0]
        self.use_up_room()
        return self.contest()

    def contest(self) -> Row:
        """Let the window's oldest, if it must leave, compete with the main part's oldest."""
        window, main = self.parts["window"], self.parts["probation"] or self.parts["protected"]
        if not main:
            return window[0]
        if not window or self.part_weight("window") + self.arriving <= self.window_limit:
            return main[0]
        candidate, defender = window[0], main[0]
        if self.sketch.estimate(hash(candidate.key)) <= self.sketch.estimate(hash(defender.key)):
            self.count_leaving(candidate)
            return candidate
        main.remove(defender)
        defender.place = ""
        self.go_on(candidate)
        return defender

    def left(self, row: Row) -> None:
        """Leave the part; nothing else goes in the stead of what has lapsed."""
        if self.lapsed and row in self.parts["probation"][:1]:
            self.lapsed = False
        if row.place:
            self.parts[row.place].remove(row)


class LapsingTinyLFUModel(TinyLFUModel):
    lapse = True


class GDSFModel(Model):
    def start(self) -> None:
        """Set the clock to 0."""
        self.clock = 0.0

    def arrive(self, row: Row) -> None:
        """Count the arrival."""
        self.use(row)

    def use(self, row: Row) -> None:
        """Count, and work the priority out anew."""
        self.now += 1
        row.uses, row.since = row.uses + 1, self.now
        row.ratio = round_down(row.uses * (row.value % 3 + 1) / (row.weight or 2.0**-20))
        row.priority = self.clock + row.ratio

    def victim(self) -> Row:
        """Choose the lowest priority, and set the clock to it."""
        row = min(self.rows, key=lambda row: (row.priority, row.ratio, row.since))
        self.clock = row.priority
        return row


def weigh(_key: int, value: int) -> int:
    """Weigh an entry by its value."""
    return value


def bounds(max_weight: int | None) -> dict[str, Any]:
    """Spell the weight bound out, if there is one."""
    return {} if max_weight is None else {"max_weight": max_weight, "weigher": weigh}


def s3fifo(maxsize: int, max_weight: int | None) -> Cache:
    """Make an S3-FIFO cache whose small queue is small even in a small cache."""
    return S3FIFOCache(maxsize, small_places=2, **bounds(max_weight))


def tinylfu(maxsize: int, max_weight: int | None) -> Cache:
    """Make a W-TinyLFU cache with a window of a fifth."""
    return TinyLFUCache(maxsize, window=0.2, **bounds(max_weight))


def lapsing_tinylfu(maxsize: int, max_weight: int | None) -> Cache:
    """Make the same with a hit on probation at the expense of the oldest there, where rounding leaves a place over."""
    return TinyLFUCache(maxsize, window=0.2, lapse=True, **bounds(max_weight))


def gdsf(maxsize: int, max_weight: int | None) -> Cache:
    """Make a GDSF cache in which costs differ."""
    return GDSFCache(maxsize, cost=lambda _key, value: value % 3 + 1, **bounds(max_weight))


MODELS: dict[str, tuple[Any, type[Model]]] = {
    "fifo": (lambda maxsize, max_weight: FIFOCache(maxsize, **bounds(max_weight)), FIFOModel),
    "lru": (lambda maxsize, max_weight: LRUCache(maxsize, **bounds(max_weight)), LRUModel),
    "lfu": (lambda maxsize, max_weight: LFUCache(maxsize, **bounds(max_weight)), LFUModel),
    "sieve": (lambda maxsize, max_weight: SieveCache(maxsize, **bounds(max_weight)), SieveModel),
    "s3fifo": (s3fifo, S3FIFOModel),
    "tinylfu": (tinylfu, TinyLFUModel),
    "tinylfu, lapse": (lapsing_tinylfu, LapsingTinyLFUModel),
    "gdsf": (gdsf, GDSFModel),
}

steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "get", "get", "get", "load", "load", "pop", "popitem", "clear"]),
        st.integers(0, 14),
        st.integers(0, 9),
    ),
    max_size=120,
)
Steps: TypeAlias = list[tuple[str, int, int]]


def apply(target: Any, step: tuple[str, int, int]) -> object:
    """Do one step to a cache or a model."""
    name, key, value = step
    if name == "put":
        target.put(key, value)
    elif name == "get":
        return target.get(key)
    elif name == "load":
        found = target.get(key)
        if found is None:
            target.put(key, value)
        return found
    elif name == "popitem":
        if isinstance(target, Model):
            return target.evict() if target.rows else None
        return target.popitem()[0] if target else None
    elif name == "clear" and value == 0:
        target.clear()
    elif name == "pop":
        target.pop(key) if isinstance(target, Model) else target.pop(key, None)
    return None


def parts_of(cache: Cache) -> list[Any]:
    """List the keys in all queues of a cache that has queues, empty if it has none."""
    match cache:
        case FIFOCache():
            return [entry.key for entry in cache._queue]
        case SieveCache():
            return [entry.key for queue in (cache._passed, cache._ahead) for entry in queue]
        case S3FIFOCache():
            assert cache._small_weight == sum(entry.weight for entry in cache._small)
            return [entry.key for queue in (cache._small, cache._main) for entry in queue]
        case LFUCache():
            return [key for bucket in cache._buckets.values() for key in bucket.entries]
        case TinyLFUCache():
            segments = (cache._window, cache._probation, cache._protected)
            for segment in segments:
                assert segment.weight == sum(entry.weight for entry in segment.entries.values())
            return [key for segment in segments for key in segment.entries]
        case GDSFCache():
            return [key for queue in cache._queues.values() for key in queue]
        case RandomCache():
            assert [entry.index for entry in cache._line] == list(range(len(cache)))
            return [entry.key for entry in cache._line]
    return list(cache.entries)


def check_invariants(cache: Cache) -> None:
    """Check that bounds hold, weights add up, and queues and table hold the same entries."""
    assert cache.maxsize is None or len(cache) <= cache.maxsize
    assert cache.weight == sum(entry.weight for entry in cache.entries.values())
    assert cache.max_weight is None or cache.weight <= cache.max_weight
    assert sorted(parts_of(cache)) == sorted(cache.entries)


@pytest.mark.parametrize("policy", MODELS)
@settings(max_examples=200)
@given(data=steps, maxsize=st.integers(1, 12), max_weight=st.sampled_from([None, None, 7, 20]))
def test_cache_and_model_agree(policy: str, data: Steps, maxsize: int, max_weight: int | None) -> None:
    """After any operations, cache and model hold the same values and give them up in the same order."""
    make_cache, make_model = MODELS[policy]
    cache, model = make_cache(maxsize, max_weight), make_model(maxsize, max_weight)
    for step in data:
        assert apply(cache, step) == apply(model, step)
        assert cache == {row.key: row.value for row in model.rows}
        check_invariants(cache)
    while cache:
        assert cache.popitem()[0] == model.evict()
        check_invariants(cache)


@settings(max_examples=200)
@given(data=steps, maxsize=st.integers(1, 12), max_weight=st.sampled_from([None, 20]), seed=st.integers())
def test_random_replacement_keeps_its_books(data: Steps, maxsize: int, max_weight: int | None, seed: int) -> None:
    """Whatever chance evicts, what is stored is the newest value of some keys, and the books agree."""
    cache: Cache = RandomCache(maxsize, rng=random.Random(seed), **bounds(max_weight))
    newest: dict[int, int] = {}
    for step in data:
        before = set(cache)
        apply(cache, step)
        if step[0] in {"put", "load"} and step[1] in cache and not (step[0] == "load" and step[1] in before):
            newest[step[1]] = step[2]
        assert all(newest[key] == value for key, value in cache.items())
        check_invariants(cache)
