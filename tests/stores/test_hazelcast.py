"""The store on real Hazelcast members: what the contract's own suite does not ask, and what a lost member does."""

import asyncio
import contextlib
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import (
    Feed,
    HazelcastStore,
    Item,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    open_store,
)
from asynccache.stores.batching import Change, Op
from asynccache.stores.hazelcast.changes import Changes
from asynccache.stores.hazelcast.entries import entry
from asynccache.stores.hazelcast.link import load
from tests.servers.hazelcast import CLUSTER, HazelcastMembers
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from hazelcast.asyncio import HazelcastClient

Keys: TypeAlias = Callable[[str], bytes]
PATIENT = 5.0
"""Seconds, where it is not about time."""

numbers = itertools.count()


@pytest.fixture
def keys() -> Keys:
    """Keys that no other test uses."""
    prefix = f"{os.getpid()}:{next(numbers)}:"
    return lambda text: f"{prefix}{text}".encode()


@pytest.fixture
async def store(hazelcast_member: HazelcastMembers) -> AsyncIterator[HazelcastStore]:
    """A store on one member."""
    store = store_on(hazelcast_member)
    yield store
    await store.aclose()


def store_on(members: HazelcastMembers, timeout: float = PATIENT, map: str = "asynccache") -> HazelcastStore:  # noqa: A002  # as in the store
    """Make a store on all members."""
    return HazelcastStore([member.address for member in members.members], cluster=CLUSTER, map=map, timeout=timeout)


async def plain_client(members: HazelcastMembers) -> "HazelcastClient":
    """A client that knows nothing of stores."""
    driver: type[HazelcastClient] = load().HazelcastClient  # without what importing it says on Python 3.11
    return await driver.create_and_start(
        cluster_name=CLUSTER, cluster_members=[member.address for member in members.members]
    )


async def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Ask again and again, until it holds."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def until_gone(store: HazelcastStore, key: bytes) -> None:
    """Read until there is nothing."""
    async with asyncio.timeout(20):
        while True:
            if not await store.get_many([key]):
                return
            await asyncio.sleep(0.05)


