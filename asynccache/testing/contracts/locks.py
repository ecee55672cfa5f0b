"""What a store promises that keeps locks: one holder at a time, whatever becomes of holders and of those who wait."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from asynccache.cache.cache import Cache
from asynccache.errors import LockTimeout
from asynccache.locks.lease import TOKEN_LENGTH, Claim
from asynccache.testing.contracts.base import StoreTests
from asynccache.testing.contracts.interruptions import interrupted

NAME = "report"
TASKS = 20
LONG = 60.0
"""Seconds of a lease that does not end in a test."""


class LockContract(StoreTests):
    """The promises of a store that locks of caches are kept on, as tests.

    A subclass, named `Test…`, says how a store is made, as for `StoreContract`. It needs conditions and counters.
    """

    @contextlib.asynccontextmanager
    async def caches(self, count: int = 2) -> AsyncGenerator[list[Cache], None]:
        """Make caches that stand for so many processes, each with a store of its own, and close them."""
        async with contextlib.AsyncExitStack() as stack:
            caches: list[Cache] = []
            for _ in range(count):
                store = await stack.enter_async_context(self.opened())
                options: dict[str, Any] = {} if self.clock is None else {"clock": self.clock}
                cache = Cache(store, namespace=self.namespace, **options)
                caches.append(await stack.enter_async_context(cache))
            yield caches

    @property
    def namespace(self) -> str:
        """A namespace of this test's."""
        return self.prefix.decode().replace(":", "-")

    @property
    def lock_key(self) -> bytes:
        """Where the store has the lock that these tests are about."""
        return f"{self.namespace}:k:{NAME}".encode()

    async def soon(self, task: "asyncio.Future[Any]", *, within: float = 0.0) -> None:
        """Wait until a task has ended, and let time pass meanwhile if it does not by itself."""

        async def is_done() -> bool:
            return task.done()

        try:
            await self.wait_until(is_done, within=within)
        except AssertionError:  # nothing of it is to be heard after the test
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now() + seconds

        async def is_over() -> bool:
            return self.now() >= end

        await self.wait_until(is_over, within=seconds)

    async def is_free(self, cache: Cache) -> bool:
        """Take the lock, if it can be had just now."""
        try:
            async with cache.lock(NAME, ttl=LONG, wait=0):
                return True
        except LockTimeout:
            return False

    async def test_one_holder_at_a_time(self) -> None:
        """Of many tasks in two processes one holds the lock at a time; all have it once, with numbers that grow."""
        inside = 0
        fences: list[int] = []

        async def work(cache: Cache) -> None:
            nonlocal inside
            async with cache.lock(NAME, ttl=LONG) as lease:
                assert (lease.name, inside, lease.lost.is_set()) == (NAME, 0, False)
                inside += 1
                fences.append(lease.fence)
                await asyncio.sleep(0)
                inside -= 1

        async with self.caches() as caches:
            tasks = asyncio.gather(*(work(caches[number % 2]) for number in range(TASKS)))
            await self.soon(tasks)
            await tasks
        assert len(fences) == TASKS
        assert fences == sorted(set(fences))

    async def test_who_does_not_wait_is_told(self) -> None:
        """While a lock is held, `wait=0` raises `LockTimeout` here and elsewhere; afterwards it can be had."""
        async with self.caches() as (here, there):
            async with here.lock(NAME, ttl=LONG):
                for cache in (here, there):
                    with pytest.raises(LockTimeout):
                        async with cache.lock(NAME, ttl=LONG, wait=0):
                            raise AssertionError("two holders at once")
            assert await self.is_free(there)
            assert await self.is_free(here)

    async def test_who_waits_in_vain_is_told(self) -> None:
        """Who waits for a lock that stays held is told when the time to wait is over, and not before."""
        wait = self.shortest_ttl / 2
        async with self.caches() as (here, there), here.lock(NAME, ttl=LONG):
            begin = self.now()
            waiting = asyncio.ensure_future(self.take(there, wait=wait))
            await self.soon(waiting)

            assert isinstance(waiting.exception(), LockTimeout)
            assert self.now() >= begin + wait - 0.02

    async def take(self, cache: Cache, *, wait: float | None = None, ttl: float = LONG) -> int:
        """Take the lock, give it back, and tell its number."""
        async with cache.lock(NAME, ttl=ttl, wait=wait) as lease:
            return lease.fence

    async def test_who_waits_has_it_next(self) -> None:
        """Who waits has the lock soon after it was given back, also if that was on account of an error."""

        async def fail(cache: Cache, begun: "asyncio.Future[int]", go_on: asyncio.Event) -> None:
            async with cache.lock(NAME, ttl=LONG) as lease:
                begun.set_result(lease.fence)
                await go_on.wait()
                raise ZeroDivisionError

        begun, go_on = asyncio.get_running_loop().create_future(), asyncio.Event()
        async with self.caches() as (here, there):
            failing = asyncio.ensure_future(fail(here, begun, go_on))
            await self.soon(begun)
            waiting = asyncio.ensure_future(self.take(there))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            go_on.set()
            with pytest.raises(ZeroDivisionError):
                await failing
            await self.soon(waiting)
            assert waiting.result() > begun.result()

    async def test_locks_of_other_names_are_others(self) -> None:
        """Locks of different names, and in different namespaces, have nothing to do with each other."""
        async with self.caches(1) as (cache,), contextlib.AsyncExitStack() as stack:
            for name in ("a", "b", "a:b", "käse\r\n", "x" * 300):
                await stack.enter_async_context(cache.lock(name, ttl=LONG, wait=0))
            await stack.enter_async_context(cache.namespace("inside").lock("a", ttl=LONG, wait=0))

    async def test_a_holder_keeps_it(self) -> None:
        """A lock is held for longer than its ttl, as long as its holder lives."""
        ttl = self.shortest_ttl
        async with self.caches() as (here, there), here.lock(NAME, ttl=ttl) as lease:
            await self.pass_time(1.6 * ttl)
            assert not lease.lost.is_set()
            assert not await self.is_free(there)

    async def test_a_holder_that_died(self) -> None:
        """The lock of a holder that has gone without a word can be had after its ttl, and not before."""
        ttl = self.shortest_ttl
        async with self.caches(1) as (cache,), self.conditional() as store:
            begin = self.now()
            assert await store.add(self.lock_key, Claim(self.lock_key, b"x" * TOKEN_LENGTH, ttl).item())
            waiting = asyncio.ensure_future(self.take(cache))
            await self.soon(waiting, within=ttl)

            assert waiting.result() > 0
            assert self.now() >= begin + ttl - 0.02

    @contextlib.asynccontextmanager
    async def conditional(self) -> AsyncGenerator[Any, None]:
        """Make one more store, to do by hand what no cache does."""
        async with self.opened() as store:
            yield store

    async def test_a_holder_is_told_that_it_lost_the_lock(self) -> None:
        """A holder whose lock has gone is told within a ttl, and takes nothing from the next one when it leaves."""
        ttl = self.shortest_ttl
        async with self.caches() as (here, there), self.opened() as store, contextlib.AsyncExitStack() as stack:
            async with here.lock(NAME, ttl=ttl) as lost:
                assert await store.delete_many([self.lock_key]) == 1
                taking = asyncio.ensure_future(stack.enter_async_context(there.lock(NAME, ttl=LONG)))
                await self.soon(taking)
                loss = asyncio.ensure_future(lost.lost.wait())
                await self.soon(loss, within=ttl)
                assert lost.lost.is_set()
            held = taking.result()
            assert held.fence > lost.fence
            assert not held.lost.is_set()
            assert not await self.is_free(here)

    async def test_who_is_cancelled_leaves_nothing(self) -> None:
        """However far an attempt has come when it is cancelled, the lock can be had afterwards."""
        async with self.caches() as (here, there):
            async for task in interrupted(lambda: self.take(here)):
                await asyncio.wait([task])
                following = asyncio.ensure_future(self.take(there))
                await self.soon(following)
                assert following.result() > 0

    async def test_who_stops_waiting_leaves_nothing(self) -> None:
        """Who is cancelled while waiting does not get the lock later; others do."""
        async with self.caches() as (here, there):
            async with here.lock(NAME, ttl=LONG):
                gone, stays = (asyncio.ensure_future(self.take(there)) for _ in range(2))
                await asyncio.sleep(0.05)
                gone.cancel()
                await asyncio.wait([gone])
                assert gone.cancelled()
            await self.soon(stays)
            assert stays.result() > 0
            assert await self.is_free(here)

    async def test_closing_gives_locks_back(self) -> None:
        """A lock whose cache is closed is lost to its holder, and can be had by others at once."""
        begin = time.monotonic()
        async with self.caches() as (here, there), here.lock(NAME, ttl=LONG) as lease:
            await here.aclose()
            assert lease.lost.is_set()
            following = asyncio.ensure_future(self.take(there))
            await self.soon(following)
            assert following.result() > lease.fence
        assert time.monotonic() - begin < LONG
