"""Tasks that a cache has begun and nobody waits for: kept alive, and seen to their end."""

import asyncio
from collections.abc import Callable
from typing import Any


class OwnedTasks:
    """Holds tasks until they end; one that fails tells nobody but its readers."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Callable[[], bool] | None] = {}

    def own(self, task: asyncio.Task[Any], *, is_wanted: Callable[[], bool] | None = None) -> None:
        """Keep a task alive until it ends.

        Args:
            task: it.
            is_wanted: tells whether somebody else waits for what it does, and sees to its end; None: nobody does.
        """
        for other in [each for each in list(self._tasks) if each.get_loop().is_closed()]:
            del self._tasks[other]
        # Nobody is to be told that it was still running when somebody closed its loop by hand.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks[task] = is_wanted
        task.add_done_callback(self._forget)

    def __len__(self) -> int:
        return len(self._tasks)

    async def drain(self, *, cancel: bool) -> None:
        """Wait until those of this loop have ended that nobody else waits for; with `cancel`, end them first."""
        here = asyncio.get_running_loop()
        while found := [task for task in list(self._tasks) if task.get_loop() is here and self._is_ours(task)]:
            if cancel:
                for task in found:
                    task.cancel()
            await asyncio.wait(found)

    def _is_ours(self, task: asyncio.Task[Any]) -> bool:
        is_wanted = self._tasks.get(task)
        return not task.done() and (is_wanted is None or not is_wanted())

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # asked for, or Python would complain of it
