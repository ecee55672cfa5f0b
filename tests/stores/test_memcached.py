"""The store on real Memcached nodes: what the contract's own suite does not ask."""

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import emcache
import pytest

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores import Item, MemcachedStore, SupportsConditions, SupportsCounters, open_store
from asynccache.stores.clients import GivenClient
from asynccache.stores.memcached.node import MemcachedNode
from tests.servers.memcached import MemcachedNodes, MemcachedServer

Keys: TypeAlias = Callable[[str], bytes]
PATIENT = 5.0
"""Seconds, where it is not about time."""

numbers = itertools.count()


@pytest.fixture
def keys() -> Keys:
    """Keys that no other test uses: nodes forget what was written in the same second only later."""
    prefix = f"{os.getpid()}:{next(numbers)}:"
    return lambda text: f"{prefix}{text}".encode()


@pytest.fixture
async def store(memcached_nodes: MemcachedNodes) -> AsyncIterator[MemcachedStore]:
    """A store on three nodes."""
    store = MemcachedStore([node.address for node in memcached_nodes.nodes], timeout=PATIENT)
    yield store
    await store.aclose()


def on(store: MemcachedStore, node: int, keys: Keys, count: int) -> list[bytes]:
    """Some keys that are on one node."""
    return list(
        itertools.islice((k for k in map(keys, map(str, itertools.count())) if store.node_of(k) == node), count)
    )


async def until_gone(store: MemcachedStore, key: bytes) -> None:
    """Read until there is nothing."""
    async with asyncio.timeout(20):
        while True:
            if not await store.get_many([key]):
                return
            await asyncio.sleep(0.05)


# --- keys, values and times -------------------------------------------------------------------------------------------


async def test_any_key_and_any_value_are_kept(store: MemcachedStore, keys: Keys) -> None:
    """Keys that the protocol refuses, and values that look like parts of it, come back as they are."""
    odd = [b"", b" ", b"\r\nflush_all\r\n", bytes(range(256)), b"k" * 1_000, "ключ".encode()]
    items = {keys("") + key: Item(key * 3) for key in odd} | {keys("empty"): Item(b""), keys("end"): Item(b"END")}
    await store.set_many(items)
    assert await store.get_many(list(items)) == {key: item.value for key, item in items.items()}
    assert await store.delete_many(list(items)) == len(items)
    assert await store.get_many(list(items)) == {}


@pytest.mark.parametrize("size", [10, 13_107, 26_214, 100_000])
@pytest.mark.parametrize("start", range(5))
async def test_values_full_of_ends_are_read_whole(store: MemcachedStore, keys: Keys, size: int, start: int) -> None:
    """A value that holds the end of a reply at every place is read whole, however it is cut into packets."""
    value = b"x" * start + b"END\r\n" * size
    await store.set_many({keys("a"): Item(value), keys("b"): Item(b"other")})
    for _ in range(5):
        assert await store.get_many([keys("a"), keys("b")]) == {keys("a"): value, keys("b"): b"other"}


async def test_a_thousand_long_keys_at_once(store: MemcachedStore, keys: Keys) -> None:
    """Requests as long as they can become are understood."""
    items = {keys(f"{number:0>230}"): Item(b"%d" % number) for number in range(1_000)}
    await store.set_many(items)
    assert len(await store.get_many(list(items))) == 1_000


async def test_a_month_and_more_is_kept(store: MemcachedStore, keys: Keys) -> None:
    """Times beyond 30 days, which the protocol takes for dates, are kept; and so is what lasts for ever."""
    items = {keys(str(days)): Item(b"x", days * 86_400.0) for days in (29, 30, 31, 400, 100_000)}
    await store.set_many(items | {keys("ever"): Item(b"x", None)})
    assert len(await store.get_many([*items, keys("ever")])) == 6


async def test_what_has_expired_is_gone(store: MemcachedStore, keys: Keys) -> None:
    """A time to live ends; one that has ended already keeps nothing, whatever is asked."""
    await store.set_many({keys("a"): Item(b"x", 0.05), keys("b"): Item(b"x", 0.0), keys("c"): Item(b"x", -1.0)})
    assert await store.add(keys("d"), Item(b"x", 0.0))
    assert set(await store.get_many([keys(name) for name in "abcd"])) <= {keys("a")}
    await until_gone(store, keys("a"))


async def test_a_value_that_is_too_large_is_refused_alone(store: MemcachedStore, keys: Keys) -> None:
    """It is an error of that value only; and what it would have replaced is gone, as it is out of date."""
    large, small = on(store, 0, keys, 2)
    await store.set_many({large: Item(b"old")})
    outcomes = await asyncio.gather(
        store.set_many({large: Item(b"x" * 2_000_000)}), store.set_many({small: Item(b"y")}), return_exceptions=True
    )
    assert isinstance(outcomes[0], StoreError)
    assert outcomes[1] is None
    assert await store.get_many([large, small]) == {small: b"y"}


