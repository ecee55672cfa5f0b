"""Functions that share a `Cache`: where the tests of `async_cached(cache=...)` begin."""

from typing import Any

from asynccache import Cache, async_cached


def sources(cache: Cache, **options: Any) -> tuple[list[object], Any, Any]:
    """Give what was loaded so far, and two functions that share a cache."""
    loaded: list[object] = []

    @async_cached(cache=cache, **options)
    async def user(key: int) -> str:
        loaded.append(("user", key))
        return f"user {key}"

    @async_cached(cache=cache, **options)
    async def order(key: int) -> str:
        loaded.append(("order", key))
        return f"order {key}"

    return loaded, user, order
