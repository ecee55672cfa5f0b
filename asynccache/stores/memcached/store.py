"""The store on Memcached: which node a key is on, and what becomes of a call when some nodes cannot be reached.

Each node has lanes, a time limit and a breaker of its own. What lies on a lost node is a miss: its keys go to no other
node, so that nothing old is found when it returns, and the others get no more to do than before.

What to know of the engine. It forgets what it likes when it is full, and everything when it restarts; counters as well,
so a fencing number taken here is only as good as the node's memory. A node that was cut off comes back with the values
that it had then: what was changed or deleted meanwhile is as it was. The floors above keep generations and deadlines in
the values, and tell such a value from a valid one as long as the generation lies on another node, or was written anew;
use a ttl. Nobody is told of changes: a tier in the process in front of this store is as old as its own ttl.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypeVar, cast

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.stores.batching import DEFAULT_TIMEOUT
from asynccache.stores.clients import GivenClient
from asynccache.stores.contract import Item
from asynccache.stores.memcached.node import MemcachedNode
from asynccache.stores.memcached.options import check, check_nodes, joined, load, maker, read_weights, spelled
from asynccache.stores.memcached.placement import Placement
from asynccache.stores.urls import StoreUrl, seconds, size

if TYPE_CHECKING:
    import emcache

R = TypeVar("R")
Client: TypeAlias = "Callable[[], emcache.Client] | GivenClient[emcache.Client]"

_LARGEST: Final = 1024 * 1024
"""Bytes of a value: Memcached's own default, `-I 1m`. It counts its own few bytes as well, and refuses what is left."""

_CONNECTIONS: Final = 8


