"""Stores of others: whatever they raise becomes a `StoreError`, so that a mistake in one is a miss, and no more."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from asynccache.errors import StoreError
from asynccache.stores.batching import BatchingStore
from asynccache.stores.contract import Store

_METHODS: Final = (
    "get_many", "set_many", "delete_many", "add", "compare_and_set", "compare_and_delete", "increment", "listen",
    "aclose",
)  # fmt: skip


def translated(store: Store) -> Store:
    """Give a store that raises nothing but `StoreError`; one of ours does so anyway."""
    if isinstance(store, BatchingStore) or type(store).__module__.startswith("asynccache."):
        return store
    return cast("Store", _Translated(store))


class _Translated:
    """Another store, with all that it can do: no more, as it is asked for that by `isinstance`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        for name in _METHODS:
            method = getattr(store, name, None)
            if callable(method):
                self.__dict__[name] = _guarded(cast("Any", method), type(store).__name__)

    def __repr__(self) -> str:
        return repr(self._store)


def _guarded(method: Callable[..., Awaitable[Any]], whose: str) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"{whose}.{method.__name__} failed: {type(error).__name__}") from error

    return guarded
