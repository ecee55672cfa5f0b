"""Saving what a cache holds to a file, and taking it back at the next start.

Decides what is worth saving and what is still worth taking: the time between counts, and nothing that came meanwhile is
overwritten. The file itself is the business of `snapshots.py`. It is written and read in a worker thread.
"""

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from os import PathLike
from typing import Any, TypeVar

from anyio import to_thread
from anyio.lowlevel import checkpoint

from asynccache.cache.engine import Engine
from asynccache.core.expiry import Expiry
from asynccache.core.freshness import Freshness
from asynccache.core.generations import Tag
from asynccache.core.keys import split_key
from asynccache.memory.appraisal import Terms
from asynccache.memory.entry_store import names_of, value_of
from asynccache.memory.watches import Watch
from asynccache.protocols import MISSING
from asynccache.serializers import snapshots
from asynccache.serializers.snapshots import SavedEntry, SnapshotReport
from asynccache.sweeper import SLICE

Path = str | PathLike[str]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What became of the entries in a file.

    Attributes:
        restored: entries that the cache holds now.
        expired: entries whose time was over.
        refused: entries that the cache had something newer for, or no room.
        problem: why nothing could be read, in words; None if all went well.
    """

    restored: int = 0
    expired: int = 0
    refused: int = 0
    problem: str | None = None


async def snapshot(engine: Engine, path: Path, *, wall: Callable[[], float] = time.time) -> SnapshotReport:
    """Save what the cache holds. What cannot be encoded is counted and left out; errors and old tags are not saved.

    Args:
        engine: whose entries.
        path: the file; replaced as a whole, so a reader sees the old one or the new one.
        wall: tells the time of day in seconds.

    Raises:
        OSError: the file cannot be written; the old one is still there.
    """
    entries: list[SavedEntry] = []
    ambiguous = 0
    saved_at = wall()
    async for saved in in_slices(_saved(engine)):
        if saved is None:
            ambiguous += 1
        else:
            entries.append(saved)
    report = await to_thread.run_sync(lambda: snapshots.write(path, entries, saved_at=saved_at, name=engine.name))
    return replace(report, refused=report.refused + ambiguous)


def _saved(engine: Engine) -> Iterator[SavedEntry | None]:
    """What is to be saved, and None for what could not be told apart from what others have in the file."""
    now = engine.options.clock()
    for key, entry in engine.tier.store.all_kept():
        value = value_of(entry)
        if value is not MISSING:
            left = entry.fresh_until - now
            scope, own_key = split_key(key)
            if scope is not None and scope in engine.ambiguous_parts:
                yield None
                continue
            yield SavedEntry(
                key=own_key,
                value=value,
                ttl=None if left == math.inf else left,
                tags=names_of(entry),
                namespace=() if scope is None else _path(scope),
                promises=astuple(entry.freshness),
            )


async def in_slices(items: Iterator[T]) -> AsyncIterator[T]:
    """Give items, and others a turn of the loop every 2 ms."""
    end = time.perf_counter() + SLICE
    for item in items:
        yield item
        if time.perf_counter() >= end:
            await checkpoint()
            end = time.perf_counter() + SLICE


def _path(scope: Tag) -> tuple[object, ...]:
    path: Any = scope.name
    return tuple(path)


async def restore(engine: Engine, path: Path, *, wall: Callable[[], float] = time.time) -> RestoreReport:
    """Take back what was saved, as far as it is still of use. A file that is missing or damaged changes nothing.

    Args:
        engine: that gets the entries.
        path: the file.
        wall: tells the time of day in seconds.
    """
    with engine.tier.watch() as watch:
        found = await to_thread.run_sync(snapshots.read, path)
        engine.refuse_closed()
        away = max(0.0, wall() - found.saved_at)  # a clock that was put back makes nothing younger
        adopted: set[Any] = set()
        expired = 0
        async for saved in in_slices(iter(found.entries)):
            left = None if saved.ttl is None else saved.ttl - away
            if left is not None and left + _freshness(saved).lasts <= 0:
                expired += 1
            else:
                adopted.add(_adopt(engine, saved, left, watch))
    # Those that came later may have pushed others out again.
    restored = sum(key is not MISSING and engine.tier.store.kept(key) is not None for key in adopted)
    refused = len(found.entries) - restored - expired
    return RestoreReport(restored=restored, expired=expired, refused=refused, problem=found.problem)


def _adopt(engine: Engine, saved: SavedEntry, left: float | None, watch: Watch) -> Any:
    """Store one entry; give the key under which it is, `MISSING` if it is not."""
    path = saved.namespace
    scopes = tuple([engine.scope(path[: i + 1]) for i in range(len(path))])
    # What is left of its time was drawn by lot once; it is not lengthened again.
    expiry = Expiry(idle=engine.options.idle_seconds)
    plan = replace(engine.root_plan, scope=scopes, expiry=expiry, freshness=_freshness(saved))
    key = (scopes[-1], saved.key) if scopes else saved.key
    return key if engine.tier.adopt(plan, key, saved.value, Terms(1, left, saved.tags), watch) else MISSING


def _freshness(saved: SavedEntry) -> Freshness:
    """What was promised when it was stored."""
    return Freshness(**{field.name: part for field, part in zip(fields(Freshness), saved.promises, strict=True)})
