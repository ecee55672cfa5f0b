"""What still has to reach the store: invalidations that could not be sent, and values that are written behind.

Decides what a reader of this process sees meanwhile: what waits here, not what the store still has. What has to be sent
is never dropped one by one: if there is too much of it, the whole cache is invalidated instead, which is one record.
What is written behind may be dropped, and is counted.
"""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from asynccache.errors import StoreError
from asynccache.protocols import Clock, SupportsTimers, TimerHandle
from asynccache.serializers.envelope import stamp
from asynccache.stores.contract import Item, Store
from asynccache.sweeper import start_timer

_log: Final = logging.getLogger("asynccache")

MOST_OWED: Final = 10_000
"""Invalidations that are kept one by one."""

MOST_BEHIND: Final = 10_000
"""Values that wait to be written behind."""

_PATIENCE: Final = 0.1
"""Seconds after a failure in which a store that answers others is not tried again for that."""

_AT_ONCE: Final = 256
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0


class Late(NamedTuple):
    """A value that is written behind.

    Attributes:
        item: what is stored.
        expected: how what is there has to begin; None if nothing may be there.
        until: the moment after which it is not written any more, in seconds since 1970: what was deleted since it was
            loaded may be forgotten by then.
        doubts: how often the news had been lost when it was added.
    """

    item: Item
    expected: bytes | None
    until: float
    doubts: int


StoreUnlessChanged: TypeAlias = Callable[[bytes, Item, bytes | None], Awaitable[bool]]
"""Stores an item under a key if what is there begins as it did."""


