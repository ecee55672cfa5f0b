"""The tier in memory: a bounded mapping, expiry and flights joined.

Decides what is stored, for how long, and what a removal means to loads in the air. Policies know no time and flights
know no values; here they meet, under one lock. No code of the user's runs under that lock, except for the keys' own
`__hash__` and `__eq__`.
"""

import asyncio
import itertools
import logging
import math
import os
import random
import threading
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import NEVER, Entry, SlidingEntry, sliding
from asynccache.core.expiry import Expiry
from asynccache.core.single_use import refuse_single_use
from asynccache.core.wheel import ExpiryWheel
from asynccache.drain import drain
from asynccache.flight import Flight
from asynccache.flights import Flights, OnAbandon
from asynccache.protocols import MISSING, Clock, EvictionCause, EvictionListener, Missing, SupportsTimers
from asynccache.stats import CacheStats
from asynccache.sweeper import Sweeper, start_timer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_log: Final = logging.getLogger("asynccache")

_SWEPT_A_PUT: Final = 4
"""Steps of the sweep that a put makes itself where no loop runs: more than it adds."""

_TIDY_FROM: Final = 64
"""Rubbish in the wheel is not worth a look below this number of keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How a tier treats what it is given; read and checked where the user wrote it."""

    name: str
    clock: Clock | SupportsTimers
    expiry: Expiry
    store_if: Callable[..., object] | None
    listeners: tuple[EvictionListener[Any, Any], ...]
    on_abandon: OnAbandon
    inherit_context: bool


_Removed: TypeAlias = tuple[Any, Any, EvictionCause]
_Terms: TypeAlias = tuple[float, float | None]
"""What a value weighs, and how many seconds it lives (None for ever)."""

_NOT_STORED: Final[_Terms] = (math.inf, 0.0)


