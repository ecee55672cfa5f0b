"""Reading the records of tags and scopes: which generation is the newest."""

from collections.abc import Sequence
from typing import Final

from asynccache.serializers.envelope import Kind
from asynccache.serializers.proofs import Unopenable
from asynccache.shared.link import Link
from asynccache.shared.records import Generation

_MOST: Final = 1_000
"""Records whose bytes are remembered together with what they say."""


class GenerationReader:
    """Reads generations.

    Args:
        link: the way to the store.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._opened: dict[tuple[bytes, bytes], Generation] = {}

    async def read(self, records: Sequence[bytes], since: int) -> dict[bytes, Generation | None]:
        """Give the generations of records, None for one that is missing.

        Args:
            records: their keys.
            since: the moment before, by `Changes`.

        Raises:
            StoreError: they cannot be read.
        """
        versions = self._link.records.known_of(records)
        unknown = [record for record, generation in versions.items() if generation is None]
        if unknown:
            replies = self._link.outbox.laid_over(await self._link.outbox.ask(unknown), unknown)
            self.learn(unknown, replies, versions, since)
        return versions

    def learn(
        self,
        records: Sequence[bytes],
        replies: dict[bytes, bytes],
        versions: dict[bytes, Generation | None],
        since: int,
    ) -> None:
        """Note in `versions` what the store's replies say of records."""
        is_live = self._link.records.is_live()
        for record in records:
            versions[record] = generation = self.newest(record, replies)
            if is_live and generation is not None:
                self._link.records.learn(record, generation, since)

    def newest(self, record: bytes, replies: dict[bytes, bytes]) -> Generation | None:
        """Give what the store's replies say of a record; None if it is missing."""
        data = replies.get(record)
        return None if data is None else self._opened.get((record, data)) or self._open(record, data)

    def _open(self, record: bytes, data: bytes) -> Generation | None:
        try:
            envelope = self._link.sealer.open(record, data)
        except Unopenable as error:
            self._link.counts.unreadable[error.reason] += 1
            return None
        if envelope.kind is not Kind.GENERATION:
            return None
        if len(self._opened) >= _MOST:
            self._opened.clear()
        # The same bytes come with each read, where nobody tells of changes.
        generation = self._opened[record, data] = Generation(envelope.version, envelope.created)
        return generation
