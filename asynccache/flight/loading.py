"""What a load can ask and say about itself, from inside: `current_load()`."""

from collections.abc import Hashable, Iterable
from typing import Any

from asynccache.core.expiry import Seconds, seconds
from asynccache.core.generations import read_tags
from asynccache.flight.flight import Flight, current
from asynccache.flight.flights import Flights
from asynccache.flight.plan import Plan
from asynccache.protocols import MISSING, Missing


class Load:
    """The load that the running code belongs to. What it says of its value counts more than the options.

    Attributes:
        key: what is being loaded.
        stale: the value that is stored for it, fresh or old, or `MISSING`: what a conditional refresh starts from.
        store: set it to False, and the value goes to those who wait for it but is not stored.
        is_renewal: whether it has said that the old value is kept.
    """

    __slots__ = ("_old_tags", "_plan", "_tags", "_ttl", "is_renewal", "key", "stale", "store")

    def __init__(self, key: Hashable, plan: Plan, stale: Any = MISSING, old_tags: tuple[str, ...] = ()) -> None:
        self.key = key
        self.stale: Any | Missing = stale
        self.store = True
        self.is_renewal = False
        self._plan = plan
        self._old_tags = old_tags
        self._ttl: float | Missing | None = MISSING
        self._tags: tuple[str, ...] | Missing = MISSING

    @property
    def ttl(self) -> float | Missing | None:
        """How many seconds the value will be fresh (None for ever); `MISSING` until it is said here.

        Raises:
            TypeError: set, where the cache has no expiry at all.
            ValueError: set to what is no length of time.
        """
        return self._ttl

    @ttl.setter
    def ttl(self, value: Seconds | None) -> None:
        if not (self._plan.is_lasting or self._plan.expiry.can_expire):
            raise TypeError(
                f"the values of {self._plan.name} do not expire: give it a ttl, which a load can then change"
            )
        self._ttl = seconds("ttl", value)

    @property
    def tags(self) -> tuple[str, ...] | Missing:
        """The tags of the value, in place of those that the options give; `MISSING` until it is said here.

        Raises:
            TypeError: set to something else than strings, or where the cache has no tags at all.
        """
        return self._tags

    @tags.setter
    def tags(self, value: Iterable[str]) -> None:
        if not self._plan.is_lasting:
            raise TypeError(
                f"the values of {self._plan.name} have no tags: give it tags=(), which a load can then change"
            )
        self._tags = read_tags("tags", value)

    def not_modified(self) -> Any:
        """Give what the load has to return to keep the old value for a new term, as after HTTP's status 304.

        Its tags stay, unless others are said. No listener hears of it, as nothing leaves.

        Raises:
            LookupError: there is no old value. Ask for the whole if `stale is MISSING`.
        """
        if self.stale is MISSING:
            raise LookupError(f"{self._plan.name} has no old value that could be kept: load it whole")
        self.is_renewal = True
        if self._tags is MISSING:
            self._tags = self._old_tags
        return self.stale


def current_load() -> Load:
    """Give the load that the running code belongs to.

    Raises:
        RuntimeError: it belongs to none: it was not called by way of a cache, or the load has ended.
    """
    flight: Flight[Any] | None = current.get()
    plan = None if flight is None else flight.plan
    if flight is None or plan is None or not isinstance(flight.owner, Flights):
        raise RuntimeError("there is no load here: current_load() is for code that a cache calls to load a value")
    if flight.said is None:
        flights: Flights[Any, Any] = flight.owner  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        stale, old_tags = flights.owner.kept_value(flight.key)
        flight.said = Load(plan.own_key(flight.key), plan, stale, old_tags)
    load: Load = flight.said
    return load
