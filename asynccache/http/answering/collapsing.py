"""Collapsing requests: those that ask the same at the same time are sent once (RFC 9111, 4).

Decides who may share. Before the head of a response has come, all whose telling fields are the same wait for one
request; once it is there, each takes it if it may be reused for what it asks. What may not goes to the one whose
request it was: the others ask for themselves, all at once, and whoever asks for that URL later waits for nobody.
"""

import asyncio
import contextvars
import threading
from collections.abc import Collection
from typing import Any, Final, TypeAlias

from asynccache.core.lru import LRUCache
from asynccache.errors import LoadCancelled
from asynccache.flight.flight import Flight, current
from asynccache.flight.flights import Flights
from asynccache.flight.plan import Plan
from asynccache.http import rfc9111
from asynccache.http.answering.errands import CONDITIONS, Coming, Errand, Kept, Landing, Passed, selects
from asynccache.http.answering.forwarding import Forwarding
from asynccache.http.syntax.message import WallClock
from asynccache.loops import PerLoop
from asynccache.protocols import MISSING, Missing

_TELLING: Final = (*CONDITIONS, "range", "cache-control", "pragma")
_REMEMBERED: Final = 4_096
"""For how many URLs it is remembered that nothing can be shared."""

_ATTEMPTS: Final = 2
"""How often one waits for somebody else's request before one sends one's own."""

_PATIENCE: Final = 10.0
"""Seconds that one waits for somebody else's run of a handler."""

Key: TypeAlias = tuple[Any, ...]


class _KeepsNothing:
    """Owns flights whose outcome is handed to those who wait, and not kept: a landing belongs to its own time."""

    def begin(self, _flight: Flight[Key], /) -> None:
        """Do nothing."""

    def take_in(self, _flight: Flight[Key], _value: Landing, _args: Any, _kwargs: Any, /) -> bool:
        """Store nothing."""
        return False

    def take_failure(self, _flight: Flight[Key], _failure: object, /) -> Missing:
        """Give nothing instead."""
        return MISSING

    def fallback(self, _flight: Flight[Key], /) -> Missing:
        """Give nothing instead."""
        return MISSING

    def kept_value(self, _key: Key, /) -> tuple[Missing, tuple[str, ...]]:
        """There is none."""
        return MISSING, ()

    def served(self, _key: Key, /) -> Missing:
        """There is none."""
        return MISSING


