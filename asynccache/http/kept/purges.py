"""Marks: what makes many responses invalid at once, by tag or all together.

Decides how a purge works. A mark is a record of the store with a random version; a response notes the versions of its
tags' marks, and of the mark of everything, and is good as long as these are there unchanged. So a purge writes one
key, however many responses there are, and a mark that is lost costs misses, never an old response. A response that is
on its way while its tag is purged is known by the time at which it was asked for.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from asynccache.http.kept.records import Kept, Record
from asynccache.http.kept.store_link import StoreLink
from asynccache.serializers.envelope import Envelope, Kind, new_version
from asynccache.serializers.proofs import Unopenable
from asynccache.stores.contract import Item

MARK_TTL: Final = 30 * 86_400.0
"""Seconds that the mark of a tag is kept; responses that depend on it are not kept longer either."""

NEVER: Final = -1.0
"""When that was purged which never was."""

_MOST: Final = 4_096
"""Marks whose bytes are remembered together with what they say."""


class Mark(NamedTuple):
    """What a mark says.

    Attributes:
        version: what tells it from every other.
        purged: when it was made, if a purge has made it, in seconds of wall time; else `NEVER`.
    """

    version: bytes
    purged: float

    def overtakes(self, before: bytes | None, asked: float) -> bool:
        """Tell whether there was a purge after a response was asked for.

        Args:
            before: the version at that moment, None if it is not known.
            asked: when that was, in seconds of wall time.
        """
        return self.purged >= asked if before is None else self.version != before


class Marks:
    """Reads and writes marks.

    Args:
        link: the way to the store.
    """

    def __init__(self, link: StoreLink) -> None:
        self._link = link
        self._opened: dict[tuple[bytes, bytes], Mark] = {}

    def read(self, key: bytes, data: bytes | None) -> Mark | None:
        """Give what bytes of the store say; None if there are none, or none to be believed."""
        return None if data is None else self._opened.get((key, data)) or self._open(key, data)

    async def make(self, key: bytes, data: bytes | None) -> Mark:
        """Give a mark that is missing, and make it unless somebody else does so just now.

        Args:
            key: where.
            data: what lies there that is not believed.

        Raises:
            StoreError: it cannot be made.
        """
        item = self._item(key, NEVER if data is None else self._link.clock())
        if self._link.conditions is None or data is not None:
            # Of what cannot be read it is not known when it was purged: all that is on its way is overtaken.
            await self._link.store.set_many({key: item})
        elif not await self._link.conditions.add(key, item):
            there = (await self._link.store.get_many([key])).get(key)
            return self.read(key, there) or Mark(new_version(), self._link.clock())
        return self._open(key, item.value) or Mark(new_version(), self._link.clock())

    async def purge(self, times: Mapping[bytes, float]) -> None:
        """Make invalid all that depends on these marks.

        Args:
            times: the keys of marks, each with the moment of its purge. A mark never goes back to an earlier one.

        Raises:
            StoreError: some may not be written.
        """
        there = await self._link.store.get_many(list(times))
        items: dict[bytes, Item] = {}
        for key, time in times.items():
            mark = self.read(key, there.get(key))
            items[key] = self._item(key, time if mark is None else max(time, mark.purged))
        await self._link.store.set_many(items)

    def _item(self, key: bytes, purged: float) -> Item:
        data = self._link.sealer.seal(key, Envelope(Kind.GENERATION, new_version(), purged))
        return Item(data, None if key == self._link.spelling.everything else MARK_TTL)

    def _open(self, key: bytes, data: bytes) -> Mark | None:
        try:
            envelope = self._link.sealer.open(key, data)
            if envelope.kind is not Kind.GENERATION:
                raise Unopenable("parts")
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
            return None
        if len(self._opened) >= _MOST:
            self._opened.clear()
        mark = self._opened[key, data] = Mark(envelope.version, envelope.created)
        return mark


def living(link: StoreLink, record: Record, marks: Mapping[bytes, Mark | None]) -> list[Kept]:
    """Give the responses of a record whose time is not over, and that nothing has made invalid.

    Args:
        link: the way to the store.
        record: what lies under a cache key.
        marks: all that it depends on.
    """
    now, spelling, versions = link.clock(), link.spelling, record.versions
    if not record.kept or not _are_unchanged(marks, [spelling.everything], versions):
        return []
    return [
        kept
        for kept in record.kept
        if kept.until > now and _are_unchanged(marks, map(spelling.tag, kept.response.tags), versions)
    ]


def _are_unchanged(marks: Mapping[bytes, Mark | None], keys: Iterable[bytes], versions: Mapping[bytes, bytes]) -> bool:
    """Tell whether marks still have the versions that are noted of them; one that is missing has not."""
    for key in keys:
        mark = marks.get(key)
        if mark is None or mark.version != versions.get(key):
            return False
    return True
