"""What functions can be called with, and whether their result has to be awaited.

Decides that from the outside, without a call: for options that are functions, and are refused where they are written.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, get_type_hints


def accepts(
    function: Callable[..., Any], args: list[None], kwargs: Mapping[str, None], *, unknown: bool = True
) -> bool:
    """Tell whether a function can be called so; `unknown` is for built-ins that do not tell."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:
        return unknown
    return True


def is_coroutine_function(function: object) -> bool:
    """Tell whether what a function gives is to be awaited.

    True for `async def`, bound or in a `functools.partial`, and for an object whose `__call__` is one. A plain function
    that returns somebody else's coroutine cannot be told from others.
    """
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    is_object = callable(function) and not isinstance(function, type)
    return is_object and inspect.iscoroutinefunction(type(function).__call__)


def refuse_coroutine_function(option: str, function: object) -> None:
    """Refuse a coroutine function where the cache calls, and does not await."""
    if is_coroutine_function(function):
        raise TypeError(f"{option} must be a plain function, not a coroutine function: nobody awaits it")


def awaitable_of(option: str, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
    """Call a coroutine function that comes with a call, rather than at decoration.

    Raises:
        TypeError: it is none; with what to write instead.
    """
    refuse_no_coroutine_function(option, function)
    try:
        result = function(*args)
    except TypeError:
        if accepts(function, [None] * len(args), {}):
            raise  # its own
        given = "one argument" if args else "no arguments"
        raise TypeError(f"{option} is called with {given}: write `lambda` around what takes others") from None
    if not inspect.isawaitable(result):
        raise TypeError(f"{option} must be a coroutine function, but gave a {type(result).__name__}: write `async def`")
    return result


def refuse_no_coroutine_function(option: str, function: object) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: it is something else; a coroutine is closed, or it would complain that it was never awaited.
    """
    if callable(function):
        return
    hint = "give the function, not what it returns: lambda: ..." if inspect.isawaitable(function) else "give a function"
    if inspect.iscoroutine(function):
        function.close()
    raise TypeError(f"{option} must be a coroutine function, not a {type(function).__name__}: {hint}")


def result_type(function: Any) -> Any:
    """Tell what a coroutine function gives, as its return annotation says it; `Any` if it does not, or not plainly."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    try:
        found = get_type_hints(function).get("return", Any)
    except Exception:  # names that are there for type checkers only
        return Any
    return Any if isinstance(found, TypeVar) else found
