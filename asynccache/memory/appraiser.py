"""Appraising the values of one cache: on what terms each is stored, whoever brings it.

A mistake in a function that the user gave as an option costs the entry, not the caller's value: it is reported, and
nothing is stored.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.remembered_error import RememberedError
from asynccache.core.single_use import refuse_single_use
from asynccache.errors import CacheError
from asynccache.flight.flight import Flight
from asynccache.flight.loading import Load
from asynccache.flight.plan import Plan
from asynccache.memory.appraisal import NOT_STORED, Terms, appraise, fixed_terms, terms_of_error
from asynccache.memory.listeners import EvictionNotices
from asynccache.protocols import MISSING

_NO_ANSWERS: Final = (CacheError, MemoryError, RecursionError)
"""What is never remembered as an answer, however general a type the user has named."""


class Appraiser:
    """Tells the terms of values.

    Args:
        cache: where they would be stored.
        notices: where mistakes of the user's functions are reported.
        plan: of all loads, if there is only one.
    """

    def __init__(self, cache: BoundedCache[Any, Any], notices: EvictionNotices, plan: Plan | None) -> None:
        self._cache = cache
        self._notices = notices
        self._fixed = None if plan is None else fixed_terms(cache, plan)

    def of_load(self, plan: Plan, flight: Flight[Any], value: Any, args: tuple[Any, ...], kwargs: Any) -> Terms:
        """Tell the terms of what a load has brought.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        refuse_single_use(value, plan.name)
        if self._fixed is not None and flight.said is None:
            return self._fixed
        return self._appraised(plan, flight.said, flight.key, value, (args, kwargs))

    def of_put(
        self, plan: Plan, key: Any, value: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Terms:
        """Tell the terms of a value that was not loaded.

        Raises:
            TypeError: the value can be awaited or iterated only once.
        """
        refuse_single_use(value, plan.name, was_loaded=False)
        return self._fixed or self._appraised(plan, None, key, value, (args, kwargs or {}))

    def of_error(self, plan: Plan, flight: Flight[Any], error: Exception) -> Terms | None:
        """Tell the terms of an error that is an answer; None if it is none."""
        if plan.errors is None or isinstance(error, _NO_ANSWERS):
            return None
        ttl = plan.errors.ttl_of(error)
        if ttl is MISSING:
            return None
        shown = RememberedError(error).again()
        return terms_of_error(self._cache, plan, flight.said, plan.own_key(flight.key), shown, ttl)

    def weighed(self, plan: Plan, key: Any, value: Any, terms: Terms) -> Terms:
        """Give the terms of a value from elsewhere, with what it weighs here; it is not stored if that is too much."""
        try:
            weight = self._cache.weigh(plan.own_key(key), value)
        except Exception as error:
            self._notices.report("the weigher", error)
            return NOT_STORED
        return dataclasses.replace(terms, weight=weight, is_stored=terms.held != 0 and self._cache.fits(weight))

    def _appraised(
        self, plan: Plan, said: Load | None, key: Any, value: Any, call: tuple[tuple[Any, ...], Mapping[str, Any]]
    ) -> Terms:
        try:
            return appraise(self._cache, plan, said, plan.own_key(key), value, call)
        except Exception as error:
            self._notices.report("a function given as an option", error)
            return NOT_STORED
