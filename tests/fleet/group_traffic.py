"""Traffic of caches that change whole groups: values with a tag, values in a namespace, and single ones.

Values are loaded and never set, so each cache may change any key: what is loaded too late is refused.
"""

from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias

from asynccache import Cache
from tests.fleet.traffic import KEYS, Traffic

GROUPS = 4
Kind: TypeAlias = Literal["alone", "tagged", "in a namespace"]
KINDS: tuple[Kind, ...] = ("alone", "tagged", "in a namespace")


def kind_of(key: int) -> Kind:
    """Tell how a key is changed."""
    return KINDS[key % len(KINDS)]


class GroupTraffic(Traffic):
    """Loads, and changes of groups."""

    def _next(self, number: int) -> tuple[str, Coroutine[Any, Any, None]]:
        key = self._chance.randrange(KEYS)
        if self._chance.random() < 0.06:
            return "change", self._change(self._caches[number], key)
        return "get_or_load", self._get_or_load(self._caches[number], key)

    async def _get_or_load(self, cache: Cache, key: int) -> None:
        self._look_at(key, await self._says(cache, key))

    async def _says(self, cache: Cache, key: int) -> Any:
        if kind_of(key) == "in a namespace":
            cache = cache.namespace(f"part {key % GROUPS}")
        tags = (f"group {key % GROUPS}",) if kind_of(key) == "tagged" else ()
        return await cache.get_or_load(key, lambda: self.load(key), tags=tags)

    async def _change(self, cache: Cache, key: int) -> None:
        kind = kind_of(key)
        if kind == "alone":
            self.truth[key] += 1
            await cache.delete(key)
            return
        for other in self.truth:
            if kind_of(other) == kind and other % GROUPS == key % GROUPS:
                self.truth[other] += 1
        if kind == "tagged":
            await cache.invalidate_tags(f"group {key % GROUPS}")
        else:
            await cache.namespace(f"part {key % GROUPS}").clear()
