"""Waiting for what happens in servers and other processes, which no event tells of."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 40.0
"""Seconds after which nothing more is hoped for. The machine may be busy: a test that passes never needs them."""


async def eventually(holds: Callable[[], bool | Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Ask again and again, until it holds."""
    async with asyncio.timeout(patience):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)
