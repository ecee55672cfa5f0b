"""State that belongs to one event loop.

Values outlive a loop; flights and timers do not. Whatever is bound to a loop is kept here by the loop's identity, and
goes when the loop goes, or when the next loop comes and this one is closed.
"""

import asyncio
import contextvars
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One `T` for each event loop.

    Read `states[id(loop)]` where speed counts, and call `enter(loop)` when that raises `KeyError`. An identity is
    never mistaken for another loop's, as a state is dropped before its loop's memory can be used again.

    Args:
        make: makes the state of a loop that is seen for the first time.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self.states: dict[int, T] = {}
        self._make = make
        self._loops: dict[int, weakref.ref[asyncio.AbstractEventLoop]] = {}
        _all.add(self)

    def enter(self, loop: asyncio.AbstractEventLoop) -> T:
        """Give the loop's state; make it first if there is none."""
        here = id(loop)
        if here not in self.states:
            self.drop_closed()
            dropped = weakref.ref(self)

            def forget(_: object) -> None:
                per_loop = dropped()
                if per_loop is not None:
                    per_loop._forget(here)

            self._loops[here] = weakref.ref(loop, forget)
            self.states[here] = self._make()
        return self.states[here]

    def items(self) -> Iterator[tuple[asyncio.AbstractEventLoop, T]]:
        """All loops that are still there, each with its state."""
        for here, ref in list(self._loops.items()):
            loop, state = ref(), self.states.get(here)
            if loop is not None and state is not None:
                yield loop, state

    def clear(self) -> None:
        """Forget all loops."""
        self.states.clear()
        self._loops.clear()

    def _forget(self, here: int) -> None:
        self.states.pop(here, None)
        self._loops.pop(here, None)

    def drop_closed(self) -> None:
        """Forget loops that were closed."""
        # A task that was still pending when its loop was closed keeps that loop alive, and would be kept by us.
        for here, ref in list(self._loops.items()):
            loop = ref()
            if loop is None or loop.is_closed():
                self._forget(here)


def raise_out_of(loop: asyncio.AbstractEventLoop, error: BaseException) -> None:
    """Let an error end a loop's run, as one raised by a callback does.

    One is enough: a second in the same turn would spoil the cleaning up after the first, and is dropped.
    """
    pending = _interrupts.enter(loop)
    if not pending:
        loop.call_soon(_raise_first, pending, context=contextvars.Context())
    pending.append(error)


def _raise_first(pending: list[BaseException]) -> None:
    error = pending[0]
    pending.clear()
    raise error


_all: "weakref.WeakSet[PerLoop[Any]]" = weakref.WeakSet()


def _forget_loops_of_parent() -> None:
    # A forked child has the parent's loops in memory, but they will not run there.
    for per_loop in list(_all):
        per_loop.clear()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_forget_loops_of_parent)

_interrupts: PerLoop[list[BaseException]] = PerLoop(list)
