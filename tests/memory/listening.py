"""A listener that is awaited, and what it is told: for tests that tell without a cache."""

import asyncio
from typing import Any, Final, TypeAlias

from asynccache.memory.listeners import Removed
from asynccache.protocols import EvictionCause
from tests.flight.gates import Gate

Heard: TypeAlias = list[tuple[object, object, EvictionCause]]

EVICTED: Final = EvictionCause.CAPACITY
EXPIRED: Final = EvictionCause.EXPIRED


def left(*keys: object) -> list[Removed]:
    """What is told when these keys leave."""
    return [(key, f"value {key}", EVICTED) for key in keys]


def keys_of(heard: Heard) -> list[object]:
    """The keys that were heard of."""
    return [key for key, _, _ in heard]


class Listener:
    """Writes down what it is told; it can be made to wait, or to raise."""

    def __init__(self, gate: Gate[None] | None = None, error: BaseException | None = None) -> None:
        self.heard: Heard = []
        self.gate = gate
        self.error = error

    async def hear(self, key: Any, value: object, cause: EvictionCause) -> None:
        """Be the listener."""
        self.heard.append((key, value, cause))
        if self.gate is not None:
            await self.gate.load(key)
        if self.error is not None:
            raise self.error

    async def __call__(self, key: object, value: object, cause: EvictionCause) -> None:
        """Be a listener that is an object."""
        await self.hear(key, value, cause)

    async def with_label(self, label: str, key: object, value: object, cause: EvictionCause) -> None:
        """Be a listener that is given more, by a partial."""
        await self.hear((label, key), value, cause)


def workers() -> "list[asyncio.Task[Any]]":
    """The tasks that run listeners on this loop."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "on_evict of prices"]
