"""What a type checker knows of a decorated function."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypedDict, TypeVar, overload

from asynccache.protocols import Missing
from asynccache.stats import CacheStats

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class CacheInfo(NamedTuple):
    """The four figures of `functools.lru_cache`."""

    hits: int
    """Calls that started no load: answered by a stored value, or by a load that was under way."""
    misses: int
    """Calls that started a load."""
    maxsize: int | None
    """How many entries there may be; None for no bound."""
    currsize: int
    """Entries stored, and loads under way."""


class CacheParameters(TypedDict):
    """What `cache_parameters()` gives, as async-lru spells it."""

    typed: bool
    maxsize: int | None
    tasks: int
    """Loads under way."""
    closed: bool


class CachedFunction(Protocol[P, R]):
    """A coroutine function with a cache, and the controls of that.

    A control that is about one call takes the arguments of that call. On a method they belong to the instance:
    `obj.method.cache_invalidate(1)`; asked of the class, they take the instance first.
    """

    @property
    def __wrapped__(self) -> Callable[P, Coroutine[Any, Any, R]]:
        """The function itself, without its cache."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Give the value of the call, from the cache if it is there."""
        ...

    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> "CachedFunction[P, R]": ...
    @overload
    def __get__(
        self: "CachedFunction[Concatenate[S, Q], R]", instance: S, owner: type[Any] | None = None, /
    ) -> "CachedFunction[Q, R]": ...

    def cache_info(self) -> CacheInfo:
        """Give hits, misses, the bound and the number of entries, as `functools.lru_cache` does."""
        ...

    def cache_stats(self) -> CacheStats:
        """Give all counters."""
        ...

    def cache_parameters(self) -> CacheParameters:
        """Give the bound, whether keys are typed, the number of loads under way, and whether the cache is closed."""
        ...

    def cache_clear(self) -> None:
        """Forget all entries and counters; what loads under way bring goes to those who wait, and is not stored."""
        ...

    def cache_invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget this call's value, and what a load under way will bring; tell whether there was anything."""
        ...

    def cache_invalidate_tags(self, *tags: str) -> None:
        """Forget all values that carry one of these tags, and what loads under way will bring if it carries one.

        It takes the same time however many there are. Raises `TypeError` where values can have no tags.
        """
        ...

    def cache_contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Tell whether this call's value is stored, or a load of it is under way on any loop. Counts as nothing."""
        ...

    def cache_peek(self, *args: P.args, **kwargs: P.kwargs) -> R | Missing:
        """Give this call's stored value, or `MISSING`. Counts as nothing, loads nothing."""
        ...

    def cache_put(self, value: R, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Store a value as if this call had given it. It holds against loads under way."""
        ...

    def cache_refresh(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Load this call's value anew, or join a load under way. Until it is there, others get the old one."""
        ...

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> object:
        """Give the key of this call."""
        ...

    def cache_close(self, *, wait: bool = False) -> Coroutine[Any, Any, None]:
        """Take no more calls (they raise `CacheClosed`), end or await the loads of this loop, forget everything."""
        ...

    def cache_lifespan(self, *, wait: bool = False) -> AbstractAsyncContextManager[None]:
        """Own what runs behind the cache: on leaving, the sweeper and the loads of this loop have ended.

        With `wait` the loads are awaited instead of cancelled. Values stay, and the function can be called on.
        """
        ...


class SharedFunction(Protocol[P, R]):
    """A coroutine function whose values lie in a `Cache`, and its controls: those that touch the cache are awaited.

    They are about this function alone. A control that is about one call takes the arguments of that call.
    """

    @property
    def __wrapped__(self) -> Callable[P, Coroutine[Any, Any, R]]:
        """The function itself, without the cache."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Give the value of the call, from the cache if it is there."""
        ...

    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> "SharedFunction[P, R]": ...
    @overload
    def __get__(
        self: "SharedFunction[Concatenate[S, Q], R]", instance: S, owner: type[Any] | None = None, /
    ) -> "SharedFunction[Q, R]": ...

    def cache_info(self) -> CacheInfo:
        """Give this function's hits and misses, and the bound and the number of entries of the whole cache."""
        ...

    def cache_stats(self) -> CacheStats:
        """Give all counters, of the whole cache."""
        ...

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> object:
        """Give the key of this call, as it is within this function's part of the cache."""
        ...

    async def cache_clear(self) -> None:
        """Forget all values of this function, in the same time for any number; loads under way store nothing."""
        ...

    async def cache_invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget this call's value, and what a load under way will bring; tell whether there was anything."""
        ...

    async def cache_contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Tell whether this call would be answered without starting a load. Counts as nothing."""
        ...

    async def cache_peek(self, *args: P.args, **kwargs: P.kwargs) -> R | Missing:
        """Give this call's stored value, or `MISSING`. Counts as nothing, loads nothing."""
        ...

    async def cache_put(self, value: R, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Store a value as if this call had given it. It holds against loads under way."""
        ...

    async def cache_refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Load this call's value anew, or join a load under way. Until it is there, others get the old one."""
        ...


class CachedClassFunction(Protocol[P, R]):
    """A class method or static method with a cache: asked of a class or an instance, it is a `CachedFunction`."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> CachedFunction[P, R]:
        """Bind it."""
        ...
