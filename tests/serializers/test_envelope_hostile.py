"""Records from whoever can write to the store: none of them is opened as what nobody sealed."""

import random
import struct
import tracemalloc
import zlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.serializers.compression import compression
from asynccache.serializers.envelope import LARGEST, STAMP, Envelope, Kind, Sealer
from asynccache.serializers.proofs import Unopenable
from tests.serializers.envelopes import KEY, SECRET, envelope, envelopes, sealers

MEBIBYTE: Final = 1024 * 1024
HEADER: Final = struct.Struct(">4sBB8sBBIdddIHII")
"""The beginning of a record, as the format is documented."""

WAYS: Final = [
    Sealer(),
    Sealer(compress="zlib", compress_above=16),
    Sealer(compress="zstd", compress_above=16),
    Sealer(secret=SECRET),
    Sealer(secret=SECRET, compress="zlib", compress_above=16),
]


def opened(sealer: Sealer, data: bytes) -> Envelope | None:
    """What these bytes are taken for; anything raised but `Unopenable` fails the test."""
    try:
        return sealer.open(KEY, data)
    except Unopenable:
        return None


def forged(**changes: object) -> bytes:
    """A record with some fields of its header replaced, and a checksum that fits: anybody can write one."""
    names = [
        "magic", "format", "kind", "version", "flags", "codec", "secret", "created", "fresh_until", "load_time",
        "key", "count", "stored", "size",
    ]  # fmt: skip
    payload = changes.pop("payload", b"payload")
    assert isinstance(payload, bytes)
    plain = Sealer().seal(KEY, Envelope(Kind.VALUE, b"8 bytes.", 1.0, payload=payload))
    fields = dict(zip(names, HEADER.unpack_from(plain), strict=True)) | changes
    body = HEADER.pack(*fields.values()) + plain[HEADER.size : -4]
    return body + zlib.crc32(body).to_bytes(4, "big")


def test_the_forger_knows_the_format() -> None:
    """Otherwise the tests with forged records would say nothing."""
    genuine = Sealer().seal(KEY, Envelope(Kind.VALUE, b"8 bytes.", 1.0, payload=b"payload"))
    assert forged() == genuine
    assert opened(Sealer(), forged(codec=7)) == Envelope(Kind.VALUE, b"8 bytes.", 1.0, codec=7, payload=b"payload")


@pytest.mark.parametrize("sealer", WAYS, ids=range(len(WAYS)))
def test_each_flipped_bit_is_noticed(sealer: Sealer) -> None:
    """One bit anywhere is wrong: the record is refused. CRC-32 finds all such errors, a MAC any."""
    data = sealer.seal(KEY, envelope(b"the price is 5 " * 4))
    assert opened(sealer, data) is not None
    flips = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    assert [flip for flip in flips if opened(sealer, flip) is not None] == []


@pytest.mark.parametrize("sealer", WAYS, ids=range(len(WAYS)))
def test_each_cut_and_each_addition_is_noticed(sealer: Sealer) -> None:
    """A record that lost its end or its beginning, or that has something before or behind it, is refused."""
    data = sealer.seal(KEY, envelope(b"the price is 5 " * 4))
    wrong = [data[:at] for at in range(len(data))] + [data[at:] for at in range(1, len(data))]
    wrong += [data + b"\0", data + data, data + data[-4:], b"\0" + data, data[:50] + b"\0" + data[50:]]
    assert [one for one in wrong if opened(sealer, one) is not None] == []


@given(sealers, envelopes, st.data())
def test_a_damaged_record_is_never_another(sealer: Sealer, sealed: Envelope, draw: st.DataObject) -> None:
    """Some bytes replaced by others, few or many: it is refused, or nothing was changed."""
    data = sealer.seal(KEY, sealed)
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    changed = data[:start] + draw.draw(st.binary(max_size=40)) + data[end:]
    assert opened(sealer, changed) in ([sealed] if changed == data else [None])


@given(sealers, st.binary(max_size=300))
def test_any_bytes_are_refused(sealer: Sealer, junk: bytes) -> None:
    """What no Sealer wrote, also if it begins as a record does, is refused in the one way."""
    genuine = sealer.seal(KEY, envelope())
    for data in (junk, genuine[:STAMP] + junk, genuine[:4] + junk):
        assert opened(sealer, data) is None


