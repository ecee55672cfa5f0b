"""Many callers, few requests: what is asked in one turn of the loop goes to the engine as one request.

Decides who waits for what, and for how long. A request is made by a task that no caller's cancellation reaches, so a
caller that goes away costs no connection and never leaves a reply for another to find. Nobody waits longer than the
store's time limit: it begins when the first caller of a batch asks. While an engine is known to be out of reach, nobody
waits at all.

Reads overtake one another; writes keep their order, and the next ones wait until those before them are done.
"""

import abc
import asyncio
import contextvars
import enum
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar, cast

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.loops import PerLoop
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.contract import Item

R = TypeVar("R")

DEFAULT_TIMEOUT: Final = 0.1
"""Seconds that a request to a store may take, when nothing else is said."""

_MOST_READS: Final = 4
"""Read requests under way at once on one loop; what is asked meanwhile is gathered for the next."""

_MOST_ASKED: Final = 512
"""Keys or changes in one request: engines serve others between two."""


_STALL: Final = 0.02
"""Seconds. If a time limit is noticed so much too late, it was the loop that took the time, and not the engine."""

_time_is_over_at: contextvars.ContextVar[float] = contextvars.ContextVar("time_is_over_at", default=math.inf)


def time_is_over_at() -> float:
    """Tell, inside of `_read` and `_write`, when nobody waits for them any more, by the loop's clock."""
    return _time_is_over_at.get()


class Change(enum.Enum):
    """What is to be done to a key."""

    SET = enum.auto()
    DELETE = enum.auto()
    ADD = enum.auto()
    COMPARE_AND_SET = enum.auto()
    COMPARE_AND_DELETE = enum.auto()
    INCREMENT = enum.auto()


class Op(NamedTuple):
    """One change. What it comes to: for INCREMENT the sum; else whether it was done, for DELETE whether it was there.

    Attributes:
        change: what is done.
        key: to which key.
        item: what is to be kept, for SET, ADD and COMPARE_AND_SET; for INCREMENT its ttl counts.
        expected: how the present value has to begin, where that is a condition.
    """

    change: Change
    key: bytes
    item: Item = Item(b"")
    expected: bytes = b""