class Collapsing:
    """Sends errands, those that are the same once.

    Args:
        forwarding: asks the origin.
        clock: tells the wall time.
        name: what errors call the cache.
    """

    def __init__(self, forwarding: Forwarding, clock: WallClock, name: str) -> None:
        self._forwarding = forwarding
        self._clock = clock
        self._owner = _KeepsNothing()
        self.flights: Flights[Key, Landing] = Flights(
            name,
            self._owner,
            clock=clock,
            call_later=lambda loop, delay, back: loop.call_later(delay, back, context=contextvars.Context()),
        )
        self._plan = Plan(name=name, load=self._send)
        self._arriving: PerLoop[dict[Key, Coming]] = PerLoop(dict)
        self._lock = threading.Lock()
        self._unshared: LRUCache[str, None] = LRUCache(_REMEMBERED)

    async def send(self, errand: Errand) -> Landing:
        """Give what came of an errand, or of another that asked the same.

        Raises:
            Exception: what the origin, or the way there, raised.
        """
        if errand.key in self._unshared or not _could_be_shared(errand):
            return await self.send_alone(errand)
        key = self._key(errand)
        for _ in range(_ATTEMPTS):
            landing = self._arriving_for(key) or await self._fly(key, errand)
            if landing is None:  # which was the leader's own affair: one more time together, then each alone
                continue
            if landing.leader is errand or self._may_share(landing, errand):
                return landing
            if isinstance(landing, Passed):
                break
            if selects(errand.request.headers, landing.stored):
                # What comes is too large to be read along, or is not fresh: one of these is stored, and that will do.
                errand.may_be_kept = not isinstance(landing, Coming)
                break
            vary = landing.stored.vary  # for a request with other fields: those with the same ones wait for each other
            key = (*key, vary, rfc9111.selecting(vary, errand.request.headers))
        return await self.send_alone(errand)

    def detach(self, uris: Collection[str] | None = None) -> None:
        """What is on its way is given to those who wait for it, and to nobody who comes later.

        Args:
            uris: for what; None: for everything.
        """
        ends = tuple(f" {uri}" for uri in uris or ())
        tables = self.flights.tables
        keys = {key for table in list(tables.states.values()) for key in list(table)}
        keys |= {key for arriving in list(self._arriving.states.values()) for key in list(arriving)}
        for key in keys:
            if uris is None or key[0] in uris or key[0].endswith(ends):
                tables.detach(key)
                for arriving in list(self._arriving.states.values()):
                    arriving.pop(key, None)

    def _key(self, errand: Errand) -> Key:
        names = ("authorization",) if errand.policy.shared else errand.policy.identity
        getall = errand.request.headers.getall
        values = tuple(tuple(getall(name, ())) for name in (*_TELLING, *names))
        found = errand.found  # who knows of an invalidation, be it by another process, joins nobody who did not
        return (errand.key, values, errand.group, found.generation, tuple(found.marks.items()))

    def _arriving_for(self, key: Key) -> Coming | None:
        landing = self._arriving.enter(asyncio.get_running_loop()).get(key)
        return landing if landing is not None and landing.spool.may_be_joined else None

    def _may_share(self, landing: Landing, errand: Errand) -> bool:
        """Tell whether one may be given what another's request brought, as if it had been stored a moment ago."""
        if isinstance(landing, Passed) or not selects(errand.request.headers, landing.stored):
            return False
        if isinstance(landing, Coming) and not landing.spool.may_be_joined:
            return False
        if isinstance(landing, Kept) and landing.is_old:
            return True
        now = self._clock()
        return rfc9111.reuse(errand.request, landing.terms, now, errand.policy) is rfc9111.Reuse.FRESH

    async def _fly(self, key: Key, errand: Errand) -> Landing | None:
        """Wait for the flight of a key. None: it failed in a way that was its leader's own affair.

        A time limit is, and so is what a handler raises: it may tell one user of what is his.
        """
        # A handler that is stuck has no time limit of its own: who waits for another's run has one.
        flight = self.flights.tables.enter(asyncio.get_running_loop()).get(key)
        is_waiting = flight is not None and not flight.landed
        patience = _PATIENCE if errand.policy.shared and is_waiting else None
        try:
            async with asyncio.timeout(patience):
                return await self.flights.fetch(self._plan, key, (errand, key), {})
        except Exception as error:
            if errand.leads or not (errand.policy.shared or isinstance(error, TimeoutError | LoadCancelled)):
                raise
            return None
        except BaseException:
            self._let_go(errand)
            raise

    async def _send(self, errand: Errand, key: Key) -> Landing:
        errand.leads = True
        flight = current.get()
        errand.landing = landing = await self._forwarding.go(errand)
        if _is_plain(errand) and not self._may_share(landing, errand):
            with self._lock:
                self._unshared.put(errand.key, None)
        if isinstance(landing, Coming) and flight is not None and not flight.is_detached:
            self._note_arriving(key, landing)
        if errand.is_gone:
            self._let_go(errand)
        return landing

    def _note_arriving(self, key: Key, coming: Coming) -> None:
        """Let others read along who ask while a body is on its way."""
        arriving = self._arriving.enter(asyncio.get_running_loop())
        arriving[key] = coming

        def forget(_: object) -> None:
            if arriving.get(key) is coming:
                del arriving[key]

        coming.spool.begun().add_done_callback(forget, context=contextvars.Context())

    async def send_alone(self, errand: Errand) -> Landing:
        """Give what came of an errand that waits for no other, and no other for it."""
        errand.leads = True
        errand.landing = landing = await self._forwarding.go(errand)
        if self._may_share(landing, errand):
            with self._lock:
                self._unshared.pop(errand.key, None)
        return landing

    def _let_go(self, errand: Errand) -> None:
        """A caller has gone: nobody will take what came for it alone."""
        errand.is_gone = True
        landing = errand.landing
        if isinstance(landing, Coming):
            landing.spool.expect_no_leader()
        elif isinstance(landing, Passed):
            landing.arrival.discard()


def _could_be_shared(errand: Errand) -> bool:
    """Whether what comes could be anybody else's answer at all."""
    return errand.request.method != "HEAD" and not rfc9111.forbids_storing(errand.request, errand.policy)


def _is_plain(errand: Errand) -> bool:
    """Whether a request wants nothing of its own: what comes of it tells what would come of others."""
    return errand.request.method == "GET" and not any(name in errand.request.headers for name in _TELLING)
