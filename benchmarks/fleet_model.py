"""One key of a cache in many processes, simulated: what it asks of the store, and how old what it serves may be.

Decides the protocol as the shared tier follows it, and nothing else: who asks the store when, who loads, who hears of a
change and when. Hits in a process cost the store nothing, so they are no events: after each loss of its copy, the next
read of a process is drawn from the exponential distribution. Keys do not know of each other, so a cache of many keys is
the sum of such runs. The same seed gives the same run.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Event: TypeAlias = tuple[float, int, Callable[..., None], tuple[object, ...]]
Part: TypeAlias = Literal["reader", "leader", "follower"]
"""What a process is when it asks the store: it just reads, has the lease, or knows that another has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is simulated. Times are seconds.

    Attributes:
        processes: how many there are; none of them has the value at the start.
        reads: of the key, by each process, a second.
        deletions: of the key by anybody, a second in the whole fleet.
        ttl: of a value.
        load: how long a load takes.
        way: from a process to the store, or back.
        fan_out: what the store takes to tell one process of a change.
        local_ttl: how long a copy is kept where nobody tells of changes; None for an engine that tells.
        coalesce: whether one load is made for a process or for the fleet; the latter needs an engine that tells.
        duration: of the run.
        seed: of chance.
    """

    processes: int
    reads: float
    deletions: float = 0.0
    ttl: float = 60.0
    load: float = 0.1
    way: float = 0.000_25
    fan_out: float = 0.000_004
    local_ttl: float | None = None
    coalesce: Literal["process", "fleet"] = "process"
    duration: float = 60.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.coalesce == "fleet" and self.local_ttl is not None:
            raise ValueError("who waits for a load elsewhere is woken by news: leave out local_ttl")


@dataclass(slots=True)
class Counts:
    """What has happened.

    Attributes:
        loads: that were made.
        gets: reads of the store.
        writes: of values, with those that came too late and were refused.
        leases: that were asked for or given back.
        changes: in the store that each process is told of, if the engine tells.
        stale_seconds: for how long copies were held that the store no longer had, summed over all processes.
        oldest: the longest of these times.
    """

    loads: int = 0
    gets: int = 0
    writes: int = 0
    leases: int = 0
    changes: int = 0
    stale_seconds: float = 0.0
    oldest: float = 0.0


class Process:
    """One of the processes, as far as this key goes.

    Attributes:
        copy: the version that it holds, or None.
        held_since, held_until: from when, and when it lets go of it by itself.
        asked_at: since when news forbids to keep what is being read.
        heard_at: when it last heard that the key had changed.
        is_waiting: for such news, as somebody else has the lease.
        turn: grows with each loss of the copy, so that a read that was drawn before is void.
    """

    __slots__ = ("asked_at", "copy", "heard_at", "held_since", "held_until", "is_waiting", "turn")

    def __init__(self) -> None:
        self.copy: int | None = None
        self.held_since = self.held_until = self.asked_at = 0.0
        self.heard_at = -1.0
        self.is_waiting = False
        self.turn = 0


class Fleet:
    """A run of the simulation: make one, `run` it, and read its `counts`.

    Args:
        plan: of what.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts = Counts()
        self.now = 0.0
        self._chance = random.Random(plan.seed)
        self._numbers = itertools.count()
        self._events: list[Event] = []
        self._processes = [Process() for _ in range(plan.processes)]
        self._version = 0
        self._deadline: float | None = None
        self._is_leased = False
        self._ended_at: dict[int, float] = {}

    def run(self) -> Counts:
        """Simulate, to the end of the plan's duration."""
        for process in self._processes:
            self._read_later(process, 0.0)
        self._delete_later()
        while self._events and self._events[0][0] <= self.plan.duration:
            self.now, _, act, about = heapq.heappop(self._events)
            act(*about)
        return self.counts

    def _at(self, moment: float, act: Callable[..., None], *about: object) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), act, about))

    def _soon(self, act: Callable[..., None], *about: object) -> None:
        """Let something happen at the other end of the way."""
        self._at(self.now + self.plan.way, act, *about)

    # --- in a process -------------------------------------------------------------------------------------------------

    def _read_later(self, process: Process, start: float) -> None:
        process.turn += 1
        self._at(start + self._chance.expovariate(self.plan.reads), self._read, process, process.turn)

    def _read(self, process: Process, turn: int) -> None:
        if turn == process.turn:
            self._let_go(process, process.held_until)
            process.turn += 1
            self._ask(process)

    def _ask(self, process: Process, part: Part = "reader") -> None:
        process.asked_at = self.now
        self._soon(self._answer, process, part)

    def _take(self, process: Process, version: int, deadline: float) -> None:
        """Keep what was read or loaded, unless news of a change has overtaken it."""
        if process.heard_at > process.asked_at:
            self._read_later(process, self.now)
            return
        local = self.plan.local_ttl
        process.copy = version
        process.held_since = self.now
        process.held_until = deadline if local is None else min(deadline, self.now + local)
        self._read_later(process, process.held_until)

    def _let_go(self, process: Process, moment: float) -> None:
        if process.copy is not None:
            ended = self._ended_at.get(process.copy, moment)
            age = max(moment - max(ended, process.held_since), 0.0)
            self.counts.stale_seconds += age
            self.counts.oldest = max(self.counts.oldest, age)
            process.copy = None

    def _hear(self, process: Process) -> None:
        process.heard_at = self.now
        if process.copy is not None:
            self._let_go(process, min(self.now, process.held_until))
            self._read_later(process, self.now)
        elif process.is_waiting:
            process.is_waiting = False
            self._ask(process)

    def _found_nothing(self, process: Process, seen: int, part: Part) -> None:
        if part == "follower":
            self._wait(process)
        elif part == "leader" or self.plan.coalesce == "process":
            self.counts.loads += 1
            self._at(self.now + self.plan.load + self.plan.way, self._write, process, seen, part)
        else:
            self._soon(self._lease, process)

    def _wait(self, process: Process) -> None:
        if process.heard_at > process.asked_at:
            self._ask(process)
        else:
            process.is_waiting = True

    # --- in the store -------------------------------------------------------------------------------------------------

    def _answer(self, process: Process, part: Part) -> None:
        self.counts.gets += 1
        if self._deadline is None:
            self._soon(self._found_nothing, process, self._version, part)
        else:
            self._soon(self._take, process, self._version, self._deadline)
            if part == "leader":
                self._release()

    def _write(self, process: Process, seen: int, part: Part) -> None:
        self.counts.writes += 1
        if part == "leader":
            self._release()
        if seen != self._version:  # somebody wrote or deleted since the load began
            self._soon(self._read_later, process, self.now + self.plan.way)
            return
        self._change(self.now + self.plan.ttl)
        self._at(self.now + self.plan.ttl, self._expire, self._version)
        self._soon(self._take, process, self._version, self._deadline)

    def _lease(self, process: Process) -> None:
        self.counts.leases += 1
        if self._is_leased:
            self._soon(self._ask, process, "follower")
        else:
            self._is_leased = True
            self.counts.changes += 1
            self._soon(self._ask, process, "leader")

    def _release(self) -> None:
        self._is_leased = False
        self.counts.leases += 1
        self.counts.changes += 1

    def _expire(self, version: int) -> None:
        if version == self._version and self._deadline is not None:
            self._deadline = None
            self.counts.changes += 1  # whoever held it knew the deadline

    def _delete_later(self) -> None:
        if self.plan.deletions:
            self._at(self.now + self._chance.expovariate(self.plan.deletions), self._delete)

    def _delete(self) -> None:
        self._change(None)
        self._delete_later()

    def _change(self, deadline: float | None) -> None:
        """Put a value that lives so long, or a tombstone, into the store, and tell everybody."""
        self._ended_at[self._version] = self.now
        self._version += 1
        self._deadline = deadline
        self.counts.changes += 1
        if self.plan.local_ttl is None:
            spread = self.plan.fan_out * self.plan.processes
            for process in self._processes:
                self._at(self.now + self.plan.way + spread * self._chance.random(), self._hear, process)