class MemoryTier(Generic[K, V]):
    """What one cache holds in this process, and the loads into it.

    Safe to use from several threads, each with an event loop of its own.

    Args:
        cache: the bounded mapping that holds the entries; the tier's alone from now on.
        rules: how values are treated.
        load: makes a value from a call's arguments.
    """

    def __init__(self, cache: BoundedCache[K, V], rules: Rules, load: Callable[..., Awaitable[V]]) -> None:
        self._cache = cache
        self._rules = rules
        self._lock = threading.RLock()
        self._wheel: ExpiryWheel[K] = ExpiryWheel()
        self._tidy_above = _TIDY_FROM
        self._sweeper = Sweeper(self, rules.clock)
        self._evictions: Counter[EvictionCause] = Counter()
        self._callback_errors = 0
        self._can_expire = rules.expiry.can_expire
        self._terms = _fixed_terms(cache, rules)
        self._entry_type = cache.entry_type if rules.expiry.idle is None else sliding(cache.entry_type)
        self.entries = cache.entries
        self.flights: Flights[K, V] = Flights(
            rules.name,
            load,
            self,
            call_later=lambda loop, delay, callback: start_timer(rules.clock, loop, delay, callback),
            on_abandon=rules.on_abandon,
            inherit_context=rules.inherit_context,
        )
        _all.add(self)

    # --- storing ----------------------------------------------------------------------------------------------------

    def take_in(self, flight: Flight[K], value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Store what a load has brought, unless something newer has been said about its key; tell whether it is stored.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        refuse_single_use(value, self._rules.name)
        terms = self._terms or self._appraise(flight.key, value, args, kwargs)
        gone: list[_Removed] = []
        try:
            with self._lock:
                if flight.is_detached:
                    return False
                evicted = self._enter(flight.key, value, terms, gone)
        except Exception as error:  # a policy of the user's own: its mistake costs the entry, not the value
            self._report("the policy", error)
            return False
        if evicted:
            self._tell_evicted(evicted)
        if gone:
            self._tell(gone)
        return terms is not _NOT_STORED

    def put(self, key: K, value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Store a value as if the call had been made and had given it; it holds against loads in the air.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        refuse_single_use(value, self._rules.name)
        terms = self._terms or self._appraise(key, value, args, kwargs)
        gone: list[_Removed] = []
        with self._lock:
            self.flights.detach(key)
            evicted = self._enter(key, value, terms, gone)
        self._tell_evicted(evicted)
        self._tell(gone)
        if not _is_in_loop():  # where nobody sweeps: whoever puts clears away a little
            for _ in itertools.islice(self.sweep(), _SWEPT_A_PUT):
                pass

    def _appraise(self, key: K, value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Terms:
        """Tell a value's weight and time to live. The user's own functions run here."""
        rules = self._rules
        try:
            if rules.store_if is not None and not rules.store_if(value, *args, **kwargs):
                return _NOT_STORED
            ttl = rules.expiry.time_to_live(value, args, kwargs)
            weight = self._cache.weigh(key, value)
        except Exception as error:  # a mistake in an option costs the entry, not the caller's value
            self._report("a function given as an option", error)
            return _NOT_STORED
        if ttl == 0 or rules.expiry.idle == 0 or not self._cache.fits(weight):
            return _NOT_STORED
        return weight, ttl

    def _enter(self, key: K, value: V, terms: _Terms, gone: list[_Removed]) -> Sequence[Entry[K, V]]:
        """Put a value in the place of `key`, and return what had to go for it.

        An expiring cache dates it, and sees to it that it is swept.
        """
        if terms is _NOT_STORED:  # nor is what it would have replaced kept: that is out of date
            self._remove(key, EvictionCause.REPLACED, gone)
            return ()
        weight, ttl = terms
        now = self._rules.clock() if self._can_expire else 0.0
        entry = self.entries.get(key)
        if entry is None:
            known_until = NEVER
            entry = self._entry_type(key, value, weight)
            evicted = self._cache.admit(entry)
        else:
            known_until = entry.deadline
            cause = EvictionCause.EXPIRED if known_until <= now else EvictionCause.REPLACED
            gone.append((key, entry.value, cause))
            evicted = self._cache.replace(entry, value, weight)
            entry = self.entries[key]
        if self._can_expire:
            self._date(entry, ttl, now, known_until)
        return evicted

    def _date(self, entry: Entry[K, V], ttl: float | None, now: float, known_until: float) -> None:
        expiry = self._rules.expiry
        limit = expiry.limit(ttl, now, random.random)
        # The value is there already: a reader in another thread that comes between the two takes the new value for an
        # old one, which costs a load; the other way round it would be served an old one.
        deadline = expiry.deadline(limit, now)
        if expiry.idle is not None:
            cast("SlidingEntry[K, V]", entry).limit = limit
        entry.deadline = deadline
        if deadline < known_until:
            self._wheel.add(entry.key, deadline, now)
        if deadline < NEVER:
            self._wake_sweeper()

    def _wake_sweeper(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # stored from outside of a loop: the next load wakes it
            return
        self._sweeper.arm(loop, self.next_sweep())

    def touch(self, entry: Entry[K, V]) -> None:
        """Note a hit for a policy that does more than set a number, and is thread-safe only under the lock."""
        with self._lock:
            if self.entries.get(entry.key) is entry:
                self._cache.touch(entry)

    # --- reading and removing ---------------------------------------------------------------------------------------

    def peek(self, key: K) -> V | Missing:
        """Give the value that a hit would give; `MISSING` where there is none. Counts as nothing."""
        entry = self.entries.get(key)
        if entry is None or not self._rules.clock() < entry.deadline:
            return MISSING
        return getattr(entry, "value", MISSING)

    def contains(self, key: K) -> bool:
        """Tell whether a call would be answered without starting a load."""
        return self.peek(key) is not MISSING or self.flights.is_flying(key)

    def invalidate(self, key: K) -> bool:
        """Forget the value of `key`, and what loads in the air will bring; tell if there was anything to forget."""
        gone: list[_Removed] = []
        with self._lock:
            found = self.flights.detach(key)
            found |= self.peek(key) is not MISSING
            self._remove(key, EvictionCause.EXPLICIT, gone)
        self._tell(gone)
        return found

    def clear(self) -> None:
        """Forget everything, counters included, and what loads in the air will bring."""
        self._forget_all()
        self._evictions.clear()
        self._callback_errors = 0
        self.flights.reset_counters()

    def _forget_all(self) -> None:
        with self._lock:
            self.flights.detach_all()
            self._wheel.clear()
            self._tidy_above = _TIDY_FROM
            # By way of `dict`: a hit in another thread may just be moving a key of an `OrderedDict`.
            entries: list[Entry[K, V]] = list(dict.values(self.entries))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            gone: list[_Removed] = [(entry.key, entry.value, EvictionCause.CLEARED) for entry in entries]
            self._cache.clear()
        self._tell(gone)

    def _remove(self, key: K, cause: EvictionCause, gone: list[_Removed]) -> None:
        entry = self.entries.get(key)
        if entry is not None:
            if cause is not EvictionCause.CAPACITY and not self._rules.clock() < entry.deadline:
                cause = EvictionCause.EXPIRED
            gone.append((key, self._cache.remove(entry), cause))

    def _tell_evicted(self, evicted: Sequence[Entry[K, V]]) -> None:
        """Do as `_tell` does, for what every miss in a full cache brings about."""
        if self._rules.listeners:
            self._tell([(entry.key, entry.value, EvictionCause.CAPACITY) for entry in evicted])
        else:
            self._evictions[EvictionCause.CAPACITY] += len(evicted)

    def _tell(self, gone: Sequence[_Removed]) -> None:
        """Count what has left, and tell the listeners. Not under the lock: they may do as they please."""
        for key, value, cause in gone:
            self._evictions[cause] += 1
            for listener in self._rules.listeners:
                try:
                    listener(key, value, cause)
                except Exception as error:  # one listener's mistake must not keep others from hearing
                    self._report("an on_evict listener", error)

    def _report(self, whose: str, error: Exception) -> None:
        """Count a mistake in the user's functions, and show it where the application shows such things."""
        self._callback_errors += 1
        message = f"{whose} of {self._rules.name} raised {type(error).__name__}"
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _log.error(message, exc_info=error)
        else:
            loop.call_exception_handler({"message": message, "exception": error})

    # --- sweeping ---------------------------------------------------------------------------------------------------

    def next_sweep(self) -> float:
        """Tell when there will be something to sweep, in seconds on the clock; infinity if never."""
        return -math.inf if self._needs_tidying() else self._wheel.next_due()

    def _needs_tidying(self) -> bool:
        # What was begun is done to its end, though there is less rubbish with every step.
        return self._wheel.is_tidying or self._wheel.size > self._tidy_above

    def sweep(self) -> Iterator[None]:
        """Remove what has expired, one entry at each turn; where one stopped half-way, the next goes on."""
        steps = self._sweep_steps()
        while True:
            with self._lock:
                gone = next(steps, None)
            if gone is None:
                return
            self._tell(gone)
            yield

    def _sweep_steps(self) -> Iterator[Sequence[_Removed]]:
        now = self._rules.clock()
        for key in self._wheel.due(now):
            gone: list[_Removed] = []
            entry = self.entries.get(key)
            if entry is not None and entry.deadline <= now:
                self._remove(key, EvictionCause.EXPIRED, gone)
            elif entry is not None and entry.deadline < NEVER:  # it was moved since it was put here
                self._wheel.add(key, entry.deadline, now)
            yield gone
        if self._needs_tidying():
            for _ in self._wheel.tidy(self.entries.__contains__):
                yield ()
            self._tidy_above = max(_TIDY_FROM, 2 * self._wheel.size)

    # --- the whole --------------------------------------------------------------------------------------------------

    async def close(self, *, wait: bool) -> None:
        """Take no more calls; end the loads in the air, or wait for them; then forget everything.

        Args:
            wait: let loads end by themselves; else they are cancelled.
        """
        self.flights.closed = True
        await drain(self.flights, cancel=not wait, everywhere=True)
        self._sweeper.stop(asyncio.get_running_loop())
        self._forget_all()

    async def settle(self, *, wait: bool) -> None:
        """End this loop's loads in the air, or wait for them, and its sweeper. Calls that come later begin anew."""
        await drain(self.flights, cancel=not wait, everywhere=False)
        self._sweeper.stop(asyncio.get_running_loop())

    def restart_after_fork(self) -> None:
        """Make the tier fit for use in a forked child: the parent's other threads are not there any more."""
        self.flights.forget_unlinked()
        if self._lock.acquire(blocking=False):
            self._lock.release()
            return
        # One of them was in the midst of a change: what it left half-done is not to be trusted.
        self._lock = threading.RLock()
        self._wheel.clear()
        self._tidy_above = _TIDY_FROM
        self._cache.clear()

    def stats(self, hits: int) -> CacheStats:
        """Give a snapshot of the counters; the hits are counted by the one who hits."""
        flights = self.flights
        return CacheStats(
            hits=hits,
            misses=flights.misses,
            coalesced=flights.coalesced,
            loads=flights.loads,
            failures=flights.failures,
            abandoned=flights.abandoned,
            evictions=dict(self._evictions),
            callback_errors=self._callback_errors,
            in_flight=flights.in_flight(),
            size=len(self.entries),
            weight=self._cache.weight,
            sweeper_alive=self._sweeper.is_armed(),
        )


def _fixed_terms(cache: BoundedCache[Any, Any], rules: Rules) -> _Terms | None:
    """The terms that hold for every value, where none of the user's functions decides them."""
    expiry = rules.expiry
    if cache.max_weight == 0:
        return _NOT_STORED
    if rules.store_if is not None or callable(expiry.ttl) or cache.max_weight is not None:
        return None
    return _NOT_STORED if expiry.ttl == 0 or expiry.idle == 0 or not cache.fits(1) else (1, expiry.ttl)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_all: "weakref.WeakSet[MemoryTier[Any, Any]]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for tier in list(_all):
        tier.restart_after_fork()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
