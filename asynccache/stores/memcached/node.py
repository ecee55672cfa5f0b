"""One node of Memcached: its clients, its batches, its breaker.

Decides how the changes of the contract are made of Memcached's own commands, and when a client is made anew. A node
that is lost costs nobody but its own keys: whatever waits, waits here.

emcache tries a lost node again after up to a minute, in its own time. When the breaker is due to try one, that is too
late: a client without any connection left is thrown away, and the next request begins with a new one.

emcache closes no connection that is in use. So what was asked is waited for before a client is closed: `asyncio.run`
may end while a change is still under way, or is only about to begin.
"""

import asyncio
import contextlib
import contextvars
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.batching import BatchingStore, Change, Op, raise_anew
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.clients import GivenClient, LoopClients
from asynccache.stores.memcached.wire import expiry, unwrap, wire_key, wrap

if TYPE_CHECKING:
    import emcache

_MOST_ATTEMPTS: Final = 64
"""How often a change on a condition is tried again, because somebody else changed the item in between."""


class MemcachedNode(BatchingStore):
    """A store on one node, or on what a client that was passed in takes for one.

    Args:
        name: of the node, in errors.
        client: makes a client of emcache, one for each event loop; or one that was passed in.
        timeout: seconds that a request may take.
        lanes: changes that are made at once; each takes a connection.
        max_bytes: of a value.
    """

    def __init__(
        self,
        name: str,
        client: "Callable[[], emcache.Client] | GivenClient[emcache.Client]",
        *,
        timeout: float,
        lanes: int,
        max_bytes: int,
    ) -> None:
        super().__init__(name, timeout=timeout, breaker=CircuitBreaker())
        self._clients: LoopClients[emcache.Client] | GivenClient[emcache.Client]
        self._clients = client if isinstance(client, GivenClient) else LoopClients(client, self._close)
        self._closing: dict[int, emcache.Client] = {}
        """By the identity of its loop: what is asked already has no other client than the one that waits for it."""
        self._lost: weakref.WeakSet[emcache.Client] = weakref.WeakSet()
        self._lanes = lanes
        self._max_bytes = max_bytes

    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        names = {wire_key(key): key for key in keys}
        client = self._client()
        try:
            items = await client.get_many(list(names), return_flags=True)
        except asyncio.CancelledError:
            self._forsake(client)
            raise
        except Exception as error:
            raise self._translated(error) from error
        found: dict[bytes, bytes] = {}
        for name, item in items.items():
            key = names[bytes(name)]
            value = unwrap(key, item.value, item.flags or 0)
            if value is not None:
                found[key] = value
        return found

    async def _write(self, ops: list[Op]) -> Sequence[object]:
        client = self._client()
        outcomes: list[object] = [None] * len(ops)
        chains: dict[bytes, list[int]] = {}
        for index, op in enumerate(ops):
            chains.setdefault(op.key, []).append(index)
        waiting = iter(chains.values())  # whoever is free takes the next key; the changes of one key keep their order
        try:
            await asyncio.gather(
                *(self._make(client, ops, waiting, outcomes) for _ in range(min(self._lanes, len(chains))))
            )
        except asyncio.CancelledError:
            self._forsake(client)
            raise
        failures = [outcome for outcome in outcomes if isinstance(outcome, StoreUnavailable | StoreTimeout)]
        if len(failures) == len(ops):
            raise_anew(failures[0])
        return outcomes

    async def _disconnect(self) -> None:
        await self._clients.aclose()

    def _client(self) -> "emcache.Client":
        return self._closing.get(id(asyncio.get_running_loop())) or self._clients.get()

    async def _close(self, client: "emcache.Client") -> None:
        here = id(asyncio.get_running_loop())
        try:
            if client not in self._lost:  # others use another one by now
                self._closing[here] = client
                await self._drain()
        finally:
            self._closing.pop(here, None)
            await _close(client)

    async def _make(
        self, client: "emcache.Client", ops: list[Op], waiting: Iterator[list[int]], outcomes: list[object]
    ) -> None:
        for chain in waiting:
            for index in chain:
                try:
                    outcomes[index] = await self._change_one(client, ops[index])
                except StoreError as error:
                    outcomes[index] = error
                except Exception as error:
                    outcomes[index] = self._translated(error)

    async def _change_one(self, client: "emcache.Client", op: Op) -> object:
        match op.change:
            case Change.SET:
                return await self._set(client, op)
            case Change.DELETE:
                return await _delete(client, wire_key(op.key))
            case Change.ADD:
                return await self._add(client, op)
            case Change.COMPARE_AND_SET | Change.COMPARE_AND_DELETE:
                return await self._exchange(client, op)
            case Change.INCREMENT:
                return await self._increment(client, op)

    async def _set(self, client: "emcache.Client", op: Op) -> bool:
        kept, flags = wrap(op.key, op.item.value)
        if len(kept) > self._max_bytes:
            await _delete(client, wire_key(op.key))  # what is there is out of date
            raise self._too_large(len(kept))
        await client.set(wire_key(op.key), kept, flags=flags, exptime=expiry(op.item.ttl, time.time()))
        return True

    async def _add(self, client: "emcache.Client", op: Op) -> bool:
        import emcache

        kept, flags = wrap(op.key, op.item.value)
        if len(kept) > self._max_bytes:
            raise self._too_large(len(kept))
        try:
            await client.add(wire_key(op.key), kept, flags=flags, exptime=expiry(op.item.ttl, time.time()))
        except emcache.NotStoredStorageCommandError:
            return False
        return True

    async def _exchange(self, client: "emcache.Client", op: Op) -> bool:
        """Put an item, or nothing, in the place of one that begins as expected, and that nobody changes meanwhile."""
        import emcache

        name, is_deletion = wire_key(op.key), op.change is Change.COMPARE_AND_DELETE
        kept, flags = (b"", 0) if is_deletion else wrap(op.key, op.item.value)
        if len(kept) > self._max_bytes:
            raise self._too_large(len(kept))
        for _ in range(_MOST_ATTEMPTS):
            item = await client.gets(name, return_flags=True)
            value = None if item is None else unwrap(op.key, item.value, item.flags or 0)
            if item is None or value is None or not value.startswith(op.expected):
                return False
            exptime = -1 if is_deletion else expiry(op.item.ttl, time.time())  # -1: it is gone at once
            try:
                await client.cas(name, kept, item.cas or 0, flags=flags, exptime=exptime)
            except emcache.NotStoredStorageCommandError:
                continue  # it was changed meanwhile
            except emcache.StorageCommandError as error:
                if _is_not_found(error):
                    return False
                raise
            return True
        raise StoreError(f"{self.name} has an item that others change all the time")

    async def _increment(self, client: "emcache.Client", op: Op) -> int:
        import emcache

        name, exptime = wire_key(op.key), expiry(op.item.ttl, time.time())
        for _ in range(_MOST_ATTEMPTS):
            try:
                count = await client.increment(name, 1)
            except emcache.NotFoundCommandError:
                try:
                    await client.add(name, b"1", exptime=exptime)
                except emcache.NotStoredStorageCommandError:
                    continue  # somebody else has begun to count
                return 1
            except ValueError:  # the reply is no number
                raise StoreError(f"{self.name} has an item where a counter was asked for") from None
            if count is not None:
                await _touch(client, name, exptime)
                return count
        raise StoreError(f"{self.name} has a counter that others delete all the time")

    def _forsake(self, client: "emcache.Client") -> None:
        """After a request that was given up: throw the client away, unless it has a connection left."""
        # Not at once: the request's own connections are closed while it ends.
        asyncio.get_running_loop().call_soon(self._discard_if_lost, client, context=contextvars.Context())

    def _discard_if_lost(self, client: "emcache.Client") -> None:
        pools = client.cluster_managment().connection_pool_metrics().values()
        if not any(pool.cur_connections for pool in pools):
            self._lost.add(client)
            self._clients.discard(client)

    def _translated(self, error: Exception) -> StoreError:
        if isinstance(error, TimeoutError):  # of a client that was passed in
            return StoreTimeout(f"{self.name} did not answer within the time limit of its client")
        if isinstance(error, OSError | RuntimeError) or type(error).__name__ == "AuthenticationError":
            return StoreUnavailable(f"{self.name} cannot be asked: {type(error).__name__}")
        return StoreError(f"{self.name} refused a request: {type(error).__name__}")

    def _too_large(self, size: int) -> StoreError:
        return StoreError(f"{self.name} takes values of {self._max_bytes:,} bytes at most, this one has {size:,}")


async def _delete(client: "emcache.Client", name: bytes) -> bool:
    import emcache

    try:
        await client.delete(name)
    except emcache.NotFoundCommandError:
        return False
    return True


async def _touch(client: "emcache.Client", name: bytes, exptime: int) -> None:
    import emcache

    with contextlib.suppress(emcache.NotFoundCommandError):  # it begins anew a moment early
        await client.touch(name, exptime)


def _is_not_found(error: Exception) -> bool:
    return "NOT_FOUND" in str(error)


async def _close(client: "emcache.Client") -> None:
    # When a connection has just been made, emcache's pool (1.3.3) makes sure that it has enough of them: also when it
    # was closed at that moment, and then nobody closes the one that it makes. So none is enough from here on.
    internals: Any = client
    with contextlib.suppress(AttributeError):  # of another release
        for node in internals._cluster.nodes:
            node._connection_pool._min_connections = 0
    await client.close()
