"""Records: what is opened is what was sealed, by those who may, under its own key."""

import copy
import logging
import pickle
import sys
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.serializers import proofs
from asynccache.serializers.compression import NotInflatable, compression
from asynccache.serializers.envelope import (
    COMPRESS_ABOVE,
    STAMP,
    Envelope,
    Kind,
    Sealer,
    TooLarge,
    inflated_size,
    new_version,
    stamp,
    stamp_of,
)
from asynccache.serializers.proofs import REASONS, Unopenable
from asynccache.serializers.typed_json import Unencodable
from tests.serializers.envelopes import KEY, OTHER, SECRET, VERSION, envelope, envelopes, sealers, versions


def refused(sealer: Sealer, data: bytes, key: bytes = KEY) -> str:
    """The reason why a record is not opened."""
    with pytest.raises(Unopenable) as caught:
        sealer.open(key, data)
    assert caught.value.reason in REASONS
    return caught.value.reason


@given(sealers, st.binary(max_size=300), envelopes)
def test_what_is_opened_is_what_was_sealed(sealer: Sealer, key: bytes, sealed: Envelope) -> None:
    """Whatever the key and the envelope, compressed or not, signed or not."""
    opened = sealer.open(key, sealer.seal(key, sealed))
    assert opened == sealed
    assert type(opened.kind) is Kind


@given(envelopes, versions, sealers)
def test_the_stamp_is_of_the_kind_and_the_version_alone(sealed: Envelope, version: bytes, sealer: Sealer) -> None:
    """Two writers who seal the same version begin alike; another version or kind begins otherwise."""
    mine = stamp(sealer.seal(KEY, sealed._replace(version=version)))
    assert len(mine) == STAMP
    assert mine == stamp_of(sealed.kind, version) == stamp(Sealer().seal(b"", Envelope(sealed.kind, version, 0.0)))
    others = {stamp_of(kind, version) for kind in Kind} | {stamp_of(sealed.kind, bytes(8 * [version[0] ^ 1]))}
    assert len(others) == len(Kind) + 1


def test_versions_are_drawn_anew() -> None:
    """No two versions are the same, and each has the length of one."""
    drawn = {new_version() for _ in range(1_000)}
    assert len(drawn) == 1_000
    assert {len(version) for version in drawn} == {len(VERSION)}


@pytest.mark.parametrize("algorithm", ["zlib", "zstd"])
def test_a_long_payload_is_compressed(algorithm: Any) -> None:
    """From the threshold on, if that makes it smaller; and anybody opens it, whatever they compress with."""
    short, long = envelope(b"a" * (COMPRESS_ABOVE - 1)), envelope(b"a" * COMPRESS_ABOVE)
    plain, sealer = Sealer(), Sealer(compress=algorithm)
    assert len(sealer.seal(KEY, short)) == len(plain.seal(KEY, short))
    assert len(sealer.seal(KEY, long)) < len(plain.seal(KEY, long)) - 900
    assert plain.open(KEY, sealer.seal(KEY, long)) == long
    assert inflated_size(sealer.seal(KEY, long)) == COMPRESS_ABOVE
    noise = envelope(new_version() * 2)
    assert len(Sealer(compress=algorithm, compress_above=0).seal(KEY, noise)) == len(plain.seal(KEY, noise))


def test_a_record_is_good_under_its_own_key_only() -> None:
    """A record that is put under another key is refused, signed or not, also if one key begins with the other."""
    for sealer in (Sealer(), Sealer(secret=SECRET)):
        data = sealer.seal(KEY, envelope())
        for other in (b"", KEY[:-1], KEY + b"2", KEY + b"shop:tag:prices", b"shop:value:price:A2"):
            assert refused(sealer, data, other) == "key"


def test_with_a_secret_only_signed_records_are_opened() -> None:
    """An unsigned record is refused, also one that says it is signed, or that is signed with another secret."""
    signing, plain = Sealer(secret=SECRET), Sealer()
    unsigned = plain.seal(KEY, envelope())
    assert refused(signing, unsigned) == "unsigned"
    flagged = unsigned[:STAMP] + b"\x01" + unsigned[STAMP + 1 :]
    assert refused(signing, flagged) == "forged"
    assert refused(signing, Sealer(secret=OTHER).seal(KEY, envelope())) == "forged"
    assert refused(signing, Sealer(secret={7: SECRET}).seal(KEY, envelope())) == "secret"
    assert refused(signing, Sealer(secret={"0": SECRET}).seal(KEY, envelope())) == "secret"


def test_without_a_secret_signed_records_are_refused() -> None:
    """Nobody here can tell whether they are genuine."""
    assert refused(Sealer(), Sealer(secret=SECRET).seal(KEY, envelope())) == "signed"


def test_secrets_are_rotated() -> None:
    """The first secret signs, all verify; a program that has only the old one refuses what the new one signed."""
    old, both, new = Sealer(secret=SECRET), Sealer(secret={1: OTHER, 0: SECRET}), Sealer(secret={1: OTHER})
    assert both.open(KEY, old.seal(KEY, envelope())) == envelope()
    assert new.open(KEY, both.seal(KEY, envelope())) == envelope()
    assert both.open(KEY, new.seal(KEY, envelope())) == envelope()
    assert refused(old, both.seal(KEY, envelope())) == "secret"
    assert refused(new, old.seal(KEY, envelope())) == "secret"


def test_secrets_have_numbers_or_names() -> None:
    """Two programs that give a secret the same name understand each other."""
    named = Sealer(secret={"2026-11": SECRET})
    assert Sealer(secret={"2026-12": OTHER, "2026-11": SECRET}).open(KEY, named.seal(KEY, envelope())) == envelope()


