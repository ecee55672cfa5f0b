"""Class methods, static methods, partial methods, and methods with a taste of their own."""

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


class Below:
    """`@classmethod` and `@staticmethod` below `@async_cached`."""

    @async_cached
    @classmethod
    async def of_class(cls, x: int) -> tuple[str, int]:
        """On the class."""
        return cls.__name__, x

    @async_cached
    @staticmethod
    async def static(x: int, y: int = 0) -> tuple[int, int]:
        """On nothing."""
        return x, y


BOTH: Any = [Above, Below]


def child_of(parent: Any) -> Any:
    """A subclass, new each time, with nothing cached."""
    return type("Child", (parent,), {})


@pytest.mark.one_loop
@pytest.mark.parametrize("parent", BOTH)
async def test_class_method_is_cached_for_each_class(parent: Any) -> None:
    """A class method knows which class it is called on, by the class or an instance; subclasses are apart."""
    one, other = child_of(parent), child_of(parent)
    other.__name__ = "Other"
    assert await one.of_class(1) == await one().of_class(1) == await one.of_class(x=1) == ("Child", 1)
    assert await other.of_class(1) == ("Other", 1)
    assert await parent.of_class(1) == (parent.__name__, 1)


@pytest.mark.one_loop
async def test_class_method_below_has_controls_of_the_class() -> None:
    """With `@async_cached` above `@classmethod`, the controls are those of the class that is asked."""
    one, other = child_of(Below), child_of(Below)
    await one.of_class(1)
    await one().of_class(1)
    await other.of_class(1)
    assert one.of_class.cache_info() == (1, 1, 1024, 1)
    assert other.of_class.cache_info() == (0, 1, 1024, 1)
    assert one.of_class.cache_contains(1)
    assert one().of_class.cache_invalidate(1)
    assert not one.of_class.cache_contains(1)
    assert other.of_class.cache_peek(1) == ("Child", 1)
    other.of_class.cache_put("put", 2)
    assert await other.of_class(2) == "put"
    assert await other.of_class.cache_refresh(2) == ("Child", 2)


@pytest.mark.one_loop
async def test_class_method_above_has_controls() -> None:
    """With `@classmethod` above `@async_cached` there are controls too, on every version of Python."""

    class Service:
        @classmethod
        @async_cached
        async def load(cls, x: int) -> int:
            return x

    service: Any = Service
    await service.load(1)
    await service.load(1)
    assert service.load.cache_info() == (1, 1, 1024, 1)
    assert service.load.cache_contains(1)
    assert service.load.cache_peek(1) == 1
    service.load.cache_put(5, 2)
    assert await service.load(2) == 5
    assert await service.load.cache_refresh(2) == 2
    assert service.load.cache_invalidate(1)
    assert not service.load.cache_contains(1)
    service.load.cache_clear()
    assert service.load.cache_info() == (0, 0, 1024, 0)


@pytest.mark.one_loop
async def test_class_method_above_has_controls_before_its_first_call() -> None:
    """The controls of a class method work before anything was called, on every version of Python."""

    class Service:
        @classmethod
        @async_cached
        async def load(cls, x: int) -> int:
            return x

    service: Any = Service
    assert not service.load.cache_contains(1)
    assert not service.load.cache_invalidate(1)
    assert str(service.load.cache_peek(1)) == "_Missing.MISSING"
    service.load.cache_put(5, 1)
    assert await service.load(1) == 5


@pytest.mark.one_loop
@pytest.mark.parametrize("order", ["above", "below"])
async def test_class_method_may_take_a_class(order: str) -> None:
    """A class as an argument is an argument, not what the method is called on."""

    async def load(cls: type, kind: type) -> str:
        return f"{cls.__name__} {kind.__name__}"

    cached: Any = async_cached()
    first: Any = classmethod(cached(load)) if order == "above" else cached(classmethod(load))
    service: Any = type("Service", (), {"load": first})
    assert await service.load(int) == "Service int"
    assert service.load.cache_contains(int)
    assert not service.load.cache_contains(str)
    assert service.load.cache_invalidate(int)


@pytest.mark.one_loop
@pytest.mark.parametrize("order", ["above", "below"])
async def test_class_method_that_ignores_cls_is_shared(order: str) -> None:
    """With `ignore=("cls",)` a class and its subclasses share one cache, in both orders, controls included."""

    async def load(cls: type, x: int) -> str:
        return f"{cls.__name__} {x}"

    cached: Any = async_cached(ignore=("cls",))
    first: Any = classmethod(cached(load)) if order == "above" else cached(classmethod(load))
    parent: Any = type("Parent", (), {"load": first})
    child: Any = type("Child", (parent,), {})
    assert await parent.load(1) == await child.load(1) == "Parent 1"
    assert parent.load.cache_info() == (1, 1, 1024, 1)
    assert child.load.cache_contains(1)
    assert child.load.cache_invalidate(1)


@pytest.mark.one_loop
async def test_class_goes_when_its_last_reference_goes() -> None:
    """The cache of a class method keeps no class alive."""
    import gc

    for parent in BOTH:
        child = child_of(parent)
        await child.of_class(1)
        ref = weakref.ref(child)
        del child
        gc.collect()  # a class refers to itself
        assert ref() is None


@pytest.mark.one_loop
@pytest.mark.parametrize("parent", BOTH)
async def test_static_method_is_one_cache(parent: Any) -> None:
    """A static method has one cache, whether asked by class, subclass or instance, with its controls."""
    parent.static.cache_clear()
    assert await parent.static(1) == await parent().static(x=1) == await child_of(parent).static(1, 0) == (1, 0)
    assert parent.static.cache_info() == (2, 1, 1024, 1)
    assert parent().static.cache_contains(1)
    assert parent.static.cache_invalidate(1, y=0)
    parent.static.cache_put((9, 9), 1)
    assert await parent.static(1) == (9, 9)


@pytest.mark.one_loop
async def test_static_method_without_parameters() -> None:
    """A static method without parameters is one entry, in both orders."""

    class Service:
        @staticmethod
        @async_cached
        async def one() -> int:
            return 1

        @async_cached
        @staticmethod
        async def two() -> int:
            return 2

    assert [await Service.one(), await Service().one(), await Service.two(), await Service().two()] == [1, 1, 2, 2]
    assert Service.one.cache_info()[:2] == Service.two.cache_info()[:2] == (1, 1)


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
