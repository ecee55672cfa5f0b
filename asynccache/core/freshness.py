"""What becomes of a value that is no longer new: fresh, refreshed behind, served old, or gone.

One entry's life, from the moment when it is stored:

    |---------- ttl ----------|------ stale ------|
    |          |              |----------- stale_if_error -----------|
    stored     refresh_ahead  no longer fresh                        gone

Up to `refresh_ahead` a read is a plain hit. From there on it starts a refresh behind and gets the value that is still
fresh; within `stale` it does so and gets the old value. After that it has to wait for a load, but within
`stale_if_error` the old value is there in case that fails. After a failure nobody asks again for `error_backoff`.

All times are seconds. Nothing here reads a clock or rolls dice: the moment and the chance are handed in.
"""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from asynccache.core.expiry import Seconds, seconds

_CERTAIN: Final = 37.0
"""Of an exponential chance: beyond this many times its mean it does not come in the life of a machine (1e-16)."""


class Verdict(enum.Enum):
    """What a read does with a value that it has found."""

    FRESH = enum.auto()
    """Serve it."""
    REFRESH = enum.auto()
    """Serve it as fresh, and refresh it behind."""
    STALE = enum.auto()
    """Serve it as old, and refresh it behind."""
    FALLBACK = enum.auto()
    """Load anew, and keep it in case that fails."""
    GONE = enum.auto()
    """Load anew, as if it were not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Freshness:
    """What is promised beyond the ttl, and before its end. Made by `from_options`, which checks.

    Attributes:
        stale: seconds after the ttl in which the old value is served while a refresh runs behind (RFC 5861, 3).
        stale_if_error: seconds after the ttl in which the old value is served if the load fails (RFC 5861, 4).
        error_backoff: seconds that pass after a failure before the load is asked again, while there is an old value.
        refresh_ahead: share of the ttl after which a read refreshes behind; 1 for none.
        early: how eagerly reads refresh before the ttl ends, in units of the load's own time; 0 for not at all.
            (A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015.)
    """

    stale: float = 0.0
    stale_if_error: float = 0.0
    error_backoff: float = 1.0
    refresh_ahead: float = 1.0
    early: float = 0.0

    @classmethod
    def from_options(
        cls,
        stale: Seconds | None = None,
        stale_if_error: Seconds | None = None,
        error_backoff: Seconds | None = None,
        refresh_ahead: float | None = None,
        early: float | None = None,
    ) -> "Freshness":
        """Read the options as users write them.

        Raises:
            TypeError: a share or a factor is no number.
            ValueError: a length of time is negative, NaN or none at all; `refresh_ahead` is not between 0 and 1;
                `early` is negative or not finite.
        """
        _check_number("refresh_ahead", "a share of the ttl between 0 and 1, such as 0.8", refresh_ahead, below=1.0)
        _check_number("early", "a factor of more than 0, such as 1.0", early, below=math.inf)
        return cls(
            stale=_span("stale", stale),
            stale_if_error=_span("stale_if_error", stale_if_error),
            error_backoff=1.0 if error_backoff is None else _span("error_backoff", error_backoff),
            refresh_ahead=1.0 if refresh_ahead is None else float(refresh_ahead),
            early=0.0 if early is None else float(early),
        )

    @property
    def lasts(self) -> float:
        """How many seconds after its ttl a value is kept."""
        return max(self.stale, self.stale_if_error)

    def refresh_at(self, stored: float, fresh_until: float) -> float:
        """Tell the moment from which every read refreshes, given those of storing and of the end of the ttl."""
        if self.refresh_ahead == 1 or fresh_until == math.inf:
            return fresh_until
        return stored + (fresh_until - stored) * self.refresh_ahead

    def attention(self, refresh_at: float, fresh_until: float, load_time: float) -> float:
        """Tell the moment from which a read has to think."""
        if not self.early or fresh_until == math.inf:
            return refresh_at
        return min(refresh_at, fresh_until - self.early * load_time * _CERTAIN)

    def judge(
        self,
        *,
        now: float,
        refresh_at: float,
        fresh_until: float,
        load_time: float,
        chance: Callable[[], float],
    ) -> Verdict:
        """Tell what to do with a value.

        Args:
            now: the moment.
            refresh_at: the moment from which every read refreshes.
            fresh_until: the end of its ttl.
            load_time: how long its load took.
            chance: gives a number from 0 to 1, for `early`.
        """
        if now < fresh_until:
            if now >= refresh_at or (self.early and now - self.early * load_time * _log(chance()) >= fresh_until):
                return Verdict.REFRESH
            return Verdict.FRESH
        if now < fresh_until + self.stale:
            return Verdict.STALE
        return Verdict.FALLBACK if now < fresh_until + self.stale_if_error else Verdict.GONE


def _log(chance: float) -> float:
    return math.log(chance) if chance > 0 else -_CERTAIN


def _span(option: str, value: Seconds | None) -> float:
    found = seconds(option, value)
    return (0.0 if value is None else math.inf) if found is None else found


def _check_number(option: str, meaning: str, value: object, *, below: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option} must be {meaning}, not {value!r}")
    if not 0 < value < below:
        raise ValueError(f"{option} must be {meaning}, not {value!r}")
