import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from asynccache.stores import Item, SQLiteStore

pytestmark = pytest.mark.one_loop

PATIENT: Final = 30.0

WRITER: Final = """
import asyncio, sys
from asynccache.stores import Item, SQLiteStore

async def write():
    store = SQLiteStore(sys.argv[1], timeout=30)
    async def writer(number):
        for turn in range(1_000_000):
            key = b"%d.%d" % (number, turn)
            await store.set_many({key: Item(b"x" * 500)})
            sys.stdout.write(key.decode() + "\\n")
            sys.stdout.flush()
    await asyncio.gather(*(writer(number) for number in range(20)))

asyncio.run(write())
"""

COUNTER: Final = """
import asyncio, sys
from asynccache.stores import Item, SQLiteStore

async def count():
    store = SQLiteStore(sys.argv[1], timeout=30)
    for _ in range(100):
        print(await store.increment(b"n"), flush=True)
        await store.set_many({sys.argv[2].encode(): Item(b"v")})
    await store.aclose()

asyncio.run(count())
"""


def start(code: str, *words: str) -> "subprocess.Popen[str]":
    """Start a program of ours."""
    return subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)


async def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """Of a process that is killed by SIGKILL in the middle of its writes, all that it was told is kept is there."""
    path = tmp_path / "cache.db"
    for _ in range(3):
        writer = start(WRITER, str(path))
        try:
            assert writer.stdout is not None
            acknowledged = [writer.stdout.readline().strip().encode() for _ in range(300)]
        finally:
            writer.send_signal(signal.SIGKILL)
            rest, _ = await asyncio.to_thread(writer.communicate)
        acknowledged += [line.encode() for line in rest.split("\n")[:-1]]
        store = SQLiteStore(path, timeout=PATIENT)
        found = await store.get_many(acknowledged)
        assert [key for key in acknowledged if key not in found] == []
        await store.aclose()
    assert check_of(path) == "ok"


def check_of(path: Path) -> str:
    """What SQLite says about a file."""
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


async def test_processes_share_a_file(tmp_path: Path) -> None:
    """Three processes count in one file, opened by all at once: every sum is given once, and all items are there."""
    path = tmp_path / "cache.db"
    counters = [start(COUNTER, str(path), f"by {number}") for number in range(3)]
    try:
        said = [(await asyncio.to_thread(counter.communicate))[0] for counter in counters]
    finally:
        for counter in counters:
            counter.kill()
    assert sorted(int(line) for out in said for line in out.split()) == list(range(1, 301))
    store = SQLiteStore(path, timeout=PATIENT)
    assert (await store.get_many([b"by 0", b"by 1", b"by 2"])).keys() == {b"by 0", b"by 1", b"by 2"}
    await store.aclose()


async def test_what_another_process_does_is_seen(tmp_path: Path) -> None:
    """A store that is open sees what another process has written and deleted."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    await store.set_many({b"old": Item(b"v")})
    code = (
        "import asyncio, sys\n"
        "from asynccache.stores import Item, SQLiteStore\n"
        "async def work():\n"
        "    store = SQLiteStore(sys.argv[1], timeout=30)\n"
        "    print(await store.delete_many([b'old']))\n"
        "    await store.set_many({b'new': Item(b'v')})\n"
        "    await store.aclose()\n"
        "asyncio.run(work())\n"
    )
    out, _ = await asyncio.to_thread(start(code, str(store.path)).communicate)
    assert out == "1\n"
    assert await store.get_many([b"old", b"new"]) == {b"new": b"v"}
    await store.aclose()


def in_a_child(work: Callable[[], None]) -> int:
    """Fork, let the child do this, and tell how it has ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_the_file_anew(tmp_path: Path) -> None:
    """Parent and child both go on with the same store, by a connection and a thread of their own, and lose nothing."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)

    async def write(key: bytes) -> dict[bytes, bytes]:
        await store.increment(b"n")
        await store.set_many({key: Item(key)})
        return await store.get_many([b"before", b"child", b"after"])

    async def finish(key: bytes) -> None:
        assert await write(key) == {b"before": b"before", b"child": b"child"}
        await store.aclose()

    with asyncio.Runner() as runner:
        runner.run(write(b"before"))
        for _ in range(3):
            assert in_a_child(lambda: asyncio.run(finish(b"child"))) == 0
        found = runner.run(write(b"after"))
        assert found == {key: key for key in (b"before", b"child", b"after")}
        assert runner.run(store.increment(b"n")) == 6
        runner.run(store.aclose())
    assert check_of(store.path) == "ok"


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forks_amid_writes_lose_nothing(tmp_path: Path) -> None:
    """While another thread's loop writes all the time, children that are forked work on the file as well."""
    store = SQLiteStore(tmp_path / "cache.db", timeout=PATIENT)
    written: list[bytes] = []
    is_over = threading.Event()

    async def write() -> None:
        while not is_over.is_set():
            key = b"%d" % len(written)
            await store.set_many({key: Item(key)})
            written.append(key)

    async def add(key: bytes) -> None:
        await store.set_many({key: Item(b"v")})
        await store.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(write()))
    thread.start()
    try:
        codes = [in_a_child(lambda number=number: asyncio.run(add(b"child %d" % number))) for number in range(8)]  # type: ignore[misc]
    finally:
        is_over.set()
        thread.join()
    assert codes == [0] * 8
    children = [b"child %d" % number for number in range(8)]

    async def look() -> set[bytes]:
        found = set(await store.get_many(written + children))
        await store.aclose()
        return found

    assert asyncio.run(look()) == {*written, *children}
    assert check_of(store.path) == "ok"
