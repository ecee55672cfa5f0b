"""Cached methods: a cache for each instance, which goes with it."""

import asyncio
import copy
import pickle
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import async_cached


class Account:
    """An ordinary class with cached methods; at the top of a module, so that it can be pickled."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.loads = 0

    @async_cached
    async def greeting(self, word: str, *, mark: str = "!") -> str:
        """Greet."""
        self.loads += 1
        return f"{word} {self.owner}{mark}"


@dataclass
class Point:
    """A dataclass with `__eq__` and therefore without `__hash__`."""

    x: int

    @async_cached
    async def doubled(self) -> int:
        """Double it."""
        return 2 * self.x


class Slotted:
    """A class without a `__dict__`, but with room for weak references."""

    __slots__ = ("__weakref__", "x")

    def __init__(self, x: int) -> None:
        self.x = x

    @async_cached
    async def plus(self, y: int) -> int:
        """Add."""
        return self.x + y


class Closed:
    """A class that weak references cannot be made to."""

    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        self.x = x

    @async_cached
    async def alone(self) -> int:
        """Cannot be cached, as nobody could tell when the instance goes."""
        return self.x

    @async_cached(ignore=("self",))
    async def shared(self, y: int) -> int:
        """Can be cached, for all instances at once."""
        return self.x + y


@pytest.mark.one_loop
async def test_each_instance_has_its_own_entries() -> None:
    """What one instance has loaded is nothing to another; controls on an instance are about that one only."""
    anna, bert = Account("Anna"), Account("Bert")
    assert await anna.greeting("Hi") == await anna.greeting(word="Hi", mark="!") == "Hi Anna!"
    assert await bert.greeting("Hi") == "Hi Bert!"
    assert (anna.loads, bert.loads) == (1, 1)
    assert anna.greeting.cache_info() == (1, 1, 1024, 1)
    assert bert.greeting.cache_info() == (0, 1, 1024, 1)
    assert anna.greeting.cache_invalidate("Hi")
    assert not anna.greeting.cache_contains("Hi")
    assert bert.greeting.cache_contains("Hi")


@pytest.mark.one_loop
async def test_equal_and_unhashable_instances_are_not_mixed_up() -> None:
    """Stores go by identity: equal instances have each their own, and need no hash."""
    one, twin = Point(1), Point(1)
    assert one == twin
    assert await one.doubled() == 2
    twin.x = 5
    assert await twin.doubled() == 10
    one.x = 7
    assert await one.doubled() == 2
    assert Point.doubled.cache_info() == (1, 2, 1024, 2)


@pytest.mark.one_loop
async def test_copies_and_pickles_know_nothing_of_the_cache() -> None:
    """A copy, a deep copy and a pickled instance have the same state as before, and load for themselves."""
    account = Account("Anna")
    await account.greeting("Hi")
    assert vars(account) == {"owner": "Anna", "loads": 1}
    twins = [copy.copy(account), copy.deepcopy(account), pickle.loads(pickle.dumps(account))]
    for twin in twins:
        assert vars(twin) == {"owner": "Anna", "loads": 1}
        twin.owner = "Twin"
        assert await twin.greeting("Hi") == "Hi Twin!"
    assert await account.greeting("Hi") == "Hi Anna!"


@pytest.mark.one_loop
async def test_slots_with_room_for_weak_references() -> None:
    """A class with `__slots__` works if it names `__weakref__`."""
    slotted = Slotted(1)
    assert await slotted.plus(2) == await slotted.plus(2) == 3
    assert slotted.plus.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_slots_without_weak_references_are_explained() -> None:
    """An instance that cannot be referred to weakly is refused with two ways out, of which the second works."""
    with pytest.raises(TypeError, match=r"Closed.*__weakref__.*__slots__.*ignore=\(\"self\",\)"):
        await Closed(1).alone()
    with pytest.raises(TypeError, match="__weakref__"):
        await Closed.alone(Closed(1))
    assert await Closed(1).shared(2) == await Closed(7).shared(2) == 3


@pytest.mark.one_loop
async def test_ignoring_self_shares_one_cache() -> None:
    """With `ignore=("self",)` all instances have one cache, whichever is asked, the class included."""

    class Service:
        @async_cached(ignore=("self",))
        async def load(self, x: int) -> int:
            loads.append(x)
            return x

    loads: list[int] = []
    one, other = Service(), Service()
    assert await one.load(1) == await other.load(x=1) == await Service.load(one, 1) == 1
    assert loads == [1]
    assert one.load.cache_info() == other.load.cache_info() == Service.load.cache_info() == (2, 1, 1024, 1)
    other.load.cache_put(5, 2)
    assert one.load.cache_peek(2) == await one.load(2) == 5
    assert Service.load.cache_contains(other, 2)
    assert one.load.cache_invalidate(2)
    assert not Service.load.cache_invalidate(one, 2)
    one.load.cache_clear()
    assert other.load.cache_info() == (0, 0, 1024, 0)
    instance = weakref.ref(one)
    await one.load(3)
    del one
    assert instance() is None


@pytest.mark.one_loop
async def test_subclasses_and_super() -> None:
    """An override and what it overrides are two caches; an inherited method is cached for each instance."""

    class Base:
        @async_cached
        async def load(self, x: int) -> str:
            return f"base {x}"

    class Child(Base):
        @async_cached
        async def load(self, x: int) -> str:
            return f"child of {await super().load(x)}"

    class Heir(Base):
        pass

    child, heir = Child(), Heir()
    assert await child.load(1) == await child.load(1) == "child of base 1"
    assert await Base.load(child, 1) == "base 1"
    assert child.load.cache_info()[:2] == (1, 1)
    assert Base.load.cache_info()[:2] == (1, 1)
    assert await heir.load(1) == "base 1"
    assert heir.load.cache_info()[:2] == (0, 1)
    assert child.load.cache_invalidate(1)
    assert Base.load.cache_contains(child, 1)


@pytest.mark.one_loop
async def test_access_by_the_class() -> None:
    """`Foo.method(foo, 1)` is `foo.method(1)`; controls about a call take the instance, others are about all."""
    anna, bert = Account("Anna"), Account("Bert")
    Account.greeting.cache_clear()
    assert await Account.greeting(anna, "Hi") == await anna.greeting("Hi") == "Hi Anna!"
    assert await Account.greeting(bert, "Hi") == "Hi Bert!"
    assert Account.greeting.cache_info() == (1, 2, 1024, 2)
    assert Account.greeting.cache_contains(anna, "Hi")
    assert Account.greeting.cache_peek(bert, "Hi") == "Hi Bert!"
    Account.greeting.cache_put("put", bert, "Hi")
    assert await bert.greeting("Hi") == "put"
    assert Account.greeting.cache_key(anna, "Hi") == anna.greeting.cache_key("Hi")
    assert await Account.greeting.cache_refresh(bert, "Hi") == "Hi Bert!"
    assert Account.greeting.cache_invalidate(anna, "Hi")
    assert bert.greeting.cache_contains("Hi")
    stats = Account.greeting.cache_stats()
    assert (stats.loads, stats.size, stats.hits) == (3, 1, 2)
    Account.greeting.cache_clear()
    assert not bert.greeting.cache_contains("Hi")
    with pytest.raises(TypeError, match="give the instance first"):
        Account.greeting.cache_invalidate()  # type: ignore[call-arg]


@pytest.mark.one_loop
async def test_closing_by_the_class_closes_all() -> None:
    """`Foo.method.cache_close()` closes the method of every instance, those to come included."""

    class Service:
        @async_cached
        async def load(self) -> int:
            return 1

    early = Service()
    await early.load()
    await Service.load.cache_close()
    for service in (early, Service()):
        with pytest.raises(RuntimeError, match="closed"):
            await service.load()
    assert Service.load.cache_parameters()["closed"]


@pytest.mark.one_loop
async def test_methods_keep_what_reflection_tells() -> None:
    """Name, documentation and annotations of a method are its own, on the class and on instances."""
    for method in (Account.greeting, Account("Anna").greeting):
        found: Any = method
        assert (found.__name__, found.__doc__) == ("greeting", "Greet.")
        assert found.__qualname__ == "Account.greeting"
        assert found.__annotations__ == {"word": str, "mark": str, "return": str}
        assert found.__wrapped__.__qualname__ == "Account.greeting"


@pytest.mark.one_loop
async def test_call_is_bound_like_any_method() -> None:
    """An instance's attribute hides the method, as it would hide any; the descriptor itself can be pickled by name."""
    account = Account("Anna")
    vars(account)["greeting"] = 5
    assert account.greeting == 5  # type: ignore[comparison-overlap]
    assert pickle.loads(pickle.dumps(Account.greeting)) is Account.greeting


