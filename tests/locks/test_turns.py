"""Taking turns: who is next, and who is forgotten."""

import asyncio
import gc

from asynccache.locks.turns import Turns
from asynccache.testing import ManualClock
from tests.locks.world import turns


async def test_in_the_order_of_asking() -> None:
    """Those of one loop have their turns in the order in which they have asked; other keys are other lines."""
    line, clock = Turns(), ManualClock()
    got: list[int] = []

    async def take(number: int) -> None:
        assert await line.take(b"a", None, clock)
        got.append(number)
        await turns(2)
        line.pass_on(b"a")

    assert await line.take(b"b", None, clock)
    await asyncio.gather(*(take(number) for number in range(5)))
    assert got == list(range(5))


async def test_who_gives_up_is_forgotten() -> None:
    """Nothing is kept of those who have waited in vain, however long the line does not move."""
    line, clock = Turns(), ManualClock()
    assert await line.take(b"a", None, clock)
    tasks = [asyncio.create_task(line.take(b"a", 1, clock)) for _ in range(100)]
    await turns()
    clock.advance(1)
    assert await asyncio.gather(*tasks) == [False] * 100
    gc.collect()
    futures = [thing for thing in gc.get_objects() if isinstance(thing, asyncio.Future)]
    assert sum(not isinstance(future, asyncio.Task) for future in futures) < 50
    line.pass_on(b"a")
    assert await line.take(b"a", 1, clock)
