"""What a model of promises is told with: the options, who calls, what is stored, what is loaded, what is counted."""

import math
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

FOREVER: Final = math.inf

Answer: TypeAlias = int | str
"""What a caller is given: a value, or the name of an error."""

Outcome: TypeAlias = int | Literal["outage", "answer", "passing answer", "cancelled"]
"""How a load ends."""

ERRORS: Final = {
    "outage": "Outage",
    "answer": "NotFound",
    "passing answer": "Moved",
    "cancelled": "LoadCancelled",
    "too late": "LoadTimeout",
}
"""What callers see of it."""


@dataclass(frozen=True, kw_only=True)
class Promises:
    """The options. Those that are named by a word are functions; see the methods."""

    ttl: float | Literal["by value"] | None = None
    stale: float = 0.0
    stale_if_error: float = 0.0
    error_backoff: float = 1.0
    refresh_ahead: float = 1.0
    idle: float | None = None
    remembers: float | None = None
    tags: Literal["none", "fixed", "by value"] = "none"
    timeout: float | None = None
    soft_timeout: float | None = None
    picky: bool = False
    on_abandon: Literal["cancel", "finish"] | float = "cancel"
    max_refreshes: int = 32

    def ttl_of(self, value: int) -> float | None:
        """How many seconds a value is fresh; None for ever."""
        return [0.0, 4.0, 10.0, None][value % 4] if self.ttl == "by value" else self.ttl

    def tags_of(self, value: int, key: int) -> tuple[str, ...]:
        """What groups a value belongs to."""
        if self.tags == "by value":
            return (f"key {key}", "odd" if value % 2 else "even")
        return self.tags_of_error

    @property
    def tags_of_error(self) -> tuple[str, ...]:
        """What groups an error belongs to: those that are known without a value."""
        return ("fixed",) if self.tags == "fixed" else ()

    def is_storable(self, value: int) -> bool:
        """Whether a value is to be stored."""
        return not self.picky or value % 3 != 0


@dataclass(eq=False)
class Caller:
    """Somebody who calls."""

    key: int
    came: int = 0
    """The moment at which it called, the last time."""
    answer: Answer | None = None
    is_cancelled: bool = False


@dataclass(eq=False)
class Stored:
    """What is kept for a key."""

    value: Answer
    made: int
    """The moment at which its load began: what was invalidated later makes it invalid."""
    tags: tuple[str, ...]
    refresh_at: float
    fresh_until: float
    lasts_until: float
    read_at: float
    retry_at: float = -FOREVER


@dataclass(eq=False)
class Load:
    """One run of the function."""

    key: int
    began: int
    is_refresh: bool
    stubborn: bool
    """It goes on when it is cancelled."""
    waiters: list[Caller] = field(default_factory=list)
    timers: list[tuple[float, int, str]] = field(default_factory=list)
    has_begun: bool = False
    is_detached: bool = False
    """Nobody joins it, and what it brings is not stored."""
    is_late: bool = False
    goes_on: bool = False
    is_cancelled: bool = False
    has_ended: bool = False


@dataclass
class Counts:
    """The part of the statistics that follows from the promises."""

    hits: int = 0
    misses: int = 0
    stale: int = 0
    coalesced: int = 0
    loads: int = 0
    failures: int = 0
    cancelled: int = 0
    timeouts: int = 0
    abandoned: int = 0
    refreshes: int = 0