class News:
    """What a feed has told."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.all = 0

    def __call__(self, keys: Iterable[bytes] | None) -> None:
        """Take note."""
        if keys is None:
            self.all += 1
        else:
            self.keys += keys


# --- keys, values, times ----------------------------------------------------------------------------------------------


async def test_any_key_and_any_value_are_kept(store: HazelcastStore, keys: Keys) -> None:
    """Keys and values are bytes, whichever they are."""
    odd = [b"", b"\0", bytes(range(256)), b"k" * 1_000, b"%_\\"]
    items = {keys("") + key: Item(key * 3) for key in odd} | {keys("large"): Item(b"x" * 300_000)}
    await store.set_many(items)
    assert await store.get_many(list(items)) == {key: item.value for key, item in items.items()}
    assert await store.delete_many(list(items)) == len(items)
    assert await store.delete_many(list(items)) == 0
    assert await store.get_many(list(items)) == {}


async def test_a_thousand_keys_at_once(store: HazelcastStore, keys: Keys) -> None:
    """Large batches are read and written whole."""
    items = {keys(str(number)): Item(b"%d" % number, 60.0) for number in range(1_000)}
    await store.set_many(items)
    assert len(await store.get_many(list(items))) == 1_000


async def test_what_has_expired_is_gone(store: HazelcastStore, keys: Keys) -> None:
    """A time to live ends, however the item was written; one that has ended already keeps nothing."""
    await store.set_many({keys("a"): Item(b"x", 0.05), keys("b"): Item(b"x", 0.0), keys("c"): Item(b"x", -1.0)})
    assert await store.add(keys("d"), Item(b"x", 0.0))
    assert await store.add(keys("e"), Item(b"x", 0.05))
    await store.set_many({keys("f"): Item(b"x"), keys("g"): Item(b"x", 1_000.0)})
    assert await store.compare_and_set(keys("f"), b"x", Item(b"y", 0.05))
    assert await store.compare_and_set(keys("g"), b"x", Item(b"y", 0.0))
    assert set(await store.get_many([keys(name) for name in "abcdefg"])) <= {keys("a"), keys("e"), keys("f")}
    for name in "aef":
        await until_gone(store, keys(name))


async def test_counters_begin_anew(store: HazelcastStore, keys: Keys) -> None:
    """A counter with a time to live begins at 0 again after it."""
    assert [await store.increment(keys("n"), ttl=0.05) for _ in range(3)] == [1, 2, 3]
    await until_gone(store, keys("n"))
    assert await store.increment(keys("n")) == 1


# --- conditions and counters ------------------------------------------------------------------------------------------


async def test_a_store_says_what_it_can(store: HazelcastStore) -> None:
    """It does conditions, counters and feeds."""
    assert isinstance(store, SupportsConditions)
    assert isinstance(store, SupportsCounters)
    assert isinstance(store, SupportsFeed)


async def test_conditions_compare_the_beginning(store: HazelcastStore, keys: Keys) -> None:
    """A change is made where the present value begins as expected."""
    key = keys("a")
    assert not await store.compare_and_set(key, b"", Item(b"x"))
    assert await store.add(key, Item(b"one and more", 60.0))
    assert not await store.add(key, Item(b"two"))
    assert not await store.compare_and_set(key, b"one and more\0", Item(b"three"))
    assert await store.compare_and_set(key, b"one", Item(b"four", 60.0))
    assert await store.get_many([key]) == {key: b"four"}
    assert not await store.compare_and_delete(key, b"one")
    assert await store.compare_and_delete(key, b"fo")
    assert not await store.compare_and_delete(key, b"")
    assert await store.add(key, Item(b"five"))


async def test_changes_on_condition_lose_nothing(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """Eight writers over two stores add to one number 25 times each, by comparing: the sum is exact."""
    stores = [store_on(hazelcast_member) for _ in range(2)]
    await stores[0].set_many({keys("n"): Item(b"0;")})

    async def add(store: HazelcastStore) -> None:
        done = 0
        while done < 25:
            seen = (await store.get_many([keys("n")]))[keys("n")]
            done += await store.compare_and_set(keys("n"), seen, Item(b"%d;" % (int(seen[:-1]) + 1)))

    await asyncio.gather(*(add(stores[number % 2]) for number in range(8)))
    assert await stores[0].get_many([keys("n")]) == {keys("n"): b"200;"}
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_counting_is_exact(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """Eight tasks over two stores count 200 times each: every number is given once."""
    stores = [store_on(hazelcast_member) for _ in range(2)]

    async def count(store: HazelcastStore) -> list[int]:
        return [await store.increment(keys("n")) for _ in range(200)]

    counted = await asyncio.gather(*(count(stores[number % 2]) for number in range(8)))
    assert sorted(itertools.chain(*counted)) == list(range(1, 1_601))
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_a_value_is_no_counter(store: HazelcastStore, keys: Keys) -> None:
    """Counting where a value is kept is an error, and harms nothing."""
    await store.set_many({keys("v"): Item(b"value")})
    with pytest.raises(StoreError):
        await store.increment(keys("v"))
    assert await store.get_many([keys("v")]) == {keys("v"): b"value"}


async def test_what_a_dead_writer_left_is_nobody_s(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """An entry that was replaced by somebody who died before setting its time to live is as good as gone in the end."""
    client = await plain_client(hazelcast_member)
    entries: Any = await client.get_map("asynccache")
    for name, value in (("lease", b"token"), ("counter", b"7"), ("value", b"x")):
        await entries.set(keys(name).decode(), entry(value, 1.0, time.time() - 100.0))
    await client.shutdown()
    async with store_on(hazelcast_member) as store:
        assert await store.get_many([keys("lease"), keys("counter"), keys("value")]) == {}
        assert not await store.compare_and_set(keys("value"), b"", Item(b"y"))
        assert await store.add(keys("lease"), Item(b"mine", 0.05))
        assert not await store.add(keys("lease"), Item(b"other"))
        assert await store.increment(keys("counter"), ttl=0.05) == 1
        await until_gone(store, keys("lease"))
        await until_gone(store, keys("counter"))


class Rival:
    """A map whose entries somebody else changes just before each change."""

    def __init__(self, present: bytearray, times: int) -> None:
        self.present = present
        self.times = times

    async def get(self, key: str) -> bytearray:
        """Give the entry."""
        return self.present

    async def put_if_absent(self, key: str, value: bytearray, ttl: int | None) -> bytearray:
        """Give the entry."""
        return self.present

    async def replace_if_same(self, key: str, present: bytearray, value: bytearray) -> bool:
        """Be late, some times."""
        self.times -= 1
        return self.times < 0

    async def remove_if_same(self, key: str, present: bytearray) -> bool:
        """Be late, some times."""
        return await self.replace_if_same(key, present, present)


def on_rival(value: bytes, times: int, ttl: float | None = None) -> Changes:
    """Changes where somebody else is always faster, some times."""
    rival: Any = Rival(entry(value, ttl, time.time() - 100.0), times)
    return Changes(rival, "hazelcast")


async def test_who_comes_late_tries_again() -> None:
    """A change on a condition is made though others are faster some times, if not for ever."""
    swap = Op(Change.COMPARE_AND_SET, b"k", Item(b"x"), b"val")
    removal = Op(Change.COMPARE_AND_DELETE, b"k", expected=b"val")
    count = Op(Change.INCREMENT, b"k")
    assert await on_rival(b"value", 3).make(swap) is True
    assert await on_rival(b"value", 3).make(removal) is True
    assert await on_rival(b"7", 3).make(count) == 8
    assert await on_rival(b"old", 3, ttl=1.0).make(Op(Change.ADD, b"k", Item(b"x"))) is True
    for change in (swap, removal):
        with pytest.raises(StoreError, match="all the time"):
            await on_rival(b"value", 1_000).make(change)
    with pytest.raises(StoreError, match="all the time"):
        await on_rival(b"7", 1_000).make(count)
    with pytest.raises(StoreError, match="all the time"):
        await on_rival(b"old", 1_000, ttl=1.0).make(Op(Change.ADD, b"k", Item(b"x")))


# --- what others put there --------------------------------------------------------------------------------------------


class Trap:
    """What runs when it is unpickled."""

    sprung = 0

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return spring, ()


def spring() -> None:
    """Note that a pickle was read."""
    Trap.sprung += 1


async def test_nothing_that_others_have_put_is_run(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """A pickle in the map is a miss: it is not read, nor taken for room that is free."""
    client = await plain_client(hazelcast_member)
    entries: Any = await client.get_map("asynccache")
    Trap.sprung = 0
    await entries.set(keys("trap").decode(), Trap())
    await entries.get(keys("trap").decode())
    assert Trap.sprung == 1  # it is one
    store = store_on(hazelcast_member)
    assert await store.get_many([keys("trap")]) == {}
    assert not await store.add(keys("trap"), Item(b"x"))
    assert not await store.compare_and_set(keys("trap"), b"", Item(b"x"))
    with pytest.raises(StoreError):
        await store.increment(keys("trap"))
    await store.set_many({keys("trap"): Item(b"mine")})
    assert await store.get_many([keys("trap")]) == {keys("trap"): b"mine"}
    assert Trap.sprung == 1
    await store.aclose()
    await client.shutdown()


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


# --- connecting, loops and clients ------------------------------------------------------------------------------------


async def test_a_cluster_that_is_not_there_costs_no_more_than_the_time_limit(keys: Keys) -> None:
    """Connecting goes on behind: callers wait as long as they wait for anything, and closing does not wait for it."""
    store = HazelcastStore([f"127.0.0.1:{free_port()}"], cluster=CLUSTER, timeout=0.1)
    clock = asyncio.get_running_loop().time
    for _ in range(6):
        began = clock()
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([keys("a")])
        assert clock() - began < 0.4
    began = clock()
    await store.aclose()
    assert clock() - began < 3
    with pytest.raises(StoreUnavailable):
        await store.get_many([keys("a")])
    with pytest.raises(StoreUnavailable):
        await store.listen(keys(""), News())


async def test_a_member_that_accepts_and_says_nothing(keys: Keys) -> None:
    """An address where nobody speaks Hazelcast's language costs no more, and leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = HazelcastStore([f"127.0.0.1:{silent.getsockname()[1]}"], cluster=CLUSTER, timeout=0.1)
        with pytest.raises((StoreTimeout, StoreUnavailable)):
            await store.get_many([keys("a")])
        await store.aclose()


