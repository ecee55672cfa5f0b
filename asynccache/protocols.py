"""The words that every floor shares: the sentinel for "nothing there", causes of removal, and the shapes of callbacks.

Nothing here does anything. What a name means is decided here, so that no two floors mean different things by it.
"""

import enum
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol, TypeAlias, TypeVar


class _Missing(enum.Enum):
    """One value, so that a type checker can tell it from `None`, which is a value like any other."""

    MISSING = enum.auto()

    def __repr__(self) -> str:
        return "MISSING"

    __str__ = __repr__


MISSING: Final = _Missing.MISSING
"""What a look-up gives where nothing is stored."""

Missing: TypeAlias = Literal[_Missing.MISSING]

Clock: TypeAlias = Callable[[], float]
"""Tells the time in seconds from any fixed point; must never go back. `time.monotonic` is one."""


class TimerHandle(Protocol):
    """What `SupportsTimers.call_later` gives back."""

    def cancel(self) -> object:
        """Take the call back, if it has not been made yet."""
        ...


class SupportsTimers(Protocol):
    """A clock that also wakes its users: a test's clock, where time passes only when the test says so."""

    def __call__(self) -> float:
        """Tell the time, in seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> TimerHandle:
        """Call `callback` once `delay` seconds of this clock's time have passed."""
        ...


class EvictionCause(enum.StrEnum):
    """Why an entry left the cache."""

    CAPACITY = "capacity"
    """The cache was full, and the policy gave it up."""
    EXPIRED = "expired"
    """Its `ttl` or `idle` time was over."""
    REPLACED = "replaced"
    """A newer value took its place."""
    EXPLICIT = "explicit"
    """It was invalidated, deleted, or one of its tags was."""
    CLEARED = "cleared"
    """The whole cache, or its namespace, was cleared."""

    __hash__ = str.__hash__  # counted at every eviction; the one of Enum is written in Python


_K_contra = TypeVar("_K_contra", contravariant=True)
_V_contra = TypeVar("_V_contra", contravariant=True)


class EvictionListener(Protocol[_K_contra, _V_contra]):
    """Called with each entry that has left a cache, after it has left."""

    def __call__(self, key: _K_contra, value: _V_contra, cause: EvictionCause, /) -> object:
        """Take note. What it returns is ignored; what it raises is reported and counted, and stops nothing."""
        ...


class AsyncEvictionListener(Protocol[_K_contra, _V_contra]):
    """Awaited with each entry that has left a cache: in a task behind, one after the other."""

    def __call__(self, key: _K_contra, value: _V_contra, cause: EvictionCause, /) -> Awaitable[object]:
        """Take note. What it comes to is ignored; what it raises is reported and counted, and stops nothing."""
        ...
