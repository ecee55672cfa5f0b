"""The client of one event loop: connecting behind, its map, and whether the cluster is there.

Decides that nobody waits for a cluster longer than a request may take: connecting goes on without those who asked. A
client is used until its last connection is lost; then it is over, and the next request or feed begins with a new one.
"""

import asyncio
import contextlib
import contextvars
import copy
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.hazelcast.entries import decoder

if TYPE_CHECKING:
    from hazelcast.asyncio import HazelcastClient, Map

_PATIENCE: Final = 5.0
"""Seconds that a client gets to find the cluster: it may wait minutes for an address that does not answer."""

_TO_END: Final = 1.0
"""Seconds that a client gets to shut down."""


class Link:
    """A client, on the loop that it is made on.

    Args:
        make: makes a client that has not been started; None if one was passed in.
        given: the client that was passed in.
        map_name: where entries are kept.
        name: of the store, in errors.
        on_up: called whenever the cluster is there.
    """

    def __init__(
        self,
        make: "Callable[[], HazelcastClient]",
        *,
        given: "HazelcastClient | None",
        map_name: str,
        name: str,
        on_up: Callable[[], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._given = given
        self._map_name = map_name
        self._name = name
        self._on_up = on_up
        self._map: Map[str, Any] | None = None
        self._is_closing = False
        self._ending: asyncio.Task[None] | None = None
        self._began = self._loop.time()
        self._settled = asyncio.Event()
        self.client = given if given is not None else make()
        self.is_up = False
        self.watchers: set[Callable[[], object]] = set()
        """Called, on this loop, when a connection or a member has come or gone."""
        self._listener = self.client.lifecycle_service.add_listener(self._hear)
        self._membership = self.client.cluster_service.add_listener(self._hear_members, self._hear_members)
        self._starting = self._loop.create_task(self._start(), context=contextvars.Context())

    @property
    def is_over(self) -> bool:
        """Whether this link has failed, and another is to be made. One with a client that was passed in stays."""
        is_late = self._loop.time() > self._began + _PATIENCE
        return self._given is None and not self.is_up and (self._starting.done() or is_late)

    async def map(self) -> "Map[str, Any]":
        """Give the map; wait for the first connection, though not for a lost one to come back.

        Raises:
            StoreUnavailable: the cluster is not there.
        """
        if not self.is_up and not self._settled.is_set():
            await self._settled.wait()
        if self._map is None or not self.is_up:
            raise StoreUnavailable(f"{self._name} is not connected")
        return self._map

    async def aclose(self) -> None:
        """Let go of the client; shut it down, unless it was passed in."""
        self._is_closing = True
        self.client.lifecycle_service.remove_listener(self._listener)
        self.client.cluster_service.remove_listener(self._membership)
        self._fall()
        if not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        elif self._ending is None:
            await self._shut()
        if self._ending is not None:
            await self._ending
        await asyncio.sleep(0)  # its transports tell in the next turn that they are closed

    async def _start(self) -> None:
        opening = self._loop.create_task(self._open())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # First shut down, as that makes it fail: one that is only cancelled tries its next address, and leaves its
            # socket behind.
            await self._shut()
            while not opening.done():
                opening.cancel()
                await asyncio.wait([opening], timeout=_TO_END)
            with contextlib.suppress(Exception, asyncio.CancelledError):
                opening.result()  # of an error that nobody asks for, asyncio would complain
            raise
        except Exception:  # the cluster is not there: that is told by `is_up`
            self._is_closing = True
        else:
            self._rise()
        finally:
            self._settled.set()

    async def _open(self) -> None:
        if self._given is None:
            # What starts it in public keeps it to itself until it has found the cluster: it could not be shut down.
            await self.client._start()  # type: ignore[no-untyped-call]  # pyright: ignore[reportPrivateUsage]
        self._map = _guarded(await self.client.get_map(self._map_name))

    async def _shut(self) -> None:
        if self._given is None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.client.shutdown(), _TO_END)

    def _hear(self, state: str) -> None:
        if state in {"DISCONNECTED", "SHUTDOWN"}:
            self._fall()
            if self._given is None and self._ending is None:
                # Now, before it looks for the cluster: what it does then cannot be cancelled, and would keep a program
                # that ends meanwhile from ending.
                self._ending = self._loop.create_task(self._shut(), context=contextvars.Context())
        elif state == "CONNECTED" and self._map is not None and self._ending is None:
            self._rise()

    def _hear_members(self, _member: object) -> None:
        self._tell()

    def _rise(self) -> None:
        if not self.is_up and not self._is_closing:
            self.is_up = True
            self._on_up()
            self._tell()

    def _fall(self) -> None:
        if self.is_up:
            self.is_up = False
            self._tell()

    def _tell(self) -> None:
        for watcher in list(self.watchers):
            watcher()


def load() -> Any:
    """Give the package `hazelcast.asyncio`.

    Raises:
        ImportError: it is not installed.
    """
    try:
        with warnings.catch_warnings():  # on Python 3.11 it imports asyncore, which says that it is deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            import hazelcast.asyncio as driver
    except ModuleNotFoundError as error:
        raise ImportError('HazelcastStore needs a package: pip install "asynccache[hazelcast]"') from error
    return driver


def _guarded(found: "Map[str, Any]") -> "Map[str, Any]":
    """Give a map that decodes nothing but strings and byte arrays; the one that others may have is left as it is."""
    guarded = copy.copy(found)
    inner: Any = guarded
    inner._to_object = decoder(inner._to_object)  # there is no public way; were it renamed, this would fail, not decode
    return guarded


def translated(error: Exception, name: str) -> StoreError:
    """Give what an error of Hazelcast's client is to those who asked.

    Args:
        error: what was raised.
        name: of the store.
    """
    from hazelcast import errors

    if isinstance(error, StoreError):
        return error
    if isinstance(error, TimeoutError | errors.OperationTimeoutError | errors.HazelcastTimeoutError):
        return StoreTimeout(f"{name} did not answer in time")
    lost = (
        OSError,
        errors.ClientOfflineError,
        errors.HazelcastClientNotActiveError,
        errors.HazelcastInstanceNotActiveError,
        errors.MemberLeftError,
        errors.TargetDisconnectedError,
        errors.TargetNotMemberError,
    )
    kind = StoreUnavailable if isinstance(error, lost) else StoreError
    return kind(f"{name} could not do what was asked: {type(error).__name__}")
