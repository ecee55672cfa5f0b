"""How a lease is acquired and given back, such that no step that goes wrong leaves a lock to nobody.

**Lost replies.** A token is drawn before anything is sent. If the reply to `add` is lost, the key is read: our token
there means that it is ours. Else nobody knows, and the request may still arrive: the token is then deleted by
compare-and-delete, again and again for as long as a lock could live.

**Cancelled callers.** All steps are made by a task that the caller's cancellation does not reach. If the caller is gone
when it ends, what it has acquired is given back.

**Fences.** Three steps, each sent after the reply to the one before: (1) `add` the key with our token; (2) `increment`
the counter, which gives the fence; (3) `compare_and_set` the key, from our token to our token with the fence. Only if
(3) finds our token, there is a lease. Let A and B be two holders of the same lock, B after A. B's (1) succeeded when
there was no key, thus after A's token had gone. A's (3) found A's token, thus was before that; and A's (2) was before
A's (3). So A's (2) was before B's (1), hence before B's (2), and the counter gave A the smaller number. A contender
that is stopped between (1) and (2) for longer than its ttl, and overtaken, takes a greater number than its successor,
but fails at (3), and nobody sees that number. What this rests on: one key's changes have one order, and the store
forgets no counter. An engine that fails over to a replica which lags behind, or that evicts, may break both.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from asynccache.errors import StoreError, StoreUnavailable
from asynccache.locks.errands import Errands, outcome
from asynccache.locks.lease import TOKEN_LENGTH, Claim, Lease
from asynccache.locks.pauses import settle
from asynccache.locks.wakeups import Wakeups
from asynccache.loops import PerLoop
from asynccache.protocols import Clock, SupportsTimers
from asynccache.stores.contract import Store, SupportsConditions, SupportsCounters

FENCE_TTL: Final = 400 * 86_400.0
"""Seconds for which a lock's counter is kept after its last use: a yearly job still gets a greater number."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class LeaseKeeper:
    """Gives leases on keys of a store. Used from several loops and threads at once.

    Args:
        store: where they are; it has to support conditions, and counters where fences are asked for.
        wakeups: who is told here that a lease was given back, before the store's own news arrive.
        clock: what ttls are measured by here.
        new_token: draws what tells one holder from all others: 16 bytes.

    Raises:
        TypeError: the store cannot do what is needed.
    """

    def __init__(
        self,
        store: Store,
        wakeups: Wakeups | None = None,
        *,
        clock: Clock | SupportsTimers = time.monotonic,
        new_token: Callable[[], bytes] = lambda: secrets.token_bytes(TOKEN_LENGTH),
    ) -> None:
        if not isinstance(store, SupportsConditions):
            raise TypeError(
                f"{type(store).__name__} cannot keep leases, as it has no add, compare_and_set and compare_and_delete: "
                "use a store of memory://, sqlite://, redis://, memcached:// or hazelcast://"
            )
        self.store: Store = store
        self.conditions: SupportsConditions = store
        self._counters = store if isinstance(store, SupportsCounters) else None
        self.wakeups = Wakeups(clock=clock) if wakeups is None else wakeups
        self.clock = clock
        self.errands = Errands()
        self.is_closed = False
        self._new_token = new_token
        self._held: PerLoop[set[Lease]] = PerLoop(set)

    def counters(self) -> SupportsCounters:
        """Give what numbers the holders of a lock.

        Raises:
            TypeError: the store has no counters.
        """
        if self._counters is None:
            raise TypeError(
                f"{type(self.store).__name__} cannot keep locks, as it has no increment to number their holders: "
                "use a store of memory://, sqlite://, redis://, memcached:// or hazelcast://"
            )
        return self._counters

    async def acquire(self, key: bytes, *, ttl: float, name: str = "", fence_key: bytes | None = None) -> Lease | None:
        """Try once to get a lease; give None if somebody else has it.

        If the caller is cancelled, nothing stays behind.

        Args:
            key: what the lease is on, as the store sees it; used for nothing else.
            ttl: seconds after which it ends if it is not renewed.
            name: what the lease is called.
            fence_key: of the counter that numbers the holders; None for leases that need no number.

        Raises:
            StoreError: the store does not say, or the keeper is closed.
        """
        self._refuse_closed()
        claim = Claim(key, self._new_token(), ttl)
        attempt = self.errands.start(self._attempt(claim, name, fence_key))
        try:
            return await outcome(attempt)
        except BaseException:  # the caller leaves, now or when it has all been done already
            if attempt.done():
                _return(attempt)
            else:
                attempt.add_done_callback(_return)
            raise

    async def _attempt(self, claim: Claim, name: str, fence_key: bytes | None) -> Lease | None:
        sent = self.clock()
        if not await self._add(claim):
            return None
        if fence_key is not None:
            try:
                claim = claim._replace(fence=await self.counters().increment(fence_key, ttl=FENCE_TTL))
                sent = self.clock()
                is_ours = await self._confirm(claim)
            except Exception:
                self._forget(claim, is_written=True)
                raise
            if not is_ours:
                return None
        lease = Lease(self, claim, name, sent)
        if lease.lost.is_set():  # it took longer than a lease lasts
            self._forget(claim, is_written=True)
            return None
        if self.is_closed:  # meanwhile: whoever holds it would have nobody to give it back
            self._forget(claim, is_written=True)
            self._refuse_closed()
        self._held.enter(asyncio.get_running_loop()).add(lease)
        lease.keep()
        return lease

    def _refuse_closed(self) -> None:
        if self.is_closed:
            raise StoreUnavailable("the keeper of these leases is closed")

    async def _add(self, claim: Claim) -> bool:
        try:
            return await self.conditions.add(claim.key, claim.item())
        except StoreError:
            if await self._is_there(claim.key, claim.token):
                return True
            self._forget(claim, is_written=False)
            raise

    async def _confirm(self, claim: Claim) -> bool:
        try:
            return await self.conditions.compare_and_set(claim.key, claim.token, claim.item())
        except StoreError:
            if await self._is_there(claim.key, claim.item().value):
                return True
            raise

    async def _is_there(self, key: bytes, beginning: bytes) -> bool:
        with suppress(StoreError):
            return (await self.store.get_many([key])).get(key, b"").startswith(beginning)
        return False

    # --- giving back --------------------------------------------------------------------------------------------------

    def give_back(self, lease: Lease) -> asyncio.Future[bool]:
        """Begin to delete what a lease has in the store. What is returned is done after the first try."""
        self._held.enter(asyncio.get_running_loop()).discard(lease)
        return self._forget(lease.claim, is_written=True)

    def _forget(self, claim: Claim, *, is_written: bool) -> asyncio.Future[bool]:
        tried: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.errands.start(self._delete(claim, is_written, tried))
        return tried

    async def _delete(self, claim: Claim, is_written: bool, tried: asyncio.Future[bool]) -> None:
        """Delete a token until an answer is final, or until it has gone by itself.

        Args:
            claim: whose token.
            is_written: whether it is known to have been there: then every answer is final. Else "not there" is none,
                as the request that writes it may still be on its way.
            tried: told when there was an answer, or none, for the first time.
        """
        end = self.clock() + claim.ttl
        seconds = _FIRST_PAUSE
        while True:
            try:
                if await self.conditions.compare_and_delete(claim.key, claim.token) or is_written:
                    self.wakeups.ring([claim.key])
                    return
            except StoreError:
                pass
            finally:
                settle(tried, True)
            if self.is_closed or self.clock() >= end or not await self.errands.pause(seconds, self.clock):
                return
            seconds = min(seconds * 2, _LONGEST_PAUSE)

    async def aclose(self) -> None:
        """Give back all leases of this loop, which are lost to their holders, and see everything to its end.

        There are no leases any more: who waits for one is told. The store is left open. Cancelling the caller stops
        nothing.
        """
        self.is_closed = True
        self.wakeups.ring(None)
        for lease in list(self._held.enter(asyncio.get_running_loop())):
            lease.lost.set()
            lease.drop()
        await self.errands.drain()


def _return(attempt: asyncio.Task[Lease | None]) -> None:
    """Give back what was acquired for somebody who has left."""
    if not attempt.cancelled() and attempt.exception() is None:
        lease = attempt.result()
        if lease is not None:
            lease.drop()
