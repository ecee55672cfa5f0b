"""Snapshots: a file that is whole or is not there, and of which nothing is believed unless all of it is right."""

import enum
import math
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.serializers.snapshots import SavedEntry, Snapshot, SnapshotReport, read, write

GOLDEN: Final = Path(__file__).parent / "golden" / "version-1.snapshot"

ENTRIES: Final = [
    SavedEntry(
        key=("load", 5), value={"name": "Ann", "at": b"\x00\n"}, ttl=59.5, tags=("users", "ann"), namespace=("shop",)
    ),
    SavedEntry(key="stale", value=None, ttl=-3.0, promises=(60.0, math.inf, 1.0, 0.8, 1.0)),
    SavedEntry(key=(1, None, "x"), value=(1, {2}), ttl=None, namespace=("shop", 2)),
]


class Tag(enum.StrEnum):
    """Tags that a program has a list of."""

    USERS = "users"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "cache.snapshot"


def save(path: Path, *entries: SavedEntry) -> SnapshotReport:
    """Save entries at a moment that is always the same."""
    return write(path, entries, saved_at=1_700_000_000.5, name="prices")


def sealed(*lines: bytes) -> bytes:
    """A file with these lines, as somebody who knows the format could write it."""
    body = b"".join(line + b"\n" for line in lines)
    return body + b"%d entries, BLAKE2b %b\n" % (len(lines) - 2, blake2b(body).hexdigest().encode())


FIRST: Final = b"asynccache snapshot 1"
HEADER: Final = b'{"name":"prices","saved_at":1.0}'


def test_what_is_read_is_what_was_saved(path: Path) -> None:
    """All entries come back, in their order and with all that belongs to them."""
    assert save(path, *ENTRIES) == SnapshotReport(saved=3, refused=0)
    assert read(path) == Snapshot(saved_at=1_700_000_000.5, name="prices", entries=ENTRIES, problem=None)
    assert read(str(path)) == read(path)


def test_no_entries(path: Path) -> None:
    """A snapshot of an empty cache is one too."""
    assert save(path) == SnapshotReport(saved=0, refused=0)
    assert read(path) == Snapshot(saved_at=1_700_000_000.5, name="prices", entries=[])


def test_the_format_is_fixed(path: Path) -> None:
    """What an older asynccache saved is read by a newer one: these bytes never change."""
    save(path, *ENTRIES)
    assert path.read_bytes() == GOLDEN.read_bytes()
    assert read(GOLDEN).entries == ENTRIES


def test_what_cannot_be_written_is_left_out(path: Path) -> None:
    """An entry whose key, value or namespace has a type that the format lacks is counted; the others are saved."""
    good, odd = ENTRIES[0], object()
    refused = [replace(good, key=odd), replace(good, value=[odd]), replace(good, namespace=("shop", odd))]
    assert save(path, refused[0], good, *refused[1:]) == SnapshotReport(saved=1, refused=3)
    assert read(path).entries == [good]


def test_tags_of_an_enumeration(path: Path) -> None:
    """Tags may be of a subclass of str; they are read as the strings that they equal."""
    save(path, replace(ENTRIES[0], tags=(Tag.USERS,)))
    (entry,) = read(path).entries
    assert entry.tags == ("users",)
    assert type(entry.tags[0]) is str


@given(
    st.lists(
        st.builds(
            SavedEntry,
            key=st.text() | st.integers() | st.tuples(st.text(), st.none()),
            value=st.text() | st.binary() | st.lists(st.text()),
            ttl=st.none() | st.floats(allow_nan=False),
            tags=st.lists(st.text()).map(tuple),
            namespace=st.lists(st.text()).map(tuple),
        )
    ),
    st.text(),
)
def test_any_entries(tmp_path_factory: pytest.TempPathFactory, entries: list[SavedEntry], name: str) -> None:
    """Whatever strings are in them, lines within lines included, entries come back as they were."""
    path = tmp_path_factory.getbasetemp() / "any.snapshot"
    write(path, entries, saved_at=5, name=name)
    assert read(path) == Snapshot(saved_at=5.0, name=name, entries=entries)


def refused(path: Path, data: bytes) -> str:
    """What is said of a file with these bytes: nothing of it is believed."""
    path.write_bytes(data)
    snapshot = read(path)
    assert snapshot.problem is not None
    assert snapshot == Snapshot(saved_at=0.0, name="", entries=[], problem=snapshot.problem)
    return snapshot.problem


def test_any_flipped_bit(path: Path) -> None:
    """Whichever bit of the file is wrong, nothing of it is believed."""
    data = GOLDEN.read_bytes()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            refused(path, bytes(damaged))


