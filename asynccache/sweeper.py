"""The sweeper: removes in the background what nobody reads any more.

Expiry is checked at every read; sweeping only frees memory, so it may be late but must never be felt. It is one chain
of callbacks a cache and loop: a timer while there is nothing to do, then slices of at most 2 ms with a turn of the
loop between them. A chain of callbacks rather than an `asyncio.Task`: there is nothing to cancel, to lose, or to
complain about when the loop or the interpreter ends.

It begins with the first entry that can expire, and ends when none is left or when the cache is gone, to which only a
weak reference leads.
"""

import asyncio
import contextvars
import math
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from asynccache.loops import PerLoop
from asynccache.protocols import Clock, SupportsTimers, TimerHandle

SLICE: Final = 0.002
"""How long a slice lasts at most, in seconds, unless a single listener takes longer."""

_LONGEST_SLEEP: Final = 86_400.0
"""Event loops do not take just any number of seconds."""


class Sweepable(Protocol):
    """A cache as the sweeper sees it."""

    def next_sweep(self) -> float:
        """Tell when there will be something to sweep, in seconds on the cache's clock; infinity if never."""
        ...

    def sweep(self) -> Iterator[None]:
        """Sweep what is due, one entry at each turn; where one stopped half-way, the next goes on."""
        ...


def start_timer(
    clock: Clock | SupportsTimers, loop: asyncio.AbstractEventLoop, delay: float, callback: Callable[[], object]
) -> TimerHandle:
    """Call `callback` after `delay` seconds: of the clock's time if it has timers of its own, else of the loop's."""
    own_timers = getattr(clock, "call_later", None)
    if own_timers is not None:
        handle: TimerHandle = own_timers(delay, callback)
        return handle
    # An empty context, as the timer would else keep the context of whoever happened to start it.
    return loop.call_later(delay, callback, context=contextvars.Context())


class _Chain:
    """What a sweeper has going on one loop."""

    __slots__ = ("at", "handle")

    def __init__(self) -> None:
        self.at = math.inf
        self.handle: TimerHandle | None = None

    def end(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
        self.at, self.handle = math.inf, None


class Sweeper:
    """Sweeps one cache, on each loop where something was stored in it.

    Args:
        source: the cache; not kept alive.
        clock: what its deadlines are told by.
    """

    def __init__(self, source: Sweepable, clock: Clock | SupportsTimers) -> None:
        self._source = weakref.ref(source)
        self._clock = clock
        self._chains: PerLoop[_Chain] = PerLoop(_Chain)

    def arm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """Let the next sweep on this loop begin at `at` (seconds on the cache's clock), if none begins earlier."""
        try:
            chain = self._chains.states[id(loop)]
        except KeyError:
            chain = self._chains.enter(loop)
        if at < chain.at:
            _Wake(self._source, loop, chain, self._clock).plan(at)

    def is_armed(self) -> bool:
        """Tell whether a sweep is planned on any loop."""
        return any(chain.handle is not None for _, chain in self._chains.items())

    def __del__(self) -> None:
        # The cache has gone, and its timers go with it; on other threads' loops, by a call that they make themselves.
        for loop, chain in self._chains.items():
            if loop is asyncio._get_running_loop():
                chain.end()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(chain.end, context=contextvars.Context())

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is planned on this loop. The next entry that can expire begins anew."""
        self._chains.enter(loop).end()


class _Wake:
    """What a chain calls again and again: it sweeps for a slice, and plans its next call if there is more to do."""

    __slots__ = ("_chain", "_clock", "_loop", "_source")

    def __init__(
        self,
        source: weakref.ref[Sweepable],
        loop: asyncio.AbstractEventLoop,
        chain: _Chain,
        clock: Clock | SupportsTimers,
    ) -> None:
        self._source = source
        self._loop = loop
        self._chain = chain
        self._clock = clock

    def plan(self, at: float) -> None:
        self._chain.end()
        self._chain.at = at
        delay = min(max(at - self._clock(), 0.0), _LONGEST_SLEEP)
        if delay:
            self._chain.handle = start_timer(self._clock, self._loop, delay, self)
        else:
            self._chain.handle = self._loop.call_soon(self, context=contextvars.Context())

    def __call__(self) -> None:
        source = self._source()
        self._chain.end()
        if source is None or self._loop.is_closed():
            return
        end = time.perf_counter() + SLICE
        for _ in source.sweep():  # what fails in here is seen by the loop, and the next entry starts a new chain
            if time.perf_counter() >= end:
                break
        at = source.next_sweep()
        if at < math.inf:
            self.plan(at)
