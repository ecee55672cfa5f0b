"""What all that deals with one cache's store has in common."""

import logging
import random
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from asynccache.errors import StoreError
from asynccache.flight.plan import Plan
from asynccache.protocols import Clock, SupportsTimers
from asynccache.serializers.envelope import Envelope, Kind, Sealer, new_version
from asynccache.serializers.off_loop import seal_off_loop
from asynccache.shared.changes import Changes
from asynccache.shared.keys import KeySpace
from asynccache.shared.outbox import Outbox
from asynccache.shared.records import RECORD_TTL, Records
from asynccache.stats import SharedCounts
from asynccache.stores.contract import Item, OnChange, Store, SupportsConditions

_log: Final = logging.getLogger("asynccache")

TOMBSTONE_TTL: Final = 60.0
"""Seconds for which it is remembered that a value was deleted: a load that began before brings nothing back."""


class WrittenValue(NamedTuple):
    """A value as a codec wrote it.

    Attributes:
        codec: the id of the codec; 0 for a remembered error.
        payload: the bytes.
        ttl: seconds for which it is fresh; None for ever.
        generations: what it depends on.
        load_time: how long its load took, in seconds.
    """

    codec: int
    payload: bytes
    ttl: float | None
    generations: tuple[tuple[bytes, bytes], ...]
    load_time: float


@dataclass(kw_only=True, slots=True)
class Link:
    """One cache's way to its store.

    Attributes:
        store: where values are kept as bytes.
        conditions: the same store, if it can change a key on a condition.
        keys: how keys are spelled there.
        sealer: makes records of envelopes, and the other way round.
        clock: the cache's.
        wall: tells the time in seconds since 1970, as other processes do.
        changes: what has changed while reads are under way.
        records: the generations that are known here.
        outbox: what still has to be sent.
        counts: what was counted.
        name: of the cache, for the log.
        is_away: whether the last request has failed.
        on_refused: told of keys that were written behind and refused.
    """

    store: Store
    keys: KeySpace
    sealer: Sealer
    clock: Clock | SupportsTimers
    wall: Clock
    changes: Changes
    records: Records
    outbox: Outbox
    counts: SharedCounts
    name: str = ""
    is_away: bool = False
    on_refused: OnChange = lambda _keys: None
    conditions: SupportsConditions | None = field(init=False)

    def __post_init__(self) -> None:
        """Ask once what would cost time at every write."""
        self.conditions = self.store if isinstance(self.store, SupportsConditions) else None

    async def value_item(self, plan: Plan, key: bytes, written: "WrittenValue") -> Item:
        """Make an item of a value or of a remembered error.

        Args:
            plan: how it was loaded; the store keeps it for as long as that promises something.
            key: what it will be kept under.
            written: the value.

        Raises:
            TooLarge: it is.
        """
        now, ttl, is_error = self.wall(), written.ttl, written.codec == 0
        left = inf if ttl is None else ttl
        if not is_error:
            left = plan.expiry.limit(ttl, 0.0, random.random)
        kept = left if is_error else left + plan.freshness.lasts
        kind = Kind.ERROR if is_error else Kind.VALUE
        envelope = Envelope(
            kind, new_version(), now, now + left, written.load_time, written.generations, written.codec, written.payload
        )
        return Item(await seal_off_loop(self.sealer, key, envelope), None if kept == inf else kept)

    def note_error(self, error: StoreError) -> None:
        """Count that the store has failed, and say so if it had not before."""
        self.counts.errors += 1
        if not self.is_away:
            self.is_away = True
            _log.warning("%s: does without its store, which failed: %s", self.name, error)

    def note_answer(self) -> None:
        """Say that the store answers again."""
        self.is_away = False
        _log.warning("%s: its store answers again", self.name)

    def tombstone(self, key: bytes) -> Item:
        """Make what stands in the place of a deleted value for a while."""
        return Item(self.sealer.seal(key, Envelope(Kind.TOMBSTONE, new_version(), self.wall())), TOMBSTONE_TTL)

    def record(self, key: bytes, invalidated: float) -> Item:
        """Make a new generation's record; `invalidated` is `NEVER` for the first."""
        ttl = None if self.keys.is_scope(key) else RECORD_TTL
        return Item(self.sealer.seal(key, Envelope(Kind.GENERATION, new_version(), invalidated)), ttl)
