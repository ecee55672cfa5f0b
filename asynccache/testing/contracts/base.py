"""What all contracts stand on: a store to be opened, keys of a test's own, and waiting for what takes time.

Time is the test's own clock, if the store takes one; else it is real, and asked for again and again.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import pytest

from asynccache.errors import StoreError
from asynccache.stores.contract import Store
from asynccache.testing.clock import ManualClock

STEP: Final = 0.02
"""Seconds between two questions."""


class StoreTests:
    """A store that is made for each test, and closed after it.

    Attributes:
        clock: what the store tells the time by, if it takes a clock; None if its time is real.
        shortest_ttl: seconds; a time to live that does not make tests slow, and that the store keeps exactly.
        patience: seconds in which everything has to happen that happens by itself.
    """

    pytestmark = pytest.mark.asyncio

    clock: ManualClock | None = None
    shortest_ttl: float = 1.0
    patience: float = 10.0

    async def make_store(self) -> Store:
        """Make a store. Those made in one test keep the same items. To be given by a subclass.

        A store with a time limit should get a generous one: the limit is not what these tests are about.
        """
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def keys_of_its_own(self) -> None:
        """Give the test a beginning of keys that no other test has used, as some engines are never emptied."""
        self.prefix = b"contract:%b:" % uuid.uuid4().hex.encode()

    def key(self, name: object = "a") -> bytes:
        """Give a key of this test's."""
        return self.prefix + (name if isinstance(name, bytes) else str(name).encode())

    def keys(self, count: int) -> list[bytes]:
        """Give several."""
        return [self.key(number) for number in range(count)]

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncGenerator[Store, None]:
        """Make a store, and close it."""
        store = await self.make_store()
        try:
            yield store
        finally:
            await store.aclose()

    def now(self) -> float:
        """Tell the store's time, in seconds."""
        return asyncio.get_running_loop().time() if self.clock is None else self.clock()

    async def wait_until(self, holds: Callable[[], Awaitable[bool]], *, within: float = 0.0) -> None:
        """Ask until it holds; give up `within` seconds and patience later."""
        deadline = self.now() + within + self.patience
        while not await holds():
            assert self.now() < deadline, "this should have happened long ago"
            await asyncio.sleep(STEP if self.clock is None else 0)
            if self.clock is not None:
                self.clock.advance(STEP)

    async def refuses(self, call: Awaitable[object]) -> None:
        """Check that a call raises `StoreError`."""
        with pytest.raises(StoreError):
            await call


async def value_of(store: Store, key: bytes) -> bytes | None:
    """Read one value; None if there is none."""
    return (await store.get_many([key])).get(key)