@pytest.mark.one_loop
def test_loops_in_threads_use_one_store(hazelcast_member: HazelcastMembers, keys: Keys) -> None:
    """Three loops in three threads read and write through one store, each by a client of its own."""
    store = open_store(f"{hazelcast_member.url}?timeout={PATIENT}")
    failures: list[BaseException] = []

    async def use(who: int) -> None:
        for number in range(20):
            name = keys(f"{who}:{number}")
            await store.set_many({name: Item(name)})
            assert await store.get_many([name]) == {name: name}

    def run(who: int) -> None:
        try:
            asyncio.run(use(who))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert threading.active_count() < 10
    asyncio.run(store.aclose())


async def test_a_client_that_was_passed_in_is_used_and_left_open(
    hazelcast_member: HazelcastMembers, keys: Keys
) -> None:
    """The store works on it, tells of changes on it, and closing the store does not close it."""
    client = await plain_client(hazelcast_member)
    store = HazelcastStore(client, timeout=PATIENT)
    news = News()
    feed = await store.listen(keys(""), news)
    await until(lambda: feed.is_live)
    await store.set_many({keys("a"): Item(b"x")})
    assert await store.get_many([keys("a")]) == {keys("a"): b"x"}
    await until(lambda: keys("a") in news.keys)
    with pytest.raises(StoreUnavailable, match="another event loop"):
        await asyncio.to_thread(asyncio.run, store.get_many([keys("a")]))
    await store.aclose()
    assert client.lifecycle_service.is_running()
    entries: Any = await client.get_map("asynccache")
    assert await entries.contains_key(keys("a").decode())
    await client.shutdown()


