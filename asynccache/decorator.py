"""`async_cached`: the door through which most people come in.

Decides what can be decorated and what becomes of it; the parts are in `wrapping/`.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import fields
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from asynccache import plan_options
from asynccache.core.bounded import BoundedCache
from asynccache.core.expiry import Seconds, Ttl
from asynccache.hitpath.compiled import CompiledFunction, HitOptions
from asynccache.hitpath.parameters import KeyOptions, Parameters, plain_name
from asynccache.listeners import AnyListener
from asynccache.plan import OnAbandon, Plan
from asynccache.protocols import MISSING, Clock, Missing, SupportsTimers
from asynccache.store_options import Copy, StoreOptions
from asynccache.wrapping import options as read
from asynccache.wrapping.controls import Controls
from asynccache.wrapping.method import CachedClassMethod, CachedMethod, NamelessReceiver, SharedMethod
from asynccache.wrapping.recipe import Recipe
from asynccache.wrapping.typed import CachedClassFunction, CachedFunction

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """What `async_cached(...)` gives: to be put on a coroutine function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> CachedFunction[P, R]: ...
    @overload
    def __call__(
        self, function: "classmethod[Any, P, Coroutine[Any, Any, R]] | staticmethod[P, Coroutine[Any, Any, R]]", /
    ) -> CachedClassFunction[P, R]: ...