def test_cut_anywhere(path: Path) -> None:
    """Wherever the file ends too early, nothing of it is believed."""
    data = GOLDEN.read_bytes()
    for end in range(len(data)):
        refused(path, data[:end])
    assert "ends too early" in refused(path, data[:-1])
    assert "ends too early" in refused(path, data[: len(data) // 2])


@given(st.binary(max_size=20), st.integers(0, 600), st.integers(0, 600))
def test_any_damage(tmp_path_factory: pytest.TempPathFactory, junk: bytes, start: int, end: int) -> None:
    """Whatever stands in place of any part of the file, nothing of it is believed."""
    data = GOLDEN.read_bytes()
    damaged = data[:start] + junk + data[max(start, end) :]
    if damaged != data:
        refused(tmp_path_factory.getbasetemp() / "damaged.snapshot", damaged)


@pytest.mark.parametrize(
    ("words", "data"),
    [
        ("is empty", b""),
        ("not a snapshot of asynccache", b"PK\x03\x04"),
        ("not a snapshot of asynccache", b"\n"),
        ("not a snapshot of asynccache", b"asynccache\n"),
        ("another version than 1", sealed(b"asynccache snapshot 2", HEADER)),
        ("first line is wrong", sealed(b"asynccache snapshot 1 ", HEADER)),
        ("first line is wrong", b"asynccache snapshot 12"),
        ("ends too early", FIRST),
        ("ends too early", FIRST + b"\n" + HEADER + b"\n"),
        ("checksum is wrong", sealed(FIRST, HEADER).replace(b"prices", b"Prices")),
        ("checksum is wrong", sealed(FIRST, HEADER).replace(b"0 entries", b"1 entries")),
        ("checksum is wrong", sealed(FIRST, HEADER).replace(b"0 entries", b"00 entries")),
        ("checksum is wrong", sealed(FIRST, HEADER).replace(b"prices", b"prices\r")),
    ],
)
def test_the_problem_is_told(path: Path, words: str, data: bytes) -> None:
    """A person who reads the problem knows whether the file is foreign, too new, cut or damaged."""
    assert words in refused(path, data)


@pytest.mark.parametrize(
    "lines",
    [
        [FIRST], [FIRST, b""], [FIRST, b"{}"], [FIRST, b"5"], [FIRST, b"[]"], [FIRST, b'{"name":5,"saved_at":1.0}'],
        [FIRST, b'{"name":"a","saved_at":1}'], [FIRST, b'{"name":"a","saved_at":{"$float":"nan"}}'],
        *([FIRST, HEADER, line.replace(b"ALL", b"[0.0,0.0,1.0,1.0,0.0]")] for line in (
            b"", b"{", b"5", b"[]", b'["key","value",1.0,[],[]]', b'["key","value",1.0,[],[],ALL,5]',
            b'["key","value","1",[],[],ALL]', b'["key","value",1,[],[],ALL]', b'["key","value",true,[],[],ALL]',
            b'["key","value",{"$float":"nan"},[],[],ALL]', b'["key","value",null,[5],[],ALL]',
            b'["key","value",null,"ab",[],ALL]', b'["key","value",null,[],"ab",ALL]',
            b'["key","value",null,null,[],ALL]', b'[["key"],"value",null,[],[],ALL]',
            b'["key","value",null,[],[[]],ALL]', b'{"$tuple":["key","value",null,[],[],ALL]}',
            b'["key",{"$exec":"print()"},null,[],[],ALL]', b'["key","value",1.0,[],[],5]',
            b'["key","value",1.0,[],[],[0.0,0.0,1.0,1.0]]', b'["key","value",1.0,[],[],[0,0.0,1.0,1.0,0.0]]',
            b'["key","value",1.0,[],[],[-1.0,0.0,1.0,1.0,0.0]]',
        )),
    ],
)  # fmt: skip
def test_what_no_snapshot_says(path: Path, lines: list[bytes]) -> None:
    """A file with a right checksum, that says what is never written, is not believed either."""
    assert refused(path, sealed(*lines))
    assert read(GOLDEN).problem is None
    path.write_bytes(sealed(FIRST, HEADER, b'["key","value",1.0,[],[],[0.0,0.0,1.0,1.0,0.0]]'))
    assert read(path).problem is None  # so each is refused for the one thing that is wrong with it


def test_no_file(path: Path) -> None:
    """A file that is not there is told as such: the first start of a program finds none."""
    assert read(path) == Snapshot(entries=[], problem="there is no such file")


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a path through a file, and a name that no file can have are told, not raised."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "inner", "a\0b"):
        problem = read(path).problem
        assert problem is not None
        assert problem.startswith("the file cannot be read: ")


@pytest.mark.parametrize("before", [b"", b"what was there before"])
def test_a_failure_leaves_what_was_there(path: Path, before: bytes) -> None:
    """If the entries fail to come, the file is as it was, and no other stands beside it."""
    if before:
        path.write_bytes(before)

    def failing() -> Iterator[SavedEntry]:
        yield ENTRIES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, failing(), saved_at=1, name="prices")
    assert [(file, file.read_bytes()) for file in path.parent.iterdir()] == ([(path, before)] if before else [])


def test_a_failure_at_the_end(tmp_path: Path) -> None:
    """If the file cannot be put in its place, no other is left beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        save(folder, *ENTRIES)
    assert [*tmp_path.iterdir()] == [folder]


def test_it_is_on_the_disk_before_it_has_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are written through before the file takes the old one's place."""
    steps: list[tuple[str, Any]] = []
    sync, rename = os.fsync, Path.replace

    def noted_sync(file: int) -> None:
        steps.append(("sync", os.fstat(file).st_size))
        sync(file)

    def noted_rename(old: Path, new: Path) -> Path:
        steps.append(("rename", new))
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    save(path, *ENTRIES)
    assert steps == [("sync", len(GOLDEN.read_bytes())), ("rename", path)]


if sys.platform != "win32":  # where files have no such permissions

    def test_only_its_owner_may_read_it(path: Path) -> None:
        """What was cached may be private: only the user who saved it can read it, whatever the file was before."""
        path.touch(mode=0o644)
        save(path, *ENTRIES)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