def test_ids_that_cannot_be_told_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of names, records keep a hash of 31 bits; should two ever be the same, another name must be found."""
    monkeypatch.setattr(proofs, "_number", len)
    with pytest.raises(ValueError, match="write other names"):
        Sealer(secret={"one": SECRET, "two": OTHER})


def test_a_long_secret_counts_to_its_end() -> None:
    """Secrets that differ beyond the 64 bytes that the hash takes are different ones."""
    first, second = Sealer(secret=b"x" * 80 + b"1"), Sealer(secret=b"x" * 80 + b"2")
    assert first.open(KEY, first.seal(KEY, envelope())) == envelope()
    assert refused(second, first.seal(KEY, envelope())) == "forged"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"secret": b"fifteen bytes.."}, ValueError, "secrets.token_bytes"),
        ({"secret": {0: SECRET, 1: b"short"}}, ValueError, "at least 16"),
        ({"secret": {}}, ValueError, "secret=None"),
        ({"secret": "a text of enough characters"}, TypeError, "encode"),
        ({"secret": {0: "a text of enough characters"}}, TypeError, "encode"),
        ({"secret": {256: SECRET}}, ValueError, "0 to 255"),
        ({"secret": {-1: SECRET}}, ValueError, "0 to 255"),
        ({"secret": {True: SECRET}}, ValueError, "0 to 255"),
        ({"secret": {None: SECRET}}, ValueError, "0 to 255"),
        ({"compress": "gzip"}, ValueError, '"zlib", "zstd" or None'),
        ({"compress_above": -1}, ValueError, "compress_above"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes"),
        ({"max_value_bytes": 2**32}, ValueError, "max_value_bytes"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    """At once, with what to write instead, and without telling a secret."""
    with pytest.raises(error, match=words) as caught:
        Sealer(**options)
    assert "fifteen" not in str(caught.value)
    assert "a text" not in str(caught.value)


def test_zstd_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes with it is told at once; whoever reads takes the record for a miss."""
    data = Sealer(compress="zstd", compress_above=0).seal(KEY, envelope(b"a" * 100))
    for module in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"asynccache\[zstd\]"):
        Sealer(compress="zstd")
    assert refused(Sealer(), data) == "compression"


def test_what_would_not_be_opened_is_not_sealed() -> None:
    """A payload above the limit, and too many generations, are refused as what cannot be encoded is."""
    sealer = Sealer(max_value_bytes=100)
    assert sealer.open(KEY, sealer.seal(KEY, envelope(b"x" * 100))) == envelope(b"x" * 100)
    with pytest.raises(TooLarge, match="101 bytes"):
        sealer.seal(KEY, envelope(b"x" * 101))
    with pytest.raises(Unencodable, match="65536 generations"):
        sealer.seal(KEY, envelope()._replace(generations=((b"", VERSION),) * 65_536))


def test_versions_of_other_lengths_are_refused() -> None:
    """A version that was cut would compare wrong for ever."""
    with pytest.raises(ValueError, match="8 bytes, not 7"):
        Sealer().seal(KEY, envelope()._replace(version=b"1234567"))
    with pytest.raises(ValueError, match="8 bytes, not 9"):
        Sealer().seal(KEY, envelope()._replace(generations=((b"tag", b"123456789"),)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"created": nan},
        {"created": inf},
        {"created": -inf},
        {"fresh_until": nan},
        {"load_time": nan},
        {"load_time": -1.0},
        {"load_time": inf},
    ],
)
def test_times_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    """A record whose times would compare with nothing is not opened."""
    assert refused(Sealer(), Sealer().seal(KEY, envelope()._replace(**wrong))) == "parts"  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["zlib", "zstd"])
def test_only_what_was_compressed_is_inflated(algorithm: str) -> None:
    """Another length than was said, junk, and anything behind the end are refused."""
    method = compression(algorithm)
    data = method.compress(b"abc" * 100)
    assert method.inflate(data, 300) == b"abc" * 100
    for size in (0, 1, 299, 301, 2**32 - 1):
        with pytest.raises(NotInflatable):
            method.inflate(data, size)
    for junk in (b"", data[:-1], data + b"x", data + data, b"junk", bytes(100)):
        with pytest.raises(NotInflatable):
            method.inflate(junk, 300)
    assert method.inflate(method.compress(b""), 0) == b""


def test_nothing_private_shows(caplog: pytest.LogCaptureFixture) -> None:
    """Neither secrets, nor keys, nor payloads are in what is printed or raised, and nothing is logged."""
    caplog.set_level(logging.DEBUG)
    sealer = Sealer(secret={1: SECRET, 2: OTHER})
    data = sealer.seal(KEY, envelope())
    shown = [repr(sealer), repr(vars_of(sealer)), repr(envelope()), str(envelope())]
    for damaged in (data[:-1], data[:20], data[:-1] + b"\0", b"junk"):
        with pytest.raises(Unopenable) as caught:
            sealer.open(KEY, damaged)
        shown.append(repr(caught.value) + str(caught.value))
    for private in (SECRET, OTHER, KEY, b"price"):
        assert not [text for text in shown if private.decode() in text or private.hex() in text]
    assert caplog.text == ""
    assert repr(Sealer()) == "<Sealer, not signing>"


def vars_of(sealer: Sealer) -> list[object]:
    """What an object with slots holds, and what that holds."""
    held = [getattr(sealer, name) for name in Sealer.__slots__]
    return [*held, *(getattr(part, name) for part in held for name in getattr(type(part), "__slots__", ()))]


def test_the_error_can_be_copied() -> None:
    """As errors are when they pass between processes."""
    for again in (copy.copy(Unopenable("key")), pickle.loads(pickle.dumps(Unopenable("key")))):
        assert (type(again), again.reason, str(again)) == (Unopenable, "key", str(Unopenable("key")))
