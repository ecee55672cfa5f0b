"""`cache.snapshot` and `cache.restore`: what a cache holds, saved to a file and taken back at the next start."""

import asyncio
import threading
from typing import Any

import pytest

from asynccache.cache import warm_start
from asynccache.serializers import snapshots
from tests.cache.machine import MOMENT, Machine, defaults_of
from tests.flight.gates import Gate, turns


async def test_there_and_back(machine: Machine) -> None:
    """Plain values of all kinds, None included, come back to the type, under their keys."""
    values: dict[Any, Any] = {
        1: None, "text": "é", b"bytes": b"\x00", (1, "pair"): [1, {"a": (2,)}], None: {1, 2}, 1.5: False,
    }  # fmt: skip
    cache = machine.cache()
    await cache.set_many(values)
    report = await cache.snapshot(machine.file)
    assert (report.saved, report.refused) == (6, 0)
    cache = machine.cache()
    found = await cache.restore(str(machine.file))
    assert (found.restored, found.expired, found.refused, found.problem) == (6, 0, 0, None)
    assert dict(cache.items()) == values
    assert [type(key) for key, _ in cache.items()] == [type(key) for key in values]


async def test_what_is_left_of_its_time(machine: Machine) -> None:
    """A value lives as long as it would have; without a ttl for ever. The time between counts."""
    cache = machine.cache(ttl=100)
    await cache.set("a", 1)
    machine.advance(60)
    await cache.set("b", 2)
    await cache.set("ever", 3, ttl=None)
    await cache.set("short", 4, ttl=10)
    await cache.snapshot(machine.file)
    machine.wall.advance(20)
    cache = machine.cache(ttl=5, jitter=50)
    report = await cache.restore(machine.file)
    assert (report.restored, report.expired) == (3, 1)
    assert sorted(cache.keys()) == ["a", "b", "ever"]
    machine.advance(20 - MOMENT)
    assert await cache.contains("a")
    machine.advance(MOMENT)
    assert sorted(cache.keys()) == ["b", "ever"]
    machine.advance(60)
    assert cache.keys() == ["ever"]


