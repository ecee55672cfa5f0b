"""The compiled look-ups of one cache: what a hit has to look at, and how many hits there were."""

import inspect
import weakref
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, NoReturn

from asynccache.bypass import Switch
from asynccache.core.generations import Tag
from asynccache.core.keys import refuse_unhashable, split_key
from asynccache.hitpath.compiled import CompiledFunction, Function, HitOptions, Tally
from asynccache.hitpath.parameters import KeyOptions, Parameters
from asynccache.memory.tier import MemoryTier
from asynccache.options.stores import StoreOptions


class Lookups:
    """Makes look-ups.

    Args:
        options: those of the cache as a whole.
        tier: where values are found.
        switch: tells whether the cache is bypassed.
        ttl: of calls that do not say otherwise.

    Attributes:
        compiled: `get` and `get_or_load`, without a namespace and with one.
    """

    def __init__(self, options: StoreOptions, tier: MemoryTier[Any, Any], switch: Switch, ttl: object) -> None:
        self._options = options
        self._tier = tier
        self._switch = switch
        self._ttl = ttl
        self._tallies: dict[int, Tally] = {}
        self._former_hits = 0
        self.compiled = [(self._compile_get(scoped), self._compile_load(scoped)) for scoped in (False, True)]

    def hit_options(self) -> HitOptions:
        """Say what a hit has to look at."""
        return HitOptions(
            stores=self._options.stores,
            expires=True,
            slides=self._options.idle_seconds is not None,
            copies=self._options.copier is not None,
            lasts=True,
            may_stay=self.may_stay(self._ttl),
            can_be_bypassed=True,
        )

    def may_stay(self, ttl: object) -> bool:
        """Tell whether many entries are kept for ever, so that hits on them should not look at the clock."""
        return self._options.idle_seconds is None and (ttl is None or callable(ttl))

    def names(self) -> dict[str, object]:
        """What the source of look-ups refers to by name."""
        options = self._options
        return {"copy": options.copier, "clock": options.clock, "idle": options.idle_seconds}

    def _compile_get(self, scoped: bool) -> CompiledFunction:
        # Its default is the caller's own, and is not copied.
        return self._compile(_get, replace(self.hit_options(), copies_fetched=False), scoped)

    def _compile_load(self, scoped: bool) -> CompiledFunction:
        return self._compile(_get_or_load, self.hit_options(), scoped)

    def _compile(self, form: Callable[..., Any], hit_options: HitOptions, scoped: bool) -> CompiledFunction:
        """Compile a look-up of a key, in the form of a function whose first parameter that is."""
        parameters = Parameters(inspect.signature(form))
        others = frozenset(parameter.name for parameter in parameters.all[1:])
        key_options = KeyOptions(ignore=others, scoped=scoped)
        names = {**self.names(), "explain": _explain}
        policy = self._options.chosen_policy
        return CompiledFunction(form.__name__.strip("_"), parameters, key_options, hit_options, policy, names)

    def make(self, compiled: CompiledFunction, fetch: Function, scope: Tag | None) -> tuple[Function, Tally]:
        """Make a look-up for one namespace, and count its hits."""
        store = self._tier.store
        function, tally = compiled.make(store.cache, fetch, store.touch, store.generations, self._switch, scope)
        function.__qualname__ = f"Cache.{function.__name__}"
        # This holds no entries: what is told when a look-up goes is kept in a place where the collector does not look.
        self._tallies[id(tally)] = tally
        weakref.finalize(function, _retire, weakref.ref(self), tally).atexit = False
        return function, tally

    def retire(self, tally: Tally) -> None:
        """Count the hits of a look-up that has gone."""
        self._former_hits += self._tallies.pop(id(tally))()

    def total_hits(self) -> int:
        """Count the hits of all look-ups, those included that have gone."""
        return self._former_hits + sum(tally() for tally in list(self._tallies.values()))


def _retire(ref: "weakref.ref[Lookups]", tally: Tally) -> None:
    lookups = ref()
    if lookups is not None:
        lookups.retire(tally)


async def _get(key: Hashable, default: Any = None) -> None:
    """The form of `Cache.get`."""


async def _get_or_load(key: Hashable, load: object, /, **options: object) -> None:
    """The form of `Cache.get_or_load`."""


def _explain(error: TypeError, key: object, _arguments: dict[str, object]) -> NoReturn:
    refuse_unhashable(split_key(key)[1])
    raise error
