"""What can be decorated, what it looks like afterwards, and what is refused with which words."""

import asyncio
import copy
import functools
import inspect
import pickle
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final
from unittest.mock import AsyncMock

import pytest

from asynccache import async_cached


@async_cached
async def bare(x: int, /, y: int = 2, *more: int, z: int = 3, **named: int) -> int:
    """Add up."""
    return x + y + z + sum(more) + sum(named.values())


@async_cached(maxsize=8, ttl=60)
async def with_options(x: int) -> int:
    """Give it back."""
    return x


class Adder:
    """An object that is called like a coroutine function."""

    def __init__(self, x: int) -> None:
        self.x = x

    async def __call__(self, y: int, z: int = 0) -> int:
        """Give a number."""
        return self.x + y + z

    async def method(self, y: int) -> int:
        """Give a number."""
        return self.x + y

    @async_cached
    async def cached_method(self, y: int) -> int:
        """Give a number."""
        return self.x + y

    @async_cached(ignore=("self",))
    async def shared(self, y: int) -> int:
        """Give a number."""
        return y

    @classmethod
    @async_cached
    async def of_class_above(cls, y: int) -> int:
        """Give a number."""
        return y

    @async_cached
    @classmethod
    async def of_class_below(cls, y: int) -> int:
        """Give a number."""
        return y

    @staticmethod
    @async_cached
    async def static_above(y: int) -> int:
        """Give a number."""
        return y

    @async_cached
    @staticmethod
    async def static_below(y: int) -> int:
        """Give a number."""
        return y


def sync(x: int) -> int:
    """Give it back at once."""
    return x


def generator(x: int) -> Iterator[int]:
    """Give it once."""
    yield x


async def async_generator(x: int) -> AsyncIterator[int]:
    """Give it once, later."""
    yield x


class SyncCall:
    def __call__(self) -> int:
        """Give a number at once."""
        return 1


class AsyncGeneratorCall:
    async def __call__(self) -> AsyncIterator[int]:
        """Give a number once, later."""
        yield 1


def decorated() -> dict[str, Any]:
    """One of each kind of what can be decorated, decorated."""

    async def add(x: int, y: int = 2) -> int:
        return x + y

    kinds: dict[str, Any] = {
        "bare": bare,
        "with options": with_options,
        "called": async_cached(add),
        "called with options": async_cached(typed=True)(add),
        "a partial": async_cached(functools.partial(add, 1)),
        "a partial by name": async_cached(functools.partial(add, y=5)),
        "a partial of a partial": async_cached(functools.partial(functools.partial(add, 1), 2)),
        "an object": async_cached(Adder(1)),
        "a partial of an object": async_cached(functools.partial(Adder(1), 2)),
        "a bound method": async_cached(Adder(1).method),
        "a mock": async_cached(AsyncMock(return_value=1)),
        "a lambda": async_cached(_marked(lambda x, y=2: add(x, y))),
        "a cached method": Adder(1).cached_method,
        "a cached method of the class": Adder.cached_method,
        "a shared method": Adder(1).shared,
        "a shared method of the class": Adder.shared,
        "a class method above": Adder.of_class_above,
        "a class method below": Adder.of_class_below,
        "a static method above": Adder.static_above,
        "a static method below": Adder.static_below,
    }
    return kinds


def _marked(function: Callable[..., Any]) -> Any:
    """A plain function that is declared to be a coroutine function, or is turned into one where that cannot be."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)

    async def marked(x: int, y: int = 2) -> Any:
        return await function(x, y)

    return marked


DECORATED: Final = list(decorated())


@pytest.mark.parametrize("kind", DECORATED)
def test_passes_for_a_coroutine_function(kind: str) -> None:
    """`inspect` and `asyncio` both take what was decorated for a coroutine function, in every form."""
    function = decorated()[kind]
    assert inspect.iscoroutinefunction(function)
    assert asyncio.iscoroutinefunction(function)
    assert not inspect.isasyncgenfunction(function)


@pytest.mark.parametrize("kind", DECORATED)
def test_can_be_referred_to_weakly(kind: str) -> None:
    """There can be weak references to what was decorated."""
    function = decorated()[kind]
    assert weakref.ref(function)() is function


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("kind", "args", "value"),
    [
        ("bare", (1,), 6), ("with options", (1,), 1), ("called", (1,), 3), ("called with options", (1, 4), 5),
        ("a partial", (), 3), ("a partial", (5,), 6), ("a partial by name", (1,), 6), ("a partial of a partial", (), 3),
        ("an object", (2,), 3), ("an object", (2, 3), 6), ("a partial of an object", (), 3),
        ("a bound method", (2,), 3),
        ("a mock", (1, 2), 1), ("a lambda", (1,), 3), ("a cached method", (2,), 3), ("a shared method", (2,), 2),
        ("a class method above", (2,), 2), ("a class method below", (2,), 2),
        ("a static method above", (2,), 2), ("a static method below", (2,), 2),
    ],
)  # fmt: skip
async def test_works(kind: str, args: tuple[int, ...], value: int) -> None:
    """Each kind gives its function's value, and the second time the stored one."""
    function = decorated()[kind]
    function.cache_clear()
    awaitable = function(*args)
    assert inspect.iscoroutine(awaitable)
    assert await awaitable == await function(*args) == value
    assert function.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_mock_is_called_once() -> None:
    """An `AsyncMock` is called with the arguments as they were given, and once."""
    mock = AsyncMock(return_value=5)
    function = async_cached(mock)
    assert await function(1, x=2) == await function(1, x=2) == 5
    mock.assert_awaited_once_with(1, x=2)


