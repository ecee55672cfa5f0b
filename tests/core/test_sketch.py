"""The tables of counters: never too few, rarely too many, and old uses fade."""

import pickle
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.sketch import CountingFilter, Frequencies, FrequencySketch

tables = pytest.mark.parametrize("make", [FrequencySketch, CountingFilter])
Make = Callable[[int], Frequencies]


@tables
def test_nothing_counted(make: Make) -> None:
    """A new table has seen nothing."""
    table = make(100)
    assert [table.estimate(hash(key)) for key in range(100)] == [0] * 100


@pytest.mark.parametrize(("make", "most"), [(FrequencySketch, 255), (CountingFilter, 65_535)])
def test_one_key_is_counted_up_to_a_limit(make: Make, most: int) -> None:
    """Alone, a key is counted exactly, until its counter stops."""
    table = make(1_000)
    for uses in range(1, most + 9):
        table.add(7)
        assert table.estimate(7) == min(uses, most)


@tables
@given(hashes=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=300), places=st.integers(1, 200))
def test_never_too_few(make: Make, hashes: list[int], places: int) -> None:
    """Until it ages, no estimate is below the truth (or below 255)."""
    table = make(places)
    for key_hash in hashes:
        table.add(key_hash)
    for key_hash, uses in Counter(hashes).items():
        assert table.estimate(key_hash) >= min(uses, 255)


@tables
def test_rarely_too_many(make: Make) -> None:
    """With as many keys as it is meant for, at most one key in a hundred is overestimated."""
    table = make(1_000)
    rng = random.Random(3)
    uses: Counter[int] = Counter(rng.choices(range(1_000), weights=[1 / rank for rank in range(1, 1_001)], k=5_000))
    for key, count in uses.items():
        for _ in range(count):
            table.add(hash(key))
    wrong = sum(table.estimate(hash(key)) != min(uses[key], 255) for key in range(1_000))
    assert wrong <= 10


@tables
def test_old_uses_fade(make: Make) -> None:
    """Halvings halve all counts, also those that have not been looked at in between, down to nothing."""
    table = make(64)
    for key in range(8):
        for _ in range(100 + key):
            table.add(key)
    seen = []
    for times in (1, 1, 3, 100):
        for _ in range(times):
            table.halve()
        seen.append([table.estimate(key) for key in range(8)])
    assert seen == [
        [50, 50, 51, 51, 52, 52, 53, 53],
        [25, 25, 25, 25, 26, 26, 26, 26],
        [3] * 8,
        [0] * 8,
    ]


@tables
def test_a_use_after_a_halving_counts_in_full(make: Make) -> None:
    """What is counted after a halving is not halved by it."""
    table = make(64)
    for _ in range(5):
        table.add(1)
    table.halve()
    table.add(1)
    assert table.estimate(1) == 3


def test_growing_keeps_what_was_counted() -> None:
    """A sketch that grows answers as before, and then tells more keys apart."""
    sketch = FrequencySketch(8)
    for key in range(8):
        for _ in range(key):
            sketch.add(hash(key))
    before = [sketch.estimate(hash(key)) for key in range(8)]
    sketch.grow(1_000)
    assert sketch.places == 1_000
    assert [sketch.estimate(hash(key)) for key in range(8)] == before
    for key in range(100, 1_100):
        sketch.add(hash(key))
    assert sum(sketch.estimate(hash(key)) == 1 for key in range(100, 1_100)) > 980


def test_a_filter_keeps_its_size() -> None:
    """A filter does not grow, and goes on answering."""
    table = CountingFilter(8)
    table.add(5)
    table.grow(1_000)
    assert table.places == 8
    assert table.estimate(5) == 1


@pytest.mark.parametrize(("error", "allowed"), [(0.1, 150), (0.001, 3)])
def test_a_filter_errs_as_often_as_agreed(error: float, allowed: int) -> None:
    """Of keys that were not counted, about the agreed share is taken for counted ones."""
    table = CountingFilter(1_000, error)
    for key in range(1_000):
        table.add(hash(key))
    assert sum(table.estimate(hash(key)) > 0 for key in range(10_000, 11_000)) <= allowed


def test_a_filter_uses_the_bits_it_is_given() -> None:
    """Keys with the same bits share their counters, whatever their hashes."""
    table = CountingFilter(100, spread=lambda key_hash: key_hash % 2 << 32 | key_hash % 2)
    for key in range(10):
        table.add(key)
    assert (table.estimate(20), table.estimate(21)) == (50, 5)


@pytest.mark.parametrize(("places", "error"), [(0, 0.1), (1, 0.0), (1, 1.0), (1, float("nan"))])
def test_filters_that_cannot_be(places: int, error: float) -> None:
    """A filter for no keys, or one that never or always errs, is refused."""
    with pytest.raises(ValueError, match=r"places|error"):
        CountingFilter(places, error)


@tables
def test_clear_forgets_and_keeps_room(make: Make) -> None:
    """After `clear` nothing has been seen, and the size is as before."""
    table = make(100)
    for step in range(3_000):
        table.add(step % 50)
    table.halve()
    table.clear()
    assert all(table.estimate(key) == 0 for key in range(50))
    assert table.places == 100


@tables
def test_pickling(make: Make) -> None:
    """A pickled table answers alike, now and later."""
    table = make(50)
    for step in range(1_200):
        table.add(step * step % 41)
        if step % 500 == 499:
            table.halve()
    twin = pickle.loads(pickle.dumps(table))
    assert [twin.estimate(key) for key in range(41)] == [table.estimate(key) for key in range(41)]
    twin.halve()
    assert twin.estimate(1) == table.estimate(1) // 2
