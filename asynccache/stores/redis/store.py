"""The store in Redis or Valkey: batches of reads and changes, sent to whoever has the keys.

Decides how a batch is divided among servers, and that a server that fails costs its own keys only. It makes no retries
of its own; a key whose server says that another one has it is asked for there, once.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.loops import PerLoop
from asynccache.stores.batching import DEFAULT_TIMEOUT, BatchingStore, Op, raise_anew
from asynccache.stores.contract import Feed, OnChange
from asynccache.stores.redis import commands
from asynccache.stores.redis.access import Address, access_from_client, access_from_url
from asynccache.stores.redis.faults import translate
from asynccache.stores.redis.feed import RedisFeed
from asynccache.stores.redis.scattering import scatter
from asynccache.stores.redis.topology import Cluster, Topology, topology
from asynccache.stores.urls import StoreUrl

if TYPE_CHECKING:
    from redis import asyncio as redis

_PAGE: Final = 1.0
"""Seconds that one page of a scan may take, when a request may take less."""


class RedisStore(BatchingStore):
    """A store in Redis or Valkey: one server, a cluster, or the primary that sentinels name.

    It has all that there is: conditions, counters, a scan, and a feed of changes (`CLIENT TRACKING`, Redis 6 and
    later). On each event loop it makes a few connections: at most 4 for reads and 1 for changes to each server, and
    1 to each primary for each feed.

    Args:
        source: a URL: `redis://user:password@host:6379/0` (`rediss://` with TLS; `valkey://` and `valkeys://` are the
            same), `unix:///run/redis.sock`, `redis+cluster://a,b,c` or `redis+sentinel://a,b,c/service?db=0`.
            Or a client of `redis.asyncio`: the store reaches the same servers in the same way, by connections of its
            own; the client is not used otherwise, and never closed.
        timeout: seconds that a request may take, when the source is a client; in a URL it is a parameter.

    Raises:
        TypeError: the source is something else.
        ValueError: the URL or the time limit cannot be right.
    """

    def __init__(
        self, source: "str | StoreUrl | redis.Redis | redis.RedisCluster", *, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        if isinstance(source, str):
            source = StoreUrl.parse(source)
        self._access = access_from_url(source) if isinstance(source, StoreUrl) else access_from_client(source, timeout)
        access = self._access
        super().__init__(access.name, timeout=access.timeout, breaker=None)
        self._topologies: PerLoop[Topology] = PerLoop(lambda: topology(access))
        self._feeds: weakref.WeakSet[RedisFeed] = weakref.WeakSet()

    @classmethod
    def from_url(cls, url: StoreUrl) -> "RedisStore":
        """Make a store of a URL that is taken apart already.

        Raises:
            ValueError: it cannot be right.
        """
        return cls(url)

    async def listen(self, prefix: bytes, on_change: OnChange) -> Feed:
        """Begin to listen for changes of keys that begin with `prefix`, on this loop, until the feed is closed.

        A server that does not track changes, or does not let us ask for it, is noticed and logged; the feed is then
        never live.

        Raises:
            StoreUnavailable: the store is closed.
        """
        feed = RedisFeed(self._topology(), prefix, on_change)
        self._feeds.add(feed)
        return feed

    async def scan(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """Give all keys that begin with `prefix`, some at a time; one may come twice, and be gone by then.

        Raises:
            StoreError: not all could be told.
        """
        topo = self._topology()
        await topo.ready()
        for address in topo.primaries:
            cursor = b"0"
            while True:
                reply = await self._page(topo, address, cursor, prefix)
                cursor, keys = reply
                if keys:
                    yield keys
                if cursor == b"0":
                    break

    async def _page(self, topo: Topology, address: Address, cursor: bytes, prefix: bytes) -> tuple[bytes, list[bytes]]:
        server = topo.server(address)
        try:
            async with asyncio.timeout(max(self.timeout, _PAGE)):
                (reply,) = await server.request(commands.scan(cursor, prefix), 1)
        except TimeoutError as error:
            raise translate(error, server.name) from error
        if isinstance(reply, Exception):
            raise translate(reply, server.name) from reply
        return reply[0], reply[1]

    # --- batches ------------------------------------------------------------------------------------------------------

    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        topo = self._topology()
        if not topo.primaries:
            await topo.ready()
        if isinstance(topo, Cluster):
            replies = await scatter(topo, keys, [commands.read_each((key,)) for key in keys])
            if replies and all(isinstance(reply, StoreError) for reply in replies):
                raise_anew(cast("StoreError", replies[0]))
            return {key: value for key, value in zip(keys, replies, strict=True) if isinstance(value, bytes)}
        (values,) = await topo.ask(topo.primaries[0], commands.read_all(keys), 1)
        if isinstance(values, Exception):
            raise translate(values, self.name) from values
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def _write(self, ops: list[Op]) -> Sequence[object]:
        topo = self._topology()
        if not topo.primaries:
            await topo.ready()
        packed = commands.write_all(ops)
        if isinstance(topo, Cluster):
            replies = await scatter(topo, [op.key for op in ops], packed)
        else:
            replies = await topo.ask(topo.primaries[0], b"".join(packed), len(ops))
        return [self._outcome(op, reply) for op, reply in zip(ops, replies, strict=True)]

    def _outcome(self, op: Op, reply: object) -> object:
        if isinstance(reply, StoreError):
            return reply
        if isinstance(reply, Exception):
            return translate(reply, self.name)
        return commands.outcome(op, reply)

    async def _disconnect(self) -> None:
        here = asyncio.get_running_loop()
        for feed in list(self._feeds):
            if feed.loop is here:
                await feed.aclose()
            else:
                _call_on(feed.loop, feed.stop)
        for loop, topo in self._topologies.items():
            if loop is here:
                await topo.aclose()
            else:
                _call_on(loop, topo.close)

    # --- servers ------------------------------------------------------------------------------------------------------

    def _topology(self) -> Topology:
        if self.is_closed:
            raise StoreUnavailable(f"{self.name} is closed")
        return self._topologies.enter(asyncio.get_running_loop())


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Let another loop make a call, unless it is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
