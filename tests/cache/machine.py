"""A machine on which processes with caches come and go, and time passes when the test says so."""

from pathlib import Path
from typing import Any

import pytest

from asynccache import Cache
from asynccache.cache import warm_start
from asynccache.testing import ManualClock

MOMENT = 1 / 1024
"""A short time, in seconds: sums with it are exact."""


class Machine:
    """A machine whose time of day is a `ManualClock`: caches come and go on it, each with a clock of its own.

    Attributes:
        wall: the time of day.
        file: where snapshots are.
    """

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = ManualClock(1_000_000.0)
        for function in (warm_start.snapshot, warm_start.restore):
            monkeypatch.setitem(defaults_of(function), "wall", self.wall)
        self.file = file
        self.clock = ManualClock()

    def cache(self, **options: Any) -> Cache:
        """Give the cache of a process that has just been started."""
        self.clock = ManualClock(1_000.0)  # where monotonic clocks begin is anybody's guess
        return Cache(clock=self.clock, **options)

    def advance(self, by: float) -> None:
        """Let time pass while a process runs."""
        self.wall.advance(by)
        self.clock.advance(by)


def defaults_of(function: Any) -> dict[str, Any]:
    """What a function's keyword-only parameters are if they are not given."""
    defaults: dict[str, Any] = function.__kwdefaults__
    return defaults
