"""Tasks that a cache has begun and nobody waits for: kept alive, and seen to their end."""

import asyncio
from typing import Any


class OwnedTasks:
    """Holds tasks until they end; one that fails tells nobody but its readers."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def own(self, task: asyncio.Task[Any]) -> None:
        """Keep a task alive until it ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __len__(self) -> int:
        return len(self._tasks)

    async def drain(self, *, cancel: bool) -> None:
        """Wait until those of this loop have ended; with `cancel`, end them first."""
        here = asyncio.get_running_loop()
        while found := [task for task in list(self._tasks) if task.get_loop() is here and not task.done()]:
            if cancel:
                for task in found:
                    task.cancel()
            await asyncio.wait(found)
            await asyncio.sleep(0)  # their callbacks take them out
