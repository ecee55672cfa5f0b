"""Functions of many keys, called with one: where the tests of `async_cached.batched` begin."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from asynccache import CachedFunction, async_cached
from tests.flight.gates import Gate, outcome


def batched(**options: Any) -> tuple[list[list[int]], CachedFunction[[int], str]]:
    """Give the lists of keys that were asked for so far, and a batched function."""
    asked: list[list[int]] = []

    @async_cached.batched(**options)
    async def load(keys: list[int]) -> dict[int, str]:
        asked.append(list(keys))
        return {key: f"value {key}" for key in keys}

    return asked, load


def gated_batches(**options: Any) -> tuple[Gate[Any], CachedFunction[[int], str]]:
    """Give a gate, and a batched function whose calls wait there."""
    gate: Gate[Any] = Gate()

    @async_cached.batched(**options)
    async def load(keys: list[int]) -> dict[int, str]:
        found: dict[int, str] = await gate.load(tuple(keys))
        return found

    return gate, load


def giving(found: Any) -> CachedFunction[[Any], Any]:
    """Give a batched function whose calls all give or raise the same."""

    @async_cached.batched()
    async def load(_keys: list[Any]) -> Any:
        if isinstance(found, BaseException):
            raise found
        return found

    return load


async def ended(*calls: Awaitable[Any]) -> list[object]:
    """What calls that were made at once came to."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    return [await outcome(task) for task in tasks]
