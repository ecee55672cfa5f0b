"""Gates that calls stop at until a test lets them go on."""

import asyncio
import contextlib
from collections.abc import Iterable


class Gates:
    """Stops calls at points that have names. Thread-safe as far as one test drives it."""

    def __init__(self) -> None:
        self._shut: set[str] = set()
        self._all_but: set[str] | None = None
        self._stopped: list[tuple[str, asyncio.Future[None]]] = []
        self._watchers: list[tuple[str | None, int, asyncio.Future[None]]] = []

    def shut(self, points: Iterable[str]) -> None:
        """Stop what comes to these points from now on; at all points, if none is named."""
        names = set(points)
        self._shut |= names
        if not names:
            self._all_but = set()
        elif self._all_but is not None:
            self._all_but -= names

    def is_shut(self, point: str) -> bool:
        """Whether what comes to this point stops."""
        return point in self._shut or (self._all_but is not None and point not in self._all_but)

    def open(self, points: Iterable[str]) -> None:
        """Let go on what has stopped at these points, and stop nothing there any more; at all, if none is named."""
        names = set(points)
        self._shut = self._shut - names if names else set()
        self._all_but = self._all_but | names if names and self._all_but is not None else None
        stopped, self._stopped = self._stopped, []
        for point, future in stopped:
            if self.is_shut(point):
                self._stopped.append((point, future))
            else:
                _wake(future)

    async def pass_through(self, point: str) -> None:
        """Go on if the gate is open; else stop until it is opened."""
        if not self.is_shut(point):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (point, future)
        self._stopped.append(entry)
        self._tell_watchers()
        try:
            await future
        finally:
            with contextlib.suppress(ValueError):
                self._stopped.remove(entry)

    def count(self, point: str | None) -> int:
        """Tell how many have stopped at a point; at any, if None."""
        return sum(point in (None, name) and not future.done() for name, future in self._stopped)

    async def wait_for(self, point: str | None, count: int) -> None:
        """Wait until at least so many have stopped at a point; at any, if None."""
        if self.count(point) < count:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append((point, count, future))
            await future

    def _tell_watchers(self) -> None:
        for watcher in list(self._watchers):
            point, count, future = watcher
            if self.count(point) >= count:
                self._watchers.remove(watcher)
                _wake(future)


def _wake(future: "asyncio.Future[None]") -> None:
    """End a wait, on whatever loop it is."""

    def end() -> None:
        if not future.done():
            future.set_result(None)

    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(end)
