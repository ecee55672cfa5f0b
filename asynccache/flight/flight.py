"""One flight: a load in the air, who waits for it, and what it waits for itself.

Which flight the running code belongs to is told by a context variable, so it is known in whatever tasks and threads a
load spreads to. From that, and from what each flight waits for, a load that would wait for itself is seen before it
does.
"""

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine, Generator, Hashable
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, TypeVar

from asynccache.core.generations import NO_TAGS, Epoch, Tags, first_invalidated
from asynccache.errors import LoadCancelled
from asynccache.flight.plan import Plan
from asynccache.protocols import MISSING, TimerHandle

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Again:
    """What a flight gives in a value's place to those who came after its value was invalidated: ask again."""


AGAIN: Final = _Again()


class Flight(Generic[K]):
    """One load in the air.

    After its landing a shell may live on: a task that the load left behind keeps the load's context, and that the
    flight. So the shell holds nothing but its key: no result, no error, no cache.
    """

    # Defaults stand on the class: most flights need few of these, and every miss makes one.
    task: asyncio.Task[None] | None = None
    boarding = False
    """In its first, eager step, which runs inside its first caller's own step."""
    landed = False
    is_detached = False
    """Its value is not to be stored: something newer has been said about the key since it began."""
    is_cut_off = False
    """It was detached because nobody knows what has changed, not because something has."""
    grace: TimerHandle | None = None
    limits: tuple[TimerHandle, ...] = ()
    """The timers of its plan's time limits."""
    is_abandoned = False
    """It was cancelled, as nobody waits for it any more."""
    goes_on = False
    """It is seen to its end though nobody waits for it: a refresh, or a load that old values were served for."""
    is_refresh = False
    """It was started behind, by a reader who was given the old value."""
    is_late = False
    """Its soft time limit is over: who may be served an old value does not wait for it."""
    epoch: Epoch | None = None
    """What leads to all tags that were invalidated since it began."""
    overtaken_at: int | None = None
    """The generation in which one of its own tags was invalidated: who came later is to be given a newer value."""
    load_time = 0.0
    """How long the load took, in seconds."""
    said: Any = None
    """What the load itself has said of its value: a `Load`, if it ever asked for one."""
    is_stored = False
    """Its value is in the cache: a call that comes now needs no flight."""
    outcome: Any = None
    """The value or a `Failure`, until it is handed out."""
    is_found = False
    """Its value was found in a tier further away: nothing was loaded."""
    terms: Any = None
    """On what terms its value is stored, if that is known already."""
    old: Any = MISSING
    """An old value from a tier further away, which may be served instead of none."""
    old_tags: Tags = NO_TAGS
    """Its tags and scopes."""
    old_is_served = False
    """Whoever comes while it loads is given `old`."""
    caller: asyncio.Task[Any] | None = None
    """Whose step its first step was its last in, as long as others may share its outcome."""
    shared_at = 0
    """The generation in which they may."""
    waits_for: "dict[Flight[Any], int]" = {}  # noqa: RUF012  # never this one: each flight that waits makes its own

    def __init__(self, key: K, owner: object, plan: Plan) -> None:
        self.key = key
        self.owner: object | None = owner
        self.plan: Plan | None = plan
        self.waiters: dict[asyncio.Future[Any], int] = {}
        """Who waits, and the generation in which each began to."""

    def begin_to_wait(self, other: "Flight[Any]") -> None:
        """Note that this load waits for another, be it once more."""
        if not self.waits_for:
            self.waits_for = {}
        self.waits_for[other] = self.waits_for.get(other, 0) + 1

    def end_to_wait(self, other: "Flight[Any]") -> None:
        """Note that one of this load's waits for another is over."""
        self.waits_for[other] -= 1
        if not self.waits_for[other]:
            del self.waits_for[other]

    def known_as(self) -> tuple[str, Any]:
        """Tell what is loaded, and its key as users know it."""
        return ("a function", self.key) if self.plan is None else (self.plan.name, self.plan.own_key(self.key))

    def old_value(self) -> Any:
        """Give the old value from a tier further away, `MISSING` if there is none or it was invalidated meanwhile."""
        if self.old is not MISSING and self.epoch is not None and first_invalidated(self.old_tags, self.epoch):
            self.old, self.old_is_served = MISSING, False
        return self.old

    def take_outcome(self) -> Any:
        """Give what its only step came to; it is kept only for those who share it in this same turn of the loop."""
        outcome = self.outcome
        if self.caller is None:
            self.outcome = None
        return outcome

    def hand_out(self, outcome: Any) -> None:
        """Give an outcome to all who wait; those who came after it was overtaken are told to ask again."""
        waiters, self.waiters = self.waiters, {}
        for future, came in waiters.items():
            if not future.done():
                future.set_result(outcome if self.overtaken_at is None or came < self.overtaken_at else AGAIN)