@pytest.mark.one_loop
async def test_calling_an_instance_with_a_cached_call() -> None:
    """`__call__` can be cached like any method."""

    class Loader:
        @async_cached
        async def __call__(self, x: int) -> int:
            return x

    loader = Loader()
    assert await loader(1) == await loader(1) == 1
    assert Loader.__call__.cache_info()[:2] == (1, 1)


@pytest.mark.one_loop
async def test_key_function_on_a_method() -> None:
    """`key=` gets the instance first, and stores stay each instance's own."""

    class Service:
        def __init__(self, name: str) -> None:
            self.name = name

        @async_cached(key=lambda self, query: (self.name, query.lower()))
        async def load(self, query: str) -> str:
            return f"{self.name} {query}"

    one, other = Service("a"), Service("a")
    assert await one.load("Q") == await one.load("q") == "a Q"
    assert await other.load("q") == "a q"
    assert one.load.cache_contains("Q")
    assert one.load.cache_key("Q") == ("a", "q")
    assert one.load.cache_invalidate("q")


async def test_method_called_at_once_from_many_tasks() -> None:
    """Concurrent calls of one instance's method share a load, those of two instances do not."""

    class Service:
        loads = 0

        @async_cached
        async def load(self, x: int) -> int:
            self.loads += 1
            await asyncio.sleep(0)
            return x

    one, other = Service(), Service()
    values = await asyncio.gather(*(service.load(x % 2) for service in (one, other) for x in range(10)))
    assert values == [0, 1] * 10
    assert (one.loads, other.loads) == (2, 2)


async def test_without_an_instance_it_says_so() -> None:
    """A method that is called on the class without an instance names itself, and what is missing."""

    class Service:
        @async_cached
        async def load(self) -> int:
            return 1

    unbound: Any = Service.load
    with pytest.raises(TypeError, match=r"Service\.load\(\) is called without an instance"):
        unbound()
    with pytest.raises(TypeError, match="give the instance first"):
        unbound.cache_contains()
    with pytest.raises(TypeError, match="this is of type int: give the instance first"):
        unbound.cache_invalidate(1)
    assert "Service.load" in repr(unbound)