class MemcachedStore:
    """Keeps bytes on one node of Memcached or several.

    Implements `Store`, `SupportsConditions` and `SupportsCounters`. There is no feed and no scan: Memcached tells
    nobody of changes, and has no way to list its keys that can be relied on.

    Args:
        nodes: `"host"`, `"host:port"`, `"[::1]:port"` or the path of a Unix socket each; or a client of emcache. That
            one is used on its own loop only, its nodes count as one, so that a lost one is all lost, and it is never
            closed. It needs no autobatching: there is batching in front of it.
        weights: how many of the keys each node gets, in proportion; all the same by default.
        timeout: seconds that anybody waits at most.
        connections: to each node, from each event loop; half of them make changes.
        max_bytes: of a value: larger ones are refused, and what they would have replaced is deleted. As memcached's
            `-I`.
        username: with a password, for nodes started with `--auth-file`.
        password: likewise.
        tls: whether connections are encrypted. Nodes show a certificate that the system trusts; the environment
            variable `SSL_CERT_FILE` names others.

    Raises:
        ImportError: emcache is not installed: `pip install "asynccache[memcached]"`.
        ValueError: an option cannot be right.
    """

    def __init__(
        self,
        nodes: "Iterable[str] | emcache.Client",
        *,
        weights: Sequence[float] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        connections: int = _CONNECTIONS,
        max_bytes: int = _LARGEST,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
    ) -> None:
        driver = load()
        check(timeout, connections, max_bytes)
        if (username is None) != (password is None):
            raise ValueError("a username and a password go together: give both or none")

        if isinstance(nodes, driver.Client):
            names, weights = ["memcached"], None
            clients: list[Client] = [GivenClient(cast("emcache.Client", nodes), "memcached")]
        else:
            options = {"username": username, "password": password, "ssl": tls, "max_connections": connections}
            names = [spelled(node) for node in cast("Iterable[str]", nodes)]
            check_nodes(names, weights)
            clients = [maker(name, options) for name in names]
        self._nodes = [
            MemcachedNode(f"memcached {name}", client, timeout=timeout, lanes=connections // 2, max_bytes=max_bytes)
            for name, client in zip(names, clients, strict=True)
        ]
        self.name = f"memcached://{','.join(names)}"
        self.timeout = timeout
        self.is_closed = False
        self._place = Placement(names, weights).place

    @classmethod
    def from_url(cls, url: StoreUrl) -> "MemcachedStore":
        """Make the store of `memcached://user:password@a,b:11212,c`.

        Parameters: `timeout` (seconds), `connections`, `max_bytes`, `weights` (as many as nodes: `3,1,1`), `tls`.

        Raises:
            ValueError: the URL says something else.
        """
        if url.path not in {"", "/"}:
            raise ValueError("the URL of a memcached store ends with its nodes: memcached://a,b:11212,c")
        given = url.parameters(timeout=seconds, connections=int, max_bytes=size, weights=read_weights, tls=bool)
        nodes = [joined(host, port) for host, port in url.hosts] or ["localhost"]
        return cls(nodes, username=url.username, password=url.password, **given)

    def __repr__(self) -> str:
        return f"<MemcachedStore {self.name}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others, nor for those on a lost node.

        Raises:
            StoreError: no node that was asked has answered.
        """
        if len(self._nodes) == 1:
            return await self._nodes[0].get_many(keys)
        shares = self._shares(keys)
        if len(shares) == 1:
            ((node, share),) = shares.items()
            return await self._nodes[node].get_many(share)
        asked = [self._nodes[node].get_many(share) for node, share in shares.items()]
        answers = await _gather(asked)
        found: dict[bytes, bytes] = {}
        failed = [answer for answer in answers if isinstance(answer, StoreError)]
        if failed and len(failed) == len(answers):
            raise failed[0]
        for answer in answers:
            if not isinstance(answer, StoreError):
                found |= answer
        return found

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these. A ttl of 0 or less deletes; one of more than 0 lasts up to two seconds longer than it says.

        Raises:
            StoreError: some may not be kept; the others are.
        """
        shares = self._shares(items)
        await self._of_all(
            [self._nodes[node].set_many({key: items[key] for key in share}) for node, share in shares.items()]
        )

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were.

        Raises:
            StoreError: some may still be there; the others are not.
        """
        shares = self._shares(dict.fromkeys(keys))
        return sum(await self._of_all([self._nodes[node].delete_many(share) for node, share in shares.items()]))

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already; tell whether it was kept."""
        return await self._node(key).add(key, item)

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one whose value begins with `expected`; tell whether there was such a one."""
        return await self._node(key).compare_and_set(key, expected, item)

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item whose value begins with `expected`; tell whether there was such a one."""
        return await self._node(key).compare_and_delete(key, expected)

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter that begins at 0, and give the sum. It begins anew when its node has forgotten it."""
        return await self._node(key).increment(key, ttl=ttl)

    async def aclose(self) -> None:
        """Let go of all connections; what is asked already is still answered."""
        self.is_closed = True
        await _gather([node.aclose() for node in self._nodes])

    def node_of(self, key: bytes) -> int:
        """Tell on which node a key is, by its index among those that the store was made with."""
        return self._place(key)

    def _node(self, key: bytes) -> MemcachedNode:
        return self._nodes[self._place(key)]

    def _shares(self, keys: Iterable[bytes]) -> dict[int, list[bytes]]:
        if self.is_closed:
            raise StoreUnavailable(f"{self.name} is closed")
        shares: dict[int, list[bytes]] = {}
        for key in keys:
            shares.setdefault(self._place(key), []).append(key)
        return shares

    @staticmethod
    async def _of_all(asked: "Sequence[Awaitable[R]]") -> list[R]:
        """Wait for all nodes: one that fails stops no other."""
        done: list[R] = []
        for answer in await _gather(asked):
            if isinstance(answer, StoreError):
                raise answer
            done.append(answer)
        return done


async def _gather(asked: Sequence[Awaitable[R]]) -> list[R | StoreError]:
    if len(asked) == 1:  # no task is needed
        try:
            return [await asked[0]]
        except StoreError as error:
            return [error]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    told: list[R | StoreError] = []
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, StoreError):
            raise answer
        told.append(answer)
    return told