async def test_what_the_node_itself_refuses_is_an_error_of_that_value(
    memcached_nodes: MemcachedNodes, keys: Keys
) -> None:
    """A limit that is set higher than the node's own changes nothing of that."""
    store = MemcachedStore([memcached_nodes.nodes[0].address], timeout=PATIENT, max_bytes=64_000_000)
    outcomes = await asyncio.gather(
        store.set_many({keys("large"): Item(b"x" * 2_000_000)}),
        store.set_many({keys("small"): Item(b"y")}),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], StoreError)
    assert "xxx" not in str(outcomes[0])
    assert await store.get_many([keys("large"), keys("small")]) == {keys("small"): b"y"}
    await store.aclose()


# --- conditions and counters ------------------------------------------------------------------------------------------


async def test_a_store_says_what_it_can(store: MemcachedStore) -> None:
    """It does conditions and counters."""
    assert isinstance(store, SupportsConditions)
    assert isinstance(store, SupportsCounters)


@pytest.mark.parametrize("name", ["plain", "with spaces", "long" * 100])
async def test_conditions_compare_the_user_s_value(store: MemcachedStore, keys: Keys, name: str) -> None:
    """What is compared is the beginning of the value that was given, whatever is written around it."""
    key = keys(name)
    assert not await store.compare_and_set(key, b"", Item(b"x"))
    assert await store.add(key, Item(b"one END\r\n"))
    assert not await store.add(key, Item(b"two"))
    assert not await store.compare_and_set(key, b"two", Item(b"three"))
    assert await store.compare_and_set(key, b"one", Item(b"four"))
    assert await store.get_many([key]) == {key: b"four"}
    assert not await store.compare_and_delete(key, b"one")
    assert await store.compare_and_delete(key, b"fo")
    assert not await store.compare_and_delete(key, b"")
    assert await store.get_many([key]) == {}
    assert await store.add(key, Item(b"five"))


