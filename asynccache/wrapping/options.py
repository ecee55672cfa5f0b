"""The decorator's own options, about keys and calls, read and refused where the user wrote them.

What cannot be meant is a `TypeError` or `ValueError` that says what to write instead. What is read here is right from
then on, and no other file looks at it again.
"""

import inspect
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from typing import Any, NoReturn

from asynccache.cache.cache import Cache
from asynccache.callables import accepts, refuse_coroutine_function
from asynccache.core.keys import split_key
from asynccache.hitpath.parameters import Parameters
from asynccache.options.loads import refuse_no_function
from asynccache.protocols import MISSING


def read_cache(value: object, options: Iterable[str], of_caches: Iterable[str]) -> Cache | None:
    """Read `cache`: with it, no option of a cache as a whole can be given."""
    if value is None:
        return None
    if not isinstance(value, Cache):
        raise TypeError(f"cache must be a Cache, not {value!r}: write cache=Cache(...)")
    for option in sorted(set(options).intersection(of_caches)):
        raise TypeError(f"{option} belongs to the whole cache: give it to Cache({option}=...), not to a function in it")
    return value


def read_version(value: object, cache: Cache | None) -> int | str:
    """Read `version`: what tells this function's values from those of an older one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"version must be a number or a string, not {value!r}")
    if cache is None and value != 1:
        raise TypeError("version requires cache: it is for values that others find later")
    return value


def check_key(function: object) -> None:
    """Refuse a `key` that cannot be called."""
    if not callable(function):
        raise TypeError(f"key must be callable with the call's arguments, not {function!r}")
    refuse_coroutine_function("key", function)


def read_key(function: Callable[..., Any], parameters: Parameters) -> None:
    """Refuse a `key` that cannot be called as the function is."""
    if not accepts(function, *_sample_call(parameters)):
        first = ", the instance first" if parameters.receives else ""
        raise TypeError(f"key is called with the call's arguments{first}: it must take as many as the function")


def read_typed(value: object) -> None:
    """Refuse a `typed` that is neither yes nor no."""
    if not isinstance(value, bool):
        raise TypeError(f"typed must be True or False, not {value!r}")


def unset(variable: ContextVar[Any]) -> object:
    """Tell what a context variable gives where it is not set: its default, or `MISSING`."""
    try:
        return Context().run(variable.get)
    except LookupError:
        return MISSING


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
    refuse_no_function(option, function)

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


def explain_unhashable(
    name: str, has_key_function: bool, *, takes_one: bool = False
) -> Callable[[TypeError, object, dict[str, object]], NoReturn]:
    """Make the function that says which argument has no hash, and what to do about it."""

    def explain(error: TypeError, key: object, arguments: dict[str, object]) -> NoReturn:
        key = split_key(key)[1]
        if has_key_function and not _is_hashable(key):
            raise TypeError(
                f"the key= function of {name} gave an unhashable {type(key).__name__}: "
                "let it give something that can be in a dict, such as a tuple"
            ) from None
        if takes_one and isinstance(key, list):
            short_name = name.rpartition(".")[2]
            raise TypeError(
                f"{name} is called with one key: await asyncio.gather(*[{short_name}(key) for key in keys])"
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
