"""Many keys at once: those that may be served, those that are being loaded, and one call for the rest."""

import functools
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

from asynccache.bypass import Bypass
from asynccache.cache.engine import Engine
from asynccache.callables import awaitable_of, refuse_no_coroutine_function
from asynccache.core.generations import Tags
from asynccache.core.keys import split_key
from asynccache.errors import LeftOut
from asynccache.flight.batches import Batcher, LoadMany, as_mapping, value_of
from asynccache.flight.bulk import distinct, fetch_many, is_left_out, left_out, raise_first
from asynccache.protocols import MISSING
from asynccache.sweeper import start_timer

K = TypeVar("K", bound=Hashable)


async def load_keys(
    engine: Engine, scopes: Tags, keys: Iterable[K], load_many: LoadMany, options: Mapping[str, Any]
) -> dict[K, Any]:
    """Give the values of several keys: see `Cache.get_or_load_many`.

    Args:
        engine: the works of the cache.
        scopes: the namespaces that the keys lie in.
        keys, load_many, options: as there.
    """
    engine.refuse_closed()
    refuse_no_coroutine_function("load_many", load_many)
    wanted = distinct(keys)
    batcher = Batcher(call_later=functools.partial(start_timer, engine.options.clock))
    plan = engine.plan(scopes, options, load=functools.partial(batcher.value, load_many))
    if not wanted:
        return {}
    if engine.switch.mode() is Bypass.DISABLED:
        return await _load_all(engine, wanted, load_many, options)
    found: dict[Any, Any] = {}
    for key in wanted:
        try:
            found[key] = engine.find(plan, (scopes[-1], key) if scopes else key, (key,))
        except LeftOut as error:  # and remembered to be so
            found[key] = left_out(error)
    missing = [(scopes[-1], key) if scopes else key for key in wanted if found[key] is MISSING]
    plan = await engine.plan_of_many(plan, missing)
    outcomes = await fetch_many(engine.tier.flights, plan, missing, lambda key: ((split_key(key)[1],), {}))
    found |= {split_key(key)[1]: outcome for key, outcome in outcomes.items()}
    raise_first(found, outcomes)
    return {key: engine.copy(found[key]) for key in wanted if not is_left_out(found[key])}


async def _load_all(engine: Engine, wanted: list[K], load_many: LoadMany, options: Mapping[str, Any]) -> dict[K, Any]:
    """Load all keys for this caller alone, where the cache is disabled."""
    plan = engine.plan((), options, load=functools.partial(awaitable_of, "load_many", load_many))
    loaded = as_mapping(wanted, await engine.reader.fetch(plan, tuple(wanted), (list(wanted),), {}))
    return {key: value_of(key, loaded) for key in wanted if key in loaded}
