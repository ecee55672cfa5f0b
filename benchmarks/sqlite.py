"""What reads and writes of a file cost by way of `SQLiteStore`, and of aiosqlite, with few and with many callers.

    python benchmarks/sqlite.py [--rounds 5] [--calls 20000] [--entries 20000] [--callers 1,50,500] [--json]

Every caller asks for one value of 500 bytes after the other. All have files of their own in the same folder, with
write-ahead log and the same rows. aiosqlite is asked as its documentation shows, by `execute` and `fetchone`, and the
quickest way that it has, by `execute_fetchall`, which crosses to its thread once. A write is `execute` and `commit`,
which is what a cache over it does that has promised to keep a value.

All take turns in each round, so a machine whose speed drifts drifts for all; the least of all rounds is the figure, in
microseconds a call.

Decides what is asked, and of whom.
"""

import argparse
import asyncio
import importlib.util
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a clone that is not installed can be measured too

from asynccache.stores import Item, SQLiteStore  # noqa: E402
from benchmarks.tables import Row, Table  # noqa: E402

VALUE = random.Random(1).randbytes(500)
OURS = "asynccache"

Call = Callable[[bytes], Awaitable[object]]
"""Reads or writes the value of one key."""

Calls = tuple[Call, Call]
"""A read and a write."""


def keys_of(entries: int) -> list[bytes]:
    return [b"cache:v1:user:%d" % number for number in range(entries)]


@asynccontextmanager
async def ours(path: Path, entries: int) -> AsyncIterator[Calls]:
    store = SQLiteStore(path, timeout=30)
    await store.set_many({key: Item(VALUE, 3600) for key in keys_of(entries)})

    async def read(key: bytes) -> object:
        return (await store.get_many((key,)))[key]

    async def write(key: bytes) -> None:
        await store.set_many({key: Item(VALUE, 3600)})

    try:
        yield read, write
    finally:
        await store.aclose()


GET = "SELECT value FROM items WHERE key = ? AND until > ?"
PUT = "INSERT OR REPLACE INTO items VALUES (?, ?, ?)"


@asynccontextmanager
async def theirs(path: Path, entries: int, *, at_once: bool) -> AsyncIterator[Calls]:
    import aiosqlite

    async with aiosqlite.connect(path) as db:
        await db.execute("PRAGMA journal_mode = WAL")
        await db.execute("PRAGMA synchronous = NORMAL")
        await db.execute("CREATE TABLE items (key BLOB PRIMARY KEY, value BLOB, until REAL) WITHOUT ROWID")
        await db.executemany(PUT, [(key, VALUE, time.time() + 3600) for key in keys_of(entries)])
        await db.commit()

        async def read(key: bytes) -> object:
            async with db.execute(GET, (key, time.time())) as cursor:
                return await cursor.fetchone()

        async def read_at_once(key: bytes) -> object:
            return await db.execute_fetchall(GET, (key, time.time()))

        async def write(key: bytes) -> None:
            await db.execute(PUT, (key, VALUE, time.time() + 3600))
            await db.commit()

        yield read_at_once if at_once else read, write


def contenders() -> dict[str, Callable[[Path, int], AbstractAsyncContextManager[Calls]]]:
    """Give those that are installed."""
    if importlib.util.find_spec("aiosqlite") is None:
        return {OURS: ours}
    return {
        OURS: ours,
        "aiosqlite": partial(theirs, at_once=False),
        "aiosqlite, fetchall": partial(theirs, at_once=True),
    }


async def timed(call: Call, keys: list[bytes], callers: int, calls: int) -> float:
    """Let so many callers make so many calls together; give the microseconds of one."""
    turns = max(1, calls // callers)

    async def caller(number: int) -> None:
        chance = random.Random(number)
        for _ in range(turns):
            await call(chance.choice(keys))

    start = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return (time.perf_counter() - start) / (turns * callers) * 1e6


async def measure(given: argparse.Namespace) -> list[Table]:
    tables: list[Table] = []
    keys = keys_of(given.entries)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ready = {
            name: await stack.enter_async_context(make(folder / f"{name}.db", given.entries))
            for name, make in contenders().items()
        }
        for which, what in enumerate(("read", "write")):
            for callers in given.callers:
                table = Table(f"{what}s of 500 bytes, {callers:,} callers at once", f"us a {what}", OURS)
                least = dict.fromkeys(ready, float("inf"))
                for _ in range(given.rounds):
                    for name, calls in ready.items():
                        number = given.calls if which == 0 else max(1, given.calls // 10)
                        least[name] = min(least[name], await timed(calls[which], keys, callers, number))
                table.rows = {name: Row(us, {"a second:": f"{1e6 / us:,.0f}"}) for name, us in least.items()}
                tables.append(table)
    return tables


def main(words: list[str] | None = None) -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contender gets")
    parser.add_argument("--calls", type=int, default=20_000, help="reads in a turn; writes are a tenth")
    parser.add_argument("--entries", type=int, default=20_000, help="rows in each file")
    parser.add_argument("--callers", default="1,50,500", help="callers at once, with commas between")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(words)
    given.callers = [int(word) for word in given.callers.split(",")]
    tables = asyncio.run(measure(given))
    if given.json:
        print(json.dumps([table.as_json() for table in tables], indent=2))
    else:
        print("\n\n".join("\n".join(table.lines()) for table in tables))


if __name__ == "__main__":
    main()
