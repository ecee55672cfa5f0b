"""Msgpack that keeps types: smaller than JSON, and bytes stay bytes.

Decides how values are spelled in msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md). What msgpack has is
written as it is; tuples, sets and dicts with keys other than strings as an extension whose content is msgpack again;
all else as an extension whose content is typed JSON. So there are the types that typed JSON has, taken as exactly.

Needs the package `msgspec`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, cast

from asynccache.serializers import typed_json
from asynccache.serializers.typed_json import MOST_NESTED, Undecodable, Unencodable

try:
    _msgpack: Final[Any] = import_module("msgspec.msgpack")  # so checkers say the same whether it is there or not
except ImportError as missing:
    raise ImportError('codec="msgpack" needs a package: pip install "asynccache[msgspec]"') from missing

_JSON: Final = 1
_DICT: Final = 2
_CODES: Final[dict[type, int]] = {tuple: 3, set: 4, frozenset: 5}
_TYPES: Final[dict[int, Any]] = {code: kind for kind, code in _CODES.items()}

_ATOMS: Final = frozenset({str, bytes, float, bool, type(None)})
_INTS: Final = range(-(2**63), 2**64)

_NOT_AS_IT_WAS: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading raises if the bytes are not what was written; msgspec's own errors are ValueErrors."""


class MsgpackCodec:
    """Typed msgpack. Lone surrogates, which UTF-8 lacks, cannot be written."""

    id: int = 2

    def encode(self, value: Any) -> bytes:
        """Write a value, as `Codec` says."""
        try:
            return _pack(value if type(value) in _ATOMS else _plain(value, MOST_NESTED))
        except UnicodeEncodeError:
            reason = "a lone surrogate"  # its message tells the value
        except RecursionError:
            reason = "nesting, far down a deep stack"
        raise Unencodable(f"{type(value).__module__}.{type(value).__qualname__} cannot be written as msgpack: {reason}")

    def decode(self, data: bytes) -> object:
        """Read a value, as `Codec` says."""
        try:
            return _unpack(data)
        except Undecodable:
            raise
        except _NOT_AS_IT_WAS as error:
            reason = type(error).__name__  # its message may tell what the bytes say
        raise Undecodable(f"not typed msgpack ({reason})")


def _plain(value: Any, levels: int) -> object:
    """Spell a value in what msgpack has."""
    kind = cast("Any", type(value))
    if kind in _ATOMS or (kind is int and value in _INTS):
        return value
    if not levels:
        raise Unencodable(f"nested more than {MOST_NESTED} levels deep, or in itself: cannot be written as msgpack")
    if kind is list:
        return [_plain(item, levels - 1) for item in value]
    if kind is dict:
        table = value.copy()  # at once: another thread may change it while it is gone through
        if all(type(key) is str for key in table):
            return {key: _plain(item, levels - 1) for key, item in table.items()}
        return _msgpack.Ext(_DICT, _pack([[_plain(part, levels - 1) for part in pair] for pair in table.items()]))
    code = _CODES.get(kind)
    if code is not None:
        return _msgpack.Ext(code, _pack([_plain(item, levels - 1) for item in list(value)]))
    return _msgpack.Ext(_JSON, typed_json.encode(value))


def _revived(code: int, content: memoryview) -> object:
    """Make of an extension what it stands for."""
    if code == _JSON:
        return typed_json.decode(bytes(content))
    items = _unpack_list(content)
    kind: Any = dict if code == _DICT else _TYPES[code]
    value: Any = kind(items)
    if len(value) != len(items):
        raise Undecodable("not typed msgpack (a key comes twice)")
    return cast("object", value)


_pack: Final[Callable[[object], bytes]] = _msgpack.Encoder().encode
_unpack: Final[Callable[[bytes | memoryview], object]] = _msgpack.Decoder(ext_hook=_revived).decode
_unpack_list: Final[Callable[[memoryview], list[Any]]] = _msgpack.Decoder(list, ext_hook=_revived).decode
