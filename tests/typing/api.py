# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of the public surface. Nothing here runs: mypy and pyright check it, both strictly.

Each line that is wrong on purpose says which complaint of mypy's it expects, and pyright has to complain there as well:
a complaint that is expected and does not come is an error to both.
"""

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, assert_type

from asynccache import (
    MISSING,
    CacheClosed,
    CachedFunction,
    CacheError,
    CacheInfo,
    CacheStats,
    EvictionCause,
    LoadCancelled,
    LoadTimeout,
    LRUCache,
    RecursiveLoad,
    async_cached,
)
from asynccache.testing import ManualClock

TENANT: ContextVar[str] = ContextVar("TENANT")


class User:
    """What is loaded."""


# --- functions ----------------------------------------------------------------------------------------------------


@async_cached
async def bare(user_id: int, *, deep: bool = False) -> User:
    return User()


@async_cached()
async def called(user_id: int) -> User:
    return User()


@async_cached(maxsize=50_000, ttl=60)
async def with_options(*names: str, **more: int) -> str | None:
    return None


async def functions() -> None:
    assert_type(await bare(1), User)
    assert_type(await bare(user_id=1, deep=True), User)
    coroutine: Coroutine[Any, Any, User] = bare(1)
    await coroutine
    assert_type(await called(1), User)
    assert_type(await with_options("a", "b", x=1), str | None)

    await bare()  # type: ignore[call-arg]
    await bare("1")  # type: ignore[arg-type]
    await bare(1, True)  # type: ignore[call-arg, misc, unused-ignore]
    await bare(1, depth=1)  # type: ignore[call-arg]
    await with_options(1)  # type: ignore[arg-type]
    await with_options(x="1")  # type: ignore[arg-type]


# --- controls -----------------------------------------------------------------------------------------------------


async def controls() -> None:
    assert_type(bare.cache_info(), CacheInfo)
    assert_type(bare.cache_info().hits, int)
    assert_type(bare.cache_info().maxsize, int | None)
    assert_type(bare.cache_stats(), CacheStats)
    assert_type(bare.cache_parameters()["closed"], bool)
    assert_type(bare.cache_clear(), None)
    assert_type(bare.cache_invalidate_tags("a", "b"), None)
    assert_type(bare.cache_invalidate(1, deep=True), bool)
    assert_type(bare.cache_contains(1), bool)
    assert_type(bare.cache_key(1), object)
    assert_type(await bare.cache_refresh(1), User)
    assert_type(bare.cache_put(User(), 1, deep=True), None)
    assert_type(await bare.cache_close(), None)
    assert_type(await bare.cache_close(wait=True), None)
    assert_type(bare.cache_lifespan(), AbstractAsyncContextManager[None])
    assert_type(await bare.__wrapped__(1), User)

    found = bare.cache_peek(1)
    if found is not MISSING:
        assert_type(found, User)

    bare.cache_invalidate("1")  # type: ignore[arg-type]
    bare.cache_invalidate()  # type: ignore[call-arg]
    bare.cache_contains(1, depth=2)  # type: ignore[call-arg]
    bare.cache_peek(1, 2)  # type: ignore[call-arg, arg-type]
    bare.cache_key(1, deep=2)  # type: ignore[arg-type]
    bare.cache_put("no user", 1)  # type: ignore[arg-type]
    bare.cache_put(User())  # type: ignore[call-arg]
    await bare.cache_refresh(None)  # type: ignore[arg-type]
    await bare.cache_close(True)  # type: ignore[call-arg, misc, unused-ignore]
    bare.cache_invalidate_tags(1)  # type: ignore[arg-type]
    bare.cache_forget(1)  # type: ignore[attr-defined]


# --- methods ------------------------------------------------------------------------------------------------------


class Service:
    @async_cached
    async def load(self, x: int, *, y: str = "") -> User:
        """Load."""
        return User()

    @async_cached(ttl=timedelta(minutes=1), ignore=("self",))
    async def shared(self, x: int) -> str:
        """Load."""
        return ""

    @classmethod
    @async_cached
    async def of_class(cls, x: int) -> bytes:
        """Load."""
        return b""

    @staticmethod
    @async_cached
    async def static(x: int) -> float:
        """Load."""
        return 1.0

    @async_cached
    @staticmethod
    async def static_below(x: int) -> complex:
        """Load."""
        return 1j


async def methods(service: Service) -> None:
    assert_type(await service.load(1), User)
    assert_type(await service.load(1, y="a"), User)
    assert_type(await Service.load(service, 1), User)
    assert_type(await service.shared(1), str)
    assert_type(service.load.cache_invalidate(1), bool)
    assert_type(Service.load.cache_invalidate(service, 1), bool)
    assert_type(service.load.cache_put(User(), 1, y="a"), None)
    assert_type(await service.load.cache_refresh(1), User)
    assert_type(service.load.cache_info(), CacheInfo)
    assert_type(Service.load.cache_info(), CacheInfo)

    await service.load("1")  # type: ignore[arg-type]
    await service.load()  # type: ignore[call-arg]
    await Service.load(1)  # type: ignore[call-arg, arg-type]
    service.load.cache_invalidate(service, 1)  # type: ignore[call-arg, arg-type, misc, unused-ignore]
    service.load.cache_contains(None)  # type: ignore[arg-type]

    assert_type(await Service.static(1), float)
    assert_type(Service.static.cache_invalidate(1), bool)
    assert_type(await Service.static_below(1), complex)
    # What stands below `classmethod` and `staticmethod` is a descriptor to the checkers, which they then bind in their
    # own ways: at run time all these calls work. Here a checker that learns it is noticed.
    await service.static(1)  # type: ignore[call-arg]
    await service.static_below(1)  # type: ignore[call-arg]
    await Service.of_class(1)  # type: ignore[call-arg, arg-type]
    await Service.static("1")  # type: ignore[arg-type]


# --- options ------------------------------------------------------------------------------------------------------


def listener(key: object, value: object, cause: EvictionCause) -> None: ...


async def awaited_listener(key: object, value: object, cause: EvictionCause) -> None: ...


def ttl_of_result(result: str) -> float:
    return float(len(result))


@async_cached(
    maxsize=None,
    max_weight=10.5,
    weigher=lambda key, value: len(value),
    policy=LRUCache,
    ttl=ttl_of_result,
    idle=timedelta(hours=1),
    jitter=5,
    ignore=["x"],
    typed=True,
    vary=(TENANT,),
    store_if=bool,
    copy="deep",
    on_abandon=1.5,
    on_evict=[listener, awaited_listener],
    name="names",
    clock=ManualClock(),
    context="empty",
)
async def all_options(x: int) -> str:
    return ""


def key_of(x: int) -> object:
    return (x,)


@async_cached(key=key_of, on_evict=awaited_listener, on_abandon="finish", copy=str, policy="s3fifo")
async def more_options(x: int) -> str:
    return ""


def tags_of_result(result: str, x: int) -> list[str]:
    return [result, str(x)]


@async_cached(
    max_weight=2**20,
    ttl=60,
    stale=timedelta(minutes=5),
    stale_if_error=3600,
    error_backoff=0.5,
    refresh_ahead=0.8,
    early=1.0,
    max_refreshes=8,
    timeout=timedelta(seconds=10),
    soft_timeout=0.5,
    errors={LookupError: 5, OSError: timedelta(seconds=1), KeyError: None},
    tags=tags_of_result,
)
async def fresh_options(x: int) -> str:
    return ""


def wrong_options() -> None:
    async_cached(tags="a", errors=[LookupError])  # type: ignore[call-overload]
    async_cached(ttl=60, stale="5")  # type: ignore[call-overload]
    async_cached(ttl=60, refresh_ahead=timedelta(1))  # type: ignore[call-overload]
    async_cached(errors={5: 5})  # type: ignore[dict-item, call-overload, unused-ignore]
    async_cached(on_evict=tags_of_result)  # type: ignore[call-overload]
    async_cached(maxsize="8")  # type: ignore[call-overload]
    async_cached(ttl="8")  # type: ignore[call-overload]
    async_cached(ttls=8)  # type: ignore[call-overload]
    async_cached(copy="deeply")  # type: ignore[call-overload]
    async_cached(context="other")  # type: ignore[call-overload]
    async_cached(on_abandon="stop")  # type: ignore[call-overload]
    async_cached(8)  # type: ignore[call-overload]


def sync(x: int) -> int:
    return x


async_cached(sync)  # type: ignore[arg-type, call-overload, unused-ignore]
async_cached()(sync)  # type: ignore[arg-type]


# --- passing on ---------------------------------------------------------------------------------------------------


async def takes_cached(function: CachedFunction[[int], User]) -> User:
    function.cache_invalidate(1)
    return await function(1)


async def passing_on() -> None:
    assert_type(await takes_cached(called), User)
    await takes_cached(with_options)  # type: ignore[arg-type]


# --- errors -------------------------------------------------------------------------------------------------------


def errors(
    cancelled: LoadCancelled, late: LoadTimeout, recursive: RecursiveLoad, closed: CacheClosed
) -> list[CacheError]:
    assert_type(cancelled.name, str)
    assert_type(late.name, str)
    timed_out: list[TimeoutError] = [late]
    runtime: list[RuntimeError] = [recursive, closed]
    return [cancelled, late, recursive, closed] if runtime or timed_out else []
