"""Cancellation everywhere: the same call is made again and again, and cancelled one step later each time.

A step is one await of the call's own, or one turn of the loop.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, Final

MOST_AWAITS: Final = 200
MOST_TURNS: Final = 25
"""Turns of the loop after which a call that takes longer is cancelled no later: it waits for the engine by then."""


async def interrupted(call: Callable[[], Coroutine[Any, Any, object]]) -> AsyncIterator["asyncio.Task[object]"]:
    """Give one task after another that is about to be cancelled, or was. Each is to be waited for by `ended`.

    Args:
        call: makes the coroutine of the next task.
    """
    for number in range(1, MOST_AWAITS):
        inner = _CancelledAtAwait(call(), number)
        yield asyncio.ensure_future(_awaited(inner))
        if not inner.is_reached:
            break
    for turns in range(MOST_TURNS):
        task = asyncio.ensure_future(call())
        for _ in range(turns):
            await asyncio.sleep(0)
        is_late = task.done()
        task.cancel()
        yield task
        if is_late:
            break


async def ended(task: "asyncio.Task[object]") -> None:
    """Wait for a task, however it ends, unless it fails."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _awaited(inner: "_CancelledAtAwait") -> object:
    return await inner


class _CancelledAtAwait:
    """Awaits a coroutine, and cancels the task that does so as it begins to wait for the so-many-th time."""

    def __init__(self, inner: Coroutine[Any, Any, object], number: int) -> None:
        self._inner = inner
        self._number = number
        self.is_reached = False

    def __await__(self) -> Generator[Any, Any, object]:
        thrown: BaseException | None = None
        for number in itertools.count(1):
            try:
                waits_for = self._inner.send(None) if thrown is None else self._inner.throw(thrown)
            except StopIteration as end:
                return end.value
            if number == self._number:
                self._cancel()
            thrown = None
            try:
                yield waits_for
            except BaseException as error:
                thrown = error
        raise AssertionError  # not reached: counting has no end

    def _cancel(self) -> None:
        self.is_reached = True
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
