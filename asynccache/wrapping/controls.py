"""The controls of a decorated function: `f.cache_info()` and its kin, for one store.

They are ordinary methods here, and become attributes of the wrapper. Arguments are bound to the function's signature
just as a call's are, so what names a call there names it here.
"""

import copy
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Self

from asynccache.core.generations import read_tags
from asynccache.errors import CacheClosed
from asynccache.flight.plan import Plan
from asynccache.hitpath.compiled import CompiledFunction, Tally
from asynccache.memory.tier import MemoryTier
from asynccache.protocols import MISSING, Missing
from asynccache.stats import CacheStats
from asynccache.wrapping.typed import CachedFunction, CacheInfo, CacheParameters


class CallControls:
    """What the controls of any decorated function have in common: they name a call as the call itself does.

    Args:
        compiled: tells the key of a call.
        receiver: gives the instance or class that calls are made on, if they are not given it.

    Attributes:
        names: under which a wrapper carries them.
    """

    names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, compiled: CompiledFunction, receiver: Callable[[], object] | None) -> None:
        self._compiled = compiled
        self._receiver = receiver

    def put_on(self, wrapper: object) -> None:
        """Make them attributes of a wrapper."""
        for name in self.names:
            setattr(wrapper, name, getattr(self, name))

    def without_receiver(self) -> Self:
        """Give controls of the same store that take the receiver as their first argument."""
        twin = copy.copy(self)
        twin._receiver = None
        return twin

    def _with_receiver(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return args if self._receiver is None else (self._receiver(), *args)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._compiled.key_of(*self._with_receiver(args), **kwargs)


class Controls(CallControls):
    """The controls of one store.

    Args:
        tier: the store.
        plan: how its values are loaded and kept.
        compiled: tells the key of a call.
        tally: tells the hits.
        maxsize: as the user gave it.
        typed: whether keys are typed.
        copier: copies a value for its caller, if that is wanted.
        receiver: gives the instance or class that calls are made on, for a method's own store.
    """

    names = (
        "cache_clear", "cache_close", "cache_contains", "cache_info", "cache_invalidate", "cache_invalidate_tags",
        "cache_key", "cache_lifespan", "cache_parameters", "cache_peek", "cache_put", "cache_refresh", "cache_stats",
    )  # fmt: skip

    def __init__(
        self,
        tier: MemoryTier[Any, Any],
        plan: Plan,
        compiled: CompiledFunction,
        tally: Tally,
        *,
        maxsize: int | None,
        typed: bool,
        copier: Callable[[Any], Any] | None,
        receiver: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(compiled, receiver)
        self._tier = tier
        self._plan = plan
        self._tally = tally
        self._maxsize = maxsize
        self._typed = typed
        self._copy = copier or _same

    def cache_info(self) -> CacheInfo:
        counts = self._tier.flights.counts
        size = len(self._tier.store.entries) + self._tier.flights.tables.count(self._tier.flights)
        hits = self._tally() + counts.hits + counts.stale + counts.coalesced
        return CacheInfo(hits, counts.misses, self._maxsize, size)

    def cache_stats(self) -> CacheStats:
        return self._tier.stats(self._tally())

    def cache_parameters(self) -> CacheParameters:
        flights = self._tier.flights
        return CacheParameters(
            typed=self._typed, maxsize=self._maxsize, tasks=flights.tables.count(flights), closed=flights.closed
        )

    def cache_clear(self) -> None:
        self._tier.clear()
        self._tally(True)

    def cache_invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        return self._tier.invalidate(self.cache_key(*args, **kwargs))

    def cache_invalidate_tags(self, *tags: str) -> None:
        if not self._plan.is_lasting:
            raise TypeError(f"{self._plan.name} has no tags: give it some by @async_cached(tags=...)")
        self._tier.invalidate_tags(read_tags("tags", tags))

    def cache_contains(self, /, *args: Any, **kwargs: Any) -> bool:
        return self._tier.contains(self.cache_key(*args, **kwargs))

    def cache_peek(self, /, *args: Any, **kwargs: Any) -> Any | Missing:
        value = self._tier.store.peek(self.cache_key(*args, **kwargs))
        return value if value is MISSING else self._copy(value)

    def cache_put(self, value: Any, /, *args: Any, **kwargs: Any) -> None:
        key = self.cache_key(*args, **kwargs)
        if self._tier.flights.closed:
            raise CacheClosed(self._tier.flights.name)
        self._tier.put(self._plan, key, value, *self._compiled.split(*self._with_receiver(args), **kwargs))

    async def cache_refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        key = self.cache_key(*args, **kwargs)
        receiver = self._with_receiver(args)
        if self._receiver is not None and receiver[0] is None:
            raise TypeError("there is no instance to call the method on: ask the class, and give the instance first")
        call = self._compiled.split(*receiver, **kwargs)
        return self._copy(await self._tier.flights.fetch(self._plan, key, *call))

    def set_closed(self, closed: bool) -> None:
        """Close the store of an instance that is met only after its method was closed."""
        self._tier.flights.closed = closed

    async def cache_close(self, *, wait: bool = False) -> None:
        await self._tier.close(wait=wait)

    def cache_lifespan(self, *, wait: bool = False) -> AbstractAsyncContextManager[None]:
        return lifespan(self._tier, wait)


@asynccontextmanager
async def lifespan(tier: MemoryTier[Any, Any], wait: bool) -> AsyncGenerator[None, None]:
    """Own the loads and the sweeper of a store on this loop: on leaving, they have ended."""
    try:
        yield
    finally:
        await tier.settle(wait=wait)


for _name in Controls.names:
    getattr(Controls, _name).__doc__ = getattr(CachedFunction, _name).__doc__  # said once, where users look


def _same(value: Any) -> Any:
    return value
