import asyncio
import gc
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, SQLiteStore, SupportsFeed
from asynccache.stores.batching import Op
from asynccache.stores.sqlite.database import Database
from asynccache.testing import ManualClock

PATIENT = 30.0
"""Seconds that a store may take where no time limit is tested."""


def rows(path: Path, table: str = "items") -> list[bytes]:
    """The keys that a table of a file has, expired ones included."""
    connection = sqlite3.connect(path)
    try:
        return [key for (key,) in connection.execute(f"SELECT key FROM {table} ORDER BY key")]
    finally:
        connection.close()


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(file.name for file in folder.iterdir())


def workers() -> list[threading.Thread]:
    """The threads of stores that are running."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("asynccache sqlite")]


async def test_what_was_written_is_there_later(tmp_path: Path) -> None:
    """A store that is opened later finds items and counters, and the file is all that is left."""
    path = tmp_path / "cache.db"
    store = SQLiteStore(path, timeout=PATIENT)
    await store.set_many({b"k": Item(b"v", 3_600), b"for ever": Item(b"\x00")})
    await store.increment(b"n")
    await store.aclose()
    assert names(tmp_path) == ["cache.db"]
    later = SQLiteStore(path, timeout=PATIENT)
    assert await later.get_many([b"k", b"for ever", b"n"]) == {b"k": b"v", b"for ever": b"\x00"}
    assert await later.increment(b"n") == 2
    await later.aclose()


async def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    """A store that nobody asks makes no file and no thread, and is closed for good all the same."""
    store = SQLiteStore(tmp_path / "cache.db")
    await store.aclose()
    assert names(tmp_path) == []
    assert workers() == []
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.get_many([b"k"])
    with pytest.raises(StoreUnavailable):
        [keys async for keys in store.scan(b"")]


async def test_what_has_expired_is_swept_in_slices(tmp_path: Path) -> None:
    """Expired rows are never given, and are deleted a slice at a time by whatever is asked next."""
    clock = ManualClock(1000.0)
    store = SQLiteStore(tmp_path / "cache.db", clock=clock, timeout=PATIENT)
    await store.set_many({b"%04d" % n: Item(b"v", 10.0) for n in range(600)})
    await store.set_many({b"stays": Item(b"v"), b"stays too": Item(b"v", 20.0)})
    await store.increment(b"n", ttl=10.0)
    clock.advance(10.0)
    assert await store.get_many([b"0000"]) == {}
    while len(rows(store.path)) > 2:  # each read lets a slice be swept; a sweep that does nothing is a test that hangs
        await store.get_many([b"stays"])
    assert rows(store.path) == [b"stays", b"stays too"]
    assert rows(store.path, "counters") == []
    await store.aclose()


async def test_callers_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What many callers write in one turn of the loop is one transaction, and each hears of its own change."""
    lots: list[int] = []
    write = Database.write

    def noting(self: Database, asked: list[list[Op]]) -> list[list[object]]:
        lots.append(sum(map(len, asked)))
        return write(self, asked)

    monkeypatch.setattr(Database, "write", noting)
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    added = await asyncio.gather(*(store.add(b"%d" % (n // 2), Item(b"v")) for n in range(200)))
    assert lots == [200]
    assert sum(added) == 100
    assert added == [n % 2 == 0 for n in range(200)]
    await store.aclose()


async def test_cancelled_callers_harm_nobody(tmp_path: Path) -> None:
    """Callers that go away at any moment leave the others their answers, and no statement that others wait for."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    await store.set_many({b"%d" % n: Item(b"%d" % n) for n in range(50)})
    for turns in range(6):
        tasks = [asyncio.create_task(store.get_many([b"%d" % n])) for n in range(50)]
        sets = [asyncio.create_task(store.set_many({b"w%d" % n: Item(b"w")})) for n in range(50)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in [*tasks[::2], *sets[::2]]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[1::2] == [{b"%d" % n: b"%d" % n} for n in range(1, 50, 2)]
        await asyncio.gather(*sets[1::2])
        await asyncio.gather(*sets, return_exceptions=True)
    keys = [b"w%d" % n for n in range(1, 50, 2)]
    assert (await store.get_many(keys)).keys() == set(keys)
    await store.aclose()


async def test_an_item_that_is_too_large_is_refused_alone(tmp_path: Path) -> None:
    """It is an error to its own caller only; what was there before is out of date, and gone."""
    store = SQLiteStore(tmp_path / "cache.db", max_bytes=1_000_000, timeout=PATIENT)
    await store.set_many({b"large": Item(b"old")})
    large, small = await asyncio.gather(
        store.set_many({b"large": Item(b"x" * 500_001)}), store.set_many({b"small": Item(b"v")}), return_exceptions=True
    )
    assert isinstance(large, StoreError)
    assert small is None
    assert await store.get_many([b"large", b"small"]) == {b"small": b"v"}
    with pytest.raises(StoreError, match="larger than the file may hold"):
        await store.add(b"large", Item(b"x" * 500_001))
    await store.aclose()


@pytest.mark.one_loop
def test_loops_in_threads_share_the_file_and_the_thread(tmp_path: Path) -> None:
    """Several loops at once use one store: every sum is given once, by one thread."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    sums: list[int] = []
    seen: set[int] = set()

    async def count() -> None:
        for n in range(100):
            sums.append(await store.increment(b"n"))
            await store.set_many({b"%d" % n: Item(b"v")})
            assert await store.get_many([b"%d" % n]) == {b"%d" % n: b"v"}
        seen.update(thread.ident or 0 for thread in workers())

    threads = [threading.Thread(target=lambda: asyncio.run(count())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == list(range(1, 401))
    assert len(seen) == 1
    asyncio.run(store.aclose())
    assert workers() == []


async def test_scans_are_in_order_and_by_pages(tmp_path: Path) -> None:
    """A scan gives the keys of a prefix in their order, and takes no word of it for a pattern."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    await store.set_many({b"p%%%04d" % n: Item(b"v") for n in range(1_100)} | {b"pX": Item(b"v"), b"q": Item(b"v")})
    pages = [keys async for keys in store.scan(b"p%")]
    assert [len(keys) for keys in pages] == [512, 512, 76]
    assert [key for keys in pages for key in keys] == [b"p%%%04d" % n for n in range(1_100)]
    assert not isinstance(store, SupportsFeed)
    await store.aclose()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_bytes": 1000}, "max_bytes must be None or at least 262,144, not 1000"),
        ({"synchronous": "sometimes"}, 'synchronous must be "off", "normal" or "full", not \'sometimes\''),
        ({"timeout": 0}, "timeout must be seconds, more than 0, not 0"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], words: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(ValueError, match=words):
        SQLiteStore("cache.db", **options)


@pytest.mark.parametrize(("synchronous", "number"), [("off", 0), ("normal", 1), ("full", 2)])
async def test_how_to_wait_for_the_disk(synchronous: Any, number: int, tmp_path: Path) -> None:
    """The option reaches SQLite, and the file has a write-ahead log."""
    store = SQLiteStore(tmp_path / "cache.db", synchronous=synchronous, timeout=PATIENT)
    await store.set_many({b"k": Item(b"v")})
    database = store._worker._database
    assert database is not None
    with store._worker._at_work:
        assert database._connection.execute("PRAGMA synchronous").fetchone() == (number,)
        assert database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await store.aclose()


async def test_a_lock_of_another_delays_writes_and_no_reads(tmp_path: Path) -> None:
    """While another connection writes, reads go on, and a write fails in its time, or is made if the lock goes away."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=0.25)
    await store.set_many({b"k": Item(b"v")})
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(store.set_many({b"k": Item(b"w")}))
    while not write.done():
        assert await store.get_many([b"k"]) == {b"k": b"v"}
    with pytest.raises(StoreTimeout, match="locked by another process"):
        await write
    write = asyncio.create_task(store.set_many({b"k": Item(b"x")}))
    assert await store.get_many([b"k"]) == {b"k": b"v"}
    assert not write.done()
    other.execute("ROLLBACK")
    await write
    assert await store.get_many([b"k"]) == {b"k": b"x"}
    other.close()
    await store.aclose()


async def test_a_store_that_nobody_has_ends_its_thread(tmp_path: Path) -> None:
    """A store that is dropped without being closed leaves no thread behind."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    await store.set_many({b"k": Item(b"v")})
    (thread,) = workers()
    del store
    gc.collect()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def test_a_store_that_is_never_closed_does_not_keep_the_program(tmp_path: Path) -> None:
    """A program that forgets to close its store ends by itself, says nothing, and has lost nothing."""
    code = (
        "import asyncio\n"
        "from asynccache.stores import Item, SQLiteStore\n"
        f"store = SQLiteStore({str(tmp_path / 'cache.db')!r}, timeout=30)\n"
        "asyncio.run(store.set_many({b'k': Item(b'v')}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert rows(tmp_path / "cache.db") == [b"k"]


async def test_no_thread_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, the store is out of reach, and is tried again later."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(StoreUnavailable, match="no thread can be started"):
            await store.get_many([b"k"])
    assert await store.get_many([b"k"]) == {}
    await store.aclose()
