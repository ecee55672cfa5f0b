"""From a function of many keys to one that is called with one: the batched loads of `async_cached.batched`."""

import functools
import inspect
from collections.abc import Callable, Sequence
from inspect import Parameter
from types import UnionType
from typing import Any, Union, get_args, get_origin

from asynccache.callables import result_type
from asynccache.core.expiry import Seconds, seconds
from asynccache.flight.batches import Batcher
from asynccache.protocols import Clock, SupportsTimers
from asynccache.sweeper import start_timer


def one_of_many(
    function: Callable[..., Any],
    *,
    max_size: int | None,
    max_wait: Seconds,
    clock: Clock | SupportsTimers,
    vary: Sequence[Callable[[], object]] = (),
) -> Any:
    """Make a coroutine function of one key, whose calls are batched, out of one of a list of keys.

    Args:
        function: a coroutine function of a list of distinct keys, or a method of one.
        max_size: keys in a batch at most; None for no bound.
        max_wait: seconds that a batch waits for more keys.
        clock: what that is timed by.
        vary: read the context variables that tell calls apart: only equal ones share a batch.

    Raises:
        TypeError, ValueError: an option that cannot be meant, or a function of something else.
    """
    batcher = Batcher(
        max_size=_read_max_size(max_size),
        max_wait=_read_max_wait(max_wait),
        call_later=functools.partial(start_timer, clock),
    )
    if _takes_instance(function):

        async def one(self: Any, key: Any) -> Any:
            return await batcher.value(
                functools.partial(function, self), key, group=(id(self), *[read() for read in vary])
            )

        return _named(one, function)

    async def one_key(key: Any) -> Any:
        return await batcher.value(function, key, group=tuple([read() for read in vary]))

    return _named(one_key, function)


def _takes_instance(function: Callable[..., Any]) -> bool:
    """Tell a method from a function.

    Raises:
        TypeError: it does not take a list of keys and nothing else.
    """
    parameters = list(inspect.signature(function).parameters.values())
    takes_instance = bool(parameters) and parameters[0].name == "self"
    others = parameters[1:] if takes_instance else parameters
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if len(others) != 1 or others[0].kind not in by_position:
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{name} must take a list of keys, and nothing else: async def {name.rpartition('.')[2]}(keys)")
    return takes_instance


def _named(one: Any, function: Callable[..., Any]) -> Any:
    """Let the function of one key go by the name of the other; its parameters are its own."""
    signature = inspect.signature(one)
    functools.update_wrapper(one, function, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    one.__signature__ = signature
    one.__annotations__["return"] = _one_of(result_type(function))
    return one


def _one_of(results: Any) -> Any:
    """Give the type of one value, of an annotation for many; without the exceptions that can stand for one."""
    one = (get_args(results) or (Any,))[-1]
    if get_origin(one) not in (Union, UnionType):
        return one
    values: tuple[Any, ...] = tuple(filter(_is_no_exception, get_args(one)))
    return Union[values] if values else Any  # noqa: UP007  # of types that are known only here


def _is_no_exception(kind: object) -> bool:
    return not (isinstance(kind, type) and issubclass(kind, BaseException))


def _read_max_size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_size must be a whole number of keys in a batch, or None for no bound, not {value!r}")
    if value < 1:
        raise ValueError(f"max_size must be 1 or more, or None for no bound, not {value!r}")
    return value


def _read_max_wait(value: Seconds) -> float:
    wait = seconds("max_wait", value)
    if wait is None:
        raise ValueError("max_wait must be a finite number of seconds; 0 is the rest of the loop's turn")
    return wait
