"""The cache that flights belong to, as they see it: a weak reference, and questions that always have an answer."""

import asyncio
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from asynccache.flight.flight import Failure, Flight
from asynccache.protocols import MISSING, Missing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FlightOwner(Protocol[K, V]):
    """The cache that flights belong to."""

    def begin(self, flight: Flight[K], /) -> None:
        """Note that a load begins. Called only where there are generations."""
        ...

    def take_in(self, flight: Flight[K], value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bool:
        """Store what a load has brought, unless `flight.is_detached`; tell whether it is stored.

        Looks at that under the lock under which it calls `detach`.
        """
        ...

    def take_failure(self, flight: Flight[K], failure: Failure, /) -> V | Missing:
        """Note that a load has failed; give the old value that is to be served instead, if there is one."""
        ...

    def fallback(self, flight: Flight[K], /) -> V | Missing:
        """Give the old value that may be served though it is out of date, if there is one."""
        ...

    def kept_value(self, key: K, /) -> tuple[V | Missing, tuple[str, ...]]:
        """Give the value that is stored, be it fresh or old, if there is one, and the names of its tags."""
        ...

    def served(self, key: K, /) -> V | Missing:
        """Give the value that is served at once, if there is one. Raises the error that is remembered in its place."""
        ...


class OwnerRef(Generic[K, V]):
    """Leads to an owner that may have gone: then there is nothing to store in, and nothing stored.

    Args:
        owner: the cache; not kept alive.
        name: what it is called in messages.
    """

    def __init__(self, owner: FlightOwner[K, V], name: str) -> None:
        self._owner = weakref.ref(owner)
        self._name = name

    def begin(self, flight: Flight[K]) -> None:
        """Note that a load begins."""
        owner = self._owner()
        if owner is not None:
            owner.begin(flight)

    def take_in(self, flight: Flight[K], value: V, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Store what a load has brought; tell whether it is stored."""
        owner = self._owner()
        return owner is not None and owner.take_in(flight, value, args, kwargs)

    def take_failure(self, flight: Flight[K], failure: Failure) -> V | Missing:
        """Note that a load has failed; give the old value that is to be served instead, if there is one."""
        owner = self._owner()
        return MISSING if owner is None else self._ask(owner.take_failure, flight, failure)

    def fallback(self, flight: Flight[K]) -> V | Missing:
        """Give the old value that may be served though it is out of date, if there is one."""
        owner = self._owner()
        return MISSING if owner is None else self._ask(owner.fallback, flight)

    def _ask(self, question: Callable[..., V | Missing], *about: Any) -> V | Missing:
        try:
            return question(*about)
        except BaseException as mistake:  # in a key's `__eq__`, for instance: those who wait are told all the same
            message = f"dealing with a failed load of {self._name} raised {type(mistake).__name__}"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": mistake})
            return MISSING

    def kept_value(self, key: K) -> tuple[V | Missing, tuple[str, ...]]:
        """Give the value that is stored, be it fresh or old, and the names of its tags."""
        owner = self._owner()
        return (MISSING, ()) if owner is None else owner.kept_value(key)

    def served(self, key: K) -> V | Missing:
        """Give the value that is served at once, if there is one. Raises the error that is remembered instead."""
        owner = self._owner()
        return MISSING if owner is None else owner.served(key)
