"""Entries of a cache in a file: the format, and that a file is either written whole or not at all.

Decides nothing of what a cache does with them. A file, in lines: the format and its version; a header; one entry each;
the number of entries and a checksum of all the lines before. The lines between are typed JSON.

The checksum finds damage, not malice: whoever can write the file can write a checksum. So reading makes plain values
and runs nothing, whatever the file says.

These functions block: call them in a worker thread.
"""

import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Final

from asynccache.core.freshness import Freshness
from asynccache.serializers.typed_json import Unencodable, decode, encode

VERSION: Final = 1
"""Of the format. Other versions are not read: a cache without its snapshot is only cold."""

_MAGIC: Final = b"asynccache snapshot "
"""How the first line begins."""

_SEAL: Final = b" entries, BLAKE2b "
"""What stands in the last line between the number of entries and the checksum."""


_PLAIN: Final[tuple[float, ...]] = astuple(Freshness())


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEntry:
    """One entry, as it is saved.

    Attributes:
        key, value: those of the entry.
        ttl: seconds of freshness that were left when it was saved, None for ever; below 0 if it was only kept to be
            served stale.
        tags: names by which it can be invalidated.
        namespace: what the cache keeps it under, besides its key.
        promises: the numbers of its `Freshness`, in the order of their definition.
    """

    key: object
    value: object
    ttl: float | None
    tags: tuple[str, ...] = ()
    namespace: tuple[object, ...] = ()
    promises: tuple[float, ...] = _PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotReport:
    """What became of the entries that were to be saved.

    Attributes:
        saved: entries in the file.
        refused: entries that are not, as there is a type in their key or value that the format lacks.
    """

    saved: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was read from a file.

    Attributes:
        saved_at: when it was written, in seconds since 1970 by that machine's clock.
        name: that of the cache.
        entries: all that were saved, or none if there is a `problem`.
        problem: why nothing could be read, in words for a log; None if all is well.
    """

    saved_at: float = 0.0
    name: str = ""
    entries: list[SavedEntry]
    problem: str | None = None


class _Unreadable(Exception):
    """A file is no snapshot that can be used; the message says why, and nothing of what is in it."""


def write(path: str | os.PathLike[str], entries: Iterable[SavedEntry], *, saved_at: float, name: str) -> SnapshotReport:
    """Save entries, in place of what the file held before; if that fails, it holds that still.

    Args:
        path: the file. Its folder must exist; another file stands there while this one is written.
        entries: what to save; taken one by one.
        saved_at: the present, in seconds since 1970.
        name: that of the cache.

    Returns:
        How many were saved, and how many could not be.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        return _write(Path(path), entries, saved_at=saved_at, name=name)
    except OSError as error:  # which speaks of a file that nobody knows
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _write(target: Path, entries: Iterable[SavedEntry], *, saved_at: float, name: str) -> SnapshotReport:
    handle, temporary = tempfile.mkstemp(prefix=".snapshot-", dir=target.parent)  # for its owner's eyes only
    try:
        with os.fdopen(handle, "wb") as file:
            report = _write_lines(file, entries, encode({"name": name, "saved_at": float(saved_at)}))
            file.flush()
            os.fsync(file.fileno())  # or a power cut may leave the new name with nothing in it
        Path(temporary).replace(target)
    except BaseException:  # an interrupt too leaves nothing lying about
        Path(temporary).unlink(missing_ok=True)
        raise
    return report


def read(path: str | os.PathLike[str]) -> Snapshot:
    """Read what `write` has written. Whatever is wrong with the file, nothing is raised, and there are no entries."""
    try:
        return _parsed(Path(path).read_bytes())
    except FileNotFoundError:
        problem = "there is no such file"
    except (OSError, ValueError) as error:  # a ValueError: no file can have such a name
        problem = f"the file cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
    except _Unreadable as error:
        problem = str(error)
    return Snapshot(entries=[], problem=problem)


def _write_lines(file: IO[bytes], entries: Iterable[SavedEntry], header: bytes) -> SnapshotReport:
    checksum = blake2b()
    saved = refused = 0

    def put(line: bytes) -> None:
        file.write(line + b"\n")
        checksum.update(line + b"\n")

    put(_MAGIC + b"%d" % VERSION)
    put(header)
    for entry in entries:
        try:
            put(_line_of(entry))
            saved += 1
        except Unencodable:
            refused += 1
    file.write(_last_line(saved, checksum.hexdigest()))
    return SnapshotReport(saved=saved, refused=refused)


def _last_line(count: int, checksum: str) -> bytes:
    return b"%d%b%b\n" % (count, _SEAL, checksum.encode())


def _line_of(entry: SavedEntry) -> bytes:
    tags = [str.__str__(tag) for tag in entry.tags]  # also those of an enumeration of strings
    ttl = None if entry.ttl is None else float(entry.ttl)
    return encode([entry.key, entry.value, ttl, tags, list(entry.namespace), [float(part) for part in entry.promises]])


def _parsed(data: bytes) -> Snapshot:
    """Make a snapshot of a file's bytes; nothing is decoded before all of them are known to be what was written."""
    _check_version(data)
    end = data.rfind(b"\n", 0, -1) + 1
    body, last = data[:end], data[end:]
    if _SEAL not in last or not last.endswith(b"\n"):
        raise _Unreadable("the file ends too early: it was cut, or is still being copied")
    header, *lines = body.split(b"\n")[1:-1] or [b""]
    if last != _last_line(len(lines), blake2b(body).hexdigest()):
        raise _Unreadable("the file is damaged: its checksum is wrong")
    try:
        name, saved_at = _header(decode(header))
        return Snapshot(saved_at=saved_at, name=name, entries=[_entry(decode(line)) for line in lines])
    except (LookupError, TypeError, ValueError):  # Undecodable, a key without a hash, or parts that are missing
        problem = "the file is not damaged, but is not as it would be written"
    raise _Unreadable(problem)


def _check_version(data: bytes) -> None:
    first, _, rest = data.partition(b"\n")
    if not data:
        raise _Unreadable("the file is empty")
    if not first.startswith(_MAGIC):
        raise _Unreadable("the file is not a snapshot of asynccache")
    if first == _MAGIC + b"%d" % VERSION:
        return
    if rest and first.removeprefix(_MAGIC).isdigit():
        raise _Unreadable(f"the file is of another version than {VERSION}, which is the one that is read here")
    raise _Unreadable("the file is damaged: its first line is wrong")


def _header(header: Any) -> tuple[str, float]:
    name, saved_at = header["name"], header["saved_at"]
    if not (type(name) is str and type(saved_at) is float and math.isfinite(saved_at)):
        raise ValueError
    return name, saved_at


def _entry(fields: Any) -> SavedEntry:
    key, value, ttl, tags, namespace, promises = fields
    entry = SavedEntry(key=key, value=value, ttl=ttl, tags=(*tags,), namespace=(*namespace,), promises=(*promises,))
    hash((key, entry.namespace))
    lists = all(isinstance(part, list) for part in (fields, tags, namespace, promises))
    tagged = all(type(tag) is str for tag in entry.tags)
    promised = len(promises) == len(_PLAIN) and all(type(part) is float and part >= 0 for part in promises)
    if not (lists and tagged and promised and (ttl is None or (type(ttl) is float and not math.isnan(ttl)))):
        raise ValueError
    return entry
