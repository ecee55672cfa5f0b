"""What a flight does where values are shared: look in the store, else load, and store what it brought.

Decides what a value of the store is worth to who waits for it, and who may load it. The flight is in the air all this
time, so whatever is said about its key meanwhile, here or by another process, keeps its value out of the tier in
process as it ever did; and the store refuses it, if anything else has been stored or deleted there.
"""

import functools
import random
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final, cast

from asynccache.core.freshness import Verdict
from asynccache.core.remembered_error import RememberedError
from asynccache.errors import LeftOut
from asynccache.flight.flight import Flight
from asynccache.flight.further import load, serve_old
from asynccache.flight.plan import Plan
from asynccache.locks.fleet import FleetFlights
from asynccache.locks.lease import Lease
from asynccache.memory.appraisal import Terms
from asynccache.memory.tier import MemoryTier
from asynccache.protocols import MISSING, Missing
from asynccache.shared.coherence import ALONE, Coherence
from asynccache.shared.link import TOMBSTONE_TTL, Link
from asynccache.shared.plans import SharedPlan
from asynccache.shared.reading import Found, Reader, Reading
from asynccache.shared.writing import Writer, Written

_NEWER: Final = 1e-3
"""Seconds by which a value of the store has to last longer than the one in process to count as another one."""