@overload
def async_cached(function: Callable[P, Coroutine[Any, Any, R]], /) -> CachedFunction[P, R]: ...
@overload
def async_cached(
    function: "classmethod[Any, P, Coroutine[Any, Any, R]] | staticmethod[P, Coroutine[Any, Any, R]]", /
) -> CachedClassFunction[P, R]: ...
@overload
def async_cached(
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
def async_cached(function: Any = MISSING, /, **options: Any) -> Any:
    """Cache what a coroutine function returns, and compute it once however many ask at the same moment.

    Use it bare, or with options, on functions, methods (each instance has a cache of its own, which goes with it),
    class methods, static methods, partials and objects with `async def __call__`. Every spelling of one call is one
    entry: `f(1)`, `f(x=1)` and spelled-out defaults.

    Args:
        maxsize: entries at most. 1,024 unless said otherwise (no bound if there is a `max_weight`); None for no bound,
            0 to store nothing and only share loads.
        max_weight: what all entries may weigh together; goes with `weigher`.
        weigher: a function of key and value that tells an entry's weight.
        policy: who has to go when there is no room: "lru", "lfu", "fifo", "random", "sieve", "s3fifo", "tinylfu",
            "gdsf", a `BoundedCache` class, or "auto": S3-FIFO, but LRU below 128 entries.
        ttl: seconds that a value lives (or a `timedelta`), or a function of the result and then the call's arguments
            that tells; 0 stores nothing.
        idle: seconds after its last hit that a value lives.
        jitter: up to so many seconds are added to each `ttl` by chance.
        stale: seconds after the `ttl` in which the old value is served at once, while one refresh runs behind.
        stale_if_error: seconds after the `ttl` in which the old value is served if the load fails.
        error_backoff: seconds after a failure in which the load is not asked again while there is an old value; 1.
        refresh_ahead: share of the `ttl`, between 0 and 1, after which a call starts a refresh behind.
        early: how eagerly calls refresh before the `ttl` ends, by chance and in units of the load's own time; 1.0 is
            the optimum of A. Vattani et al., "Optimal Probabilistic Cache Stampede Prevention" (2015).
        max_refreshes: refreshes behind at once, for the whole cache; 32. Beyond that the old value is served.
        timeout: seconds after which a load is given up: its callers get `LoadTimeout`.
        soft_timeout: seconds after which callers are served the old value, within `stale_if_error`, while the load
            goes on.
        errors: exception types, with the seconds for which each is remembered as an answer and raised again.
        tags: names of groups that values belong to, for `cache_invalidate_tags`; or a function of the result, and if
            it takes more then of the call's arguments too, that gives them.
        key: a function of the call's arguments that gives what calls are told apart by.
        ignore: names of parameters that do not tell calls apart. With `self`, all instances share one cache.
        typed: tell 1 from 1.0 and from True.
        vary: context variables that tell calls apart too: the tenant, the language.
        store_if: a function of the result, and if it takes more then of the call's arguments too, that tells whether
            to store it. Whoever waits gets it anyway.
        copy: give each caller a copy: "deep", "shallow", or a function of the value. By default all get one object.
        on_abandon: what becomes of a load that nobody waits for any more: "cancel", "finish", or seconds of grace.
        on_evict: a function of key, value and `EvictionCause`, plain or `async`, or several, told of each entry that
            has left.
        name: what the cache is called in errors; the function's own name by default.
        clock: tells the time in seconds; must never go back. `time.monotonic` by default.
        context: what context variables a load sees: "caller", a copy of its first caller's, or "empty".

    Returns:
        A coroutine function of the same signature, with controls: see `CachedFunction`.

    Raises:
        TypeError: this cannot be decorated, or an option is of the wrong kind; the message says what to write instead.
        ValueError: an option has no meaning.

    What the function raises reaches all who waited, and is not stored. Calls raise `LoadCancelled` if the load was
    cancelled while its caller was not, `LoadTimeout` if it ran out of time, and `RecursiveLoad` if it would wait for
    itself.
    """
    if isinstance(function, int):
        raise TypeError(f"async_cached takes options by name: write @async_cached(maxsize={function})")
    settings = _Settings(options)
    return settings.decorate if function is MISSING else settings.decorate(function)


class _Settings:
    """The options of one decoration, read and checked as far as that goes without the function."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        plan_options.refuse_unknown(options, _OPTIONS, "async_cached()")
        self.load = {name: value for name, value in options.items() if name in plan_options.LOAD_OPTIONS}
        self.store = StoreOptions(**{name: value for name, value in options.items() if name in _STORE_OPTIONS})
        self.key, self.ignore = options.get("key"), options.get("ignore", ())
        self.typed: bool = options.get("typed", False)
        read.read_typed(self.typed)
        self.vary = read.read_vary(options.get("vary", ()))
        if self.key is not None:
            read.check_key(self.key)
            if self.typed or self.ignore or self.vary:
                raise ValueError("typed, ignore and vary go into a key that we make: with key=, let that see to them")
        plan_options.refuse_without_ttl(self.load)
        self._plan("", _nobody, lambda _option, function: function)  # what is wrong whatever the function

    def _plan(self, name: str, function: Any, of_result: plan_options.OfResult) -> Plan:
        idle = self.store.idle_seconds
        return plan_options.read_plan(self.load, name=name, load=function, of_result=of_result, idle=idle)

    def decorate(self, function: Any, /) -> Any:
        """Wrap a function, in whatever form it comes."""
        if isinstance(function, staticmethod):
            return staticmethod(self._as_function(_checked(_inner(function))))
        if isinstance(function, classmethod):
            return self._as_class_method(_checked(_inner(function)))
        if _is_partial_method(function):
            return self._as_method(_unbound(function), CachedMethod, takes_class=False)
        function = _checked(function)
        first = next(iter(inspect.signature(function).parameters), "")
        in_class = _stands_in_class(function)
        if first not in ("self", "cls") and not (in_class and first):
            return self._as_function(function)
        if first == "self" and first in self.ignore:
            return SharedMethod(*self._shared(function))
        if first in self.ignore:
            return self._shared(function)[0]
        as_method = functools.partial(self._as_method, function, CachedMethod, takes_class=first == "cls")
        if first in ("self", "cls"):
            return as_method()
        return NamelessReceiver(self._as_function(function), as_method)

    def _as_function(self, function: Any) -> Any:
        return self._recipe(function, receives=False).make()[0]

    def _as_method(self, function: Any, kind: type[CachedMethod], *, takes_class: bool) -> CachedMethod:
        return kind(self._recipe(function, receives=True), takes_class=takes_class)

    def _as_class_method(self, function: Any) -> Any:
        if next(iter(inspect.signature(function).parameters), "") in self.ignore:
            return classmethod(self._shared(function)[0])
        return self._as_method(function, CachedClassMethod, takes_class=True)

    def _shared(self, function: Any) -> tuple[Any, Controls]:
        """Make a wrapper with one store, whatever instance or class it is called on."""
        return self._recipe(function, receives=True).make(_nobody)

    def _recipe(self, function: Any, *, receives: bool) -> Recipe:
        own_name = _name_of(function)
        short_name = plain_name(function, "cached")
        parameters = Parameters(inspect.signature(function), receives=receives, avoid=short_name)
        ignore = read.read_ignore(self.ignore, parameters, own_name)
        if self.key is not None:
            read.read_key(self.key, parameters)
        name = self.store.name or f"{getattr(function, '__module__', '')}.{own_name}"
        plan = self._plan(name, function, functools.partial(read.read_of_result, parameters=parameters))
        expires = plan.expiry.ttl is not None
        rules = self.store.rules(name, expires=expires, is_lasting=plan.is_lasting)
        hit_options = HitOptions(
            stores=self.store.stores and (plan.expiry.ttl != 0 or plan.freshness.lasts > 0),
            expires=rules.can_expire,
            slides=rules.idle is not None,
            copies=self.store.copier is not None,
            lasts=plan.is_lasting,
        )
        key_options = KeyOptions(key=self.key, ignore=ignore, typed=self.typed, vary=len(self.vary))
        return Recipe(
            function=function,
            compiled=CompiledFunction(
                short_name,
                parameters,
                key_options,
                hit_options,
                self.store.chosen_policy,
                self._names(own_name),
            ),
            new_cache=self.store.new_cache,
            rules=rules,
            plan=plan,
            maxsize=self.store.bound,
            typed=self.typed,
            copier=self.store.copier,
        )

    def _names(self, own_name: str) -> dict[str, object]:
        """What the wrapper's source refers to by name."""
        names: dict[str, object] = {f"vary_{i}": variable.get for i, variable in enumerate(self.vary)}
        names |= {f"unset_{i}": read.unset(variable) for i, variable in enumerate(self.vary)}
        names |= {"key_of": self.key, "copy": self.store.copier}
        names |= {"clock": self.store.clock, "idle": self.store.idle_seconds}
        names["explain"] = read.explain_unhashable(own_name, self.key is not None)
        return names


_STORE_OPTIONS = frozenset(option.name for option in fields(StoreOptions) if option.init)
_OPTIONS = _STORE_OPTIONS | plan_options.LOAD_OPTIONS - {"weight"} | {"key", "ignore", "typed", "vary"}


def _nobody() -> None:
    """The receiver of calls for which no instance counts."""


def _name_of(function: Any) -> str:
    """What a function is called in messages; a partial goes by its function's name, an object by its class's."""
    while isinstance(function, functools.partial):
        function = function.func
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name


def _inner(method: Any) -> Any:
    return method.__func__


def _checked(function: Any) -> Any:
    """Refuse what is no coroutine function.

    Raises:
        TypeError: with what to write instead.
    """
    if isinstance(function, property | functools.cached_property):
        raise TypeError("async_cached decorates coroutine functions: write @property above @async_cached")
    if not callable(function):
        raise TypeError(f"async_cached decorates coroutine functions, not {function!r}")
    origin = function
    while isinstance(origin, functools.partial):
        origin = origin.func
    call = origin if inspect.isroutine(origin) or isinstance(origin, type) else type(origin).__call__
    if inspect.iscoroutinefunction(origin) or inspect.iscoroutinefunction(call):
        return function
    name = getattr(origin, "__qualname__", repr(origin))
    if inspect.isasyncgenfunction(call):
        raise TypeError(f"{name} is an async generator, which can be iterated only once: let it return a list")
    if inspect.isgeneratorfunction(call):
        raise TypeError(f"{name} is a generator: async_cached decorates `async def` functions that return a value")
    if inspect.iscoroutinefunction(inspect.unwrap(origin)):
        raise TypeError(
            f"a decorator between async_cached and {name} makes a plain function of it: write @async_cached right "
            "above `async def`"
        )
    raise TypeError(
        f"{name} is not a coroutine function: write `async def`, or use functools.lru_cache if it need not wait"
    )


def _stands_in_class(function: Any) -> bool:
    """Tell whether a function was defined right in the body of a class."""
    around = str(getattr(function, "__qualname__", "")).rpartition(".")[0]
    return bool(around) and not around.endswith("<locals>") and inspect.isfunction(function)


def _is_partial_method(function: object) -> bool:
    return isinstance(function, functools.partialmethod)


def _unbound(method: "functools.partialmethod[Any]") -> Any:
    """Make a function, with the instance as its first parameter, of a `partialmethod`."""
    function = _checked(method.func)

    async def bound_later(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await function(self, *method.args, *args, **{**method.keywords, **kwargs})

    functools.update_wrapper(bound_later, function)
    rest = inspect.signature(functools.partial(function, None, *method.args, **method.keywords))
    receiver = next(iter(inspect.signature(function).parameters.values()))
    cast("Any", bound_later).__signature__ = rest.replace(parameters=[receiver, *rest.parameters.values()])
    return bound_later
