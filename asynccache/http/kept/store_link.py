"""What all that deals with the store of one HTTP cache has in common."""

from dataclasses import dataclass, field

from asynccache.http.kept.records import Record, decoded
from asynccache.http.kept.spelling import Spelling
from asynccache.http.kept.store_counts import StoreCounts
from asynccache.http.syntax.message import WallClock
from asynccache.serializers.envelope import Sealer
from asynccache.serializers.proofs import Unopenable
from asynccache.stores.contract import Store, SupportsConditions


@dataclass(kw_only=True, slots=True)
class StoreLink:
    """One HTTP cache's way to its store.

    Attributes:
        store: where everything is kept.
        sealer: vouches for it.
        spelling: of its keys.
        clock: tells the wall time.
        counts: learn what goes wrong.
        conditions: the same store, if it can change a key on a condition.
    """

    store: Store
    sealer: Sealer
    spelling: Spelling
    clock: WallClock
    counts: StoreCounts
    conditions: SupportsConditions | None = field(init=False)

    def __post_init__(self) -> None:
        """Ask once what would cost time at every write."""
        self.conditions = self.store if isinstance(self.store, SupportsConditions) else None

    def record(self, key: bytes, data: bytes | None) -> Record | None:
        """Read the bytes of a record; None if there are none, or none to be believed."""
        if data is None:
            return None
        try:
            return decoded(self.sealer, key, data)
        except Unopenable as error:
            self.counts.unreadable[error.reason] += 1
            return None
