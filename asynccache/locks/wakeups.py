"""Being woken when a key of a store changes, rather than asking again and again.

Decides that no message is lost between looking and waiting: one begins to listen first, then looks, then waits, and a
message that came meanwhile ends the wait at once. Who rings need not know whether anybody listens, and may be on any
thread.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType

from asynccache.locks.pauses import settle, within
from asynccache.protocols import Clock, SupportsTimers


class Wakeups:
    """Who listens for which keys. Used from several loops and threads at once.

    Args:
        is_fed: tells whether every change of the store is passed on to `ring` at present. While it is not, those who
            wait ask the store themselves now and then.
        clock: what waits are measured by.
    """

    def __init__(
        self, is_fed: Callable[[], bool] = lambda: False, *, clock: Clock | SupportsTimers = time.monotonic
    ) -> None:
        self.is_fed = is_fed
        self.clock = clock
        self._calls: dict[bytes, set[Call]] = {}
        self._lock = threading.Lock()

    def ring(self, keys: Iterable[bytes] | None) -> None:
        """Wake those who listen for these keys; None: for any."""
        if not self._calls:  # who begins to listen now has not looked yet
            return
        with self._lock:
            heard: set[Call] = set()
            for key in tuple(self._calls) if keys is None else keys:
                heard |= self._calls.get(key, set())
        for call in heard:
            call.ring()

    def listen(self, keys: Sequence[bytes]) -> "Call":
        """Give a context manager, for `with`, in which a message about any of these keys is noted."""
        return Call(self, keys)

    def enter(self, call: "Call") -> None:
        """Let a call be rung from now on."""
        with self._lock:
            for key in call.keys:
                self._calls.setdefault(key, set()).add(call)

    def leave(self, call: "Call") -> None:
        """Let it be rung no more."""
        with self._lock:
            for key in call.keys:
                calls = self._calls.get(key, set())
                calls.discard(call)
                if not calls:
                    self._calls.pop(key, None)


class Call:
    """One who listens, on the loop where it enters: `with wakeups.listen(keys) as call: look; await call.wait(5)`."""

    def __init__(self, wakeups: Wakeups, keys: Sequence[bytes]) -> None:
        self.keys = keys
        self._wakeups = wakeups
        self._loop = asyncio.get_running_loop()
        self._is_rung = False
        self._future: asyncio.Future[bool] | None = None

    def __enter__(self) -> "Call":
        self._wakeups.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._wakeups.leave(self)

    async def wait(self, timeout: float | None) -> bool:
        """Wait for a message; tell whether there was one, at once if it came before.

        Args:
            timeout: seconds to wait at most, by the clock of the wakeups; None for as long as it takes.
        """
        if not self._is_rung:
            self._future = self._loop.create_future()
            await within(timeout, self._wakeups.clock, self._future)
        return self._is_rung

    def ring(self) -> None:
        """Note a message. Called from any thread."""
        if asyncio._get_running_loop() is self._loop:
            self._note()
        else:
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                self._loop.call_soon_threadsafe(self._note, context=contextvars.Context())

    def _note(self) -> None:
        self._is_rung = True
        if self._future is not None:
            settle(self._future, True)
