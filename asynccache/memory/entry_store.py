"""What a cache holds in this process: a bounded mapping with dates, tags and listeners.

Decides for how long an entry is of use and why it leaves. Policies know no time; here they get one. Loads are the
business of the floor above, as is the rule that whoever changes anything here holds the lock. No code of the user's
runs under it, except for the keys' own `__hash__` and `__eq__`.
"""

import asyncio
import contextvars
import math
import random
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, cast

from asynccache.core.bounded import BoundedCache
from asynccache.core.due import DueEntries
from asynccache.core.entry import NEVER, Entry, SlidingEntry, sliding
from asynccache.core.expiry import Expiry
from asynccache.core.generations import Generations, Tags
from asynccache.core.keys import split_key
from asynccache.core.lasting_entry import LastingEntry, date, gone_at, is_invalidated, is_served, lasting, slide
from asynccache.core.remembered_error import RememberedError
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import Terms
from asynccache.memory.listeners import AnyListener, EvictionNotices, Removed
from asynccache.protocols import MISSING, Clock, EvictionCause, Missing, SupportsTimers
from asynccache.sweeper import Sweeper

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_FREED_AT_ONCE: Final = 10_000
"""Entries that are given back at once when all are forgotten; more than that are given back in the background."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How a tier treats all that it holds, whatever loaded it; read and checked where the user wrote it.

    Attributes:
        name: what the cache is called.
        clock: tells the time in seconds.
        idle: seconds after its last hit that a value lives.
        can_expire: whether there can be entries that expire.
        is_lasting: whether entries can have tags and terms of their own, and outlive their ttl.
        listeners: told of each entry that has left.
        max_refreshes: how many refreshes there may be at once.
    """

    name: str
    clock: Clock | SupportsTimers
    idle: float | None = None
    can_expire: bool = False
    is_lasting: bool = False
    listeners: tuple[AnyListener, ...] = ()
    max_refreshes: int = 32


