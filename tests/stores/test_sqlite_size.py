import sqlite3
from pathlib import Path

from asynccache.stores import Item, SQLiteStore
from asynccache.testing import ManualClock

LIMIT = 512 * 1024
PATIENT = 30.0


async def fill(store: SQLiteStore, clock: ManualClock, first: int, last: int) -> None:
    """Write items of about 1 kB, ten at each moment."""
    for start in range(first, last, 10):
        clock.advance(1.0)
        await store.set_many({b"%05d" % n: Item(b"x" * 1_000) for n in range(start, start + 10)})


async def numbers(store: SQLiteStore) -> list[int]:
    """The items that are there."""
    return [int(key) async for keys in store.scan(b"") for key in keys]


def pages(store: SQLiteStore) -> tuple[int, int]:
    """Bytes of the file's pages that hold something, and of those that are free."""
    connection = sqlite3.connect(store.path)
    try:
        size, count, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
    finally:
        connection.close()
    return (count - free) * size, free * size


async def test_the_oldest_go_first(tmp_path: Path) -> None:
    """Above the limit what was written the longest time ago goes, no more than needed, and the file stays small."""
    clock = ManualClock()
    store = SQLiteStore(tmp_path / "cache.db", max_bytes=LIMIT, clock=clock, timeout=PATIENT)
    await fill(store, clock, 0, 2_000)
    there = await numbers(store)
    assert there == list(range(2_000 - len(there), 2_000))
    assert LIMIT * 0.7 < pages(store)[0] <= LIMIT
    assert len(there) * 1_000 > LIMIT * 0.6
    await store.aclose()
    assert store.path.stat().st_size < LIMIT * 1.2


async def test_what_was_read_gets_a_second_chance(tmp_path: Path) -> None:
    """What is read again and again outlives what is only written, however old it is; and goes once nobody reads it."""
    clock = ManualClock()
    store = SQLiteStore(tmp_path / "cache.db", max_bytes=LIMIT, clock=clock, timeout=PATIENT)
    await fill(store, clock, 0, 10)
    for start in range(10, 1_500, 100):
        await store.get_many([b"00003"])
        await fill(store, clock, start, start + 100)
    there = await numbers(store)
    assert 3 in there
    assert not {0, 1, 2, 4, 5} & set(there)
    await fill(store, clock, 2_000, 3_500)
    assert 3 not in await numbers(store)
    await store.aclose()


async def test_a_smaller_limit_shrinks_the_file(tmp_path: Path) -> None:
    """A file that is opened with a smaller limit comes down to it, and gives what is free back to the system."""
    clock = ManualClock()
    before = SQLiteStore(tmp_path / "cache.db", clock=clock, timeout=PATIENT)
    await fill(before, clock, 0, 4_000)
    await before.aclose()
    large = before.path.stat().st_size
    assert large > 8 * LIMIT
    store = SQLiteStore(before.path, max_bytes=LIMIT, clock=clock, timeout=PATIENT)
    await fill(store, clock, 4_000, 4_010)
    while max(pages(store)) > 2 * LIMIT:
        clock.advance(1.0)
        await store.get_many([b"04000"])  # whatever is asked lets a slice be done
    there = await numbers(store)
    assert there == list(range(4_010 - len(there), 4_010))
    await store.aclose()
    assert store.path.stat().st_size < large / 2


async def test_expired_items_make_room_first(tmp_path: Path) -> None:
    """What has expired is swept before anything that lives has to go."""
    clock = ManualClock()
    store = SQLiteStore(tmp_path / "cache.db", max_bytes=LIMIT, clock=clock, timeout=PATIENT)
    await store.set_many({b"lives": Item(b"x" * 1_000)})
    await store.set_many({b"gone%03d" % n: Item(b"x" * 1_000, 1.0) for n in range(300)})
    clock.advance(2.0)
    while [keys async for keys in store.scan(b"g")] or pages(store)[0] > LIMIT / 2:
        clock.advance(1.0)
        await store.get_many([b"lives"])
    await store.set_many({b"new%03d" % n: Item(b"x" * 1_000) for n in range(250)})
    assert (await store.get_many([b"lives"])).keys() == {b"lives"}
    await store.aclose()