class BatchingStore(abc.ABC):
    """A store whose driver makes whole batches of reads and changes.

    A driver has to make `_read`, `_write` and `_disconnect`. They run in tasks of their own, on the loop of those who
    ask, and are cancelled when their time is over. Keys of `_read` are distinct.

    Args:
        name: of the store, in errors.
        timeout: seconds that anybody waits at most.
        breaker: tells when the engine is worth asking; None for a driver that decides that itself, node by node.
    """

    def __init__(self, name: str, *, timeout: float = DEFAULT_TIMEOUT, breaker: CircuitBreaker | None) -> None:
        self.name = name
        self.timeout = timeout
        self.breaker = breaker
        self.is_closed = False
        self._reads: PerLoop[_Lane[dict[bytes, bytes]]] = PerLoop(self._read_lane)
        self._writes: PerLoop[_Lane[list[object]]] = PerLoop(self._write_lane)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # --- what a driver makes ------------------------------------------------------------------------------------------

    @abc.abstractmethod
    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys.

        Raises:
            StoreError: nothing could be read.
        """

    @abc.abstractmethod
    async def _write(self, ops: list[Op]) -> Sequence[object]:
        """Make these changes, in this order for each key, and tell what each came to: a `StoreError` if that is not
        known.

        Raises:
            StoreError: that is known of none.
        """

    @abc.abstractmethod
    async def _disconnect(self) -> None:
        """Let go of what was opened, on this loop and on those that are gone; of a client passed in, of nothing."""

    # --- the contract -------------------------------------------------------------------------------------------------

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others."""
        if not keys:
            return {}
        loop = asyncio.get_running_loop()
        try:
            lane = self._reads.states[id(loop)]
        except KeyError:
            lane = self._reads.enter(loop)
        outcome = await lane.join(keys).waiters[-1]
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        if len(keys) == 1:
            key = keys[0]
            return {key: outcome[key]} if key in outcome else {}
        return {key: outcome[key] for key in keys if key in outcome}

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        await self._change(
            [Op(Change.SET, key, item) if _lives(item) else _deletion(key) for key, item in items.items()]
        )

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were."""
        return sum(map(bool, await self._change([_deletion(key) for key in dict.fromkeys(keys)])))

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already; tell whether it was kept."""
        return bool((await self._change([Op(Change.ADD, key, item)]))[0])

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one that begins with `expected`; tell whether there was such a one."""
        return bool((await self._change([Op(Change.COMPARE_AND_SET, key, item, expected)]))[0])

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item that begins with `expected`; tell whether there was such a one."""
        return bool((await self._change([Op(Change.COMPARE_AND_DELETE, key, expected=expected)]))[0])

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter that begins at 0, and give the sum."""
        return cast("int", (await self._change([Op(Change.INCREMENT, key, Item(b"", ttl))]))[0])

    async def aclose(self) -> None:
        """Let go of connections, threads and files; what is asked already is still answered."""
        if not self.is_closed:
            self.is_closed = True
            for lanes in (self._reads, self._writes):
                for loop, lane in lanes.items():
                    if loop is asyncio.get_running_loop():
                        await lane.drain()
            await self._disconnect()

    async def _change(self, ops: list[Op]) -> list[Any]:
        if not ops:
            return []
        lane = self._writes.enter(asyncio.get_running_loop())
        batch = lane.join(ops)
        end = len(batch.asked)
        outcome = await batch.waiters[-1]
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        mine: list[Any] = outcome[end - len(ops) : end]
        for result in mine:
            if isinstance(result, StoreError):
                raise_anew(result)
        return mine

    # --- lanes --------------------------------------------------------------------------------------------------------

    def _read_lane(self) -> "_Lane[dict[bytes, bytes]]":
        async def read(asked: list[Any]) -> dict[bytes, bytes]:
            return await self._read(list(dict.fromkeys(asked)))

        return _Lane(self, read, most=_MOST_READS)

    def _write_lane(self) -> "_Lane[list[object]]":
        async def write(asked: list[Any]) -> list[object]:
            return list(await self._write(asked))

        return _Lane(self, write, most=1)


class _Batch:
    """What goes as one request, and who waits for it."""

    __slots__ = ("asked", "is_late", "task", "timer", "waiters")

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.waiters: list[asyncio.Future[Any]] = []
        self.is_late = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def tell(self, outcome: object) -> None:
        """Tell all who wait. An error is told as a result: of one that nobody asks for, asyncio would complain."""
        waiters, self.waiters = self.waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(outcome)


class _Lane(Generic[R]):
    """The requests of one kind on one loop.

    Args:
        store: whose they are.
        serve: makes one.
        most: how many there may be at once.
    """

    def __init__(self, store: BatchingStore, serve: Callable[[list[Any]], Awaitable[R]], *, most: int) -> None:
        self._store = store
        self._serve = serve
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Batch] = deque()
        self._running: set[_Batch] = set()

    def join(self, asked: Sequence[Any]) -> _Batch:
        """Make this the last part of a batch: what it comes to is told to the last of those who wait for the batch.

        Raises:
            StoreUnavailable: it is not worth trying.
        """
        store = self._store
        if store.is_closed:
            raise StoreUnavailable(f"{store.name} is closed")
        if store.breaker is not None and not store.breaker.is_worth_asking():
            raise StoreUnavailable(f"{store.name} is out of reach, and was not asked")
        batch = self._waiting[-1] if self._waiting else None
        if batch is None or len(batch.asked) >= _MOST_ASKED:
            batch = self._open()
        batch.asked += asked
        batch.waiters.append(self._loop.create_future())
        return batch

    def _open(self) -> _Batch:
        batch = _Batch()
        batch.timer = self._loop.call_later(self._store.timeout, self._expire, batch, context=contextvars.Context())
        if not self._waiting:
            self._loop.call_soon(self._dispatch, context=contextvars.Context())
        self._waiting.append(batch)
        return batch

    def _dispatch(self) -> None:
        while self._waiting and len(self._running) < self._most:
            batch = self._waiting.popleft()
            if all(future.done() for future in batch.waiters) and not self._must_be_made(batch):
                self._settle(batch)
                continue
            if self._store.breaker is not None and not self._store.breaker.may_ask():
                batch.tell(StoreUnavailable(f"{self._store.name} is out of reach, and was not asked"))
                self._settle(batch)
                continue
            self._running.add(batch)
            context = contextvars.Context()
            context.run(_time_is_over_at.set, batch.timer.when() if batch.timer is not None else math.inf)
            batch.task = self._loop.create_task(self._run(batch), context=context)

    @staticmethod
    def _must_be_made(batch: _Batch) -> bool:
        """Tell whether a request is made though nobody waits for it any more: a change is, as it was asked for."""
        return bool(batch.asked) and isinstance(batch.asked[0], Op)

    async def _run(self, batch: _Batch) -> None:
        store = self._store
        outcome: object = StoreUnavailable(f"the request to {store.name} was given up")
        try:
            outcome = await self._serve(batch.asked)
            if store.breaker is not None:
                store.breaker.succeed()
        except StoreError as error:
            outcome = error
            self._fail()
        except asyncio.CancelledError:  # its time is over, or the loop's is
            self._fail()
            raise
        except Exception as error:  # a driver's mistake costs a miss, not a caller
            outcome = StoreError(f"{store.name} failed: {type(error).__name__}")
            self._fail()
        finally:
            batch.tell(outcome)
            self._settle(batch)

    def _fail(self) -> None:
        if self._store.breaker is not None:
            self._store.breaker.fail()

    def _expire(self, batch: _Batch) -> None:
        late = self._loop.time() - batch.timer.when() if batch.timer is not None else 0.0
        if late > _STALL and not batch.is_late:  # the loop was blocked: the reply may be there, and not read yet
            batch.is_late = True
            batch.timer = self._loop.call_later(_STALL, self._expire, batch, context=contextvars.Context())
            return
        batch.tell(StoreTimeout(f"{self._store.name} did not answer within {self._store.timeout:g} s"))
        if batch.task is not None:
            batch.task.cancel()
            self._settle(batch)  # a task that is cancelled before its first step does nothing itself
        elif batch in self._waiting:  # those before it take all the time
            self._waiting.remove(batch)

    def _settle(self, batch: _Batch) -> None:
        if batch.timer is not None:
            batch.timer.cancel()
        self._running.discard(batch)
        if self._waiting:
            self._dispatch()

    async def drain(self) -> None:
        """Wait for what was asked, which takes no longer than the time limit."""
        while self._waiting or self._running:
            self._dispatch()
            tasks = [batch.task for batch in self._running if batch.task is not None]
            await asyncio.wait(tasks) if tasks else await asyncio.sleep(0)


def raise_anew(error: StoreError) -> NoReturn:
    """Raise an error that several are told of: each gets one of their own, or its traceback would grow with them."""
    raise type(error)(*error.args)


def _lives(item: Item) -> bool:
    return item.ttl is None or item.ttl > 0


def _deletion(key: bytes) -> Op:
    return Op(Change.DELETE, key)
