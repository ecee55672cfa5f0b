"""The contenders of `speed.py`: how each is asked for the same thing.

Decides how every decorator gets its bound and its ttl, and nothing of what is measured. A peer is imported only when it
is asked for, so none has to be installed.
"""

import math
from collections.abc import Callable
from typing import Any

from asynccache import async_cached

Decorate = Callable[[Any], Any]
Make = Callable[[int, float | None], Decorate]
"""Makes a decorator for a bound in entries and a ttl in seconds."""
Size = Callable[[], int]


class LeftOutError(Exception):
    """This contender cannot do what is measured."""


def asynccache(maxsize: int, ttl: float | None) -> Decorate:
    return async_cached(maxsize=maxsize, ttl=ttl)


def asynccache_lru(maxsize: int, ttl: float | None) -> Decorate:
    return async_cached(maxsize=maxsize, ttl=ttl, policy="lru")


def async_lru(maxsize: int, ttl: float | None) -> Decorate:
    from async_lru import alru_cache

    return alru_cache(maxsize=maxsize, ttl=ttl)


def anyio_functools(maxsize: int, ttl: float | None) -> Decorate:
    from anyio.functools import lru_cache

    return lru_cache(maxsize=maxsize, ttl=None if ttl is None else math.ceil(ttl))


def asyncstdlib(maxsize: int, ttl: float | None) -> Decorate:
    from asyncstdlib import lru_cache

    if ttl is not None:
        raise LeftOutError("no ttl")
    return lru_cache(maxsize=maxsize)


def cachebox(maxsize: int, ttl: float | None) -> Decorate:
    import cachebox

    return cachebox.cached(cachebox.LRUCache(maxsize) if ttl is None else cachebox.TTLCache(maxsize, ttl))


def moka(maxsize: int, ttl: float | None) -> Decorate:
    import moka_py

    return moka_py.cached(maxsize=maxsize, ttl=ttl, wait_concurrent=True)


def asyncache(maxsize: int, ttl: float | None) -> Decorate:
    import asyncache
    import cachetools

    return asyncache.cached(cachetools.LRUCache(maxsize) if ttl is None else cachetools.TTLCache(maxsize, ttl))


def async_cache(maxsize: int, ttl: float | None) -> Decorate:
    from cache import AsyncLRU, AsyncTTL

    return AsyncLRU(maxsize=maxsize) if ttl is None else AsyncTTL(maxsize=maxsize, time_to_live=ttl)


def aiocache(_maxsize: int, ttl: float | None) -> Decorate:
    import aiocache

    return aiocache.cached(ttl=ttl)  # it takes no bound


def cashews(maxsize: int, ttl: float | None) -> Decorate:
    from cashews import Cache

    cache = Cache()
    cache.setup(f"mem://?size={maxsize}")

    def decorate(function: Any) -> Any:
        cached = cache(ttl=3600 if ttl is None else ttl)(function)
        cached.backend = cache
        return cached

    return decorate


PEERS: dict[str, Make] = {
    "asynccache": asynccache,
    "asynccache (lru)": asynccache_lru,
    "async-lru": async_lru,
    "anyio.functools": anyio_functools,
    "asyncstdlib": asyncstdlib,
    "cachebox": cachebox,
    "moka-py": moka,
    "asyncache+cachetools": asyncache,
    "async-cache": async_cache,
    "aiocache": aiocache,
    "cashews": cashews,
}

SLOW = {"async-cache", "aiocache", "cashews"}
"""Those get a tenth of the calls, and of the entries to be swept."""

SIZES: dict[str, Callable[[Any], Size]] = {
    "asynccache": lambda f: lambda: f.cache_stats().size,
    "async-lru": lambda f: lambda: f.cache_info().currsize,
    "cashews": lambda f: lambda: len(f.backend._get_backend("").store),
}
"""Those that sweep on the event loop, and how each tells what it holds."""
