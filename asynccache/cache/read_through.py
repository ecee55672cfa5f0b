"""Reading through: what a call does that is not a plain hit.

A value that is old may be served while one refresh runs behind it, an error may be remembered, a load that has just
failed is not asked again, and a cache may be switched off for a while. Which of these, core decides (`freshness.py`);
here it is done.
"""

import asyncio
import random
from collections.abc import Hashable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

from asynccache.bypass import Bypass, Switch
from asynccache.core.freshness import Verdict
from asynccache.core.lasting_entry import LastingEntry, judge
from asynccache.core.remembered_error import RememberedError
from asynccache.errors import CacheClosed, RecursiveLoad
from asynccache.flight.flight import Flight, current, leads_to
from asynccache.flight.loading import Load
from asynccache.flight.plan import Plan
from asynccache.memory.tier import MemoryTier
from asynccache.protocols import MISSING, Missing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SERVED: Final = (Verdict.FRESH, Verdict.REFRESH, Verdict.STALE)


class ReadThrough(Generic[K, V]):
    """Reads that start loads, of a tier whose entries are `LastingEntry`s.

    Args:
        tier: where values are kept.
        switch: tells whether the tier is bypassed.
    """

    def __init__(self, tier: MemoryTier[K, V], switch: Switch | None = None) -> None:
        self._tier = tier
        self._switch = switch
        self._alone: set[Flight[K]] = set()

    async def fetch(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V:
        """Give the value of `key`: what is stored, if it may be served, or what a load brings.

        Args, Raises: those of `Flights.fetch`; and errors that are remembered for this key.
        """
        mode = None if self._switch is None or not self._switch.used else self._switch.mode()
        if mode is Bypass.DISABLED:
            return await self._load_alone(plan, key, args, kwargs)
        if mode is None:
            found = self.find(plan, key, args, kwargs)
            if found is not MISSING:
                return found
        elif plan.beyond is not None:
            plan = plan.anew()
        return await self._tier.flights.fetch(plan, key, args, kwargs)

    async def _load_alone(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V:
        """Load for one caller, in its own task, and store nothing."""
        if self._tier.flights.closed:
            raise CacheClosed(self._tier.flights.name)
        flight = Flight(key, self._tier.flights, plan)
        flight.said = Load(plan.own_key(key), plan)  # which finds no old value
        parent = current.get()
        if parent is not None and any(other.key == key and leads_to(other, parent) for other in self._alone):
            raise RecursiveLoad(plan.name, plan.own_key(key))
        self._alone.add(flight)
        if parent is not None:
            parent.begin_to_wait(flight)
        token = current.set(flight)
        try:
            value: V = await plan.load(*args, **kwargs)
            return value
        finally:
            current.reset(token)
            self._alone.discard(flight)
            flight.landed = True
            flight.plan = flight.owner = flight.said = None
            if parent is not None:
                parent.end_to_wait(flight)

    def find(self, plan: Plan, key: K, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> V | Missing:
        """Give what can be served at once, and see to it that it is refreshed if it is time; `MISSING` if nothing can.

        Raises:
            Exception: the error that is remembered for this key.
        """
        store = self._tier.store
        entry = store.kept(key)
        value: Any = MISSING if entry is None else getattr(entry, "value", MISSING)
        if entry is None or value is MISSING:
            return MISSING
        all_counts = [self._tier.flights.counts] if plan.counts is None else [self._tier.flights.counts, plan.counts]
        if isinstance(value, RememberedError):
            for counts in all_counts:
                counts.hits += 1
            raise value.again()
        now = store.rules.clock()
        verdict = judge(entry, now, random.random)
        if verdict is Verdict.FALLBACK and (now < entry.retry_at or self._is_late(key)):
            verdict = Verdict.STALE
        if verdict not in _SERVED:
            return MISSING
        for counts in all_counts:
            if verdict is Verdict.STALE:
                counts.stale += 1
            else:
                counts.hits += 1
        store.use(entry, now)
        if verdict is not Verdict.FRESH and now >= entry.retry_at:
            self._refresh(plan, entry, args, kwargs)
        return cast("V", value)

    def _is_late(self, key: K) -> bool:
        return any(flight.is_late and not flight.landed for flight in self._tier.flights.tables.of(key))

    def _refresh(self, plan: Plan, entry: LastingEntry[K, V], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Start a refresh behind, unless there is one or there are too many."""
        flights = self._tier.flights
        here = flights.tables.states.get(id(asyncio.get_running_loop()))
        if here is not None and entry.key in here:  # as it is most often, while old values are served
            return
        if flights.closed or not self._tier.claim(entry.key):
            return
        try:
            most = self._tier.rules.max_refreshes
            if flights.tables.refreshes() >= most:
                flights.tables.drop_closed()  # they may have been left behind
            if flights.tables.refreshes() < most:
                flights.refresh(plan, entry.key, args, kwargs)
        except Exception as error:  # such as a loop that makes no tasks any more: the old value is served all the same
            self._tier.store.notices.report("a refresh", error)
        finally:
            self._tier.release(entry.key)
