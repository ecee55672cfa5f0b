"""The tier that processes share, as a cache uses it: each operation on the store and in process, in the right order.

Decides what comes first. What makes values invalid happens in process before and after it happens in the store: before,
so that nobody here is given the old value meanwhile; after, since a load may have read it back. A value that is set is
kept in process only if nothing was heard of its key since: another process may have set it as well, and the news of
that may have come before the store's answer.
"""

import asyncio
import contextlib
import functools
from collections.abc import Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final

from asynccache.core.generations import Tags
from asynccache.errors import StoreError, StoreTimeout
from asynccache.flight.plan import Plan
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lease import Lease
from asynccache.locks.lock import Locks
from asynccache.memory.tier import MemoryTier
from asynccache.protocols import MISSING, Missing
from asynccache.serializers.codecs import Codec
from asynccache.serializers.envelope import new_version, stamp
from asynccache.serializers.proofs import Unopenable
from asynccache.shared.coherence import ALONE, Coherence
from asynccache.shared.link import Link
from asynccache.shared.loads import SharedLoads
from asynccache.shared.plans import SharedPlan
from asynccache.shared.reading import Found, Reader, Reading
from asynccache.shared.writing import Writer, store_unless_changed
from asynccache.stats import SharedStats
from asynccache.stores.contract import Item

_FIRST_TRIES: Final = 5
"""Requests that a cache which is entered makes until one is answered."""

_BEGINNING: Final = 0.5
"""Seconds that a cache which is entered waits at most until it hears of all changes."""

_NO_CALL: Final[tuple[tuple[Any, ...], Mapping[str, Any]]] = ((), {})


