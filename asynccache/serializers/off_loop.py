"""Large values are written and read in a worker thread, so that the event loop is not held up.

Decides what is large, by a rough guess that costs little. 64 KiB of JSON take about a millisecond to write, and handing
something to a thread takes a tenth of that. While a large value is being written, the program must not change it.
"""

from collections.abc import Collection
from itertools import islice
from typing import Any, Final, cast

import anyio.to_thread

from asynccache.serializers.codecs import Codec
from asynccache.serializers.envelope import Envelope, Sealer, inflated_size

LARGE: Final = 65_536
"""Bytes from which on a value is large."""

_LOOKED_AT: Final = 8
"""Items of a container that are looked at; the others are taken to be like them."""

_LEVELS: Final = 3
_OF_ANY: Final = 16
"""Bytes that anything takes, and that are all that is counted of what is neither text nor has parts."""

_TEXTS: Final = (str, bytes, bytearray)
_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_ROWS: Final = (list, tuple, set, frozenset)
_NOTHING: Final[dict[Any, Any]] = {}


def is_large(value: object) -> bool:
    """Guess whether a value takes `LARGE` bytes or more when written, by its length and some of its items.

    A value whose first items are unlike the rest can be misjudged; it is then written in the wrong place, no worse.
    """
    return _guessed(value, _LEVELS) >= LARGE


async def encode_off_loop(codec: Codec, value: object) -> bytes:
    """Write a value; in a worker thread if it is large.

    A caller who is cancelled leaves at once, while the thread comes to its end.

    Raises:
        Unencodable: it cannot be written.
    """
    if not is_large(value):
        return codec.encode(value)
    return await anyio.to_thread.run_sync(codec.encode, value, abandon_on_cancel=True)


async def decode_off_loop(codec: Codec, data: bytes) -> object:
    """Read a value; in a worker thread if it is large. A caller may be cancelled, as in `encode_off_loop`.

    Raises:
        Undecodable: these are not the bytes of one.
    """
    if len(data) < LARGE:
        return codec.decode(data)
    return await anyio.to_thread.run_sync(codec.decode, data, abandon_on_cancel=True)


async def seal_off_loop(sealer: Sealer, key: bytes, envelope: Envelope) -> bytes:
    """Make a record; in a worker thread if it is large, as it is compressed and signed.

    Raises:
        TooLarge: it is too large for a record.
    """
    if len(envelope.payload) < LARGE:
        return sealer.seal(key, envelope)
    return await anyio.to_thread.run_sync(sealer.seal, key, envelope, abandon_on_cancel=True)


async def open_off_loop(sealer: Sealer, key: bytes, data: bytes) -> Envelope:
    """Make an envelope of a record; in a worker thread if it is large, or says that it will be once inflated.

    Raises:
        Unopenable: it is not to be believed.
    """
    if len(data) < LARGE and inflated_size(data) < LARGE:
        return sealer.open(key, data)
    return await anyio.to_thread.run_sync(sealer.open, key, data, abandon_on_cancel=True)


def _guessed(value: Any, levels: int) -> int:
    """Bytes that a value may take when written."""
    kind = cast("Any", type(value))
    if kind in _NUMBERS:
        return _OF_ANY
    if issubclass(kind, _TEXTS):
        return _OF_ANY + len(value)
    if not levels:
        return _OF_ANY
    parts: Collection[Any] = value if issubclass(kind, _ROWS) else _values(value, kind)
    count = len(parts)
    seen = 0
    for part in islice(parts, _LOOKED_AT):  # what is most common is counted here: it saves half of the time
        one = cast("Any", type(part))
        if one is str:
            seen += len(part)
        elif one not in _NUMBERS:
            seen += _guessed(part, levels - 1)
    return count * _OF_ANY + (seen if count <= _LOOKED_AT else seen * count // _LOOKED_AT)


def _values(value: Any, kind: Any) -> Collection[Any]:
    """The values of a dict or of an instance's attributes."""
    table: dict[Any, Any] = value if issubclass(kind, dict) else getattr(value, "__dict__", _NOTHING)
    return table.values()
