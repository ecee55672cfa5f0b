"""News of changes on real Hazelcast members, and what is left when one is lost."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import (
    Feed,
    HazelcastStore,
    Item,
)
from tests.servers.hazelcast import HazelcastMembers
from tests.stores.hazelcast_stores import (
    Keys,
    News,
    numbers,
    own_keys,
    plain_client,
    store_on,
    until,
    until_gone,
)


@pytest.fixture
def keys() -> Keys:
    """Keys that no other test uses."""
    return own_keys()


@pytest.fixture
async def store(hazelcast_member: HazelcastMembers) -> AsyncIterator[HazelcastStore]:
    """A store on one member."""
    async with store_on(hazelcast_member) as store:
        yield store


# --- feeds ------------------------------------------------------------------------------------------------------------


async def test_a_feed_tells_what_changes(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """Whatever happens to a key, by whomever, is told; other keys are not; and a map that is cleared is all."""
    one, other = store_on(hazelcast_member), store_on(hazelcast_member)
    news = News()
    feed = await one.listen(keys(""), news)
    assert not feed.is_live
    await until(lambda: feed.is_live)
    assert (news.keys, news.all) == ([], 1)
    await other.set_many({keys("a"): Item(b"x"), keys("b"): Item(b"x", 0.05), b"other" + keys(""): Item(b"x")})
    await one.set_many({keys("c"): Item(b"x")})
    await until(lambda: {keys("a"), keys("b"), keys("c")} <= set(news.keys))
    for change in (
        other.compare_and_set(keys("a"), b"x", Item(b"y", 60.0)),
        other.delete_many([keys("a")]),
        other.increment(keys("a")),
    ):
        news.keys.clear()
        await change
        await until(lambda: keys("a") in news.keys)
    news.keys.clear()
    await until_gone(other, keys("b"))
    await until(lambda: keys("b") in news.keys)
    assert all(key.startswith(keys("")) for key in news.keys)
    client = await plain_client(hazelcast_member)
    before = news.all
    await (await client.get_map("asynccache")).clear()
    await until(lambda: news.all > before)
    await client.shutdown()
    await asyncio.gather(one.aclose(), other.aclose())
    assert not feed.is_live


async def test_a_closed_feed_tells_nothing(store: HazelcastStore, keys: Keys) -> None:
    """After it was closed, changes are told to the other feeds only."""
    news, others = News(), News()
    feed, other = await store.listen(keys(""), news), await store.listen(keys(""), others)
    await until(lambda: feed.is_live and other.is_live)
    await feed.aclose()
    await store.set_many({keys("a"): Item(b"x")})
    await until(lambda: keys("a") in others.keys)
    assert news.keys == []


async def test_a_listener_that_raises_harms_nobody(
    store: HazelcastStore, keys: Keys, loop_errors: list[dict[str, Any]]
) -> None:
    """What is raised by whoever is told is reported, and the store goes on."""

    def refuse(told: Iterable[bytes] | None) -> None:
        if told is not None:
            raise ValueError("not now")

    news = News()
    feed, other = await store.listen(keys(""), refuse), await store.listen(keys(""), news)
    await until(lambda: feed.is_live and other.is_live)
    await store.set_many({keys("a"): Item(b"x")})
    await until(lambda: keys("a") in news.keys and loop_errors)
    assert await store.get_many([keys("a")]) == {keys("a"): b"x"}
    assert {str(context["exception"]) for context in loop_errors} == {"not now"}


async def test_a_map_that_is_destroyed_is_noticed(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """With a map go its listeners, and nobody is told: the feed finds out by itself, and listens anew."""
    store = store_on(hazelcast_member, map=f"destroyed{next(numbers)}")
    news = News()
    feed = await store.listen(keys(""), news)
    await until(lambda: feed.is_live)
    client = await plain_client(hazelcast_member)
    await (await client.get_map(store.map)).destroy()
    await client.shutdown()
    await until(lambda: news.all >= 3)  # live, lost, live again
    assert feed.is_live
    await store.set_many({keys("a"): Item(b"x")})
    await until(lambda: keys("a") in news.keys)
    await store.aclose()


async def test_a_lost_cluster_is_told_and_found_again(keys: Keys) -> None:
    """When the only member is killed, the feed says so at once; when it is back, reads and news go on."""
    with HazelcastMembers(1) as members:
        store = store_on(members, timeout=0.5)
        news = News()
        feed = await store.listen(keys(""), news)
        await until(lambda: feed.is_live)
        await store.set_many({keys("a"): Item(b"x")})
        await until(lambda: keys("a") in news.keys)
        before = news.all
        members.members[0].kill()
        await until(lambda: not feed.is_live)
        assert news.all == before + 1
        clock = asyncio.get_running_loop().time
        for _ in range(5):
            began = clock()
            with pytest.raises((StoreTimeout, StoreUnavailable)):
                await store.get_many([keys("a")])
            assert clock() - began < 0.7
        await asyncio.to_thread(members.members[0].start)
        await until(lambda: feed.is_live)
        assert news.all == before + 2
        assert await store.get_many([keys("a")]) == {}
        await store.set_many({keys("b"): Item(b"x")})
        await until(lambda: keys("b") in news.keys)
        await store.aclose()


@pytest.mark.one_loop
async def test_a_member_that_hangs_is_noticed(keys: Keys) -> None:
    """While a member answers nothing, though its connection stays, the feed is lost; when it goes on, it is live."""
    with HazelcastMembers(1) as members:
        store = store_on(members, timeout=0.2)
        news = News()
        feed = await store.listen(keys(""), news)
        await until(lambda: feed.is_live)
        members.members[0].pause()
        await until(lambda: not feed.is_live, seconds=10)
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([keys("a")])
        members.members[0].resume()
        await until(lambda: feed.is_live)
        await store.aclose()


# --- two members, one killed ------------------------------------------------------------------------------------------


@pytest.mark.one_loop
async def test_a_killed_member_takes_nothing_with_it(hazelcast_pair: HazelcastMembers, keys: Keys) -> None:
    """One of two members is killed under reads: each is answered within its time limit, and no value is lost or wrong.

    News goes on as well: the feed is lost, and proven anew.
    """
    store = store_on(hazelcast_pair, timeout=0.2)
    patient = store_on(hazelcast_pair)
    news = News()
    feed = await patient.listen(keys(""), news)
    await until(lambda: feed.is_live)
    items = {keys(str(number)): Item(b"%d" % number) for number in range(200)}
    await patient.set_many(items)
    every = {key: item.value for key, item in items.items()}
    assert await patient.get_many(list(items)) == every
    clock = asyncio.get_running_loop().time
    waits: list[float] = []
    wrong = whole = 0

    async def read() -> None:
        nonlocal wrong, whole
        began = clock()
        found: dict[bytes, bytes] = {}
        try:
            found = await store.get_many(list(items))
        except (StoreTimeout, StoreUnavailable):
            await asyncio.sleep(0.01)
        waits.append(clock() - began)
        wrong += any(every[key] != value for key, value in found.items())
        whole += found == every

    for _ in range(20):
        await read()
    before = news.all
    hazelcast_pair.members[0].kill()
    for _ in range(20):
        await read()
    whole = 0
    async with asyncio.timeout(30):
        while whole < 20:
            await read()
    assert wrong == 0
    assert max(waits) < 0.5
    assert await patient.get_many(list(items)) == every
    await until(lambda: feed.is_live and news.all >= before + 2)
    news.keys.clear()
    await patient.set_many(dict.fromkeys(items, Item(b"new")))
    await until(lambda: set(news.keys) >= set(items))
    await asyncio.gather(store.aclose(), patient.aclose())


class Mirror:
    """What a tier in the process would keep: values that were read while the feed was live, until they change."""

    def __init__(self, store: HazelcastStore) -> None:
        self.store = store
        self.kept: dict[bytes, bytes] = {}
        self.changed: set[bytes] | None = set()
        self.flushes = 0

    def hear(self, keys: Iterable[bytes] | None) -> None:
        """Forget what has changed; and what is just being read, is not to be kept."""
        if keys is None:
            self.flushes += 1
            self.changed = None
            self.kept.clear()
            return
        for key in keys:
            self.kept.pop(key, None)
            if self.changed is not None:
                self.changed.add(key)

    async def fill(self, feed: Feed, keys: list[bytes]) -> None:
        """Read what is not kept, and keep what has not changed meanwhile."""
        missing = [key for key in keys if key not in self.kept]
        if not feed.is_live or not missing:
            return
        self.changed = set()
        with contextlib.suppress(StoreTimeout, StoreUnavailable):
            found = await self.store.get_many(missing)
            changed = self.changed
            if changed is not None:
                self.kept |= {key: value for key, value in found.items() if key not in changed}


@pytest.mark.one_loop
@pytest.mark.timeout(120)
async def test_nothing_stale_is_kept_while_members_come_and_go(keys: Keys) -> None:
    """Values are written and read all the time while a member joins and another is killed.

    What is kept by the news of the feed is in the end what is in the store.
    """
    members = HazelcastMembers(2)
    first, second = members.members
    with contextlib.ExitStack() as stack:
        stack.callback(first.close)
        stack.callback(second.close)
        first.joined = 1
        await asyncio.to_thread(first.start)
        writer, reader = store_on(members), store_on(members)
        mirror = Mirror(reader)
        feed = await reader.listen(keys(""), mirror.hear)
        names = [keys(str(number)) for number in range(100)]
        is_over = False

        async def write() -> None:
            for number in itertools.count():
                if is_over:
                    return
                with contextlib.suppress(StoreError):
                    await writer.set_many({name: Item(b"%d" % number) for name in names[number % 10 :: 10]})

        async def read() -> None:
            while not is_over:
                await mirror.fill(feed, names)
                await asyncio.sleep(0)

        tasks = [asyncio.ensure_future(write()), asyncio.ensure_future(read())]
        await until(lambda: feed.is_live and mirror.kept)
        for change in (second.start, first.kill):
            before = mirror.flushes
            await asyncio.to_thread(change)
            await until(lambda: feed.is_live and mirror.flushes >= before + 2 and mirror.kept)  # noqa: B023  # at once
        is_over = True
        await asyncio.gather(*tasks)
        right = await writer.get_many(names)
        async with asyncio.timeout(10):
            while True:
                await mirror.fill(feed, names)
                if mirror.kept == right:  # what is stale would stay
                    break
                await asyncio.sleep(0.01)
        assert len(right) == 100
        await asyncio.gather(writer.aclose(), reader.aclose())