class SharedTier:
    """The store of one cache, joined with its tier in process.

    Args:
        link: the way to the store.
        reader, writer: read and write there.
        coherence: tells for how long a value may be kept in process.
        memory: the tier in process.
        loads: what flights do.
        keeper: gives leases; None where the store knows no conditions.
        keeps: whether anything is kept in process.
        is_owned: whether the store is closed with the cache.
    """

    def __init__(
        self,
        link: Link,
        reader: Reader,
        writer: Writer,
        coherence: Coherence,
        memory: MemoryTier[Any, Any],
        loads: SharedLoads,
        *,
        keeper: LeaseKeeper | None,
        keeps: bool,
        is_owned: bool,
    ) -> None:
        self._link = link
        self._reader = reader
        self._writer = writer
        self._coherence = coherence
        self._memory = memory
        self._loads = loads
        self._keeper = keeper
        self._keeps = keeps
        self._is_owned = is_owned
        self._is_closed = False
        self._locks: Locks | None = None

    def plan(self, scope: Tags, codec: Codec) -> SharedPlan:
        """Make a plan's way to this tier."""
        keys = self._link.keys
        return SharedPlan(self._loads, codec, (keys.scope(None), *map(keys.scope, scope)))

    # --- reading ----------------------------------------------------------------------------------------------------

    async def get(self, plan: Plan, key: Any) -> Any | Missing:
        """Give a fresh value of the store, and keep it in process."""
        if self._keeps:
            self._coherence.ensure()
        since = self._link.changes.begin()
        try:
            reading = await self._reader.ask_one(plan, key, since)
            found = _fresh(reading)
            if found is not None and self._keeps:
                self._loads.keep_found(plan, key, reading, found)
        finally:
            self._link.changes.end()
        return self._counted(MISSING if found is None else found.value)

    async def get_alone(self, plan: Plan, key: Any) -> Any | Missing:
        """Do as `get` does, where nothing is kept in process, and count it as a hit or miss of the cache."""
        if self._coherence.is_live():  # which records are learned by
            value = await self.get(plan, key)
        else:
            value = self._counted(await self._reader.fresh_value(plan, key))
        counts = self._memory.flights.counts
        if value is MISSING:
            counts.misses += 1
        else:
            counts.hits += 1
        return value

    def _counted(self, value: Any | Missing) -> Any | Missing:
        if value is MISSING:
            self._link.counts.misses += 1
        else:
            self._link.counts.hits += 1
        return value

    async def get_many(self, plan: Plan, keys: Iterable[Any]) -> dict[Any, Any]:
        """Give the fresh values of the store, and keep them in process."""
        if self._keeps:
            self._coherence.ensure()
        since = self._link.changes.begin()
        try:
            readings = await self._reader.ask(plan, keys, since)
            values: dict[Any, Any] = {}
            for key, reading in readings.items():
                found = _fresh(reading)
                self._counted(MISSING if found is None else found.value)
                if found is not None:
                    values[key] = found.value
                    if self._keeps:
                        self._loads.keep_found(plan, key, reading, found)
        finally:
            self._link.changes.end()
        return values

    async def peek(self, plan: Plan, key: Any) -> Any | Missing:
        """Give a fresh value of the store; it counts as nothing and is not kept."""
        found = _fresh(await self._loads.ask(plan, key))
        return MISSING if found is None else found.value

    async def ahead(self, plan: Plan, keys: Iterable[Any]) -> dict[Any, Reading]:
        """Ask for what several loads that begin right after this would ask for one by one."""
        since = self._link.changes.begin()
        try:
            readings = await self._reader.ask(plan, keys, since)
            changes = self._link.changes
            return {
                key: reading
                for key, reading in readings.items()
                if not changes.has_changed((reading.key, *reading.versions), since)
            }
        finally:
            self._link.changes.end()

    # --- writing ----------------------------------------------------------------------------------------------------

    async def set_many(
        self, plan: Plan, values: Mapping[Any, Any], call: tuple[tuple[Any, ...], Mapping[str, Any]] = _NO_CALL
    ) -> None:
        """Store values; they hold against loads under way, here and elsewhere.

        Args:
            plan: on whose options.
            values: by key as it is in process.
            call: what options that are functions are given besides the value.

        Raises:
            TypeError: a value that can be read only once, or a key that cannot be spelled.
        """
        link, memory = self._link, self._memory
        spelled = {key: link.keys.value(key, plan.name) for key in values}
        terms = {key: memory.appraiser.of_put(plan, key, value, *call) for key, value in values.items()}
        since = link.changes.begin()
        try:
            try:
                items = {spelled[key]: (value, terms[key]) for key, value in values.items()}
                is_sent = await self._writer.put(plan, items, since)
            except BaseException:  # cancelled: what was there before is out of date
                link.changes.note(spelled.values())
                for key in values:
                    memory.drop(key, is_replaced=True)
                raise
            held = self._coherence.held()
            if not is_sent:
                held = ALONE if held is None else min(held, ALONE)
            for key, value in values.items():
                memory.drop(key, is_replaced=True)
                name = spelled[key]
                if terms[key].is_stored and held != 0:
                    heard = functools.partial(link.changes.has_changed, (name,), since)
                    memory.fill(plan, key, value, replace(terms[key], held=held), unless=heard)
            link.changes.note(spelled.values())
        finally:
            link.changes.end()

    async def delete_many(self, plan: Plan, keys: Iterable[Any]) -> int:
        """Delete values; tell how many of them were known in process."""
        spelled = {key: self._link.keys.value(key, plan.name) for key in keys}
        found = sum([self._memory.invalidate(key) for key in spelled])
        if self._is_closed:
            return found
        await self._writer.forget(list(spelled.values()))
        self._link.changes.note(spelled.values())
        for key in spelled:
            self._memory.drop(key)
        return found

    async def invalidate_tags(self, names: tuple[str, ...]) -> None:
        """Make invalid what carries one of these tags, in all processes."""
        records = [self._link.keys.tag(name) for name in names]
        self._memory.invalidate_tags(names)
        if self._is_closed:
            return
        await self._writer.invalidate(records)
        self._link.changes.note(records)
        self._memory.invalidate_tags(names)

    async def clear(self, scopes: Tags) -> None:
        """Make invalid all values of a namespace, the innermost of these, in all processes."""
        path: tuple[Hashable, ...] = scopes[-1].name if scopes else ()  # type: ignore[assignment]
        record = self._link.keys.scope(scopes[-1] if scopes else None)
        self._coherence.forget_scope(path)
        if self._is_closed:
            return
        await self._writer.invalidate([record])
        self._link.changes.note([record])
        self._coherence.forget_scope(path)

    async def touch(self, plan: Plan, key: Any, ttl: float | None) -> bool:
        """Let a fresh value begin a new term of `ttl` seconds; tell whether there is one."""
        link = self._link
        reading = await self._loads.ask(plan, key)
        if _fresh(reading) is None:
            return False
        try:
            data = (await link.store.get_many([reading.key])).get(reading.key, b"")
            envelope = link.sealer.open(reading.key, data)
            now, forever = link.wall(), float("inf")
            left = forever if ttl is None else ttl
            renewed = envelope._replace(version=new_version(), created=now, fresh_until=now + left)
            lasts = left + plan.freshness.lasts
            item = Item(link.sealer.seal(reading.key, renewed), None if lasts == forever else lasts)
            is_renewed = await store_unless_changed(link, reading.key, item, stamp(data))
        except Unopenable:
            return False
        except StoreError as error:
            link.note_error(error)
            return False
        link.changes.note([reading.key])
        self._memory.drop(key, is_replaced=True)
        return is_renewed

    # --- the whole --------------------------------------------------------------------------------------------------

    def lock(self, path: tuple[Hashable, ...], name: str, *, ttl: Any, wait: Any) -> AbstractAsyncContextManager[Lease]:
        """Give a lock of a namespace.

        Raises:
            TypeError: the store cannot keep any.
            ValueError: an argument that cannot be meant.
        """
        named = self._link.keys.within(path, name) if name.__class__ is str and name else name
        return self._all_locks().lock(named, ttl=ttl, wait=wait)

    def _all_locks(self) -> Locks:
        if self._keeper is None:
            raise TypeError(
                f"{self._link.store!r} cannot keep locks: it has no add, compare_and_set, compare_and_delete"
            )
        self._coherence.ensure()
        if self._locks is None:
            self._locks = Locks(self._keeper, self._link.keys.prefix)
        return self._locks

    def stats(self) -> SharedStats:
        """Give what was counted."""
        counts, outbox = self._link.counts, self._link.outbox
        return SharedStats(
            hits=counts.hits,
            misses=counts.misses,
            errors=counts.errors,
            refused=counts.refused,
            unreadable=dict(counts.unreadable),
            unwritable=counts.unwritable,
            flushes=counts.flushes,
            owed=len(outbox.owed),
            behind=len(outbox.behind),
            dropped=outbox.dropped,
            is_coherent=self._coherence.is_live(),
        )

    async def start(self) -> None:
        """Connect, as far as that goes quickly, and begin to listen for changes."""
        if self._loads.listens:
            self._coherence.ensure()
        for _ in range(_FIRST_TRIES):
            try:
                await self._link.store.get_many([self._link.keys.scope(None)])
            except StoreTimeout:
                continue  # the first connection may take longer than anybody should wait later
            except StoreError:
                return
            break
        if self._loads.listens:  # or its beginning would make the first loads useless in process
            await self._coherence.began(_BEGINNING)

    async def aclose(self) -> None:
        """Send what still has to be sent, give leases back, and let go of the store if it is the cache's own."""
        self._is_closed = True
        closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(closing)  # whoever closes may be cancelled: connections are let go of all the same

    async def _close(self) -> None:
        try:
            if self._keeper is not None:
                await self._keeper.aclose()
            await self._link.outbox.drain()
        finally:
            await self._coherence.aclose()
            if self._is_owned:
                with contextlib.suppress(StoreError):
                    await self._link.store.aclose()


def _fresh(reading: Reading) -> Found | None:
    found = reading.found
    return None if found is None or not found.is_fresh() else found
