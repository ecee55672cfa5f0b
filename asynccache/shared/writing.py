"""Writing to the store: values under a condition, and what makes values invalid.

Decides what may take whose place. A load's value is stored only if what was there when it began is still there, so that
nothing that was set, deleted or loaded meanwhile, by whomever, is overwritten by something older. What makes values
invalid is never lost: if it cannot be sent, it is owed.
"""

import enum
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from asynccache.core.remembered_error import RememberedError
from asynccache.errors import StoreError
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import Terms
from asynccache.serializers.envelope import stamp
from asynccache.serializers.off_loop import encode_off_loop
from asynccache.serializers.remembered_errors import encode_error
from asynccache.serializers.typed_json import Unencodable
from asynccache.shared.generation_reader import GenerationReader
from asynccache.shared.link import TOMBSTONE_TTL, Link, WrittenValue
from asynccache.shared.plans import shared_plan
from asynccache.shared.reading import Reading
from asynccache.shared.records import NEVER, Generation
from asynccache.stores.contract import Item

_log: Final = logging.getLogger("asynccache")


Generations: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""The keys of records, each with the version that a value depends on."""


class Written(enum.Enum):
    """What became of a value that was to be stored."""

    STORED = enum.auto()
    """It is there, or will be."""
    OVERTAKEN = enum.auto()
    """Something newer was said about its key or about one of its tags meanwhile."""
    NOT_SENT = enum.auto()
    """The store is away, or takes no such value."""


class Writer:
    """Writes values, tombstones and records.

    Args:
        link: the way to the store.
        generations: reads records.
        is_behind: whether values are written in the background.
    """

    def __init__(self, link: Link, generations: GenerationReader, *, is_behind: bool) -> None:
        self._link = link
        self._generations = generations
        self._is_behind = is_behind
        self._warned: set[str] = set()

    # --- values -----------------------------------------------------------------------------------------------------

    async def write(
        self, plan: Plan, reading: Reading, value: Any, terms: Terms, load_time: float, *, at_once: bool = False
    ) -> Written:
        """Store what a load has brought, if nothing has changed since the store was read.

        Args:
            plan: how it was loaded.
            reading: what the store had before that.
            value: the value, or a `RememberedError`.
            terms: on what terms it is stored.
            load_time: how long its load took, in seconds.
            at_once: whether it is not to be written behind in any case.
        """
        if not reading.is_known:
            return Written.NOT_SENT
        try:
            generations = await self._depends_on(plan, reading, terms.tags)
            if generations is None:
                return self._refused()
            item = await self._item(plan, reading.key, value, terms, generations, load_time)
            if item is None:
                if reading.stamp is not None:  # what it would have replaced is out of date
                    await self.forget([reading.key])
                return Written.NOT_SENT
            if self._is_behind and not at_once and self._link.conditions is not None:
                until = reading.asked_at + TOMBSTONE_TTL
                self._link.outbox.write_behind(reading.key, item, reading.stamp, until)
                return Written.STORED
            if await store_unless_changed(self._link, reading.key, item, reading.stamp):
                return Written.STORED
        except StoreError as error:
            self._link.note_error(error)
            return Written.NOT_SENT
        return self._refused()

    def _refused(self) -> Written:
        self._link.counts.refused += 1
        return Written.OVERTAKEN

    async def _item(
        self, plan: Plan, key: bytes, value: Any, terms: Terms, generations: Generations, load_time: float
    ) -> Item | None:
        """Make an item of a value or of a `RememberedError`; None if it cannot be written."""
        try:
            if isinstance(value, RememberedError):
                payload = None if plan.errors is None else encode_error(value.again(), plan.errors.terms)
                codec = 0
            else:
                payload = await encode_off_loop(shared_plan(plan).codec, value)
                codec = shared_plan(plan).codec.id
            if payload is None:
                return None
            written = WrittenValue(codec, payload, terms.ttl, generations, load_time)
            return await self._link.value_item(plan, key, written)
        except Unencodable as error:
            self._link.counts.unwritable += 1
            kind = type(value).__name__
            if kind not in self._warned:
                self._warned.add(kind)
                _log.warning("%s: a %s is not shared between processes: %s", plan.name, kind, error)
            return None

    async def put(self, plan: Plan, keys: Mapping[bytes, tuple[Any, Terms]], since: int) -> bool:
        """Store values whatever is there; tell whether they could be sent.

        Args:
            plan: on whose options.
            keys: by key as it is spelled in the store, each value with its terms.
            since: the moment before, by `Changes`.
        """
        items: dict[bytes, Item] = {}
        reading = Reading(b"", since, self._link.wall(), is_known=True, versions={})
        try:
            for key, (value, terms) in keys.items():
                item = None
                generations = await self._depends_on(plan, reading, terms.tags, new=True) if terms.is_wanted else None
                if generations is not None:
                    item = await self._item(plan, key, value, terms, generations, 0.0)
                items[key] = self._link.tombstone(key) if item is None else item
            with self._link.outbox.replacing(list(keys)):
                await self._link.store.set_many(items)
        except StoreError as error:
            self._link.note_error(error)
            self._owe(keys)
            return False
        except BaseException:  # whoever sets it is cancelled: what was there before is out of date all the same
            self._owe(keys)
            raise
        return True

    def _owe(self, keys: Iterable[bytes]) -> None:
        self._link.outbox.owe({key: self._link.tombstone(key) for key in keys})

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Delete values, and see to it that loads under way bring none of them back."""
        await self._send({key: self._link.tombstone(key) for key in keys})

    async def invalidate(self, records: Iterable[bytes]) -> None:
        """Make invalid all values that depend on one of these records."""
        now = self._link.wall()
        self._link.records.forget(records := list(records))
        await self._send({record: self._link.record(record, now) for record in records})

    async def _send(self, items: Mapping[bytes, Item]) -> None:
        """Send what makes values invalid; what cannot be sent is owed."""
        try:
            with self._link.outbox.replacing(list(items)):
                await self._link.store.set_many(items)
        except StoreError as error:
            self._link.note_error(error)
            self._link.outbox.owe(items)
        except BaseException:  # whoever asked for it is cancelled: it has to be done all the same
            self._link.outbox.owe(items)
            raise

    # --- records ----------------------------------------------------------------------------------------------------

    async def _depends_on(
        self, plan: Plan, reading: Reading, tags: tuple[str, ...], *, new: bool = False
    ) -> Generations | None:
        """Give the generations that a value depends on; None if one of them was overtaken while it was loaded.

        Args:
            plan: how it was loaded.
            reading: what was known when its load began; it learns what is new.
            tags: of the value.
            new: whether the value is of this very moment: then nothing can have overtaken it.

        Raises:
            StoreError: a record cannot be read or made.
        """
        versions = reading.versions
        records = dict.fromkeys([*shared_plan(plan).scope_records, *map(self._link.keys.tag, tags)])
        unknown = [record for record in records if versions.get(record) is None]  # or missing, when the load began
        late = await self._generations.read(unknown, reading.since) if unknown else {}
        found: list[tuple[bytes, bytes]] = []
        for record in records:
            generation = versions.get(record) or late.get(record) or await self._create(record, reading.since)
            if generation is None:
                return None
            if not new and versions.get(record) is None and generation.invalidated >= reading.asked_at:
                return None
            versions[record] = versions.get(record) or generation
            found.append((record, generation.version))
        return tuple(found)

    async def _create(self, record: bytes, since: int) -> Generation | None:
        """Make a record that is missing, unless somebody else does so just now."""
        link = self._link
        item = link.record(record, NEVER)
        if link.conditions is None:
            await link.store.set_many({record: item})
        elif not await link.conditions.add(record, item):
            there = (await self._generations.read([record], since))[record]
            if there is not None:
                return there
            # Damaged, or signed by a secret that is not known any more: nothing that depends on it can be believed.
            await link.store.set_many({record: item})
        generation = Generation(version_of(item.value), NEVER)
        link.records.learn(record, generation, since)
        return generation


async def store_unless_changed(link: Link, key: bytes, item: Item, expected: bytes | None) -> bool:
    """Store an item if what is there begins as it did; tell whether it was stored.

    Args:
        link: the way to the store. One that knows no conditions stores in any case.
        key: where.
        item: what.
        expected: how it began; None if there was nothing.

    Raises:
        StoreError: it is not known whether it was.
    """
    if link.conditions is None:
        await link.store.set_many({key: item})
        return True
    if expected is None:
        return await link.conditions.add(key, item)
    return await link.conditions.compare_and_set(key, expected, item)


def version_of(data: bytes) -> bytes:
    """Give the version of a record that was just made."""
    return stamp(data)[-8:]
