"""Cancellation everywhere: a scenario is run again and again, and each time somebody is cancelled one step later.

There are two clocks by which "later" is counted. `at_turns` counts turns of the loop, and so finds what depends on how
far a load, its landing and its other callers have come. `at_waits` counts the waits of the cancelled code itself, and
cancels each as it begins, like a scope that was cancelled before it was entered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

FAR: int = 60
"""Steps beyond which no scenario goes: one that has not ended by then hangs."""


async def at_turns(start: Callable[[], Coroutine[Any, Any, object]]) -> AsyncIterator["asyncio.Task[object]"]:
    """Give a task at work, to be waited for, that is cancelled after 0, 1, 2, ... turns; stop when it ends before.

    Args:
        start: makes the coroutine for the next task.
    """
    for turn in range(FAR):
        task = asyncio.create_task(start())
        for _ in range(turn):
            await asyncio.sleep(0)
        ended_before = task.done()
        task.cancel()
        yield task
        if ended_before:
            return
    raise AssertionError(f"the scenario has not ended after {FAR} turns")


class CancelledAtWait(Generic[T]):
    """Awaits something, and cancels the task that awaits it when that begins to wait for the so-many-th time.

    Args:
        inner: what to await.
        number: which wait to cancel, from 1 on.

    Attributes:
        reached: whether there were that many waits.
    """

    def __init__(self, inner: Awaitable[T], number: int) -> None:
        self._inner = inner
        self._number = number
        self.reached = False

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._inner.__await__()
        send: Callable[[], Any] = lambda: next(steps)  # noqa: E731
        for wait in range(1, FAR):
            try:
                waited_for = send()
            except StopIteration as end:
                result: T = end.value
                return result
            if wait == self._number:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            send = yield from _pass_on(steps, waited_for)
        raise AssertionError(f"the scenario has not ended after {FAR} waits")


def _pass_on(steps: Generator[Any, Any, Any], waited_for: Any) -> Generator[Any, Any, Callable[[], Any]]:
    """Let the task wait, and tell how to go on after that."""
    try:
        yield waited_for
    except BaseException as error:
        thrown = error
        return lambda: steps.throw(thrown)
    return lambda: next(steps)
