"""HTTP caching (RFC 9111): in front of aiohttp's client, and in front of one's own handlers.

What each is made with is imported when it is asked for: the middleware for ASGI needs no aiohttp.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from asynccache.http.answering.counts import HttpStats
from asynccache.http.settings.directives import directives
from asynccache.http.settings.rules import Rule
from asynccache.http.syntax.status import CacheStatus

if TYPE_CHECKING:
    from asynccache.http.client.middleware import CacheMiddleware, cache_status, is_from_cache
    from asynccache.http.server.asgi import ASGICacheMiddleware
    from asynccache.http.server.handlers import ResponseCache
    from asynccache.http.server.web_origin import CACHE_TAGS

__all__ = [
    "ASGICacheMiddleware",
    "CACHE_TAGS",
    "CacheMiddleware",
    "CacheStatus",
    "HttpStats",
    "ResponseCache",
    "Rule",
    "cache_status",
    "directives",
    "is_from_cache",
]

_LATER: Final = {
    "ASGICacheMiddleware": "server.asgi",
    "CACHE_TAGS": "server.web_origin",
    "CacheMiddleware": "client.middleware",
    "cache_status": "client.middleware",
    "ResponseCache": "server.handlers",
    "is_from_cache": "client.middleware",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_LATER[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"aiohttp", "multidict", "yarl"}:
            raise
        message = f'{name} needs the package {error.name}: pip install "asynccache[http]"'
        raise ImportError(message, name=error.name) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
