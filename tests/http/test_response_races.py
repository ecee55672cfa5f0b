"""Responses that are stored and made invalid at the same time: what was said later holds."""

import asyncio
from typing import Any

import pytest

from asynccache.http.kept.memo import Variants
from asynccache.http.kept.response_store import ResponseStore
from asynccache.stores import Item, MemoryStore
from asynccache.testing import Chaos, ManualClock
from tests.http.scenes import KEY, OTHER, START, TTL, Scene, keep, reasons, response, variant


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_an_invalidation_between_reading_and_writing_is_seen(scene: Scene) -> None:
    """What was invalidated after its record was read for the last time before it is written is not stored."""
    await keep(scene.store, variant("old"))
    task = await scene.keep_until("compare_and_set", variant("new"))
    await scene.another.invalidate(KEY)
    scene.engine.release()
    assert not await task
    assert (await scene.another.find(KEY)).responses == ()


async def test_an_invalidation_of_nothing_is_seen_too(scene: Scene) -> None:
    """Where nothing lay when it was read, a tombstone may lie when it is written."""
    await keep(scene.another, response(), key=OTHER)  # so that the marks are there
    task = await scene.keep_until("add", variant("new"))
    await scene.another.invalidate(KEY)
    scene.engine.release()
    assert not await task
    assert (await scene.another.find(KEY)).responses == ()


@pytest.mark.parametrize("everything", [False, True], ids=["purge", "clear"])
async def test_a_purge_between_reading_and_writing_is_seen(scene: Scene, everything: bool) -> None:
    """A record that is written after the purge, with what was known before, is found by nobody."""
    await keep(scene.another, response(tags=("x",)), key=OTHER)
    task = await scene.keep_until("add", response(tags=("x",)))
    await (scene.another.clear() if everything else scene.another.purge(["x"]))
    scene.engine.release()
    await task
    for place in (scene.store, scene.another):
        assert (await place.find(KEY)).responses == ()


async def test_whose_clock_is_behind_clears_what_is_on_its_way_too(scene: Scene) -> None:
    """What was there when a response was asked for has changed: whenever that was, by whichever clock."""
    await keep(scene.another, response(), key=OTHER)
    behind = ResponseStore(scene.inside, clock=ManualClock(START - 100))
    found = await scene.store.find(KEY)
    await behind.clear()
    assert not await scene.store.keep(KEY, found, response(), ttl=TTL)


async def test_a_variant_stored_between_reading_and_writing_stays(scene: Scene) -> None:
    """Who is overtaken by another variant tries again, and both are there."""
    await keep(scene.another, response(), key=OTHER)
    task = await scene.keep_until("add", variant("a"))
    assert await keep(scene.another, variant("b"))
    scene.engine.release()
    assert await task
    assert reasons(await scene.store.find(KEY)) == ["a", "b"]


async def test_a_response_validated_twice_is_replaced_once(scene: Scene) -> None:
    """Of two that were made of the same old one, the second has nothing to take the place of."""
    await keep(scene.store, variant("a"))
    found = await scene.store.find(KEY)
    (old,) = found.responses
    scene.engine.hold("compare_and_set")
    late = asyncio.create_task(
        scene.store.replace(KEY, found, old, variant("a", START + 1, reason="late"), ttl=TTL)
    )  # fmt: skip
    await scene.engine.held("compare_and_set")
    theirs = await scene.another.find(KEY)
    new = variant("a", START + 2, reason="first")
    assert await scene.another.replace(KEY, theirs, theirs.responses[0], new, ttl=TTL)
    scene.engine.release()
    assert not await late
    assert reasons(await scene.store.find(KEY)) == ["first"]


@pytest.mark.parametrize("point", ["after get_many", "add", "after add"])
async def test_a_mark_that_two_make_at_once_is_one(scene: Scene, point: str) -> None:
    """Two that store the very first responses at the same time agree on what these depend on."""
    task = await scene.keep_until(point, response())
    assert await keep(scene.another, response(), key=OTHER)
    scene.engine.release()
    assert await task
    for place in (scene.store, scene.another):
        assert [len((await place.find(key)).responses) for key in (KEY, OTHER)] == [1, 1]


