"""Context variables: whose a load sees, and that neither a load nor the cache keeps hold of anybody's."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, Literal, TypeVar

import anyio
import pytest

from asynccache import async_cached
from asynccache.testing import ManualClock
from tests.flight.gates import Gate, turns

T = TypeVar("T")

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
request: ContextVar["Request"] = ContextVar("request")


class Request:
    """What an application keeps in its context while it answers somebody."""


async def as_tenant(name: str, call: Callable[[], Awaitable[T]]) -> T:
    """Call in a task of a tenant's own."""

    async def caller() -> T:
        tenant.set(name)
        return await call()

    return await asyncio.create_task(caller(), context=copy_context())


async def test_a_load_sees_its_first_caller_s_variables() -> None:
    """A copy of them: who joins gets what was loaded for the first."""
    gate = Gate[str]()

    @async_cached
    async def load(key: int) -> str:
        return await gate.load(key) + tenant.get()

    both = [asyncio.create_task(as_tenant(name, lambda: load(1))) for name in ("alice", "bob")]
    await turns()
    gate.give("for ")
    assert await asyncio.gather(*both) == ["for alice"] * 2


async def test_an_empty_context_shows_nobody_s() -> None:
    """With context="empty" a load cannot depend on who happened to ask first."""

    @async_cached(context="empty")
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        return tenant.get()

    assert await as_tenant("alice", lambda: load(1)) == "nobody"


async def test_variables_in_the_key_tell_tenants_apart() -> None:
    """With vary= each tenant has values and loads of its own, at the same moment too."""

    @async_cached(vary=(tenant,))
    async def load(key: int) -> str:
        await asyncio.sleep(0)
        return tenant.get()

    names = ["alice", "bob", "alice"]
    assert await asyncio.gather(*(as_tenant(name, lambda: load(1)) for name in names)) == names
    assert await as_tenant("bob", lambda: load(1)) == "bob"
    assert load.cache_info().misses == 2


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("context", ["caller", "empty"])
async def test_what_a_load_sets_stays_in_it(suspends: bool, context: Literal["caller", "empty"]) -> None:
    """Its caller's variables are as they were, whether or not the load has waited."""

    @async_cached(context=context)
    async def load(key: int) -> str:
        tenant.set("the load's own")
        if suspends:
            await asyncio.sleep(0)
        return tenant.get()

    tenant.set("alice")
    assert await load(1) == "the load's own"
    assert tenant.get() == "alice"


async def in_requests(count: int, call: Callable[[int], Awaitable[object]]) -> list[weakref.ref[Request]]:
    """Make calls, each in a request of its own that is over then."""
    seen: list[weakref.ref[Request]] = []

    async def one(number: int) -> None:
        made = Request()
        seen.append(weakref.ref(made))
        request.set(made)
        await call(number)

    for number in range(count):
        task = asyncio.create_task(one(number), context=Context())
        await task
        del task
    await turns(3)
    gc.collect()
    return seen


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"ttl": 1_000}, {"ttl": 1_000, "clock": ManualClock()}, {"idle": 1_000}, {"on_abandon": 1_000}],
    ids=["plain", "ttl", "ttl by a clock of its own", "idle", "grace"],
)
async def test_no_request_is_kept_alive(options: dict[str, Any], suspends: bool) -> None:
    """A hundred requests have each loaded a value that stays: nothing of them does, whatever timers run meanwhile."""

    async def load(key: int) -> int:
        if suspends:
            await asyncio.sleep(0)
        return key

    cached = async_cached(**options)(load)
    seen = await in_requests(100, cached)
    assert cached.cache_info().currsize == 100
    assert [ref for ref in seen if ref() is not None] == []
    await cached.cache_close()


async def test_no_impatient_request_is_kept_alive_by_the_load_it_left() -> None:
    """Who joined a load and gave up is gone, though the load goes on."""
    gate = Gate[str]()

    @async_cached
    async def load(key: int) -> str:
        return await gate.load(key)

    stays = asyncio.create_task(load(1))
    await turns()

    async def give_up(_number: int) -> None:
        with anyio.move_on_after(0):
            await load(1)
            raise AssertionError

    seen = await in_requests(20, give_up)
    assert [ref for ref in seen if ref() is not None] == []
    gate.give("value")
    assert await stays == "value"


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_task_left_behind_by_a_load_does_not_keep_the_cache(suspends: bool) -> None:
    """It keeps the context in which it was made, and that leads to no cache and no value."""
    end = asyncio.Event()
    left: list[asyncio.Task[bool]] = []

    class Value:
        """What is cached."""

    def use() -> tuple[Any, Callable[[], Awaitable[weakref.ref[Value]]]]:
        @async_cached(ttl=1_000)
        async def load(key: int) -> Value:
            left.append(asyncio.create_task(end.wait()))
            if suspends:
                await asyncio.sleep(0)
            return Value()

        async def call() -> weakref.ref[Value]:
            return weakref.ref(await load(1))

        return weakref.ref(load), call

    function, call = use()
    value = await call()
    assert value() is not None
    del call
    await turns()
    gc.collect()
    assert not left[0].done()
    assert (function(), value()) == (None, None)
    end.set()
    assert await left[0]


async def test_a_cache_with_timers_running_can_be_collected() -> None:
    """Neither its sweeper nor a load's grace keeps a function that nobody has any more."""
    cached = async_cached(ttl=1_000, on_abandon=1_000)(as_number)
    assert await cached(1) == 1
    gone = weakref.ref(cached)
    del cached
    await turns()
    gc.collect()
    assert gone() is None


async def as_number(key: int) -> int:
    """Give the key."""
    return key
