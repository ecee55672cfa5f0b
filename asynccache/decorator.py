"""`async_cached`: the door through which most people come in.

Decides what it looks like to users and to type checkers; the parts are in `wrapping/`.
"""

import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, overload

from asynccache.cache.cache import Cache
from asynccache.core.bounded import BoundedCache
from asynccache.core.expiry import Seconds, Ttl
from asynccache.flight.plan import OnAbandon
from asynccache.memory.listeners import AnyListener
from asynccache.options.stores import Copy
from asynccache.protocols import MISSING, Clock, Missing, SupportsTimers
from asynccache.wrapping.batched import one_of_many
from asynccache.wrapping.decorating import Decorating, checked
from asynccache.wrapping.settings import Settings
from asynccache.wrapping.typed import CachedClassFunction, CachedFunction, SharedFunction

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K")
S = TypeVar("S")


class Decorator(Protocol):
    """What `async_cached(...)` gives: to be put on a coroutine function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CachedFunction[P, R]: ...
    @overload
    def __call__(
        self, function: "classmethod[Any, P, Coroutine[Any, Any, R]] | staticmethod[P, Coroutine[Any, Any, R]]", /
    ) -> CachedClassFunction[P, R]: ...


class SharedDecorator(Protocol):
    """What `async_cached(cache=...)` gives."""

    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> SharedFunction[P, R]:
        """Decorate."""
        ...


class BatchedDecorator(Protocol):
    """What `async_cached.batched(...)` gives: to be put on a coroutine function of a list of keys."""

    @overload
    def __call__(
        self, function: Callable[[list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> CachedFunction[[K], R]: ...
    @overload
    def __call__(
        self, function: Callable[[S, list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> CachedFunction[[S, K], R]: ...


class SharedBatchedDecorator(Protocol):
    """What `async_cached.batched(cache=...)` gives."""

    @overload
    def __call__(
        self, function: Callable[[list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> SharedFunction[[K], R]: ...
    @overload
    def __call__(
        self, function: Callable[[S, list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> SharedFunction[[S, K], R]: ...


class AsyncCached:
    """Makes cached functions: `async_cached` is its only instance."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CachedFunction[P, R]: ...
    @overload
    def __call__(
        self, function: "classmethod[Any, P, Coroutine[Any, Any, R]] | staticmethod[P, Coroutine[Any, Any, R]]", /
    ) -> CachedClassFunction[P, R]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        cache: Cache,
        version: int | str = ...,
        name: str | None = ...,
        ttl: Ttl = ...,
        jitter: Seconds | None = ...,
        stale: Seconds | None = ...,
        stale_if_error: Seconds | None = ...,
        error_backoff: Seconds | None = ...,
        refresh_ahead: float | None = ...,
        early: float | None = ...,
        timeout: Seconds | None = ...,
        soft_timeout: Seconds | None = ...,
        errors: Mapping[type[Exception], Seconds | None] | None = ...,
        tags: Iterable[str] | Callable[..., Iterable[str]] | None = ...,
        key: Callable[..., Any] | None = ...,
        ignore: Iterable[str] = ...,
        typed: bool = ...,
        vary: Iterable[ContextVar[Any]] = ...,
        store_if: Callable[..., object] | None = ...,
        on_abandon: OnAbandon | Seconds = ...,
        context: Literal["caller", "empty"] = ...,
        type: Any = ...,
    ) -> SharedDecorator: ...
    @overload
    def __call__(
        self,
        /,
        *,
        maxsize: int | Missing | None = ...,
        max_weight: float | None = ...,
        weigher: Callable[[Any, Any], float] | None = ...,
        policy: str | type[BoundedCache[Any, Any]] = ...,
        ttl: Ttl = ...,
        idle: Seconds | None = ...,
        jitter: Seconds | None = ...,
        stale: Seconds | None = ...,
        stale_if_error: Seconds | None = ...,
        error_backoff: Seconds | None = ...,
        refresh_ahead: float | None = ...,
        early: float | None = ...,
        max_refreshes: int = ...,
        timeout: Seconds | None = ...,
        soft_timeout: Seconds | None = ...,
        errors: Mapping[type[Exception], Seconds | None] | None = ...,
        tags: Iterable[str] | Callable[..., Iterable[str]] | None = ...,
        key: Callable[..., Any] | None = ...,
        ignore: Iterable[str] = ...,
        typed: bool = ...,
        vary: Iterable[ContextVar[Any]] = ...,
        store_if: Callable[..., object] | None = ...,
        copy: Copy | None = ...,
        on_abandon: OnAbandon | Seconds = ...,
        on_evict: AnyListener | Iterable[AnyListener] | None = ...,
        name: str | None = ...,
        clock: Clock | SupportsTimers = ...,
        context: Literal["caller", "empty"] = ...,
    ) -> Decorator: ...
    def __call__(self, function: Any = MISSING, /, **options: Any) -> Any:
        """Cache what a coroutine function returns, and compute it once however many ask at the same moment.

        Use it bare, or with options, on functions, methods (each instance has a cache of its own, which goes with it),
        class methods, static methods, partials and objects with `async def __call__`. Every spelling of one call is one
        entry: `f(1)`, `f(x=1)` and spelled-out defaults.

        Args:
            maxsize: entries at most. 1,024 unless said otherwise (no bound if there is a `max_weight`); None for no
                bound, 0 to store nothing and only share loads.
            max_weight: what all entries may weigh together.
            weigher: a function of key and value that tells an entry's weight; by default `sizeof`, which estimates
                bytes.
            policy: who has to go when there is no room: "lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu",
                "gdsf", a `BoundedCache` class, or "auto": S3-FIFO, but LRU below 128 entries.
            ttl: seconds that a value lives (or a `timedelta`), or a function of the result and then the call's
                arguments that tells; 0 stores nothing.
            idle: seconds after its last hit that a value lives.
            jitter: up to so many seconds are added to each `ttl` by chance.
            stale: seconds after the `ttl` in which the old value is served at once, while one refresh runs behind.
            stale_if_error: seconds after the `ttl` in which the old value is served if the load fails.
            error_backoff: seconds after a failure in which the load is not asked again while there is an old value; 1.
            refresh_ahead: share of the `ttl`, between 0 and 1, after which a call starts a refresh behind.
            early: how eagerly calls refresh before the `ttl` ends, by chance and in units of the load's own time; 1.0
                is the optimum of A. Vattani et al., "Optimal Probabilistic Cache Stampede Prevention" (2015).
            max_refreshes: refreshes behind at once, for the whole cache; 32. Beyond that the old value is served.
            timeout: seconds after which a load is given up: its callers get `LoadTimeout`.
            soft_timeout: seconds after which callers are served the old value, within `stale_if_error`, while the load
                goes on.
            errors: exception types, with the seconds for which each is remembered as an answer and raised again.
            tags: names of groups that values belong to, for `cache_invalidate_tags`; or a function of the result, and
                if it takes more then of the call's arguments too, that gives them.
            key: a function of the call's arguments that gives what calls are told apart by.
            ignore: names of parameters that do not tell calls apart. With `self`, all instances share one cache.
            typed: tell 1 from 1.0 and from True.
            vary: context variables that tell calls apart too: the tenant, the language.
            store_if: a function of the result, and if it takes more then of the call's arguments too, that tells
                whether to store it. Whoever waits gets it anyway.
            copy: give each caller a copy: "deep", "shallow", or a function of the value. By default all get one object.
            on_abandon: what becomes of a load that nobody waits for any more: "cancel", "finish", or seconds of grace.
            on_evict: a function of key, value and `EvictionCause`, plain or `async`, or several, told of each entry
                that has left.
            name: what the cache is called in errors, and the function in a shared cache; the function's own name by
                default.
            clock: tells the time in seconds; must never go back. `time.monotonic` by default.
            context: what context variables a load sees: "caller", a copy of its first caller's, or "empty".
            cache: a `Cache` that this function shares with others. Options of a cache as a whole belong to that then,
                and controls are awaited: see `SharedFunction`.
            version: in keys of a shared cache: a new one does not find what an older function has left; 1.
            type: of the values, for a cache with a store; by default what the function's return annotation says.

        Returns:
            A coroutine function of the same signature, with controls: see `CachedFunction`.

        Raises:
            TypeError: this cannot be decorated, or an option is of the wrong kind; the message says what to write.
            ValueError: an option has no meaning.

        What the function raises reaches all who waited, and is not stored. Calls raise `LoadCancelled` if the load was
        cancelled while its caller was not, `LoadTimeout` if it ran out of time, and `RecursiveLoad` if it would wait
        for itself.
        """
        if isinstance(function, int):
            raise TypeError(f"async_cached takes options by name: write @async_cached(maxsize={function})")
        decorating = Decorating(Settings(options))
        return decorating if function is MISSING else decorating(function)

    @overload
    def batched(
        self, function: Callable[[list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> CachedFunction[[K], R]: ...
    @overload
    def batched(
        self, function: Callable[[S, list[K]], Coroutine[Any, Any, Mapping[K, R] | Sequence[R]]], /
    ) -> CachedFunction[[S, K], R]: ...
    @overload
    def batched(  # pyright: ignore[reportOverlappingOverload]  # on purpose: with a cache it is the first
        self, /, *, max_size: int | None = ..., max_wait: Seconds = ..., cache: Cache, **options: Any
    ) -> SharedBatchedDecorator: ...
    @overload
    def batched(
        self, /, *, max_size: int | None = ..., max_wait: Seconds = ..., **options: Any
    ) -> BatchedDecorator: ...
    def batched(
        self, function: Any = MISSING, /, *, max_size: int | None = 100, max_wait: Seconds = 0.0, **options: Any
    ) -> Any:
        """Turn a coroutine function of many keys into a cached one that is called with one key.

        Calls that come at about the same time are answered by one call of the function. It is given a list of distinct
        keys and returns a mapping, or a list of the same length. A value that is an exception is raised to the callers
        of its own key; a key that is left out raises `KeyError` to its own. Each key is cached by itself.

        A batch runs in a copy of its first caller's context: name the context variables that it reads in `vary`.

        Args:
            max_size: keys in one call at most; None for no bound.
            max_wait: seconds that a call waits for others to come; 0 for the rest of the loop's turn.
            **options: those of `async_cached`.

        Returns:
            A decorator, for functions and for methods, whose instances have caches and batches of their own.

        Raises:
            TypeError, ValueError: an option cannot be meant, or what is decorated takes something else than keys.
        """
        settings = Settings(options, own=("max_size", "max_wait"))
        batched = functools.partial(
            one_of_many, max_size=max_size, max_wait=max_wait, clock=settings.clock, vary=settings.read_vary()
        )

        def decorate(function: Any) -> Any:
            kind = "staticmethod" if isinstance(function, staticmethod) else "classmethod"
            if isinstance(function, staticmethod | classmethod):
                raise TypeError(
                    f"batched functions are plain functions and methods: write @{kind} above, or leave it out"
                )
            return Decorating(settings)(batched(checked(function)))

        batched(_no_keys)  # what is wrong with its options is said here
        return decorate if function is MISSING else decorate(function)


async def _no_keys(keys: list[Any]) -> list[Any]:
    return keys


async_cached: Final = AsyncCached()
"""Put it on a coroutine function: see `AsyncCached.__call__`."""