async def test_changes_on_condition_lose_nothing(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """Eight writers over two stores add to one number 25 times each, by comparing: the sum is exact."""
    stores = [MemcachedStore(memcached_nodes.url.split("://")[1].split(","), timeout=PATIENT) for _ in range(2)]
    await stores[0].set_many({keys("n"): Item(b"0;")})

    async def add(store: MemcachedStore) -> None:
        done = 0
        while done < 25:
            seen = (await store.get_many([keys("n")]))[keys("n")]
            done += await store.compare_and_set(keys("n"), seen, Item(b"%d;" % (int(seen[:-1]) + 1)))

    await asyncio.gather(*(add(stores[number % 2]) for number in range(8)))
    assert await stores[0].get_many([keys("n")]) == {keys("n"): b"200;"}
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_counting_is_exact(memcached_nodes: MemcachedNodes, keys: Keys) -> None:
    """Eight tasks over two stores count 200 times each: every number is given once."""
    stores = [MemcachedStore(memcached_nodes.url.split("://")[1].split(","), timeout=PATIENT) for _ in range(2)]

    async def count(store: MemcachedStore) -> list[int]:
        return [await store.increment(keys("n"), ttl=60.0) for _ in range(200)]

    counted = await asyncio.gather(*(count(stores[number % 2]) for number in range(8)))
    assert sorted(itertools.chain(*counted)) == list(range(1, 1_601))
    await asyncio.gather(*(store.aclose() for store in stores))


async def test_a_value_is_no_counter(store: MemcachedStore, keys: Keys) -> None:
    """Counting where a value is kept is an error, and harms nothing."""
    await store.set_many({keys("v"): Item(b"value")})
    with pytest.raises(StoreError):
        await store.increment(keys("v"))
    assert await store.get_many([keys("v")]) == {keys("v"): b"value"}


class Rival:
    """A client whose items somebody else changes just before each change."""

    def __init__(self, reply: Exception, times: int) -> None:
        self.reply = reply
        self.times = times

    async def gets(self, key: bytes, return_flags: bool = False) -> emcache.Item:
        """Give an item."""
        return emcache.Item(b"value", 0, 1)

    async def cas(self, key: bytes, value: bytes, cas: int, **_: int) -> None:
        """Be late, some times."""
        await self._refuse()

    async def increment(self, key: bytes, value: int) -> int:
        """Find nothing, as often."""
        if self.times > 0:
            raise emcache.NotFoundCommandError
        return 2

    async def add(self, key: bytes, value: bytes, **_: int) -> None:
        """Be late, some times."""
        await self._refuse()

    async def touch(self, key: bytes, exptime: int) -> None:
        """Find that the item is gone again."""
        raise emcache.NotFoundCommandError

    async def _refuse(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise self.reply


@contextlib.asynccontextmanager
async def with_rival(reply: Exception, times: int) -> AsyncIterator[MemcachedNode]:
    """A node where somebody else is always faster, some times."""
    client: Any = Rival(reply, times)
    node = MemcachedNode("node", GivenClient(client, "node"), timeout=PATIENT, lanes=1, max_bytes=1_000)
    async with node:
        yield node


async def test_who_comes_late_tries_again() -> None:
    """A change on a condition is made though others are faster some times, if not for ever."""
    late = emcache.NotStoredStorageCommandError()
    async with with_rival(late, 3) as node:
        assert await node.compare_and_set(b"k", b"val", Item(b"x"))
    async with with_rival(late, 3) as node:
        assert await node.increment(b"k") == 2
    async with with_rival(late, 1_000) as node:
        with pytest.raises(StoreError, match="all the time"):
            await node.compare_and_delete(b"k", b"val")
        with pytest.raises(StoreError, match="all the time"):
            await node.increment(b"k")


async def test_refusals_are_told() -> None:
    """An item that is gone when it is to be replaced is no error; what else a node refuses is, and is not repeated."""
    gone = emcache.StorageCommandError("Command finished with error, response returned bytearray(b'NOT_FOUND')")
    async with with_rival(gone, 1) as node:
        assert not await node.compare_and_set(b"k", b"val", Item(b"x"))
    async with with_rival(emcache.StorageCommandError("SERVER_ERROR secret"), 1) as node:
        with pytest.raises(StoreError, match="refused") as caught:
            await node.compare_and_set(b"k", b"val", Item(b"x"))
        assert "secret" not in str(caught.value)
    for error, kind in ((TimeoutError(), StoreTimeout), (OSError(), StoreUnavailable)):
        async with with_rival(error, 1) as node:
            with pytest.raises(kind):
                await node.compare_and_set(b"k", b"val", Item(b"x"))


@pytest.mark.parametrize("change", ["add", "compare_and_set"])
async def test_no_change_takes_a_value_that_is_too_large(store: MemcachedStore, keys: Keys, change: str) -> None:
    """The limit holds for changes on a condition as well, and what is there stays."""
    large = Item(b"x" * 2_000_000)
    await store.set_many({keys("a"): Item(b"y")})
    with pytest.raises(StoreError, match="at most"):
        await (store.add(keys("a"), large) if change == "add" else store.compare_and_set(keys("a"), b"", large))
    assert await store.get_many([keys("a")]) == {keys("a"): b"y"}


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("memcached://a/0", "ends with its nodes"),
        ("memcached://a,a:11211", "twice"),
        ("memcached://a?timeout=no", "timeout"),
        ("memcached://a?time_out=1", "timeout"),
        ("memcached://a,b?weights=1", "weights"),
        ("memcached://a,b?weights=1,x", "weights"),
        ("memcached://a,b?weights=1,-1", "weights"),
        ("memcached://a?connections=1", "connections"),
        ("memcached://user@a", "password"),
    ],
)
@pytest.mark.one_loop
def test_urls_that_cannot_be_right_are_refused(url: str, named: str) -> None:
    """What is wrong in a URL is said when the store is made."""
    with pytest.raises(ValueError, match=named):
        open_store(url)


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("memcached://", "memcached://localhost:11211"),
        ("memcached://A,b:1", "memcached://a:11211,b:1"),
        ("memcached://[::1]", "memcached://[::1]:11211"),
        ("memcached://u:secret@a?weights=2&tls=yes&max_bytes=1MB&connections=4", "memcached://a:11211"),
    ],
)
def test_stores_name_their_nodes(given: str, name: str) -> None:
    """Nodes have one spelling, and passwords are not shown."""
    assert repr(open_store(given)) == f"<MemcachedStore {name}>"


@pytest.mark.one_loop
@pytest.mark.parametrize("options", [{"timeout": 0}, {"max_bytes": 0}, {"username": "u"}])
def test_options_that_cannot_be_right_are_refused(options: dict[str, int]) -> None:
    """A mistake in an option is said where it is written."""
    with pytest.raises(ValueError, match=next(iter(options))):
        MemcachedStore(["a"], **options)  # type: ignore[arg-type]  # what a user without a checker may write


@pytest.mark.one_loop
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without emcache, what to install is said where a store is made."""
    monkeypatch.setitem(sys.modules, "emcache", None)
    with pytest.raises(ImportError, match=r"asynccache\[memcached\]"):
        MemcachedStore(["a"])


@pytest.mark.one_loop
@pytest.mark.parametrize("nodes", [[], ["a:0"], ["a,b"], [""]])
def test_nodes_that_cannot_be_right_are_refused(nodes: list[str]) -> None:
    """There is at least one, and each is one."""
    with pytest.raises(ValueError, match=r"node|host"):
        MemcachedStore(nodes)


async def test_a_unix_socket_is_a_node(keys: Keys) -> None:
    """A node may be the path of a socket."""

    class OnSocket(MemcachedServer):
        def command(self) -> list[str]:
            return [*super().command()[:1], "-s", str(self.folder / "socket"), "-u", "root"]

        def answers(self) -> bool:
            return (self.folder / "socket").exists()

    with OnSocket() as server:
        store = MemcachedStore([str(server.folder / "socket")], timeout=PATIENT)
        await store.set_many({keys("k"): Item(b"x")})
        assert await store.get_many([keys("k")]) == {keys("k"): b"x"}
        await store.aclose()
