"""Reading from the store: what is there, whether it is still valid, and what a later write has to know.

Decides when bytes of the store are a value: if they are an envelope of this very key, if all that it depends on is as
it was when its load began, and if its payload is of the type that is asked for. Anything else is a miss, and counted.
Nothing here raises on account of the store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from asynccache.core.remembered_error import RememberedError
from asynccache.errors import StoreError
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import Terms
from asynccache.protocols import MISSING
from asynccache.serializers.envelope import Envelope, Kind, stamp
from asynccache.serializers.off_loop import decode_off_loop, open_off_loop
from asynccache.serializers.proofs import Unopenable
from asynccache.serializers.remembered_errors import decode_error
from asynccache.serializers.typed_json import Undecodable
from asynccache.shared.link import Link
from asynccache.shared.plans import shared_plan
from asynccache.shared.records import Generation

_NO_VERSIONS: Final[dict[bytes, Generation | None]] = {}


@dataclass(slots=True)
class Found:
    """A value of the store.

    Attributes:
        value: the value, or a `RememberedError`.
        left: seconds for which it is still fresh, less than 0 if it is old; inf for ever.
        age: seconds since it was stored.
        load_time: seconds that its load took.
        tags: the names of its tags.
        records: the keys of all records that it depends on.
    """

    value: Any
    left: float
    age: float
    load_time: float
    tags: tuple[str, ...]
    records: tuple[bytes, ...]

    def terms(self, held: float | None) -> Terms:
        """Tell on what terms it is kept in process.

        Args:
            held: seconds that it may be kept there; None as long as it lasts.
        """
        left = None if self.left == inf else self.left
        return Terms(1, left, self.tags, held=held, age=self.age, load_time=self.load_time)


@dataclass(slots=True)
class Reading:
    """What the store had to say about one key.

    Attributes:
        key: as it is spelled there.
        since: the moment before it was asked, by `Changes`.
        asked_at: the same, in seconds since 1970.
        is_known: whether the store has answered.
        found: the value that it has, if it is valid; it may be old.
        stamp: the beginning of whatever is there; None if nothing is.
        versions: of the records that were looked at; None for one that is missing.
    """

    key: bytes
    since: int
    asked_at: float
    is_known: bool = False
    found: Found | None = None
    stamp: bytes | None = None
    versions: dict[bytes, Generation | None] = field(default_factory=lambda: _NO_VERSIONS)


class Reader:
    """Reads values and records.

    Args:
        link: the way to the store.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def ask_one(self, plan: Plan, key: Any, since: int) -> Reading:
        """Ask for one key: what `ask` does, where speed counts.

        Args:
            plan: how it is loaded.
            key: as it is in process.
            since: the moment, by `Changes`.

        Raises:
            TypeError: the key cannot be spelled.
        """
        link = self._link
        reading = Reading(link.keys.value(key, plan.name), since, link.wall())
        reading.versions = versions = {}
        asked = [reading.key]
        for record in self.records_of(plan):
            versions[record] = link.records.known(record)
            if versions[record] is None:
                asked.append(record)
        try:
            replies = await link.store.get_many(asked)
        except StoreError:
            link.counts.errors += 1
            return reading
        if link.outbox.is_in_use:
            replies = self._as_owed(asked, replies)
        for record in asked[1:]:
            versions[record] = self._learn(record, replies.get(record), since)
        reading.is_known = True
        data = replies.get(reading.key)
        if data is not None:
            envelope = await self._open(reading, data)
            if envelope is not None and (await self._is_valid(envelope, reading)):
                reading.found = await self._found(plan, envelope, reading.asked_at)
        return reading

    async def ask(self, plan: Plan, keys: Iterable[Any], since: int) -> dict[Any, Reading]:
        """Ask for several keys: in one turn of the loop, so in one request.

        Args:
            plan: how they are loaded.
            keys: as they are in process, each once.
            since: the moment, by `Changes`.

        Raises:
            TypeError: a key that cannot be spelled.
        """
        asked = [(key, asyncio.ensure_future(self.ask_one(plan, key, since))) for key in keys]
        return {}

    def records_of(self, plan: Plan) -> tuple[bytes, ...]:
        """Give the keys of the records that values of a plan are known to depend on before they are loaded."""
        records = shared_plan(plan).scope_records
        if not plan.tags or callable(plan.tags):
            return records
        return records + tuple([self._link.keys.tag(name) for name in plan.tags])

    async def generations(self, records: Sequence[bytes], since: int) -> dict[bytes, Generation | None]:
        """Give the generations of records, None for one that is missing.

        Raises:
            StoreError: they cannot be read.
        """
        versions = {record: self._link.records.known(record) for record in records}
        unknown = [record for record, generation in versions.items() if generation is None]
        if unknown:
            replies = self._as_owed(unknown, await self._link.store.get_many(unknown))
            for record in unknown:
                versions[record] = self._learn(record, replies.get(record), since)
        return versions

    async def _fetch(self, keys: list[bytes]) -> dict[bytes, bytes] | None:
        try:
            return self._as_owed(keys, await self._link.store.get_many(keys))
        except StoreError:
            self._link.counts.errors += 1
            return None

    def _as_owed(self, keys: list[bytes], replies: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Put what waits to be sent in the place of what the store still has."""
        outbox = self._link.outbox
        if outbox.owed or outbox.behind:
            waiting = {key: outbox.waiting(key) for key in keys}
            replies = {**replies, **{key: value for key, value in waiting.items() if value is not None}}
        return replies

    async def _look_further(
        self, opened: list[tuple[Reading, Envelope | None]], versions: dict[bytes, Generation | None], since: int
    ) -> None:
        """Read the records that values depend on though their plan did not say so, such as tags told by a result."""
        further: dict[bytes, None] = {}
        for _, envelope in opened:
            if envelope is not None:
                for record, _ in envelope.generations:
                    if record not in versions:
                        further[record] = None
        if not further:
            return
        try:
            versions |= await self.generations(list(further), since)
        except StoreError:  # what depends on them is a miss
            self._link.counts.errors += 1

    def _learn(self, record: bytes, data: bytes | None, since: int) -> Generation | None:
        if data is None:
            return None
        try:
            envelope = self._link.sealer.open(record, data)
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
            return None
        if envelope.kind is not Kind.GENERATION:
            return None
        generation = Generation(envelope.version, envelope.created)
        self._link.records.learn(record, generation, since)
        return generation

    async def _open(self, reading: Reading, data: bytes | None) -> Envelope | None:
        if data is None:
            return None
        reading.stamp = stamp(data)
        try:
            envelope = await open_off_loop(self._link.sealer, reading.key, data)
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
            return None
        return envelope if envelope.kind in (Kind.VALUE, Kind.ERROR) else None

    async def _found(self, plan: Plan, envelope: Envelope, now: float) -> Found | None:
        if envelope.kind is Kind.ERROR:
            error = None if plan.errors is None else decode_error(envelope.payload, plan.errors.terms)
            if error is None or envelope.fresh_until <= now:
                return None
            value: Any = RememberedError(error)
        else:
            value = await self._decoded(plan, envelope)
            if value is MISSING:
                return None
        records = tuple([record for record, _ in envelope.generations])
        return Found(
            value,
            envelope.fresh_until - now,
            max(now - envelope.created, 0.0),
            envelope.load_time,
            self._link.keys.tag_names(records),
            records,
        )

    async def _decoded(self, plan: Plan, envelope: Envelope) -> Any:
        codec = shared_plan(plan).codec
        try:
            if codec.id != envelope.codec:
                raise Undecodable("written by another codec")
            return await decode_off_loop(codec, envelope.payload)
        except Undecodable:
            self._link.counts.unreadable["payload"] += 1
            return MISSING


def _is_valid(envelope: Envelope, versions: dict[bytes, Generation | None]) -> bool:
    for record, version in envelope.generations:
        generation = versions.get(record)
        if generation is None or generation.version != version:
            return False
    return bool(envelope.generations)
