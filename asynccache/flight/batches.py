"""Batches: many loads of one key each, made by one call that is given many keys.

Decides when a batch is complete and who gets what of it. Each key has a flight of its own, which waits for the batch as
any load waits for another; so one caller who leaves disturbs nobody, and a batch that nobody waits for any more is
cancelled as any load is. The idea is that of DataLoader (Facebook, 2015).
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from asynccache.callables import awaitable_of
from asynccache.core.keys import refuse_unhashable
from asynccache.errors import LeftOut, LoadCancelled, RecursiveLoad
from asynccache.flight.flight import Failure, Flight, current
from asynccache.flight.flights import CallLater, Flights
from asynccache.flight.loading import Load
from asynccache.flight.plan import Plan
from asynccache.loops import PerLoop
from asynccache.protocols import MISSING

LoadMany: TypeAlias = Callable[[list[Any]], Awaitable[Mapping[Any, Any] | Sequence[Any]]]
"""Loads many keys at once: gives a mapping, or a sequence with one item for each key, in their order."""


class Batch:
    """Keys that are loaded together.

    Args:
        load: loads many keys.
        plan: of the first key's load.
        loop: where it is loaded.

    Attributes:
        plan: of the load of many keys.
        keys: with the number of loads that wait for each.
        cache_keys: what each of them is known by in the cache.
        is_complete: done when no more keys are taken.
        values: what came of it.
        said: what the load of many keys has said of its values.
    """

    def __init__(self, load: LoadMany, plan: Plan, loop: asyncio.AbstractEventLoop) -> None:
        self.load = load
        self.plan = Plan(
            name=plan.name,
            load=_run,
            expiry=plan.expiry,
            inherit_context=plan.inherit_context,
            is_lasting=plan.is_lasting,
        )
        self.keys: Counter[Hashable] = Counter()
        self.cache_keys: dict[Hashable, Hashable] = {}
        self.is_complete: asyncio.Future[None] = loop.create_future()
        self.values: Mapping[Any, Any] | None = None
        self.said: Load | None = None

    def complete(self) -> None:
        """Take no more keys: let the load begin."""
        if not self.is_complete.done():
            self.is_complete.set_result(None)

    def leave(self, key: Hashable) -> None:
        """One who asked for a key does not wait for it any more: before the load begins, it need not be loaded."""
        if not self.is_complete.done():
            self.keys[key] -= 1
            if not self.keys[key]:
                del self.keys[key]


class Batcher:
    """Puts keys that are asked for at about the same time into one batch.

    Args:
        max_size: keys in a batch at most; None for no bound.
        max_wait: seconds that a batch waits for more keys after its first; 0 for the rest of the loop's turn.
        call_later: starts a timer.
    """

    def __init__(self, *, call_later: CallLater, max_size: int | None = None, max_wait: float = 0.0) -> None:
        self._max_size = max_size
        self._max_wait = max_wait
        self._call_later = call_later
        self._open: PerLoop[dict[Hashable, Batch]] = PerLoop(dict)

    async def value(self, load: LoadMany, key: Hashable, *, group: Hashable = None) -> Any:
        """Give the value of one key: to be called by its load.

        Args:
            load: loads many keys.
            key: which.
            group: what is loaded together: only keys of equal groups.

        Raises:
            LeftOut: a `KeyError`; the batch gave no value for it.
            Exception: what the batch gave as its value, or what the whole batch ended in.
        """
        refuse_unhashable(key)
        flight = current.get()
        if flight is None or flight.plan is None or not isinstance(flight.owner, Flights):  # called by itself
            return value_of(key, as_mapping([key], await load([key])))
        flights: Flights[Any, Any] = flight.owner  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        plan = flight.plan
        batch = self._batch(flights, load, plan, group)
        if batch.cache_keys.get(key, flight.key) != flight.key:
            # Equal keys that the cache tells apart, as 1 and 1.0 or those of two tenants, may have different values.
            batch = self._new_batch(load, plan, group)
        batch.keys[key] += 1
        batch.cache_keys[key] = flight.key
        if len(batch.keys) == self._max_size:
            batch.complete()
        try:
            values = batch.values
            if values is None:
                values = batch.values = await _common(flights).fetch(batch.plan, batch, (batch,), {})
        except (LoadCancelled, RecursiveLoad) as error:
            if error.key is not batch:
                raise
            raise type(error)(
                plan.name, plan.own_key(flight.key)
            ) from error.__cause__  # others' keys are not its business
        finally:
            batch.leave(key)
            flight.said = batch.said
        try:
            return value_of(key, values, flight)
        finally:
            del values, batch  # as there

    def _batch(self, flights: Flights[Any, Any], load: LoadMany, plan: Plan, group: Hashable) -> Batch:
        """Give the batch of this loop that still takes keys, or a new one."""
        batch = self._open.enter(asyncio.get_running_loop()).get(group)
        # One that was cleared away is not joined, as no load is: it might have been asked before that.
        takes_keys = batch is not None and not batch.is_complete.done() and flights.tables.is_flying(batch)
        return batch if batch is not None and takes_keys else self._new_batch(load, plan, group)

    def _new_batch(self, load: LoadMany, plan: Plan, group: Hashable) -> Batch:
        loop = asyncio.get_running_loop()
        batch = Batch(load, plan, loop)
        waiting = self._open.enter(loop)
        waiting[group] = batch

        def forget(_: object) -> None:
            if waiting.get(group) is batch:
                del waiting[group]

        batch.is_complete.add_done_callback(forget, context=contextvars.Context())
        if self._max_wait:
            self._call_later(loop, self._max_wait, batch.complete)
        else:
            loop.call_soon(batch.complete, context=contextvars.Context())
        return batch


def value_of(key: Hashable, values: Mapping[Any, Any], flight: Flight[Any] | None = None) -> Any:
    """Give the value of one key.

    Args:
        key: which.
        values: what a load of many keys gave.
        flight: of the load of this key alone.

    Raises:
        LeftOut: there is no value.
        Exception: it is the value.
    """
    value = values.get(key, MISSING)
    if value is MISSING:
        left_out = LeftOut(key)
        left_out.flight = flight
        raise left_out
    if isinstance(value, Exception):
        try:
            raise value.with_traceback(None)  # it may be one object for all batches
        finally:
            del value, values  # or the error, by its traceback and this frame, would hold itself in memory
    return value


async def _run(batch: Batch) -> Mapping[Any, Any]:
    """The load of a batch."""
    await batch.is_complete
    keys = list(batch.keys)
    flight = current.get()
    batch.said = Load(tuple(keys), batch.plan)
    if flight is not None:
        flight.said = batch.said
    return as_mapping(keys, await awaitable_of("load_many", batch.load, list(keys)))


def as_mapping(keys: list[Any], found: object) -> Mapping[Any, Any]:
    """Read what a load of many keys gives.

    Raises:
        TypeError: it is neither a mapping nor a list.
        ValueError: it is a list of another length.
    """
    if isinstance(found, Mapping):
        return dict[Any, Any](found)  # pyright: ignore[reportUnknownArgumentType]
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        kind = type(found).__name__
        raise TypeError(f"a load of many keys must give a mapping, or a list as long as its keys, not {kind}")
    values = list[Any](found)  # pyright: ignore[reportUnknownArgumentType]
    if len(values) != len(keys):
        raise ValueError(f"a load of {len(keys)} keys gave {len(values)} values: give one for each, or a mapping")
    return dict(zip(keys, values, strict=True))


class _Nobody:
    """Owns the flights of batches: stores nothing, as each key's own flight does that."""

    def begin(self, flight: Flight[Any], /) -> None: ...

    def take_in(self, _flight: Flight[Any], _value: Any, _args: object, _kwargs: object, /) -> bool:
        return False

    def take_failure(self, _flight: Flight[Any], _failure: Failure, /) -> Any:
        return MISSING

    def fallback(self, _flight: Flight[Any], /) -> Any:
        return MISSING

    def kept_value(self, _key: Any, /) -> tuple[Any, tuple[str, ...]]:
        return MISSING, ()

    def served(self, _key: Any, /) -> Any:
        return MISSING


_NOBODY: Final = _Nobody()


def _common(flights: Flights[Any, Any]) -> Flights[Any, Any]:
    """Give the flights that the batches of a cache have, which end when the cache is closed."""
    if flights.batches is None:
        flights.batches = flights.beside(_NOBODY)
    return flights.batches
