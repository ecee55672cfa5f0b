"""The store that misbehaves does so as it is told, and only then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import (
    Item,
    MemoryStore,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    SupportsScan,
)
from asynccache.testing import Chaos, ManualClock

CAPABILITIES = (SupportsConditions, SupportsCounters, SupportsScan, SupportsFeed)


class Plain:
    """A store that can do nothing besides."""

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Give one value for every key."""
        return dict.fromkeys(keys, b"value")

    async def set_many(self, items: object) -> None:
        """Do nothing."""

    async def delete_many(self, keys: object) -> int:
        """Do nothing."""
        return 0

    async def aclose(self) -> None:
        """Do nothing."""


@contextlib.asynccontextmanager
async def listening(chaos: Chaos, told: list[object]) -> AsyncIterator[None]:
    """Listen to everything, and keep what is told."""
    assert isinstance(chaos, SupportsFeed)
    feed = await chaos.listen(b"", lambda keys: told.append((None if keys is None else list(keys), feed.is_live)))
    yield
    await feed.aclose()


def test_a_wrapper_can_do_what_its_store_can() -> None:
    """It shows the capabilities of the store inside, and none that this has not."""
    around_memory, around_plain = Chaos(MemoryStore()), Chaos(Plain())

    assert all(isinstance(around_memory, capability) for capability in CAPABILITIES)
    assert not any(isinstance(around_plain, capability) for capability in CAPABILITIES)
    assert isinstance(around_plain, Chaos)


def test_capabilities_can_be_hidden() -> None:
    """What it is to be without, it does not show; the rest it does."""
    chaos = Chaos(MemoryStore(), without=[SupportsFeed, SupportsScan])

    assert [isinstance(chaos, capability) for capability in CAPABILITIES] == [True, True, False, False]


async def test_down_nothing_is_done() -> None:
    """While it is down, calls raise, and the store inside is as it was; afterwards they work."""
    store = MemoryStore()
    chaos = Chaos(store)
    await chaos.set_many({b"k": Item(b"1")})

    chaos.down = True
    with pytest.raises(StoreUnavailable):
        await chaos.set_many({b"k": Item(b"2")})
    with pytest.raises(StoreUnavailable):
        await chaos.get_many([b"k"])
    assert await store.get_many([b"k"]) == {b"k": b"1"}

    chaos.down = False
    assert await chaos.get_many([b"k"]) == {b"k": b"1"}


async def test_a_lost_reply_is_of_something_done() -> None:
    """While replies are lost, calls raise, and are done all the same."""
    store = MemoryStore()
    chaos = Chaos(store)
    chaos.loses_replies = True

    with pytest.raises(StoreTimeout):
        await chaos.set_many({b"k": Item(b"1")})

    assert await store.get_many([b"k"]) == {b"k": b"1"}


async def test_calls_are_counted() -> None:
    """It counts calls, also those that fail, and the keys that they were about."""
    chaos = Chaos(MemoryStore())
    await chaos.get_many([b"a", b"b"])
    await chaos.set_many({b"a": Item(b"1")})
    chaos.down = True
    with pytest.raises(StoreError):
        await chaos.get_many([b"a"])

    assert chaos.calls == {"get_many": 2, "set_many": 1}
    assert chaos.keys == {"get_many": 3, "set_many": 1}


async def test_calls_stop_before_the_store() -> None:
    """What is held has not been done, and is done when it is released; other calls go on."""
    store = MemoryStore()
    chaos = Chaos(store)
    chaos.hold("set_many")
    writing = asyncio.create_task(chaos.set_many({b"k": Item(b"1")}))
    await chaos.held("set_many")

    assert await chaos.get_many([b"k"]) == {}

    chaos.release()
    await writing
    assert await store.get_many([b"k"]) == {b"k": b"1"}


async def test_calls_stop_behind_the_store() -> None:
    """A reply that is held tells what was true when it was given."""
    chaos = Chaos(MemoryStore())
    await chaos.set_many({b"k": Item(b"old")})
    chaos.hold("after get_many")
    reading = asyncio.create_task(chaos.get_many([b"k"]))
    await chaos.held("after get_many")
    await chaos.set_many({b"k": Item(b"new")})

    chaos.release("after get_many")

    assert await reading == {b"k": b"old"}


async def test_all_can_be_held_and_some_released() -> None:
    """With all points held, those that are released let calls go on, and the others do not."""
    chaos = Chaos(MemoryStore())
    chaos.hold()
    reading = asyncio.create_task(chaos.get_many([b"k"]))
    writing = asyncio.create_task(chaos.set_many({b"k": Item(b"1")}))
    await chaos.held(count=2)

    chaos.release("set_many", "after set_many")
    await writing
    assert not reading.done()

    chaos.release()
    assert await reading == {b"k": b"1"}