async def test_a_race_lost_too_often_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others write all the time, a response is not stored, rather than tried for ever."""
    await keep(scene.another, response())
    asked: list[bytes] = []

    async def refuse(_: object, key: bytes, expected: bytes, item: Item) -> bool:
        asked.append(expected)
        return False

    monkeypatch.setattr(MemoryStore, "compare_and_set", refuse)
    assert not await keep(scene.store, variant("new"))
    assert len(asked) == 5
    assert scene.store.counts.overtaken == 1


async def test_cancelled_at_any_step_nothing_half_written_is_seen() -> None:
    """Whoever stores may be cancelled at each await: then there is the old, or the new, and storing works again."""
    points = [after + name for name in ("get_many", "add", "compare_and_set") for after in ("", "after ")]
    for point in points:
        scene = Scene()
        if "compare" in point:
            await keep(scene.another, variant("old"))
        task = await scene.keep_until(point, variant("new", tags=("x",)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        scene.engine.release()
        assert set(reasons(await scene.another.find(KEY))) <= {"old", "new"}
        assert await keep(scene.store, variant("newer"))
        assert reasons(await scene.another.find(KEY))[0] == "newer"


async def test_many_variants_kept_at_the_same_time_are_all_there(scene: Scene) -> None:
    """However many there are in one process: they do not keep one another from it."""
    found = await scene.store.find(KEY)
    names = [str(number) for number in range(30)]
    scene.engine.hold("get_many")
    tasks = [asyncio.create_task(scene.store.keep(KEY, found, variant(name), ttl=TTL)) for name in names]
    await scene.engine.held("get_many")
    scene.engine.release()
    assert await asyncio.gather(*tasks) == [True] * 30
    assert sorted(reasons(await scene.another.find(KEY))) == sorted(names)
    assert scene.engine.calls["compare_and_set"] == 29  # none in vain


async def test_who_waits_for_others_may_be_cancelled(scene: Scene) -> None:
    """Those behind it have their turn all the same, and so have those behind one that is cancelled at its work."""
    task = await scene.keep_until("get_many", variant("a"))
    found = Variants()
    waiting = [asyncio.create_task(scene.store.keep(KEY, found, variant(name), ttl=TTL)) for name in "bc"]
    await asyncio.sleep(0)
    for cancelled in (waiting[0], task):
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    scene.engine.release()
    assert await waiting[1]
    assert reasons(await scene.another.find(KEY)) == ["c"]


async def test_a_slow_store_is_waited_for_by_none_for_long(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited for others long enough goes ahead, and nothing is lost by that either."""
    monkeypatch.setattr("asynccache.http.kept.keeping._PATIENCE", 0.0)
    task = await scene.keep_until("after get_many", variant("a"))
    scene.engine.release("after get_many")
    scene.engine.hold("add")
    await scene.engine.held("add")
    found = await scene.another.find(KEY)
    late = asyncio.create_task(scene.store.keep(KEY, found, variant("b"), ttl=TTL))
    await scene.engine.held("add", count=2)
    scene.engine.release()
    assert all(await asyncio.gather(task, late))
    assert sorted(reasons(await scene.another.find(KEY))) == ["a", "b"]


class Jittery(MemoryStore):
    """A store whose calls take some turns of the loop, now before they are done and now after."""

    turns = 0

    async def pause(self) -> None:
        """Take a few turns, a different number each time."""
        self.turns = (self.turns * 75 + 74) % 65_537
        for _ in range(self.turns % 4):
            await asyncio.sleep(0)

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in {"get_many", "set_many", "add", "compare_and_set"}:
            return method

        async def slow(*args: Any) -> Any:
            await self.pause()
            result = await method(*args)
            await self.pause()
            return result

        return slow


@pytest.mark.parametrize("fail", [0.0, 0.1], ids=["sound", "failing"])
@pytest.mark.parametrize("seed", range(5))
async def test_nothing_old_is_found_after_it_was_made_invalid(seed: int, fail: float) -> None:
    """In any mixture of loads and invalidations, a search that begins after one of these finds nothing from before."""
    clock = ManualClock(START)
    inside = Jittery(clock=clock)
    inside.turns = seed
    places = [ResponseStore(Chaos(inside, fail=fail, seed=seed), clock=clock) for _ in range(1 if fail else 2)]
    valid_from = {KEY: START, OTHER: START}
    hits = 0

    async def load(place: ResponseStore, key: str, name: str) -> None:
        nonlocal hits
        since = valid_from[key]
        found = await place.find(key)
        assert all(each.request_time >= since for each in found.responses)
        hits += bool(found.responses)
        clock.advance(1)
        loaded = variant(name, clock(), tags=(key,))
        await inside.pause()
        await place.keep(key, found, loaded, ttl=TTL)

    async def work(number: int) -> None:
        for step in range(60):
            place, key = places[(number + step) % len(places)], (KEY, OTHER)[(number * 7 + step) % 2]
            clock.advance(1)
            if number or step % 6 != 5:
                await load(place, key, str(number))
                continue
            now, kind = clock(), step // 6 % 3
            if kind == 0:
                await place.invalidate(key)
            elif kind == 1:
                await place.purge([key])
            else:
                await place.clear()
            for each in [KEY, OTHER] if kind == 2 else [key]:
                valid_from[each] = now

    await asyncio.gather(*(work(number) for number in range(6)))
    assert hits
