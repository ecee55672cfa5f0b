"""Filling a cache before it is asked: so many loads at once, with news of how far it is."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sized
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """How far the warming of a cache is.

    Attributes:
        loaded: keys that were loaded, or were there already.
        failed: keys whose load raised.
        total: keys in all, if that is known beforehand.
        error: what the first load that failed has raised.
    """

    loaded: int = 0
    failed: int = 0
    total: int | None = None
    error: Exception | None = None


Progress = Callable[[WarmReport], object]
"""Told after each key how far it is."""


async def warm(
    keys: Iterable[K],
    ask: Callable[[K], Awaitable[Any]],
    *,
    concurrency: int,
    progress: Progress | None,
    refuse_closed: Callable[[], None],
) -> WarmReport:
    """Ask for all keys, so many at once; what a load raises is counted and stops nothing.

    Args:
        keys: what to ask for.
        ask: loads one key, if it is not there.
        concurrency: loads at once.
        progress: told how far it is.
        refuse_closed: raises `CacheClosed` if there is no use in going on.

    Raises:
        TypeError, ValueError: `concurrency` is no whole number above zero.
        CacheClosed: the cache was closed meanwhile.
        Exception: what `keys` or `progress` raises.
    """
    _check_concurrency(concurrency)
    warming = _Warming(keys, ask, progress, refuse_closed)
    async with anyio.create_task_group() as workers:
        for _ in range(concurrency):
            workers.start_soon(warming.work, workers)
    if warming.failure is not None:
        raise warming.failure
    return warming.report()


class _Warming(Generic[K]):
    def __init__(
        self,
        keys: Iterable[K],
        ask: Callable[[K], Awaitable[Any]],
        progress: Progress | None,
        refuse_closed: Callable[[], None],
    ) -> None:
        self._total = len(keys) if isinstance(keys, Sized) else None
        self._waiting = iter(keys)
        self._ask = ask
        self._progress = progress
        self._refuse_closed = refuse_closed
        self._loaded = self._failed = 0
        self._error: Exception | None = None
        self.failure: Exception | None = None

    def report(self) -> WarmReport:
        """Tell how far it is."""
        return WarmReport(loaded=self._loaded, failed=self._failed, total=self._total, error=self._error)

    async def work(self, workers: TaskGroup) -> None:
        """Ask for one key after the other, as long as there are any."""
        try:
            for key in self._waiting:
                await checkpoint()  # what is there already makes nobody wait: others must have their turn all the same
                self._refuse_closed()
                await self._warm(key)
                if self._progress is not None:
                    self._progress(self.report())
        except Exception as error:  # not a load's: raised to the caller as it is, and not in a group
            self.failure = self.failure or error
            workers.cancel_scope.cancel()

    async def _warm(self, key: K) -> None:
        try:
            await self._ask(key)
        except Exception as error:  # counted, and the first one is told
            self._failed += 1
            self._error = self._error or error
        else:
            self._loaded += 1


def _check_concurrency(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"concurrency must be a whole number of loads at once, not {value!r}")
    if value < 1:
        raise ValueError(f"concurrency must be 1 or more, not {value!r}")