async def test_a_held_call_can_be_cancelled() -> None:
    """A caller that leaves a gate is not counted as standing there, and its call is not made."""
    store = MemoryStore()
    chaos = Chaos(store)
    chaos.hold("set_many")
    leaving = asyncio.create_task(chaos.set_many({b"k": Item(b"1")}))
    await chaos.held("set_many")
    leaving.cancel()
    await asyncio.wait([leaving])
    waiting = asyncio.create_task(chaos.held("set_many"))
    staying = asyncio.create_task(chaos.set_many({b"k": Item(b"2")}))
    await waiting

    chaos.release()
    await staying
    assert chaos.calls["set_many"] == 2
    assert await store.get_many([b"k"]) == {b"k": b"2"}


async def test_delays_pass_by_the_clock() -> None:
    """A delay is over when the test's clock says so."""
    clock = ManualClock()
    chaos = Chaos(MemoryStore(), delay=(1, 1), clock=clock)
    reading = asyncio.create_task(chaos.get_many([b"k"]))
    await asyncio.sleep(0)
    clock.advance(0.9)
    await asyncio.sleep(0)
    assert not reading.done()

    clock.advance(0.1)
    assert await reading == {}


async def test_failures_by_chance_are_repeatable() -> None:
    """Of many calls about the share fails, half of them after they were done, and the same ones for the same seed."""

    async def run(seed: int) -> list[type[StoreError] | None]:
        chaos, outcomes = Chaos(MemoryStore(), fail=0.4, seed=seed), list[type[StoreError] | None]()
        for _ in range(1_000):
            try:
                await chaos.get_many([b"k"])
            except StoreError as error:
                outcomes.append(type(error))
            else:
                outcomes.append(None)
        return outcomes

    outcomes = await run(1)
    assert 150 < outcomes.count(StoreUnavailable) < 250
    assert 150 < outcomes.count(StoreTimeout) < 250
    assert outcomes == await run(1) != await run(2)


@pytest.mark.parametrize("value", [b"", b"x", b"a longer value"])
async def test_damaged_values_differ(value: bytes) -> None:
    """A value that is damaged is not the one that was kept, and the store inside still has that."""
    store = MemoryStore()
    chaos = Chaos(store, corrupt=1.0)
    await chaos.set_many({b"k": Item(value)})

    for _ in range(100):
        assert (await chaos.get_many([b"k"]))[b"k"] != value
    assert await store.get_many([b"k"]) == {b"k": value}


async def test_a_lost_feed_tells_nothing() -> None:
    """A feed says when it is lost, is silent until it is restored, and then says that anything may have changed."""
    chaos, told = Chaos(MemoryStore()), list[object]()
    async with listening(chaos, told):
        await chaos.set_many({b"1": Item(b"")})
        chaos.lose_feed()
        await chaos.set_many({b"2": Item(b"")})
        chaos.restore_feed()
        await chaos.set_many({b"3": Item(b"")})

    assert told == [([b"1"], True), (None, False), (None, False), ([b"3"], True)]


async def test_a_feed_that_begins_lost() -> None:
    """What is listened to while feeds are lost becomes live when they are restored."""
    chaos, told = Chaos(MemoryStore()), list[object]()
    chaos.lose_feed()
    async with listening(chaos, told):
        await chaos.set_many({b"1": Item(b"")})
        assert told == []
        chaos.restore_feed()
        await chaos.set_many({b"2": Item(b"")})

    assert told == [(None, False), ([b"2"], True)]


async def test_news_can_be_late() -> None:
    """News that is held comes in its order when it is released, and the feed is live all the while."""
    chaos, told = Chaos(MemoryStore()), list[object]()
    async with listening(chaos, told):
        chaos.hold("feed")
        await chaos.set_many({b"1": Item(b"")})
        await chaos.delete_many([b"1"])
        assert told == []

        chaos.release()
        assert told == [([b"1"], True), ([b"1"], True)]


async def test_feeds_are_lost_by_chance() -> None:
    """With a share for it, calls lose feeds and restore them."""
    chaos, told = Chaos(MemoryStore(), lose_feed=0.5, seed=3), list[object]()
    async with listening(chaos, told):
        for _ in range(50):
            await chaos.get_many([b"k"])

    assert len(told) > 10
    assert all(news == (None, False) for news in told)


@pytest.mark.parametrize("options", [{"fail": 1.1}, {"corrupt": -0.1}, {"delay": (2, 1)}, {"delay": (-1, 1)}])
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    """Shares are from 0 to 1, and a delay is two times in their order."""
    with pytest.raises(ValueError, match=r"fail is|corrupt is|delay is"):
        Chaos(MemoryStore(), **options)  # type: ignore[arg-type]  # that is the point
