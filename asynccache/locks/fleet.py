"""One load at a time for a key, whichever process it is asked in.

Decides who loads, and when one stops waiting for another's load. This is a courtesy to the source, not a promise:
whenever the store fails, and after one ttl at the latest, a caller goes on by itself. So no fence is needed: what is
written back is written on the condition that nobody else has.

Those who wait do so for the value rather than for the lease: as soon as either changes they look for the value, and
only if it is not there they try to become the one who loads.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from asynccache.errors import StoreError
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lease import Lease
from asynccache.locks.patience import Patience
from asynccache.protocols import MISSING, Missing

T = TypeVar("T")


class FleetFlights:
    """Says who loads.

    Args:
        keeper: gives the leases. Where the store tells of changes, those of leases and of values have to be told to its
            wakeups.
    """

    def __init__(self, keeper: LeaseKeeper) -> None:
        self._keeper = keeper

    async def lead_or_wait(
        self, lease_key: bytes, value_key: bytes, *, ttl: float, recheck: Callable[[], Awaitable[T | Missing]]
    ) -> Lease | T | Missing:
        """Become the one who loads a value, or wait until somebody else has stored it.

        Args:
            lease_key: of the lease on this load, in the store.
            value_key: of the value.
            ttl: seconds of the lease, which is renewed while it is held; nobody waits for longer.
            recheck: looks for the value in the store. What it raises, but a `StoreError`, is passed on.

        Returns:
            a lease: load, write, then `drop` or `release` it; or what `recheck` found; or MISSING: load, as nobody can
            say, or has brought the value in time.
        """
        wakeups, clock = self._keeper.wakeups, self._keeper.clock
        end = clock() + ttl
        patience = Patience(clock)
        is_first = True
        try:
            while (left := end - clock()) > 0:
                with wakeups.listen([value_key, lease_key]) as call:
                    found = await self._look_and_lead(lease_key, ttl, recheck, is_first=is_first)
                    if found is not MISSING:
                        return found
                    is_first = False
                    await call.wait(min(left, patience.silence() if wakeups.is_fed() else patience.unfed()))
        except StoreError:
            pass
        return MISSING

    async def _look_and_lead(
        self, lease_key: bytes, ttl: float, recheck: Callable[[], Awaitable[T | Missing]], *, is_first: bool
    ) -> Lease | T | Missing:
        """Look for the value, and try to lead if it is not there.

        Whoever comes for the first time has just looked, so tries first. But somebody may have stored the value between
        looking and trying, or before the messages were listened for: so one looks again.
        """
        found: T | Missing = MISSING if is_first else await recheck()
        if found is not MISSING:
            return found
        lease = await self._keeper.acquire(lease_key, ttl=ttl)
        if lease is None:
            return await recheck() if is_first else MISSING
        try:
            found = await recheck()
        except BaseException:
            lease.drop()
            raise
        if found is MISSING:
            return lease
        lease.drop()
        return found
