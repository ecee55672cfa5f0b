"""News of changes, from all servers that have keys: live as long as each of them is proven to tell.

Decides what the loss of one channel means: all is lost, and begins anew. That is simple, and right: nobody can know
which keys the lost one would have told of. A server that we read from is never one that is not listened to.
"""

import asyncio
import contextlib
import contextvars
import logging
import random
import secrets
from typing import Final, NoReturn

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.contract import OnChange
from asynccache.stores.redis.access import Address
from asynccache.stores.redis.channel import Channel
from asynccache.stores.redis.topology import Topology

_LOG: Final = logging.getLogger("asynccache")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_PAUSE_AFTER_REFUSAL: Final = 30.0
"""Seconds before a server that does not tell of changes is asked again to do so: it may have been replaced."""

_LOOKING_AGAIN: Final = 1.0
"""Seconds between two looks at which servers there are."""

_TRIES: Final = 100_000
"""Keys that are tried in search of one that a server has: enough for one slot of 16,384."""

_TRIES_IN_A_TURN: Final = 500
"""Of them, those before others on the loop have their turn."""


class RedisFeed:
    """News of changes of keys that begin with a prefix.

    Args:
        topology: which servers there are, on this loop.
        prefix: how the keys begin.
        on_change: is told.
    """

    def __init__(self, topology: Topology, prefix: bytes, on_change: OnChange) -> None:
        self.is_live = False
        """Whether it is proven that all changes are told."""
        self.loop = asyncio.get_running_loop()
        self._topology = topology
        self._prefix = prefix
        self._on_change = on_change
        self._listened_to: set[Address] = set()
        self._other_servers = asyncio.Event()
        self._has_warned = False
        self._proofs = 0
        topology.watchers.add(self._compare)
        self._task = self.loop.create_task(self._run(), context=contextvars.Context())

    async def aclose(self) -> None:
        """Listen no more."""
        self.stop()
        await asyncio.wait([self._task])

    def stop(self) -> None:
        """Begin to close: nothing is told from now on. To be called on the feed's own loop."""
        self.is_live = False
        self._topology.watchers.discard(self._compare)
        self._task.cancel()

    async def _run(self) -> NoReturn:
        pause = _FIRST_PAUSE
        while True:
            proofs = self._proofs
            is_refused = False
            try:
                await self._listen()
            except (StoreTimeout, StoreUnavailable):
                pass  # it is tried again, and whoever asks sees that it is not live
            except StoreError as error:
                is_refused = True
                self._warn(error)
            except Exception:
                _LOG.exception("a feed of changes has failed, and begins anew")
            self._lose()
            pause = _FIRST_PAUSE if self._proofs > proofs else min(2 * pause, _LONGEST_PAUSE)
            wait = _PAUSE_AFTER_REFUSAL if is_refused else pause
            await asyncio.sleep(wait * (0.75 + 0.5 * random.random()))

    async def _listen(self) -> NoReturn:
        """Listen to all servers that have such keys until one of them is lost, or there are others."""
        await self._topology.refresh()
        probes = await self._probes()
        self._listened_to = set(probes)
        self._other_servers.clear()
        channels = [
            Channel(self._topology.access, address, self._prefix, probe, self._on_change)
            for address, probe in probes.items()
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for channel in channels:
                    group.create_task(channel.run())
                for channel in channels:
                    await channel.proven.wait()
                self._gain()
                await self._look_again()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _look_again(self) -> NoReturn:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOKING_AGAIN):
                    await self._other_servers.wait()
                raise StoreUnavailable(f"{self._topology.access.name} has other servers now")
            with contextlib.suppress(StoreError):
                await self._topology.refresh()

    async def _probes(self) -> dict[Address, bytes]:
        """Give one key of the kind that is listened for to each server that has such keys."""
        sought = self._wanted()
        found: dict[Address, bytes] = {}
        for number in range(_TRIES):
            if not sought:
                return found
            key = self._prefix + b"probe:" + secrets.token_hex(8).encode()
            address = self._topology.address_of(key)
            if address in sought:
                found[address] = key
                sought.discard(address)
            if number % _TRIES_IN_A_TURN == 0:
                await asyncio.sleep(0)
                sought &= self._wanted()
        raise StoreUnavailable(f"a server of {self._topology.access.name} has no slots yet")

    def _wanted(self) -> set[Address]:
        """Tell which servers have keys with the prefix: all, or the one that a hash tag in the prefix leads to."""
        return set(self._topology.primaries_of(self._prefix))

    def _compare(self) -> None:
        if self._wanted() != self._listened_to:
            self._lose()
            self._other_servers.set()

    def _gain(self) -> None:
        if not self._other_servers.is_set():
            self._proofs += 1
            self.is_live = True
            self._on_change(None)

    def _lose(self) -> None:
        if self.is_live:
            self.is_live = False
            self._on_change(None)

    def _warn(self, error: StoreError) -> None:
        if not self._has_warned:
            self._has_warned = True
            _LOG.warning("%s: what other processes change is noticed only when it expires", error)
