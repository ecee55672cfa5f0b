"""Cached methods: a cache for each instance, which goes with it."""

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import async_cached
from asynccache.testing import ManualClock


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


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let reference counts alone free what is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
async def test_instance_is_freed_with_all_that_was_cached(no_collector: None) -> None:
    """The last reference to an instance takes its cached values along, without the help of the garbage collector."""

    class Value:
        pass

    class Service:
        @async_cached
        async def load(self, x: int) -> Value:
            return Value()

        @async_cached(ttl=60)
        async def load_expiring(self, x: int) -> Value:
            return Value()

    service = Service()
    values = [weakref.ref(await service.load(1)), weakref.ref(await service.load_expiring(1))]
    assert service.load.cache_info().currsize == 1
    assert None not in [value() for value in values]
    await asyncio.sleep(0)  # until then this very step of the task holds the last value
    instance = weakref.ref(service)
    del service
    assert instance() is None
    assert [value() for value in values] == [None, None]


@pytest.mark.one_loop
async def test_instance_is_freed_after_a_failed_and_a_cancelled_load(no_collector: None) -> None:
    """Neither an error nor a load that was given up keeps an instance alive."""

    class Service:
        @async_cached
        async def load(self, x: int) -> int:
            if x:
                await asyncio.Event().wait()
            raise LookupError

    service = Service()
    instance = weakref.ref(service)
    with pytest.raises(LookupError):
        await service.load(0)
    waiting = asyncio.ensure_future(service.load(1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    del service, waiting
    for _ in range(3):
        await asyncio.sleep(0)
    assert instance() is None


@pytest.mark.one_loop
async def test_instance_that_a_cached_value_refers_to_can_be_collected() -> None:
    """A value that refers back to its instance makes a cycle like any other: the collector frees both."""

    class Node:
        @async_cached
        async def me(self) -> "Node":
            return self

    node = Node()
    assert await node.me() is node
    instance = weakref.ref(node)
    del node
    gc.collect()
    assert instance() is None


@pytest.mark.one_loop
async def test_nothing_of_a_freed_instance_waits_on_the_clock(no_collector: None) -> None:
    """Of an instance that has gone before its entries expired, no timer is left either."""

    class Counting(ManualClock):
        waiting = 0

        def call_later(self, delay: float, callback: Any) -> Any:
            handle = super().call_later(delay, callback)
            self.waiting += 1
            return _Counted(self, handle)

    class _Counted:
        def __init__(self, clock: Counting, handle: Any) -> None:
            self.clock, self.handle = clock, handle

        def cancel(self) -> None:
            if self.handle is not None:
                self.handle.cancel()
                self.clock.waiting -= 1
            self.handle = None

    clock = Counting()

    class Service:
        @async_cached(ttl=3600, clock=clock)
        async def load(self) -> int:
            return 1

    service = Service()
    await service.load()
    assert clock.waiting == 1
    del service
    assert clock.waiting == 0


@pytest.mark.one_loop
async def test_short_lived_instances_never_get_each_others_values() -> None:
    """Ten thousand instances, most of them at an address where another was before, each get their own value."""

    class Request:
        def __init__(self, number: int) -> None:
            self.number = number

        @async_cached
        async def load(self) -> int:
            return self.number

    addresses = set()
    for number in range(10_000):
        request = Request(number)
        addresses.add(id(request))
        assert await request.load() == number
    assert len(addresses) < 10_000


@pytest.mark.one_loop
async def test_call_on_a_temporary() -> None:
    """`await Foo().method()` works, though nobody else holds the instance."""
    assert await Account("Eve").greeting("Bye") == "Bye Eve!"
    method = Account("Eve").greeting
    assert await method("Hi") == await method("Hi") == "Hi Eve!"
    assert method.cache_info()[:2] == (1, 1)


async def test_temporary_is_kept_while_it_loads() -> None:
    """An instance lives as long as a load of its method, and is freed right after."""
    gate, freed = asyncio.Event(), asyncio.Event()

    class Service:
        @async_cached
        async def load(self) -> bool:
            await gate.wait()
            return freed.is_set()

        def __del__(self) -> None:
            freed.set()

    waiting = asyncio.ensure_future(Service().load())
    await asyncio.sleep(0)
    gc.collect()
    gate.set()
    assert await waiting is False
    del waiting
    assert freed.is_set()


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
    """`Foo.method(foo, 1)` is `foo.method(1)`; controls about one call take the instance first, others are about all."""
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


@pytest.mark.one_loop
def test_methods_in_threads() -> None:
    """Threads with loops of their own may meet on one instance's first call: they find one store."""

    class Service:
        @async_cached
        async def load(self, x: int) -> tuple[int, int]:
            return id(self), x

    services = [Service() for _ in range(50)]
    barrier = threading.Barrier(4)
    wrong: list[object] = []

    async def call_all() -> None:
        for service in services:
            barrier.wait()
            for x in range(3):
                if await service.load(x) != (id(service), x):
                    wrong.append(service)

    threads = [threading.Thread(target=lambda: asyncio.run(call_all())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    info = Service.load.cache_info()
    assert info.currsize == 150
    assert info.hits + info.misses == 600


@pytest.mark.one_loop
def test_instances_made_and_dropped_in_threads() -> None:
    """Instances that come and go in several threads at once never get each other's values, and leave nothing."""

    class Service:
        def __init__(self, number: int) -> None:
            self.number = number

        @async_cached
        async def load(self) -> int:
            return self.number

    wrong: list[int] = []

    async def churn(offset: int) -> None:
        for number in range(offset, offset + 500):
            service = Service(number)
            if await service.load() != number or await service.load() != number:
                wrong.append(number)

    threads = [threading.Thread(target=lambda n=n: asyncio.run(churn(1000 * n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert wrong == []
    assert Service.load.cache_info().currsize == 0
