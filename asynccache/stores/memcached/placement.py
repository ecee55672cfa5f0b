"""Which node a key is on: rendezvous hashing (D. Thaler, C. Ravishankar, 1998).

Pure. Every key ranks all nodes by a hash of both, and is on the first. A node that is added or removed moves only the
keys that it gets or had: of three nodes, a third. With weights, after J. Schindler and others, "Weighted Distributed
Hash Tables", 2005: a node gets keys in proportion to its weight.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Final

_MASK: Final = 2**64 - 1
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
"""The multipliers of splitmix64's last step (G. Steele and others, 2014)."""


class Placement:
    """Tells for each key on which of some nodes it is.

    The order in which nodes are given does not matter, so that two programs which write it differently agree.

    Args:
        names: of the nodes.
        weights: of each, in the same order; larger than 0.
    """

    def __init__(self, names: Sequence[str], weights: Sequence[float] | None = None) -> None:
        self._nodes = [
            (_hash(name.encode()), weight, index)
            for index, (name, weight) in enumerate(zip(names, weights or [1.0] * len(names), strict=True))
        ]

    def place(self, key: bytes) -> int:
        """Give the index of the node that a key is on."""
        if len(self._nodes) == 1:
            return 0
        hashed = _hash(key)
        return max((weight / -math.log(_unit(hashed ^ seed)), seed, index) for seed, weight, index in self._nodes)[2]


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _unit(seed: int) -> float:
    """Mix 64 bits well, into a number between 0 and 1, without both."""
    seed = (seed ^ (seed >> 30)) * _MIX_1 & _MASK
    seed = (seed ^ (seed >> 27)) * _MIX_2 & _MASK
    return (((seed ^ (seed >> 31)) >> 12) + 0.5) / 2**52  # 53 bits: what a float holds exactly
