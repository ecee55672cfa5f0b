"""The end of a record, which vouches for all the rest of it: a checksum, or a signature.

Decides whose records are believed. A checksum finds damage; whoever can write to the store can write one. A signature
is keyed BLAKE2b (RFC 7693), and there is nothing else to choose: what proves a record is settled by the secrets that a
reader has, and the record has no say in it. With a secret only signed records are believed, without one only unsigned.
"""

import zlib
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, Literal, TypeAlias, cast, get_args

SIGNED: Final = 1
"""The flag of records that are signed."""

_MAC: Final = 16
_CRC: Final = 4
_SHORTEST: Final = 16
_COPIED_BELOW: Final = 16_384
"""Bytes up to which copying a part of a record is cheaper than a view of it."""

Secrets: TypeAlias = bytes | Mapping[int, bytes] | Mapping[str, bytes] | Mapping[int | str, bytes]
"""One secret, or several by id; the first signs."""

Reason: TypeAlias = Literal[
    "length", "magic", "format", "unsigned", "signed", "secret", "damaged", "forged", "key", "size", "compression",
    "parts",
]  # fmt: skip

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""Why a record is not believed: cut or too long; of another program; of another format; not signed, though it must be;
signed, though there is no secret to see by; signed with an unknown secret; damaged; its signature is wrong; of another
key; too large; compressed in a way that is not to be had here; with parts that no record has."""


class Unopenable(ValueError):
    """Raised for bytes that are not believed. The message tells nothing of what they say.

    Attributes:
        reason: one of `REASONS`, for counters.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"not a record to be believed ({reason})")
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[type["Unopenable"], tuple[Reason]]:
        return type(self), (self.reason,)


def proof(secret: Secrets | None) -> "Checksum | Signature":
    """Give what proves records to those who have these secrets; of the secrets themselves nothing is kept.

    Args:
        secret: None for a checksum. Bytes are a secret with the id 0. Of several by id, the first signs.

    Raises:
        TypeError, ValueError: it is no such thing; the message says what to write, and nothing of a secret.
    """
    if secret is None:
        return Checksum()
    if isinstance(secret, Mapping):
        return Signature(_keyed(cast("Mapping[Any, Any]", secret)))
    return Signature(_keyed({0: secret}))


class Checksum:
    """CRC-32: finds damage.

    Attributes:
        flag: 0, as such records are not signed.
        secret: 0, as there is none.
    """

    __slots__ = ()

    flag: Final = 0
    secret: Final = 0

    def __repr__(self) -> str:
        return "not signing"

    def make(self, head: bytes, payload: bytes) -> bytes:
        """Give the end of a record that consists of these two."""
        return zlib.crc32(payload, zlib.crc32(head)).to_bytes(_CRC, "big")

    def check(self, data: bytes, flags: int, secret: int) -> int:
        """See that nobody has touched a record, and give the index where its end begins.

        Args:
            data: the record, which may be shorter than any should be.
            flags, secret: what it says of itself.

        Raises:
            Unopenable: it is not to be believed.
        """
        if flags & SIGNED:
            raise Unopenable("signed")
        end = len(data) - _CRC
        if secret or zlib.crc32(_before(data, end)) != int.from_bytes(data[end:], "big"):
            raise Unopenable("damaged")
        return end


class Signature:
    """Keyed BLAKE2b. A state of the hash that has taken in the key already is copied: a third less time.

    Attributes:
        flag: `SIGNED`.
        secret: what stands for the id of the secret that signs.
    """

    __slots__ = ("_by_id", "_signing", "secret")

    flag: Final = SIGNED

    def __init__(self, by_id: "Mapping[int, blake2b]") -> None:
        self._by_id = by_id
        self.secret, self._signing = next(iter(by_id.items()))

    def __repr__(self) -> str:
        return "signing"

    def make(self, head: bytes, payload: bytes) -> bytes:
        """Give the end of a record that consists of these two."""
        mac = self._signing.copy()
        mac.update(head)
        mac.update(payload)
        return mac.digest()

    def check(self, data: bytes, flags: int, secret: int) -> int:
        """See that nobody has touched a record, and give the index where its end begins.

        Args:
            data: the record, which may be shorter than any should be.
            flags, secret: what it says of itself.

        Raises:
            Unopenable: it is not to be believed.
        """
        if not flags & SIGNED:
            raise Unopenable("unsigned")
        keyed = self._by_id.get(secret)
        if keyed is None:
            raise Unopenable("secret")
        end = len(data) - _MAC
        mac = keyed.copy()
        mac.update(_before(data, end))
        if not compare_digest(mac.digest(), data[end:]):
            raise Unopenable("forged")
        return end


def _before(data: bytes, end: int) -> bytes | memoryview:
    """All of a record that its end vouches for."""
    return data[:end] if end < _COPIED_BELOW else memoryview(data)[:end]


def _keyed(secrets: Mapping[Any, Any]) -> "dict[int, blake2b]":
    """A state of the hash for each secret, by what stands for its id in a record."""
    if not secrets:
        raise ValueError("secret has no entries: write secret=None to sign nothing")
    states: dict[int, blake2b] = {}
    for identity, secret in secrets.items():
        if type(secret) is not bytes:
            raise TypeError(f"a secret is bytes, not {type(secret).__name__}: write secret=text.encode()")
        if len(secret) < _SHORTEST:
            raise ValueError(
                f"a secret of {len(secret)} bytes can be guessed: write one of at least {_SHORTEST},"
                " such as secrets.token_bytes(32) gives, and keep it with your other secrets"
            )
        key = secret if len(secret) <= blake2b.MAX_KEY_SIZE else blake2b(secret).digest()
        states[_number(identity)] = blake2b(digest_size=_MAC, key=key, person=b"asynccache-1")
    if len(states) < len(secrets):
        raise ValueError("two ids of secrets cannot be told apart: write other names, or numbers")
    return states


def _number(identity: object) -> int:
    """What stands for the id of a secret in a record: a number for itself, a name for its hash."""
    if type(identity) is int and 0 <= identity <= 255:
        return identity
    if type(identity) is str:
        return int.from_bytes(blake2b(identity.encode(), digest_size=4).digest(), "big") | 0x8000_0000
    raise ValueError("the id of a secret is a number from 0 to 255, or a name")
