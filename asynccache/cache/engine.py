"""What all views of one cache share: the tier, the defaults, the reads that start loads, and the compiled look-ups.

Decides how a call's options and the cache's defaults become one plan, and how keys of namespaces are told apart.
"""

import weakref
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Final

from asynccache.bypass import Bypass, Switch
from asynccache.cache.lookups import Lookups
from asynccache.cache.read_through import ReadThrough
from asynccache.cache.sharing import share
from asynccache.callables import awaitable_of
from asynccache.core.expiry import seconds
from asynccache.core.generations import Tag, Tags
from asynccache.flight.flight import current
from asynccache.flight.plan import Plan
from asynccache.hitpath.compiled import Function
from asynccache.locks.lease import Lease
from asynccache.memory.tier import MemoryTier
from asynccache.options import loads as load_options
from asynccache.options.shared import SharedOptions
from asynccache.options.stores import StoreOptions
from asynccache.protocols import MISSING
from asynccache.shared.plans import SharedPlan
from asynccache.shared.tier import SharedTier
from asynccache.stats import CacheStats, LoadCounts

DEFAULT_NAME: Final = "cache"


class Engine:
    """The works of one cache.

    Attributes:
        ambiguous_parts: namespaces of functions of one name: in a file they could not be told apart.

    Args:
        store_options: those of the cache as a whole.
        shared_options: those about the store that processes share, if there is one.
        defaults: `LoadOptions` for calls that do not say otherwise.

    Raises:
        TypeError, ValueError: a default that cannot be meant.
    """

    def __init__(self, store_options: StoreOptions, shared_options: SharedOptions, defaults: Mapping[str, Any]) -> None:
        load_options.refuse_without_ttl(defaults)
        load_options.refuse_backoff_alone(defaults)
        self.options = store_options
        self.defaults = dict(defaults)
        self.name = store_options.name or DEFAULT_NAME
        rules = store_options.rules(self.name, expires=True, is_lasting=True)
        self.tier: MemoryTier[Any, Any] = MemoryTier(store_options.new_cache(), rules)
        self.shared_options = shared_options
        self.shared: SharedTier | None = None
        if shared_options.is_shared:
            _refuse_idle(store_options)
            self.shared = share(shared_options, store_options, self.tier, self.name)
        self.switch = Switch()
        self.reader: ReadThrough[Any, Any] = ReadThrough(self.tier, self.switch)
        self._parts: weakref.WeakValueDictionary[object, Tag] = weakref.WeakValueDictionary()
        self.ambiguous_parts: weakref.WeakSet[Tag] = weakref.WeakSet()
        self.lookups = Lookups(store_options, self.tier, self.switch, self.defaults.get("ttl"))
        self.root_plan = self.plan(())  # and what is wrong with the defaults is said at once

    # --- plans ------------------------------------------------------------------------------------------------------

    def plan(
        self,
        scope: Tags,
        options: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        load: Callable[..., Awaitable[Any]] | None = None,
        of_result: load_options.OfResult = load_options.of_result_alone,
        counts: LoadCounts | None = None,
    ) -> Plan:
        """Make a plan of a call's options, and of the defaults where it does not say otherwise.

        Args:
            scope: the namespaces that its keys lie in.
            options: `LoadOptions`.
            name: what is loaded, in errors.
            load: makes the value; by default the function that is its only argument.
            of_result: for options that are functions.
            counts: what is counted of these loads alone.

        Raises:
            TypeError, ValueError: an option that cannot be meant.
        """
        given = options or {}
        load_options.refuse_unknown(given, load_options.LOAD_OPTIONS, self.name)
        if self.shared is None and given.get("type") is not None:
            raise ValueError(
                "type is about values in a store that processes share: leave it out, or give Cache a store"
            )
        merged = self.merged(given)
        if given.get("weight") is not None and self.options.max_weight is None:
            raise ValueError("weight requires max_weight: how much all entries of the cache together may weigh")

        def of_either(option: str, function: Callable[..., Any]) -> Callable[..., Any]:
            # The cache's own are given the result alone: they know no function's arguments.
            return of_result(option, function) if option in given else load_options.of_result_alone(option, function)

        plan = load_options.read_plan(
            merged,
            name=name or self.name,
            load=_call if load is None else load,
            of_result=of_either,
            idle=self.options.idle_seconds,
            is_lasting=True,
        )
        load_options.refuse_without_ttl({**given, "ttl": merged.get("ttl")})
        if "error_backoff" in given:
            load_options.refuse_backoff_alone(merged)
        beyond = None
        if self.shared is not None and not (scope and scope[-1] in self.ambiguous_parts):
            beyond = self.shared.plan(scope, self.shared_options.codec_of(given.get("type")))
        return replace(plan, scope=scope, counts=counts, beyond=beyond)

    def merged(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a call's options over the defaults; a default that makes no sense with them gives way.

        Raises:
            ValueError: an option that was given makes no sense with the defaults.
        """
        merged = {**self.defaults, **given}
        if merged.get("ttl") is None:
            merged["jitter"] = given.get("jitter")
        soft_timeout, timeout = (seconds(option, merged.get(option)) for option in ("soft_timeout", "timeout"))
        is_late = soft_timeout is not None and timeout is not None and soft_timeout >= timeout
        if not seconds("stale_if_error", merged.get("stale_if_error")) or is_late:
            merged["soft_timeout"] = given.get("soft_timeout")
        return merged

    # --- keys -------------------------------------------------------------------------------------------------------

    def scope(self, path: tuple[Hashable, ...]) -> Tag:
        """Give the tag that all entries of a namespace carry, and that their keys begin with."""
        with self.tier.store.lock:
            return self.tier.store.generations.tag(path)

    def part(self, path: tuple[Hashable, ...]) -> Tag:
        """Give a function a namespace of its own, though others may be known by the same name.

        The first one finds what was restored under its name.
        """
        with self.tier.store.lock:
            generations = self.tier.store.generations
            earlier = self._parts.get(path)
            if earlier is not None and self.shared is not None:  # news are about the first, which alone is in the store
                tag = Tag(path)
            else:
                tag = self._parts[path] = generations.tag(path) if earlier is None else generations.new_tag(path)
            if earlier is not None:
                self.ambiguous_parts.update((earlier, tag))
            return tag

    # --- look-ups ---------------------------------------------------------------------------------------------------

    def own_lookups(self, plan: Plan, plan_of: Callable[[Mapping[str, Any]], Plan]) -> tuple[Function, Function]:
        """Make `get` and `get_or_load` for one namespace.

        Args:
            plan: of calls without options.
            plan_of: gives the plan of a call with options.
        """
        scope = plan.scope[-1] if plan.scope else None
        get, get_or_load = self.lookups.compiled[scope is not None]

        copier, flights, switch, shared = self.options.copier, self.tier.flights, self.switch, self.shared

        async def get_slowly(key: Any, args: tuple[Any, Any], _kwargs: object) -> Any:
            self.refuse_closed()
            found = MISSING if self.switch.mode() is not None else await self.get(plan, key)
            return args[1] if found is MISSING else self.copy(found)

        async def get_alone(key: Any, default: Any = None) -> Any:
            if flights.closed:
                self.refuse_closed()
            if shared is None or (switch.used and switch.mode() is not None):
                return default
            found = await shared.get_alone(plan, key)
            if found is MISSING:
                return default
            return found if copier is None else copier(found)

        def load(key: Any, args: tuple[Any, Any], options: dict[str, Any]) -> Coroutine[Any, Any, Any]:
            return self.reader.fetch(plan_of(options) if options else plan, key, args[1:], {})

        getting = self.lookups.make(get, get_slowly, scope)[0] if self.looks_up_here else get_alone
        return getting, self.lookups.make(get_or_load, load, scope)[0]

    @property
    def looks_up_here(self) -> bool:
        """Whether `get` begins in process, where it is compiled: else every read goes to the store."""
        return self.shared is None or self.options.stores

    def find(self, plan: Plan, key: Any, args: tuple[Any, ...]) -> Any:
        """Give what can be served at once, and see to it that it is refreshed; `MISSING` if nothing can."""
        self.refuse_closed()
        return MISSING if self.switch.mode() is not None else self.reader.find(plan, key, args, {})

    # --- one key ----------------------------------------------------------------------------------------------------

    async def get(self, plan: Plan, key: Any) -> Any:
        """Give a fresh value, from wherever there is one, `MISSING` if there is none."""
        if self.shared is None:
            return self.tier.get(key)
        found = self.tier.get(key)
        if found is MISSING:
            found = await self.shared.get(plan, key)
            if found is not MISSING:
                self.tier.flights.counts.misses -= 1
                self.tier.flights.counts.hits += 1
        return found

    async def get_many(self, plan: Plan, keys: Iterable[Any]) -> dict[Any, Any]:
        """Give the fresh values of several keys, and nothing for the others."""
        if self.switch.mode() is not None:
            return {}
        found = {key: self.tier.get(key) for key in keys}
        missing = [key for key, value in found.items() if value is MISSING]
        if missing and self.shared is not None:
            further = await self.shared.get_many(plan, missing)
            self.tier.flights.counts.misses -= len(further)
            self.tier.flights.counts.hits += len(further)
            found |= further
        return {key: self.copy(value) for key, value in found.items() if value is not MISSING}

    async def plan_of_many(self, plan: Plan, keys: list[Any]) -> Plan:
        """Give the plan of loads that begin together: the store is asked once for all, so that they stay together."""
        if self.shared is None or not isinstance(plan.beyond, SharedPlan) or not keys:
            return plan
        if self.switch.mode() is Bypass.REFRESHING:
            return plan.anew()
        ahead = await self.shared.ahead(plan, keys)
        return replace(plan, beyond=plan.beyond.having_read(ahead))

    async def set_many(self, plan: Plan, values: Mapping[Any, Any]) -> None:
        """Store values; where the cache is disabled, forget the old ones all the same."""
        self.refuse_closed()
        if self.switch.mode() is Bypass.DISABLED:
            await self.delete_many(plan, values)
        elif self.shared is not None and plan.beyond is not None:
            await self.shared.set_many(plan, values)
        else:
            for key, value in values.items():
                self.tier.put(plan, key, value, (), {})

    async def put(self, plan: Plan, key: Any, value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Store a value as if the call had given it; where the cache is disabled, forget the old one all the same."""
        self.refuse_closed()
        if self.switch.mode() is Bypass.DISABLED:
            await self.delete_many(plan, (key,))
        elif self.shared is not None and plan.beyond is not None:
            await self.shared.set_many(plan, {key: value}, (args, kwargs))
        else:
            self.tier.put(plan, key, value, args, kwargs)

    async def delete_many(self, plan: Plan, keys: Iterable[Any]) -> int:
        """Forget values, and what loads in the air will bring; tell of how many there was anything in process."""
        if self.shared is None or plan.beyond is None:
            return sum([self.tier.invalidate(key) for key in keys])
        return await self.shared.delete_many(plan, keys)

    async def find_anywhere(self, plan: Plan, key: Any) -> Any:
        """Give a fresh value without counting, keeping or copying it, `MISSING` if there is none."""
        if self.switch.mode() is not None:
            return MISSING
        found = self.tier.store.peek(key, old=False)
        if found is MISSING and self.shared is not None:
            found = await self.shared.peek(plan, key)
        return found

    async def touch(self, plan: Plan, key: Any, ttl: float | None) -> bool:
        """Let a fresh value begin a new term of `ttl` seconds; tell whether there is one."""
        if self.switch.mode() is not None:
            return False
        if self.shared is not None and plan.beyond is not None:
            return await self.shared.touch(plan, key, ttl)
        return self.tier.store.renew(plan, key, ttl)

    async def invalidate_tags(self, names: tuple[str, ...]) -> None:
        """Forget all values that carry one of these tags."""
        if self.shared is None:
            self.tier.invalidate_tags(names)
        else:
            await self.shared.invalidate_tags(names)

    async def clear(self, plan: Plan) -> None:
        """Forget all values of a plan's namespace, or of the whole cache if it has none."""
        if self.shared is not None and plan.beyond is not None:
            await self.shared.clear(plan.scope)
        elif plan.scope:
            self.tier.invalidate_scope(plan.scope[-1])
        else:
            self.tier.forget_all()

    def peek(self, key: Any, *, old: bool) -> Any:
        """Give a value without counting it, `MISSING` if there is none."""
        return MISSING if self.switch.mode() is not None else self.copy(self.tier.store.peek(key, old=old))

    async def refresh(self, plan: Plan, key: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Load a value anew, whatever is stored."""
        is_disabled = self.switch.mode() is Bypass.DISABLED
        fetch = self.reader.fetch if is_disabled else self.tier.flights.fetch
        return self.copy(await fetch(plan.anew(), key, args, kwargs))

    def stats(self) -> CacheStats:
        """Give all counters."""
        stats = self.tier.stats(self.lookups.total_hits())
        return stats if self.shared is None else replace(stats, shared=self.shared.stats())

    async def close(self, *, wait: bool) -> None:
        """Take no more calls; end the loads in the air, or wait for them; forget everything, and close the store."""
        try:
            await self.tier.close(wait=wait)
        finally:
            if self.shared is not None:
                await self.shared.aclose()

    def lock(self, path: tuple[Hashable, ...], name: str, *, ttl: Any, wait: Any) -> AbstractAsyncContextManager[Lease]:
        """Give a lock of a namespace: see `Cache.lock`."""
        self.refuse_closed()
        if self.shared is None:
            raise TypeError('lock is for processes that share a store: write Cache("redis://...") or another store')
        return self.shared.lock(path, name, ttl=ttl, wait=wait)

    def refuse_closed(self) -> None:
        """Refuse to be used after the end.

        Raises:
            CacheClosed: the cache was closed.
        """
        self.tier.flights.refuse_closed(current.get())

    def copy(self, value: Any) -> Any:
        """Give a value as callers get it."""
        copier = self.options.copier
        return value if copier is None or value is MISSING else copier(value)


def _refuse_idle(options: StoreOptions) -> None:
    if options.idle_seconds is not None:
        raise ValueError("idle counts the hits of one process, and a store is shared by several: leave it out, use ttl")


def _call(load: Callable[[], Awaitable[Any]]) -> Awaitable[Any]:
    """The load of a call that brings its own."""
    return awaitable_of("load", load)
