"""An event loop on which time passes by itself, at once, whenever there is nothing else to do."""

import asyncio
import selectors
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Impatient(selectors.DefaultSelector):
    """Does not wait for its time to pass, but notes how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        """Look who is ready; if nobody is, the time is over now."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("everybody waits, and nothing will ever happen: a deadlock")
            self.slept += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock shows the time that its users have waited for. To be used without threads."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        """Tell the time, in seconds since the beginning."""
        # A timer counts as due within the clock's resolution; rounding makes sums of deadlines exact.
        return round(self._impatient.slept, 9)


def virtual_loops() -> dict[str, Callable[[], VirtualLoop]]:
    """Every kind of virtual loop that is to be had here."""
    kinds: dict[str, Callable[[], VirtualLoop]] = {"virtual": VirtualLoop}
    if sys.version_info >= (3, 12):
        kinds["virtual, eager"] = _eager
    return kinds


if sys.version_info >= (3, 12):

    def _eager() -> VirtualLoop:
        loop = VirtualLoop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop


def run(main: Coroutine[Any, Any, T], kind: str = "virtual") -> T:
    """Run to the end, in no time; what the loop's exception handler hears fails the test."""
    with asyncio.Runner(loop_factory=virtual_loops()[kind]) as runner:
        heard: list[dict[str, Any]] = []
        runner.get_loop().set_exception_handler(lambda _loop, context: heard.append(context))
        result = runner.run(main)
        assert heard == []
        return result
