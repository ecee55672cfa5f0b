"""Reading from the store: what is there, whether it is still valid, and what a later write has to know.

Decides when bytes of the store are a value: if they are an envelope of this very key, if all that it depends on is as
it was when its load began, and if its payload is of the type that is asked for. Anything else is a miss, and counted.
Nothing here raises on account of the store.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from asynccache.core.remembered_error import RememberedError
from asynccache.errors import StoreError
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import Terms
from asynccache.protocols import MISSING, Missing
from asynccache.serializers.codecs import Codec
from asynccache.serializers.envelope import STAMP, Envelope, Kind
from asynccache.serializers.off_loop import LARGE, decode_off_loop, open_off_loop
from asynccache.serializers.proofs import Unopenable
from asynccache.serializers.remembered_errors import decode_error
from asynccache.serializers.typed_json import Undecodable
from asynccache.shared.generation_reader import GenerationReader
from asynccache.shared.keys import KeySpace
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
        records: the keys of all records that it depends on.
    """

    value: Any
    left: float
    age: float
    load_time: float
    records: tuple[bytes, ...]

    def is_fresh(self) -> bool:
        """Tell whether it is a fresh value, and no error."""
        return self.left > 0 and self.value.__class__ is not RememberedError

    def terms(self, keys: KeySpace, held: float | None) -> Terms:
        """Tell on what terms it is kept in process.

        Args:
            keys: tell which records are those of tags.
            held: seconds that it may be kept there; None as long as it lasts.
        """
        left = None if self.left == inf else self.left
        return Terms(1, left, keys.tag_names(self.records), held=held, age=self.age, load_time=self.load_time)


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
        is_after_news: whether it was asked for after its flight was detached: then the store tells what is newer.
    """

    key: bytes
    since: int
    asked_at: float
    is_known: bool = False
    found: Found | None = None
    stamp: bytes | None = None
    versions: dict[bytes, Generation | None] = field(default_factory=lambda: _NO_VERSIONS)
    is_after_news: bool = False


class Reader:
    """Reads values.

    Args:
        link: the way to the store.
        generations: reads the records that they depend on.
    """

    def __init__(self, link: Link, generations: GenerationReader) -> None:
        self._link = link
        self._generations = generations

    async def fresh_value(self, plan: Plan, key: Any) -> Any | Missing:
        """Give the value of one key if it is fresh, for a reader who needs to know nothing else.

        Raises:
            TypeError: the key cannot be spelled.
        """
        link = self._link
        spelled = link.keys.value(key, plan.name)
        records = self.records_of(plan)
        asked = [spelled, *records]
        try:
            is_waiting = link.outbox.owed or link.outbox.behind
            replies = await (link.outbox.ask(asked) if is_waiting else link.store.get_many(asked))
        except StoreError as error:
            link.note_error(error)
            return MISSING
        if link.outbox.owed or link.outbox.behind:
            replies = link.outbox.laid_over(replies, asked)
        if link.is_away:
            link.note_answer()
        data = replies.get(spelled)
        if data is None:
            return MISSING
        if len(data) < LARGE:
            try:
                envelope = link.sealer.open(spelled, data)
                if envelope.kind is not Kind.VALUE or envelope.fresh_until <= link.wall():
                    return MISSING
                for record, version in envelope.generations:
                    generation = self._generations.newest(record, replies)
                    if generation is None or generation.version != version:
                        break
                else:
                    return self._codec(plan, envelope).decode(envelope.payload)
            except Unopenable as error:
                link.counts.unreadable[error.reason] += 1
                return MISSING
            except Undecodable:
                link.counts.unreadable["payload"] += 1
                return MISSING
        since = link.changes.begin()
        try:
            found = (await self.ask_one(plan, key, since)).found  # it is large, or depends on records nobody spoke of
        finally:
            link.changes.end()
        return found.value if found is not None and found.is_fresh() else MISSING

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
        spelled = link.keys.value(key, plan.name)
        reading = Reading(spelled, since, link.wall())
        versions = link.records.known_of(self.records_of(plan))
        unknown = [record for record, generation in versions.items() if generation is None]
        asked = [spelled, *unknown]
        try:
            is_waiting = link.outbox.owed or link.outbox.behind
            replies = await (link.outbox.ask(asked) if is_waiting else link.store.get_many(asked))
        except StoreError as error:
            link.note_error(error)
            return reading
        if link.outbox.owed or link.outbox.behind:
            replies = link.outbox.laid_over(replies, asked)
        if unknown:
            self._generations.learn(unknown, replies, versions, since)
        if link.is_away:
            link.note_answer()
        reading.is_known = True
        reading.versions = versions
        data = replies.get(spelled)
        if data is not None:
            reading.stamp = data[:STAMP]
            if len(data) >= LARGE or not self._read(plan, reading, data):
                await self._read_slowly(plan, reading, data)
        return reading

    async def ask(self, plan: Plan, keys: Iterable[Any], since: int) -> dict[Any, Reading]:
        """Ask for several keys at once.

        Args:
            plan: how they are loaded.
            keys: as they are in process, each once.
            since: the moment, by `Changes`.

        Raises:
            TypeError: a key that cannot be spelled.
        """
        link = self._link
        now = link.wall()
        readings = {key: Reading(link.keys.value(key, plan.name), since, now) for key in keys}
        versions = link.records.known_of(self.records_of(plan))
        unknown = [record for record, generation in versions.items() if generation is None]
        asked = [reading.key for reading in readings.values()] + unknown
        try:
            replies = link.outbox.laid_over(await link.outbox.ask(asked), asked)
        except StoreError as error:
            link.note_error(error)
            return readings
        self._generations.learn(unknown, replies, versions, since)
        for reading in readings.values():
            reading.is_known = True
            reading.versions = versions
            data = replies.get(reading.key)
            if data is not None:
                reading.stamp = data[:STAMP]
                await self._read_slowly(plan, reading, data)
        return readings

    def records_of(self, plan: Plan) -> tuple[bytes, ...]:
        """Give the keys of the records that values of a plan are known to depend on before they are loaded."""
        records = shared_plan(plan).scope_records
        if not plan.tags or callable(plan.tags):
            return records
        return records + tuple([self._link.keys.tag(name) for name in plan.tags])

    def _read(self, plan: Plan, reading: Reading, data: bytes) -> bool:
        """Read a small value; give False if it depends on records that are still to be read."""
        try:
            envelope = self._link.sealer.open(reading.key, data)
            for record, version in envelope.generations:
                if record not in reading.versions:
                    return False
                generation = reading.versions[record]
                if generation is None or generation.version != version:
                    return True
            reading.found = self._found(plan, envelope, reading.asked_at)
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
        except Undecodable:
            self._link.counts.unreadable["payload"] += 1
        return True

    async def _read_slowly(self, plan: Plan, reading: Reading, data: bytes) -> None:
        """Read a value that is large, or depends on records that its plan did not speak of, as of tags that are told by
        a result.
        """
        try:
            envelope = await open_off_loop(self._link.sealer, reading.key, data)
            further = [record for record, _ in envelope.generations if record not in reading.versions]
            if further:
                reading.versions = reading.versions | await self._generations.read(further, reading.since)
            for record, version in envelope.generations:
                generation = reading.versions[record]
                if generation is None or generation.version != version:
                    return
            value: Any = MISSING
            if envelope.kind is Kind.VALUE and len(envelope.payload) >= LARGE:
                value = await decode_off_loop(self._codec(plan, envelope), envelope.payload)
            reading.found = self._found(plan, envelope, reading.asked_at, value)
        except StoreError as error:
            self._link.note_error(error)
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
        except Undecodable:
            self._link.counts.unreadable["payload"] += 1

    def _found(self, plan: Plan, envelope: Envelope, now: float, value: Any = MISSING) -> Found | None:
        """Give what an envelope holds, if it is a value.

        Args:
            plan: how it is loaded.
            envelope: of a valid record.
            now: in seconds since 1970.
            value: the value, if it was decoded already.

        Raises:
            Undecodable: its payload is of another type than the plan's.
        """
        if envelope.kind is Kind.VALUE:
            if value is MISSING:
                value = self._codec(plan, envelope).decode(envelope.payload)
        elif envelope.kind is Kind.ERROR and plan.errors is not None and envelope.fresh_until > now:
            error = decode_error(envelope.payload, plan.errors.terms)
            if error is None:
                return None
            value = RememberedError(error)
        else:
            return None
        records = tuple([record for record, _ in envelope.generations])
        return Found(value, envelope.fresh_until - now, max(now - envelope.created, 0.0), envelope.load_time, records)

    @staticmethod
    def _codec(plan: Plan, envelope: Envelope) -> Codec:
        codec = shared_plan(plan).codec
        if codec.id != envelope.codec:
            raise Undecodable("written by another codec")
        return codec
