"""The time by which items of a file expire: it neither jumps nor goes back, and all processes agree on it.

A wall clock can be set while the cache is in use: forward, and every item would be gone at once; back, and what has
expired would be there again. So deadlines are told by the time since the machine was started, which nobody can set,
plus an offset that lies in the file. After a restart the offset is chosen anew, from the wall clock, but never so that
time goes back behind what was noted last: should the clock be wrong then, items live longer by the time that the
machine was off, and none comes back.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from asynccache.protocols import Clock


class Machine(NamedTuple):
    """The clocks of a machine.

    Attributes:
        start: names the present start of the machine; empty where it has no name.
        uptime: tells seconds from that start, or from any point that all processes share, sleep included if possible.
        wall: tells the seconds since 1970.
    """

    start: str
    uptime: Clock
    wall: Clock


class Timeline(NamedTuple):
    """What lies in a file about its time.

    Attributes:
        start: of the machine for which the offset holds.
        offset: seconds to add to the uptime.
        latest: a time by this timeline that has been reached already.
    """

    start: str
    offset: float
    latest: float

    def holds_for(self, machine: Machine) -> bool:
        """Tell whether the machine was not started anew since."""
        return machine.start != "" and self.start == machine.start


def begin(machine: Machine, former: Timeline | None) -> Timeline:
    """Go on where a timeline was left, or begin one."""
    if former is not None and former.holds_for(machine):
        return former
    now = machine.wall() if former is None else max(machine.wall(), former.latest)
    return Timeline(machine.start, now - machine.uptime(), now)


def this_machine() -> Machine:
    """Give the clocks of the machine that we run on."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:  # another system than Linux: each process begins by the wall clock, and stays steady from then on
        start = ""
    return Machine(start, _uptime(), time.time)


def _uptime() -> Callable[[], float]:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return time.monotonic
    return lambda: time.clock_gettime(boottime)
