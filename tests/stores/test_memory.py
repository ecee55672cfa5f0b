import asyncio
import gc
import threading
from collections.abc import Iterable
from typing import Final

import pytest

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.stores import Item, MemoryStore
from asynccache.testing import ManualClock

Told = list[list[bytes] | None]


def noting(told: Told, keys: Iterable[bytes] | None) -> None:
    """Note what a feed tells."""
    told.append(None if keys is None else sorted(keys))


async def test_stores_of_one_name_share() -> None:
    """What one store keeps, another of that name gives; one without a name has its own."""
    one, other, alone = MemoryStore("shared"), MemoryStore("shared"), MemoryStore()
    await one.set_many({b"k": Item(b"v")})
    assert await other.get_many([b"k"]) == {b"k": b"v"}
    assert await alone.get_many([b"k"]) == {}
    assert await MemoryStore("another").get_many([b"k"]) == {}


async def test_a_closed_store_leaves_the_others_alone() -> None:
    """After `aclose` a store fails, and what it has written is there for others of its name."""
    one, other = MemoryStore("closing"), MemoryStore("closing")
    await one.set_many({b"k": Item(b"v")})
    await one.aclose()
    await one.aclose()
    with pytest.raises(StoreUnavailable, match="memory://closing is closed"):
        await one.get_many([b"k"])
    with pytest.raises(StoreUnavailable):
        await one.set_many({b"k": Item(b"v")})
    with pytest.raises(StoreUnavailable):
        [keys async for keys in one.scan(b"")]
    assert await other.get_many([b"k"]) == {b"k": b"v"}


async def test_a_name_is_forgotten_with_its_last_store() -> None:
    """Nothing is kept for a name that no store has any more."""
    store = MemoryStore("forgotten")
    await store.set_many({b"k": Item(b"v")})
    del store
    gc.collect()
    assert await MemoryStore("forgotten").get_many([b"k"]) == {}


def test_a_limit_belongs_to_the_name() -> None:
    """A second store of a name may not say another limit than the first, but may say none."""
    first = MemoryStore("limited", max_bytes=100)
    assert MemoryStore("limited").name == first.name
    with pytest.raises(ValueError, match="max_bytes=100: say that or nothing"):
        MemoryStore("limited", max_bytes=200)
    with pytest.raises(ValueError, match="max_bytes must be a positive number"):
        MemoryStore(max_bytes=0)


async def test_what_was_used_the_longest_time_ago_goes_first() -> None:
    """Above its limit, a store gives up what was neither read nor written for the longest time, and tells so."""
    told: Told = []
    store = MemoryStore(max_bytes=30)
    feed = await store.listen(b"", lambda keys: noting(told, keys))
    await store.set_many({key: Item(b"123456789") for key in (b"a", b"b", b"c")})
    await store.get_many([b"a"])
    await store.set_many({b"d": Item(b"123456789")})
    assert await store.get_many([b"a", b"b", b"c", b"d"]) == dict.fromkeys([b"a", b"c", b"d"], b"123456789")
    assert told == [[b"a", b"b", b"c"], [b"b", b"d"]]
    await feed.aclose()


async def test_an_item_larger_than_everything_is_refused_alone() -> None:
    """It is an error, what was there before is gone as it is out of date, and the others are kept."""
    store = MemoryStore(max_bytes=30)
    await store.set_many({b"large": Item(b"old"), b"b": Item(b"b")})
    with pytest.raises(StoreError, match="larger"):
        await store.set_many({b"large": Item(b"x" * 26), b"c": Item(b"c")})
    assert await store.get_many([b"large", b"b", b"c"]) == {b"b": b"b", b"c": b"c"}


