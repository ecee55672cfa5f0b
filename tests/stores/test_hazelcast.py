"""The store on real Hazelcast members: what the contract's own suite does not ask."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from asynccache.errors import StoreError
from asynccache.stores import (
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
from tests.servers.hazelcast import HazelcastMembers
from tests.stores.hazelcast_stores import (
    Keys,
    own_keys,
    plain_client,
    store_on,
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
