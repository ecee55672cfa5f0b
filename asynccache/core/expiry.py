"""How long an entry lives: the options, checked where they are written, and the arithmetic of deadlines.

All times are seconds. Nothing here reads a clock or rolls dice: the moment and the chance are handed in.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from asynccache.core.entry import NEVER

Seconds: TypeAlias = float | timedelta
"""A length of time: a number of seconds, or a `timedelta`."""

Ttl: TypeAlias = Seconds | Callable[..., Seconds | None] | None
"""Time to live: a length of time, None for ever, or a function of the result and then the call's arguments that gives
one of these."""


def seconds(option: str, value: object, *, is_private: bool = False) -> float | None:
    """Read a length of time; None and infinity mean no limit, and give None.

    Args:
        option: what it is for, for the message.
        value: what was given.
        is_private: whether it was not written as an option, but came of a value: the message does not show it then.

    Raises:
        ValueError: it is negative, NaN, or no length of time at all.
    """
    if value is None:
        return None
    shown = type(value).__name__ if is_private else repr(value)
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{option} must be a number of seconds, a timedelta or None, not {shown}")
    if not value >= 0:
        raise ValueError(f"{option} must be 0 seconds or more, not {shown}")
    return None if value > sys.float_info.max else float(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """When an entry stops being served. Made by `from_options`, which checks.

    Attributes:
        ttl: time to live, counted from the moment of storing; or a function that gives it.
        idle: time to idle, counted anew at each hit.
        jitter: up to so much is added to each `ttl`, by chance, so that what was stored together does not expire
            together.
    """

    ttl: float | Callable[..., object] | None = None
    idle: float | None = None
    jitter: float = 0.0

    @classmethod
    def from_options(cls, ttl: Ttl = None, idle: Seconds | None = None, jitter: Seconds | None = None) -> "Expiry":
        """Read the three options as users write them.

        Raises:
            ValueError: one is negative, NaN or no length of time, or `jitter` comes without `ttl`.
        """
        if jitter is not None and ttl is None:
            raise ValueError("jitter requires ttl to be set: it is added to it")
        if isinstance(jitter, int | float) and jitter < 0:
            raise ValueError(f"jitter must be non-negative, not {jitter!r}")
        spread = seconds("jitter", jitter)
        if jitter is not None and spread is None:
            raise ValueError("jitter must be a finite number of seconds")
        return cls(ttl=ttl if callable(ttl) else seconds("ttl", ttl), idle=seconds("idle", idle), jitter=spread or 0.0)

    @property
    def can_expire(self) -> bool:
        """Whether there can be entries that expire."""
        return self.ttl is not None or self.idle is not None

    def time_to_live(self, value: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float | None:
        """Tell for how many seconds this result of this call is fresh; None for ever.

        Raises:
            ValueError: the `ttl` function gave no length of time.
            Exception: whatever the `ttl` function raises.
        """
        if callable(self.ttl):
            return seconds("what ttl() returns", self.ttl(value, *args, **kwargs), is_private=True)
        return self.ttl

    def limit(self, ttl: float | None, now: float, chance: Callable[[], float]) -> float:
        """Tell the moment beyond which no hit can move the deadline.

        Args:
            ttl: what `time_to_live` gave.
            now: the moment of storing.
            chance: gives a number from 0 to 1, for the jitter.
        """
        if ttl is None:
            return NEVER
        return now + ttl + self.jitter * chance() if self.jitter else now + ttl

    def deadline(self, limit: float, now: float) -> float:
        """Tell the deadline of an entry that is stored or hit now."""
        return limit if self.idle is None else min(limit, now + self.idle)
