# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of functions that share a cache, and of batched ones. See `api.py` for how to read this."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, assert_type

from asynccache import MISSING, Cache, CachedFunction, CacheInfo, CacheStats, SharedFunction, async_cached

CACHE = Cache()


class User:
    """What is loaded."""


# --- functions that share a cache -----------------------------------------------------------------------------------


@async_cached(cache=CACHE)
async def shared(user_id: int, *, deep: bool = False) -> User:
    return User()


@async_cached(cache=CACHE, version="2", name="users", ttl=5, tags=("a",), errors={LookupError: 5}, typed=True)
async def with_options(*names: str) -> str | None:
    return None


async def functions() -> None:
    assert_type(await shared(1, deep=True), User)
    assert_type(await with_options("a", "b"), str | None)
    coroutine: Coroutine[Any, Any, User] = shared(1)
    await coroutine
    assert_type(await shared.__wrapped__(1), User)
    await shared("1")  # type: ignore[arg-type]
    await shared()  # type: ignore[call-arg]


async def controls() -> None:
    assert_type(await shared.cache_clear(), None)
    assert_type(await shared.cache_invalidate(1, deep=True), bool)
    assert_type(await shared.cache_contains(1), bool)
    assert_type(await shared.cache_put(User(), 1, deep=True), None)
    assert_type(await shared.cache_refresh(1), User)
    assert_type(shared.cache_key(1), object)
    assert_type(shared.cache_info(), CacheInfo)
    assert_type(shared.cache_stats(), CacheStats)
    found = await shared.cache_peek(1)
    if found is not MISSING:
        assert_type(found, User)

    await shared.cache_invalidate("1")  # type: ignore[arg-type]
    await shared.cache_contains()  # type: ignore[call-arg]
    await shared.cache_peek(1, 2)  # type: ignore[call-arg, arg-type]
    await shared.cache_put("no user", 1)  # type: ignore[arg-type]
    await shared.cache_refresh(None)  # type: ignore[arg-type]
    shared.cache_key(1, deep=2)  # type: ignore[arg-type]
    await shared.cache_info()  # type: ignore[misc]
    shared.cache_close()  # type: ignore[attr-defined]
    shared.cache_parameters()  # type: ignore[attr-defined]
    shared.cache_invalidate_tags("a")  # type: ignore[attr-defined]


class Service:
    @async_cached(cache=CACHE, ignore=("self",))
    async def load(self, x: int, *, y: str = "") -> User:
        """Load."""
        return User()

    @staticmethod
    @async_cached(cache=CACHE)
    async def static(x: int) -> float:
        """Load."""
        return 1.0


async def methods(service: Service) -> None:
    assert_type(await service.load(1, y="a"), User)
    assert_type(await Service.load(service, 1), User)
    assert_type(await service.load.cache_invalidate(1), bool)
    assert_type(await Service.load.cache_invalidate(service, 1), bool)
    assert_type(await service.load.cache_put(User(), 1, y="a"), None)
    assert_type(await Service.static(1), float)
    await service.load("1")  # type: ignore[arg-type]
    await service.load.cache_contains(None)  # type: ignore[arg-type]
    await service.load.cache_put(5, 1)  # type: ignore[arg-type]


def wrong_options() -> None:
    async_cached(cache="redis://")  # type: ignore[call-overload]
    async_cached(cache=CACHE, version=1.5)  # type: ignore[call-overload]
    async_cached(cache=CACHE, maxsize=5)  # type: ignore[call-overload]
    async_cached(cache=CACHE, idle=5)  # type: ignore[call-overload]
    async_cached(cache=CACHE, copy="deep")  # type: ignore[call-overload]
    async_cached(version=2)  # type: ignore[call-overload]


async def takes_shared(function: SharedFunction[[int], User]) -> User:
    await function.cache_invalidate(1)
    return await function(1)


async def passing_on() -> None:
    assert_type(await takes_shared(to_shared), User)
    await takes_shared(with_options)  # type: ignore[arg-type]
    await takes_shared(to_mapping)  # type: ignore[arg-type]


# --- batched --------------------------------------------------------------------------------------------------------


@async_cached.batched
async def bare(ids: list[int]) -> dict[int, User]:
    return {one: User() for one in ids}


@async_cached.batched(max_size=50, max_wait=0.01, ttl=5, stale=5)
async def to_mapping(ids: list[int]) -> Mapping[int, User]:
    return {one: User() for one in ids}


@async_cached.batched()
async def to_list(names: list[str]) -> list[User | None]:
    return [None for _ in names]


@async_cached.batched(cache=CACHE)
async def to_shared(ids: list[int]) -> Sequence[User]:
    return [User() for _ in ids]


class Batching:
    @async_cached.batched(max_size=None)
    async def load(self, ids: list[int]) -> dict[int, User]:
        """Load."""
        return {one: User() for one in ids}

    @async_cached.batched
    async def bare(self, ids: list[int]) -> list[User]:
        """Load."""
        return [User() for _ in ids]


async def batches(batching: Batching) -> None:
    assert_type(await bare(1), User)
    assert_type(await to_mapping(1), User)
    assert_type(await to_list("a"), User | None)
    assert_type(await to_shared(1), User)
    assert_type(await batching.load(1), User)
    assert_type(await batching.bare(1), User)
    assert_type(await Batching.load(batching, 1), User)
    assert_type(to_mapping.cache_invalidate(1), bool)
    assert_type(to_mapping.cache_put(User(), 1), None)
    assert_type(batching.load.cache_contains(1), bool)
    assert_type(await to_shared.cache_invalidate(1), bool)
    function: CachedFunction[[int], User] = to_mapping
    await function(1)

    await bare("1")  # type: ignore[arg-type]
    await to_mapping([1])  # type: ignore[arg-type]
    await to_mapping(1, 2)  # type: ignore[call-arg]
    await batching.load("1")  # type: ignore[arg-type]
    to_mapping.cache_put(5, 1)  # type: ignore[arg-type]
    await to_shared.cache_contains("1")  # type: ignore[arg-type]


async def of_one(key: int) -> User:
    return User()


async def no_values(keys: list[int]) -> int:
    return 1


def wrong_batches() -> None:
    async_cached.batched(max_size="5")  # type: ignore[call-overload]
    async_cached.batched(max_wait="5")  # type: ignore[call-overload]
    async_cached.batched()(of_one)  # type: ignore[arg-type, call-overload, unused-ignore]
    async_cached.batched()(no_values)  # type: ignore[arg-type, call-overload, unused-ignore]
    async_cached.batched(of_one)  # type: ignore[arg-type, call-overload, unused-ignore]
