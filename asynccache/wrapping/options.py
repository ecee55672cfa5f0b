"""The decorator's options, read and refused where the user wrote them.

What cannot be meant is a `TypeError` or `ValueError` that says what to write instead. What is read here is right from
then on, and no other file looks at it again.
"""

import copy as copying
import inspect
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from datetime import timedelta
from typing import Any, Literal, NoReturn, TypeAlias

from asynccache.callables import accepts, refuse_coroutine_function
from asynccache.core.expiry import seconds
from asynccache.flights import OnAbandon
from asynccache.hitpath.parameters import Parameters
from asynccache.protocols import MISSING

Copy: TypeAlias = Literal["deep", "shallow"] | Callable[[Any], Any]
"""How each caller gets a copy: `copy.deepcopy`, `copy.copy`, or a function of the value."""


def read_on_abandon(value: object) -> OnAbandon:
    """Read `on_abandon`: "cancel", "finish", or a length of time."""
    if value == "cancel":
        return "cancel"
    if value == "finish":
        return "finish"
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise ValueError(f'on_abandon must be "cancel", "finish" or a number of seconds of grace, not {value!r}')
    grace = seconds("on_abandon", value)
    return "finish" if grace is None else grace


def read_context(value: object) -> bool:
    """Read `context`; tell whether loads run in a copy of their first caller's context."""
    if value not in ("caller", "empty"):
        raise ValueError(f'context must be "caller" (a copy of the first caller\'s) or "empty", not {value!r}')
    return value == "caller"


def read_copy(value: Copy | None) -> Callable[[Any], Any] | None:
    """Read `copy`."""
    if value is None:
        return None
    if callable(value):
        refuse_coroutine_function("copy", value)
        return value
    if value == "deep":
        return copying.deepcopy
    if value == "shallow":
        return copying.copy
    raise ValueError(f'copy must be "deep", "shallow", a function of the value, or None, not {value!r}')


def read_key(function: Callable[..., Any], parameters: Parameters) -> None:
    """Refuse a `key` that cannot be called as the function is."""
    if not accepts(function, *_sample_call(parameters)):
        first = ", the instance first" if parameters.receives else ""
        raise TypeError(f"key is called with the call's arguments{first}: it must take as many as the function")


def read_weigher(function: object) -> None:
    """Refuse a `weigher` that does not take key and value."""
    refuse_coroutine_function("weigher", function)
    if callable(function) and not accepts(function, [None, None], {}):
        raise TypeError("weigher is called with key and value: write a function of two arguments")


def read_typed(value: object) -> None:
    """Refuse a `typed` that is neither yes nor no."""
    if not isinstance(value, bool):
        raise TypeError(f"typed must be True or False, not {value!r}")


def read_name(value: object) -> None:
    """Refuse a `name` that is no text."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"name must be a string, not {value!r}")


def unset(variable: ContextVar[Any]) -> object:
    """Tell what a context variable gives where it is not set: its default, or `MISSING`."""
    try:
        return Context().run(variable.get)
    except LookupError:
        return MISSING


def read_clock(value: object) -> None:
    """Refuse a `clock` that cannot be asked."""
    if not callable(value):
        raise TypeError(f"clock must be a function that gives seconds, such as time.monotonic, not {value!r}")
    if not accepts(value, [], {}):
        raise TypeError("clock is called with no arguments: write a function that takes none and gives seconds")


def read_ignore(value: Iterable[str], parameters: Parameters, name: str) -> frozenset[str]:
    """Read `ignore`: names of parameters."""
    if isinstance(value, str):
        raise TypeError(f"ignore must be several names: write ignore=({value!r},)")
    if not _is_iterable(value):
        raise TypeError(f"ignore must be the names of parameters that do not count, not {value!r}")
    names = frozenset(value)
    known = [parameter.name for parameter in parameters.all]
    for unknown in names - set(known):
        raise ValueError(f"ignore names {unknown!r}, but the parameters of {name} are {', '.join(known) or 'none'}")
    return names


def read_vary(value: Iterable[ContextVar[Any]]) -> tuple[ContextVar[Any], ...]:
    """Read `vary`: context variables."""
    if not _is_iterable(value) or _is_text(value):
        raise TypeError(f"vary must be several context variables: write vary=(tenant,), not {value!r}")
    found = tuple(value)
    for variable in found:
        _check_context_variable(variable)
    return found


def _check_context_variable(variable: object) -> None:
    if not isinstance(variable, ContextVar):
        raise TypeError(f"vary must be contextvars.ContextVar objects, not {variable!r}")


def _is_iterable(value: object) -> bool:
    return isinstance(value, Iterable)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def read_of_result(option: str, function: Callable[..., Any], parameters: Parameters) -> Callable[..., Any]:
    """Read a function of the result and the call: one that takes the result alone is welcome too.

    Returns:
        A function of the result and then the call's arguments.

    Raises:
        TypeError: it can be called in neither way.
    """
    if not callable(function):
        raise TypeError(f"{option} must be a function of the result and then the call's arguments, not {function!r}")
    refuse_coroutine_function(option, function)

    def of_result_alone(result: Any, /, *_args: Any, **_kwargs: Any) -> Any:
        return function(result)

    if accepts(function, [None, *_sample_call(parameters)[0]], _sample_call(parameters)[1], unknown=False):
        return function
    if accepts(function, [None], {}):
        return of_result_alone
    first = ", the instance first" if parameters.receives else ""
    raise TypeError(
        f"{option} is called with the result and then the call's arguments{first}, or with the result alone: "
        "write a function that takes these"
    )


def _sample_call(parameters: Parameters) -> tuple[list[None], dict[str, None]]:
    """A call's arguments; its `*args` and `**kwargs` stand for at least one each, of whatever name."""
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return (
        [None for parameter in parameters.all if parameter.kind not in by_name],
        {parameter.name: None for parameter in parameters.all if parameter.kind in by_name},
    )


def explain_unhashable(name: str, has_key_function: bool) -> Callable[[TypeError, object, dict[str, object]], NoReturn]:
    """Make the function that says which argument has no hash, and what to do about it."""

    def explain(error: TypeError, key: object, arguments: dict[str, object]) -> NoReturn:
        if has_key_function and not _is_hashable(key):
            raise TypeError(
                f"the key= function of {name} gave an unhashable {type(key).__name__}: "
                "let it give something that can be in a dict, such as a tuple"
            ) from None
        for argument, value in arguments.items():
            if not has_key_function and not _is_hashable(value):
                raise TypeError(
                    f"unhashable argument {argument!r} ({_what_has_no_hash(value)}) of {name}: pass something that can "
                    "be in a dict, such as a tuple, or tell what to tell calls apart by: key=lambda ...: ..."
                ) from None
        raise error

    return explain


def _what_has_no_hash(value: object) -> str:
    """Name the type of what has no hash, be it deep inside a tuple."""
    name = type(value).__name__
    items: tuple[object, ...] = value if isinstance(value, tuple) else ()  # pyright: ignore[reportUnknownVariableType]
    inner = [_what_has_no_hash(item) for item in items if not _is_hashable(item)]
    return f"{inner[0]} in a tuple" if inner else name


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
