"""Functions that share a `Cache`: each has a part of its own in it, with keys and controls of its own.

The keys of a part begin with the function's module, its qualified name and a version, so that no two functions meet,
and a new version does not find what an old one has left. Controls that touch the cache are awaited.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asynccache.cache.cache import Cache, works_of
from asynccache.cache.engine import Engine
from asynccache.hitpath.compiled import CompiledFunction, Function, Tally
from asynccache.plan import Plan
from asynccache.plan_options import OfResult
from asynccache.protocols import Missing
from asynccache.stats import CacheStats
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
        scopes = (*scopes, engine.scope((*path, self.part)))
        calls = _Calls(self.function)
        name = f"{self.part[0]}.{self.part[1]}"
        plan = engine.plan(scopes, self.options, name=name, load=calls.load, of_result=self.of_result)

        def fetch(key: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            calls.asked += 1
            return engine.reader.fetch(plan, key, args, kwargs)

        wrapper, tally = engine.make(self.compiled, fetch, scopes[-1])
        controls = SharedControls(engine, plan, calls, self.compiled, tally, receiver)
        return dressed(wrapper, self.function, controls), controls


class _Calls:
    """Counts the calls of one function that were no plain hits, and the loads that they started."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.asked = self.started = 0

    def load(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        self.started += 1
        return self._function(*args, **kwargs)


class SharedControls(CallControls):
    """The controls of one function's part of a cache.

    Args:
        engine: the works of the cache.
        plan: how the function's values are loaded and kept.
        calls: what was counted of its calls.
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
        calls: _Calls,
        compiled: CompiledFunction,
        tally: Tally,
        receiver: Callable[[], object] | None,
    ) -> None:
        super().__init__(compiled, receiver)
        self._engine = engine
        self._plan = plan
        self._calls = calls
        self._tally = tally

    def _full_key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._plan.scope[-1], self.cache_key(*args, **kwargs)

    def cache_info(self) -> CacheInfo:
        store = self._engine.tier.store
        scope = self._plan.scope[-1]
        size = sum(key[0] is scope for key, _ in store.all_kept() if type(key) is tuple and key)
        hits = self._tally() + self._calls.asked - self._calls.started
        return CacheInfo(hits, self._calls.started, self._engine.options.bound, size)

    def cache_stats(self) -> CacheStats:
        return self._engine.stats()

    async def cache_clear(self) -> None:
        self._engine.tier.invalidate_scope(self._plan.scope[-1])

    async def cache_invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        return self._engine.tier.invalidate(self._full_key(args, kwargs))

    async def cache_contains(self, /, *args: Any, **kwargs: Any) -> bool:
        return self._engine.tier.contains(self._full_key(args, kwargs))

    async def cache_peek(self, /, *args: Any, **kwargs: Any) -> Any | Missing:
        return self._engine.tier.store.peek(self._full_key(args, kwargs))

    async def cache_put(self, value: Any, /, *args: Any, **kwargs: Any) -> None:
        key = self._full_key(args, kwargs)
        self._engine.refuse_closed()
        self._engine.tier.put(self._plan, key, value, *self._compiled.split(*self._with_receiver(args), **kwargs))

    async def cache_refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        key = self._full_key(args, kwargs)
        call = self._compiled.split(*self._with_receiver(args), **kwargs)
        return self._engine.copy(await self._engine.tier.flights.fetch(self._plan, key, *call))


for _name in SharedControls.names:
    getattr(SharedControls, _name).__doc__ = getattr(SharedFunction, _name).__doc__  # said once, where users look
