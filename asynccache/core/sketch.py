"""How often was a key asked for lately? An estimate in a few bytes a key, whether it is stored or not.

Decides the shape of two tables of counters behind TinyLFU (Einziger, Friedman and Manes, "TinyLFU", 2017), both with
four or more counters a key, the least of which is the answer. `FrequencySketch` is the small and quick one: four bytes
of one block are a key's (a count-min sketch, Cormode and Muthukrishnan, 2005), raised only where they are the least
(Estan and Varghese, "conservative update", 2002). `CountingFilter` is the textbook's counting Bloom filter (Fan, Cao,
Almeida and Broder, "Summary cache", 2000): two to three times as big and as slow, and the one to compare with others.

When counts are halved, so that old fame fades, is decided by who counts. Halving needs no pass over the table: a block
carries the number of halvings it has been through, and catches up when it is next looked at. Growth needs none
either: a sketch of twice the size gives the same answers when it is the old one written twice.
"""

import math
from array import array
from collections.abc import Callable
from typing import Final, Protocol

_MOST: Final = 255
"""Where a counter of the sketch stops. Stopping at 15, as four bits would, costs half a percent of FIFO's misses."""

_BLOCK: Final = 64
"""Bytes in a block: four rows of sixteen counters."""

_PLACES_A_BLOCK: Final = 4
"""Keys for which one block is meant: 16 bytes a key, as in Caffeine's table. Half of that costs 1% of FIFO's misses."""

_HALF: Final = bytes(byte >> 1 for byte in range(256))

_SPREAD: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: Knuth's multiplicative hashing, since small numbers are their own hashes."""

_MASK: Final = 0xFFFFFFFFFFFFFFFF

_LOW: Final = 0xFFFFFFFF

_MOST_IN_FILTER: Final = 0xFFFF

_AGED_TOGETHER: Final = 16
"""Counters of a filter that share a number of halvings: more would take less memory, and longer to catch up."""


class Frequencies(Protocol):
    """What TinyLFU asks of a table of counters."""

    @property
    def places(self) -> int:
        """For how many keys the table is meant."""
        ...

    def grow(self, places: int) -> None:
        """Make room for this many keys, where the table can. What was counted stays."""
        ...

    def add(self, key_hash: int) -> None:
        """Count a use."""
        ...

    def estimate(self, key_hash: int) -> int:
        """Tell how many uses were counted, each halving having halved them."""
        ...

    def halve(self) -> None:
        """Halve all counts, rounding down."""
        ...

    def clear(self) -> None:
        """Forget all uses."""
        ...


class FrequencySketch:
    """Counts uses by hash, approximately: never too few since the last halving, up to 255, sometimes too many.

    Hashes of strings differ from process to process, so a pickled sketch is of no use in another one; it does no harm
    there and fades.

    Args:
        places: for how many keys it is meant; `grow` raises it.
    """

    __slots__ = ("_ages", "_blocks", "_rounds", "_table", "places")

    def __init__(self, places: int = 0) -> None:
        self._table = bytearray(_BLOCK)
        self._ages = array("Q", [0])
        self._blocks = 1
        self.places = 0
        self._rounds = 0
        self.grow(places)

    def grow(self, places: int) -> None:
        """See to it that there is room for this many keys. What was counted stays."""
        while self._blocks * _PLACES_A_BLOCK < places:
            self._table *= 2
            self._ages *= 2
            self._blocks *= 2
        self.places = max(self.places, places)

    def add(self, key_hash: int) -> None:
        """Count a use."""
        table = self._table
        first, second, third, fourth = self._counters(key_hash)
        least = min(table[first], table[second], table[third], table[fourth])
        if least < _MOST:
            # Written out: a loop over the four costs twice as much, and this is on every hit.
            raised = least + 1
            if table[first] == least:
                table[first] = raised
            if table[second] == least:
                table[second] = raised
            if table[third] == least:
                table[third] = raised
            if table[fourth] == least:
                table[fourth] = raised

    def estimate(self, key_hash: int) -> int:
        """Tell how many uses were counted, each halving having halved them."""
        table = self._table
        first, second, third, fourth = self._counters(key_hash)
        return min(table[first], table[second], table[third], table[fourth])

    def halve(self) -> None:
        """Halve all counts, rounding down."""
        self._rounds += 1

    def clear(self) -> None:
        """Forget all uses, and keep the room."""
        self._table = bytearray(len(self._table))
        self._ages = array("Q", bytes(8 * self._blocks))
        self._rounds = 0

    def _counters(self, key_hash: int) -> tuple[int, int, int, int]:
        """Find the four counters of a hash, and bring their block up to date."""
        mixed = key_hash * _SPREAD & _MASK
        # The block comes from the low bits, mixed with the high ones; the counters in it from the highest sixteen.
        block = (mixed ^ mixed >> 32) & (self._blocks - 1)
        if self._ages[block] != self._rounds:
            self._catch_up(block)
        start = block * _BLOCK
        return (
            start + (mixed >> 60),
            start + 16 + (mixed >> 56 & 15),
            start + 32 + (mixed >> 52 & 15),
            start + 48 + (mixed >> 48 & 15),
        )

    def _catch_up(self, block: int) -> None:
        start = block * _BLOCK
        counters = self._table[start : start + _BLOCK]
        for _ in range(min(self._rounds - self._ages[block], _MOST.bit_length())):
            counters = counters.translate(_HALF)
        self._table[start : start + _BLOCK] = counters
        self._ages[block] = self._rounds