class SharedLoads:
    """The loads of one cache.

    Args:
        link: the way to the store.
        reader, writer: read and write there.
        coherence: tells for how long a value may be kept in process.
        memory: the tier in process.
        fleet: lets one process load at a time; None to let each load for itself.
        lease_ttl: seconds of the lease on a load.
        listens: whether it is of use to hear of changes.
    """

    def __init__(
        self,
        link: Link,
        reader: Reader,
        writer: Writer,
        coherence: Coherence,
        memory: MemoryTier[Any, Any],
        *,
        fleet: FleetFlights | None,
        lease_ttl: float,
        listens: bool,
    ) -> None:
        self._link = link
        self._reader = reader
        self._writer = writer
        self._coherence = coherence
        self._memory = memory
        self._fleet = fleet
        self._lease_ttl = lease_ttl
        self.listens = listens

    async def load(self, way: SharedPlan, flight: Flight[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the value of a flight's key: from the store, or by a load whose value goes there.

        Raises:
            Exception: whatever the load raises, or an error that the store remembers for this key.
        """
        plan = flight.plan
        if plan is None:  # pragma: no cover  # a flight has its plan until it lands
            raise RuntimeError("a flight without a plan")
        if self.listens:
            self._coherence.ensure()
        reading = cast("Reading | None", None if way.ahead is None else way.ahead.pop(flight.key, None))
        if reading is None:
            reading = await self.ask(plan, flight.key)
        found = None if way.is_anew else self._use(flight, plan, reading)
        if found is not None:
            return self._given(found)
        self._link.counts.misses += 1
        lease: Lease | None = None
        try:
            if self._fleet is not None and way.ahead is None and not way.is_anew and reading.is_known:
                search = _Search(self, flight, plan, reading)
                outcome = await self._fleet.lead_or_wait(
                    self._link.keys.lease(reading.key), reading.key, ttl=self._lease_ttl, recheck=search.look
                )
                reading = search.reading
                if isinstance(outcome, Found):
                    return self._given(self._taken(flight, plan, outcome))
                lease = outcome if isinstance(outcome, Lease) else None
            return await self._load(flight, plan, reading, args, kwargs)
        finally:
            if lease is not None:
                lease.drop()

    # --- what the store has -----------------------------------------------------------------------------------------

    async def ask(self, plan: Plan, key: Any) -> Reading:
        """Ask the store for one key."""
        since = self._link.changes.begin()
        try:
            return await self._reader.ask_one(plan, key, since)
        finally:
            self._link.changes.end()

    async def look_again(self, search: "_Search", flight: Flight[Any], plan: Plan) -> Found | Missing:
        """Give a value that another process has stored meanwhile, if it is fresh; keep it in process.

        News of it has detached the flight: so it is kept by what was heard since it was asked for.
        """
        since = self._link.changes.begin()
        try:
            is_after_news = flight.is_detached
            search.reading = reading = await self._reader.ask_one(plan, flight.key, since)
            reading.is_after_news = is_after_news
            found = reading.found
            if found is None or self.verdict(plan, found) is not Verdict.FRESH:
                return MISSING
            if (flight.is_refresh or flight.old_is_served) and reading.stamp == search.first_stamp:
                return MISSING
            self.keep_found(plan, flight.key, reading, found)
            return found
        finally:
            self._link.changes.end()

    def keep_found(self, plan: Plan, key: Any, reading: Reading, found: Found) -> None:
        """Keep a value of the store in process, unless something was heard of it since it was asked for."""
        held = self._coherence.held()
        if held != 0:
            heard = functools.partial(self._link.changes.has_changed, (reading.key, *found.records), reading.since)
            self._memory.fill(plan, key, found.value, found.terms(self._link.keys, held), unless=heard)

    def _use(self, flight: Flight[Any], plan: Plan, reading: Reading) -> Found | None:
        """Give what may be served without a load; an old value is served, kept for the worst, or neither."""
        found = reading.found
        if found is None:
            return None
        verdict = self.verdict(plan, found)
        if flight.is_refresh:
            if verdict in (Verdict.FRESH, Verdict.REFRESH) and self.is_newer(flight, found):
                return self._taken(flight, plan, found)
            return None
        if verdict is Verdict.FRESH:
            return self._taken(flight, plan, found)
        if verdict is Verdict.GONE:
            return None
        terms = found.terms(self._link.keys, self._coherence.held())
        flight.old = found.value
        flight.old_tags = self._memory.store.generations.tags(terms.tags) + plan.scope
        self._memory.fill(plan, flight.key, found.value, terms, unless=lambda: False, flight=flight)
        if verdict is not Verdict.FALLBACK:
            serve_old(self._memory.flights, flight, found.value, is_fresh=verdict is Verdict.REFRESH)
        return None

    @staticmethod
    def verdict(plan: Plan, found: Found) -> Verdict:
        """Tell what to do with a value of the store."""
        if isinstance(found.value, RememberedError):
            return Verdict.FRESH  # or it would not have been found
        return plan.freshness.judge(
            now=0.0,
            refresh_at=plan.freshness.refresh_at(-found.age, found.left),
            fresh_until=found.left,
            load_time=found.load_time,
            chance=random.random,
        )

    def is_newer(self, flight: Flight[Any], found: Found) -> bool:
        """Tell whether a value is another one than the one in process, which is to be refreshed."""
        entry = self._memory.store.kept(flight.key)
        if entry is None:
            return flight.old is MISSING
        left = entry.fresh_until - self._link.clock()
        return found.left > left + _NEWER and found.left != inf

    def _taken(self, flight: Flight[Any], plan: Plan, found: Found) -> Found:
        """Note that a flight needs no load."""
        flight.is_found = True
        terms = found.terms(self._link.keys, self._coherence.held())
        flight.terms = self._memory.appraiser.weighed(plan, flight.key, found.value, terms)
        self._link.counts.hits += 1
        if not flight.is_refresh:
            for counts in (self._memory.flights.counts, plan.counts):
                if counts is not None:
                    counts.misses -= 1
                    counts.hits += 1
        return found

    @staticmethod
    def _given(found: Found) -> Any:
        if isinstance(found.value, RememberedError):
            raise found.value.again()
        return found.value

    # --- what a load brings -----------------------------------------------------------------------------------------

    async def _load(
        self, flight: Flight[Any], plan: Plan, reading: Reading, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        try:
            value = await load(self._memory.flights, flight, plan, args, kwargs)
        except Exception as error:
            await self._keep_error(flight, plan, reading, error)
            raise
        terms = self._memory.appraiser.of_load(plan, flight, value, args, kwargs)
        await self._keep(flight, plan, reading, value, terms)
        return value

    async def _keep_error(self, flight: Flight[Any], plan: Plan, reading: Reading, error: Exception) -> None:
        terms = self._memory.appraiser.of_error(plan, flight, error)
        if terms is not None and not isinstance(error, LeftOut):
            await self._keep(flight, plan, reading, RememberedError(error), terms)
        elif isinstance(error, LeftOut) and reading.found is not None and not flight.is_detached:
            await self._writer.forget([reading.key])  # there is no such thing any more

    async def _keep(self, flight: Flight[Any], plan: Plan, reading: Reading, value: Any, terms: Terms) -> None:
        """Store what a load has brought, and say for how long it is kept in process."""
        flight.terms = self._held(terms, self._coherence.held())
        if not terms.is_wanted:
            if reading.found is not None and not flight.is_detached:  # nor is what it would have replaced kept
                await self._writer.forget([reading.key])
            return
        if not flight.is_detached:
            self._memory.is_overtaken(flight, plan, terms)  # which detaches it: the news of its tags count, not dates
        if flight.is_detached and not self._may_be_newest(flight, reading):
            return
        if reading.stamp is None and self._is_too_late(reading) and not self._coherence.is_live():
            return  # what was deleted meanwhile may be forgotten by now
        since = self._link.changes.begin()
        try:
            asked = replace(reading, since=since)
            # What a fleet waits for is written at once; so is what the news may not find any more.
            at_once = flight.is_detached or self._fleet is not None
            written = await self._writer.write(plan, asked, value, terms, flight.load_time, at_once=at_once)
        finally:
            self._link.changes.end()
        if flight.is_detached and self._link.conditions is None:  # meanwhile, and the store could not know
            await self._writer.forget([reading.key])
        if written is Written.OVERTAKEN and not flight.is_detached:
            self._memory.drop(flight.key)
        elif written is Written.NOT_SENT and not reading.is_known:
            held = self._coherence.held()
            flight.terms = self._held(terms, ALONE if held is None else min(held, ALONE))
        self._link.changes.note([reading.key])

    def _may_be_newest(self, flight: Flight[Any], reading: Reading) -> bool:
        """Tell whether the value of a detached flight may be the newest all the same, so that the store is to decide.

        It may be if the news were lost for a moment, or if the store was read again after the news.
        """
        if self._link.conditions is None:
            return False
        return not self._is_too_late(reading) and (flight.is_cut_off or reading.is_after_news)

    def _is_too_late(self, reading: Reading) -> bool:
        return self._link.wall() >= reading.asked_at + TOMBSTONE_TTL

    @staticmethod
    def _held(terms: Terms, held: float | None) -> Terms:
        return replace(terms, held=held, is_stored=terms.is_stored and held != 0)


class _Search:
    """One flight's search for a value that another process loads: it keeps what was read last, for a later write."""

    def __init__(self, loads: SharedLoads, flight: Flight[Any], plan: Plan, reading: Reading) -> None:
        self.reading = reading
        self.first_stamp = reading.stamp
        self._loads = loads
        self._flight = flight
        self._plan = plan

    async def look(self) -> Found | Missing:
        """Give the value if it is there by now."""
        return await self._loads.look_again(self, self._flight, self._plan)
