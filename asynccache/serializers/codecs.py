"""Values as payloads and back: one codec each for JSON, msgpack, bytes and pickle, and how one is chosen.

Decides what each codec takes, and by which number records name it. All but pickle read untrusted bytes, make plain
values or the one type that they were made for, and run nothing that the bytes ask for. Pickle runs whatever the bytes
say, so it is only to be had where records are signed.
"""

import json
import pickle
from typing import Any, Final, NoReturn, Protocol, cast

from asynccache.serializers import typed_json
from asynccache.serializers.remembered_errors import decode_error, encode_error
from asynccache.serializers.shapes import Shape, name_of
from asynccache.serializers.typed_json import Undecodable, Unencodable
from asynccache.serializers.value_types import value_type as typed_by

__all__ = [
    "BytesCodec",
    "Codec",
    "JsonCodec",
    "NAMES",
    "PickleCodec",
    "TypedCodec",
    "codec_for",
    "decode_error",
    "encode_error",
]

NAMES: Final = ("json", "msgpack", "bytes", "pickle")
"""The codecs that there are."""

_TYPED: Final = 16
"""Added to the id of a codec that writes classes as plain data."""


class Codec(Protocol):
    """Writes values and reads them. Used from several threads at once."""

    id: int
    """The number by which records name it, from 1 to 255."""

    def encode(self, value: Any) -> bytes:
        """Write a value.

        Raises:
            Unencodable: it could not be read back as it is; the message names types, never values.
        """
        ...

    def decode(self, data: bytes) -> object:
        """Read what `encode` wrote: an equal value, of the very same types.

        Raises:
            Undecodable: it did not write this. No other error is raised, whatever the bytes.
        """
        ...


def codec_for(name: str, value_type: object = Any, *, signed: bool = False) -> Codec:
    """Choose a codec.

    Args:
        name: "json", "msgpack" (needs the extra `msgspec`), "bytes" for values that are bytes already, or "pickle".
        value_type: what the values are, as an annotation says it. Classes, such as dataclasses and models, can only be
            written if it names them. `Any` and annotations without them are written as they are.
        signed: whether records are signed, which pickle asks for.

    Raises:
        ValueError: there is no such codec, or it is pickle unsigned.
        TypeError: it cannot write values of that type; the message says what to write.
        ImportError: it needs a package that is missing.
    """
    if name == "bytes":
        if not any(value_type is taken for taken in (Any, object, bytes)):
            raise TypeError(f'codec="bytes" takes bytes and nothing else: write codec="json" for {value_type!r}')
        return BytesCodec()
    if name == "pickle":
        if not signed:
            raise ValueError('codec="pickle" runs what it reads, so records must be signed: write secret=... as well')
        return PickleCodec()
    if name not in NAMES:
        raise ValueError(f"codec is one of {', '.join(NAMES)}; not {name!r}")
    shape, mark = typed_by(value_type)
    codec = JsonCodec() if name == "json" else _msgpack_codec()
    return codec if shape is None else TypedCodec(codec, shape, mark)


def _msgpack_codec() -> Codec:
    from asynccache.serializers.msgpack import MsgpackCodec

    return MsgpackCodec()


class BytesCodec:
    """Bytes as they are."""

    id: int = 3

    def encode(self, value: Any) -> bytes:
        """Write a value, as `Codec` says."""
        if type(value) is not bytes:
            raise Unencodable(f"{type(value).__qualname__} is not bytes, which is all that this codec takes")
        return value

    def decode(self, data: bytes) -> bytes:
        """Read a value, as `Codec` says."""
        return data


class PickleCodec:
    """Pickle, protocol 5."""

    id: int = 4

    def encode(self, value: Any) -> bytes:
        """Write a value, as `Codec` says."""
        try:
            return pickle.dumps(value, protocol=5)
        except Exception as error:  # pickling runs the value's own code
            reason = type(error).__name__  # its message may tell the value
        raise Unencodable(f"{_type_of(value)} cannot be pickled ({reason})")

    def decode(self, data: bytes) -> object:
        """Read a value, as `Codec` says."""
        try:
            return pickle.loads(data)  # noqa: S301 - its record is signed
        except Exception as error:  # likewise
            reason = type(error).__name__
        raise Undecodable(f"cannot be unpickled ({reason})")


def _type_of(value: object) -> str:
    return name_of(cast("Any", type(value)))


def _no_constant(_name: str) -> NoReturn:
    raise Undecodable("not typed JSON (a number that JSON lacks)")


_untagged: Final = json.JSONDecoder(parse_constant=_no_constant).raw_decode


class JsonCodec:
    """Typed JSON. Where no tag is in sight, the quick reader of plain JSON does: a third of the time."""

    id: int = 1

    def encode(self, value: Any) -> bytes:
        """Write a value, as `Codec` says."""
        try:
            return typed_json.encode(value)
        except RecursionError:
            reason = "nesting, far down a deep stack"
        raise Unencodable(f"{_type_of(value)} cannot be written as typed JSON: {reason}")

    def decode(self, data: bytes) -> object:
        """Read a value, as `Codec` says."""
        # An escape can hide a tag. One byte is looked for much faster than two.
        if (b"$" in data and b'"$' in data) or (b"\\" in data and b"\\u" in data):
            return typed_json.decode(data)
        try:
            text = data.decode("utf-8", "surrogatepass")
            value, end = _untagged(text)
            if end == len(text):
                return value
            reason = "more than one"
        except Undecodable:
            raise
        except (RecursionError, ValueError) as error:
            reason = type(error).__name__  # its message may tell what the bytes say
        raise Undecodable(f"not typed JSON ({reason})")


class TypedCodec:
    """Values of one type, as plain data in another codec. Before it stands what no other type has.

    Args:
        codec: writes the plain data.
        shape: makes plain data of values, and values of it.
        mark: 8 bytes for the type.
    """

    def __init__(self, codec: Codec, shape: Shape, mark: bytes) -> None:
        self.id: int = codec.id | _TYPED
        self._codec = codec
        self._shape = shape
        self._mark = mark

    def encode(self, value: Any) -> bytes:
        """Write a value, as `Codec` says."""
        try:
            return self._mark + self._codec.encode(self._shape.plain(value))
        except Unencodable:
            raise
        except Exception as error:  # reading an attribute may run any code
            reason = type(error).__name__  # its message may tell the value
        raise Unencodable(f"{self._shape.says} cannot be written ({reason})")

    def decode(self, data: bytes) -> object:
        """Read a value, as `Codec` says."""
        if not data.startswith(self._mark):
            raise Undecodable(f"not written for {self._shape.says}, or for its present fields")
        plain = self._codec.decode(data[len(self._mark) :])
        try:
            return self._shape.revive(plain)
        except Undecodable:
            raise
        except Exception as error:  # likewise
            reason = type(error).__name__
        raise Undecodable(f"not what is written for {self._shape.says} ({reason})")
