"""A load in one process, and what another does at each of its steps: nothing old stays, neither in process nor there.

The source changes first, then the other process says so. A load that began before may still give the old value to those
who waited for it; but nobody who asks when all is quiet is given it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from asynccache import current_load
from asynccache.stores.contract import SupportsFeed
from tests.shared.world import HeldSource, Process, World, turns, within_reach

STEPS: Final = ("get_many", "after get_many", "load", "write", "after write")
"""Where the load of the one is stopped while the other acts."""


async def _set(process: Process) -> None:
    await process.cache.set("key", "new", tags=["tag"])


async def _delete(process: Process) -> None:
    await process.cache.delete("key")


async def _invalidate(process: Process) -> None:
    await process.cache.invalidate_tags("tag")


async def _clear(process: Process) -> None:
    await process.cache.clear()


async def _set_and_delete(process: Process) -> None:
    await process.cache.set("key", "newer")
    await process.cache.delete("key")


async def _delete_and_load(process: Process) -> None:
    await process.cache.delete("key")

    async def load() -> str:
        return "new"

    await process.cache.get_or_load("key", load, tags=["tag"])


async def _set_many_and_touch(process: Process) -> None:
    await process.cache.set_many({"key": "new", "other": 1})
    await process.cache.touch("key", 90)


ACTS: Final = (_set, _delete, _invalidate, _clear, _set_and_delete, _delete_and_load, _set_many_and_touch)

Act = Callable[[Process], Awaitable[None]]


class Said(HeldSource):
    """A source whose loads say their tags themselves."""

    async def __call__(self) -> Any:
        """Load."""
        value = await super().__call__()
        current_load().tags = ["tag"]
        return value


TAGS: Final[dict[str, tuple[type[HeldSource], dict[str, Any]]]] = {
    "by the option": (HeldSource, {"tags": ["tag"]}),
    "by the result": (HeldSource, {"tags": lambda _value: ["tag"]}),
    "by the load": (Said, {}),
}

TIERS: Final[dict[str, dict[str, Any]]] = {
    "two tiers": {},
    "the store alone": {"maxsize": 0},
    "without news": {"without": (SupportsFeed,)},
    "behind": {"write": "behind"},
    "fleet": {"coalesce": "fleet"},
}


def _points(step: str) -> tuple[str, ...]:
    if step.endswith("write"):
        before = step.removesuffix("write")
        return (before + "add", before + "compare_and_set")
    return (step,)


async def _stop(process: Process, source: HeldSource, step: str) -> "asyncio.Task[Any]":
    """Begin a load, and let it go on up to a step."""
    if step != "load":
        source.go_on.set()
        process.wire.hold(*_points(step))
    task = asyncio.create_task(process.cache.get_or_load("key", source, **source.options))
    await within_reach(source.begun.wait() if step == "load" else process.wire.held())
    return task


async def _nobody_has(world: World, *unwanted: str) -> None:
    """Look everywhere when all is quiet, and once more when a second has passed."""
    await world.quiet()
    for seconds in (0.0, 1.1):
        world.clock.advance(seconds)
        await world.quiet()
        found = [process.kept().get("key") for process in world.processes if world.hears or seconds]
        found += [await process.cache.get("key") for process in world.processes if world.hears or seconds]
        found += [await world.stored("key")]
        assert not set(unwanted) & set(found)


async def _scene(world: World, tier: str, tags: str, *, has_old: bool, has_records: bool) -> Any:
    options = dict(TIERS[tier])
    world.hears = "without" not in options
    a, b = await world.pair(stale_if_error=80, **options)
    kind, load_options = TAGS[tags]
    source = kind("old")
    source.options = load_options
    if has_records:
        await a.cache.clear()
        await a.cache.invalidate_tags("tag")
        world.clock.advance(1)
    if has_old:  # old enough that it is loaded anew, and still there in the store
        await a.cache.set("key", "older", tags=["tag"], ttl=1)
        await b.cache.get("key")
        world.clock.advance(2)
    await turns()
    return a, b, source


@pytest.mark.one_loop
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("step", STEPS)
async def test_a_load_that_was_overtaken_elsewhere_leaves_nothing_old(
    world: World, step: str, act: Act, tier: str
) -> None:
    """Wherever the load stands when another process sets, deletes, invalidates or clears: its value stays nowhere."""
    a, b, source = await _scene(world, tier, "by the option", has_old=False, has_records=True)
    task = await _stop(a, source, step)
    source.truth = "new"
    doing = asyncio.ensure_future(act(b))
    await turns()  # a load for the fleet waits until the other has ended
    source.go_on.set()
    await world.quiet()
    await within_reach(doing)
    assert await within_reach(task) in {"old", "new"}
    await _nobody_has(world, "old", "newer")
    assert await within_reach(a.cache.get_or_load("key", source)) == "new"
    assert await within_reach(b.cache.get_or_load("key", source)) == "new"


@pytest.mark.one_loop
@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("has_old", [False, True])
@pytest.mark.parametrize("has_records", [False, True])
@pytest.mark.parametrize("act", [_delete, _invalidate, _clear])
@pytest.mark.parametrize("step", STEPS)
async def test_tags_that_nobody_knew_of_are_overtaken_too(
    world: World, step: str, act: Act, has_records: bool, has_old: bool, tags: str
) -> None:
    """However the tag is told, whether it has a record, and whether an old value lies there: nothing old stays."""
    a, b, source = await _scene(world, "two tiers", tags, has_old=has_old, has_records=has_records)
    task = await _stop(a, source, step)
    source.truth = "new"
    await within_reach(act(b))
    source.go_on.set()
    await world.quiet()
    assert await within_reach(task) in {"old", "new"}
    await _nobody_has(world, "old", "older")


@pytest.mark.one_loop
@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("act", [_delete, _invalidate, _clear])
@pytest.mark.parametrize("step", STEPS)
async def test_without_news_they_are_overtaken_within_a_second(world: World, step: str, act: Act, tags: str) -> None:
    """Where nobody tells of changes, nothing old is in the store, nor in process after a second."""
    a, b, source = await _scene(world, "without news", tags, has_old=True, has_records=False)
    task = await _stop(a, source, step)
    source.truth = "new"
    await within_reach(act(b))
    source.go_on.set()
    await world.quiet()
    await within_reach(task)
    await _nobody_has(world, "old", "older")


@pytest.mark.one_loop
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("step", STEPS)
async def test_the_same_process_overtakes_its_own_load(world: World, step: str, act: Act) -> None:
    """What this process says while it loads holds against its own load as well."""
    a, _, source = await _scene(world, "two tiers", "by the option", has_old=True, has_records=True)
    task = await _stop(a, source, step)
    source.truth = "new"
    doing = asyncio.ensure_future(act(a))
    await turns()
    source.go_on.set()
    await world.quiet()
    await within_reach(doing)
    assert await within_reach(task) in {"old", "older", "new"}
    await _nobody_has(world, "old", "older", "newer")


@pytest.mark.one_loop
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("tier", TIERS)
async def test_two_loads_of_one_key_agree_in_the_end(world: World, tier: str, step: str) -> None:
    """Two processes that load the same key at once end with one value, in the store and in both."""
    a, b, source = await _scene(world, tier, "by the option", has_old=False, has_records=True)
    task = await _stop(a, source, step)
    source.truth = "new"

    async def load() -> str:
        return "new"

    other = asyncio.create_task(b.cache.get_or_load("key", load, **source.options))
    await turns()
    source.go_on.set()
    await world.quiet()
    await within_reach(task)
    await within_reach(other)
    world.clock.advance(1.1)
    stored = await world.stored("key")
    assert stored in {"old", "new"}
    assert [await process.cache.get("key") for process in (a, b)] == [stored, stored]


@pytest.mark.one_loop
@pytest.mark.parametrize("step", ["get_many", "after get_many", "load", "write", "after write"])
@pytest.mark.parametrize("act", [_delete, _invalidate, _clear])
async def test_loads_of_many_keys_are_overtaken_one_by_one(world: World, act: Act, step: str) -> None:
    """`get_or_load_many` keeps what was not overtaken, and nothing else."""
    a, b, source = await _scene(world, "two tiers", "by the option", has_old=False, has_records=True)

    async def load_many(keys: list[str]) -> dict[str, str]:
        await source()
        return dict.fromkeys(keys, "old")

    if step != "load":
        source.go_on.set()
        a.wire.hold(*_points(step))
    task = asyncio.create_task(a.cache.get_or_load_many(["key", "beside"], load_many, tags=lambda _value: ["tag"]))
    await within_reach(source.begun.wait() if step == "load" else a.wire.held())
    await turns()
    await within_reach(act(b))
    source.go_on.set()
    await world.quiet()
    assert await within_reach(task) == {"key": "old", "beside": "old"}
    if step in {"get_many", "after get_many"}:
        return  # the load began after that: it is as new as can be
    await _nobody_has(world, "old")


async def test_what_was_overtaken_is_counted(world: World) -> None:
    """A load's value that the store does not take is counted as refused."""
    a, b, source = await _scene(world, "two tiers", "by the option", has_old=False, has_records=True)
    b.wire.hold("feed")
    a.wire.hold("feed")
    task = await _stop(a, source, "load")
    await b.cache.set("key", "new")
    source.go_on.set()
    assert await within_reach(task) == "old"
    shared = a.cache.stats().shared
    assert shared is not None
    assert shared.refused == 1
    await _nobody_has(world, "old")


async def test_errors_that_were_overtaken_are_remembered_by_nobody(world: World) -> None:
    """An answer that is an error is overtaken as a value is."""
    a, b = await world.pair(errors={KeyError: 50})
    await a.cache.clear()
    source = HeldSource()
    source.error = KeyError("key")
    task = asyncio.create_task(a.cache.get_or_load("key", source))
    await within_reach(source.begun.wait())
    await b.cache.set("key", "new")
    source.go_on.set()
    with pytest.raises(KeyError):
        await within_reach(task)
    await world.quiet()
    assert await a.cache.get_or_load("key", source) == "new"
    assert await b.cache.get_or_load("key", source) == "new"
    assert await world.stored("key") == "new"
