"""The options of one decoration: read where they are written, and made into a recipe once the function is known.

Decides which options go together, and what they mean for the wrapper, the store and the loads.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from asynccache.cache.cache import Cache, works_of
from asynccache.core.bounded import BoundedCache
from asynccache.flight.plan import Plan
from asynccache.hitpath.compiled import CompiledFunction, HitOptions
from asynccache.hitpath.parameters import KeyOptions, Parameters, plain_name
from asynccache.options import loads as load_options
from asynccache.options.stores import STORE_OPTIONS, StoreOptions
from asynccache.protocols import Clock, SupportsTimers
from asynccache.wrapping import options as read
from asynccache.wrapping.recipe import Recipe
from asynccache.wrapping.shared import SharedRecipe

_Compile: TypeAlias = Callable[[HitOptions, type[BoundedCache[Any, Any]], Mapping[str, object]], CompiledFunction]
"""Compiles a function's wrapper, given what a hit has to look at, the policy, and what the names in its source mean."""


class Settings:
    """The options of one decoration, read and checked as far as that goes without the function.

    Args:
        options: as users write them.
        own: names of further options, which a batched function has.
    """

    def __init__(self, options: Mapping[str, Any], *, own: Collection[str] = ()) -> None:
        load_options.refuse_unknown(options, {*_OPTIONS, *own}, "async_cached.batched()" if own else "async_cached()")
        self.is_batched = bool(own)
        self.cache: Cache | None = read.read_cache(options.get("cache"), options, STORE_OPTIONS - {"name"})
        self.version = read.read_version(options.get("version", 1), self.cache)
        self.load = {name: value for name, value in options.items() if name in load_options.LOAD_OPTIONS}
        self.store = StoreOptions(**{name: value for name, value in options.items() if name in STORE_OPTIONS})
        self.key, self.ignore = options.get("key"), options.get("ignore", ())
        self.typed: bool = options.get("typed", False)
        read.read_typed(self.typed)
        self.vary = read.read_vary(options.get("vary", ()))
        if self.key is not None:
            read.check_key(self.key)
            if self.typed or self.ignore or self.vary:
                raise ValueError("typed, ignore and vary go into a key that we make: with key=, let that see to them")
        if self.cache is None:
            if self.load.get("type") is not None:
                raise ValueError("type is about values in a store that processes share: leave it out, or write cache=")
            load_options.refuse_without_ttl(self.load)
            load_options.refuse_backoff_alone(self.load)
        self._plan("", nobody, lambda _option, function: function)  # what is wrong whatever the function

    @property
    def clock(self) -> Clock | SupportsTimers:
        """What everything is timed by."""
        return self.store.clock if self.cache is None else works_of(self.cache)[0].options.clock

    def read_vary(self) -> list[Callable[[], object]]:
        """Give functions that read the context variables of `vary`."""
        return [functools.partial(variable.get, read.unset(variable)) for variable in self.vary]

    def _merged(self) -> Mapping[str, Any]:
        """The options about loads, with the defaults of a shared cache."""
        return self.load if self.cache is None else works_of(self.cache)[0].merged(self.load)

    def _plan(self, name: str, function: Any, of_result: load_options.OfResult) -> Plan:
        idle = self.store.idle_seconds
        return load_options.read_plan(self._merged(), name=name, load=function, of_result=of_result, idle=idle)

    def recipe(self, function: Any, *, receives: bool) -> Recipe | SharedRecipe:
        """Say how to make wrappers of a function.

        Args:
            function: a coroutine function.
            receives: whether its first argument is the instance or class that calls are made on.

        Raises:
            TypeError, ValueError: an option that cannot be meant for this function.
        """
        own_name = name_of(function)
        short_name = plain_name(function, "cached")
        parameters = Parameters(inspect.signature(function), receives=receives, avoid=short_name)
        ignore = read.read_ignore(self.ignore, parameters, own_name)
        if self.key is not None:
            read.read_key(self.key, parameters)
        key_options = KeyOptions(
            key=self.key, ignore=ignore, typed=self.typed, vary=len(self.vary), scoped=self.cache is not None
        )
        of_result = functools.partial(read.read_of_result, parameters=parameters)

        def compiled(hit_options: HitOptions, policy: type[BoundedCache[Any, Any]], names: Any) -> CompiledFunction:
            return CompiledFunction(
                short_name, parameters, key_options, hit_options, policy, self._names(own_name) | names
            )

        if self.cache is not None:
            return self._shared_recipe(self.cache, function, own_name, compiled, of_result)
        return self._own_recipe(function, own_name, compiled, of_result)

    def _shared_recipe(
        self, cache: Cache, function: Any, own_name: str, compiled: _Compile, of_result: load_options.OfResult
    ) -> SharedRecipe:
        engine, _, _ = works_of(cache)
        if not inspect.isfunction(function) and self.store.name is None:
            raise TypeError(
                f"{own_name} is no plain function, and has no name of its own in a cache: give it one by name="
            )
        if self.typed and engine.shared is not None:
            raise ValueError(
                f"typed=True tells calls of {own_name} apart by the types of their arguments, which a store that "
                "processes share does not know: leave it out, or write key= with what tells them apart"
            )
        may_stay = engine.lookups.may_stay(self._merged().get("ttl"))
        return SharedRecipe(
            function=function,
            cache=cache,
            part=(str(getattr(function, "__module__", "")), self.store.name or own_name, self.version),
            compiled=compiled(
                replace(engine.lookups.hit_options(), may_stay=may_stay),
                engine.options.chosen_policy,
                engine.lookups.names(),
            ),
            options=self.load,
            of_result=of_result,
        )

    def _own_recipe(self, function: Any, own_name: str, compiled: _Compile, of_result: load_options.OfResult) -> Recipe:
        store = self.store
        name = store.name or f"{getattr(function, '__module__', '')}.{own_name}"
        plan = self._plan(name, function, of_result)
        rules = store.rules(name, expires=plan.expiry.ttl is not None, is_lasting=plan.is_lasting)
        hit_options = HitOptions(
            stores=store.stores and (plan.expiry.ttl != 0 or plan.is_lasting),
            expires=rules.can_expire,
            slides=rules.idle is not None,
            copies=store.copier is not None,
            lasts=plan.is_lasting,
            may_stay=plan.is_lasting and plan.expiry.ttl is None and rules.idle is None,
        )
        names = {"copy": store.copier, "clock": store.clock, "idle": store.idle_seconds}
        return Recipe(
            function=function,
            compiled=compiled(hit_options, store.chosen_policy, names),
            new_cache=store.new_cache,
            rules=rules,
            plan=plan,
            maxsize=store.bound,
            typed=self.typed,
            copier=store.copier,
        )

    def _names(self, own_name: str) -> dict[str, object]:
        """What the wrapper's source refers to by name."""
        names: dict[str, object] = {f"vary_{i}": variable.get for i, variable in enumerate(self.vary)}
        names |= {f"unset_{i}": read.unset(variable) for i, variable in enumerate(self.vary)}
        names["key_of"] = self.key
        names["explain"] = read.explain_unhashable(own_name, self.key is not None, takes_one=self.is_batched)
        return names


_OPTIONS = (
    STORE_OPTIONS | load_options.LOAD_OPTIONS - {"weight"} | {"key", "ignore", "typed", "vary", "cache", "version"}
)


def name_of(function: Any) -> str:
    """What a function is called in messages; a partial goes by its function's name, an object by its class's."""
    while isinstance(function, functools.partial):
        function = function.func
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name


def nobody() -> None:
    """The receiver of calls for which no instance counts."""
