"""Locks between processes: at most one holder at a time, as far as leases can promise that.

Decides who waits, for how long, and what they are told. A lock is given only by a store that says so: where it cannot
be asked, `StoreUnavailable` is raised, since a lock that does not lock is worse than none. Those who wait are woken by
messages; who gets the lock next is not promised. A task that holds a lock and asks for it again waits like any other,
for itself.
"""

from contextlib import AbstractAsyncContextManager
from types import TracebackType

from asynccache.core.expiry import Seconds, seconds
from asynccache.errors import LockTimeout, StoreError, StoreUnavailable
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.lease import Lease
from asynccache.locks.patience import Patience
from asynccache.locks.turns import Turns


class Locks:
    """The locks of one namespace.

    Args:
        keeper: gives the leases.
        prefix: what the keys of all locks begin with, and nothing else's. Where the store tells of changes, those of
            such keys have to be told to the keeper's wakeups.

    Raises:
        TypeError: the keeper's store cannot number the holders.
    """

    def __init__(self, keeper: LeaseKeeper, prefix: bytes) -> None:
        keeper.counters()
        self._keeper = keeper
        self._prefix = prefix
        self._turns = Turns()

    def lock(self, name: str, *, ttl: Seconds, wait: Seconds | None = None) -> AbstractAsyncContextManager[Lease]:
        """Give a context manager, for `async with`, in which a lock is held. It can be used once.

        Args:
            name: of the lock.
            ttl: seconds, or a timedelta. The lease is renewed while it is held; if the holder dies, others can have the
                lock after so long.
            wait: seconds, or a timedelta, to wait for it at most: 0 for not at all, None for as long as it takes.

        Raises:
            ValueError: an argument that cannot be meant. What follows is raised on entering.
            LockTimeout: somebody else has held it all the time.
            StoreUnavailable: the store does not say who holds it.
        """
        held = seconds("ttl", ttl)
        _check_name(name)
        if not held:
            raise ValueError(
                f"ttl must be a number of seconds above 0, after which a dead holder's lock ends, not {ttl!r}"
            )
        return _Holding(self, name, held, seconds("wait", wait))

    async def acquire(self, name: str, ttl: float, wait: float | None) -> Lease:
        """Wait for a lock.

        Raises:
            LockTimeout: somebody else has held it all the time.
            StoreUnavailable: the store does not say who holds it.
        """
        encoded = name.encode("utf-8", "surrogatepass")
        contender = _Contender(self._keeper, name, self._prefix + b"k:" + encoded, self._prefix + b"f:" + encoded)
        try:
            if wait == 0:
                return await contender.try_once(ttl)
            return await self._in_turn(contender, ttl, wait)
        except StoreUnavailable:
            raise
        except StoreError as error:
            raise StoreUnavailable("the store does not say who holds the lock") from error

    async def _in_turn(self, contender: "_Contender", ttl: float, wait: float | None) -> Lease:
        clock = self._keeper.clock
        end = None if wait is None else clock() + wait
        if not await self._turns.take(contender.key, wait, clock):
            raise LockTimeout(contender.name)
        try:
            return await contender.insist(ttl, end)
        finally:
            self._turns.pass_on(contender.key)


class _Contender:
    """One who wants a lock."""

    def __init__(self, keeper: LeaseKeeper, name: str, key: bytes, fence_key: bytes) -> None:
        self.name = name
        self.key = key
        self._fence_key = fence_key
        self._keeper = keeper

    async def try_once(self, ttl: float) -> Lease:
        lease = await self._try(ttl)
        if lease is None:
            raise LockTimeout(self.name)
        return lease

    async def insist(self, ttl: float, end: float | None) -> Lease:
        """Try until it succeeds, or until `end`, in seconds on the clock."""
        wakeups, clock = self._keeper.wakeups, self._keeper.clock
        patience = Patience(clock)
        is_news = False
        while True:
            with wakeups.listen([self.key]) as call:
                lease = await self._try(ttl)
                if lease is not None:
                    return lease
                pause = await self._pause(patience, is_news)
                if end is not None:
                    pause = min(pause, end - clock())
                    if pause <= 0:
                        raise LockTimeout(self.name)
                is_news = await call.wait(pause)

    async def _try(self, ttl: float) -> Lease | None:
        return await self._keeper.acquire(self.key, ttl=ttl, name=self.name, fence_key=self._fence_key)

    async def _pause(self, patience: Patience, is_news: bool) -> float:
        if not self._keeper.wakeups.is_fed():
            return patience.unfed()
        value = (await self._keeper.store.get_many([self.key])).get(self.key)
        return patience.unfed() if value is None else patience.fed(value, is_news=is_news)


class _Holding(AbstractAsyncContextManager[Lease]):
    """A lock that is held, from entering to leaving."""

    def __init__(self, locks: Locks, name: str, ttl: float, wait: float | None) -> None:
        self._wanted: tuple[str, float, float | None] | None = (name, ttl, wait)
        self._locks = locks
        self._lease: Lease | None = None

    async def __aenter__(self) -> Lease:
        wanted, self._wanted = self._wanted, None
        if wanted is None:
            raise RuntimeError("this lock was used already: call `lock` again for each `async with`")
        self._lease = await self._locks.acquire(*wanted)
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if self._lease is not None:
            await self._lease.release()


def _check_name(value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f'a lock needs a name: write a string such as "report:7", not {value!r}')
