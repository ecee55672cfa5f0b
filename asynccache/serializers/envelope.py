"""What stands around a value in a store: whose it is, how long it is good, and that nobody has touched it.

Decides the format of what is kept in stores, and when such bytes are believed. A record, all numbers big-endian:

    magic 4 · format 1 · kind 1 · version 8 · flags 1 · codec 1 · id of the secret 4 · created 8 · fresh until 8 ·
    load time 8 · length of the key 4 · number of generations 2 · length of the payload 4 · its length inflated 4 ·
    key · generations (length of the key 4 · version 8 · key, each) · payload · CRC-32 4, or MAC 16

The first 14 bytes, the stamp, tell one record from the next: that is what conditions of stores compare. The end vouches
for all that comes before it, the key included, so that a record cannot be passed off as another's. What is in a
payload, the codecs decide; what a record means, the floors above.
"""

import os
import struct
from collections.abc import Mapping
from enum import IntEnum
from math import inf, isfinite, isnan
from typing import Final, NamedTuple

from asynccache.serializers.compression import Algorithm, Compression, NotInflatable, compression
from asynccache.serializers.proofs import SIGNED, Reason, Secrets, Unopenable, proof
from asynccache.serializers.typed_json import Unencodable

FORMAT: Final = 1
"""The version of the format; records of others are not read."""

STAMP: Final = 14
"""Bytes at the beginning of a record that tell it from every other."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an inflated payload that are taken unless told otherwise."""

COMPRESS_ABOVE: Final = 1_024
"""Bytes of a payload from which on it is compressed unless told otherwise: below, little is saved."""

_MAGIC: Final = b"\xacche"  # not how JSON, msgpack or pickle begin
_FORMAT: Final = bytes([FORMAT])
_VERSION: Final = 8
_MOST_GENERATIONS: Final = 0xFFFF

_HEADER: Final = struct.Struct(">4sBB8sBBIdddIHII")
_GENERATION: Final = struct.Struct(">I8s")
_pack: Final = _HEADER.pack
_unpack: Final = _HEADER.unpack_from

_ZLIB: Final = 2
_ZSTD: Final = 4
_FLAGS: Final[Mapping[str, int]] = {"zlib": _ZLIB, "zstd": _ZSTD}
_ALGORITHMS: Final[Mapping[int, Algorithm]] = {_ZLIB: "zlib", _ZSTD: "zstd"}


class Kind(IntEnum):
    """What a record stands for."""

    VALUE = 1
    ERROR = 2
    TOMBSTONE = 3
    GENERATION = 4


_KINDS: Final = {int(kind): kind for kind in Kind}


class TooLarge(Unencodable):
    """Raised for a payload that is larger than what would be opened again."""


class Envelope(NamedTuple):
    """What is kept of one key. A tuple, as that is the quickest to make; `_replace` gives a changed one.

    Attributes:
        kind: what it stands for.
        version: 8 random bytes, of `new_version`: no two records have the same.
        created: when its load began or it was set, in seconds since 1970.
        fresh_until: seconds since 1970; inf for ever.
        load_time: seconds that the load took.
        generations: the keys of records that it depends on, each with the version that it had when the load began.
        codec: the id of the one that wrote the payload; 0 for none.
        payload: the value, as the codec wrote it.
    """

    kind: Kind
    version: bytes
    created: float
    fresh_until: float = inf
    load_time: float = 0.0
    generations: tuple[tuple[bytes, bytes], ...] = ()
    codec: int = 0
    payload: bytes = b""

    def __repr__(self) -> str:
        return f"<Envelope {self.kind.name}, {len(self.payload)} bytes>"  # what is in it is private


def new_version() -> bytes:
    """Draw a version: 8 bytes that nobody else has."""
    return os.urandom(_VERSION)


def stamp(data: bytes) -> bytes:
    """Give the beginning of a record, which no other record has: what conditions of stores compare."""
    return data[:STAMP]


def stamp_of(kind: Kind, version: bytes) -> bytes:
    """Give the beginning that a record of that kind and version has."""
    return b"%b%c%c%b" % (_MAGIC, FORMAT, kind, version)


def inflated_size(data: bytes) -> int:
    """Give the length that a record says its payload has when inflated; whether that is true, `Sealer.open` sees."""
    return int.from_bytes(data[_HEADER.size - 4 : _HEADER.size], "big")


