"""A store that misbehaves when it is told to, or by chance: for tests of what a cache does about that.

Decides what can go wrong with a call: it is late, it fails before it is done, it is done and its reply is lost, or a
value comes back damaged. What the store inside can do, this one can do as well; what it cannot is not pretended.
"""

import asyncio
import random
import time
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from asynccache.errors import StoreTimeout, StoreUnavailable
from asynccache.protocols import Clock, SupportsTimers
from asynccache.stores.contract import (
    Item,
    OnChange,
    Store,
    SupportsConditions,
    SupportsCounters,
    SupportsFeed,
    SupportsScan,
)
from asynccache.sweeper import start_timer
from asynccache.testing.chaos_feed import ChaosFeed
from asynccache.testing.gates import Gates

T = TypeVar("T")

AFTER: Final = "after "
"""What the names of gates behind the store begin with."""

FEED: Final = "feed"


class Chaos:
    """Wraps a store, and does harm to calls.

    It passes `isinstance` for what the wrapped store can do, and closes that store when it is closed.

    Points to stop at have the names of calls: `"get_many"` is before the store inside is asked, `"after get_many"`
    after it has answered; `"feed"` holds back its news.

    Args:
        store: what to wrap.
        fail: the share of calls, 0 to 1, that raise. Half of these are not done, the others are done all the same.
        delay: the shortest and the longest time that a call takes longer, in seconds.
        corrupt: the share of values, 0 to 1, that are damaged when they are read.
        lose_feed: the share of calls, 0 to 1, at which feeds are lost; if they are lost, restored.
        without: capabilities that are not shown, such as `SupportsFeed`.
        seed: of chance.
        clock: what delays are told by, if it wakes its users as `ManualClock` does; else the loop's time.

    Attributes:
        down: while it is set, all calls raise `StoreUnavailable`, and nothing is done. Feeds are another matter: see
            `lose_feed`.
        loses_replies: while it is set, calls are done, and raise `StoreTimeout`.
        calls: how often each call was made, by name.
        keys: how many keys they were about, by name of the call.

    Raises:
        ValueError: a share is not between 0 and 1, or times of delay are negative or in the wrong order.
    """

    def __init__(
        self,
        store: Store,
        *,
        fail: float = 0.0,
        delay: tuple[float, float] = (0.0, 0.0),
        corrupt: float = 0.0,
        lose_feed: float = 0.0,
        without: Collection[type] = (),
        seed: int = 0,
        clock: Clock | SupportsTimers = time.monotonic,
    ) -> None:
        for name, share in (("fail", fail), ("corrupt", corrupt), ("lose_feed", lose_feed)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is the share of calls, from 0 to 1, not {share!r}")
        if not 0 <= delay[0] <= delay[1]:
            raise ValueError(f"delay is the shortest and the longest time in seconds, not {delay!r}")
        able = tuple(part for kind, part in _PARTS.items() if isinstance(store, kind) and kind not in without)
        cast("Any", self).__class__ = type(
            type(self).__name__, (type(self), *able), {"__module__": type(self).__module__}
        )
        self.down = False
        self.loses_replies = False
        self.calls: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self._store: Any = store
        self._shares = (fail, corrupt, lose_feed)
        self._delay = delay
        self._clock = clock
        self._chance = random.Random(seed)
        self._gates = Gates()
        self._feeds: weakref.WeakSet[ChaosFeed] = weakref.WeakSet()
        self._feed_is_lost = False

    def __repr__(self) -> str:
        return f"<Chaos around {self._store!r}>"

    # --- what tests tell it -------------------------------------------------------------------------------------------

    def hold(self, *points: str) -> None:
        """Stop calls that come to these points from now on, until `release`; at all points, if none is named."""
        self._gates.shut(points)
        if self._gates.is_shut(FEED):
            for feed in list(self._feeds):
                feed.hold()

    def release(self, *points: str) -> None:
        """Let calls go on that have stopped at these points, and stop none there any more; at all, if none is named."""
        self._gates.open(points)
        if not self._gates.is_shut(FEED):
            for feed in list(self._feeds):
                feed.release()

    async def held(self, point: str | None = None, *, count: int = 1) -> None:
        """Wait until at least so many calls have stopped at a point; at any, if none is named."""
        await self._gates.wait_for(point, count)

    def lose_feed(self) -> None:
        """Let feeds be live no more: they say so, and tell of no change until `restore_feed`."""
        self._feed_is_lost = True
        for feed in list(self._feeds):
            feed.lose()

    def restore_feed(self) -> None:
        """Let feeds be live again: they say that anything may have changed."""
        self._feed_is_lost = False
        for feed in list(self._feeds):
            feed.restore()

    # --- the contract -------------------------------------------------------------------------------------------------

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others."""
        found = cast("dict[bytes, bytes]", await self._pass("get_many", len(keys), lambda: self._store.get_many(keys)))
        return {key: self._damaged(value) for key, value in found.items()}

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        await self._pass("set_many", len(items), lambda: self._store.set_many(items))

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were."""
        count: int = await self._pass("delete_many", len(keys), lambda: self._store.delete_many(keys))
        return count

    async def aclose(self) -> None:
        """Close the store inside."""
        await self._store.aclose()

    # --- harm ---------------------------------------------------------------------------------------------------------

    async def _pass(self, name: str, keys: int, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, with whatever goes wrong."""
        fail, _, lose_feed = self._shares
        self.calls[name] += 1
        self.keys[name] += keys
        await self._gates.pass_through(name)
        await self._wait()
        if lose_feed and self._chance.random() < lose_feed:
            (self.restore_feed if self._feed_is_lost else self.lose_feed)()
        luck = self._chance.random()
        if self.down or luck < fail / 2:
            raise StoreUnavailable("made to fail: nothing was done")
        result = await call()
        await self._gates.pass_through(AFTER + name)
        if self._loses_reply() or luck < fail:
            raise StoreTimeout("made to fail: the reply is lost")
        return result

    def _loses_reply(self) -> bool:
        return self.down or self.loses_replies  # it may have gone down meanwhile

    async def _wait(self) -> None:
        if not self._delay[1]:
            return
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        timer = start_timer(self._clock, loop, self._chance.uniform(*self._delay), over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def _damaged(self, value: bytes) -> bytes:
        share = self._shares[1]
        if not share or self._chance.random() >= share:
            return value
        at = self._chance.randrange(len(value) + 1)
        other = bytes([self._chance.randrange(256)])
        damaged = self._chance.choice((value[:at], value + other, value[:at] + other + value[at + 1 :]))
        return damaged if damaged != value else value + other


class _Conditions:
    """What a wrapper can do around a store with conditions."""

    async def add(self: Any, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already."""
        done: bool = await self._pass("add", 1, lambda: self._store.add(key, item))
        return done

    async def compare_and_set(self: Any, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one that begins with `expected`."""
        done: bool = await self._pass("compare_and_set", 1, lambda: self._store.compare_and_set(key, expected, item))
        return done

    async def compare_and_delete(self: Any, key: bytes, expected: bytes) -> bool:
        """Delete an item that begins with `expected`."""
        done: bool = await self._pass("compare_and_delete", 1, lambda: self._store.compare_and_delete(key, expected))
        return done


class _Counters:
    """What a wrapper can do around a store that counts."""

    async def increment(self: Any, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter."""
        total: int = await self._pass("increment", 1, lambda: self._store.increment(key, ttl=ttl))
        return total


class _Scan:
    """What a wrapper can do around a store that tells what it keeps."""

    async def scan(self: Any, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """Give all keys that begin with `prefix`."""
        steps: AsyncIterator[list[bytes]] = aiter(self._store.scan(prefix))
        while keys := await self._pass("scan", 0, lambda: anext(steps, None)):
            yield keys


class _Feed:
    """What a wrapper can do around a store with a feed."""

    async def listen(self: Any, prefix: bytes, on_change: OnChange) -> ChaosFeed:
        """Listen for changes of keys that begin with `prefix`."""
        feed = ChaosFeed(on_change)
        inner = await self._pass("listen", 0, lambda: self._store.listen(prefix, feed.hear))
        feed.begin(inner, is_lost=self._feed_is_lost, is_held=self._gates.is_shut(FEED))
        self._feeds.add(feed)
        return feed


_PARTS: Final[dict[type, type]] = {
    SupportsConditions: _Conditions,
    SupportsCounters: _Counters,
    SupportsScan: _Scan,
    SupportsFeed: _Feed,
}
