"""Waiting for a length of time by a cache's own clock, or for what comes first.

Each wait has a future of its own, which nobody else awaits: a waiter that is cancelled takes nothing from others.
"""

import asyncio
from functools import partial

from asynccache.protocols import Clock, SupportsTimers
from asynccache.sweeper import start_timer


def settle(future: asyncio.Future[bool], outcome: bool) -> None:
    """Tell a waiter, unless it was told already or has gone away. Called on the future's loop."""
    if not future.done():
        future.set_result(outcome)


async def within(seconds: float | None, clock: Clock | SupportsTimers, future: asyncio.Future[bool]) -> bool:
    """Wait for a future of one's own; give False if time is over first.

    Args:
        seconds: how long at most; None for as long as it takes.
        clock: what they are told by.
        future: what is waited for.
    """
    if seconds is None:
        return await future
    if seconds <= 0:  # a clock that stands still would never call
        await asyncio.sleep(0)
        settle(future, False)
        return future.result()
    timer = start_timer(clock, future.get_loop(), seconds, partial(settle, future, False))
    try:
        return await future
    finally:
        timer.cancel()


async def pause(seconds: float, clock: Clock | SupportsTimers) -> None:
    """Let so many seconds pass."""
    await within(seconds, clock, asyncio.get_running_loop().create_future())
