"""Which servers there are, and which one has a key: one, the one that sentinels name, or the primaries of a cluster.

Lives on one event loop. Decides when to find out anew: when a server fails or says that another one should have been
asked, and not more often than a few times a second. That is done by a task of its own, which no request's end cancels.
"""

import abc
import asyncio
import contextlib
import contextvars
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from redis.asyncio.connection import AbstractConnection
from redis.crc import key_slot
from redis.exceptions import RedisError

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.stores.redis.access import Access, Address, place
from asynccache.stores.redis.commands import pack
from asynccache.stores.redis.faults import Redirection, is_the_wrong_one, translate
from asynccache.stores.redis.server import CONNECTING, Server

SLOTS: Final = 16_384

_LOOKING: Final = 3 * CONNECTING
"""Seconds that finding out may take."""

_ASKING: Final = 0.5
"""Seconds that one server of a cluster, or one sentinel, has to tell what it knows."""

_PAUSE: Final = 0.2
"""Seconds after finding out before it is done again because of a failure."""

_UNKNOWN: Final = (None, b"", b"?")
"""What a server of a cluster says that does not know by which name it is called: by the one that was used, then."""

_TAGGED: Final = re.compile(rb"[^{]*\{[^}]+\}", re.DOTALL)
"""The beginning of keys which are all in one slot."""


class Topology(abc.ABC):
    """Which servers there are."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.primaries: tuple[Address, ...] = ()
        """Those that have keys, as far as it is known."""
        self.watchers: set[Callable[[], object]] = set()
        """Called when there are other primaries than before, before any of them is asked for a key."""
        self._servers: dict[Address, Server] = {}
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = -_PAUSE
        self._fault: StoreError | None = None
        self._is_closed = False

    def address_of(self, _key: bytes, /) -> Address | None:
        """Give the address of the server that has this key; None if it is not known."""
        return self.primaries[0] if self.primaries else None

    @abc.abstractmethod
    async def _look(self) -> None:
        """Find out which servers there are.

        Raises:
            StoreError: nobody tells.
        """

    def primaries_of(self, _prefix: bytes, /) -> tuple[Address, ...]:
        """Tell which servers have keys that begin with this."""
        return self.primaries

    def server(self, address: Address) -> Server:
        """Give the server at an address."""
        try:
            return self._servers[address]
        except KeyError:
            if self._is_closed:
                raise StoreUnavailable(f"{self.access.name} is closed") from None

            def connect() -> Awaitable[AbstractConnection]:
                return self._connect(address)

            return self._servers.setdefault(address, Server(f"Redis at {place(address)}", connect))

    async def ready(self) -> None:
        """Find out, if that was never done.

        Raises:
            StoreError: nobody tells.
        """
        if not self.primaries:
            await self.refresh()

    async def refresh(self) -> None:
        """Find out anew, together with all who want to know at present.

        Raises:
            StoreError: nobody tells.
        """
        await asyncio.shield(self._begin())
        if self._fault is not None:
            raise type(self._fault)(*self._fault.args)

    async def ask(self, address: Address, packed: bytes, replies: int) -> list[Any]:
        """Send commands to a server, and give the reply to each; one that is an error is given, not raised.

        Raises:
            StoreError: there was no reply, or the server was not asked, as it has failed several times.
        """
        server = self.server(address)
        if not server.breaker.may_ask():
            self._doubt()
            raise StoreUnavailable(f"{server.name} is out of reach, and was not asked")
        try:
            received = await server.request(packed, replies)
        except BaseException:  # when a time limit is over, it is that server which has not answered
            server.breaker.fail()
            self._doubt()
            raise
        server.breaker.succeed()
        if any(is_the_wrong_one(reply) for reply in received):
            server.drop_idle()  # behind a name, there may be another server by now
            self._doubt()
        return received

    def _doubt(self) -> None:
        if self._loop.time() >= self._looked_at + _PAUSE and not self._is_closed:
            self._begin()

    def close(self) -> None:
        """Drop all connections, now."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        for server in self._servers.values():
            server.close()

    async def aclose(self) -> None:
        """Drop all connections, and wait for those that nobody uses."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        await asyncio.gather(*(server.aclose() for server in self._servers.values()))

    async def _connect(self, address: Address) -> AbstractConnection:
        return await self.access.connect(address)

    def _begin(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_in_time(), context=contextvars.Context())
        return self._looking

    async def _look_in_time(self) -> None:
        try:
            async with asyncio.timeout(_LOOKING):
                await self._look()
            self._fault = None
        except StoreError as error:
            self._fault = error
        except (RedisError, OSError) as error:
            self._fault = translate(error, self.access.name)
        finally:
            self._looked_at = self._loop.time()

    def _know(self, primaries: tuple[Address, ...]) -> None:
        if primaries != self.primaries:
            self.primaries = primaries
            for watcher in list(self.watchers):
                watcher()

    def _forget(self, gone: set[Address]) -> None:
        for address in gone:
            server = self._servers.pop(address, None)
            if server is not None:
                server.close()


class OneServer(Topology):
    """One server, which is what the URL says."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.primaries = access.seeds

    async def _look(self) -> None:
        pass


