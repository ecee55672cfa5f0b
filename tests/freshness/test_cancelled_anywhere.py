"""A caller is cancelled at every step on its way through old values, limits and refreshes: nothing is left behind."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from asynccache import async_cached
from asynccache.testing import ManualClock, live_flights
from tests.flight.cancelling import FAR, CancelledAtWait, at_turns
from tests.flight.gates import together, turns

LIMITED: Final[dict[str, Any]] = {
    "ttl": 10, "stale": 5, "stale_if_error": 50, "error_backoff": 0, "timeout": 30, "soft_timeout": 3,
    "errors": {KeyError: 7}, "tags": ("all",),
}  # fmt: skip


class Waits:
    """What loads wait for here, and what a scenario leaves behind."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.calls = 0
        self.load = async_cached(clock=self.clock, **LIMITED)(self._load)

    async def _load(self, key: int) -> int:
        self.calls += 1
        number = self.calls
        for _ in range(4):
            await asyncio.sleep(0)
        return number

    async def life(self) -> None:
        """See a value through all that can happen to it."""
        await self.load(1)
        self.clock.advance(10)
        await self.load(1)
        self.clock.advance(20)
        loading = asyncio.ensure_future(self.load(1))
        try:
            await asyncio.sleep(0)
            self.clock.advance(3)
            await loading
            await self.load.cache_refresh(1)
        finally:
            loading.cancel()

    async def check(self) -> None:
        """See that the function is as good as new, and that nothing is left."""
        await turns(30)
        assert live_flights() == []
        self.clock.advance(1_000)
        before = self.calls
        assert await together(*(self.load(1) for _ in range(5))) == [before + 1] * 5
        assert self.load.cache_stats().in_flight == 0


async def test_cancelled_after_any_number_of_turns() -> None:
    """Whenever a caller is cancelled, nothing is left behind, and the function works on."""
    scenarios: list[Waits] = []

    def start() -> Any:
        scenarios.append(Waits())
        return scenarios[-1].life()

    async for task in at_turns(start):
        await asyncio.wait([task])
        await scenarios[-1].check()
    assert len(scenarios) > 10


async def test_cancelled_at_any_wait() -> None:
    """The same, with a cancellation at each wait as it begins."""
    for number in range(1, FAR):
        scenario = Waits()
        life = CancelledAtWait(scenario.life(), number)
        task = asyncio.ensure_future(_awaited(life))
        await asyncio.wait([task])
        assert task.cancelled() is life.reached
        await scenario.check()
        if not life.reached:
            return
    raise AssertionError("the scenario does not end")


async def _awaited(what: Awaitable[object]) -> None:
    await what
