"""Functions of one name in one cache, as with route handlers, which are often all called the same in one module."""

from collections.abc import Awaitable, Callable

from asynccache import Cache, async_cached


async def test_two_living_functions_of_one_name() -> None:
    """They never have each other's values."""
    cache = Cache()
    routes: list[Callable[[int], Awaitable[str]]] = []

    @async_cached(cache=cache)
    async def handler(x: int) -> str:
        return f"users {x}"

    routes.append(handler)

    @async_cached(cache=cache)  # type: ignore[no-redef]
    async def handler(x: int) -> str:
        return f"orders {x}"

    routes.append(handler)
    assert [await route(1) for route in routes] == ["users 1", "orders 1"]
