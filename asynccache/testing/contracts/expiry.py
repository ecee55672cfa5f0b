"""What a time to live means: not gone before, gone soon after, and none is left over from what was there before."""

from asynccache.stores.contract import Item, Store
from asynccache.testing.contracts.base import StoreTests, value_of

_MARGIN = 0.02
"""Seconds that two clocks may differ by."""


class ExpiryTests(StoreTests):
    """Promises about time."""

    async def gone_after(self, store: Store, key: bytes, ttl: float) -> None:
        """Wait until nothing is kept under a key."""

        async def is_gone() -> bool:
            return await value_of(store, key) is None

        await self.wait_until(is_gone, within=ttl)

    async def test_an_item_is_gone_after_its_time(self) -> None:
        """What has a ttl is there for all of it, and soon gone after it."""
        ttl = self.shortest_ttl
        async with self.opened() as store:
            begin = self.now()
            await store.set_many({self.key(): Item(b"short", ttl)})
            assert await value_of(store, self.key()) == b"short"

            await self.gone_after(store, self.key(), ttl)

            assert self.now() >= begin + ttl - _MARGIN

    async def test_a_longer_time_replaces_a_shorter(self) -> None:
        """What is written again has the time of that writing, be it longer or without end."""
        names = ("short", "longer", "endless")
        short, longer, endless = (self.key(name) for name in names)
        ttl = self.shortest_ttl
        async with self.opened() as store:
            await store.set_many({key: Item(b"first", ttl) for key in (short, longer, endless)})
            await store.set_many({longer: Item(b"second", ttl + 3_600), endless: Item(b"second")})

            await self.gone_after(store, short, ttl)

            assert await store.get_many([longer, endless]) == {longer: b"second", endless: b"second"}

    async def test_a_shorter_time_replaces_a_longer(self) -> None:
        """What is written again with a ttl is gone after it, even if it had none before."""
        async with self.opened() as store:
            await store.set_many({self.key(1): Item(b"first"), self.key(2): Item(b"first", 3_600)})
            await store.set_many({key: Item(b"second", self.shortest_ttl) for key in (self.key(1), self.key(2))})

            for key in (self.key(1), self.key(2)):
                await self.gone_after(store, key, self.shortest_ttl)

    async def test_no_time_left_deletes(self) -> None:
        """A ttl of 0 or less keeps nothing, and takes away what was there."""
        zero, negative, new = self.key("zero"), self.key("negative"), self.key("new")
        async with self.opened() as store:
            await store.set_many({zero: Item(b"first"), negative: Item(b"first")})

            await store.set_many({zero: Item(b"x", 0), negative: Item(b"x", -1.5), new: Item(b"x", 0.0)})

            assert await store.get_many([zero, negative, new]) == {}

    async def test_long_times_are_kept(self) -> None:
        """A ttl of a year, or of a fraction of a second more than an hour, is none that has passed already."""
        times = (3_600.25, 31 * 86_400.0, 366 * 86_400.0)
        async with self.opened() as store:
            await store.set_many({self.key(time): Item(b"long", time) for time in times})

            assert len(await store.get_many([self.key(time) for time in times])) == len(times)
