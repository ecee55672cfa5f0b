"""The requests of one kind on one loop: gathered into batches, made a few at a time, and given up in time.

Decides who waits for what, and for how long. A request is made by a task that no caller's cancellation reaches, so a
caller that goes away costs no connection and never leaves a reply for another to find. Nobody waits longer than the
store's time limit: it begins when the first caller of a batch asks.
"""

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NoReturn, Protocol

from asynccache.errors import StoreError, StoreTimeout, StoreUnavailable
from asynccache.stores.breaker import CircuitBreaker

MOST_ASKED: Final = 512
"""Keys or changes in one request: engines serve others between two."""

STALL: Final = 0.02
"""Seconds. If a time limit is noticed so much too late, it was the loop that took the time, and not the engine."""

_MOST_EXTENSIONS: Final = 10
"""Times that a batch is given its time limit anew, as it was the loop that was slow."""

_time_is_over_at: contextvars.ContextVar[float] = contextvars.ContextVar("time_is_over_at", default=math.inf)


def time_is_over_at() -> float:
    """Tell, inside of a request, when nobody waits for it any more, by the loop's clock."""
    return _time_is_over_at.get()


class Owner(Protocol):
    """Whose requests they are.

    Attributes:
        name: of the store, in errors.
        timeout: seconds that anybody waits at most.
        breaker: tells when the engine is worth asking, if that is told for all of it.
        is_closed: nothing more is asked.
    """

    name: str
    timeout: float
    breaker: CircuitBreaker | None
    is_closed: bool


class Batch:
    """What goes as one request, and who waits for it."""

    __slots__ = ("asked", "extensions", "task", "timer", "waiters")

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.waiters: list[asyncio.Future[Any]] = []
        self.extensions = 0
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle
        """Ends the waiting."""

    def tell(self, outcome: object) -> None:
        """Tell all who wait. An error is told as a result: of one that nobody asks for, asyncio would complain."""
        waiters, self.waiters = self.waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(outcome)


class Lane:
    """The requests of one kind on one loop.

    Args:
        store: whose they are.
        serve: makes one.
        most: how many there may be at once.
        must_serve: make one though nobody waits for it any more: a change is made, as it was asked for.
    """

    def __init__(
        self, store: Owner, serve: Callable[[list[Any]], Awaitable[object]], *, most: int, must_serve: bool
    ) -> None:
        self._store = store
        self._serve = serve
        self._most = most
        self._must_serve = must_serve
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Batch] = deque()
        self._running: set[Batch] = set()
        self._answered_at = -math.inf

    def join(self, asked: Sequence[Any]) -> Batch:
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
        if batch is None or len(batch.asked) >= MOST_ASKED:
            batch = self._open()
        batch.asked += asked
        batch.waiters.append(self._loop.create_future())
        return batch

    def _open(self) -> Batch:
        batch = Batch()
        batch.timer = self._loop.call_later(self._store.timeout, self._expire, batch, context=contextvars.Context())
        if not self._waiting:
            self._loop.call_soon(self._dispatch, context=contextvars.Context())
        self._waiting.append(batch)
        return batch

    def _dispatch(self) -> None:
        while self._waiting and len(self._running) < self._most:
            batch = self._waiting.popleft()
            if not self._must_serve and all(future.done() for future in batch.waiters):
                batch.timer.cancel()
            elif self._store.breaker is not None and not self._store.breaker.may_ask():
                batch.timer.cancel()
                batch.tell(StoreUnavailable(f"{self._store.name} is out of reach, and was not asked"))
            else:
                self._running.add(batch)
                context = contextvars.Context()
                context.run(_time_is_over_at.set, batch.timer.when())
                batch.task = self._loop.create_task(self._run(batch), context=context)
                # Nobody is to be told that a request was under way when somebody closed its loop by hand.
                batch.task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _run(self, batch: Batch) -> None:
        store = self._store
        outcome: object = StoreUnavailable(f"the request to {store.name} was given up")
        try:
            outcome = await self._serve(batch.asked)
            self._answered_at = self._loop.time()
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

    def _expire(self, batch: Batch) -> None:
        if batch.extensions < _MOST_EXTENSIONS and self._is_our_own_doing(batch):
            batch.extensions += 1
            batch.timer = self._loop.call_later(self._store.timeout, self._expire, batch, context=contextvars.Context())
            return
        batch.tell(StoreTimeout(f"{self._store.name} did not answer within {self._store.timeout:g} s"))
        if batch.task is not None:
            batch.task.cancel()
            self._settle(batch)  # a task that is cancelled before its first step does nothing itself
        elif batch in self._waiting:  # those before it take all the time
            self._waiting.remove(batch)

    def _is_our_own_doing(self, batch: Batch) -> bool:
        """Tell whether it is the loop that took the time, and not the engine.

        It was blocked, so that a reply may be there and not read yet; or there is so much to ask that this batch had to
        wait, while the engine has answered others.
        """
        now = self._loop.time()
        if now - batch.timer.when() > STALL:
            return True
        return batch.task is None and now - self._answered_at < self._store.timeout

    def _settle(self, batch: Batch) -> None:
        batch.timer.cancel()
        self._running.discard(batch)
        if self._waiting:
            self._dispatch()

    async def drain(self) -> None:
        """Wait for what was asked until now, which takes no longer than the time limit."""
        asked = {*self._waiting, *self._running}
        while left := asked & {*self._waiting, *self._running}:
            self._dispatch()
            tasks = [batch.task for batch in left if batch.task is not None]
            await asyncio.wait(tasks) if tasks else await asyncio.sleep(0)
            for batch in left & self._running:
                if batch.task in tasks:  # cancelled before its first step, when its loop ended: it did nothing itself
                    batch.tell(StoreUnavailable(f"the request to {self._store.name} was given up"))
                    self._settle(batch)


def raise_anew(error: StoreError) -> NoReturn:
    """Raise an error that several are told of: each gets one of their own, or its traceback would grow with them."""
    raise type(error)(*error.args)
