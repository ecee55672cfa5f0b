"""The options about how values are loaded and kept, read and refused where the user wrote them.

They are the same for `async_cached`, for a `Cache` as a whole, and for a single call of it. What cannot be meant is a
`TypeError` or `ValueError` that says what to write instead. What is read here is right from then on.
"""

import dataclasses
import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, TypedDict

from asynccache.callables import accepts, refuse_coroutine_function
from asynccache.core.expiry import Expiry, Seconds, Ttl, seconds
from asynccache.core.freshness import Freshness
from asynccache.core.generations import read_tags
from asynccache.core.remembered_error import ErrorTerms
from asynccache.flight.plan import OnAbandon, Plan, TagsOf

OfResult: TypeAlias = Callable[[str, Callable[..., Any]], Callable[..., Any]]
"""Makes, of an option that is a function, one that takes the result and then the call's arguments."""


class CommonOptions(TypedDict, total=False):
    """How values are loaded and kept: what can be said of a whole cache and of a single call.

    They mean what they mean for `async_cached`. Times are seconds or `timedelta`.
    """

    ttl: Ttl
    jitter: Seconds | None
    stale: Seconds | None
    stale_if_error: Seconds | None
    error_backoff: Seconds | None
    refresh_ahead: float | None
    early: float | None
    timeout: Seconds | None
    soft_timeout: Seconds | None
    errors: Mapping[type[Exception], Seconds | None] | None
    store_if: Callable[..., object] | None
    tags: Iterable[str] | Callable[..., Iterable[str]] | None
    on_abandon: OnAbandon | Seconds
    context: Literal["caller", "empty"]
    type: Any


class LoadOptions(CommonOptions, total=False):
    """How one value is loaded and kept: the options of a single call, which count more than those of the cache."""

    weight: float | None


LOAD_OPTIONS: Final = frozenset(LoadOptions.__annotations__)

OF_LOADS_ONLY: Final = frozenset({"timeout", "soft_timeout", "errors", "on_abandon", "context"})
"""Options that mean nothing where a value is simply stored."""

_LASTING: Final = ("stale", "stale_if_error", "refresh_ahead", "early", "errors", "tags")
"""Options that need more of an entry than a deadline."""

_OF_TTL: Final = ("stale", "stale_if_error", "refresh_ahead", "early")


def refuse_unknown(
    given: Iterable[str], known: Iterable[str], whose: str, *, elsewhere: Mapping[str, str] | None = None
) -> None:
    """Refuse options that there are not.

    Args:
        given: the names of what was given.
        known: the names of all options.
        whose: who has them.
        elsewhere: what to say of options that others have.

    Raises:
        TypeError: it names the nearest that there is.
    """
    names = sorted(known)
    for option in set(given).difference(names):
        if elsewhere is not None and option in elsewhere:
            raise TypeError(elsewhere[option])
        alike = difflib.get_close_matches(option, names, 1)
        hint = f"did you mean {alike[0]!r}?" if alike else f"it has {', '.join(names)}"
        raise TypeError(f"{whose} has no option {option!r}: {hint}")


def asks_for_lasting(options: Mapping[str, Any]) -> bool:
    """Tell whether these options need `LastingEntry`s; `tags=()` says that loads themselves give some."""
    return any(options.get(option) is not None for option in _LASTING)


def refuse_without_ttl(options: Mapping[str, Any]) -> None:
    """Refuse promises about the end of the ttl where there is no ttl.

    Raises:
        ValueError: with what to write.
    """
    for option in _OF_TTL:
        if options.get(option) is not None and options.get("ttl") is None:
            raise ValueError(f"{option} requires ttl to be set: it counts from there")


def refuse_backoff_alone(options: Mapping[str, Any]) -> None:
    """Refuse a back-off where there is never an old value to serve meanwhile.

    Raises:
        ValueError: with what to write.
    """
    if options.get("error_backoff") is not None and all(options.get(option) is None for option in _OF_TTL):
        raise ValueError(
            f"error_backoff requires one of {', '.join(_OF_TTL)}: it spares a source that fails while there is an old "
            "value; to remember failures where there is none, write errors={...: seconds}"
        )


