"""How a cache is joined with a store: all the parts of the shared tier, put together."""

import time
from collections.abc import Mapping
from types import BuiltinFunctionType
from typing import Any

from asynccache.locks.fleet import FleetFlights
from asynccache.locks.keeper import LeaseKeeper
from asynccache.locks.wakeups import Wakeups
from asynccache.memory.tier import MemoryTier
from asynccache.options.shared import NAMESPACE, SharedOptions
from asynccache.options.stores import StoreOptions
from asynccache.shared.changes import Changes
from asynccache.shared.coherence import Coherence
from asynccache.shared.generation_reader import GenerationReader
from asynccache.shared.keys import KeySpace
from asynccache.shared.link import Link
from asynccache.shared.loads import SharedLoads
from asynccache.shared.outbox import Outbox
from asynccache.shared.reading import Reader
from asynccache.shared.records import Records
from asynccache.shared.tier import SharedTier
from asynccache.shared.writing import Writer, store_unless_changed
from asynccache.stats import SharedCounts
from asynccache.stores.contract import Item, Store, SupportsConditions
from asynccache.stores.translated import translated
from asynccache.stores.urls import open_store


def share(options: SharedOptions, store_options: StoreOptions, memory: MemoryTier[Any, Any], name: str) -> SharedTier:
    """Join a cache with its store.

    Args:
        options: about the store.
        store_options: about the cache as a whole.
        memory: its tier in process.
        name: of the cache.

    Raises:
        TypeError, ValueError: a URL, a namespace or an option that cannot be meant.
        ImportError: the store needs a package that is missing.
    """
    is_owned = isinstance(options.store, str)
    keys = KeySpace(NAMESPACE if options.namespace is None else options.namespace)
    given = open_store(options.store) if isinstance(options.store, str) else options.store
    if given is None:  # pragma: no cover  # nobody asks then
        raise ValueError("there is no store")
    store = translated(given)
    link = _link(options, store_options, store, keys)
    link.name = name
    wakeups = Wakeups(clock=store_options.clock)
    coherence = Coherence(link, memory, wakeups, options.local_seconds, name)
    wakeups.is_fed = link.records.is_live = coherence.is_live
    generations = GenerationReader(link)
    link.on_refused = coherence.on_change
    reader = Reader(link, generations)
    writer = Writer(link, generations, is_behind=options.write == "behind")
    keeper = LeaseKeeper(store, wakeups, clock=store_options.clock) if isinstance(store, SupportsConditions) else None
    fleet = None
    if options.coalesce == "fleet":
        fleet = FleetFlights(LeaseKeeper(store, wakeups, clock=store_options.clock) if keeper is None else keeper)
    keeps = store_options.stores and options.local_seconds != 0
    loads = SharedLoads(
        link,
        reader,
        writer,
        coherence,
        memory,
        fleet=fleet,
        lease_ttl=options.lease_seconds,
        listens=keeps or fleet is not None,
    )
    return SharedTier(link, reader, writer, coherence, memory, loads, keeper=keeper, keeps=keeps, is_owned=is_owned)


def _link(options: SharedOptions, store_options: StoreOptions, store: Store, keys: KeySpace) -> Link:
    changes = Changes()
    clock = store_options.clock
    # A clock of the interpreter tells no dates; one that somebody has made is taken to tell them as well.
    wall = time.time if isinstance(clock, BuiltinFunctionType) else clock

    def everything() -> Mapping[bytes, Item]:
        record = keys.scope(None)
        return {record: link.record(record, wall())}

    def renewed(key: bytes, item: Item) -> Item:
        return link.record(key, wall()) if keys.is_record(key) else item

    async def late(key: bytes, item: Item, expected: bytes | None) -> bool:
        is_stored = await store_unless_changed(link, key, item, expected)
        if not is_stored:  # something newer is there: what was made of this here is out of date
            link.counts.refused += 1
            link.on_refused([key])
        return is_stored

    link = Link(
        store=store,
        keys=keys,
        sealer=options.sealer,
        clock=clock,
        wall=wall,
        changes=changes,
        records=Records(changes),
        outbox=Outbox(store, clock, everything, late, wall, renewed),
        counts=SharedCounts(),
    )
    return link
