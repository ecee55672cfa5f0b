"""Values that have grown old: where the tests of this folder begin."""

import asyncio
from typing import Any

from asynccache import CachedFunction
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, callers, gated, outcome, turns

TTL = 10.0
"""Seconds that values are fresh here."""

MOMENT = 1 / 1024
"""A short time, in seconds: sums with it are exact."""


class Scene:
    """A cached function on a clock of its own, whose loads wait at a gate.

    Attributes:
        clock: its time.
        gate: where its loads wait.
        load: the function.
    """

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.gate: Gate[str]
        self.load: CachedFunction[[int], str]
        self.gate, self.load = gated(**{"ttl": TTL, "clock": self.clock} | options)

    async def fill(self, value: str = "old", key: int = 1) -> None:
        """Have a value loaded."""
        (caller,) = await callers(self.load, 1, key)
        self.gate.give(value)
        assert await caller == value

    async def read(self, key: int = 1) -> object:
        """Tell what a call gives that has nothing to wait for, "waits" if it has, or the error that it raises."""
        task = asyncio.create_task(self.load(key))
        await turns(2)  # one to begin, and one to see that it has ended
        if task.done():
            await turns()  # let what it has started behind begin
            return await outcome(task)
        task.cancel()
        await turns()
        return "waits"

    async def end(self, value: str, number: int = -1) -> None:
        """Let a load end with a value, and let that be stored."""
        self.gate.give(value, number)
        await turns()

    async def break_down(self, error: BaseException | None = None, number: int = -1) -> None:
        """Let a load end with an error."""
        self.gate.fail(OSError("down") if error is None else error, number)
        await turns()


async def aged(by: float = TTL, **options: Any) -> Scene:
    """Give a scene where "old" was stored for key 1, so many seconds ago."""
    scene = Scene(**options)
    await scene.fill()
    scene.clock.advance(by)
    return scene
