"""News of what changes in a Hazelcast map.

Every member tells of the entries that it has, on its own connection. So the news is whole only while there is a
connection to each of them and a listener on it, and what a member has not told before it dies is lost. Decides when
that is proven: for each member an entry of its own is written, which no other listener is told of, and the news of it
has to come back. When a member comes or goes, or the connection is lost, it is proven anew, and every few seconds
anyway: a map that was destroyed, or a connection that hangs, is told by nobody.
"""

import asyncio
import contextlib
import contextvars
import functools
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from asynccache.errors import StoreError
from asynccache.stores.contract import OnChange
from asynccache.stores.hazelcast.entries import entry, key_of, successor, text
from asynccache.stores.hazelcast.link import Link

if TYPE_CHECKING:
    from hazelcast.asyncio import Map
    from hazelcast.predicate import Predicate

_PERIOD: Final = 3.0
"""Seconds between two proofs of a feed that is live."""

_PATIENCE: Final = 1.0
"""Seconds in which the news of a proof has to come back."""

_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds before each next attempt; the last is repeated. With each, the listener is made anew."""

_KEPT: Final = 2.0
"""Seconds that an entry of a proof is kept."""

_ATTEMPTS_TO_PLACE: Final = 10_000
"""Names to try for entries on every member; with as many partitions as Hazelcast has, a few do."""


class HazelcastFeed:
    """Tells of changes of keys that begin with a prefix, on the loop that it is made on.

    Args:
        find_link: gives the link of this loop.
        prefix: of the keys.
        on_change: is told.
        on_close: called once it is closed.
    """

    def __init__(
        self,
        find_link: Callable[[], Link],
        prefix: bytes,
        on_change: OnChange,
        on_close: "Callable[[HazelcastFeed], object]",
    ) -> None:
        self.is_live = False
        self._find_link = find_link
        self._prefix = prefix
        self._on_change = on_change
        self._on_close = on_close
        self._proofs = f"\0asynccache:proof:{secrets.token_hex(8)}:"
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self._leave: Callable[[], Awaitable[None]] | None = None
        self.loop = asyncio.get_running_loop()
        self._task = self.loop.create_task(self._keep(), context=contextvars.Context())

    async def aclose(self) -> None:
        """Listen no more."""
        self.is_live = False
        self._on_close(self)
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._unlisten()

    # --- keeping it alive ---------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        attempt = 0
        while True:
            was_live = False
            with contextlib.suppress(Exception):  # whatever it is, the feed is not live, and is tried again
                link = self._find_link()
                was_live = await self._follow(link, await link.map())
            await self._unlisten()
            attempt = 0 if was_live else attempt + 1
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])

    async def _unlisten(self) -> None:
        """Take the last listener away. Not while this is being cancelled: then its loop may be about to end."""
        leave, self._leave = self._leave, None
        if leave is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leave(), _PATIENCE)

    async def _follow(self, link: Link, entries: "Map[str, Any]") -> bool:
        """Listen on a link as long as it is proven that all is told; tell whether it was, for a while."""
        link.watchers.add(self._lose)
        registering = self.loop.create_task(self._register(entries))
        was_live = False
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(registering)  # one that was cut off would be remembered by the client for ever
            while True:
                self._changed.clear()
                await self._prove(link, entries)
                if self._changed.is_set():  # while it was being proven
                    continue
                was_live = True
                self._rise()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _PERIOD)
        except (StoreError, TimeoutError):
            return was_live
        finally:
            link.watchers.discard(self._lose)
            self._lose()
            self._leave = functools.partial(_unregister, entries, registering)

    async def _register(self, entries: "Map[str, Any]") -> str:
        one, every = self._hear, self._hear_all
        listened: Any = entries  # whose annotations leave out what events are made of
        registration: str = await listened.add_entry_listener(
            include_value=False,
            predicate=_begins_with(text(self._prefix), self._proofs),
            added_func=one,
            removed_func=one,
            updated_func=one,
            evicted_func=one,
            expired_func=one,
            merged_func=one,
            loaded_func=one,
            evict_all_func=every,
            clear_all_func=every,
        )
        return registration

    # --- proofs -------------------------------------------------------------------------------------------------------

    async def _prove(self, link: Link, entries: "Map[str, Any]") -> None:
        """Have each member tell of an entry.

        Raises:
            TimeoutError: one did not.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await entries.contains_key(self._proofs)  # a new cluster shares out its partitions when it is asked
                self._awaited = {name: self.loop.create_future() for name in await self._places(link)}
                writes = [entries.set(name, entry(b"", None, 0.0), ttl=_KEPT) for name in self._awaited]
                await asyncio.gather(*writes, *self._awaited.values())
        finally:
            for future in self._awaited.values():
                future.cancel()
            self._awaited = {}

    async def _places(self, link: Link) -> list[str]:
        """Give a name on each member.

        Raises:
            TimeoutError: a member has no partition yet: some are on their way to it.
        """
        service = link.client.partition_service
        members: list[Any] = link.client.cluster_service.get_members()
        wanted = {member.uuid for member in members if not member.lite_member}
        names: list[str] = []
        for number in range(_ATTEMPTS_TO_PLACE):
            if not wanted:
                return names
            name = f"{self._proofs}{number}"
            owner = service.get_partition_owner(await service.get_partition_id(name))
            if owner in wanted:
                wanted.discard(owner)
                names.append(name)
        raise TimeoutError

    # --- news ---------------------------------------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        future = self._awaited.get(event.key) if isinstance(event.key, str) else None
        if future is not None and not future.done():
            future.set_result(None)
        key = key_of(event.key)
        if key is not None and key.startswith(self._prefix) and self.is_live:
            self._tell((key,))

    def _hear_all(self, _event: object) -> None:
        if self.is_live:
            self._tell(None)

    def _rise(self) -> None:
        if not self.is_live:
            self.is_live = True
            self._tell(None)

    def _lose(self) -> None:
        self._changed.set()
        if self.is_live:
            self.is_live = False
            self._tell(None)

    def _tell(self, keys: Iterable[bytes] | None) -> None:
        try:
            self._on_change(keys)
        except Exception as error:  # it would end the connection that it is told on
            self.loop.call_exception_handler(
                {"message": "what was told of changes in a store has raised", "exception": error}
            )


async def _unregister(entries: "Map[str, Any]", registering: "asyncio.Task[str]") -> None:
    with contextlib.suppress(Exception):  # what cannot be reached tells nothing either
        await entries.remove_entry_listener(await registering)


def _begins_with(prefix: str, other: str) -> "Predicate":
    """Give the condition that a key begins with one of two prefixes, for members to check."""
    from hazelcast import predicate

    def begins(prefix: str) -> "Predicate":
        behind = successor(prefix)
        first = predicate.greater_or_equal("__key", prefix)
        return first if behind is None else predicate.and_(first, predicate.less("__key", behind))

    return predicate.or_(begins(prefix), begins(other))
