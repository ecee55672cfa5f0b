"""The plan of a load: how it is made, what becomes of its value, and how long anybody waits for it.

A plan is made where the user writes options: for a decorated function once, for a cache once and again for each call
that says otherwise. It travels with the flight, so that loads of many functions can share one cache.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from asynccache.core.expiry import Expiry
from asynccache.core.freshness import Freshness
from asynccache.core.generations import NO_TAGS, Tags
from asynccache.core.remembered_error import ErrorTerms
from asynccache.stats import LoadCounts

if TYPE_CHECKING:
    from asynccache.flight.flight import Flight

OnAbandon: TypeAlias = Literal["cancel", "finish"] | float
"""What becomes of a load that nobody waits for any more: cancelled at once, finished, or cancelled after so many
seconds of grace."""

TagsOf: TypeAlias = tuple[str, ...] | Callable[..., Iterable[str]]
"""Tags, or a function of the result and then the call's arguments that gives them."""


class Beyond(Protocol):
    """What lies beyond the tier in process, as one plan uses it: asked before a load is made, told what it gave.

    Attributes:
        is_anew: whether loads are made whatever lies there.
    """

    is_anew: bool

    async def load(self, flight: "Flight[Any]", args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the value of a flight's key, wherever it comes from."""
        ...

    def anew(self) -> "Beyond":
        """Give the same, for loads that are made whatever lies there."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """How to load, and what to do with what comes. All times are seconds.

    Attributes:
        name: what is loaded, in errors and in the names of tasks.
        load: makes the value from a call's arguments.
        expiry: how long a value is fresh.
        freshness: what is promised before and after that.
        store_if: a function of the result and then the call's arguments that tells whether to store it.
        tags: what groups a value belongs to.
        errors: exceptions that are remembered as answers.
        timeout: after which a load is given up.
        soft_timeout: after which an old value is served, if there is one, while the load goes on.
        on_abandon: what becomes of a load that nobody waits for any more.
        inherit_context: run the load in a copy of its first caller's context variables; else in an empty context.
        weight: what the value weighs; None to have it weighed.
        scope: the namespaces that the value lies in, the innermost last.
        is_lasting: whether it is for a cache whose entries are `LastingEntry`s: they can have tags, and terms of
            their own.
        counts: what is counted of these loads alone, where they share a cache with others.
        beyond: the tiers further away, if there are any: then they are asked instead of `load`, and make the load.
        task_name: what the tasks of its loads are called.
        has_time_limit: whether a clock runs while it loads.
    """

    name: str
    load: Callable[..., Awaitable[Any]]
    expiry: Expiry = field(default_factory=Expiry)
    freshness: Freshness = field(default_factory=Freshness)
    store_if: Callable[..., object] | None = None
    tags: TagsOf = ()
    errors: ErrorTerms | None = None
    timeout: float | None = None
    soft_timeout: float | None = None
    on_abandon: OnAbandon = "cancel"
    inherit_context: bool = True
    weight: float | None = None
    scope: Tags = NO_TAGS
    is_lasting: bool = False
    counts: LoadCounts | None = None
    beyond: Beyond | None = None
    task_name: str = field(init=False)
    has_time_limit: bool = field(init=False)

    def __post_init__(self) -> None:
        """Say once what every load would have to ask."""
        object.__setattr__(self, "task_name", f"load of {self.name}")
        object.__setattr__(self, "has_time_limit", self.timeout is not None or self.soft_timeout is not None)

    @property
    def grace(self) -> float:
        """How long a load goes on that nobody waits for, in seconds."""
        return self.on_abandon if isinstance(self.on_abandon, int | float) else 0.0

    def with_tags(self, tags: tuple[str, ...]) -> "Plan":
        """Give the same plan with other tags."""
        return self._twin("tags", tags)

    def anew(self) -> "Plan":
        """Give the same plan for loads that are made whatever lies in tiers further away."""
        return self if self.beyond is None else self._twin("beyond", self.beyond.anew())

    def _twin(self, field: str, value: object) -> "Plan":
        twin = object.__new__(Plan)
        for name in Plan.__slots__:
            object.__setattr__(twin, name, getattr(self, name))
        object.__setattr__(twin, field, value)
        return twin

    def own_key(self, key: Any) -> Any:
        """Give a key as users know it, without the namespace that it lies in."""
        return key[1] if self.scope else key
