"""What tests of bodies are made of: a store that can be made to fail, and pieces that are small."""

import asyncio
from typing import Final

from asynccache.http.kept.bodies import Bodies, BodyLimits, BodyWriter
from asynccache.http.kept.spelling import Spelling
from asynccache.http.kept.store_counts import StoreCounts
from asynccache.http.kept.store_link import StoreLink
from asynccache.http.kept.stored import Body
from asynccache.serializers.envelope import Sealer
from asynccache.stores import MemoryStore, Store
from asynccache.testing import Chaos, ManualClock

LIMITS: Final = BodyLimits(inline=4, piece=10, most=100)
TEXT: Final = bytes(range(33))


class Place:
    """A store in memory that can be made to fail, and the bodies in it."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = ManualClock(1_000.0)
        self.inside = store or MemoryStore(clock=self.clock)
        self.store = Chaos(self.inside)
        self.counts = StoreCounts("test")
        self.bodies = Bodies(
            StoreLink(
                store=self.store, sealer=Sealer(), spelling=Spelling("test"), clock=self.clock, counts=self.counts
            ),
            LIMITS,
        )

    async def keys(self) -> list[bytes]:
        """All keys in the store."""
        assert isinstance(self.inside, MemoryStore)
        return sorted([key async for some in self.inside.scan(b"") for key in some])

    async def write(self, *chunks: bytes) -> Body:
        """Write a body in these chunks."""
        writer = BodyWriter(self.bodies, 60.0)
        for chunk in chunks:
            assert await writer.write(chunk)
        body = await writer.finish()
        assert body is not None
        return body

    async def read(self, body: Body, first: int = 0, last: int | None = None) -> bytes:
        """Read a body, or a part of it."""
        return b"".join([piece async for piece in self.bodies.read(body, first, last)])


async def turns() -> None:
    """Let everything happen that needs nothing from outside."""
    for _ in range(10):
        await asyncio.sleep(0)
