"""The plans of single calls: options as users write them again and again, read once."""

from collections.abc import Mapping
from typing import Any, Final

from asynccache.cache.engine import Engine
from asynccache.core.generations import read_tags
from asynccache.flight.plan import Plan
from asynccache.options.loads import OF_LOADS_ONLY
from asynccache.protocols import MISSING

_MOST: Final = 128
"""Sets of options that are remembered: what is new with every call is not worth it."""


class CallPlans:
    """Plans for the calls of one namespace.

    Args:
        engine: reads options.
        plan: of calls without options.
    """

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self._engine = engine
        self.plan = plan
        self._known: dict[object, Plan] = {}

    def of_storing(self, options: Mapping[str, Any]) -> Plan:
        """Give the plan of storing a value with these options.

        Raises:
            TypeError, ValueError: an option that cannot be meant, or that only loads have.
        """
        for option in OF_LOADS_ONLY.intersection(options):
            raise TypeError(f"{option} is about loading, and a value that is set is not loaded: leave it out")
        return self.of(options)

    def of(self, options: Mapping[str, Any]) -> Plan:
        """Give the plan of a call with these options.

        Raises:
            TypeError, ValueError: an option that cannot be meant.
        """
        if not options:
            return self.plan
        tags = options.get("tags", MISSING)
        if tags is MISSING or callable(tags):
            return self._remembered(options)
        # Tags are often new with every call, where all else is the same.
        others = {name: value for name, value in options.items() if name != "tags"}
        return self._remembered(others).with_tags(read_tags("tags", tags))

    def _remembered(self, options: Mapping[str, Any]) -> Plan:
        if not options:
            return self.plan
        known_as = tuple([(name, value, value.__class__) for name, value in options.items()])  # True is not 1 here
        try:
            return self._known[known_as]
        except KeyError:
            plan = self._engine.plan(self.plan.scope, options)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[known_as] = plan
            return plan
        except TypeError:  # such as a dict of errors, which may be changed
            return self._engine.plan(self.plan.scope, options)
