"""What a store promises that tells what it keeps: all that begins so, and nothing else."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Protocol

import pytest

from asynccache.stores.contract import Item, Store, SupportsScan
from asynccache.testing.contracts.store import ODD, StoreContract


class TellingStore(Store, SupportsScan, Protocol):
    """A store that tells its keys."""


class ScanContract(StoreContract):
    """The promises of `SupportsScan`, and those of every store."""

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncGenerator[TellingStore, None]:
        """Make a store, and close it."""
        async with self.opened() as store:
            assert isinstance(store, SupportsScan)
            yield store

    async def test_a_scan_gives_what_begins_so(self) -> None:
        """All keys with the prefix come, and no other."""
        inside = {self.key(f"in:{number}") for number in range(5)}
        outside = {self.key("in"), self.key("out:1"), self.key("iN:1")}
        async with self.telling() as store:
            await store.set_many({key: Item(b"x") for key in inside | outside})

            assert await scanned(store, self.key("in:")) == inside
            assert await scanned(store, self.key("none:")) == set()
            assert inside | outside <= await scanned(store, b"")

    async def test_a_scan_of_a_thousand_keys(self) -> None:
        """A scan is complete, however many keys there are."""
        keys = set(self.keys(1_000))
        async with self.telling() as store:
            await store.set_many({key: Item(b"x") for key in keys})

            assert await scanned(store, self.prefix) == keys

    @pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
    async def test_a_prefix_is_no_pattern(self, odd: bytes) -> None:
        """A prefix is bytes: what means something in a pattern does not here."""
        inside = {self.key(odd + b"1"), self.key(odd + b"\xff\xff"), self.key(odd + b"\0")}
        async with self.telling() as store:
            await store.set_many({key: Item(b"x") for key in inside})
            await store.set_many({self.key(b"zzz"): Item(b"x"), self.key(b"\xff\xff\xff\xff"): Item(b"x")})

            found = await scanned(store, self.key(odd))

            assert found == (inside if odd else {*inside, self.key(b"zzz"), self.key(b"\xff\xff\xff\xff")})

    async def test_a_scan_leaves_out_what_is_gone(self) -> None:
        """What was deleted or has expired is not told."""
        kept, deleted, short = self.keys(3)
        async with self.telling() as store:
            await store.set_many({kept: Item(b"x", 60), deleted: Item(b"x"), short: Item(b"x", self.shortest_ttl)})
            await store.delete_many([deleted])
            await self.gone_after(store, short, self.shortest_ttl)

            assert await scanned(store, self.prefix) == {kept}

    async def test_a_scan_may_be_left(self) -> None:
        """A scan that nobody follows to its end harms nothing."""
        keys = self.keys(1_000)
        async with self.telling() as store:
            await store.set_many({key: Item(b"x") for key in keys})
            steps = store.scan(self.prefix)
            assert set(await anext(steps)) <= set(keys)
            if hasattr(steps, "aclose"):
                await steps.aclose()  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]

            assert await store.delete_many(keys) == 1_000
            assert await scanned(store, self.prefix) == set()

    async def test_a_closed_store_tells_nothing(self) -> None:
        """A scan of a closed store raises `StoreError`, and never says that there is nothing."""
        async with self.telling() as store:
            await store.aclose()
            await self.refuses(scanned(store, self.prefix))


async def scanned(store: SupportsScan, prefix: bytes) -> set[bytes]:
    """Give all keys of a scan."""
    return {key async for keys in store.scan(prefix) for key in keys}