class Sealer:
    """Makes records of envelopes, and envelopes of records that are to be believed. Used from several threads at once.

    Args:
        secret: signs and verifies, at least 16 bytes. Several by id (0 to 255, or a name): the first signs, all
            verify, so a new one is put in front and the old one left in until nothing of it is kept any more. A secret
            without an id has 0. None: records are protected against damage, not against malice.
        compress: the algorithm for payloads; records that another one compressed are opened all the same.
        compress_above: bytes of a payload from which on it is compressed, if that makes it smaller.
        max_value_bytes: the largest payload, inflated, that is sealed or opened.

    Raises:
        TypeError, ValueError: an option is no such thing; the message says what to write, and nothing of a secret.
        ImportError: the algorithm needs a package that is missing.
    """

    __slots__ = ("_above", "_compressing", "_flag", "_largest", "_opening", "_proof")

    def __init__(
        self,
        *,
        secret: Secrets | None = None,
        compress: Algorithm | None = None,
        compress_above: int = COMPRESS_ABOVE,
        max_value_bytes: int = LARGEST,
    ) -> None:
        if not 0 < max_value_bytes <= 0xFFFF_FFFF:
            raise ValueError(f"max_value_bytes must be from 1 to 4294967295, not {max_value_bytes!r}")
        if compress_above < 0:
            raise ValueError(f"compress_above must not be negative: {compress_above!r}")
        self._proof = proof(secret)
        self._largest = max_value_bytes
        self._above = compress_above
        self._compressing = None if compress is None else compression(compress)
        self._flag = 0 if compress is None else _FLAGS[compress]
        self._opening: dict[int, Compression] = {}
        if self._compressing is not None:
            self._opening[self._flag] = self._compressing

    def __repr__(self) -> str:
        return f"<Sealer, {self._proof!r}>"

    def seal(self, key: bytes, envelope: Envelope) -> bytes:
        """Make a record.

        Args:
            key: what it will be kept under.
            envelope: what to keep.

        Raises:
            TooLarge: the payload is larger than `max_value_bytes`, or there are more than 65,535 generations.
            ValueError: a version is not 8 bytes.
        """
        kind, version, created, fresh_until, load_time, generations, codec, payload = envelope
        size = len(payload)
        if size > self._largest or len(generations) > _MOST_GENERATIONS:
            raise TooLarge(f"{size} bytes, or {len(generations)} generations, are too much for a record")
        if len(version) != _VERSION:
            raise ValueError(f"a version has {_VERSION} bytes, not {len(version)}")
        flags = self._proof.flag
        if self._compressing is not None and size >= self._above:
            smaller = self._compressing.compress(payload)
            if len(smaller) < size:
                payload = smaller
                flags |= self._flag
        head = _pack(
            _MAGIC, FORMAT, kind, version, flags, codec, self._proof.secret, created, fresh_until, load_time,
            len(key), len(generations), len(payload), size,
        ) + key  # fmt: skip
        if generations:
            head += _packed(generations)
        return b"".join((head, payload, self._proof.make(head, payload)))

    def open(self, key: bytes, data: bytes) -> Envelope:
        """Make an envelope of a record, if it is to be believed.

        Args:
            key: what it was kept under.
            data: what was kept there.

        Raises:
            Unopenable: it is not; nothing else is raised, whatever the bytes.
        """
        try:
            (
                magic, version_of_format, number, version, flags, codec, secret, created, fresh_until, load_time,
                key_size, count, stored, size,
            ) = _unpack(data)  # fmt: skip
        except struct.error:
            raise Unopenable(_why_no_header(data)) from None
        if magic != _MAGIC or version_of_format != FORMAT:
            raise Unopenable(_why_no_header(data))
        end = self._proof.check(data, flags, secret)
        start = _HEADER.size + key_size
        if key_size != len(key) or not data.startswith(key, _HEADER.size):
            raise Unopenable("key")
        generations: tuple[tuple[bytes, bytes], ...] = ()
        if count == 1:  # as most have, and the loop takes its time
            begin = start + _GENERATION.size
            if begin > end:
                raise Unopenable("length")
            name_size, generation = _GENERATION.unpack_from(data, start)
            start = begin + name_size
            generations = ((data[begin:start], generation),)
        elif count:
            generations, start = _unpacked(data, start, end, count)
        if start + stored != end:
            raise Unopenable("length")
        if size > self._largest:
            raise Unopenable("size")
        kind = _KINDS.get(number)
        if kind is None or isnan(fresh_until) or not (isfinite(created) and 0 <= load_time < inf):
            raise Unopenable("parts")
        payload = data[start:end]
        if flags > SIGNED:
            payload = self._inflated(payload, flags & ~SIGNED, size)
        elif stored != size:
            raise Unopenable("parts")
        return Envelope(kind, version, created, fresh_until, load_time, generations, codec, payload)

    def _inflated(self, payload: bytes, flag: int, size: int) -> bytes:
        algorithm = _ALGORITHMS.get(flag)
        if algorithm is None:
            raise Unopenable("parts")
        try:
            inflating = self._opening.get(flag)
            if inflating is None:
                inflating = self._opening[flag] = compression(algorithm)
            return inflating.inflate(payload, size)
        except NotInflatable:
            raise Unopenable("parts") from None
        except ImportError:
            raise Unopenable("compression") from None


def _why_no_header(data: bytes) -> Reason:
    """Why these bytes cannot be read any further."""
    if data[:4] != _MAGIC[: len(data)]:
        return "magic"
    return "length" if len(data) < _HEADER.size and data[4:5] in {b"", _FORMAT} else "format"


def _packed(generations: tuple[tuple[bytes, bytes], ...]) -> bytes:
    parts: list[bytes] = []
    for key, version in generations:
        if len(version) != _VERSION:
            raise ValueError(f"a version has {_VERSION} bytes, not {len(version)}")
        parts += (_GENERATION.pack(len(key), version), key)
    return b"".join(parts)


def _unpacked(data: bytes, start: int, end: int, count: int) -> tuple[tuple[tuple[bytes, bytes], ...], int]:
    """The generations, and the index where they end."""
    generations: list[tuple[bytes, bytes]] = []
    for _ in range(count):
        begin = start + _GENERATION.size
        if begin > end:
            raise Unopenable("length")
        size, version = _GENERATION.unpack_from(data, start)
        start = begin + size  # if that is too far, the next round or the caller sees it
        generations.append((data[begin:start], version))
    return tuple(generations), start
