"""Loads that say something of themselves."""

from collections.abc import Callable
from typing import Any

from asynccache import async_cached
from asynccache.flight.loading import Load, current_load
from asynccache.testing import ManualClock

Say = Callable[[Load], object]


def telling(say: Say, **options: Any) -> tuple[ManualClock, list[int], Any]:
    """Give a clock, the keys that were loaded, and a function whose loads say something."""
    clock = ManualClock()
    loaded: list[int] = []

    async def load(key: int) -> str:
        loaded.append(key)
        say(current_load())
        return f"value {len(loaded)}"

    chosen: dict[str, Any] = {"ttl": 10, "clock": clock} | options
    return clock, loaded, async_cached(**chosen)(load)


def set_to(name: str, value: object) -> Say:
    """Make what sets an attribute."""
    return lambda load: setattr(load, name, value)
