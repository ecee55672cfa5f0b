"""A cached method keeps no instance alive, leaves nothing of one behind, and takes none for another."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
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


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let reference counts alone free what is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
async def test_instance_that_a_cached_value_refers_to_lives_as_long_as_the_value() -> None:
    """A value that refers back to its instance holds it as any value holds what it refers to: until it is swept."""
    clock = ManualClock()

    class Node:
        @async_cached(ttl=60, clock=clock)
        async def me(self) -> "Node":
            return self

    node = Node()
    assert await node.me() is node
    instance = weakref.ref(node)
    del node
    gc.collect()
    assert instance() is not None
    clock.advance(70)
    await asyncio.sleep(0)
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
            barrier.wait(timeout=30)
            values = [await service.load(x) for x in range(3)]
            wrong.extend(value for x, value in enumerate(values) if value != (id(service), x))

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
            wrong.extend({await service.load(), await service.load()} - {number})

    threads = [threading.Thread(target=lambda n=n: asyncio.run(churn(1000 * n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert wrong == []
    assert Service.load.cache_info().currsize == 0
