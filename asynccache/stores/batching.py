"""Many callers, few requests: what is asked in one turn of the loop goes to the engine as one request.

Decides what a request is made of, and how many there are at once: lanes.py makes them. Reads overtake one another;
writes keep their order, and the next ones wait until those before them are done. While an engine is known to be out of
reach, nobody waits at all.
"""

import abc
import asyncio
import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self, cast

from asynccache.errors import StoreError
from asynccache.loops import PerLoop
from asynccache.stores.breaker import CircuitBreaker
from asynccache.stores.contract import Item
from asynccache.stores.lanes import Lane, raise_anew

__all__ = ["DEFAULT_TIMEOUT", "BatchingStore", "Change", "Op", "raise_anew"]

DEFAULT_TIMEOUT: Final = 0.1
"""Seconds that a request to a store may take, when nothing else is said."""

_MOST_READS: Final = 4
"""Read requests under way at once on one loop; what is asked meanwhile is gathered for the next."""


class Change(enum.Enum):
    """What is to be done to a key."""

    SET = enum.auto()
    DELETE = enum.auto()
    ADD = enum.auto()
    COMPARE_AND_SET = enum.auto()
    COMPARE_AND_DELETE = enum.auto()
    INCREMENT = enum.auto()


class Op(NamedTuple):
    """One change. What it comes to: for INCREMENT the sum; else whether it was done, for DELETE whether it was there.

    Attributes:
        change: what is done.
        key: to which key.
        item: what is to be kept, for SET, ADD and COMPARE_AND_SET; for INCREMENT its ttl counts.
        expected: how the present value has to begin, where that is a condition.
    """

    change: Change
    key: bytes
    item: Item = Item(b"")
    expected: bytes = b""


class BatchingStore(abc.ABC):
    """A store whose driver makes whole batches of reads and changes.

    A driver has to make `_read`, `_write` and `_disconnect`. They run in tasks of their own, on the loop of those who
    ask, and are cancelled when their time is over. Keys of `_read` are distinct.

    Args:
        name: of the store, in errors.
        timeout: seconds that anybody waits at most.
        breaker: tells when the engine is worth asking; None for a driver that decides that itself, node by node.
    """

    def __init__(self, name: str, *, timeout: float = DEFAULT_TIMEOUT, breaker: CircuitBreaker | None) -> None:
        self.name = name
        self.timeout = timeout
        self.breaker = breaker
        self.is_closed = False
        self._reads: PerLoop[Lane] = PerLoop(self._read_lane)
        self._writes: PerLoop[Lane] = PerLoop(self._write_lane)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # --- what a driver makes ------------------------------------------------------------------------------------------

    @abc.abstractmethod
    async def _read(self, keys: list[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys.

        Raises:
            StoreError: nothing could be read.
        """

    @abc.abstractmethod
    async def _write(self, ops: list[Op]) -> Sequence[object]:
        """Make these changes, in this order for each key, and tell what each came to: a `StoreError` if that is not
        known.

        Raises:
            StoreError: that is known of none.
        """

    @abc.abstractmethod
    async def _disconnect(self) -> None:
        """Let go of what was opened, on this loop and on those that are gone; of a client passed in, of nothing."""

    # --- the contract -------------------------------------------------------------------------------------------------

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others."""
        if not keys:
            return {}
        loop = asyncio.get_running_loop()
        try:
            lane = self._reads.states[id(loop)]
        except KeyError:
            lane = self._reads.enter(loop)
        outcome = await lane.join(keys).waiters[-1]
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        if len(keys) == 1:
            key = keys[0]
            return {key: outcome[key]} if key in outcome else {}
        return {key: outcome[key] for key in keys if key in outcome}

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these."""
        await self._change(
            [Op(Change.SET, key, item) if _lives(item) else _deletion(key) for key, item in items.items()]
        )

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were."""
        return sum(map(bool, await self._change([_deletion(key) for key in dict.fromkeys(keys)])))

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already; tell whether it was kept."""
        return bool((await self._change([Op(Change.ADD, key, item)]))[0])

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one that begins with `expected`; tell whether there was such a one."""
        return bool((await self._change([Op(Change.COMPARE_AND_SET, key, item, expected)]))[0])

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item that begins with `expected`; tell whether there was such a one."""
        return bool((await self._change([Op(Change.COMPARE_AND_DELETE, key, expected=expected)]))[0])

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter that begins at 0, and give the sum."""
        return cast("int", (await self._change([Op(Change.INCREMENT, key, Item(b"", ttl))]))[0])

    async def aclose(self) -> None:
        """Let go of connections, threads and files; what is asked already is still answered."""
        if not self.is_closed:
            self.is_closed = True
            await self._drain()
            await self._disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _change(self, ops: list[Op]) -> list[Any]:
        if not ops:
            return []
        lane = self._writes.enter(asyncio.get_running_loop())
        batch = lane.join(ops)
        end = len(batch.asked)
        outcome = await batch.waiters[-1]
        if isinstance(outcome, StoreError):
            raise_anew(outcome)
        mine: list[Any] = outcome[end - len(ops) : end]
        for result in mine:
            if isinstance(result, StoreError):
                raise_anew(result)
        return mine

    async def _drain(self) -> None:
        """Wait for what was asked on this loop until now."""
        here = id(asyncio.get_running_loop())
        for lanes in (self._reads, self._writes):
            if here in lanes.states:
                await lanes.states[here].drain()

    # --- lanes --------------------------------------------------------------------------------------------------------

    def _read_lane(self) -> Lane:
        async def read(asked: list[Any]) -> dict[bytes, bytes]:
            return await self._read(list(dict.fromkeys(asked)))

        return Lane(self, read, most=_MOST_READS, must_serve=False)

    def _write_lane(self) -> Lane:
        async def write(asked: list[Any]) -> list[object]:
            return list(await self._write(asked))

        return Lane(self, write, most=1, must_serve=True)


def _lives(item: Item) -> bool:
    return item.ttl is None or item.ttl > 0


def _deletion(key: bytes) -> Op:
    return Op(Change.DELETE, key)