class EntryStore(Generic[K, V]):
    """The entries of one cache, and what is to be done about them as time goes by.

    Args:
        cache: the bounded mapping that holds the entries; the store's alone from now on.
        rules: how entries are treated.
    """

    def __init__(self, cache: BoundedCache[K, V], rules: Rules) -> None:
        self.cache = cache
        self.rules = rules
        self.lock = threading.RLock()
        self.entries = cache.entries
        self.generations = Generations()
        self.notices = EvictionNotices(rules.listeners, rules.name)
        self.sweeper = Sweeper(self, rules.clock)
        self._entry_type, self._gone_at = _kind_of_entry(cache.entry_type, rules)
        self._swept: list[Removed] = []
        self._due: DueEntries[K] = DueEntries(self.entries, self._gone_at)

    # --- storing ------------------------------------------------------------------------------------------------------

    def enter(
        self, key: K, value: V, terms: Terms, plan: Plan, gone: list[Removed], load_time: float
    ) -> Sequence[Entry[K, V]]:
        """Put a value in the place of `key`, and return what had to go for it.

        An expiring cache dates it, and sees to it that it is swept.
        """
        if not terms.is_stored:  # nor is what it would have replaced kept: that is out of date
            self.remove(key, EvictionCause.REPLACED, gone)
            return ()
        rules = self.rules
        now = rules.clock() if rules.can_expire else 0.0
        if rules.is_lasting and isinstance(value, RememberedError):  # never where a hit may just be fetching the value
            self.remove(key, EvictionCause.REPLACED, gone)
        entry = self.entries.get(key)
        if entry is None:
            known_until = NEVER
            entry = self._entry_type(key, value, terms.weight)
            if rules.is_lasting:  # before others can see it: it has no dates yet
                entry.deadline = -math.inf
            evicted = self.cache.admit(entry)
        else:
            known_until = self._gone_at(entry)
            if not (terms.is_renewal and entry.value is value):
                gone.append((key, entry.value, self._cause(entry, EvictionCause.REPLACED, now)))
            evicted = self.cache.replace(entry, value, terms.weight)
            entry = self.entries[key]
        if rules.can_expire:
            self._date(entry, terms, plan, now, known_until, load_time)
        return evicted

    def _date(
        self, entry: Entry[K, V], terms: Terms, plan: Plan, now: float, known_until: float, load_time: float
    ) -> None:
        idle = self.rules.idle
        if terms.age is None or terms.ttl is None:
            limit = plan.expiry.limit(terms.ttl, now, random.random)
        else:
            limit = now + terms.ttl
        # The value is there already: a reader in another thread that comes between the two takes the new value for an
        # old one, which costs a load; the other way round it would be served an old one.
        if self.rules.is_lasting:
            lasting_entry = cast("LastingEntry[K, V]", entry)
            lasting_entry.tags = self._tags(terms.tags, plan)
            lasting_entry.seen = self.generations.now
            date(
                lasting_entry,
                now=now,
                fresh_until=limit,
                freshness=plan.freshness,
                idle=idle,
                load_time=load_time,
                held=terms.held,
                age=terms.age or 0.0,
            )
        else:
            if idle is not None:
                cast("SlidingEntry[K, V]", entry).limit = limit
            entry.deadline = limit if idle is None else min(limit, now + idle)
        until = self._gone_at(entry)
        if until < known_until:
            self._due.add(entry.key, until, now)
        if until < NEVER or self._due.next_due() < NEVER:
            self._wake_sweeper()

    def _tags(self, names: tuple[str, ...], plan: Plan) -> Tags:
        return self.generations.tags(names) + plan.scope if names else plan.scope

    def _wake_sweeper(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # stored from outside of a loop: the next load wakes it
            return
        self.sweeper.arm(loop, self.next_sweep())

    def renew(self, plan: Plan, key: K, ttl: float | None) -> bool:
        """Begin a new term for a value that is stored; tell if there is one."""
        with self.lock:
            entry = self.kept(key)
            if entry is None or self.peek(key, old=False) is MISSING:
                return False
            # What was promised when it was stored still holds; and this time it is said exactly, without jitter.
            plan = replace(plan, freshness=entry.freshness, expiry=Expiry(idle=self.rules.idle))
            terms = Terms(entry.weight, ttl, names_of(entry))
            self._date(entry, terms, plan, self.rules.clock(), self._gone_at(entry), entry.load_time)
        return True

    def forget_all(self, *, at_once: bool = False) -> list[Removed]:
        """Remove all entries, and give those that there is somebody to be told of.

        Args:
            at_once: give back their memory at once, however long that takes.
        """
        self._due.clear()
        # By way of `dict`: a hit in another thread may just be moving a key of an `OrderedDict`.
        entries: list[Any] = list(dict.values(self.entries))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        self.cache.clear()
        if self.notices.hears:
            return [(entry.key, entry.value, EvictionCause.CLEARED) for entry in entries]
        self.notices.counts[EvictionCause.CLEARED] += len(entries)
        if (
            not at_once and len(entries) > _FREED_AT_ONCE and is_in_loop()
        ):  # to give back so much memory takes the interpreter long
            self._due.discard(entries)
            self._wake_sweeper()
        return []

    def invalidate(self, tags: Tags) -> None:
        """Make invalid, in no more time than it takes to say so, all entries that carry one of these tags."""
        for tag in tags:
            self.generations.invalidate(tag)
        if self._due.purge_soon(self.rules.clock()):
            self._wake_soon()

    def _wake_soon(self) -> None:
        """Wake the sweeper in the next turn of the loop, so that whoever invalidates need not wait for that."""
        if is_in_loop():
            loop = asyncio.get_running_loop()
            loop.call_soon(self._wake, weakref.ref(self), context=contextvars.Context())

    @staticmethod
    def _wake(ref: "weakref.ref[Any]") -> None:
        store: EntryStore[Any, Any] | None = ref()
        if store is not None:
            store._wake_sweeper()

    def reset(self) -> None:
        """Forget all entries, and what another thread may have left half-done, without telling anybody."""
        self.lock = threading.RLock()
        self._due.clear()
        self.cache.clear()

    # --- reading ------------------------------------------------------------------------------------------------------

    def touch(self, entry: Entry[K, V]) -> None:
        """Note a hit for a policy that does more than set a number, and is thread-safe only under the lock."""
        with self.lock:
            if self.entries.get(entry.key) is entry:
                self.cache.touch(entry)

    def use(self, entry: LastingEntry[K, V], now: float) -> None:
        """Note a hit that was more than a look-up."""
        if self.rules.idle is not None:
            slide(entry, now, self.rules.idle)
        self.touch(entry)

    def kept(self, key: K) -> LastingEntry[K, V] | None:
        """Give the entry of a key if it is of any use: it may be old, or a remembered error, but not invalid."""
        with self.lock:
            entry = cast("LastingEntry[K, V] | None", self.entries.get(key))
            if entry is None or not self.rules.is_lasting or self.rules.clock() >= gone_at(entry):
                return None
            if entry.seen != self.generations.now:
                if is_invalidated(entry):
                    return None
                entry.seen = self.generations.now
            return entry

    def peek(self, key: K, *, old: bool = True) -> V | Missing:
        """Give the value that a reader would be given at once, `MISSING` if there is none. Counts as nothing.

        Args:
            key: whose value.
            old: give also a value whose time is over, if it may be served while it is refreshed.
        """
        if not self.rules.is_lasting:
            found = self.entries.get(key)
            if found is None or self.rules.clock() >= found.deadline:
                return MISSING
            plain: V | Missing = value_of(found)
            return plain
        entry = self.kept(key)
        now = self.rules.clock()
        if entry is None or not (is_served(entry, now) if old else now < entry.fresh_until):
            return MISSING
        value: V | Missing = value_of(entry)
        return value

    def all_kept(self) -> Iterator[tuple[K, LastingEntry[K, V]]]:
        """Give all entries that are of any use, as they are when their turn comes."""
        # By way of `dict`: a hit in another thread may just be moving a key of an `OrderedDict`.
        keys: list[K] = list(dict.keys(self.entries))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        for key in keys:
            entry = self.kept(key)
            if entry is not None:
                yield key, entry

    # --- removing -----------------------------------------------------------------------------------------------------

    def remove(self, key: K, cause: EvictionCause, gone: list[Removed]) -> None:
        """Remove the entry of a key, if there is one, and note it in `gone`."""
        entry = self.entries.get(key)
        if entry is not None:
            cause = self._cause(entry, cause, self.rules.clock())
            gone.append((key, self.cache.remove(entry), cause))

    def _sweep_away(self, key: K) -> None:
        self.remove(key, EvictionCause.EXPIRED, self._swept)

    def _cause(self, entry: Entry[K, V], cause: EvictionCause, now: float) -> EvictionCause:
        """Tell why an entry leaves that could have left before for another reason."""
        if self.rules.is_lasting and is_invalidated(cast("LastingEntry[K, V]", entry)):
            newest = max(cast("LastingEntry[K, V]", entry).tags, key=attrgetter("generation"))
            return EvictionCause.EXPLICIT if isinstance(newest.name, str) else EvictionCause.CLEARED
        if cause is not EvictionCause.CAPACITY and now >= self._gone_at(entry):
            return EvictionCause.EXPIRED
        return cause

    def tell_evicted(self, evicted: Sequence[Entry[K, V]]) -> None:
        """Count and tell what every miss in a full cache brings about."""
        if self.notices.hears or self.rules.is_lasting:
            capacity = EvictionCause.CAPACITY
            self.tell([(entry.key, entry.value, self._cause(entry, capacity, 0.0)) for entry in evicted])
        else:
            self.notices.counts[EvictionCause.CAPACITY] += len(evicted)

    def tell(self, gone: Sequence[Removed]) -> None:
        """Count and tell what has left. Not under the lock: listeners may do as they please."""
        if self.rules.is_lasting:
            errors = [cause for _, value, cause in gone if isinstance(value, RememberedError)]
            self.notices.counts.update(errors)  # which are no values of the user's, but took their places
            gone = [
                (split_key(key)[1], value, cause)
                for key, value, cause in gone
                if not isinstance(value, RememberedError)
            ]
        self.notices.tell(gone)

    def next_sweep(self) -> float:
        """Tell when there will be something to sweep, in seconds on the clock; infinity if never."""
        return self._due.next_due()

    def sweep(self) -> Iterator[None]:
        """Remove what has expired, a little at each turn; where one stopped half-way, the next goes on."""
        steps = self._due.steps(self.rules.clock(), self._sweep_away)
        while True:
            with self.lock:
                done = next(steps, MISSING) is MISSING
                gone, self._swept = self._swept, []
            self.tell(gone)
            if done:
                return
            yield


def is_in_loop() -> bool:
    """Tell whether there is an event loop here that can do something later."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def names_of(entry: LastingEntry[Any, Any]) -> tuple[str, ...]:
    """Give the names of an entry's tags, without its namespaces."""
    return tuple([tag.name for tag in entry.tags if isinstance(tag.name, str)])


def value_of(entry: Entry[Any, Any]) -> Any:
    """Give the value of an entry, `MISSING` if it has left meanwhile or is a remembered error."""
    value = getattr(entry, "value", MISSING)
    return MISSING if isinstance(value, RememberedError) else value


def _kind_of_entry(
    entry_type: type[Entry[Any, Any]], rules: Rules
) -> tuple[type[Entry[Any, Any]], Callable[[Any], float]]:
    """Choose what is kept for a key, and how to tell from when on it is of no use."""
    if rules.is_lasting:
        return lasting(entry_type), gone_at
    return entry_type if rules.idle is None else sliding(entry_type), attrgetter("deadline")
