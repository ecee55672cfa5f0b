"""How often was a key asked for lately? An estimate in a few bytes a key, whether it is stored or not.

Decides the shape of the count-min sketch behind TinyLFU: four small saturating counters a key, the least of which is
the answer (Cormode and Muthukrishnan, 2005), raised only where they are the least (Estan and Varghese, "conservative
update", 2002), and halved from time to time so that old fame fades (Einziger, Friedman and Manes, "TinyLFU", 2017).

All four counters of a key lie in one block. So ageing needs no pass over the table: a block carries the number of
halvings it has been through, and catches up when it is next looked at. So does growth: a table of twice the blocks
gives the same answers when it is the old one written twice.
"""

from array import array
from typing import Final

_MOST: Final = 15
"""Where a counter stops, as four bits would: what is more popular than that needs no finer order."""

_BLOCK: Final = 64
"""Bytes in a block: four rows of sixteen counters."""

_PLACES_A_BLOCK: Final = 4
"""Keys for which one block is meant: 16 bytes a key, as in Caffeine's table. Half of that costs 1% of FIFO's misses."""

_HALF: Final = bytes(byte >> 1 for byte in range(256))

_SPREAD: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: Knuth's multiplicative hashing, since small numbers are their own hashes."""

_MASK: Final = 0xFFFFFFFFFFFFFFFF

SAMPLE_FACTOR: Final = 10
"""Counted uses between two halvings, as a multiple of the keys the sketch is meant for; the paper's number."""


class FrequencySketch:
    """Counts uses by hash, approximately: never too few since the last halving, up to 15, sometimes too many.

    Hashes of strings differ from process to process, so a pickled sketch is of no use in another one; it does no harm
    there and fades.

    Args:
        places: for how many keys it is meant; `grow` raises it.
    """

    __slots__ = ("_ages", "_blocks", "_left", "_period", "_rounds", "_table", "places")

    def __init__(self, places: int = 0) -> None:
        self._table = bytearray(_BLOCK)
        self._ages = array("Q", [0])
        self._blocks = 1
        self.places = 0
        self._rounds = 0
        self._period = SAMPLE_FACTOR * _PLACES_A_BLOCK
        self._left = self._period
        self.grow(places)

    def grow(self, places: int) -> None:
        """See to it that there is room for this many keys. What was counted stays."""
        while self._blocks * _PLACES_A_BLOCK < places:
            self._table *= 2
            self._ages *= 2
            self._blocks *= 2
        if places > self.places:
            self.places = places
            period = SAMPLE_FACTOR * max(places, _PLACES_A_BLOCK)
            self._left += period - self._period
            self._period = period

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
        self._left -= 1
        if self._left <= 0:
            self._left = self._period
            self._rounds += 1

    def estimate(self, key_hash: int) -> int:
        """Tell how many uses were counted, each round of ageing having halved them."""
        table = self._table
        first, second, third, fourth = self._counters(key_hash)
        return min(table[first], table[second], table[third], table[fourth])

    def clear(self) -> None:
        """Forget all uses, and keep the room."""
        self._table = bytearray(len(self._table))
        self._ages = array("Q", bytes(8 * self._blocks))
        self._rounds = 0
        self._left = self._period

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
