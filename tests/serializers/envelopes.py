"""Envelopes to seal, and what the tests of them have in common."""

from math import inf
from typing import Final

from hypothesis import strategies as st

from asynccache.serializers.envelope import Envelope, Kind, Sealer

SECRET: Final = b"one that nobody could ever guess"
OTHER: Final = b"another that nobody could guess."
BOTH: Final[dict[int | str, bytes]] = {"new": OTHER, 0: SECRET}
KEY: Final = b"shop:value:price:A1"
VERSION: Final = bytes(range(8))

finite: Final = st.floats(allow_nan=False, allow_infinity=False)
versions: Final = st.binary(min_size=8, max_size=8)
envelopes: Final = st.builds(
    Envelope,
    kind=st.sampled_from(Kind),
    version=versions,
    created=finite,
    fresh_until=st.floats(allow_nan=False),
    load_time=st.floats(0, allow_nan=False, allow_infinity=False),
    generations=st.lists(st.tuples(st.binary(max_size=20), versions), max_size=3).map(tuple),
    codec=st.integers(0, 255),
    payload=st.binary(max_size=200) | st.binary(max_size=20).map(lambda part: part * 100),
)
sealers: Final = st.sampled_from([
    Sealer(),
    Sealer(compress="zlib", compress_above=64),
    Sealer(compress="zstd", compress_above=64),
    Sealer(secret=SECRET),
    Sealer(secret=SECRET, compress="zlib", compress_above=64),
    Sealer(secret=BOTH, compress="zstd", compress_above=64),
])  # fmt: skip


def envelope(payload: bytes = b"the price is 5", *, kind: Kind = Kind.VALUE) -> Envelope:
    """An envelope with all that one can have."""
    generations = ((b"shop:tag:prices", b"gen-0001"), (b"shop:all", b"gen-0002"))
    return Envelope(kind, VERSION, 1_700_000_000.25, inf, 0.125, generations, 1, payload)
