"""The store on Hazelcast: how the contract is made of what a map can do.

A map has no change on the beginning of a value, nor one that sets a time to live. So a condition is checked here, and
the change is made on the whole value that was seen, again and again while others are faster; the time to live follows.
A batch goes as one request for each key, each to the member that has it: what one member does not answer in time is
missing, and the rest is there.

What to know of the engine. With one backup, Hazelcast's default, a member that dies takes nothing with it; its keys are
misses for as long as the others need to notice. Sides of a network that is cut go on apart, and are merged afterwards:
whatever one of them has written, a lease included, may be lost then. Its own near cache is not to be used, for this
map: it serves values that were replaced.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Coroutine, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, cast

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.batching import DEFAULT_TIMEOUT, BatchingStore, Op, raise_anew
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.clients import GivenClient, LoopClients
from asynccache.stores.contract import OnChange
from asynccache.stores.hazelcast.changes import Changes
from asynccache.stores.hazelcast.entries import text, value_of
from asynccache.stores.hazelcast.feed import HazelcastFeed
from asynccache.stores.hazelcast.link import Link, load, translated
from asynccache.stores.urls import StoreUrl, seconds

if TYPE_CHECKING:
    from hazelcast.asyncio import HazelcastClient

_SHARE: Final = 0.8
"""Part of the time limit after which what has come is given, without what has not: the rest is for what came first."""

_PORT: Final = 5_701


class HazelcastStore(BatchingStore):
    """Keeps bytes in a map of a Hazelcast cluster.

    Implements `Store`, `SupportsConditions`, `SupportsCounters` and `SupportsFeed`. There is no scan: a member gives
    all keys of a map in one reply, however many there are.

    Args:
        members: some of the cluster's, `"host"` or `"host:port"` each; or a client of `hazelcast.asyncio`, which is
            used on its own loop only, and never closed.
        cluster: its name.
        map: the name of the map. A near cache must not be set up for it.
        timeout: seconds that anybody waits at most. Connecting goes on behind.
        username: with a password, for clusters that ask for one.
        password: likewise.
        tls: whether connections are encrypted, with members whose certificate the system trusts.

    Raises:
        ImportError: the client is not installed: `pip install "asynccache[hazelcast]"`.
        ValueError: an option cannot be right.
    """

    def __init__(
        self,
        members: "Sequence[str] | HazelcastClient",
        *,
        cluster: str = "dev",
        map: str = "asynccache",  # noqa: A002  # it is what everybody calls it
        timeout: float = DEFAULT_TIMEOUT,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
    ) -> None:
        driver = load()
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout must be seconds, more than 0, not {timeout!r}")
        given = isinstance(members, driver.HazelcastClient)
        addresses = [] if given else _addresses(cast("Sequence[str]", members))
        self.map = map
        self._breaker = CircuitBreaker()
        super().__init__(
            f"hazelcast://{','.join(addresses)}/{'' if given else cluster}", timeout=timeout, breaker=self._breaker
        )
        passed_in = GivenClient(cast("HazelcastClient", members), self.name) if given else None
        options: dict[str, Any] = {"cluster_name": cluster, "cluster_members": addresses, "ssl_enabled": tls}
        options |= {"creds_username": username, "creds_password": password}

        def make_link() -> Link:
            return Link(
                lambda: _client(options),
                given=None if passed_in is None else passed_in.get(),
                map_name=map,
                name=self.name,
                on_up=self._breaker.succeed,
            )

        self._links = LoopClients(make_link, Link.aclose)
        self._feeds: set[HazelcastFeed] = set()

    @classmethod
    def from_url(cls, url: StoreUrl) -> "HazelcastStore":
        """Make the store of `hazelcast://user:password@a,b:5702/cluster-name?map=asynccache`.

        Parameters: `timeout` (seconds), `map` and `tls`.

        Raises:
            ValueError: the URL says something else.
        """
        cluster = url.path.removeprefix("/")
        if "/" in cluster:
            raise ValueError("the URL of a hazelcast store ends with the cluster's name: hazelcast://a,b:5702/cluster")
        given = url.parameters(timeout=seconds, map=str, tls=bool)
        members = [_joined(host, port) for host, port in url.hosts] or ["localhost"]
        return cls(members, cluster=cluster or "dev", username=url.username, password=url.password, **given)

    async def listen(self, prefix: bytes, on_change: OnChange) -> HazelcastFeed:
        """Begin to listen for changes of keys that begin with `prefix`, on this loop, until the feed is closed.

        Raises:
            StoreUnavailable: the store is closed.
        """
        if self.is_closed:
            raise StoreUnavailable(f"{self.name} is closed")
        feed = HazelcastFeed(self._link, prefix, on_change, self._feeds.discard)
        self._feeds.add(feed)
        return feed

    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        entries = await self._link().map()
        kept = await self._within_share([entries.get(text(key)) for key in keys])
        self._raise_if_all(StoreError, kept)
        now = time.time()
        values = ((key, value_of(one, now)) for key, one in zip(keys, kept, strict=True))
        return {key: value for key, value in values if value is not None}

    async def _write(self, ops: list[Op]) -> Sequence[object]:
        entries = await self._link().map()
        changes = Changes(entries, self.name)
        chains: dict[bytes, list[int]] = {}
        for index, op in enumerate(ops):
            chains.setdefault(op.key, []).append(index)
        outcomes: list[object] = [StoreTimeout(f"{self.name} did not answer in time")] * len(ops)

        async def make(chain: list[int]) -> None:
            for index in chain:  # the changes of one key keep their order
                outcomes[index] = await self._outcome(changes.make(ops[index]))

        await self._within_share([make(chain) for chain in chains.values()])
        self._raise_if_all(StoreTimeout | StoreUnavailable, outcomes)
        return outcomes

    async def _disconnect(self) -> None:
        here = asyncio.get_running_loop()
        for feed in list(self._feeds):
            if feed.loop is here:
                await feed.aclose()
        await self._links.aclose()

    def _link(self) -> Link:
        link = self._links.get()
        if link.is_over:
            self._links.discard(link)
            link = self._links.get()
        return link

    async def _within_share(self, asked: Sequence[Coroutine[Any, Any, Any]]) -> list[object]:
        """Wait for these, though not for all of the time limit; give for each what came of it, or an error."""
        tasks = [asyncio.ensure_future(one) for one in asked]
        late = StoreTimeout(f"{self.name} did not answer in time")
        try:
            await asyncio.wait(tasks, timeout=self.timeout * _SHARE)
        finally:
            for task in tasks:
                task.cancel()
        return [await self._outcome(task) if task.done() else late for task in tasks]

    async def _outcome(self, asked: Awaitable[object]) -> object:
        try:
            return await asked
        except Exception as error:
            return translated(error, self.name)

    def _raise_if_all(self, kind: "type[StoreError] | UnionType", outcomes: Sequence[object]) -> None:
        failures = [one for one in outcomes if isinstance(one, StoreError) and isinstance(one, kind)]
        if failures and len(failures) == len(outcomes):
            raise_anew(failures[0])


def _client(options: dict[str, Any]) -> "HazelcastClient":
    from hazelcast.asyncio import HazelcastClient

    # One attempt to find the cluster: trying again is ours, as the client's own attempts cannot be cancelled, and would
    # keep a program from ending. No time limit for connections: ours ends the whole attempt, and theirs leaves a task
    # behind when it is not needed.
    return HazelcastClient(
        cluster_connect_timeout=0,
        connection_timeout=0,
        heartbeat_interval=2.0,
        heartbeat_timeout=10.0,
        invocation_timeout=5.0,
        invocation_retry_pause=0.02,
        **{name: value for name, value in options.items() if value is not None},
    )


def _addresses(members: Sequence[str]) -> list[str]:
    if isinstance(members, str):
        raise ValueError("members are a sequence of addresses, such as ['a:5701', 'b:5701']")
    hosts = [host for member in members for host in StoreUrl.parse(f"hazelcast://{member}").hosts]
    if not hosts:
        raise ValueError("a HazelcastStore needs at least one member, such as localhost:5701")
    return [_joined(host, port) for host, port in hosts]


def _joined(host: str, port: int | None) -> str:
    return f"[{host}]:{port or _PORT}" if ":" in host else f"{host}:{port or _PORT}"
