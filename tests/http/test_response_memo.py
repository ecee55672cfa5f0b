"""What is remembered in process of responses in a store, and the options of one."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from asynccache.http.kept.memo import Known, Memo, Variants
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.spelling import Spelling
from asynccache.http.kept.stored import InlineBody
from asynccache.stores import Item, MemoryStore, SQLiteStore
from asynccache.testing import ManualClock
from tests.http.scenes import KEY, START, TTL, Scene, keep, response, variant


@pytest.fixture
def clock() -> ManualClock:
    """The wall time."""
    return ManualClock(START)


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_a_hit_asks_the_store_once(scene: Scene) -> None:
    """Once a record is known, all that it depends on is asked for together with it, in one request."""
    await keep(scene.another, response(tags=("x", "y")))
    await scene.store.find(KEY)
    scene.engine.calls.clear()
    scene.engine.keys.clear()
    assert len((await scene.store.find(KEY)).responses) == 1
    assert scene.engine.calls == {"get_many": 1}
    assert scene.engine.keys == {"get_many": 4}


async def test_equal_bytes_are_known_too(scene: Scene) -> None:
    """A store that gives new bytes each time, as all but the one in memory do, is not read anew."""
    await keep(scene.store, response())
    found = await scene.store.find(KEY)
    lies_at = Spelling("http").record(KEY)
    data = (await scene.inside.get_many([lies_at]))[lies_at]
    await scene.inside.set_many({lies_at: Item(bytes(bytearray(data)))})
    assert await scene.store.find(KEY) is found


async def test_a_record_that_is_gone_is_forgotten(scene: Scene) -> None:
    """What the store has no more is not found, and not held in process either."""
    await keep(scene.store, response())
    await scene.store.find(KEY)
    await scene.inside.delete_many([Spelling("http").record(KEY)])
    assert (await scene.store.find(KEY)).stamp is None
    assert scene.store._memo.get(KEY) is None


def test_the_memo_is_bounded() -> None:
    """However many keys are asked for, and however large they are, no more than so much is remembered."""
    store = ResponseStore(MemoryStore())

    async def fill() -> None:
        for number in range(1_100):
            await store.keep(
                str(number), Variants(), response(store._link.clock(), body=InlineBody(bytes(32_768))), ttl=TTL
            )
            await store.find(str(number))

    asyncio.run(fill())
    kept = store._memo._kept
    assert len(kept) <= 1_024
    assert kept.weight <= 32 * 1024 * 1024


def test_a_memo_entry_that_goes_while_it_is_read_is_a_miss() -> None:
    """Another thread may let go of an entry just when it was found."""
    memo = Memo()
    memo.put(KEY, Known((), {}, Variants(), 1))
    assert memo.get(KEY) is not None
    del memo._kept.entries[KEY].value
    assert memo.get(KEY) is None


def test_loops_in_several_threads_share_one_store(tmp_path: Path) -> None:
    """Any number of loops at once store and find, in one store of responses over one file."""
    engine = SQLiteStore(tmp_path / "cache.db", timeout=30)
    store = ResponseStore(engine)
    errors: list[BaseException] = []

    async def work(name: str) -> None:
        for step in range(20):
            key = str(step % 4)
            each = variant(name, store._link.clock(), body=InlineBody(name.encode()))
            assert await store.keep(key, await store.find(key), each, ttl=TTL)
            found = {one.reason: one.body for one in (await store.find(key)).responses}
            assert found[name] == InlineBody(name.encode())

    def run(name: str) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    asyncio.run(engine.aclose())


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"namespace": ""}, "namespace must be 1 to 64"),
        ({"namespace": "a:b"}, "namespace must be 1 to 64"),
        ({"namespace": None}, "namespace must be a string"),
        ({"inline_limit": -1}, "inline_limit must be 0 or more"),
        ({"chunk_size": 0}, "chunk_size must be 1 or more"),
        ({"max_body": -1}, "max_body must be 0 or more"),
        ({"retention": float("nan")}, "retention must be 0 or more"),
        ({"max_variants": 0}, "max_variants must be 1 or more"),
        ({"secret": b"short"}, "can be guessed"),
    ],
    ids=repr,
)
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, Any], message: str) -> None:
    """Each is refused where it is written, with what to write instead."""
    with pytest.raises((TypeError, ValueError), match=message):
        ResponseStore(MemoryStore(), **wrong)