class SentinelPrimary(Topology):
    """The primary that sentinels name."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._sentinels = random.sample(access.seeds, len(access.seeds))

    async def _connect(self, address: Address) -> AbstractConnection:
        if address in self._sentinels:
            return await self.access.connect_to_sentinel(address)
        return await super()._connect(address)

    async def _look(self) -> None:
        question = pack(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", (self.access.service or "").encode())
        for sentinel in list(self._sentinels):
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_ASKING):
                    (reply,) = await self.server(sentinel).request(question, 1)
                if isinstance(reply, list):
                    host, port = cast("list[bytes]", reply)
                    former = set(self.primaries)
                    self._know(((host.decode(), int(port)),))
                    self._forget(former.difference(self.primaries))
                    return
            self._sentinels.remove(sentinel)  # the next one is asked first from now on
            self._sentinels.append(sentinel)
        raise StoreUnavailable(f"no sentinel names the {self.access.name.removeprefix('the ')}")


class Cluster(Topology):
    """The primaries of a cluster, each with its slots."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._by_slot: list[Address | None] = [None] * SLOTS
        self._known: set[Address] = set()

    def address_of(self, key: bytes, /) -> Address | None:
        """Give the primary of the key's slot."""
        return self._by_slot[key_slot(key)]

    def primaries_of(self, prefix: bytes, /) -> tuple[Address, ...]:
        """Tell which servers have keys that begin with this: one, if a part in braces decides the slot."""
        if not _TAGGED.match(prefix):
            return self.primaries
        address = self.address_of(prefix)
        return () if address is None else (address,)

    def follow(self, found: Redirection, key: bytes) -> Address:
        """Note that a key's slot is somewhere else now, and give the address."""
        asked = self.address_of(key)
        host, port = found.address
        address = (host or (asked[0] if asked else host), port)
        if not found.is_for_once:
            self._by_slot[found.slot] = address
        if address not in self.primaries:
            self._know((*self.primaries, address))
        return address

    async def _look(self) -> None:
        others = list(self._known.difference(self.access.seeds))
        candidates = [*random.sample(others, len(others)), *random.sample(self.access.seeds, len(self.access.seeds))]
        for address in candidates:
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_ASKING):
                    (reply,) = await self.server(address).request(pack(b"CLUSTER", b"SLOTS"), 1)
                if isinstance(reply, list) and reply:
                    self._adopt(address, reply)  # pyright: ignore[reportUnknownArgumentType]
                    return
        raise StoreUnavailable(f"nobody tells the slots of {self.access.name}")

    def _adopt(self, asked: Address, ranges: Sequence[Any]) -> None:
        by_slot: list[Address | None] = [None] * SLOTS
        known: set[Address] = set()
        primaries: dict[Address, None] = {}
        for first, last, *servers in ranges:
            addresses = [(asked[0] if host in _UNKNOWN else host.decode(), port) for host, port, *_ in servers]
            known.update(addresses)
            primaries[addresses[0]] = None
            by_slot[first : last + 1] = [addresses[0]] * (last + 1 - first)
        self._by_slot = by_slot
        self._known = known
        self._know(tuple(sorted(primaries)))
        self._forget(self._servers.keys() - known - set(self.access.seeds))


def topology(access: Access) -> Topology:
    """Make what fits."""
    if access.is_cluster:
        return Cluster(access)
    return OneServer(access) if access.service is None else SentinelPrimary(access)
