"""One change after the other, made of a map's own operations.

Decides how a condition on the beginning of a value becomes one on all of it, and in which order a value and its time
to live are set, so that a writer that dies in between leaves nothing for ever.
"""

import time
from typing import TYPE_CHECKING, Any, Final

from asynccache.errors import StoreError
from asynccache.stores.batching import Change, Op
from asynccache.stores.hazelcast.entries import entry, seconds, text, value_of

if TYPE_CHECKING:
    from hazelcast.asyncio import Map

_MOST_ATTEMPTS: Final = 64
"""How often a change on a condition is tried again, because somebody else changed the entry in between."""


class Changes:
    """Makes changes in a map.

    Args:
        entries: the map.
        name: of the store, in errors.
    """

    def __init__(self, entries: "Map[str, Any]", name: str) -> None:
        self._entries = entries
        self._name = name

    async def make(self, op: Op) -> object:
        """Make one, and tell what it came to.

        Raises:
            Exception: what Hazelcast's client raises, or a `StoreError`.
        """
        match op.change:
            case Change.SET:
                kept = entry(op.item.value, op.item.ttl, time.time())
                await self._entries.set(text(op.key), kept, ttl=seconds(op.item.ttl))
                return True
            case Change.DELETE:
                return await self._entries.try_remove(text(op.key), 0)
            case Change.ADD:
                return await self._add(op)
            case Change.COMPARE_AND_SET | Change.COMPARE_AND_DELETE:
                return await self._exchange(op)
            case Change.INCREMENT:
                return await self._increment(op)

    async def _add(self, op: Op) -> bool:
        ttl = op.item.ttl
        for _ in range(_MOST_ATTEMPTS):
            now = time.time()
            if ttl is not None and ttl <= 0:
                return value_of(await self._entries.get(text(op.key)), now) is None
            kept = entry(op.item.value, ttl, now)
            present = await self._entries.put_if_absent(text(op.key), kept, ttl=seconds(ttl))
            if present is None:
                return True
            if not isinstance(present, bytearray) or value_of(present, now) is not None:
                return False
            if await self._replace(op.key, present, kept, ttl):  # its writer died before it was done
                return True
        raise self._exhausted()

    async def _exchange(self, op: Op) -> bool:
        ttl = op.item.ttl
        is_deletion = op.change is Change.COMPARE_AND_DELETE or (ttl is not None and ttl <= 0)
        for _ in range(_MOST_ATTEMPTS):
            now = time.time()
            present = await self._entries.get(text(op.key))
            value = value_of(present, now)
            if value is None or not value.startswith(op.expected):
                return False
            if is_deletion:
                if await self._entries.remove_if_same(text(op.key), present):
                    return True
            elif await self._replace(op.key, present, entry(op.item.value, ttl, now), ttl):
                return True
        raise self._exhausted()

    async def _increment(self, op: Op) -> int:
        ttl = op.item.ttl
        for _ in range(_MOST_ATTEMPTS):
            now = time.time()
            present = await self._entries.put_if_absent(text(op.key), entry(b"1", ttl, now), ttl=seconds(ttl))
            if present is None:
                return 1
            count = self._count(present, now) + 1
            if await self._replace(op.key, present, entry(b"%d" % count, ttl, now), ttl):
                return count
        raise self._exhausted()

    async def _replace(self, key: bytes, present: Any, kept: bytearray, ttl: float | None) -> bool:
        if not await self._entries.replace_if_same(text(key), present, kept):
            return False
        if ttl is not None and (limit := seconds(ttl)) is not None:  # it has none now
            await self._entries.set_ttl(text(key), limit)
        return True

    def _count(self, present: object, now: float) -> int:
        value = value_of(present, now)
        if value is None and isinstance(present, bytearray):
            return 0  # of a counter that should be gone
        if value is None or not value.isdigit():
            raise StoreError(f"{self._name} has an entry where a counter was asked for")
        return int(value)

    def _exhausted(self) -> StoreError:
        return StoreError(f"{self._name} has an entry that others change all the time")
