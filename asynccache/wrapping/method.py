"""Cached methods: a store for each instance, which neither keeps the instance alive nor leaves anything on it.

Stores are found by the instance's identity, never by its equality, and go when the instance goes. What `obj.method`
gives is an ordinary bound method of a function that belongs to that one instance: a call costs little more than
binding, and the controls, which are attributes of that function, are the instance's own.

One thing can keep an instance alive: a value of its own that refers to it, until that value goes. The store would have
to be a part of the instance to let the collector see such a ring, and would then be copied and pickled with it.
"""

import asyncio.coroutines
import functools
import inspect
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import MethodType
from typing import Any, Final

from asynccache.hitpath.compiled import Function
from asynccache.protocols import MISSING, Missing
from asynccache.stats import CacheStats, total
from asynccache.wrapping.controls import CallControls, Controls
from asynccache.wrapping.recipe import Recipe
from asynccache.wrapping.typed import CacheInfo, CacheParameters


class CachedMethod:
    """What stands in the class in a cached method's place.

    Args:
        recipe: how to make the store of one instance.
        takes_class: whether calls are made on classes rather than instances.
    """

    __qualname__: str

    def __init__(self, recipe: Recipe, *, takes_class: bool) -> None:
        look_like(self, recipe.function)
        self._recipe = recipe
        self._takes_class = takes_class
        self._targets: dict[int, Function] = {}
        self._receivers: dict[int, tuple[weakref.ref[Any], Function, Controls]] = {}
        self._closed = False

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        try:
            return MethodType(self._targets[id(instance)], instance)
        except KeyError:
            return self if instance is None else MethodType(self._target_of(instance), instance)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Call the method by way of its class: the instance comes first."""
        if not args:
            raise TypeError(f"{self.__qualname__}() is called without an instance")
        return self._target_of(args[0])(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<cached method {self.__qualname__}>"

    def __reduce__(self) -> str:
        return self.__qualname__

    def _target_of(self, receiver: Any) -> Function:
        here = id(receiver)
        if here not in self._receivers:
            try:
                ref = weakref.ref(receiver, _forgetter(here, self._targets, self._receivers))
            except TypeError:
                raise TypeError(_needs_weak_reference(self.__qualname__, receiver)) from None
            target, controls = self._recipe.make(ref)
            controls.set_closed(self._closed)
            # Without a lock: of two threads that come at once, one has made its store in vain.
            self._receivers.setdefault(here, (ref, target, controls))
        target = self._targets[here] = self._receivers[here][1]
        return target

    # --- controls, asked of the class: about one call they take the instance first, else they are about all -----------

    def _all(self) -> list[Controls]:
        return [controls for _, _, controls in list(self._receivers.values())]

    def _addressed(self, args: tuple[Any, ...]) -> tuple[list[Controls], tuple[Any, ...]]:
        """Find out whose controls are meant, and with which arguments."""
        if self._takes_class and not self._names_class(args):
            # From 3.13 on, `classmethod` does not tell what it wraps which class it is asked of.
            return self._all(), args
        if not args:
            raise TypeError(f"{self.__qualname__} belongs to instances: give the instance first, or ask the instance")
        self._target_of(args[0])
        return [self._receivers[id(args[0])][2]], args[1:]

    def _names_class(self, args: tuple[Any, ...]) -> bool:
        """Tell whether the first argument is a class that this method belongs to, rather than the call's."""
        bases = args[0].__mro__ if args and isinstance(args[0], type) else ()
        return any(getattr(found, "__func__", found) is self for base in bases for found in vars(base).values())

    def _addressed_one(self, args: tuple[Any, ...]) -> tuple[Controls, tuple[Any, ...]]:
        found, rest = self._addressed(args)
        if len(found) != 1:
            raise TypeError(
                f"{self.__qualname__} is cached for {len(found)} classes: give the class first, "
                "or write @async_cached above @classmethod"
            )
        return found[0], rest

    def cache_info(self) -> CacheInfo:
        infos = [controls.cache_info() for controls in self._all()]
        return CacheInfo(
            sum(info.hits for info in infos),
            sum(info.misses for info in infos),
            self._recipe.maxsize,
            sum(info.currsize for info in infos),
        )

    def cache_stats(self) -> CacheStats:
        return total([controls.cache_stats() for controls in self._all()])

    def cache_parameters(self) -> CacheParameters:
        tasks = sum(controls.cache_parameters()["tasks"] for controls in self._all())
        return CacheParameters(typed=self._recipe.typed, maxsize=self._recipe.maxsize, tasks=tasks, closed=self._closed)

    def cache_clear(self) -> None:
        for controls in self._all():
            controls.cache_clear()

    def cache_invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        found, rest = self._addressed(args)
        forgotten = [controls.cache_invalidate(*rest, **kwargs) for controls in found]
        return any(forgotten)

    def cache_invalidate_tags(self, *tags: str) -> None:
        for controls in self._all():
            controls.cache_invalidate_tags(*tags)

    def cache_contains(self, /, *args: Any, **kwargs: Any) -> bool:
        found, rest = self._addressed(args)
        return any(controls.cache_contains(*rest, **kwargs) for controls in found)

    def cache_peek(self, /, *args: Any, **kwargs: Any) -> Any | Missing:
        if self._takes_class and not self._receivers:
            return MISSING
        controls, rest = self._addressed_one(args)
        return controls.cache_peek(*rest, **kwargs)

    def cache_put(self, value: Any, /, *args: Any, **kwargs: Any) -> None:
        controls, rest = self._addressed_one(args)
        controls.cache_put(value, *rest, **kwargs)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> Any:
        controls, rest = self._addressed_one(args)
        return controls.cache_key(*rest, **kwargs)

    async def cache_refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        controls, rest = self._addressed_one(args)
        return await controls.cache_refresh(*rest, **kwargs)

    async def cache_close(self, *, wait: bool = False) -> None:
        self._closed = True
        for controls in self._all():
            await controls.cache_close(wait=wait)

    @asynccontextmanager
    async def _lifespans(self, wait: bool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            async with AsyncExitStack() as stack:
                for controls in self._all():
                    await stack.enter_async_context(controls.cache_lifespan(wait=wait))

    def cache_lifespan(self, *, wait: bool = False) -> AbstractAsyncContextManager[None]:
        return self._lifespans(wait)


class CachedClassMethod(CachedMethod):
    """What `@async_cached` makes of a `classmethod`: bound to the class that it is asked of, subclasses apart."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        return super().__get__(type(instance) if owner is None else owner)


class SharedMethod:
    """A method whose instances share one store: as `ignore=("self",)` asks for, or in a `Cache`.

    Args:
        wrapper: the function, whose first parameter is the instance.
        controls: its controls. Asked of the class, they take the instance, like everything else there.
        tells_instances: whether calls on different instances can be different calls.
    """

    def __init__(self, wrapper: Function, controls: CallControls, *, tells_instances: bool = False) -> None:
        look_like(self, wrapper)
        self._wrapper = wrapper
        self._bind: Callable[[Function, Any], Any] = BoundMethod if tells_instances else MethodType
        controls.without_receiver().put_on(self)

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        return self if instance is None else self._bind(self._wrapper, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._wrapper(*args, **kwargs)

    def __reduce__(self) -> str:
        return self._wrapper.__qualname__


class BoundMethod:
    """A method asked of an instance, where the controls too have to know the instance."""

    __slots__ = ("__func__", "__self__")

    def __init__(self, function: Function, instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self.__func__(self.__self__, *args, **kwargs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMethod):
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<bound method {self.__func__.__qualname__} of {self.__self__!r}>"

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(MethodType(self.__func__, self.__self__))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__func__, name)
        return functools.partial(found, self.__self__) if name in OF_A_CALL else found

    def cache_put(self, value: Any, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None]:
        put: Function = getattr(self.__func__, "cache_put")  # noqa: B009  # functions have no such attribute by type
        return put(value, self.__self__, *args, **kwargs)


BoundMethod.__doc__ = property(lambda self: self.__func__.__doc__)  # type: ignore[assignment]  # each method's own

if sys.version_info >= (3, 12):  # before, `inspect` looks at what `__getattr__` passes on
    for _name, _mark in vars(inspect.markcoroutinefunction(lambda: None)).items():
        setattr(BoundMethod, _name, _mark)


OF_A_CALL: Final = frozenset({"cache_contains", "cache_invalidate", "cache_key", "cache_peek", "cache_refresh"})
"""The controls that begin with a call's arguments."""


class NamelessReceiver:
    """A function from a class body whose first parameter is not called `self` or `cls`.

    A static method, or a method with a taste of its own? If the class gets it as it is, it is a method, and a
    `CachedMethod` takes its place; if not, a `staticmethod` stands around it.

    Args:
        as_function: the wrapper, if it is to be a function.
        as_method: makes what takes its place, if it is a method.
    """

    def __init__(self, as_function: Function, as_method: Callable[[], CachedMethod]) -> None:
        look_like(self, as_function)
        self._as_function = as_function
        self._as_method = as_method

    def __set_name__(self, owner: type[Any], name: str) -> None:
        setattr(owner, name, self._as_method())

    def __call__(self, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._as_function(*args, **kwargs)

    def __reduce__(self) -> str:
        return self._as_function.__qualname__


def look_like(wrapper: Any, function: Callable[..., Any]) -> None:
    """Let an object that stands for a coroutine function pass for one, to `inspect` and to people."""
    # What else stands on a function goes along; what an object keeps for itself does not.
    functools.update_wrapper(wrapper, function, updated=("__dict__",) if inspect.isfunction(function) else ())
    if not hasattr(wrapper, "__qualname__"):
        wrapper.__qualname__ = type(function).__qualname__
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(wrapper)
    else:
        # What `inspect` looks at where functions cannot be marked. Objects like those that Cython makes have them too.
        wrapper.__name__ = wrapper.__qualname__.rpartition(".")[2]
        wrapper.__code__ = _coroutine_function.__code__
        wrapper.__defaults__ = wrapper.__kwdefaults__ = None
        wrapper._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]


async def _coroutine_function() -> None: ...


def _forgetter(here: int, *tables: dict[int, Any]) -> Callable[[object], None]:
    """What is called when a receiver is gone, before its identity can be another object's."""

    def forget(_: object) -> None:
        for table in tables:
            table.pop(here, None)

    return forget


def _needs_weak_reference(method: str, receiver: object) -> str:
    owner = type(receiver)
    if not hasattr(owner, method.rpartition(".")[2]):
        return f"{method} belongs to instances, and this is of type {owner.__qualname__}: give the instance first"
    return (
        f"{method} keeps a cache for each instance that goes when the instance goes, but instances of "
        f'{owner.__qualname__} cannot be referred to weakly: add "__weakref__" to its __slots__ (dataclass: '
        'weakref_slot=True), or let all share one cache by ignore=("self",)'
    )