@given(st.data())
def test_a_forged_header_raises_nothing_else(draw: st.DataObject) -> None:
    """Whoever knows the format can make the checksum fit; lengths and flags that lie are found out all the same."""
    sizes = st.integers(0, 2**32 - 1) | st.integers(0, 40)
    lies = {"kind": st.integers(0, 255), "flags": st.integers(0, 255), "count": st.integers(0, 2**16 - 1)}
    lies |= dict.fromkeys(("key", "stored", "size"), sizes)
    chosen = draw.draw(st.fixed_dictionaries({}, optional=lies))
    record = opened(Sealer(), forged(payload=draw.draw(st.binary(max_size=60)), **chosen))
    assert record is None or len(record.payload) <= 60


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"magic": b"\xacchf"}, "magic"),
        ({"format": 2}, "format"),
        ({"format": 0}, "format"),
        ({"kind": 0}, "parts"),
        ({"kind": 5}, "parts"),
        ({"flags": 8}, "parts"),
        ({"flags": 6}, "parts"),
        ({"flags": 2}, "parts"),
        ({"flags": 1}, "signed"),
        ({"secret": 1}, "damaged"),
        ({"key": 18}, "key"),
        ({"key": 2**32 - 1}, "key"),
        ({"count": 1}, "length"),
        ({"count": 65_535}, "length"),
        ({"stored": 6}, "length"),
        ({"stored": 2**32 - 1, "size": 2**32 - 1}, "length"),
        ({"size": 6}, "parts"),
        ({"size": LARGEST + 1}, "size"),
    ],
)
def test_lies_have_their_reasons(changes: dict[str, object], reason: str) -> None:
    """What a counter will say of a record that somebody made."""
    with pytest.raises(Unopenable) as caught:
        Sealer().open(KEY, forged(**changes))
    assert caught.value.reason == reason


def test_short_bytes_have_their_reasons() -> None:
    """What is not even a header is of another program, of another format, or cut."""
    reasons: list[str] = []
    later = b"\xacche\x02"
    for data in (b"", b"\xacc", forged()[:40], b"{", b"\x80\x05\x95" + bytes(60), later, later + bytes(80)):
        with pytest.raises(Unopenable) as caught:
            Sealer().open(KEY, data)
        reasons.append(caught.value.reason)
    assert reasons == ["length", "length", "length", "magic", "magic", "format", "format"]


@pytest.mark.parametrize(("name", "flag"), [("zlib", 2), ("zstd", 4)])
def test_a_bomb_takes_no_more_room_than_allowed(name: str, flag: int) -> None:
    """Kilobytes that inflate to 64 MiB are refused if they say so; if they lie, they get the room that they said."""
    payload = compression(name).compress(bytes(64 * MEBIBYTE))
    assert len(payload) < MEBIBYTE // 2
    sealer = Sealer(max_value_bytes=MEBIBYTE)
    for size in (64 * MEBIBYTE, 2**32 - 1, MEBIBYTE, 1_000, 0):
        data = forged(payload=payload, flags=flag, stored=len(payload), size=size)
        tracemalloc.start()
        try:
            assert opened(sealer, data) is None
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * MEBIBYTE, f"{name}, {size} bytes said: {peak} taken"


def test_a_signed_record_is_inflated_after_it_is_verified() -> None:
    """Nothing of an attacker's bytes reaches the decompressor."""
    sealer = Sealer(secret=SECRET, compress="zlib", compress_above=0)
    data = bytearray(sealer.seal(KEY, envelope(b"a" * 1_000)))
    data[-20] ^= 1  # inside of what is compressed
    with pytest.raises(Unopenable) as caught:
        sealer.open(KEY, bytes(data))
    assert caught.value.reason == "forged"


def test_random_bytes_do_not_pass_for_a_signature() -> None:
    """No short cut through guessing, such as an empty signature or one of another length."""
    sealer, drawn = Sealer(secret=SECRET), random.Random(5)
    data = sealer.seal(KEY, envelope())
    for length in (0, 1, 8, 15, 16, 17, 32):
        for _ in range(50):
            assert opened(sealer, data[:-16] + drawn.randbytes(length)) is None
