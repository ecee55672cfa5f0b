"""Responses in any store: found, kept, replaced, invalidated.

Decides what may take whose place. All responses to one cache key lie in one record, which is written only in the place
of the very record that was read before: so none is lost where two are stored at the same time. What was invalidated
leaves a tombstone with a new generation; a response that was asked for before is of an older one, and is not stored.
A store that fails is as good as an empty one, but what makes responses invalid is never lost: see `owed`.
"""

import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final

from asynccache.errors import StoreError
from asynccache.http.kept.bodies import Bodies, BodyLimits, BodyLost, BodyWriter
from asynccache.http.kept.invalidating import TOMBSTONE_TTL, Invalidator
from asynccache.http.kept.keeping import Change, Keeper, Outcome, Wish
from asynccache.http.kept.memo import Known, Memo, Variants, weight_of
from asynccache.http.kept.merging import freshened, merged, most_recent
from asynccache.http.kept.owed import Debt
from asynccache.http.kept.purges import MARK_TTL, Marks, living
from asynccache.http.kept.records import Kept, Record
from asynccache.http.kept.spelling import Spelling
from asynccache.http.kept.store_counts import StoreCounts
from asynccache.http.kept.store_link import StoreLink
from asynccache.http.kept.stored import Body, ChunkedBody, StoredResponse
from asynccache.http.syntax.message import WallClock
from asynccache.serializers.envelope import LARGEST, Sealer, stamp
from asynccache.serializers.proofs import Secrets
from asynccache.stores.contract import Store

__all__ = ["BodyLost", "BodyWriter", "ResponseStore", "Variants"]

_KIB: Final = 1024


