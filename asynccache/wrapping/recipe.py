"""A decorated function before it has a store: everything that its options decide, once, for all stores to come.

A plain function makes one store of it, a method one for each instance.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asynccache.cache.read_through import ReadThrough
from asynccache.core.bounded import BoundedCache
from asynccache.flight.plan import Plan
from asynccache.hitpath.compiled import CompiledFunction, Function
from asynccache.memory.entry_store import Rules
from asynccache.memory.tier import MemoryTier
from asynccache.wrapping.controls import CallControls, Controls


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to make a wrapper with a store of its own.

    Attributes:
        function: the user's function.
        compiled: its wrapper's code.
        new_cache: makes an empty bounded mapping.
        rules: how entries are treated.
        plan: how values are loaded and kept.
        maxsize, typed, copier: as the controls need them.
    """

    function: Callable[..., Any]
    compiled: CompiledFunction
    new_cache: Callable[[], BoundedCache[Any, Any]]
    rules: Rules
    plan: Plan
    maxsize: int | None
    typed: bool
    copier: Callable[[Any], Any] | None

    def make(self, receiver: Callable[[], object] | None = None) -> tuple[Function, Controls]:
        """Make a wrapper, a store and its controls.

        Args:
            receiver: gives the instance or class that the controls' calls are made on.
        """
        cache = self.new_cache()
        tier: MemoryTier[Any, Any] = MemoryTier(cache, self.rules, self.plan)
        # What is not asked for costs nothing: without old values and tags, a miss is a load, and nothing else.
        fetch = ReadThrough(tier).fetch if self.plan.is_lasting else tier.flights.fetch
        store = tier.store
        wrapper, tally = self.compiled.make(cache, functools.partial(fetch, self.plan), store.touch, store.generations)
        controls = Controls(
            tier,
            self.plan,
            self.compiled,
            tally,
            maxsize=self.maxsize,
            typed=self.typed,
            copier=self.copier,
            receiver=receiver,
        )
        # The wrapper keeps its controls, and they the store: flights do not.
        return dressed(wrapper, self.function, controls), controls


def dressed(wrapper: Function, function: Callable[..., Any], controls: CallControls) -> Function:
    """Let a wrapper look like its function, and carry its controls."""
    has_attributes = inspect.isfunction(function)
    functools.update_wrapper(wrapper, function, updated=("__dict__",) if has_attributes else ())
    controls.put_on(wrapper)
    return wrapper
