"""A cached function on a loop that is turned by hand, with a model beside it that every event is told to.

Decides how what really happens is compared with what the model says; `test_model_of_promises.py` decides what happens.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, Final, Literal, TypeAlias, cast

from asynccache import MISSING, async_cached
from asynccache.testing import ManualClock, live_flights
from tests.freshness.model_promises import Model
from tests.freshness.model_words import Answer, Caller, Load, Outcome, Promises

KEYS: Final = range(2)
TAGS: Final = ("fixed", "key 0", "key 1", "odd", "even", "of nobody")
SETTLED: Final = 16
"""Turns of the loop after which nothing moves any more."""

Command: TypeAlias = Literal["give", "outage", "answer", "passing answer", "cancelled", "hang"]


class Outage(Exception):
    """The loader cannot reach what it asks."""


class NotFound(Exception):
    """An answer, remembered for a while if the options say so."""


class Moved(NotFound):
    """An answer, remembered for no time at all."""


class World:
    """Everything there is in one exploration.

    Args:
        loop: turned by hand.
        promises: the options.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, promises: Promises) -> None:
        self.loop = loop
        self.model = Model(promises)
        self.clock = ManualClock()
        self.command: Command = "give"
        self.wrong: list[str] = []
        self.callers: list[tuple[Caller, asyncio.Task[Answer]]] = []
        self.hanging: list[tuple[Load, asyncio.Future[Command]]] = []
        self._last_value = 0
        loop.set_exception_handler(lambda _loop, context: self.wrong.append(str(context)))
        options = self.model.options()
        if promises.remembers is not None:
            options["errors"] = {NotFound: promises.remembers, Moved: 0}
        self.function = async_cached(maxsize=None, clock=self.clock, **options)(self._load)
        self.has_tags = promises != Promises(
            idle=promises.idle, ttl=promises.ttl, timeout=promises.timeout, picky=promises.picky,
            on_abandon=promises.on_abandon, max_refreshes=promises.max_refreshes, error_backoff=promises.error_backoff,
        )  # fmt: skip

    # --- what loads and callers do ------------------------------------------------------------------------------------

    async def _load(self, key: int) -> int:
        foreseen = [load for load in self.model.loads if load.key == key and not load.has_begun]
        self._check(len(foreseen) == 1, f"{len(foreseen)} loads of {key} should begin now, not 1")
        load = foreseen[0]
        load.has_begun = True
        self._check(self.model.open.get(key) is load, f"two loads of {key} at a time")
        command = self.command
        await asyncio.sleep(0)
        while command == "hang":
            command = await self._next_command(load)
        return self._end(load, command)

    async def _next_command(self, load: Load) -> Command:
        future: asyncio.Future[Command] = self.loop.create_future()
        self.hanging.append((load, future))
        try:
            return await future
        except asyncio.CancelledError:
            self._check(load.is_cancelled, "a load is cancelled that should go on")
            if not load.stubborn:
                return "cancelled"
            load.stubborn = False
            return "hang"
        finally:
            self.hanging.remove((load, future))

    def _end(self, load: Load, command: Command) -> int:
        outcome = cast("Outcome", self.new_value() if command == "give" else command)
        self.model.ends(load, outcome)
        if isinstance(outcome, int):
            return outcome
        if outcome == "cancelled":
            raise asyncio.CancelledError
        raise {"outage": Outage, "answer": NotFound, "passing answer": Moved}[outcome]

    async def _caller(self, key: int, *, refresh: bool) -> Answer:
        try:
            return await (self.function.cache_refresh(key) if refresh else self.function(key))
        except Exception as error:
            return type(error).__name__

    # --- what the test does -------------------------------------------------------------------------------------------

    def new_value(self) -> int:
        """Give a value that there has not been before."""
        self._last_value += 1
        return self._last_value

    def settle(self) -> None:
        """Turn the loop until nothing moves any more, and compare what everybody was given."""
        for _ in range(SETTLED):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        for caller, task in self.callers:
            expected = "cancelled" if caller.is_cancelled else caller.answer
            got = None if not task.done() else "cancelled" if task.cancelled() else task.result()
            assert got == expected, f"a caller of {caller.key} was given {got!r}, not {expected!r}"
        self.callers = [(caller, task) for caller, task in self.callers if not task.done()]
        assert [load for load in self.model.loads if not load.has_begun] == [], "a load was not started"
        assert self.wrong == []

    def call(self, key: int, count: int = 1, *, refresh: bool = False) -> None:
        """Let several tasks call at once."""
        for _ in range(count):
            caller = Caller(key)
            coroutine = self._caller(key, refresh=refresh)
            self.loop.call_soon(self._board, caller, coroutine)
            self.model.call(caller, refresh=refresh)

    def _board(self, caller: Caller, coroutine: Coroutine[Any, Any, Answer]) -> None:
        self.callers.append((caller, self.loop.create_task(coroutine)))

    def cancel(self, number: int) -> None:
        """Cancel a caller that waits."""
        if self.callers:
            caller, task = self.callers[number % len(self.callers)]
            self.model.leaves(caller)
            task.cancel()

    def finish(self, number: int, command: Command) -> None:
        """Let a load that hangs go on."""
        if self.hanging:
            self.hanging[number % len(self.hanging)][1].set_result(command)

    def put(self, key: int) -> None:
        """Store a value."""
        value = self.new_value()
        self.model.put(key, value)
        self.function.cache_put(value, key)

    def invalidate(self, key: int) -> None:
        """Invalidate a key."""
        found = self.model.invalidate(key)
        assert self.function.cache_invalidate(key) is found, "cache_invalidate does not know what was there"

    def invalidate_tag(self, tag: str) -> None:
        """Invalidate a tag."""
        if self.has_tags:
            self.model.invalidate_tag(tag)
            self.function.cache_invalidate_tags(tag)

    def clear(self) -> None:
        """Clear the cache."""
        self.model.clear()
        self.function.cache_clear()

    def advance(self, by: float) -> None:
        """Let time pass."""
        self.model.advance(by)
        self.clock.advance(by)

    # --- comparing ----------------------------------------------------------------------------------------------------

    def _check(self, is_right: bool, what: str) -> None:
        # Not by `assert`: a load's exception is what its callers are meant to get.
        if not is_right:
            self.wrong.append(what)

    def look(self, key: int) -> None:
        """Compare what can be seen of a key without calling."""
        value = self.model.peek(key)
        assert self.function.cache_peek(key) == (MISSING if value is None else value)
        assert self.function.cache_contains(key) is self.model.contains(key)

    def count(self) -> None:
        """Compare what was counted."""
        stats = self.function.cache_stats()
        expected: dict[str, Any] = asdict(self.model.counts)
        assert {name: getattr(stats, name) for name in expected} == expected
        assert stats.in_flight == len(self.model.open)

    def end(self) -> None:
        """Let everybody come to an end, and see that nothing is left."""
        self.command = "give"
        for _ in range(50):
            self.finish(0, "give")
            self.settle()
        assert self.callers == []
        self.advance(1_000)
        self.settle()
        self.count()
        assert asyncio.all_tasks(self.loop) == set()
        assert live_flights() == []
        assert self.function.cache_stats().sweeper_alive is False or self.model.promises.ttl in (None, "by value")
