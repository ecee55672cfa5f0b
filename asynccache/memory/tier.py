"""The tier in memory: a bounded mapping, expiry and flights joined.

Decides what is stored, for how long, and what a removal means to loads in the air. Policies know no time and flights
know no values; here they meet, under one lock. No code of the user's runs under that lock, except for the keys' own
`__hash__` and `__eq__`.
"""

import asyncio
import itertools
import os
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, TypeVar, cast

from asynccache.core.bounded import BoundedCache
from asynccache.core.generations import Tag, first_invalidated
from asynccache.core.remembered_error import RememberedError
from asynccache.errors import CacheClosed, LeftOut, RecursiveLoad
from asynccache.flight.drain import drain
from asynccache.flight.flight import Failure, Flight
from asynccache.flight.flights import Flights
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import Terms
from asynccache.memory.appraiser import Appraiser
from asynccache.memory.entry_store import EntryStore, Rules, is_in_loop, names_of, value_of
from asynccache.memory.listeners import Removed
from asynccache.memory.watches import Watch, Watches
from asynccache.protocols import MISSING, EvictionCause, Missing
from asynccache.stats import CacheStats, LoadCounts
from asynccache.sweeper import start_timer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SWEPT_A_PUT: Final = 4
"""Steps of the sweep that a put makes itself where no loop runs: more than it adds."""


