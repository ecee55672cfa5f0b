"""Writing a record in the place of the one that was read before.

Decides what may take whose place. Of two who write at the same time one is refused, and tries again with what the other
has written; who was overtaken by an invalidation writes nothing.
"""

import enum
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from asynccache.errors import StoreError
from asynccache.http.kept.invalidating import TOMBSTONE_TTL
from asynccache.http.kept.memo import Variants
from asynccache.http.kept.purges import Mark, Marks, living
from asynccache.http.kept.records import UNKNOWN, Kept, Record, encoded, tags_of
from asynccache.http.kept.store_link import StoreLink
from asynccache.http.kept.stored import ChunkedBody, StoredResponse
from asynccache.locks.turns import Turns
from asynccache.serializers.envelope import stamp
from asynccache.serializers.typed_json import Unencodable
from asynccache.stores.contract import Item

_TRIES: Final = 5

_PATIENCE: Final = 1.0
"""Seconds for which others are waited for who change the same key; then it is tried all the same."""

Change: TypeAlias = Callable[[Sequence[Kept]], list[Kept] | None]
"""Makes the responses of a key of those that there are, the newest first; None if that cannot be."""


class Outcome(enum.Enum):
    """What became of a change."""

    DONE = enum.auto()
    OVERTAKEN = enum.auto()
    """Something newer was said meanwhile, and nothing was written."""
    FAILED = enum.auto()
    """It is not known whether it was done."""


class Wish(NamedTuple):
    """What is to be done.

    Attributes:
        key: where, in the store.
        found: what was there before.
        new: a response that comes with it; None if none does.
        change: makes the new list of responses.
    """

    key: bytes
    found: Variants
    new: StoredResponse | None
    change: Change


class Keeper:
    """Writes records.

    Args:
        link: the way to the store.
        marks: reads and makes those.
        let_go: told of responses' bodies that no record names any more.
    """

    def __init__(self, link: StoreLink, marks: Marks, let_go: Callable[[list[ChunkedBody]], None]) -> None:
        self._link = link
        self._marks = marks
        self._let_go = let_go
        self._turns = Turns()

    async def change(self, wish: Wish) -> Outcome:
        """Write what is made of the responses to a key, unless something newer was said since they were found.

        Those on one loop who change the same key do so one after the other.
        """
        has_turn = await self._turns.take(wish.key, _PATIENCE, time.monotonic)
        try:
            return await self._change(wish)
        finally:
            if has_turn:
                self._turns.pass_on(wish.key)

    async def _change(self, wish: Wish) -> Outcome:
        counts = self._link.counts
        try:
            for _ in range(_TRIES):
                is_done = await self._try(wish)
                if is_done is not None:
                    counts.overtaken += not is_done
                    return Outcome.DONE if is_done else Outcome.OVERTAKEN
        except StoreError as error:
            counts.note_error(error)
            return Outcome.FAILED
        except Unencodable:
            counts.too_large += 1
        else:
            counts.overtaken += 1
        return Outcome.OVERTAKEN

    async def _try(self, wish: Wish) -> bool | None:
        """Read, change and write once; None if somebody else wrote meanwhile."""
        spelling = self._link.spelling
        needed = [spelling.everything, *(map(spelling.tag, wish.new.tags) if wish.new is not None else ())]
        reply = await self._link.store.get_many([wish.key, *needed])
        data = reply.get(wish.key)
        record = self._link.record(wish.key, data)
        if record is None:
            if data is not None and wish.found.stamp != stamp(data):  # it may have been a tombstone
                return False
            record = Record(b"", UNKNOWN)
        if record.generation != wish.found.generation:
            return False
        marks = await self._marks_of(reply, needed, record)
        if wish.new is not None and _is_purged([(key, marks[key]) for key in needed], wish.found, wish.new):
            return False
        kept = wish.change(living(self._link, record, marks))
        return False if kept is None else await self._write(wish.key, data, record, kept, marks)

    async def _marks_of(
        self, reply: Mapping[bytes, bytes], needed: Sequence[bytes], record: Record
    ) -> dict[bytes, Mark | None]:
        """Give the marks that a new response needs, made if they are missing, and those that others depend on."""
        others = [key for key in record.versions if key not in needed]
        if others:
            reply = {**reply, **await self._link.store.get_many(others)}
        marks = {key: self._marks.read(key, reply.get(key)) for key in (*needed, *others)}
        for key in needed:
            if marks[key] is None:
                marks[key] = await self._marks.make(key, reply.get(key))
        return marks

    async def _write(
        self, key: bytes, data: bytes | None, record: Record, kept: list[Kept], marks: Mapping[bytes, Mark | None]
    ) -> bool | None:
        link = self._link
        now, conditions = link.clock(), link.conditions
        needed = [link.spelling.everything, *map(link.spelling.tag, tags_of(one.response for one in kept))]
        versions = {each: mark.version for each in needed if (mark := marks[each]) is not None}
        new = encoded(link.sealer, key, now, record.generation, kept, versions)
        left = max((one.until - now for one in kept), default=0.0)
        # A record stands for the tombstone that it took the place of, and is there for as long.
        item = Item(new, left if kept and record.generation == UNKNOWN else max(left, TOMBSTONE_TTL))
        if conditions is None:
            await link.store.set_many({key: item})
        elif data is None:
            if not await conditions.add(key, item):
                return None
        elif not await conditions.compare_and_set(key, stamp(data), item):
            return None
        named = {body.id for body in _chunked(kept)}
        self._let_go([body for body in _chunked(record.kept) if body.id not in named])
        return True


def _is_purged(marks: Sequence[tuple[bytes, Mark | None]], found: Variants, new: StoredResponse) -> bool:
    """Tell whether something that a response depends on was purged after it was asked for."""
    return any(mark is None or mark.overtakes(found.marks.get(key), new.request_time) for key, mark in marks)


def _chunked(kept: Sequence[Kept]) -> list[ChunkedBody]:
    return [one.response.body for one in kept if isinstance(one.response.body, ChunkedBody)]