async def test_a_clock_that_was_put_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes nothing younger than it was when it was saved."""
    cache = machine.cache(ttl=100)
    await cache.set("a", 1)
    machine.advance(40)
    await cache.snapshot(machine.file)
    monkeypatch.setitem(defaults_of(warm_start.restore), "wall", lambda: 0.0)
    cache = machine.cache()
    assert (await cache.restore(machine.file)).restored == 1
    machine.advance(60 - MOMENT)
    assert cache.keys() == ["a"]
    machine.advance(MOMENT)
    assert cache.keys() == []


async def test_old_values_keep_their_windows(machine: Machine) -> None:
    """What was old when it was saved, or grows old between, can be served old as long as it could have been."""
    cache = machine.cache(ttl=10, stale=100)
    await cache.set("older", 1)
    machine.advance(60)
    await cache.set("newer", 2)
    assert (await cache.snapshot(machine.file)).saved == 2
    machine.wall.advance(40)
    cache = machine.cache(ttl=10, stale=100)
    assert (await cache.restore(machine.file)).restored == 2
    gate: Gate[int] = Gate()
    assert cache.keys() == []
    assert await cache.get_or_load("older", gate.load) == 1
    assert await cache.get_or_load("newer", gate.load) == 2
    await turns()
    gate.give(3, 0)
    gate.give(4, 1)
    await turns()
    assert cache.items() == [("older", 3), ("newer", 4)]
    cache = machine.cache(ttl=10, stale=100)
    machine.wall.advance(10)
    report = await cache.restore(machine.file)
    assert (report.restored, report.expired) == (1, 1)
    cache = machine.cache()
    assert (await cache.restore(machine.file)).expired == 1  # what was promised when it was stored counts


async def test_tags_and_namespaces_survive(machine: Machine) -> None:
    """Values come back where they were, and can be invalidated as before."""
    cache = machine.cache()
    await cache.set("key", "root", tags=["t"])
    await cache.namespace("a").set("key", "in a", tags=["t", "u"])
    await cache.namespace("a").namespace("b").set("key", "in b")
    await cache.snapshot(machine.file)
    for remove, left in (("t", ["in b"]), ("u", ["root", "in b"]), ("a", ["root"]), ("b", ["root", "in a"])):
        cache = machine.cache()
        await cache.restore(machine.file)
        parts = [cache, cache.namespace("a"), cache.namespace("a").namespace("b")]
        assert [await part.get("key") for part in parts] == ["root", "in a", "in b"]
        await cache.invalidate_tags(remove)
        if remove in "ab":
            await parts["_ab".index(remove)].clear()
        assert [await part.get("key") for part in parts if await part.contains("key")] == left


async def test_what_is_not_saved(machine: Machine) -> None:
    """What is no plain data is counted and left out; remembered errors and what is gone are not there."""

    class Own:
        pass

    async def fail() -> None:
        raise KeyError

    cache = machine.cache(ttl=10, errors={KeyError: 100})
    await cache.set("gone", 1, ttl=1)
    await cache.set("invalid", 1, tags=["t"])
    await cache.set("object", Own())
    await cache.set(Own(), "object")
    await cache.set("plain", 1)
    await cache.invalidate_tags("t")
    with pytest.raises(KeyError):
        await cache.get_or_load("error", fail)
    machine.advance(5)
    report = await cache.snapshot(machine.file)
    assert (report.saved, report.refused) == (1, 2)
    cache = machine.cache()
    await cache.restore(machine.file)
    assert cache.items() == [("plain", 1)]


async def test_newer_values_are_not_overwritten(machine: Machine) -> None:
    """What was set, or is being loaded, before the file was read stays; an expired value is no newer one."""
    cache = machine.cache()
    await cache.set_many({"set": "saved", "loading": "saved", "expired": "saved", "missing": "saved"})
    await cache.snapshot(machine.file)
    cache = machine.cache()
    gate: Gate[str] = Gate()
    await cache.set("set", "newer")
    await cache.set("expired", "expired", ttl=1)
    machine.advance(1)
    task = asyncio.create_task(cache.get_or_load("loading", gate.load))
    await turns()
    report = await cache.restore(machine.file)
    assert (report.restored, report.refused) == (2, 2)
    gate.give("newer")
    assert await task == "newer"
    assert dict(cache.items()) == {"set": "newer", "loading": "newer", "expired": "saved", "missing": "saved"}


async def test_what_is_set_while_the_file_is_read(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop goes on while a worker thread reads, and what is set meanwhile is newer."""
    cache = machine.cache()
    await cache.set("key", "saved")
    await cache.snapshot(machine.file)
    go_on = threading.Event()
    read = snapshots.read

    def wait_and_read(path: Any) -> snapshots.Snapshot:
        go_on.wait(10)
        return read(path)

    monkeypatch.setattr(snapshots, "read", wait_and_read)
    cache = machine.cache()
    task = asyncio.create_task(cache.restore(machine.file))
    await turns()
    await cache.set("key", "newer")
    go_on.set()
    assert (await task).refused == 1
    assert await cache.get("key") == "newer"


async def test_idle_time_begins_anew(machine: Machine) -> None:
    """When it was last used is not saved: a value that comes back has its whole idle time, within its ttl."""
    cache = machine.cache(idle=10)
    await cache.set("idle", 1)
    await cache.set("short", 2, ttl=12)
    machine.advance(9)
    await cache.snapshot(machine.file)
    cache = machine.cache(idle=10)
    assert (await cache.restore(machine.file)).restored == 2
    machine.advance(3)
    assert cache.keys() == ["idle"]
    machine.advance(7)
    assert cache.keys() == []


async def test_no_room(machine: Machine) -> None:
    """A cache that stores nothing refuses all; one that weighs, what is too heavy."""
    cache = machine.cache()
    await cache.set_many({"short": "x", "long": "x" * 50})
    await cache.snapshot(machine.file)
    report = await machine.cache(maxsize=0).restore(machine.file)
    assert (report.restored, report.refused) == (0, 2)
    cache = machine.cache(max_weight=10, weigher=lambda _key, value: len(value))
    report = await cache.restore(machine.file)
    assert (report.restored, report.refused) == (1, 1)
    assert (cache.items(), cache.stats().weight) == ([("short", "x")], 1)
