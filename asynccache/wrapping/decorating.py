"""What can be decorated, and what becomes of it: a function, a method, a class method, or a clear refusal."""

import functools
import inspect
from typing import Any, cast

from asynccache.wrapping.controls import CallControls
from asynccache.wrapping.method import CachedClassMethod, CachedMethod, NamelessReceiver, SharedMethod
from asynccache.wrapping.recipe import Recipe
from asynccache.wrapping.settings import Settings, name_of, nobody


class Decorating:
    """Puts one set of options on functions.

    Args:
        settings: the options.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, function: Any, /) -> Any:
        """Wrap a function, in whatever form it comes."""
        if isinstance(function, staticmethod):
            return staticmethod(self._as_function(checked(_inner(function))))
        if isinstance(function, classmethod):
            return self._as_class_method(checked(_inner(function)))
        if _is_partial_method(function):
            return self._as_method(_unbound(function), CachedMethod, takes_class=False)
        function = checked(function)
        first = next(iter(inspect.signature(function).parameters), "")
        in_class = _stands_in_class(function)
        if first not in ("self", "cls") and not (in_class and first):
            return self._as_function(function)
        if first == "self" and first in self._settings.ignore:
            return SharedMethod(*self._shared(function))
        if first in self._settings.ignore:
            return self._shared(function)[0]
        as_method = functools.partial(self._as_method, function, CachedMethod, takes_class=first == "cls")
        if first in ("self", "cls"):
            return as_method()
        return NamelessReceiver(self._as_function(function), as_method)

    def _as_function(self, function: Any) -> Any:
        return self._settings.recipe(function, receives=False).make()[0]

    def _as_method(self, function: Any, kind: type[CachedMethod], *, takes_class: bool) -> Any:
        if self._settings.cache is not None:
            return self._as_shared_method(function, takes_class=takes_class)
        return kind(cast("Recipe", self._settings.recipe(function, receives=True)), takes_class=takes_class)

    def _as_shared_method(self, function: Any, *, takes_class: bool) -> Any:
        """Wrap a method whose calls are told apart by `key=`, with what they are made on."""
        if self._settings.key is None:
            first = next(iter(inspect.signature(function).parameters))
            raise TypeError(
                f"{name_of(function)} shares a cache, which cannot know one {first} from another: write "
                f"ignore=({first!r},) if they all have the same values, or key= with what tells them apart"
            )
        if takes_class:
            raise TypeError(f"{name_of(function)} shares a cache: write @async_cached(...) above a plain method")
        wrapper, controls = self._settings.recipe(function, receives=False).make()
        return SharedMethod(wrapper, controls, tells_instances=True)

    def _as_class_method(self, function: Any) -> Any:
        if next(iter(inspect.signature(function).parameters), "") in self._settings.ignore:
            return classmethod(self._shared(function)[0])
        return self._as_method(function, CachedClassMethod, takes_class=True)

    def _shared(self, function: Any) -> tuple[Any, CallControls]:
        """Make a wrapper with one store, whatever instance or class it is called on."""
        return self._settings.recipe(function, receives=True).make(nobody)


def _inner(method: Any) -> Any:
    return method.__func__


def checked(function: Any) -> Any:
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
    function = checked(method.func)

    async def bound_later(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return await function(self, *method.args, *args, **{**method.keywords, **kwargs})

    functools.update_wrapper(bound_later, function)
    rest = inspect.signature(functools.partial(function, None, *method.args, **method.keywords))
    receiver = next(iter(inspect.signature(function).parameters.values()))
    cast("Any", bound_later).__signature__ = rest.replace(parameters=[receiver, *rest.parameters.values()])
    return bound_later
