"""Filling a cache before it is asked: so many loads at once, with news of how far it is."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import anyio

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """How far the warming of a cache is.

    Attributes:
        loaded: keys that were loaded, or were there already.
        failed: keys whose load raised.
        total: keys in all, if that is known beforehand.
    """

    loaded: int = 0
    failed: int = 0
    total: int | None = None


Progress = Callable[[WarmReport], object]
"""Told after each key how far it is."""


async def warm(
    keys: Iterable[K],
    ask: Callable[[K], Awaitable[Any]],
    *,
    concurrency: int,
    progress: Progress | None,
) -> WarmReport:
    """Ask for all keys, so many at once; what a load raises is counted and stops nothing.

    Raises:
        TypeError, ValueError: `concurrency` is no whole number above zero.
    """
    _check_concurrency(concurrency)
    report = WarmReport(total=len(keys) if isinstance(keys, Sized) else None)
    waiting = iter(keys)

    async def work(waiting: Iterator[K]) -> None:
        nonlocal report
        for key in waiting:
            try:
                await ask(key)
            except Exception:  # counted; the loads' own counters tell more
                report = replace(report, failed=report.failed + 1)
            else:
                report = replace(report, loaded=report.loaded + 1)
            if progress is not None:
                progress(report)

    async with anyio.create_task_group() as workers:
        for _ in range(concurrency):
            workers.start_soon(work, waiting)
    return report


def _check_concurrency(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"concurrency must be a whole number of loads at once, not {value!r}")
    if value < 1:
        raise ValueError(f"concurrency must be 1 or more, not {value!r}")
