"""What a holder has: a lease, renewed while it is held, and told of as soon as it may be lost.

Decides when a lease counts as lost. The store gives a holder `ttl` seconds from the moment at which it carries out a
renewal; the holder counts them from the moment at which it *sent* that renewal, which was earlier, and gives up a
twentieth of them, since two clocks never run quite alike. So the holder knows first. What counts is the clock, not a
timer: after a pause of the whole process, `lost.is_set()` is true before any timer had a chance to run.

A lost lease stops nobody. Whoever holds one looks before each step that must not be done twice, or awaits the loss
beside the work:

    async with cache.lock("report", ttl=30) as lease:
        work = asyncio.create_task(write_report(fence=lease.fence))
        loss = asyncio.create_task(lease.lost.wait())
        await asyncio.wait({work, loss}, return_when=asyncio.FIRST_COMPLETED)
        ...

Between looking and doing, a process may still be stopped for any time. What must be safe even then sends the fence
along, and lets the other side refuse a smaller number than it has seen (M. Kleppmann, "How to do distributed locking",
2016).
"""

import asyncio
import math
import struct
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from asynccache.errors import StoreError
from asynccache.locks.errands import Errands
from asynccache.locks.pauses import pause, within
from asynccache.protocols import Clock, SupportsTimers, TimerHandle
from asynccache.stores.contract import Item, SupportsConditions
from asynccache.sweeper import start_timer

TOKEN_LENGTH: Final = 16
"""Bytes; all tokens are as long, so that none is the beginning of another."""

_LAYOUT: Final = struct.Struct(f">{TOKEN_LENGTH}sQQ")
_MOST: Final = 2**64 - 1
_HELD: Final = 0.95
"""The part of its ttl that a holder relies on."""
_RENEWALS: Final = 3
"""A ttl has time for so many."""
_TRIES: Final = 10
"""A ttl has time for so many while the store does not answer."""


class Claim(NamedTuple):
    """What is written under a lock's key.

    Attributes:
        key: of the lock, in the store.
        token: tells this holder from all others; drawn before anything is sent.
        ttl: seconds.
        fence: 0 while there is none.
    """

    key: bytes
    token: bytes
    ttl: float
    fence: int = 0

    def item(self) -> Item:
        """Give what is kept in the store: the token first, as that is what tells one from the next."""
        return Item(_LAYOUT.pack(self.token, self.fence, min(int(self.ttl * 1000), _MOST)), self.ttl)


def holder_ttl(value: bytes) -> float:
    """Tell for how many seconds whoever has written this value holds a lock by each renewal; infinity if unreadable."""
    return _LAYOUT.unpack(value)[2] / 1000 if len(value) == _LAYOUT.size else math.inf


class Loss:
    """Whether a lease is lost: like an `asyncio.Event` that only the lease sets.

    Once a lease is given back, it stays as it was.
    """

    def __init__(self, clock: Clock | SupportsTimers, until: float) -> None:
        self._clock = clock
        self._event = asyncio.Event()
        self._until = until
        self._timer: TimerHandle | None = None
        self.on_set: Callable[[], object] | None = None

    def is_set(self) -> bool:
        """Tell whether it is lost, or may be for all that is known here."""
        return self._event.is_set() or self._clock() >= self._until

    async def wait(self) -> None:
        """Wait until it is lost."""
        if not self.is_set():
            await self._event.wait()

    def put_off(self, until: float) -> None:
        """Let it be lost at `until`, in seconds on the clock, and not before; once lost, it stays so."""
        if not self.is_set():
            self._until = until
            self._plan()

    def set(self) -> None:
        """It is lost now."""
        self._cancel()
        self._event.set()
        if self.on_set is not None:
            self.on_set()

    def rule_out(self) -> None:
        """It is not lost any more, unless it is already."""
        if self.is_set():
            self.set()
        self._cancel()
        self._until = math.inf

    def _plan(self) -> None:
        self._cancel()
        delay = max(self._until - self._clock(), 0.0)
        self._timer = start_timer(self._clock, asyncio.get_running_loop(), delay, self._look)

    def _look(self) -> None:
        if self._until - self._clock() > 1e-3:  # a loop's timers go by the loop's clock, and a little early
            self._plan()
        else:
            self.set()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Giver(Protocol):
    """Who gives leases, as they see it."""

    errands: Errands
    clock: Clock | SupportsTimers
    conditions: SupportsConditions

    def give_back(self, lease: "Lease") -> asyncio.Future[bool]:
        """Begin to delete what a lease has in the store. What is returned is done after the first try."""
        ...


class Lease:
    """The right to be the only one, for as long as it is renewed. Belongs to the loop that it was acquired on.

    Attributes:
        name: what it is a lease on.
        fence: a number greater than that of every holder before; 0 where none was asked for.
        lost: whether it is lost: `lost.is_set()`, `await lost.wait()`.
    """

    def __init__(self, giver: Giver, claim: Claim, name: str, sent: float) -> None:
        self.name = name
        self.fence = claim.fence
        self.claim = claim
        self.lost = Loss(giver.clock, sent + claim.ttl * _HELD)
        self._giver = giver
        self._sent = sent
        self._is_over = False
        self._renewals: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "lost" if self.lost.is_set() else "given back" if self._is_over else "held"
        return f"<Lease {state}, fence {self.fence}>"  # no name: it may be private

    def keep(self) -> None:
        """Begin to renew it."""
        self.lost.put_off(self._sent + self.claim.ttl * _HELD)
        self.lost.on_set = self._stop
        self._renewals = self._giver.errands.start(self._renew())

    def drop(self) -> asyncio.Future[bool] | None:
        """Give it back in the background: nobody has to wait for that, or can stop it.

        Returns:
            what is done after the first try; None if it was given back before.
        """
        if self._is_over:
            return None
        self._is_over = True
        self.lost.rule_out()
        self._stop()
        return self._giver.give_back(self)

    async def release(self) -> None:
        """Give it back, so that another can have it at once. Nothing happens if it was given back before.

        A store that does not answer is asked again in the background; it forgets the lease by itself after its ttl. If
        the caller is cancelled, the lease is given back all the same.
        """
        tried = self.drop()
        if tried is not None:
            await within(self.claim.ttl, self._giver.clock, tried)

    def _stop(self) -> None:
        if self._renewals is not None:
            self._renewals.cancel()

    async def _renew(self) -> None:
        clock, claim = self._giver.clock, self.claim
        after = claim.ttl / _RENEWALS
        while True:
            await pause(max(self._sent + after - clock(), 0.0), clock)
            sent = clock()
            try:
                is_ours = await self._giver.conditions.compare_and_set(claim.key, claim.token, claim.item())
            except StoreError:
                after = sent - self._sent + claim.ttl / _TRIES
                continue
            if not is_ours:
                self.lost.set()
                return
            self._sent, after = sent, claim.ttl / _RENEWALS
            self.lost.put_off(sent + claim.ttl * _HELD)
