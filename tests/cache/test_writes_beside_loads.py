"""A set, delete, clear, or invalidation that has returned holds against the loads in the air, in whatever order."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from asynccache import Cache
from tests.flight.gates import Gate, outcome, together, turns

Removal: TypeAlias = Callable[[Cache, Cache], Awaitable[object]]

REMOVALS: dict[str, Removal] = {
    "delete": lambda _whole, part: part.delete("key"),
    "delete_many": lambda _whole, part: part.delete_many(["key"]),
    "clear of all": lambda whole, _part: whole.clear(),
    "clear of the namespace": lambda _whole, part: part.clear(),
    "clear of the one around": lambda whole, _part: whole.namespace("outer").clear(),
    "invalidate_tags": lambda whole, _part: whole.invalidate_tags("other", "tag"),
}


class Scene:
    """A namespace within another, in which "key" is being loaded.

    Attributes:
        whole: the cache.
        part: the namespace.
        gate: where loads wait.
    """

    def __init__(self) -> None:
        self.whole = Cache()
        self.part = self.whole.namespace("outer").namespace("inner")
        self.gate: Gate[str] = Gate()

    async def ask(self) -> "asyncio.Task[str]":
        """Let one more caller wait."""
        load = functools.partial(self.gate.load, "key")
        task = asyncio.create_task(self.part.get_or_load("key", load, tags=["tag"]))
        await turns()
        return task

    async def ask_many(self) -> "asyncio.Task[dict[str, str]]":
        """Let one more caller wait, who asks for several."""

        async def load_many(keys: list[str]) -> list[str]:
            return [await self.gate.load(key) for key in keys]

        task = asyncio.create_task(self.part.get_or_load_many(["key"], load_many, tags=["tag"]))
        await turns()
        return task


@pytest.mark.parametrize("removal", REMOVALS)
async def test_what_began_before_is_not_stored(removal: str) -> None:
    """Who waited before gets the value of the load that he waited for, and nobody else ever does."""
    scene = Scene()
    before = await scene.ask()
    await REMOVALS[removal](scene.whole, scene.part)
    scene.gate.give("old")
    assert await before == "old"
    assert not await scene.part.contains("key")
    assert scene.part.items() == []


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("removal", REMOVALS)
async def test_who_comes_after_gets_a_newer_value(removal: str, many: bool) -> None:
    """However the two loads end, who asked after it had returned is given what was loaded after it."""
    scene = Scene()
    before = await scene.ask()
    await REMOVALS[removal](scene.whole, scene.part)
    after = await (scene.ask_many() if many else scene.ask())
    scene.gate.give("old", 0)
    assert await before == "old"
    await turns()
    assert not after.done()
    assert len(scene.gate.calls) == 2
    scene.gate.give("new", 1)
    assert await outcome(after) == ({"key": "new"} if many else "new")
    assert await scene.part.get("key") == "new"


@pytest.mark.parametrize("removal", [name for name in REMOVALS if name.startswith("delete")] + ["clear of all"])
async def test_the_newer_load_may_end_first(removal: str) -> None:
    """What the older one brings later overwrites nothing."""
    scene = Scene()
    before = await scene.ask()
    await REMOVALS[removal](scene.whole, scene.part)
    after = await scene.ask()
    scene.gate.give("new", 1)
    assert await after == "new"
    scene.gate.give("old", 0)
    assert await before == "old"
    assert await scene.part.get("key") == "new"


@pytest.mark.parametrize("removal", REMOVALS)
async def test_a_failure_of_what_began_before(removal: str) -> None:
    """It is the business of those who waited for it; no error of it is remembered."""
    scene = Scene()
    load = functools.partial(scene.gate.load, "key")
    options = {"tags": ["tag"], "errors": {KeyError: 100}}
    task = asyncio.create_task(scene.part.get_or_load("key", load, **options))  # type: ignore[arg-type]
    await turns()
    await REMOVALS[removal](scene.whole, scene.part)
    scene.gate.fail(KeyError("old"))
    assert isinstance(await outcome(task), KeyError)
    after = await scene.ask()
    scene.gate.give("new")
    assert await after == "new"


async def test_a_set_holds_against_a_load() -> None:
    """Who asks after a set gets what was set, at once; the load still serves those who waited, and stores nothing."""
    scene = Scene()
    before = await scene.ask()
    await scene.part.set("key", "set")
    assert await scene.part.get_or_load("key", scene.gate.load) == "set"
    scene.gate.give("old")
    assert await before == "old"
    assert await scene.part.get("key") == "set"
    await scene.part.delete("key")
    before = await scene.ask()
    await scene.part.set_many({"key": "set again"})
    scene.gate.fail(ValueError())
    assert isinstance(await outcome(before), ValueError)
    assert await scene.part.get("key") == "set again"


async def test_a_set_that_stores_nothing_holds_too() -> None:
    """A value that is set for no time makes the load out of date all the same."""
    scene = Scene()
    before = await scene.ask()
    await scene.part.set("key", "set", ttl=0)
    scene.gate.give("old")
    assert await before == "old"
    assert not await scene.part.contains("key")


async def test_a_set_from_inside_the_load_holds() -> None:
    """Even where it is the load itself that sets its key: the last word before its end was that."""
    cache = Cache()

    async def load() -> str:
        await cache.set("key", "set")
        return "loaded"

    assert await cache.get_or_load("key", load) == "loaded"
    assert await cache.get("key") == "set"


async def test_others_are_not_concerned() -> None:
    """Loads of other keys, namespaces and tags bring what they bring."""
    cache = Cache()
    gate: Gate[str] = Gate()
    parts = {"a": cache.namespace("a"), "b": cache.namespace("b"), "root": cache}
    tasks = [
        asyncio.create_task(part.get_or_load("key", functools.partial(gate.load, name), tags=[name]))
        for name, part in parts.items()
    ]
    await turns()
    await cache.namespace("c").clear()
    await parts["a"].clear()
    await parts["a"].delete("other")
    await cache.invalidate_tags("root")
    for number, name in enumerate(parts):
        gate.give(name, number)
    assert await together(*tasks) == ["a", "b", "root"]
    assert [await part.get("key") for part in parts.values()] == [None, "b", None]


@pytest.mark.parametrize("removal", REMOVALS)
async def test_a_refresh_behind_is_overtaken_too(removal: str) -> None:
    """A refresh that began before stores nothing, and the old value is not served any more."""
    scene = Scene()
    await scene.part.set("key", "old", ttl=0, stale=100, tags=["tag"])
    assert await scene.part.get_or_load("key", scene.gate.load, ttl=0, stale=100, tags=["tag"]) == "old"
    await turns()
    assert len(scene.gate.calls) == 1
    await REMOVALS[removal](scene.whole, scene.part)
    after = await scene.ask()
    scene.gate.give("refreshed", 0)
    await turns()
    assert not after.done()
    scene.gate.give("new", 1)
    assert await after == "new"
    assert await scene.part.get("key") == "new"
