"""Functions that share a `Cache`: each has a part of its own in it, with keys and controls of its own.

The keys of a part begin with the function's module, its qualified name and a version, so that no two functions meet,
and a new version does not find what an old one has left. Controls that touch the cache are awaited.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asynccache.cache.cache import Cache, works_of
from asynccache.cache.engine import Engine
from asynccache.callables import result_type
from asynccache.flight.plan import Plan
from asynccache.hitpath.compiled import CompiledFunction, Function, Tally
from asynccache.options.loads import OfResult
from asynccache.protocols import MISSING, Missing
from asynccache.stats import CacheStats, LoadCounts
from asynccache.wrapping.controls import CallControls
from asynccache.wrapping.recipe import dressed
from asynccache.wrapping.typed import CacheInfo, SharedFunction


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedRecipe:
    """How to make a wrapper whose values lie in a `Cache`.

    Attributes:
        function: the user's function.
        cache: the cache.
        part: what the function is known by in there: module, qualified name, version.
        compiled: its wrapper's code.
        options: `LoadOptions` where they differ from the cache's own.
        of_result: for options that are functions.
    """

    function: Callable[..., Any]
    cache: Cache
    part: tuple[str, str, object]
    compiled: CompiledFunction
    options: Mapping[str, Any]
    of_result: OfResult

    def make(self, receiver: Callable[[], object] | None = None) -> tuple[Function, "SharedControls"]:
        """Make a wrapper and its controls.

        Args:
            receiver: gives what stands for the instance, where calls are told apart without it.
        """
        engine, path, scopes = works_of(self.cache)
        scope = engine.part((*path, self.part))
        options = self.options
        if engine.shared is not None and options.get("type") is None:
            options = {**options, "type": result_type(self.function)}
        if engine.shared is not None and scope in engine.ambiguous_parts:
            warnings.warn(
                f"another function is known as {self.part[1]} in the store of this cache: the values of this one are "
                "kept in process only; give it a name of its own by name=",
                RuntimeWarning,
                stacklevel=4,
            )
        plan = engine.plan(
            (*scopes, scope),
            options,
            name=f"{self.part[0]}.{self.part[1]}",
            load=self.function,
            of_result=self.of_result,
            counts=LoadCounts(),
        )
        wrapper, tally = engine.lookups.make(self.compiled, functools.partial(engine.reader.fetch, plan), scope)
        controls = SharedControls(engine, plan, self.compiled, tally, receiver)
        return dressed(wrapper, self.function, controls), controls


class SharedControls(CallControls):
    """The controls of one function's part of a cache.

    Args:
        engine: the works of the cache.
        plan: how the function's values are loaded and kept.
        compiled: tells the key of a call.
        tally: tells its plain hits.
        receiver: gives what stands for the instance, where calls are told apart without it.
    """

    names = (
        "cache_clear", "cache_contains", "cache_info", "cache_invalidate", "cache_key", "cache_peek", "cache_put",
        "cache_refresh", "cache_stats",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        compiled: CompiledFunction,
        tally: Tally,
        receiver: Callable[[], object] | None,
    ) -> None:
        super().__init__(compiled, receiver)
        self._engine = engine
        self._plan = plan
        self._tally = tally

    def _full_key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._plan.scope[-1], self.cache_key(*args, **kwargs)

    def cache_info(self) -> CacheInfo:
        tier, counts = self._engine.tier, self._plan.counts or LoadCounts()
        hits = self._tally() + counts.hits + counts.stale + counts.coalesced
        size = len(tier.store.entries) + tier.flights.tables.count(tier.flights)
        return CacheInfo(hits, counts.misses, self._engine.options.bound, size)

    def cache_stats(self) -> CacheStats:
        return self._engine.stats()

    async def cache_clear(self) -> None:
        await self._engine.clear(self._plan)

    async def cache_invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        return bool(await self._engine.delete_many(self._plan, (self._full_key(args, kwargs),)))

    async def cache_contains(self, /, *args: Any, **kwargs: Any) -> bool:
        key = self._full_key(args, kwargs)
        if self._engine.switch.mode() is not None:
            return False
        return self._engine.tier.contains(key) or await self._engine.find_anywhere(self._plan, key) is not MISSING

    async def cache_peek(self, /, *args: Any, **kwargs: Any) -> Any | Missing:
        key = self._full_key(args, kwargs)
        found = self._engine.peek(key, old=True)
        return found if found is not MISSING else self._engine.copy(await self._engine.find_anywhere(self._plan, key))

    async def cache_put(self, value: Any, /, *args: Any, **kwargs: Any) -> None:
        key = self._full_key(args, kwargs)
        call = self._compiled.split(*self._with_receiver(args), **kwargs)
        await self._engine.put(self._plan, key, value, *call)

    async def cache_refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        key = self._full_key(args, kwargs)
        if self._receiver is not None:
            raise TypeError("there is no instance to call the method on: ask the class, and give the instance first")
        return await self._engine.refresh(self._plan, key, *self._compiled.split(*args, **kwargs))


for _name in SharedControls.names:
    getattr(SharedControls, _name).__doc__ = getattr(SharedFunction, _name).__doc__  # said once, where users look