@pytest.mark.one_loop
async def test_keyword_of_a_partial_is_a_default() -> None:
    """What a partial fixes by name can be given anew, and spelled out it is the same call."""

    async def load(x: int, y: int) -> int:
        return x + y

    function: Any = async_cached(functools.partial(load, y=5))
    assert await function(1) == await function(1, y=5) == await function(x=1) == 6
    assert await function(1, y=6) == 7
    assert function.cache_info()[:2] == (2, 2)


def test_looks_like_the_function() -> None:
    """Name, documentation, module, annotations and signature are those of the function, which is at `__wrapped__`."""
    found: Any = bare
    assert (found.__name__, found.__qualname__, found.__module__) == ("bare", "bare", __name__)
    assert found.__doc__ == "Add up."
    assert found.__annotations__ == found.__wrapped__.__annotations__
    assert str(inspect.signature(found)) == "(x: int, /, y: int = 2, *more: int, z: int = 3, **named: int) -> int"
    assert inspect.iscoroutinefunction(found.__wrapped__)
    assert not hasattr(found.__wrapped__, "cache_info")


@pytest.mark.one_loop
async def test_wrapped_goes_around_the_cache() -> None:
    """`__wrapped__` is the function without the cache."""
    bare.cache_clear()
    assert await bare.__wrapped__(1, 1) == 5
    assert bare.cache_info() == (0, 0, 1024, 0)


def test_signatures_of_methods_leave_the_instance_out() -> None:
    """`inspect.signature` sees a method's parameters as it sees those of any method."""
    for kind in ("a cached method", "a shared method", "a class method above", "a class method below"):
        assert list(inspect.signature(decorated()[kind]).parameters) == ["y"], kind
    assert list(inspect.signature(Adder.cached_method).parameters) == ["self", "y"]


def test_function_attributes_are_kept() -> None:
    """What was put on the function before it was decorated is on what comes out."""

    async def load() -> int:
        """Give a number."""
        return 1

    load.mark = "slow"  # type: ignore[attr-defined]
    found: Any = async_cached(load)
    assert found.mark == "slow"


@pytest.mark.one_loop
async def test_partial_and_object_have_a_name_to_be_called_by() -> None:
    """In messages a partial goes by its function's name, and an object by its class's."""

    async def load(x: object, y: object) -> object:
        return x

    with pytest.raises(TypeError, match=r"of .*load:"):
        await async_cached(functools.partial(load, 1))([])
    with pytest.raises(TypeError, match=r"of Adder:"):
        await async_cached(Adder(1))([])  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_is_pickled_by_name(protocol: int) -> None:
    """A decorated function is pickled as functions are, by its name; so are cached methods and bound ones."""
    for function in (bare, with_options, Adder.cached_method, Adder.shared):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
        assert copy.copy(function) is copy.deepcopy(function) is function
    bound = pickle.loads(pickle.dumps(Adder(7).cached_method, protocol))
    assert bound.__self__.x == 7


def test_bare_and_called_are_the_same() -> None:
    """`@async_cached` and `@async_cached()` have the same defaults."""

    async def load() -> int:
        """Give a number."""
        return 1

    assert async_cached(load).cache_parameters() == async_cached()(load).cache_parameters()
    assert async_cached(load).cache_parameters() == {"typed": False, "maxsize": 1024, "tasks": 0, "closed": False}


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (sync, r"sync is not a coroutine function: write `async def`"),
        (functools.partial(sync, 1), r"sync is not a coroutine function"),
        (lambda: 1, r"<lambda> is not a coroutine function"),
        (print, r"print is not a coroutine function"),
        (SyncCall(), r"SyncCall.* is not a coroutine function"),
        (SyncCall, r"SyncCall is not a coroutine function"),
        (Adder, r"Adder is not a coroutine function"),
        (generator, r"generator is a generator"),
        (async_generator, r"async_generator is an async generator, .* list"),
        (functools.partial(async_generator, 1), r"async_generator is an async generator"),
        (AsyncGeneratorCall(), r"async generator"),
        (staticmethod(sync), r"sync is not a coroutine function"),
        (classmethod(sync), r"sync is not a coroutine function"),  # type: ignore[arg-type]
        (functools.partialmethod(sync, 1), r"sync is not a coroutine function"),
        (property(sync), r"write @property above @async_cached"),
        (128, r"options by name: write @async_cached\(maxsize=128\)"),
        (0, r"write @async_cached\(maxsize=0\)"),
        ("load", r"decorates coroutine functions, not 'load'"),
        (1.5, r"decorates coroutine functions, not 1.5"),
        ([], r"decorates coroutine functions, not \[\]"),
    ],
    ids=str,
)
def test_refused(thing: Any, message: str) -> None:
    """What is no coroutine function is refused where it is decorated, with what to write instead."""
    with pytest.raises(TypeError, match=message):
        async_cached(thing)
    if callable(thing):
        with pytest.raises(TypeError, match=message):
            async_cached(ttl=1)(thing)
