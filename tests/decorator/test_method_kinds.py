"""Class methods, static methods, partial methods, and methods with a taste of their own."""

import abc
import asyncio
import functools
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from asynccache import async_cached

Method = Callable[..., Coroutine[Any, Any, Any]]


def logged(function: Method) -> Method:
    """Some other decorator."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


class Above:
    """`@classmethod` and `@staticmethod` above `@async_cached`."""

    @classmethod
    @async_cached
    async def of_class(cls, x: int) -> tuple[str, int]:
        """On the class."""
        return cls.__name__, x

    @staticmethod
    @async_cached
    async def static(x: int, y: int = 0) -> tuple[int, int]:
        """On nothing."""
        return x, y


@pytest.mark.one_loop
async def test_partial_method() -> None:
    """A `partialmethod` can be decorated: its arguments are fixed, and each instance has its own cache."""
    cached: Any = async_cached()

    class Service:
        def __init__(self, name: str) -> None:
            self.name = name

        async def load(self, x: int, y: int = 0, *, z: int = 0) -> tuple[str, int, int, int]:
            return self.name, x, y, z

        of_one: Any = cached(functools.partialmethod(load, 1))
        with_y: Any = cached(functools.partialmethod(load, y=5))

    anna, bert = Service("anna"), Service("bert")
    assert await anna.of_one() == await anna.of_one(0, z=0) == ("anna", 1, 0, 0)
    assert await bert.of_one(y=2) == ("bert", 1, 2, 0)
    assert anna.of_one.cache_info()[:2] == (1, 1)
    assert await anna.with_y(1) == await anna.with_y(1, y=5) == await anna.with_y(x=1) == ("anna", 1, 5, 0)
    assert anna.with_y.cache_info()[:2] == (2, 1)
    assert await anna.with_y(1, y=6, z=1) == ("anna", 1, 6, 1)
    assert Service.with_y.cache_contains(anna, 1)
    ref = weakref.ref(anna)
    del anna
    assert ref() is None


@pytest.mark.one_loop
async def test_partial_method_of_a_cached_method() -> None:
    """A `partialmethod` around a cached method shares that method's entries."""

    class Service:
        @async_cached
        async def load(self, x: int, y: int) -> int:
            return x + y

        of_one = functools.partialmethod(load, 1)

    service = Service()
    assert await service.of_one(2) == await service.load(1, 2) == 3
    assert service.load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_self_by_another_name() -> None:
    """In a class, the first parameter is the instance, whatever it is called."""

    class Service:
        def __init__(this, name: str) -> None:  # noqa: N805  # what is tested
            this.name = name

        @async_cached
        async def load(this, x: int) -> str:  # noqa: N805
            return f"{this.name} {x}"

    anna: Any = Service("anna")
    bert: Any = Service("bert")
    assert await anna.load(1) == await Service.load(anna, 1) == "anna 1"
    assert await bert.load(1) == "bert 1"
    assert anna.load.cache_info()[:2] == (1, 1)
    assert anna.load.cache_key(1) == bert.load.cache_key(1)
    ref = weakref.ref(anna)
    del anna
    assert ref() is None


@pytest.mark.one_loop
async def test_method_that_takes_all_by_stars() -> None:
    """A method declared `(*args, **kwargs)` tells its calls apart by all but the instance."""

    class Service:
        @async_cached
        async def load(*args: Any, **kwargs: Any) -> Any:
            return args[1:], kwargs

    service: Any = Service()
    other: Any = Service()
    assert await service.load(1) == ((1,), {})
    assert await service.load(2) == ((2,), {})
    assert await service.load(2, x=3) == ((2,), {"x": 3})
    assert await other.load(1) == ((1,), {})
    assert service.load.cache_contains(1)
    assert service.load.cache_info().misses == 3


@pytest.mark.one_loop
async def test_below_another_decorator() -> None:
    """Under another decorator a method still is cached for each instance; its controls are at `__wrapped__`."""

    class Service:
        def __init__(self, name: str) -> None:
            self.name = name

        @logged
        @async_cached
        async def load(self, x: int) -> str:
            return f"{self.name} {x}"

    anna, bert = Service("anna"), Service("bert")
    assert await anna.load(1) == await anna.load(1) == "anna 1"
    assert await bert.load(1) == "bert 1"
    controls: Any = Service.load
    assert controls.__wrapped__.cache_info() == (1, 2, 1024, 2)
    assert controls.__wrapped__.cache_contains(anna, 1)
    ref = weakref.ref(anna)
    del anna
    assert ref() is None