class Failure:
    """What a flight gives in a value's place when its load has failed.

    Waiters are given it as a result: a future with an exception that nobody asks for would be complained about.
    """

    __slots__ = ("error", "is_left_out", "traceback")

    def __init__(self, error: BaseException, traceback: TracebackType | None) -> None:
        self.error = error
        self.traceback = traceback
        self.is_left_out = False


def raise_failure(failure: Failure) -> NoReturn:
    """Raise a load's error: one object for all who waited, with the load's own frames and nothing of other callers."""
    error, context = failure.error, failure.error.__context__
    try:
        raise error.with_traceback(failure.traceback)
    finally:
        error.__context__ = context  # nor with what this caller was just handling
        del failure, error, context  # or the error, by its traceback and this frame, would hold itself in memory


def failure_of(error: BaseException, name: str, key: Hashable) -> Failure:
    """Tell what callers are given when a load has raised `error`: that, or what it means to those who only wait."""
    shown = error
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
        shown = LoadCancelled(name, key)
    elif isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit):
        # They steer generators and coroutines: passed on as they are, they would end the wrong one.
        shown = RuntimeError(f"the load of {name} raised {type(error).__name__}")
    if shown is not error:
        shown.__cause__ = error
    frames = error.__traceback__
    return Failure(shown, frames and frames.tb_next)  # the first frame is the flight's own


class _Primed(list[None]):
    """Awaited first thing by a flight that is not started eagerly, and run up to there before its task is made.

    A task that is cancelled before its first step throws into its coroutine where that stands. If that has not been
    run at all, it stands outside of any `try`: the flight would never land, and its callers would wait for ever.
    """

    # A generator would do as well, and cost a frame at every miss.
    __await__: Callable[..., Generator[Any, Any, None]] = list.__iter__  # type: ignore[assignment]


primed: Final = _Primed([None])


def start_task(
    loop: asyncio.AbstractEventLoop,
    flight: Flight[Any],
    plan: Plan,
    coroutine: Coroutine[Any, Any, None],
    *,
    may_be_eager: bool,
) -> asyncio.Task[None]:
    """Make a flight's task, and start it at once where that is allowed and possible."""
    context = contextvars.copy_context() if plan.inherit_context else contextvars.Context()
    factory = loop.get_task_factory()
    if sys.version_info >= (3, 12) and may_be_eager and (factory is None or factory is asyncio.eager_task_factory):
        flight.boarding = True
        task = asyncio.Task(coroutine, loop=loop, name=plan.task_name, context=context, eager_start=True)
        flight.boarding = False
        return task
    coroutine.send(None)  # up to `primed`
    if factory is None or not may_be_eager:
        return asyncio.Task(coroutine, loop=loop, name=plan.task_name, context=context)
    return loop.create_task(coroutine, name=plan.task_name, context=context)


current: Final[contextvars.ContextVar[Flight[Any] | None]] = contextvars.ContextVar("asynccache.flight", default=None)
"""The flight whose load the running code belongs to."""


def leads_to(start: Flight[Any], goal: Flight[Any]) -> bool:
    """Tell whether `start` is `goal`, or waits for it, directly or around corners."""
    pending, seen = [start], {start}
    while pending:
        flight = pending.pop()
        if flight is goal:
            return True
        fresh = [other for other in list(flight.waits_for) if other not in seen]
        seen.update(fresh)
        pending += fresh
    return False
