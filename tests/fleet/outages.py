"""What one cache forgets while its store is out of reach, and what another one still says afterwards."""

from functools import partial

from asynccache import Cache
from tests.fleet.patience import eventually
from tests.fleet.traffic import is_sound

FORGOTTEN = ("deleted", "tagged", "cleared")


class Outage:
    """Values in two caches on one store, most of which are forgotten during an outage.

    Args:
        one: forgets.
        other: has to forget as well.
        has_feed: whether the store tells of changes.
    """

    def __init__(self, one: Cache, other: Cache, *, has_feed: bool = True) -> None:
        self._caches = (one, other)
        self._has_feed = has_feed

    async def before(self) -> None:
        """Let both have values."""
        one = self._caches[0]
        await eventually(self._is_sound)
        await one.set("deleted", "old")
        await one.set("tagged", "old", tags=("t",))
        await one.namespace("part").set("cleared", "old")
        await one.set("kept", "old")
        for cache in self._caches:
            for key in (*FORGOTTEN, "kept"):
                await eventually(partial(self._says, cache, key, "old"))

    async def during(self) -> None:
        """Let one forget some, in each of the ways that there are; it says nothing old from then on."""
        one = self._caches[0]
        await one.delete("deleted")
        await one.invalidate_tags("t")
        await one.namespace("part").clear()
        for key in FORGOTTEN:
            assert await self._says(one, key, None)

    async def after(self) -> None:
        """Wait until everything is well again; what was forgotten is gone from both, and stays so."""
        await eventually(self._is_sound)
        for cache in self._caches:
            for key in FORGOTTEN:
                await eventually(partial(self._says, cache, key, None))
        for cache in self._caches:
            assert [await self._says(cache, key, None) for key in FORGOTTEN] == [True] * len(FORGOTTEN)

    def _is_sound(self) -> bool:
        return all(is_sound(cache, has_feed=self._has_feed) for cache in self._caches)

    @staticmethod
    async def _says(cache: Cache, key: str, value: object) -> bool:
        place = cache.namespace("part") if key == "cleared" else cache
        return bool(await place.get(key) == value)