async def test_what_has_expired_is_taken_away_by_writes() -> None:
    """Without any timer, expired items and counters are gone from memory after about as many writes, and told of."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    table = store._table
    told: Told = []
    feed = await store.listen(b"", lambda keys: noting(told, keys))
    await store.set_many({b"%d" % n: Item(b"v", 1.0) for n in range(500)})
    for n in range(100):
        await store.increment(b"%d" % n, ttl=1.0)
    clock.advance(2.0)
    assert await store.get_many([b"1"]) == {}
    for _ in range(20):
        await store.set_many({b"new": Item(b"v", 1.0)})
        await store.increment(b"new")
    assert list(table.items.kept) == [b"new"]
    assert table.items.bytes == 4
    assert list(table.counters.kept) == [b"new"]
    assert {key for keys in told[1:] for key in keys or []} == {b"new"} | {b"%d" % n for n in range(500)}
    await feed.aclose()


async def test_keys_written_again_and_again_gather_no_rubbish() -> None:
    """What remembers when keys expire holds no more than a few times what there is."""
    store = MemoryStore(clock=ManualClock())
    for _ in range(2_000):
        await store.set_many({b"k": Item(b"v", 1_000.0)})
    assert store._table.items._wheel.size < 200


async def test_a_feed_tells_before_the_writer_goes_on() -> None:
    """A listener hears of changes of its prefix, whoever of the name makes them, before their call returns."""
    store, other = MemoryStore("heard"), MemoryStore("heard")
    told: Told = []
    feed = await store.listen(b"a", lambda keys: noting(told, keys))
    assert feed.is_live
    await other.set_many({b"a1": Item(b"v"), b"b1": Item(b"v")})
    assert told == [[b"a1"]]
    await store.delete_many([b"a1", b"a2", b"b1"])
    await store.add(b"a3", Item(b"v"))
    await store.add(b"a3", Item(b"v"))
    await store.compare_and_set(b"a3", b"v", Item(b"w"))
    await store.compare_and_delete(b"a3", b"v")
    await store.compare_and_delete(b"a3", b"w")
    assert told == [[b"a1"], [b"a1"], [b"a3"], [b"a3"], [b"a3"]]
    await feed.aclose()
    await store.set_many({b"a1": Item(b"v")})
    assert len(told) == 5
    assert not feed.is_live


async def test_a_feed_is_lost_with_its_store() -> None:
    """When its store is closed, a feed says that anything may have changed, and is live no more."""
    store = MemoryStore()
    told: Told = []
    feed = await store.listen(b"", lambda keys: noting(told, keys))
    await store.aclose()
    await store.aclose()
    assert told == [None]
    assert not feed.is_live


async def test_a_listener_that_fails_is_no_concern_of_the_writer(loop_errors: list[dict[str, object]]) -> None:
    """What a listener raises goes to its loop's exception handler, and the change is made."""

    def fail(_keys: object) -> None:
        raise ZeroDivisionError

    store = MemoryStore()
    feed = await store.listen(b"", fail)
    await store.set_many({b"k": Item(b"v")})
    assert await store.get_many([b"k"]) == {b"k": b"v"}
    assert [type(context["exception"]) for context in loop_errors] == [ZeroDivisionError]
    await feed.aclose()


@pytest.mark.one_loop
async def test_a_feed_hears_of_other_loops() -> None:
    """A change made on a loop in another thread is told on the feed's own loop; a feed of a closed loop is dropped."""
    store = MemoryStore("loops")
    told: Told = []
    heard = asyncio.Event()
    threads: list[int] = []

    def hear(keys: Iterable[bytes] | None) -> None:
        noting(told, keys)
        threads.append(threading.get_ident())
        heard.set()

    async def elsewhere() -> None:
        other = MemoryStore("loops")
        await other.listen(b"", lambda keys: noting(told, [b"of a closed loop"]))
        await other.set_many({b"k": Item(b"v")})
        told.clear()

    feed = await store.listen(b"", hear)
    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    await heard.wait()
    assert threads == [threading.get_ident()]
    await store.set_many({b"k": Item(b"w")})
    assert told[-1] == [b"k"]
    assert [b"of a closed loop"] not in told
    assert store._table.feeds == [feed]
    await feed.aclose()


THREADS: Final = 4


def test_threads_lose_nothing() -> None:
    """Loops in several threads count together and keep the limit: no sum is given twice."""
    store = MemoryStore(max_bytes=2_000)
    sums: list[int] = []

    async def count() -> None:
        for n in range(500):
            sums.append(await store.increment(b"n"))
            await store.set_many({b"%d" % (n % 50): Item(b"x" * 50)})

    threads = [threading.Thread(target=lambda: asyncio.run(count())) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == list(range(1, THREADS * 500 + 1))
    kept = store._table.items.kept
    assert store._table.items.bytes == sum(len(key) + len(item.value) for key, item in kept.items()) <= 2_000


async def test_scans_go_on_while_items_change() -> None:
    """A scan gives every key that was there all the time, though others come and go meanwhile."""
    store = MemoryStore()
    await store.set_many({b"p%04d" % n: Item(b"v") for n in range(1_500)})
    seen: list[bytes] = []
    async for keys in store.scan(b"p"):
        seen += keys
        await store.delete_many([b"p1400"])
        await store.set_many({b"q": Item(b"v"), b"p9999": Item(b"v")})
    assert set(seen) == {b"p%04d" % n for n in range(1_500)} - {b"p1400"}