class Outbox:
    """What waits to be sent to the store. Used from several loops; it sends on the loop that was the last to add.

    Args:
        store: where to.
        clock: what the pauses between attempts are timed by.
        overflow: gives what replaces all invalidations if there are too many of them.
        store_unless_changed: writes what is written behind.
        wall: tells the time in seconds since 1970.
        renewed: gives what is sent in the place of an invalidation, each time that it is sent.

    Attributes:
        owed: invalidations by key.
        behind: values to be written, by key.
        dropped: values that were not written, as there were too many, or the store was away.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock | SupportsTimers,
        overflow: Callable[[], Mapping[bytes, Item]],
        store_unless_changed: StoreUnlessChanged,
        wall: Clock,
        renewed: Callable[[bytes, Item], Item] = lambda _key, item: item,
    ) -> None:
        self._store = store
        self._clock = clock
        self._overflow = overflow
        self._store_unless_changed = store_unless_changed
        self.owed: dict[bytes, Item] = {}
        self.behind: dict[bytes, Late] = {}
        self.dropped = 0
        self._wall = wall
        self._renewed = renewed
        self._doubts = 0
        self._failed_at = 0.0
        self._passed_by: Counter[bytes] = Counter()
        self._pause = _FIRST_PAUSE
        self._lock = threading.Lock()
        self._timer: TimerHandle | None = None
        self._timer_loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_in_use(self) -> bool:
        """Whether anything waits."""
        return bool(self.owed or self.behind)

    async def ask(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Read from the store while something waits: a reader of this process finds it there already.

        What waited when the request was sent counts as well: it may arrive after that, and before the reply.

        Raises:
            StoreError: as the store says.
        """
        before = self.laid_over({}, keys)
        return {**await self._store.get_many(keys), **before}

    def laid_over(self, replies: dict[bytes, bytes], keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Put what waits to be sent in the place of what the store still has, for readers of this process."""
        if not self.is_in_use:
            return replies
        if self._timer is not None and self._clock() - self._failed_at >= _PATIENCE:
            self.wake()  # as it has just answered
        waiting = {key: self._waiting(key) for key in keys}
        return {**replies, **{key: value for key, value in waiting.items() if value is not None}}

    def _waiting(self, key: bytes) -> bytes | None:
        item = self.owed.get(key)
        if item is None:
            late = self.behind.get(key)
            return None if late is None or late.doubts != self._doubts else late.item.value
        return item.value

    def owe(self, items: Mapping[bytes, Item]) -> None:
        """Keep invalidations that could not be sent."""
        with self._lock:
            for key in items:
                self.behind.pop(key, None)
            self.owed.update(items)
            if len(self.owed) > MOST_OWED:
                self.owed = dict(self._overflow())
        self._send_later(self._pause)

    def write_behind(self, key: bytes, item: Item, expected: bytes | None, until: float) -> None:
        """Write a value in the background; dropped if too many wait.

        Args:
            key: where.
            item: what is stored.
            expected: how what is there has to begin; None if nothing may be there.
            until: the moment after which it is not written any more, in seconds since 1970.
        """
        with self._lock:
            before = self.behind.get(key)
            if before is None and len(self.behind) >= MOST_BEHIND:
                self.dropped += 1
                return
            self.behind[key] = Late(item, expected if before is None else before.expected, until, self._doubts)
        if not self._is_sending():
            self._send_later(0.0)

    @contextlib.contextmanager
    def replacing(self, keys: Sequence[bytes]) -> Generator[None]:
        """Send no invalidation of these keys while something newer is on its way to the store; once that is there, what
        waited before it is forgotten. What is owed meanwhile is newer still, and stays.
        """
        with self._lock:
            self._passed_by.update(keys)
            before = {key: self._item(key) for key in keys}
        try:
            yield
            with self._lock:
                for key, item in before.items():
                    if item is not None and self._item(key) is item:
                        self.owed.pop(key, None)
                        self.behind.pop(key, None)
        finally:
            with self._lock:
                self._passed_by.subtract(keys)
                self._passed_by += Counter()  # what is not counted any more goes

    def _item(self, key: bytes) -> Item | None:
        late = self.behind.get(key)
        return self.owed.get(key) or (None if late is None else late.item)

    def hear(self, keys: Iterable[bytes] | None) -> None:
        """Note news of keys: what waits may not be the newest any more; None: of any.

        It is not given to readers then. It is sent all the same: the store takes it if the news were of our own doing.
        """
        with self._lock:
            if keys is None:
                self._doubts += 1
            elif self.behind:
                for key in keys:
                    if key in self.behind:
                        self.behind[key] = self.behind[key]._replace(doubts=-1)

    def wake(self) -> None:
        """Try again at once: the store is said to be there."""
        self._pause = _FIRST_PAUSE
        if self.is_in_use:
            self._send_later(0.0)

    async def drain(self) -> None:
        """Send all that waits before the end; what cannot be sent is dropped."""
        self._stop_timer()
        task = self._task
        if task is not None and task.get_loop() is asyncio.get_running_loop() and not task.done():
            await asyncio.wait([task])
            self._stop_timer()
        while self._has_work() and await self._send():
            pass
        self._stop_timer()
        if self.owed:
            _log.warning("%d invalidations could not be sent before the end: others may see old values", len(self.owed))
        self.dropped += len(self.behind)
        self.behind.clear()

    def _is_sending(self) -> bool:
        task = self._task
        return task is not None and not task.done() and not task.get_loop().is_closed()

    def _stop_timer(self) -> None:
        """Take back a timer of this loop; those of others go off in vain."""
        if self._timer is not None and self._timer_loop is asyncio.get_running_loop():
            self._timer.cancel()
        self._timer = None

    def _send_later(self, delay: float) -> None:
        if self._is_sending():
            return  # that task sees to it
        self._stop_timer()
        loop = asyncio.get_running_loop()
        if delay:
            self._timer_loop = loop
            self._timer = start_timer(self._clock, loop, delay, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._timer = None
        if not self._is_sending():
            self._task = _unnoticed(self._run())

    async def _run(self) -> None:
        """Send until nothing is left, or the store is away."""
        is_done = True
        while is_done and self._has_work():
            is_done = await self._send()
        self._task = None
        if not is_done:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._send_later(self._pause)

    def _has_work(self) -> bool:
        with self._lock:
            return bool(self.behind) or any(key not in self._passed_by for key in self.owed)

    async def _send(self) -> bool:
        """Send some of it; tell whether that went well."""
        try:
            with self._lock:
                waiting = [one for one in self.owed.items() if one[0] not in self._passed_by]
                # A record is made anew each time: sent again, the old one would undo what others did since.
                owed = {key: self._renewed(key, item) for key, item in waiting[:_AT_ONCE]}
                self.owed.update(owed)
                behind = list(self.behind.items())[:_AT_ONCE]
            if owed:
                await self._store.set_many(owed)
            with self._lock:
                for key, item in owed.items():
                    if self.owed.get(key) is item:
                        del self.owed[key]
            sending = [_unnoticed(self._send_late(*one)) for one in behind]
            outcomes = await asyncio.gather(*sending, return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        except StoreError:
            self._failed_at = self._clock()
            return False
        self._pause = _FIRST_PAUSE
        return True

    async def _send_late(self, key: bytes, late: Late) -> None:
        if self._wall() >= late.until:
            is_stored = False
            self.dropped += 1
        else:
            is_stored = await self._store_unless_changed(key, late.item, late.expected)
        with self._lock:
            newer = self.behind.get(key)
            if newer is not None and (newer.item is late.item or not is_stored):
                del self.behind[key]
            elif newer is not None:
                self.behind[key] = newer._replace(expected=stamp(late.item.value))


def _unnoticed(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a task that nobody is told of if its loop is closed by hand, and that keeps no caller's context alive."""
    task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    return task
