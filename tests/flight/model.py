"""What a cached function promises, written down in the slowest and most obvious way.

The model is told of every event at the moment at which it happens (a call, a caller's leaving, the end of a load) and
says what must follow. It knows no tasks, futures or loops.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Outcome: TypeAlias = int | Exception | Literal["cancelled"]
"""How a load ends: a value, the very error that it raised, or cancelled."""


@dataclass(eq=False)
class Caller:
    """Somebody outside of all loads who calls."""

    is_cancelled: bool = False


@dataclass(eq=False)
class Load:
    """One run of the function."""

    key: int
    stubborn: int
    """What it does when it is cancelled: 0 ends, 1 takes its time to end, 2 takes its time and gives a value."""
    waiters: "list[Caller | Load]" = field(default_factory=list)
    waits_for: "list[Load]" = field(default_factory=list)
    is_overtaken: bool = False
    is_doomed: bool = False
    has_begun: bool = False
    moment: int = -1
    """The turn of the loop in which it began."""
    grace_ends: float | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Hit:
    """The call is answered at once by what is stored."""

    value: int


@dataclass(frozen=True)
class Refusal:
    """The call would wait for itself: RecursiveLoad."""


Verdict: TypeAlias = Hit | Refusal | Load


@dataclass
class Promises:
    """The options that matter here."""

    on_abandon: Literal["cancel", "finish"] | float
    maxsize: int | None
    ttl: float | None

    @staticmethod
    def is_storable(value: int) -> bool:
        """What the function's `store_if` says."""
        return value % 5 != 0


class Model:
    """One cached function."""

    def __init__(self, promises: Promises) -> None:
        self.promises = promises
        self.now = 0.0
        self.stored: dict[int, tuple[int, float]] = {}
        self.open: dict[int, Load] = {}
        self.loads: list[Load] = []
        self.just_over: dict[int, Load] = {}
        """Loads that ended in the turn in which they began and brought nothing that is stored: others who ask in that
        turn, or before the next is through, may be given what they came to."""
        self.forget_counts()

    def forget_counts(self) -> None:
        """Count anew."""
        self.hits = self.misses = self.joined = self.values = self.abandoned = 0

    def fresh(self, key: int) -> int | None:
        """The value that is stored for a key, if it has not expired."""
        value, deadline = self.stored.get(key, (None, 0.0))
        return value if self.now < deadline else None

    def call(self, who: Caller | Load, key: int, stubborn: int, *, refresh: bool) -> Verdict:
        """Somebody calls: what must happen?"""
        value = self.fresh(key)
        if value is not None and not refresh:
            self.hits += 1
            return Hit(value)
        load = self.open.get(key)
        if isinstance(who, Load) and (who.key == key if load is None else self._leads_to(load, who)):
            return Refusal()
        if load is None:
            self.misses += 1
            load = self.open[key] = Load(key, stubborn)
            self.loads.append(load)
        else:
            self.joined += 1
        load.grace_ends = None
        load.waiters.append(who)
        if isinstance(who, Load):
            who.waits_for.append(load)
        return load

    def echo(self, key: int, moment: int) -> Load | None:
        """The load whose outcome a call at this moment may be given, though it is over."""
        load = self.just_over.get(key)
        return load if load is not None and moment - load.moment <= 1 else None

    def is_echo(self, who: Caller | Load, verdict: Verdict) -> None:
        """A call was given what a load had just come to: then it has started none."""
        self.joined += 1
        if isinstance(verdict, Load):
            self.misses -= 1
            self.loads.remove(verdict)
            self._overtake(verdict)
            if isinstance(who, Load):
                who.waits_for.remove(verdict)

    def _leads_to(self, start: Load, goal: Load) -> bool:
        return start is goal or any(self._leads_to(other, goal) for other in start.waits_for)

    def stops_waiting(self, who: Caller | Load, load: Load) -> None:
        """Somebody has been answered, or was cancelled: that tells whether the load is over."""
        if isinstance(who, Load):
            who.waits_for.remove(load)
        load.waiters.remove(who)
        if load.outcome is not None or load.waiters or self.promises.on_abandon == "finish":
            return
        if self.promises.on_abandon == "cancel":
            self._doom(load)
        else:
            load.grace_ends = self.now + self.promises.on_abandon

    def _doom(self, load: Load) -> None:
        load.is_doomed = True
        self.abandoned += 1
        self._overtake(load)

    def _overtake(self, load: Load) -> None:
        load.is_overtaken = True
        if self.open.get(load.key) is load:
            del self.open[load.key]

    def ends(self, load: Load, outcome: Outcome, moment: int) -> None:
        """A load has ended."""
        load.outcome = outcome
        load.grace_ends = None
        if isinstance(outcome, int):
            self.values += 1
            if not load.is_overtaken:
                self._store(load.key, outcome)
        if moment == load.moment and not load.is_overtaken and self.fresh(load.key) is not outcome:
            self.just_over[load.key] = load
        self._overtake(load)

    def put(self, key: int, value: int) -> None:
        """Somebody stores a value."""
        self.just_over.pop(key, None)
        if key in self.open:
            self._overtake(self.open[key])
        self._store(key, value)

    def _store(self, key: int, value: int) -> None:
        self.stored.pop(key, None)
        if not self.promises.is_storable(value) or self.promises.maxsize == 0:
            return
        if self.promises.maxsize == 1:
            self.stored.clear()
        self.stored[key] = value, float("inf") if self.promises.ttl is None else self.now + self.promises.ttl

    def invalidate(self, key: int) -> bool:
        """Somebody invalidates a key: was there anything?"""
        found = self.fresh(key) is not None or key in self.open
        self.just_over.pop(key, None)
        self.stored.pop(key, None)
        if key in self.open:
            self._overtake(self.open[key])
        return found

    def clear(self) -> None:
        """Somebody clears the cache."""
        self.stored.clear()
        self.just_over.clear()
        for load in list(self.open.values()):
            self._overtake(load)
        self.forget_counts()

    def advance(self, by: float) -> None:
        """Time passes."""
        self.now += by
        for load in self.loads:
            if load.grace_ends is not None and load.grace_ends <= self.now:
                load.grace_ends = None
                self._doom(load)