class ResponseStore:
    """Keeps responses in a store. For any number of event loops and threads.

    Args:
        store: any. Without `SupportsConditions`, of two responses that are stored at the same time one may be lost.
        namespace: what its keys begin with.
        shared: whether different users are served from it: it finds nothing that was kept for one only.
        clock: tells the wall time.
        secret: signs what is stored; see `Sealer`.
        inline_limit: bytes of a body up to which it lies in its record.
        chunk_size: bytes of one piece of a larger body.
        max_body: bytes of the largest body that is kept.
        retention: seconds for which everything is kept beyond the time that callers say.
        max_variants: the most responses under one cache key; of more, the newest are kept.

    Attributes:
        counts: what went wrong.
        max_body: bytes of the largest body that is kept.

    Raises:
        TypeError, ValueError: an option that cannot be meant.
    """

    def __init__(
        self,
        store: Store,
        *,
        namespace: str = "http",
        shared: bool = False,
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
        self._retention = retention
        self.max_body = max_body
        self._most = (max_variants, max(16 * inline_limit, _KIB))
        largest = max(LARGEST, 2 * self._most[1], chunk_size)
        self._link = StoreLink(
            store=store,
            sealer=Sealer(secret=secret, max_value_bytes=largest),
            spelling=Spelling(namespace, shared=shared),
            clock=clock,
            counts=self.counts,
        )
        self._marks = Marks(self._link)
        self._bodies = Bodies(self._link, BodyLimits(inline=inline_limit, piece=chunk_size, most=max_body))
        self._keeper = Keeper(self._link, self._marks, self._bodies.let_go)
        self._invalidator = Invalidator(self._link, self._marks)
        self._owed = self._invalidator.owed
        self._memo = Memo()

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
        spelling = self._link.spelling
        keys = (spelling.record(key), spelling.everything) if known is None else known.keys
        try:
            await self._invalidator.settle()
            if reply is None:
                reply = await self._store.get_many(keys)
            record = self._link.record(keys[0], reply.get(keys[0]))
            needed = (spelling.everything, *(() if record is None else record.versions))
            if unread := [each for each in needed if each not in keys]:
                reply = {**reply, **await self._store.get_many(unread)}
        except StoreError as error:
            self.counts.note_error(error)
            return Variants()
        self.counts.note_answer()
        return self._learn(key, (keys[0], *dict.fromkeys(needed)), reply, record)

    def _learn(self, key: str, keys: tuple[bytes, ...], reply: dict[bytes, bytes], record: Record | None) -> Variants:
        marks = {each: self._marks.read(each, reply.get(each)) for each in keys[1:]}
        versions = {each: None if mark is None else mark.version for each, mark in marks.items()}
        data = reply.get(keys[0])
        if record is None:
            self._memo.forget(key)
            return Variants(None if data is None else stamp(data), marks=versions)
        responses = tuple(kept.response for kept in living(self._link, record, marks))
        found = Variants(record.stamp, record.generation, responses, versions)
        reply = {each: reply[each] for each in keys if each in reply}
        self._memo.put(key, Known(keys, reply, found, weight_of(reply, record.head_size)))
        return found

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
        now = self._link.clock()
        kept = self._kept(response, now, ttl)
        if kept.until > now and now - response.request_time <= TOMBSTONE_TTL:
            outcome = await self._change(key, found, kept, lambda there: merged(there, kept))
        else:
            self.counts.overtaken += 1
            outcome = Outcome.OVERTAKEN
        if outcome is Outcome.OVERTAKEN:  # where the store has failed, a record may name the body all the same
            self._bodies.let_go([response.body])
        return outcome is Outcome.DONE

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
        kept = None if new is None else self._kept(new, self._link.clock(), ttl)
        return await self._change(key, found, kept, lambda there: freshened(there, old, kept)) is Outcome.DONE

    def _kept(self, response: StoredResponse, now: float, ttl: float) -> Kept:
        """Say until when a response is kept: not longer than its body, and than what it depends on."""
        until = now + min(ttl + self._retention, MARK_TTL)
        return Kept(response, min(until, response.body.kept_until) if isinstance(response.body, ChunkedBody) else until)

    async def _change(self, key: str, found: Variants, new: Kept | None, change: Change) -> Outcome:
        def limited(there: Sequence[Kept]) -> list[Kept] | None:
            kept = change(there)
            return None if kept is None else most_recent(kept, *self._most)

        try:
            await self._invalidator.settle()
        except StoreError as error:
            self.counts.note_error(error)
            return Outcome.FAILED
        lies_at = self._link.spelling.record(key)
        outcome = await self._keeper.change(Wish(lies_at, found, None if new is None else new.response, limited))
        await self._bodies.sweep()
        return outcome

    # --- what makes responses invalid ---------------------------------------------------------------------------------

    async def invalidate(self, *keys: str) -> None:
        """Forget the responses to these cache keys, and see to it that none which is on its way is stored.

        If the store fails, that is made up for as soon as it answers; until then nothing is found here.
        """
        for key in keys:
            known = self._memo.forget(key)
            if known is not None:
                self._bodies.let_go(response.body for response in known.found.responses)
        await self._invalidator.send(Debt(keys=set(keys)))

    async def purge(self, tags: Iterable[str]) -> None:
        """Forget all responses that have one of these tags, those included that are on their way.

        If the store fails, it is as with `invalidate`.
        """
        now = self._link.clock()
        await self._invalidator.send(Debt(marks={self._link.spelling.tag(tag): now for tag in tags}))

    async def clear(self) -> None:
        """Forget everything in this namespace, whatever there is. If the store fails, it is as with `invalidate`."""
        self._memo.clear()
        await self._invalidator.send(Debt(marks={self._link.spelling.everything: self._link.clock()}))

    # --- bodies -------------------------------------------------------------------------------------------------------

    def begin_body(self, ttl: float) -> BodyWriter:
        """Begin to write a body.

        Args:
            ttl: seconds for which it is of use, once it is written.
        """
        return BodyWriter(self._bodies, min(ttl + self._retention, MARK_TTL) + TOMBSTONE_TTL)

    def let_go(self, body: Body) -> None:
        """Delete a body that was written, and that no response will be stored with."""
        self._bodies.let_go([body])

    def read(self, body: Body, first: int = 0, last: int | None = None) -> AsyncGenerator[bytes, None]:
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