class MemoryTier(Generic[K, V]):
    """What one cache holds in this process, and the loads into it.

    Safe to use from several threads, each with an event loop of its own.

    Args:
        cache: the bounded mapping that holds the entries; the tier's alone from now on.
        rules: how values are treated.
        plan: of all loads, if there is only one.
    """

    def __init__(self, cache: BoundedCache[K, V], rules: Rules, plan: Plan | None = None) -> None:
        self._cache = cache
        self.rules = rules
        self.store: EntryStore[K, V] = EntryStore(cache, rules)
        self._claimed: set[K] = set()
        self._watches = Watches()
        self.appraiser = Appraiser(cache, self.store.notices, plan)
        self.flights: Flights[K, V] = Flights(
            rules.name,
            self,
            clock=rules.clock,
            call_later=lambda loop, delay, callback: start_timer(rules.clock, loop, delay, callback),
            generations=self.store.generations if rules.is_lasting else None,
        )
        _all.add(self)

    # --- what loads bring -------------------------------------------------------------------------------------------

    def begin(self, flight: Flight[K]) -> None:
        """Let a load hold on to the generation in which it begins."""
        with self.store.lock:
            flight.epoch = self.store.generations.epoch()

    def take_in(self, flight: Flight[K], value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Store what a load has brought, unless something newer has been said about its key; tell whether it is stored.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        plan = flight.plan
        if plan is None:
            return False
        terms = flight.terms
        if terms is None:
            terms = self.appraiser.of_load(plan, flight, value, args, kwargs)
        return self._take(flight, plan, value, terms)

    def drop(self, key: K, *, is_replaced: bool = False) -> None:
        """Forget the value of `key`, and what loads in the air will bring, as it is out of date.

        Args:
            is_replaced: whether another value takes its place, here or further away.
        """
        gone: list[Removed] = []
        with self.store.lock:
            self._watches.note(key)
            self.flights.tables.detach(key)
            self.store.remove(key, EvictionCause.REPLACED if is_replaced else EvictionCause.EXPLICIT, gone)
        if gone:
            self.store.tell(gone)

    def fill(
        self, plan: Plan, key: K, value: V, terms: Terms, *, unless: Callable[[], bool], flight: Flight[K] | None = None
    ) -> bool:
        """Store a value that was found further away, where it has its dates from; tell whether it is stored.

        Args:
            unless: tells, under the lock, whether something newer has been heard of since it was asked for.
            flight: the load that has found it, if it was one.
        """
        if terms.age is not None:  # it comes from further away, where it weighs nothing
            terms = self.appraiser.weighed(plan, key, value, terms)

        def is_refused() -> bool:
            if not terms.is_stored or unless():
                return True
            return flight is not None and (flight.is_detached or self.is_overtaken(flight, plan, terms))

        return self._enter(plan, key, value, terms, is_refused)

    def _enter(self, plan: Plan, key: K, value: V, terms: Terms, is_refused: Callable[[], bool]) -> bool:
        """Store a value that was not loaded, unless that is refused when it is looked at under the lock."""
        gone: list[Removed] = []
        try:
            with self.store.lock:
                if is_refused():
                    return False
                evicted = self.store.enter(key, value, terms, plan, gone, terms.load_time or 0.0)
        except Exception as error:  # a policy of the user's own: its mistake costs the entry, not the value
            self.store.notices.report("the policy", error)
            return False
        self.store.tell_evicted(evicted)
        self.store.tell(gone)
        return True

    def _take(self, flight: Flight[K], plan: Plan, value: V, terms: Terms) -> bool:
        gone: list[Removed] = []
        try:
            with self.store.lock:
                if (flight.epoch is not None and self.is_overtaken(flight, plan, terms)) or flight.is_detached:
                    return False
                load_time = flight.load_time if terms.load_time is None else terms.load_time
                evicted = self.store.enter(flight.key, value, terms, plan, gone, load_time)
        except Exception as error:  # a policy of the user's own: its mistake costs the entry, not the value
            self.store.notices.report("the policy", error)
            return False
        if evicted:
            self.store.tell_evicted(evicted)
        if gone:
            self.store.tell(gone)
        return terms.is_stored

    def is_overtaken(self, flight: Flight[K], plan: Plan, terms: Terms) -> bool:
        """Tell whether one of a value's tags was invalidated while it was being loaded."""
        tags = self.store.generations.tags(terms.tags) + plan.scope
        invalidated = 0 if flight.epoch is None else first_invalidated(tags, flight.epoch)
        if not invalidated:
            return False
        flight.overtaken_at = invalidated
        flight.is_detached = True
        return True

    def take_failure(self, flight: Flight[K], failure: Failure) -> V | Missing:
        """Remember an error that is an answer; else give the old value, if it may be served instead."""
        plan, error = flight.plan, failure.error
        if plan is None or not isinstance(error, Exception) or isinstance(error, RecursiveLoad | CacheClosed):
            return MISSING
        if failure.is_left_out:
            cast("LeftOut", error).flight = None  # it has told what it had to
        terms = flight.terms or self.appraiser.of_error(plan, flight, error)
        if terms is None and failure.is_left_out:
            self._drop_answered(flight)
            return MISSING
        if terms is None:
            return self._outlast(flight, plan)
        if isinstance(error, LeftOut) and not failure.is_left_out:
            error = KeyError(*error.args)  # left out elsewhere: here it is an error like any other
        self._take(flight, plan, cast("V", RememberedError(error)), terms)
        return MISSING

    def _drop_answered(self, flight: Flight[K]) -> None:
        gone: list[Removed] = []
        with self.store.lock:
            if not flight.is_detached:
                self.store.remove(flight.key, EvictionCause.REPLACED, gone)
        self.store.tell(gone)

    def _outlast(self, flight: Flight[K], plan: Plan) -> V | Missing:
        """Let the old value live through a failure: nobody asks again before it has had its time."""
        with self.store.lock:
            entry = None if flight.is_detached else self.store.kept(flight.key)
            if entry is None:
                return cast("V | Missing", MISSING if flight.is_detached else flight.old_value())
            entry.retry_at = self.rules.clock() + plan.freshness.error_backoff
        return self.fallback(flight)

    def fallback(self, flight: Flight[K]) -> V | Missing:
        """Give the old value that may be served though it is out of date, if there is one."""
        entry = self.store.kept(flight.key)
        allowed = 0.0 if flight.plan is None else flight.plan.freshness.stale_if_error
        if entry is None and allowed:
            return cast("V | Missing", flight.old_value())
        if entry is None or not allowed or self.rules.clock() >= entry.fresh_until + allowed:
            return MISSING
        old: V | Missing = value_of(entry)
        if old is not MISSING:
            # Who waits in the load's own first step is in no list.
            self.flights.counts.fallbacks += len(flight.waiters) + flight.boarding
        return old

    # --- storing ----------------------------------------------------------------------------------------------------

    def put(self, plan: Plan, key: K, value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Store a value as if the call had been made and had given it; it holds against loads in the air.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        terms = self.appraiser.of_put(plan, key, value, args, kwargs)
        gone: list[Removed] = []
        with self.store.lock:
            self.flights.tables.detach(key)
            evicted = self.store.enter(key, value, terms, plan, gone, 0.0)
        self.store.tell_evicted(evicted)
        self.store.tell(gone)
        if not is_in_loop():  # where nobody sweeps: whoever puts clears away a little
            for _ in itertools.islice(self.store.sweep(), _SWEPT_A_PUT):
                pass

    def watch(self) -> AbstractContextManager[Watch]:
        """Note what is said about keys and tags, while values from former times are on their way."""
        with self.store.lock:
            return self._watches.begin(self.store.generations.epoch())

    def adopt(self, plan: Plan, key: K, value: V, terms: Terms, watch: Watch) -> bool:
        """Store a value from former times, unless something newer is known; tell whether it is stored."""
        terms = self.appraiser.weighed(plan, key, value, terms)

        def is_refused() -> bool:
            if not terms.is_stored or self.store.kept(key) is not None or self.flights.tables.is_flying(key):
                return True
            return watch.has_heard_of(key, self.store.generations.tags(terms.tags) + plan.scope)

        return self._enter(plan, key, value, terms, is_refused)

    # --- reading and removing ---------------------------------------------------------------------------------------

    def contains(self, key: K) -> bool:
        """Tell whether a call would be answered without starting a load."""
        if self.store.peek(key) is not MISSING or self.flights.tables.is_flying(key):
            return True
        entry = self.store.kept(key)
        return entry is not None and isinstance(entry.value, RememberedError)

    def get(self, key: K) -> V | Missing:
        """Give a value that is fresh, for a reader that would not load it. Counts as a use, or as a miss."""
        value = self.store.peek(key, old=False)
        entry = self.store.kept(key)
        if value is MISSING or entry is None:
            self.flights.counts.misses += 1
            return MISSING
        self.flights.counts.hits += 1
        self.store.use(entry, self.rules.clock())
        return value

    def kept_value(self, key: K) -> tuple[V | Missing, tuple[str, ...]]:
        """Give the value that is stored, be it fresh or old, if there is one, and the names of its tags."""
        if not self.rules.is_lasting:
            return self.store.peek(key), ()
        entry = self.store.kept(key)
        return (MISSING, ()) if entry is None else (value_of(entry), names_of(entry))

    def served(self, key: K) -> V | Missing:
        """Give the value that is served at once, if there is one.

        Raises:
            Exception: the error that is remembered in its place.
        """
        entry = self.store.kept(key)
        value: Any = MISSING if entry is None else getattr(entry, "value", MISSING)
        if isinstance(value, RememberedError):
            raise value.again()
        return self.store.peek(key)

    def claim(self, key: K) -> bool:
        """Tell whether a load of `key` may be started behind: whoever may, does so, and then calls `release`."""
        with self.store.lock:
            if self.flights.tables.is_flying(key):
                self.flights.tables.drop_closed()
            if key in self._claimed or self.flights.tables.is_flying(key):
                return False
            self._claimed.add(key)
            return True

    def release(self, key: K) -> None:
        """Let others claim `key` again: the load that was started is in the air by now."""
        self._claimed.discard(key)

    def invalidate(self, key: K) -> bool:
        """Forget the value of `key`, and what loads in the air will bring; tell if there was anything to forget."""
        gone: list[Removed] = []
        with self.store.lock:
            self._watches.note(key)
            found = self.flights.tables.detach(key)
            if self.rules.is_lasting:
                found |= self.store.kept(key) is not None
            else:
                found |= self.store.peek(key) is not MISSING
            self.store.remove(key, EvictionCause.EXPLICIT, gone)
        self.store.tell(gone)
        return found

    def invalidate_tags(self, names: Iterable[str]) -> None:
        """Forget, in no more time than it takes to say so, all values that carry one of these tags."""
        with self.store.lock:
            self.store.invalidate(self.store.generations.tags(names))

    def invalidate_scope(self, scope: Tag) -> None:
        """Forget, in no more time than it takes to say so, all values of a namespace."""
        with self.store.lock:
            self.store.invalidate((scope,))

    def clear(self) -> None:
        """Forget everything, counters included, and what loads in the air will bring."""
        self.forget_all()
        self.store.notices.reset_counts()
        self.flights.counts = LoadCounts()

    def forget_all(self, *, at_once: bool = False, is_doubt: bool = False) -> None:
        """Forget all values, and what loads in the air will bring.

        Args:
            at_once: give back their memory at once, however long that takes.
            is_doubt: whether that is because nobody knows what has changed.
        """
        with self.store.lock:
            self._watches.note_all()
            self.flights.tables.detach_all(is_doubt=is_doubt)
            gone = self.store.forget_all(at_once=at_once)
        self.store.tell(gone)

    # --- the whole --------------------------------------------------------------------------------------------------

    async def close(self, *, wait: bool) -> None:
        """Take no more calls; end the loads in the air, or wait for them; then forget everything.

        Args:
            wait: let loads end by themselves; else they are cancelled.
        """
        self.flights.closed = True
        try:
            await drain(self.flights, cancel=not wait, everywhere=True)
        finally:  # also if whoever closes does not wait until the end
            self.forget_all(at_once=True)
            self.store.sweeper.stop(asyncio.get_running_loop())
        await self.store.notices.drain()

    async def settle(self, *, wait: bool) -> None:
        """End this loop's loads in the air, or wait for them, and its sweeper. Calls that come later begin anew."""
        await drain(self.flights, cancel=not wait, everywhere=False)
        await self.store.notices.drain()
        self.store.sweeper.stop(asyncio.get_running_loop())

    def restart_after_fork(self) -> None:
        """Make the tier fit for use in a forked child: the parent's other threads are not there any more."""
        self.flights.tables.forget_unlinked()
        self._claimed.clear()
        self._watches = Watches()
        if self.store.lock.acquire(blocking=False):
            self.store.lock.release()
            return
        # One of them was in the midst of a change: what it left half-done is not to be trusted.
        self.store.reset()

    def stats(self, hits: int) -> CacheStats:
        """Give a snapshot of the counters; the hits are counted by the one who hits."""
        return CacheStats(
            **self.flights.counts.told(hits),
            evictions=dict(self.store.notices.counts),
            callback_errors=self.store.notices.callback_errors,
            notices_dropped=self.store.notices.dropped,
            in_flight=self.flights.tables.count(self.flights),
            size=len(self.store.entries),
            weight=self._cache.weight,
            sweeper_alive=self.store.sweeper.is_armed(),
        )


_all: "weakref.WeakSet[MemoryTier[Any, Any]]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for tier in list(_all):
        tier.restart_after_fork()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_after_fork_in_child)
