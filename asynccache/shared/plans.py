"""What a plan needs to know of the tier that processes share."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from asynccache.flight.flight import Flight
from asynccache.flight.plan import Plan
from asynccache.serializers.codecs import Codec


class Loads(Protocol):
    """What makes the loads of shared plans."""

    async def load(
        self, way: "SharedPlan", flight: Flight[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Give the value of a flight's key."""
        ...


class SharedPlan:
    """One plan's way to the shared tier: what its flights ask instead of its load.

    Args:
        loads: makes them.
        codec: how its values are written.
        scope_records: the keys of the records that all its values depend on.
        is_anew: whether loads are made whatever the store has.
        ahead: what the store was asked already, by key, for loads of this plan that begin right now.
    """

    __slots__ = ("ahead", "codec", "is_anew", "loads", "scope_records")

    def __init__(
        self,
        loads: Loads,
        codec: Codec,
        scope_records: tuple[bytes, ...],
        *,
        is_anew: bool = False,
        ahead: dict[Any, Any] | None = None,
    ) -> None:
        self.loads = loads
        self.codec = codec
        self.scope_records = scope_records
        self.is_anew = is_anew
        self.ahead = ahead

    async def load(self, flight: Flight[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the value of a flight's key: from the store, or by a load whose value goes there."""
        return await self.loads.load(self, flight, args, kwargs)

    def having_read(self, ahead: dict[Any, Any]) -> "SharedPlan":
        """Give the same, for loads that begin right now and need not ask the store what it was just asked."""
        return SharedPlan(self.loads, self.codec, self.scope_records, ahead=ahead)

    def anew(self) -> "SharedPlan":
        """Give the same, for loads that are made whatever the store has."""
        return SharedPlan(self.loads, self.codec, self.scope_records, is_anew=True)


def shared_plan(plan: Plan) -> SharedPlan:
    """Give a plan's way to the shared tier; there has to be one."""
    return cast("SharedPlan", plan.beyond)
