"""A cached function on a loop that is turned by hand, with a model beside it that every event is told to.

Decides how what really happens is compared with what the model says; `test_model.py` decides what happens.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from asynccache import MISSING, LoadCancelled, RecursiveLoad, async_cached
from asynccache.testing import ManualClock, live_flights
from tests.flight.model import Caller, Hit, Load, Model, Promises, Refusal

KEYS: Final = range(3)

Command: TypeAlias = tuple[str, int]

_begins: ContextVar[Load] = ContextVar("begins")
"""The load that the next call starts, if it starts one. Loads run in a copy of their first caller's context."""


class Mishap(Exception):
    """What loads raise here."""


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
        self.at_once = False
        self.opening: Command | None = None
        self.wrong: list[str] = []
        self.callers: list[tuple[Caller, asyncio.Task[None]]] = []
        self.waiting: list[tuple[Load, asyncio.Future[Command]]] = []
        self._turns = self._last_value = 0
        loop.set_exception_handler(lambda _loop, context: self.wrong.append(str(context)))
        self.function = async_cached(
            maxsize=promises.maxsize,
            ttl=promises.ttl,
            on_abandon=promises.on_abandon,
            store_if=promises.is_storable,
            clock=self.clock,
        )(self._run)

    # --- what loads and callers do -----------------------------------------------------------------------------------

    async def _run(self, key: int) -> int:
        load = _begins.get()
        self._check(load.key == key and not load.has_begun, "a load runs in the context of another's caller, or twice")
        self._check(not load.is_doomed, "a load begins that nobody waits for")
        load.has_begun = True
        load.moment = self._turns
        try:
            return await self._obey(load)
        except asyncio.CancelledError:
            if load.outcome is None:
                return await self._go_down(load)
            raise

    async def _obey(self, load: Load) -> int:
        opening = self.opening
        while True:
            if opening is not None:
                command, argument = opening
                opening = None
            else:
                command, argument = ("give", 0) if self.at_once else await self._next_command(load)
            if command == "ask":
                await self._ask(load, (load.key + argument) % len(KEYS), argument % 3, refresh=False)
            elif command == "fail":
                error = Mishap()
                self.model.ends(load, error, self._turns)
                raise error
            elif command == "cancel":
                self.model.ends(load, "cancelled", self._turns)
                raise asyncio.CancelledError
            else:
                return self._give(load)

    async def _go_down(self, load: Load) -> int:
        self._check(load.is_doomed, "a load is cancelled that somebody waits for, or that is to be finished")
        if load.stubborn and not self.at_once:
            await self._next_command(load)
        if load.stubborn == 2:
            return self._give(load)
        self.model.ends(load, "cancelled", self._turns)
        raise asyncio.CancelledError

    def _give(self, load: Load) -> int:
        value = self.new_value()
        self.model.ends(load, value, self._turns)
        return value

    async def _next_command(self, load: Load) -> Command:
        future: asyncio.Future[Command] = self.loop.create_future()
        self.waiting.append((load, future))
        try:
            return await future
        finally:
            self.waiting.remove((load, future))

    async def _ask(self, who: Caller | Load, key: int, stubborn: int, *, refresh: bool) -> None:
        echo = self.model.echo(key, self._turns)
        verdict = self.model.call(who, key, stubborn, refresh=refresh)
        if isinstance(verdict, Load):
            _begins.set(verdict)
        began = self._turns
        got: object
        try:
            got = await (self.function.cache_refresh(key) if refresh else self.function(key))
        except asyncio.CancelledError:
            self._check(who.is_cancelled if isinstance(who, Caller) else who.is_doomed, "who was not cancelled, was")
            if isinstance(verdict, Load):
                self.model.stops_waiting(who, verdict)
            raise
        except Exception as error:
            got = error
        if echo is not None and _is_echo(verdict, echo, got):
            self.model.is_echo(who, verdict)
            return
        self._compare(verdict, key, got)
        if isinstance(verdict, Load):
            self.model.stops_waiting(who, verdict)
        else:
            self._check(began == self._turns, "a call that has nothing to wait for has waited")

    def _compare(self, verdict: Hit | Refusal | Load, key: int, got: object) -> None:
        match verdict:
            case Hit(value):
                self._check(got == value, f"a hit gave {got!r}, not {value}")
            case Refusal():
                self._check(isinstance(got, RecursiveLoad) and got.key == key, f"{got!r}, not RecursiveLoad")
            case Load(outcome="cancelled"):
                self._check(isinstance(got, LoadCancelled) and got.key == key, f"{got!r}, not LoadCancelled")
            case Load(outcome=outcome):
                self._check(outcome is not None and got is outcome, f"a load came to {outcome!r}, a waiter got {got!r}")

    async def _caller(self, caller: Caller, key: int, stubborn: int, refresh: bool) -> None:
        await self._ask(caller, key, stubborn, refresh=refresh)

    # --- what the test does ------------------------------------------------------------------------------------------

    def new_value(self) -> int:
        """Give a value that there has not been before, as one object: from here on small numbers are not shared."""
        self._last_value += 1
        return 1_000 + self._last_value

    def turn(self, times: int = 1) -> None:
        """Run what is ready, once or several times."""
        for _ in range(times):
            self._turns += 1
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def call(self, key: int, stubborn: int, *, refresh: bool = False) -> None:
        """Let a new task call, at its next turn."""
        caller = Caller()
        coroutine = self._caller(caller, key, stubborn, refresh)
        make: Callable[..., asyncio.Task[None]] = self.loop.create_task
        self.loop.call_soon(lambda: self.callers.append((caller, make(coroutine))))

    def cancel(self, number: int) -> None:
        """Cancel a caller that is not through yet."""
        living = [(caller, task) for caller, task in self.callers if not task.done()]
        if living:
            caller, task = living[number % len(living)]
            caller.is_cancelled = True
            task.cancel()

    def tell(self, number: int, command: Command) -> None:
        """Give a command to a load that waits for one."""
        idle = [future for _, future in self.waiting if not future.done()]
        if idle:
            idle[number % len(idle)].set_result(command)

    def put(self, key: int) -> None:
        """Store a value."""
        value = self.new_value()
        self.function.cache_put(value, key)
        self.model.put(key, value)

    def invalidate(self, key: int) -> None:
        """Invalidate a key."""
        found = self.model.invalidate(key)
        self._check(self.function.cache_invalidate(key) is found, "cache_invalidate does not know what was there")

    def clear(self) -> None:
        """Clear the cache."""
        self.function.cache_clear()
        self.model.clear()

    def advance(self, by: float) -> None:
        """Let time pass."""
        self.model.advance(by)
        self.clock.advance(by)

    # --- comparing ---------------------------------------------------------------------------------------------------

    def _check(self, is_right: bool, what: str) -> None:
        # Not by `assert`: a load's exception is what its callers are meant to get.
        if not is_right:
            self.wrong.append(what)

    def look(self) -> None:
        """Compare what can be seen from outside."""
        for key in KEYS:
            value = self.model.fresh(key)
            assert self.function.cache_peek(key) == (MISSING if value is None else value)
            assert self.function.cache_contains(key) is (value is not None or key in self.model.open)
        assert self.wrong == []

    def finish(self) -> None:
        """Let everybody come to an end, and see that nothing is left."""
        self.at_once, self.opening = True, None
        for _ in range(200):
            self.tell(0, ("give", 0))
            self.turn()
        self.advance(1_000)
        self.turn(20)
        self.look()
        assert [task for _, task in self.callers if not task.done()] == []
        assert asyncio.all_tasks(self.loop) == set()
        assert live_flights() == []
        stats = self.function.cache_stats()
        assert (stats.hits, stats.misses, stats.coalesced) == (self.model.hits, self.model.misses, self.model.joined)
        assert (stats.loads, stats.abandoned) == (self.model.values, self.model.abandoned)

    def errors_of_callers(self) -> list[Any]:
        """What went wrong in the callers' tasks themselves."""
        done = [task for _, task in self.callers if task.done() and not task.cancelled()]
        return [error for error in (task.exception() for task in done) if error is not None]


def _is_echo(verdict: Hit | Refusal | Load, echo: Load, got: object) -> bool:
    if isinstance(verdict, Hit) or (isinstance(verdict, Load) and (verdict.has_begun or verdict.outcome is not None)):
        return False
    return isinstance(got, LoadCancelled) if echo.outcome == "cancelled" else got is echo.outcome
