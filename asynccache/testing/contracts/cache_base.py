"""What the contracts of caches stand on: caches to be opened, a source that can be held up, and time that leaps.

Time goes on by itself, as real engines cannot be told to wait; where a test needs more of it, it leaps. So nothing is
waited for but what other machines have to do.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, TypeVar

import pytest

from asynccache.cache.cache import Cache, works_of
from asynccache.cache.engine import Engine
from asynccache.stores.contract import Store, SupportsFeed

T = TypeVar("T")

STEP: Final = 0.01
"""Seconds between two questions."""

LEAP: Final = 0.25
"""Seconds that the time of caches leaps between two questions: what is kept in process for a second is soon gone."""


class LeapingClock:
    """Real time, and as much more as was leapt over."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        return time.monotonic() + self._ahead

    def leap(self, by: float) -> None:
        """Let `by` seconds be over."""
        self._ahead += by


class Source:
    """Where loads come from.

    Args:
        value: what it gives; each load has that of the moment at which it began.
        is_held: whether loads wait until `go_on` is set.

    Attributes:
        value: what it gives.
        error: what it raises instead, if anything.
        loads: how many there were.
        begun: set when one begins.
        go_on: loads wait for that.
    """

    def __init__(self, value: Any = "value", *, is_held: bool = False) -> None:
        self.value = value
        self.error: BaseException | None = None
        self.loads = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        if not is_held:
            self.go_on.set()

    async def __call__(self) -> Any:
        """Load."""
        self.loads += 1
        value = self.value
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return value


class CacheTests:
    """Caches that are made for each test, and closed after it.

    Attributes:
        patience: seconds in which everything has to happen that happens by itself.
    """

    pytestmark = pytest.mark.asyncio

    patience: float = 10.0

    async def make_cache(self, **options: Any) -> Cache:
        """Make a cache with these options, and those of its own. To be given by a subclass.

        Args:
            options: what a test needs. They are to be passed on to `Cache`, the clock among them.
        """
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def time_and_place_of_its_own(self) -> None:
        """Give the test a clock, and a namespace that no other test has used, as some engines are never emptied."""
        self.clock = LeapingClock()
        self.namespace = f"contract-{uuid.uuid4().hex}"

    def options_of_all(self) -> dict[str, Any]:
        """Give what all caches of a test are made with."""
        return {"clock": self.clock}

    @contextlib.asynccontextmanager
    async def opened(self, **options: Any) -> AsyncGenerator[Cache, None]:
        """Make a cache that hears of changes, if its store tells of them, and close it.

        Before that, a cache of many cannot know whether what it is loading has changed, and may load it twice.
        """
        async with await self.make_cache(**{**self.options_of_all(), **options}) as cache:
            if listens(cache):

                async def hears() -> bool:
                    shared = cache.stats().shared
                    return shared is not None and shared.is_coherent

                await self.eventually(hears, leap=0)
            yield cache

    async def soon(self, awaitable: Awaitable[T]) -> T:
        """Wait for what has to happen by itself."""
        async with asyncio.timeout(self.patience):
            return await awaitable

    async def eventually(self, holds: Callable[[], Awaitable[bool]], *, leap: float = LEAP) -> None:
        """Ask until it holds. The time of caches leaps meanwhile: leave values enough of it."""
        deadline = time.monotonic() + self.patience
        while not await holds():
            assert time.monotonic() < deadline, "this should have happened long ago"
            await asyncio.sleep(STEP)
            self.clock.leap(leap)

    async def leap(self, cache: Cache, by: float) -> None:
        """Let `by` seconds be over, for a cache of which all that it has to write has been written."""

        async def is_written() -> bool:
            shared = cache.stats().shared
            return shared is None or shared.behind == 0

        await self.eventually(is_written)
        self.clock.leap(by)

    async def comes_to(self, cache: Cache, key: Any, value: Any) -> None:
        """Wait until a cache gives this value."""

        async def is_given() -> bool:
            return bool(await cache.get(key) == value)

        await self.eventually(is_given)

    async def is_dropped(self, cache: Cache, *keys: Any) -> None:
        """Wait until a cache has no values of these keys."""

        async def are_gone() -> bool:
            return await cache.get_many(keys) == {}

        await self.eventually(are_gone)


def listens(cache: Cache) -> bool:
    """Tell whether a cache listens for changes: if there may be something in process that they are about."""
    works, _, _ = works_of(cache)
    return (
        works.options.stores and works.shared_options.local_seconds != 0 and isinstance(_store_of(works), SupportsFeed)
    )


def _store_of(works: Engine) -> Store | None:
    return None if works.shared is None else works.shared._link.store  # pyright: ignore[reportPrivateUsage]  # one house


async def turns(count: int = 20) -> None:
    """Let the others go on for a while."""
    for _ in range(count):
        await asyncio.sleep(0)
