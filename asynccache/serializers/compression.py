"""Bytes made smaller and back, with a limit on what comes back.

Decides which algorithms there are and how a lie about the size is met: what is inflated never takes more room than it
said beforehand, so that a kilobyte cannot become a gigabyte. When it is worth compressing, the envelope decides.

zlib is part of Python. zstd is from 3.14 on; before that it needs the package `backports.zstd`, which is the same code.
"""

import sys
import zlib
from importlib import import_module
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

Algorithm: TypeAlias = Literal["zlib", "zstd"]

_LARGEST_WINDOW: Final = 27
"""Of zstd: the power of two of the bytes that a frame may ask to be kept at hand; 27 is what its own decoders take."""


class NotInflatable(ValueError):
    """Raised for bytes that are not what `compress` gave, or that are another number of bytes than was said."""


class Compression(Protocol):
    """One algorithm. Used from several threads at once."""

    def compress(self, data: bytes) -> bytes:
        """Make it smaller, or at least other."""
        ...

    def inflate(self, data: bytes, size: int) -> bytes:
        """Give back what was compressed.

        Args:
            data: what `compress` gave.
            size: how many bytes it was before. No more memory than for these, and a window, is taken.

        Raises:
            NotInflatable: the bytes are damaged, or of another size.
        """
        ...


def compression(algorithm: str) -> Compression:
    """Give the algorithm of that name.

    Raises:
        ValueError: there is no such one.
        ImportError: it needs a package that is missing; the message names it.
    """
    if algorithm == "zlib":
        return _Zlib()
    if algorithm == "zstd":
        return _Zstd()
    raise ValueError(f'compress is "zlib", "zstd" or None, not {algorithm!r}')


class _Zlib:
    """Deflate at level 1: on JSON it saves most of what level 6 does, in a third of the time."""

    __slots__ = ()

    def compress(self, data: bytes) -> bytes:
        return zlib.compress(data, 1)

    def inflate(self, data: bytes, size: int) -> bytes:
        inflating = zlib.decompressobj()
        try:
            inflated = inflating.decompress(data, size + 1)  # one more, to see whether there is more
        except zlib.error:
            raise NotInflatable("not what zlib wrote") from None
        if len(inflated) != size or not inflating.eof or inflating.unused_data:
            raise NotInflatable("not as many bytes as were said")
        return inflated


class _Zstd:
    """Zstandard at its own default level."""

    __slots__ = ("_zstd",)

    def __init__(self) -> None:
        self._zstd = _zstd_module()

    def compress(self, data: bytes) -> bytes:
        return cast("bytes", self._zstd.compress(data))

    def inflate(self, data: bytes, size: int) -> bytes:
        window = min(_LARGEST_WINDOW, max(10, size.bit_length()))  # below 10 there is none
        inflating = self._zstd.ZstdDecompressor(options={self._zstd.DecompressionParameter.window_log_max: window})
        try:
            inflated: bytes = inflating.decompress(data, max_length=size + 1)
        except self._zstd.ZstdError:
            raise NotInflatable("not what zstd wrote") from None
        if len(inflated) != size or not inflating.eof or inflating.unused_data:
            raise NotInflatable("not as many bytes as were said")
        return inflated


def _zstd_module() -> Any:
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError as error:
        raise ImportError('compress="zstd" needs a package: pip install "asynccache[zstd]"') from error
