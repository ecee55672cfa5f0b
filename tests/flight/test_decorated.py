"""What a decorated function is to the rest of Python: copied, pickled, garbage-collected, looked at."""

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import weakref
from typing import Any

import pytest

from asynccache import async_cached


@async_cached
async def at_module_level(key: int) -> int:
    """Give the key."""
    return key


def test_a_decorated_function_is_pickled_by_its_name() -> None:
    """As any function is: the other side finds its own, with a cache of its own."""
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
    assert copy.deepcopy(at_module_level) is copy.copy(at_module_level) is at_module_level


def test_a_decorated_function_looks_like_the_one_it_was() -> None:
    """Its name, its documentation, its signature, and that it is a coroutine function."""
    assert getattr(at_module_level, "__name__", "") == "at_module_level"
    assert at_module_level.__doc__ == "Give the key."
    assert inspect.iscoroutinefunction(at_module_level)
    assert inspect.signature(at_module_level) == inspect.signature(at_module_level.__wrapped__)


class Service:
    """Something with a cached method."""

    def __init__(self, name: str) -> None:
        self.name = name

    @async_cached
    async def ask(self, key: int) -> str:
        """Give who was asked."""
        await asyncio.sleep(0)
        return self.name

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


async def test_instances_are_not_mixed_up_and_not_kept_alive() -> None:
    """Equal or not, each has its own values; when it goes, they go, and one in its place begins with none."""
    for round_ in range(20):
        one, other = Service(f"one {round_}"), Service(f"other {round_}")
        asked = await asyncio.gather(one.ask(1), other.ask(1), one.ask(1))
        assert list(asked) == [one.name, other.name, one.name]
        gone = weakref.ref(one)
        del one, other
        gc.collect()
        assert gone() is None


async def test_an_instance_that_goes_during_its_load_is_kept_until_its_end() -> None:
    """The load has it as its `self`."""
    task = asyncio.create_task(Service("passing").ask(1))
    await asyncio.sleep(0)
    gc.collect()
    assert await task == "passing"


async def test_an_overriding_method_has_a_cache_of_its_own() -> None:
    """And can call the one that it overrides with the same arguments, without waiting for itself."""

    class Special(Service):
        @async_cached
        async def ask(self, key: int) -> str:
            """Give who was asked, at more length."""
            return "special " + await super().ask(key)

    special = Special("service")
    assert await special.ask(1) == "special service"
    assert await Service.ask(special, 1) == "service"


def plain(key: int) -> int:
    """Give the key."""
    return key


async def agenerator(key: int) -> Any:
    """Give the key, and perhaps more."""
    yield key


@pytest.mark.parametrize("wrong", [plain, agenerator, functools.partial(plain, 1), 3, Service("no function"), Service])
def test_what_is_no_coroutine_function_is_refused_where_it_is_decorated(wrong: Any) -> None:
    """Not at the first call."""
    decorate: Any = async_cached(ttl=1)
    with pytest.raises(TypeError):
        decorate(wrong)


async def test_partials_and_callable_objects_can_be_decorated() -> None:
    """What can be called and awaited like a coroutine function is one."""

    class Caller:
        async def __call__(self, key: int) -> int:
            return key

    assert await async_cached(functools.partial(at_module_level.__wrapped__, 3))() == 3
    assert await async_cached(Caller())(4) == 4
