"""Cached class methods and static methods, in both orders of the decorators."""

import weakref
from typing import Any

import pytest

from asynccache import MISSING, async_cached


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
async def test_class_method_above_can_be_looked_at_before_its_first_call() -> None:
    """Before anything was called there is nothing to be found, and to look is no mistake, on any Python."""

    class Service:
        @classmethod
        @async_cached
        async def load(cls, x: int) -> int:
            return x

    service: Any = Service
    assert not service.load.cache_contains(1)
    assert not service.load.cache_invalidate(1)
    assert service.load.cache_peek(1) is MISSING
    assert service.load.cache_info() == (0, 0, 1024, 0)
    assert await service.load(1) == 1


@pytest.mark.one_loop
@pytest.mark.parametrize("order", ["above", "below"])
async def test_class_argument_is_never_taken_for_the_class(order: str) -> None:
    """Where a class may be left out as an argument too, the controls do not take it for the owner."""

    async def load(cls: type, kind: type = int) -> str:
        return f"{cls.__name__} {kind.__name__}"

    cached: Any = async_cached()
    first: Any = classmethod(cached(load)) if order == "above" else cached(classmethod(load))
    service: Any = type("Service", (), {"load": first})
    assert await service.load(str) == "Service str"
    assert await service.load() == await service.load(int) == "Service int"
    assert service.load.cache_contains(str)
    assert service.load.cache_peek(str) == "Service str"
    assert service.load.cache_invalidate(str)
    assert not service.load.cache_contains(str)
    assert service.load.cache_contains()


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
