"""Records of format 1 as they were written once: whatever becomes of the code, they are read, or their format is over.

The files are never written again. When a format comes to an end, a folder for the next one is begun by calling
`write_goldens` once, by hand.
"""

from decimal import Decimal
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pytest

from asynccache.serializers.codecs import Codec, codec_for, decode_error, encode_error
from asynccache.serializers.envelope import FORMAT, STAMP, Envelope, Kind, Sealer, stamp_of

FOLDER: Final = Path(__file__).parents[1] / "golden" / f"envelope-{FORMAT}"
SECRETS: Final = {"golden": b"no secret, as it is written here", "older": b"nor is this, for the same reason"}
KEY: Final = b"golden:\x00\r\n\xff key"
VERSION: Final = b"\x00golden\xff"
GENERATIONS: Final = ((b"golden:tag:first", b"version1"), (b"golden:all", b"version2"))


class Price(NamedTuple):
    """A type of values; its fields are part of what is kept."""

    sku: str
    amount: Decimal


VALUES: Final[dict[str, tuple[str, object, Any]]] = {
    "json": ("json", {"name": "Zoë", "tags": ["a", "b"] * 8, "at": (1, 2.5, None, True, b"\xff")}, Any),
    "msgpack": ("msgpack", {"name": "Zoë", "tags": ["a", "b"] * 8, "at": (1, 2.5, None, True, b"\xff")}, Any),
    "bytes": ("bytes", b"bytes, \x00 to \xff" * 4, Any),
    "pickle": ("pickle", {"name": "Zoë", "amounts": [Decimal("1.50")] * 8}, Any),
    "json-typed": ("json", [Price("A1", Decimal("1.50")), Price("A2", Decimal("-0"))] * 2, list[Price]),
    "msgpack-typed": ("msgpack", [Price("A1", Decimal("1.50")), Price("A2", Decimal("-0"))] * 2, list[Price]),
}
"""For each golden codec: its name, a value, and the type of values that it is made for."""

COMPRESSIONS: Final[tuple[Literal["zlib", "zstd"] | None, ...]] = (None, "zlib", "zstd")


class Golden(NamedTuple):
    """One file."""

    name: str
    sealer: Sealer
    sealed: Envelope


def codec_of(name: str) -> Codec:
    """The codec by which a golden value was written."""
    codec, _value, value_type = VALUES[name]
    return codec_for(codec, value_type, signed=True)


def goldens() -> list[Golden]:
    """Every kind of record, with every codec, signed and not, compressed and not."""
    found: list[Golden] = []
    error = encode_error(LookupError("no such price", 404), [LookupError])
    for is_signed, algorithm in product((False, True), COMPRESSIONS):
        sealer = Sealer(secret=SECRETS if is_signed else None, compress=algorithm, compress_above=0)
        way = f"{'signed' if is_signed else 'unsigned'}-{algorithm or 'plain'}"
        for name, (_codec, value, _type) in VALUES.items():
            payload = codec_of(name).encode(value)
            sealed = Envelope(Kind.VALUE, VERSION, 1_700_000_000.5, 1e9, 0.25, GENERATIONS, codec_of(name).id, payload)
            found.append(Golden(f"value-{name}-{way}", sealer, sealed))
        sealed = Envelope(Kind.ERROR, VERSION, 1.0, inf, 0.0, (), codec_of("json").id, (error or b"") * 4)
        found.append(Golden(f"error-{way}", sealer, sealed))
        found += [
            Golden(f"{kind.name.lower()}-{way}", sealer, Envelope(kind, VERSION, -1.5)) for kind in list(Kind)[2:]
        ]
    return found


def is_ours(name: str) -> bool:
    """Whether all bytes of a record are ours to choose: compressors and pickle may have better ones one day."""
    return "plain" in name and "pickle" not in name


def write_goldens() -> None:
    """Write all files, as the code of the day seals them. No test calls this."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for golden in goldens():
        (FOLDER / golden.name).write_bytes(golden.sealer.seal(KEY, golden.sealed))


@pytest.mark.parametrize("golden", goldens(), ids=lambda golden: golden.name)
def test_what_was_kept_is_read(golden: Golden) -> None:
    """A record of an earlier release is opened, and its payload is decoded to the very value."""
    kept = (FOLDER / golden.name).read_bytes()
    opened = golden.sealer.open(KEY, kept)
    assert opened[:7] == golden.sealed[:7]
    assert kept[:STAMP] == stamp_of(opened.kind, VERSION)
    if opened.kind is Kind.VALUE:
        name = golden.name.removeprefix("value-").rsplit("-", 2)[0]
        value = codec_of(name).decode(opened.payload)
        assert (value, repr(value)) == (VALUES[name][1], repr(VALUES[name][1]))
    else:
        assert opened.payload == golden.sealed.payload


def test_the_golden_error_is_read() -> None:
    """A remembered exception of an earlier release is the same exception."""
    opened = Sealer().open(KEY, (FOLDER / "error-unsigned-plain").read_bytes())
    error = decode_error(opened.payload[: len(opened.payload) // 4], [LookupError])
    assert repr(error) == "LookupError('no such price', 404)"


@pytest.mark.parametrize("golden", [one for one in goldens() if is_ours(one.name)], ids=lambda golden: golden.name)
def test_the_format_is_written_as_ever(golden: Golden) -> None:
    """An earlier release reads what is written today, as that is the same bytes."""
    assert golden.sealer.seal(KEY, golden.sealed) == (FOLDER / golden.name).read_bytes()


def test_there_is_a_file_for_everything() -> None:
    """And none besides."""
    assert {path.name for path in FOLDER.iterdir()} == {golden.name for golden in goldens()}
