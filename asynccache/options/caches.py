"""The options of `Cache`, all together."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.expiry import Seconds
from asynccache.memory.listeners import AnyListener
from asynccache.options.loads import LOAD_OPTIONS, CommonOptions, refuse_unknown
from asynccache.options.shared import SHARED_OPTIONS, Coalesce, CodecName, Compress, Secret, WriteMode
from asynccache.options.stores import STORE_OPTIONS, Copy
from asynccache.protocols import Clock, Missing, SupportsTimers

_OF_FUNCTIONS: Final = {
    option: f"{option} belongs to a function: write @async_cached(cache=..., {option}=...)"
    for option in ("key", "ignore", "typed", "vary", "version")
}


class CacheOptions(CommonOptions, total=False):
    """What a `Cache` can be told when it is made. What each means, the class says."""

    namespace: str | None
    local_ttl: Seconds | None
    coalesce: Coalesce | None
    lease_ttl: Seconds | None
    secret: Secret | None
    codec: CodecName | None
    compress: Compress | None
    write: WriteMode | None
    maxsize: int | Missing | None
    max_weight: float | None
    weigher: Callable[[Any, Any], float] | None
    policy: str | type[BoundedCache[Any, Any]]
    idle: Seconds | None
    max_refreshes: int
    copy: Copy | None
    on_evict: AnyListener | Iterable[AnyListener] | None
    name: str | None
    clock: Clock | SupportsTimers | None


def split(options: CacheOptions) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Tell the options about the cache as a whole, about its store, and about loads from one another.

    Raises:
        TypeError: there is no such option.
    """
    known = LOAD_OPTIONS - {"weight"} | STORE_OPTIONS | SHARED_OPTIONS - {"store"}
    refuse_unknown(options, known, "Cache()", elsewhere=_OF_FUNCTIONS)
    given: dict[str, Any] = {name: value for name, value in options.items() if (name, value) != ("clock", None)}
    return (
        {name: value for name, value in given.items() if name in STORE_OPTIONS},
        {name: value for name, value in given.items() if name in SHARED_OPTIONS},
        {name: value for name, value in given.items() if name in LOAD_OPTIONS - SHARED_OPTIONS},
    )