def read_plan(
    options: Mapping[str, Any],
    *,
    name: str,
    load: Callable[..., Awaitable[Any]],
    of_result: OfResult,
    idle: float | None = None,
    is_lasting: bool | None = None,
) -> Plan:
    """Make a plan of options as users write them.

    Args:
        options: those of `LoadOptions`.
        name: what is loaded, in errors.
        load: makes the value.
        of_result: for options that are functions.
        idle: of the cache.
        is_lasting: whether entries are `LastingEntry`s; None to let the options decide.

    Raises:
        TypeError, ValueError: an option that cannot be meant.
    """
    given: Any = options
    expiry = Expiry.from_options(given.get("ttl"), None, given.get("jitter"))
    timeout = _read_limit("timeout", given.get("timeout"))
    soft_timeout = _read_limit("soft_timeout", given.get("soft_timeout"))
    freshness = Freshness.from_options(**{field.name: given.get(field.name) for field in dataclasses.fields(Freshness)})
    if soft_timeout is not None and not freshness.stale_if_error:
        raise ValueError("soft_timeout requires stale_if_error: it is when the old value is served")
    if timeout is not None and soft_timeout is not None and soft_timeout >= timeout:
        raise ValueError(
            "soft_timeout must be shorter than timeout: it is when the old value is served while the load goes on"
        )
    ttl = of_result("ttl", expiry.ttl) if callable(expiry.ttl) else expiry.ttl
    store_if = given.get("store_if")
    return Plan(
        name=name,
        load=load,
        expiry=Expiry(ttl=ttl, idle=idle, jitter=expiry.jitter),
        freshness=freshness,
        store_if=None if store_if is None else of_result("store_if", store_if),
        tags=_read_tags(given.get("tags"), of_result),
        errors=ErrorTerms.from_option(given.get("errors")),
        timeout=timeout,
        soft_timeout=soft_timeout,
        on_abandon=_read_on_abandon(given.get("on_abandon", "cancel")),
        inherit_context=_read_context(given.get("context", "caller")),
        weight=_read_weight(given.get("weight")),
        is_lasting=asks_for_lasting(options) if is_lasting is None else is_lasting,
    )


def of_result_alone(option: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make of an option's function one that is given the result alone, where a call has no arguments of its own.

    Raises:
        TypeError: it cannot be called so.
    """
    refuse_no_function(option, function)
    if not accepts(function, [None], {}):
        raise TypeError(f"{option} is called with the result alone here: write a function of one argument")

    def of_result(result: Any, /, *_args: Any, **_kwargs: Any) -> Any:
        return function(result)

    return of_result


def refuse_no_function(option: str, function: object) -> None:
    """Refuse what is no plain function.

    Raises:
        TypeError: with what to write instead.
    """
    if not callable(function):
        raise TypeError(f"{option} must be a function of the result and then the call's arguments, not {function!r}")
    refuse_coroutine_function(option, function)


def _read_tags(value: Any, of_result: OfResult) -> TagsOf:
    return of_result("tags", value) if callable(value) else read_tags("tags", value)


def _read_limit(option: str, value: Seconds | None) -> float | None:
    limit = seconds(option, value)
    if limit == 0:
        raise ValueError(f"{option} must be more than 0 seconds, or None for no limit")
    return limit


def _read_weight(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"weight must be a number, not {value!r}")
    if not value >= 0:
        raise ValueError(f"weight must be 0 or more, not {value!r}")
    return value


def _read_on_abandon(value: object) -> OnAbandon:
    if value == "cancel":
        return "cancel"
    if value == "finish":
        return "finish"
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise ValueError(f'on_abandon must be "cancel", "finish" or a number of seconds of grace, not {value!r}')
    grace = seconds("on_abandon", value)
    return "finish" if grace is None else grace


def _read_context(value: object) -> bool:
    if value not in ("caller", "empty"):
        raise ValueError(f'context must be "caller" (a copy of the first caller\'s) or "empty", not {value!r}')
    return value == "caller"
