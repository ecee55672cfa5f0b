"""Loads of many keys that go on when the test says so."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from asynccache import MISSING, Cache
from tests.flight.gates import turns

Found: TypeAlias = Mapping[Any, Any] | Sequence[Any]


class ManyGate:
    """What loads of many keys wait at.

    Attributes:
        calls: the keys that each was asked for.
        cancelled: how many were cancelled.
    """

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.cancelled = 0
        self._stops: list[asyncio.Future[Found]] = []

    async def load(self, keys: list[Any]) -> Found:
        """Be the load of these keys."""
        self.calls.append(keys)
        stop: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._stops.append(stop)
        try:
            return await stop
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def give(self, found: Any = MISSING, number: int = -1) -> None:
        """Let a load end: with what is said, or with each key ten times over."""
        self._stops[number].set_result({key: key * 10 for key in self.calls[number]} if found is MISSING else found)

    def fail(self, error: BaseException, number: int = -1) -> None:
        """Let a load end with an error."""
        self._stops[number].set_exception(error)

    async def ask(self, cache: Cache, *keys: Any, **options: Any) -> "asyncio.Task[dict[Any, Any]]":
        """Let a caller ask for these keys, and turn the loop until he waits."""
        task = asyncio.create_task(cache.get_or_load_many(keys, self.load, **options))
        await turns()
        return task
