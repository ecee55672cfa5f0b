"""Responses in any store: found, kept, replaced, invalidated.

Decides what may take whose place. All responses to one cache key lie in one record, which is written only in the place
of the very record that was read before: so none is lost where two are stored at the same time. What was invalidated
leaves a tombstone with a new generation; a response that was asked for before is of an older one, and is not stored.
A store that fails is as good as an empty one, but what makes responses invalid is never lost: see `owed`.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from asynccache.errors import StoreError
from asynccache.http.bodies import Bodies, BodyLimits, BodyLost, BodyWriter
from asynccache.http.memo import Known, Memo, Variants, weight_of
from asynccache.http.merging import freshened, merged, most_recent
from asynccache.http.message import WallClock
from asynccache.http.owed import Debt, Owed
from asynccache.http.purges import MARK_TTL, Mark, Marks, unchanged
from asynccache.http.records import UNKNOWN, Kept, Record, decoded, encoded, tags_of, tombstone
from asynccache.http.spelling import Spelling
from asynccache.http.store_counts import StoreCounts
from asynccache.http.stored import Body, ChunkedBody, StoredResponse
from asynccache.serializers.envelope import LARGEST, Sealer, stamp
from asynccache.serializers.proofs import Secrets, Unopenable
from asynccache.serializers.typed_json import Unencodable
from asynccache.stores.contract import Item, Store, SupportsConditions

__all__ = ["BodyLost", "BodyWriter", "ResponseStore", "Variants"]

TOMBSTONE_TTL: Final = 600.0
"""Seconds for which it is remembered that a key was invalidated. A response whose body takes longer is not stored."""

_TRIES: Final = 5
_KIB: Final = 1024

Change: TypeAlias = Callable[[Sequence[Kept]], list[Kept] | None]
"""Makes the responses of a key of those that there are, the newest first; None if that cannot be."""


class ResponseStore:
    """Keeps responses in a store. For any number of event loops and threads.

    Args:
        store: any. Without `SupportsConditions`, of two responses that are stored at the same time one may be lost.
        namespace: what its keys begin with.
        clock: tells the wall time.
        secret: signs what is stored; see `Sealer`.
        inline_limit: bytes of a body up to which it lies in its record.
        chunk_size: bytes of one piece of a larger body.
        max_body: bytes of the largest body that is kept.
        retention: seconds for which everything is kept beyond the time that callers say.
        max_variants: the most responses under one cache key; of more, the newest are kept.

    Attributes:
        counts: what went wrong.

    Raises:
        TypeError, ValueError: an option that cannot be meant.
    """

    def __init__(
        self,
        store: Store,
        *,
        namespace: str = "http",
        clock: WallClock = time.time,
        secret: Secrets | None = None,
        inline_limit: int = 32 * _KIB,
        chunk_size: int = 256 * _KIB,
        max_body: int = 64 * _KIB * _KIB,
        retention: float = 0.0,
        max_variants: int = 32,
    ) -> None:
        _check(inline_limit, chunk_size, max_body, retention, max_variants)
        self.counts = StoreCounts(namespace)
        self._store = store
        self._conditions = store if isinstance(store, SupportsConditions) else None
        self._clock = clock
        self._retention = retention
        self._max_variants = max_variants
        self._most_inline = max(16 * inline_limit, _KIB)
        self._sealer = Sealer(secret=secret, max_value_bytes=max(LARGEST, 2 * self._most_inline, chunk_size))
        self._spelling = spelling = Spelling(namespace)
        self._everything = spelling.everything
        self._marks = Marks(store, self._sealer, clock, self._everything, self.counts)
        limits = BodyLimits(inline=inline_limit, piece=chunk_size, most=max_body)
        self._bodies = Bodies(store, self._sealer, spelling, clock, limits, self.counts)
        self._memo = Memo()
        self._owed = Owed(self._everything)

    # --- finding ------------------------------------------------------------------------------------------------------

    async def find(self, key: str) -> Variants:
        """Give the responses to a cache key; none if the store fails, or has nothing to be believed.

        Some may be of no use any more: what they are good for, their fields say.
        """
        known = self._memo.get(key)
        if known is None or self._owed.is_any:
            return await self._look(key, known)
        try:
            reply = await self._store.get_many(known.keys)
        except StoreError as error:
            self.counts.note_error(error)
            return Variants()
        if reply == known.reply:
            return known.found
        return await self._look(key, known, reply)

    async def _look(self, key: str, known: Known | None, reply: dict[bytes, bytes] | None = None) -> Variants:
        """Read a record and the marks that it depends on, however many requests that takes."""
        keys = (self._spelling.record(key), self._everything) if known is None else known.keys
        try:
            await self._settle()
            if reply is None:
                reply = await self._store.get_many(keys)
            record = self._decoded(keys[0], reply.get(keys[0]))
            needed = tuple(record.versions) if record is not None else ()
            if missing := [each for each in needed if each not in keys]:
                reply = {**reply, **await self._store.get_many(missing)}
        except StoreError as error:
            self.counts.note_error(error)
            return Variants()
        self.counts.note_answer()
        keys = tuple(dict.fromkeys((keys[0], self._everything, *needed)))
        return self._learn(key, keys, reply, record)

    def _learn(self, key: str, keys: tuple[bytes, ...], reply: dict[bytes, bytes], record: Record | None) -> Variants:
        marks = {each: self._marks.read(each, reply.get(each)) for each in keys[1:]}
        versions = {each: None if mark is None else mark.version for each, mark in marks.items()}
        data = reply.get(keys[0])
        if record is None or data is None:
            self._memo.forget(key)
            return Variants(None if data is None else stamp(data), marks=versions)
        kept = self._living(record, marks)
        responses = tuple(one.response for one in kept)
        found = Variants(record.stamp, record.generation, responses, versions)
        reply = {each: reply[each] for each in keys if each in reply}
        self._memo.put(key, Known(keys, reply, found, weight_of(reply, record.head_size)))
        return found

    def _decoded(self, key: bytes, data: bytes | None) -> Record | None:
        """Read a record; None if there is none, or none to be believed."""
        if data is None:
            return None
        try:
            return decoded(self._sealer, key, data)
        except Unopenable as error:
            self.counts.unreadable[error.reason] += 1
            return None

    def _living(self, record: Record, marks: "dict[bytes, Mark | None]") -> list[Kept]:
        """Give the responses of a record whose time is not over, and that nothing has made invalid."""
        now, versions = self._clock(), record.versions
        if not record.kept or not unchanged(marks, [self._everything], versions):
            return []
        tag = self._spelling.tag
        return [
            kept
            for kept in record.kept
            if kept.until > now and unchanged(marks, map(tag, kept.response.tags), versions)
        ]

    # --- keeping ------------------------------------------------------------------------------------------------------

    async def keep(self, key: str, found: Variants, response: StoredResponse, *, ttl: float) -> bool:
        """Store a response, in the place of an older one of the same variant.

        Args:
            key: the cache key.
            found: what was there before the response was asked for.
            response: what came.
            ttl: seconds for which it is of use.

        Returns:
            whether it was stored. It was not if the key, one of its tags, or everything was invalidated since, if the
            store failed, or if the response is too old to know.
        """
        now = self._clock()
        kept = self._kept(response, now, ttl)
        if kept.until <= now or now - response.request_time > TOMBSTONE_TTL:
            self.counts.overtaken += 1
            self._bodies.let_go([response.body])
            return False
        return await self._change(key, found, response, lambda there: merged(there, kept))

    async def replace(
        self, key: str, found: Variants, old: StoredResponse, new: StoredResponse | None, *, ttl: float
    ) -> bool:
        """Put a response in the place of the one that it was made of, or take that one away.

        Args:
            key: the cache key.
            found: what was there before that was validated.
            old: one of the responses that were found.
            new: the same response with other fields; None if it is no good any more.
            ttl: seconds for which the new one is of use.

        Returns:
            whether it was done. It was not for the reasons that `keep` has, or if the old one is not there any more.
        """
        kept = None if new is None else self._kept(new, self._clock(), ttl)
        return await self._change(key, found, new, lambda there: freshened(there, old, kept))

    def _kept(self, response: StoredResponse, now: float, ttl: float) -> Kept:
        """Say until when a response is kept: not longer than its body, and than what it depends on."""
        until = now + min(ttl + self._retention, MARK_TTL)
        return Kept(response, min(until, response.body.kept_until) if isinstance(response.body, ChunkedBody) else until)

    async def _change(self, key: str, found: Variants, response: StoredResponse | None, change: Change) -> bool:
        """Write what is made of the responses to a key, unless something newer was said since they were found."""
        lies_at = self._spelling.record(key)
        try:
            await self._settle()
            for _ in range(_TRIES):
                done = await self._try(lies_at, found, response, change)
                if done is not None:
                    await self._bodies.sweep()
                    return done
        except StoreError as error:  # it is not known whether it was stored: its body stays
            self.counts.note_error(error)
            return False
        except Unencodable:
            self.counts.too_large += 1
            return False
        return self._overtaken(response)

    def _overtaken(self, response: StoredResponse | None) -> bool:
        self.counts.overtaken += 1
        if response is not None:
            self._bodies.let_go([response.body])
        return False

    async def _try(
        self, lies_at: bytes, found: Variants, response: StoredResponse | None, change: Change
    ) -> bool | None:
        """Read, change and write once; None if somebody else wrote meanwhile."""
        tags = [] if response is None else [self._spelling.tag(tag) for tag in response.tags]
        reply = await self._store.get_many([lies_at, self._everything, *tags])
        data = reply.get(lies_at)
        record = self._decoded(lies_at, data)
        if record is None:
            if data is not None and found.stamp != stamp(data):  # it may have been a tombstone
                return self._overtaken(response)
            record = Record(b"", UNKNOWN)
        if record.generation != found.generation:
            return self._overtaken(response)
        marks = await self._marks_of(reply, [self._everything, *tags], record)
        living = self._living(record, marks)
        if response is not None and self._is_purged(marks, [self._everything, *tags], found, response.request_time):
            return self._overtaken(response)
        kept = change(living)
        if kept is None:
            return self._overtaken(None)
        return await self._write(lies_at, data, record, most_recent(kept, self._max_variants, self._most_inline), marks)

    async def _marks_of(
        self, reply: dict[bytes, bytes], needed: list[bytes], record: Record
    ) -> "dict[bytes, Mark | None]":
        """Give the marks that a new response needs, made if they are missing, and those that others depend on."""
        others = [each for each in record.versions if each not in needed]
        if others:
            reply = {**reply, **await self._store.get_many(others)}
        marks = {each: self._marks.read(each, reply.get(each)) for each in (*needed, *others)}
        for each in needed:
            if marks[each] is None:
                marks[each] = await self._marks.make(each, reply.get(each))
        return marks

    @staticmethod
    def _is_purged(marks: "dict[bytes, Mark | None]", needed: list[bytes], found: Variants, asked: float) -> bool:
        """Tell whether something that a response depends on was purged after it was asked for."""
        return any(
            mark is None or mark.overtakes(found.marks.get(each), asked)
            for each, mark in ((each, marks[each]) for each in needed)
        )

    async def _write(
        self, lies_at: bytes, data: bytes | None, record: Record, kept: list[Kept], marks: "dict[bytes, Mark | None]"
    ) -> bool | None:
        now = self._clock()
        needed = [self._everything, *map(self._spelling.tag, tags_of(one.response for one in kept))]
        versions = {each: mark.version for each in needed if (mark := marks[each]) is not None}
        new = encoded(self._sealer, lies_at, now, record.generation, kept, versions)
        left = max((one.until - now for one in kept), default=0.0)
        # A record stands for the tombstone that it took the place of, and is there for as long.
        item = Item(new, left if kept and record.generation == UNKNOWN else max(left, TOMBSTONE_TTL))
        if self._conditions is None:
            await self._store.set_many({lies_at: item})
        elif data is None:
            if not await self._conditions.add(lies_at, item):
                return None
        elif not await self._conditions.compare_and_set(lies_at, stamp(data), item):
            return None
        named = {one.response.body.id for one in kept if isinstance(one.response.body, ChunkedBody)}
        gone = (one.response.body for one in record.kept)
        self._bodies.let_go(body for body in gone if isinstance(body, ChunkedBody) and body.id not in named)
        return True

    # --- what makes responses invalid ---------------------------------------------------------------------------------

    async def invalidate(self, *keys: str) -> None:
        """Forget the responses to these cache keys, and see to it that none which is on its way is stored.

        If the store fails, that is made up for as soon as it answers; until then nothing is found here.
        """
        for key in keys:
            known = self._memo.forget(key)
            if known is not None:
                self._bodies.let_go(response.body for response in known.found.responses)
        await self._send(Debt(keys=set(keys)))

    async def purge(self, tags: Iterable[str]) -> None:
        """Forget all responses that have one of these tags, those included that are on their way.

        If the store fails, it is as with `invalidate`.
        """
        now = self._clock()
        await self._send(Debt(marks={self._spelling.tag(tag): now for tag in tags}))

    async def clear(self) -> None:
        """Forget everything in this namespace, whatever there is. If the store fails, it is as with `invalidate`."""
        self._memo.clear()
        await self._send(Debt(marks={self._everything: self._clock()}))

    async def _send(self, debt: Debt) -> None:
        try:
            await self._send_now(debt)
        except StoreError as error:
            self.counts.note_error(error)
            self._owed.add(debt, self._clock())
        except BaseException:  # whoever asked for it is cancelled: it has to be done all the same
            self._owed.add(debt, self._clock())
            raise

    async def _settle(self) -> None:
        """Send what is owed.

        Raises:
            StoreError: the store still fails.
        """
        if self._owed.is_any:
            debt, number = self._owed.all()
            await self._send_now(debt)
            self._owed.settled(number)

    async def _send_now(self, debt: Debt) -> None:
        if debt.keys:
            now = self._clock()
            lie_at = [self._spelling.record(key) for key in debt.keys]
            # New tombstones each time: those that were sent before would undo what others did since.
            await self._store.set_many(
                {each: Item(tombstone(self._sealer, each, now), TOMBSTONE_TTL) for each in lie_at}
            )
        if debt.marks:
            await self._marks.purge(debt.marks)

    # --- bodies -------------------------------------------------------------------------------------------------------

    def begin_body(self, ttl: float) -> BodyWriter:
        """Begin to write a body.

        Args:
            ttl: seconds for which it is of use, once it is written.
        """
        return BodyWriter(self._bodies, min(ttl + self._retention, MARK_TTL) + TOMBSTONE_TTL)

    def read(self, body: Body, first: int = 0, last: int | None = None) -> AsyncIterator[bytes]:
        """Give a body, or a part of it, piece by piece; the next one is asked for while one is used.

        Args:
            body: which.
            first: index of the first byte.
            last: index of the last byte; None for the last of all.

        Raises:
            BodyLost: a piece is gone or cannot be read; a `StoreError`.
        """
        return self._bodies.read(body, first, last)


def _check(inline_limit: int, chunk_size: int, max_body: int, retention: float, max_variants: int) -> None:
    for name, value, least in (
        ("inline_limit", inline_limit, 0),
        ("chunk_size", chunk_size, 1),
        ("max_body", max_body, 0),
        ("max_variants", max_variants, 1),
        ("retention", retention, 0),
    ):
        if not value >= least:
            raise ValueError(f"{name} must be {least} or more, not {value!r}")
