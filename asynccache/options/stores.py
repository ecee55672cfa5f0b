"""The options about a cache as a whole, read and refused where the user wrote them.

They are the same for `async_cached` and for `Cache`: how much it holds, who has to go, who hears of it, by what clock.
"""

import copy as copying
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeAlias

from asynccache.callables import accepts, refuse_coroutine_function
from asynccache.core.bounded import BoundedCache, check_max_weight, check_maxsize
from asynccache.core.expiry import Seconds, seconds
from asynccache.core.policies import choose_policy
from asynccache.memory.entry_store import Rules
from asynccache.memory.listeners import AnyListener, read_listeners
from asynccache.protocols import MISSING, Clock, Missing, SupportsTimers

Copy: TypeAlias = Literal["deep", "shallow"] | Callable[[Any], Any]
"""How each caller gets a copy: `copy.deepcopy`, `copy.copy`, or a function of the value."""

DEFAULT_MAXSIZE: Final = 1024
"""Entries that a cache keeps when nothing else is said."""

DEFAULT_MAX_REFRESHES: Final = 32


@dataclass(kw_only=True, slots=True)
class StoreOptions:
    """The options of a cache as a whole, as users write them; once made, they are checked.

    Attributes:
        chosen_policy: the class that `policy` means.
        idle_seconds: `idle` in seconds.
        copier: the function that `copy` means.
        listeners: those of `on_evict`.

    Raises:
        TypeError, ValueError: an option that cannot be meant.
    """

    maxsize: int | Missing | None = MISSING
    max_weight: float | None = None
    weigher: Callable[[Any, Any], float] | None = None
    policy: str | type[BoundedCache[Any, Any]] = "auto"
    idle: Seconds | None = None
    copy: Copy | None = None
    on_evict: AnyListener | Iterable[AnyListener] | None = None
    max_refreshes: int = DEFAULT_MAX_REFRESHES
    name: str | None = None
    clock: Clock | SupportsTimers = time.monotonic
    bound: int | None = field(init=False)
    chosen_policy: type[BoundedCache[Any, Any]] = field(init=False)
    idle_seconds: float | None = field(init=False)
    copier: Callable[[Any], Any] | None = field(init=False)
    listeners: tuple[AnyListener, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read what was given."""
        maxsize = self.maxsize
        self.bound = (DEFAULT_MAXSIZE if self.max_weight is None else None) if maxsize is MISSING else maxsize
        check_maxsize(self.bound)
        check_max_weight(self.max_weight, self.weigher)
        _check_name(self.name)
        _check_weigher(self.weigher)
        _check_clock(self.clock)
        _check_max_refreshes(self.max_refreshes)
        self.chosen_policy = choose_policy(self.policy, self.bound)
        self.idle_seconds = seconds("idle", self.idle)
        self.copier = _read_copy(self.copy)
        self.listeners = read_listeners(self.on_evict)
        self.new_cache()  # what the policy itself refuses

    @property
    def stores(self) -> bool:
        """Whether anything can be stored at all."""
        return self.bound != 0 and self.max_weight != 0 and self.idle_seconds != 0

    def new_cache(self) -> BoundedCache[Any, Any]:
        """Make an empty mapping."""
        return self.chosen_policy(self.bound, max_weight=self.max_weight, weigher=self.weigher)

    def rules(self, name: str, *, expires: bool, is_lasting: bool) -> Rules:
        """Say how entries are treated.

        Args:
            name: what the cache is called.
            expires: whether its values have a ttl.
            is_lasting: whether entries are `LastingEntry`s.
        """
        return Rules(
            name=name,
            clock=self.clock,
            idle=self.idle_seconds,
            can_expire=expires or is_lasting or self.idle_seconds is not None,
            is_lasting=is_lasting,
            listeners=self.listeners,
            max_refreshes=self.max_refreshes,
        )


STORE_OPTIONS: Final = frozenset(option.name for option in fields(StoreOptions) if option.init)


def _read_copy(value: Copy | None) -> Callable[[Any], Any] | None:
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


def _check_weigher(function: object) -> None:
    refuse_coroutine_function("weigher", function)
    if callable(function) and not accepts(function, [None, None], {}):
        raise TypeError("weigher is called with key and value: write a function of two arguments")


def _check_name(value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"name must be a string, not {value!r}")


def _check_max_refreshes(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"max_refreshes must be a whole number of refreshes at once, not {value!r}")
    if value < 1:
        raise ValueError(f"max_refreshes must be 1 or more, not {value!r}")


def _check_clock(value: object) -> None:
    if not callable(value):
        raise TypeError(f"clock must be a function that gives seconds, such as time.monotonic, not {value!r}")
    if not accepts(value, [], {}):
        raise TypeError("clock is called with no arguments: write a function that takes none and gives seconds")
