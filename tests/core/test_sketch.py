"""The frequency sketch: never too few, rarely too many, and old uses fade."""

import pickle
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.sketch import SAMPLE_FACTOR, FrequencySketch


def test_nothing_counted() -> None:
    """A new sketch has seen nothing."""
    sketch = FrequencySketch(100)
    assert [sketch.estimate(hash(key)) for key in range(100)] == [0] * 100


def test_one_key_is_counted_up_to_fifteen() -> None:
    """Alone, a key is counted exactly, until its counter stops."""
    sketch = FrequencySketch(1_000)
    for uses in range(1, 40):
        sketch.add(7)
        assert sketch.estimate(7) == min(uses, 15)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=300), st.integers(0, 200))
def test_never_too_few(hashes: list[int], places: int) -> None:
    """Until it ages, no estimate is below the truth (or below 15)."""
    sketch = FrequencySketch(max(places, 300 // SAMPLE_FACTOR + 1))
    for key_hash in hashes:
        sketch.add(key_hash)
    for key_hash, uses in Counter(hashes).items():
        assert sketch.estimate(key_hash) >= min(uses, 15)


def test_rarely_too_many() -> None:
    """With as many keys as it is meant for, at most one key in a hundred is overestimated."""
    sketch = FrequencySketch(1_000)
    rng = random.Random(3)
    uses: Counter[int] = Counter(rng.choices(range(1_000), weights=[1 / rank for rank in range(1, 1_001)], k=5_000))
    for key, count in uses.items():
        for _ in range(count):
            sketch.add(hash(key))
    wrong = sum(sketch.estimate(hash(key)) != min(uses[key], 15) for key in range(1_000))
    assert wrong <= 10


def test_old_uses_fade() -> None:
    """After ten times as many uses as it has places, all counts are halved, again and again down to nothing."""
    sketch = FrequencySketch(64)
    for _ in range(12):
        sketch.add(1)
    seen = []
    for _ in range(5):
        for step in range(64 * SAMPLE_FACTOR):
            sketch.add(1_000 + step % 2)
        seen.append(sketch.estimate(1))
    assert seen == [6, 3, 1, 0, 0]


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


def test_clear_forgets_and_keeps_room() -> None:
    """After `clear` nothing has been seen, and the size is as before."""
    sketch = FrequencySketch(100)
    for step in range(3_000):
        sketch.add(step % 50)
    sketch.clear()
    assert all(sketch.estimate(key) == 0 for key in range(50))
    assert sketch.places == 100


def test_pickling() -> None:
    """A pickled sketch answers alike."""
    sketch = FrequencySketch(50)
    for step in range(1_200):
        sketch.add(step * step % 41)
    twin = pickle.loads(pickle.dumps(sketch))
    assert [twin.estimate(key) for key in range(41)] == [sketch.estimate(key) for key in range(41)]