@pytest.mark.one_loop
async def test_above_another_decorator() -> None:
    """Above another decorator that keeps the signature, a method is a method, and a function a function."""

    class Service:
        def __init__(self, name: str) -> None:
            self.name = name

        @async_cached
        @logged
        async def load(self, x: int) -> str:
            return f"{self.name} {x}"

    @async_cached
    @logged
    async def load(x: int, y: int = 0) -> int:
        return x + y

    anna: Any = Service("anna")
    bert: Any = Service("bert")
    assert [await anna.load(1), await bert.load(1), await anna.load(x=1)] == ["anna 1", "bert 1", "anna 1"]
    assert await load(1) == await load(x=1, y=0) == 1
    assert load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_decorated_twice() -> None:
    """A cache around a cache works: the outer one answers."""

    class Service:
        @async_cached(maxsize=1)
        @async_cached(maxsize=8)
        async def load(self, x: int) -> int:
            return x

    service = Service()
    assert [await service.load(1), await service.load(1), await service.load(2), await service.load(1)] == [1, 1, 2, 1]
    assert service.load.cache_info() == (1, 3, 1, 1)


@pytest.mark.one_loop
async def test_function_in_a_method_is_a_function() -> None:
    """A function that is defined inside a method is no method: its first parameter counts."""

    class Service:
        def make(self) -> Any:
            @async_cached
            async def load(x: int) -> int:
                return x

            return load

    load = Service().make()
    assert [await load(1), await load(2), await load(1)] == [1, 2, 1]
    assert load.cache_info()[:2] == (1, 2)


@pytest.mark.one_loop
async def test_method_put_on_a_class_later() -> None:
    """A function with `self` that is decorated first and put on a class later is a method all the same."""

    @async_cached
    async def load(self: object, x: int) -> tuple[int, int]:
        return id(self), x

    class Service:
        pass

    Service.load = load  # type: ignore[attr-defined]
    one, other = Service(), Service()
    for service in (one, other):
        assert await service.load(1) == (id(service), 1)  # type: ignore[attr-defined]


@pytest.mark.one_loop
async def test_self_by_another_name_below_another_decorator() -> None:
    """Where nothing tells that it is a method, the instance is an argument like any: instances are apart."""

    class Service:
        @logged
        @async_cached
        async def load(this, x: int) -> tuple[int, int]:  # noqa: N805  # what is tested
            return id(this), x

    one: Any = Service()
    other: Any = Service()
    assert await one.load(1) == await one.load(1) == (id(one), 1)
    assert await other.load(1) == (id(other), 1)


@pytest.mark.one_loop
async def test_lifespan_of_a_method_is_that_of_all_instances() -> None:
    """`async with Foo.method.cache_lifespan()` ends what runs behind the method of every instance."""

    class Service:
        @async_cached(ttl=60, on_abandon="finish")
        async def load(self, x: int) -> int:
            await asyncio.sleep(0)
            return x

    one, other = Service(), Service()
    async with Service.load.cache_lifespan(wait=True):
        await one.load(1)
        waiting = asyncio.ensure_future(other.load(2))
        await asyncio.sleep(0)
        assert Service.load.cache_parameters()["tasks"] == 1
        assert Service.load.cache_stats().sweeper_alive
    stats = Service.load.cache_stats()
    assert (stats.in_flight, stats.sweeper_alive, stats.size) == (0, False, 2)
    assert await waiting == 2


@pytest.mark.one_loop
async def test_shared_method_is_refreshed_by_the_class() -> None:
    """A shared method loads on the instance it is given; asked without one, a refresh says how to give it."""

    class Service:
        @async_cached(ignore=("self",))
        async def load(self, x: int) -> int:
            return id(self)

    one, other = Service(), Service()
    assert await one.load(1) == id(one)
    assert await Service.load.cache_refresh(other, 1) == await one.load(1) == id(other)
    with pytest.raises(TypeError, match="give the instance first"):
        await one.load.cache_refresh(1)


@pytest.mark.one_loop
async def test_replacing_a_method_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached method can be patched, on the class and on an instance, and is itself again afterwards."""

    class Service:
        @async_cached
        async def load(self) -> str:
            return "real"

    async def fake(self: Service) -> str:
        return "fake"

    service = Service()
    assert await service.load() == "real"
    with monkeypatch.context() as patch:
        patch.setattr(Service, "load", fake)
        assert await service.load() == "fake"
    assert await service.load() == "real"
    assert service.load.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_abstract_method_stays_abstract() -> None:
    """`@abstractmethod` works above and below, and what implements it is called."""

    class Base(abc.ABC):
        @abc.abstractmethod
        @async_cached
        async def above(self) -> int: ...

        @async_cached
        @abc.abstractmethod
        async def below(self) -> int: ...

    class Whole(Base):
        async def above(self) -> int:  # type: ignore[override]  # it has no controls
            return 1

        @async_cached
        async def below(self) -> int:
            return 2

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]
    whole = Whole()
    assert [await whole.above(), await whole.below()] == [1, 2]