async def test_cancelled_callers_harm_nobody(store: HazelcastStore, keys: Keys) -> None:
    """Readers that are cancelled at any moment leave the others with the right values."""
    names = [keys(str(number)) for number in range(10)]
    await store.set_many({name: Item(name * 20) for name in names})
    for turn in range(60):
        tasks = [asyncio.ensure_future(store.get_many([name])) for name in names]
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        for name, task in list(zip(names, tasks, strict=True))[1::2]:
            assert await task == {name: name * 20}
        await asyncio.gather(*tasks, return_exceptions=True)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("hazelcast://a/b/c", "ends with the cluster's name"),
        ("hazelcast://a?timeout=no", "timeout"),
        ("hazelcast://a?mapp=x", "map"),
        ("hazelcast://a?tls=perhaps", "tls"),
    ],
)
def test_urls_that_cannot_be_right_are_refused(url: str, named: str) -> None:
    """What is wrong in a URL is said when the store is made."""
    with pytest.raises(ValueError, match=named):
        open_store(url)


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("hazelcast://", "hazelcast://localhost:5701/dev"),
        ("hazelcast://a,b:1/c", "hazelcast://a:5701,b:1/c"),
        ("hazelcast://u:secret@a/c?map=m&tls=no", "hazelcast://a:5701/c"),
    ],
)
def test_stores_name_their_cluster(given: str, name: str) -> None:
    """Members and cluster are shown, and passwords are not."""
    assert repr(open_store(given)) == f"<HazelcastStore {name}>"


@pytest.mark.one_loop
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Hazelcast's client, what to install is said where a store is made."""
    monkeypatch.setitem(sys.modules, "hazelcast.asyncio", None)
    with pytest.raises(ImportError, match=r"asynccache\[hazelcast\]"):
        HazelcastStore(["a"])


@pytest.mark.one_loop
def test_options_that_cannot_be_right_are_refused() -> None:
    """A mistake in an option is said where it is written."""
    with pytest.raises(ValueError, match="timeout"):
        HazelcastStore(["a"], timeout=0)
    with pytest.raises(ValueError, match="at least one member"):
        HazelcastStore([])
    with pytest.raises(ValueError, match="sequence"):
        HazelcastStore("a:5701")