def spread_bits(key_hash: int) -> int:
    """Make 64 random-looking bits of a hash, which may be a small number."""
    mixed = (key_hash + _SPREAD) * _SPREAD & _MASK  # nought must not stay nought
    # Both halves are used as numbers of their own, and the low bits of a product know nothing of the high ones.
    return mixed ^ mixed >> 32


class CountingFilter:
    """Counts uses by hash, up to 65,535: all counters of a key are raised at each use.

    The counters of a key lie at `first + n * step` (Kirsch and Mitzenmacher, "Less hashing, same performance", 2006).

    Args:
        places: for how many keys it is meant, say as many as the cache holds. Its memory is taken at once.
        error: the share of keys not counted, between 0 and 1, that may be taken for counted ones once `places` keys
            are: 0.001 makes ten counters a key, and takes 36 bytes for each place.
        spread: makes 64 random-looking bits of a key's hash: the low 32 are `first`, the high 32 are `step`.

    Raises:
        ValueError: an argument that cannot be meant.
    """

    __slots__ = ("_ages", "_counters", "_hashes", "_rounds", "_spread", "_table", "places")

    def __init__(self, places: int, error: float = 0.001, *, spread: Callable[[int], int] = spread_bits) -> None:
        if places < 1:
            raise ValueError(f"places must be 1 or more, not {places!r}")
        if not 0 < error < 1:
            raise ValueError(f"error must be a share between 0 and 1, not {error!r}")
        counters_a_key = -math.log(error) / math.log(2) ** 2
        self._hashes = math.ceil(counters_a_key * math.log(2))
        self._counters = math.ceil(counters_a_key * places)
        if self._counters < self._hashes:
            self._counters = 2 * self._hashes
        self._spread = spread
        self.places = places
        self.clear()

    def grow(self, places: int) -> None:
        """Do nothing: the table stays as it was made, and errs more often with more keys."""

    def add(self, key_hash: int) -> None:
        """Count a use."""
        table = self._table
        for at in self._positions(key_hash):
            if table[at] < _MOST_IN_FILTER:
                table[at] += 1

    def estimate(self, key_hash: int) -> int:
        """Tell how many uses were counted, each halving having halved them."""
        table = self._table
        return min([table[at] for at in self._positions(key_hash)])

    def halve(self) -> None:
        """Halve all counts, rounding down."""
        self._rounds += 1

    def clear(self) -> None:
        """Forget all uses, and keep the room."""
        self._table = array("H", [0]) * self._counters
        self._ages = array("Q", [0]) * (self._counters // _AGED_TOGETHER + 1)
        self._rounds = 0

    def _positions(self, key_hash: int) -> list[int]:
        """Find the counters of a hash, and bring them up to date."""
        bits = self._spread(key_hash)
        first, step, counters = bits & _LOW, bits >> 32, self._counters
        positions = [(first + number * step & _LOW) % counters for number in range(self._hashes)]
        ages, rounds = self._ages, self._rounds
        for at in positions:
            if ages[at // _AGED_TOGETHER] != rounds:
                self._catch_up(at // _AGED_TOGETHER)
        return positions

    def _catch_up(self, group: int) -> None:
        table = self._table
        halvings = min(self._rounds - self._ages[group], _MOST_IN_FILTER.bit_length())
        start = group * _AGED_TOGETHER
        for at in range(start, min(start + _AGED_TOGETHER, self._counters)):
            table[at] >>= halvings
        self._ages[group] = self._rounds
