import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.stores import Item, SQLiteStore
from asynccache.stores.sqlite.files import identity, set_aside

PATIENT = 30.0
KEYS = [b"%04d" % number for number in range(500)]


async def filled(path: Path) -> None:
    """Make a file of half a megabyte."""
    store = SQLiteStore(path, timeout=PATIENT)
    await store.set_many({key: Item(b"x" * 1_000) for key in KEYS})
    await store.aclose()


def overwrite(path: Path, start: int, end: int | None = None) -> None:
    """Put noise in the place of a part of a file."""
    data = path.read_bytes()
    end = len(data) if end is None else end
    path.write_bytes(data[:start] + os.urandom(end - start) + data[end:])


@pytest.mark.parametrize("start", [0, 4_096])
async def test_a_damaged_file_is_renamed_and_begun_anew(
    start: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Noise instead of a database, or behind its first page: reads are misses, writes are kept, the file is beside."""
    path = tmp_path / "cache.db"
    await filled(path)
    overwrite(path, start)
    damaged = path.read_bytes()
    store = SQLiteStore(path, timeout=PATIENT)
    with caplog.at_level(logging.WARNING, "asynccache"):
        assert await store.get_many(KEYS) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "sqlite cache.db is damaged: it was renamed to *.damaged, and is begun anew"
    ]
    await store.set_many({b"k": Item(b"v")})
    assert await store.get_many([b"k", *KEYS]) == {b"k": b"v"}
    await store.aclose()
    assert (tmp_path / "cache.db.damaged").read_bytes()[100:] == damaged[100:]


async def test_a_file_is_damaged_while_it_is_open(tmp_path: Path) -> None:
    """Damage that a write comes upon does not cost that write."""
    path = tmp_path / "cache.db"
    await filled(path)
    overwrite(path, 4_096)
    store = SQLiteStore(path, timeout=PATIENT)
    await store.set_many({b"k": Item(b"v")})
    assert await store.get_many([b"k"]) == {b"k": b"v"}
    await store.aclose()


async def test_a_truncated_file(tmp_path: Path) -> None:
    """A file that was cut off is damaged as well, as soon as what is missing is asked for."""
    path = tmp_path / "cache.db"
    await filled(path)
    os.truncate(path, 40_960)
    store = SQLiteStore(path, timeout=PATIENT)
    assert await store.get_many(KEYS) == {}
    await store.set_many({b"k": Item(b"v")})
    assert await store.get_many([b"k"]) == {b"k": b"v"}
    await store.aclose()


async def test_a_disk_that_fails_again_and_again_is_left_alone(tmp_path: Path) -> None:
    """A file that is damaged a second time within a minute is not begun anew: it is an error."""
    path = tmp_path / "cache.db"
    await filled(path)
    overwrite(path, 0)
    store = SQLiteStore(path, timeout=PATIENT)
    assert await store.get_many([b"k"]) == {}
    with store._worker._at_work:
        store._worker._close()  # as after any other error
    path.write_bytes(os.urandom(10_000))
    noise = path.read_bytes()
    with pytest.raises(StoreError, match=r"sqlite cache\.db: .*NOTADB"):
        await store.get_many([b"k"])
    assert path.read_bytes() == noise
    await store.aclose()


async def test_a_second_process_does_not_rename_the_new_file(tmp_path: Path) -> None:
    """Who has seen the damage too late leaves the file alone that another one has begun anew."""
    path = tmp_path / "cache.db"
    path.write_bytes(b"damaged")
    seen = identity(path)
    set_aside(path, seen)
    path.write_bytes(b"new")
    set_aside(path, seen)
    assert path.read_bytes() == b"new"
    assert (tmp_path / "cache.db.damaged").read_bytes() == b"damaged"


async def test_a_file_that_is_taken_away_is_made_anew(tmp_path: Path) -> None:
    """Stores that have a file open whose name is gone, or is another file's, go on together with the new one."""
    path = tmp_path / "cache.db"
    one, other = SQLiteStore(path, timeout=PATIENT), SQLiteStore(path, timeout=PATIENT)
    await one.set_many({b"old": Item(b"v")})
    assert await other.get_many([b"old"]) == {b"old": b"v"}
    path.unlink()
    assert await one.get_many([b"old"]) == {}
    await one.set_many({b"new": Item(b"v")})
    assert await other.get_many([b"old", b"new"]) == {b"new": b"v"}
    await other.set_many({b"newer": Item(b"v")})
    assert (await one.get_many([b"new", b"newer"])).keys() == {b"new", b"newer"}
    await one.aclose()
    await other.aclose()
    later = SQLiteStore(path, timeout=PATIENT)
    assert (await later.get_many([b"new", b"newer"])).keys() == {b"new", b"newer"}
    await later.aclose()


async def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    """A database that is not ours, or of a format to come, is an error, and is not touched."""
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE accounts (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    store = SQLiteStore(path, timeout=PATIENT)
    with pytest.raises(StoreError, match="is a database of something else, and was left as it is"):
        await store.get_many([b"k"])
    with pytest.raises(StoreError, match="of something else"):
        await store.set_many({b"k": Item(b"v")})
    await store.aclose()
    assert path.read_bytes() == before

    ours = tmp_path / "ours.db"
    await filled(ours)
    connection = sqlite3.connect(ours)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = SQLiteStore(ours, timeout=PATIENT)
    with pytest.raises(StoreError, match="format 99, and this asynccache reads format 1"):
        await store.get_many([b"k"])
    await store.aclose()


async def test_no_folder(tmp_path: Path) -> None:
    """A file whose folder is not there cannot be reached, until the folder is there."""
    store = SQLiteStore(tmp_path / "later" / "cache.db", timeout=PATIENT)
    with pytest.raises(StoreUnavailable, match="its folder is not there"):
        await store.get_many([b"k"])
    with pytest.raises(StoreUnavailable, match="its folder is not there"):
        await store.set_many({b"k": Item(b"v")})
    (tmp_path / "later").mkdir()
    await store.set_many({b"k": Item(b"v")})
    assert await store.get_many([b"k"]) == {b"k": b"v"}
    await store.aclose()


async def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    """What may only be read is an error for writes, and reads go on."""
    path = tmp_path / "cache.db"
    await filled(path)
    store = SQLiteStore(path, timeout=PATIENT)
    assert (await store.get_many(KEYS[:1])).keys() == set(KEYS[:1])
    database = store._worker._database
    assert database is not None
    with store._worker._at_work:
        database._connection.execute("PRAGMA query_only = ON")  # as whoever runs the tests may write anything
    with pytest.raises(StoreError, match="it may not be written"):
        await store.set_many({b"k": Item(b"v")})
    assert (await store.get_many(KEYS[:1])).keys() == set(KEYS[:1])
    await store.aclose()


FULL = """
import asyncio, resource, sys
from asynccache.errors import StoreError
from asynccache.stores import Item, SQLiteStore

async def work():
    store = SQLiteStore(sys.argv[1], timeout=30)
    await store.set_many({b"before": Item(b"v")})
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    kept, errors = [], []
    for number in range(60):
        try:
            await store.set_many({b"%d" % number: Item(bytes(20_000))})
            kept.append(b"%d" % number)
        except StoreError as error:
            errors.append(type(error).__name__)
    found = await store.get_many([b"before", *kept])
    print(len(kept) > 3, len(errors) > 3, len(found) == len(kept) + 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.set_many({b"after": Item(b"v")})
    print(len(await store.get_many([b"before", b"after", *kept])) == len(kept) + 2)
    await store.aclose()

asyncio.run(work())
"""


async def test_a_full_disk(tmp_path: Path) -> None:
    """When nothing more can be written, writes are errors, reads go on; and once there is room, so do writes."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "cache.db")]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True True True\nTrue\n", "")
