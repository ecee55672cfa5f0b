"""Several threads, each with an event loop, and processes that fork: one cache, and right values for all."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asynccache import MISSING, CachedFunction, async_cached
from asynccache.testing import live_flights
from tests.flight.scripts import output_of


async def ask_much(load: CachedFunction[[int], int]) -> Counter[bool]:
    """Make two hundred calls over five keys; tell how often the values were right and wrong."""
    found: Counter[bool] = Counter()

    async def ask(number: int) -> None:
        for _ in range(number % 4):
            await asyncio.sleep(0)
        found[await load(number % 5) == number % 5 * 10] += 1

    await asyncio.gather(*(ask(number) for number in range(200)))
    return found


def in_threads(jobs: list[Callable[[], Any]]) -> list[Any]:
    """Do all jobs at once."""
    start = threading.Barrier(len(jobs))

    def do(job: Callable[[], Any]) -> Any:
        start.wait(10)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(do, jobs))


@pytest.mark.parametrize("options", [{}, {"maxsize": 3}, {"policy": "lru"}, {"ttl": 1_000}, {"idle": 1_000}], ids=str)
def test_three_loops_in_three_threads(options: dict[str, Any]) -> None:
    """Each loop loads a key at most once, all values are right, and afterwards the cache is what it says it is."""
    calls: Counter[tuple[int, int]] = Counter()

    async def load(key: int) -> int:
        calls[key, threading.get_ident()] += 1
        await asyncio.sleep(0)
        return key * 10

    cached = async_cached(**options)(load)
    found = in_threads([lambda: asyncio.run(ask_much(cached))] * 3)
    assert found == [Counter({True: 200})] * 3
    if "maxsize" not in options:
        assert max(calls.values()) == 1
    stored = [key for key in range(5) if cached.cache_peek(key) is not MISSING]
    assert len(stored) == cached.cache_info().currsize == min(5, options.get("maxsize", 5))
    assert [cached.cache_peek(key) for key in stored] == [key * 10 for key in stored]
    assert live_flights() == []


@pytest.mark.parametrize("options", [{}, {"maxsize": 3}, {"policy": "tinylfu"}, {"ttl": 1_000}], ids=str)
def test_a_fourth_thread_that_invalidates_and_clears(options: dict[str, Any]) -> None:
    """Removing in the midst of it makes more loads, and nothing wrong: no error, no wrong value, no wrong count."""
    going_on = threading.Event()
    going_on.set()

    async def load(key: int) -> int:
        await asyncio.sleep(0)
        return key * 10

    cached = async_cached(**options)(load)

    def remove() -> None:
        while going_on.is_set():
            for key in range(5):
                cached.cache_invalidate(key)
            cached.cache_put(20, 2)
            cached.cache_clear()

    def ask() -> Counter[bool]:
        async def rounds() -> Counter[bool]:
            found: Counter[bool] = Counter()
            for _ in range(5):
                found += await ask_much(cached)
            return found

        return asyncio.run(rounds())

    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove)
        try:
            found = in_threads([ask] * 3)
        finally:
            going_on.clear()
        removing.result(10)
    assert found == [Counter({True: 1_000})] * 3
    stored = [key for key in range(5) if cached.cache_peek(key) is not MISSING]
    assert len(stored) == cached.cache_info().currsize
    assert live_flights() == []


def test_an_invalidation_from_another_thread_reaches_the_loads_of_all_loops() -> None:
    """What began before it is not stored, on whatever loop it runs."""
    loaded: list[int] = []
    invalidated = threading.Event()
    both_loading = threading.Barrier(3)

    @async_cached
    async def load(key: int) -> str:
        await asyncio.to_thread(both_loading.wait, 10)
        await asyncio.to_thread(invalidated.wait, 10)
        loaded.append(key)
        return "old"

    def invalidate() -> None:
        both_loading.wait(10)
        assert load.cache_invalidate(1)
        invalidated.set()

    async def call() -> str:
        return await load(1)

    results = in_threads([lambda: asyncio.run(call())] * 2 + [invalidate])
    assert results == ["old", "old", None]
    assert loaded == [1, 1]
    assert load.cache_peek(1) is MISSING
    assert load.cache_info().currsize == 0


def test_closing_ends_the_loads_of_other_loops_too() -> None:
    """They are cancelled on their own loops, in their own threads."""
    loading = threading.Event()

    @async_cached
    async def load(key: int) -> str:
        loading.set()
        await asyncio.get_running_loop().create_future()
        return "value"

    async def call() -> str:
        try:
            async with asyncio.timeout(10):
                return await load(1)
        except Exception as error:
            return type(error).__name__

    def close() -> None:
        loading.wait(10)
        asyncio.run(load.cache_close())

    assert in_threads([lambda: asyncio.run(call()), close]) == ["LoadCancelled", None]
    assert live_flights() == []


FORK = """
    import asyncio, os, signal, sys, threading
    from asynccache import async_cached
    from asynccache.testing import live_flights

    calls = []

    @async_cached(ttl=1000, on_abandon="finish")
    async def load(key):
        calls.append(key)
        await asyncio.sleep(0)
        return key * 10

    async def ask(*keys):
        return await asyncio.gather(*[load(key) for key in keys])

    def in_child(job):
        sys.stdout.flush()
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            return
        signal.alarm(20)
        code = 1
        try:
            job()
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
"""


def test_a_forked_child_keeps_the_values_and_loads_on() -> None:
    """It was warm before it was forked: it reads what was there, and loads what was not, and so does its parent."""
    script = (
        FORK
        + """
    def child():
        print(asyncio.run(ask(1, 2)), calls, live_flights())

    asyncio.run(ask(1))
    in_child(child)
    print(asyncio.run(ask(1, 3)), calls)
"""
    )
    assert output_of(script) == "[10, 20] [1, 2] []\n[10, 30] [1, 3]\n"


def test_a_fork_in_the_midst_of_loads() -> None:
    """The parent's loads go on in the parent; the child has none, not even one going down, and starts its own."""
    script = (
        FORK
        + """
    import warnings
    warnings.simplefilter("ignore")             # of forking beside threads, which 3.12 and later warn of

    parent, go_on = os.getpid(), []

    async def wait():
        while os.getpid() == parent and not go_on:
            await asyncio.sleep(0)

    @async_cached
    async def slow(key):
        calls.append(key)
        try:
            await wait()
        except asyncio.CancelledError:
            await wait()
            raise
        return key * 10

    async def ask_slow(*keys):
        return await asyncio.gather(*[slow(key) for key in keys])

    def child():
        print(live_flights(), slow.cache_info().currsize, slow.cache_contains(1))
        print(asyncio.run(ask_slow(1, 2, 7)), calls)

    async def some_turns():
        for _ in range(5):
            await asyncio.sleep(0)

    async def main():
        task, leaver = asyncio.create_task(slow(1)), asyncio.create_task(slow(2))
        await some_turns()
        leaver.cancel()
        await some_turns()
        thread = threading.Thread(target=in_child, args=(child,))
        thread.start()
        await asyncio.to_thread(thread.join)
        go_on.append(True)
        print(await task, calls)

    slow.cache_put(70, 7)
    asyncio.run(main())
"""
    )
    assert output_of(script).splitlines() == ["[] 1 False", "[10, 20, 70] [1, 2, 1, 2]", "10 [1, 2]"]


def test_a_fork_while_another_thread_is_in_the_midst_of_a_change() -> None:
    """The child has not that thread, but its lock: it does not wait for it for ever."""
    script = (
        FORK
        + """
    import warnings
    warnings.simplefilter("ignore")             # of forking beside threads: that is what this is about

    entered, go_on = threading.Event(), threading.Event()

    class Key:
        def __init__(self, name, slow=False):
            self.name, self.slow = name, slow
        def __hash__(self):
            return 1
        def __eq__(self, other):
            if self.slow or other.slow:
                entered.set()
                go_on.wait(15)
            return self.name == other.name
        def __mul__(self, by):
            return self.name * by

    first, slow = Key("a"), Key("b", slow=True)
    load.cache_put("stored", first)
    changing = threading.Thread(target=load.cache_put, args=("slow", slow))
    changing.start()
    entered.wait(15)

    def child():
        load.cache_put("put", first)
        load.cache_invalidate(first)
        print(asyncio.run(ask(5)), load.cache_info().currsize >= 1)

    in_child(child)
    go_on.set()
    changing.join()
    print(load.cache_peek(first))
"""
    )
    assert output_of(script) == "[50] True\nstored\n"


@pytest.mark.parametrize("policy", ["lru", "lfu", "gdsf", "tinylfu", "s3fifo", "sieve"])
def test_hits_beside_evictions_in_another_thread(policy: str) -> None:
    """Whatever a policy does at a hit, hits in one thread and evictions in another do not harm each other."""

    @async_cached(maxsize=20, policy=policy)
    async def load(key: int) -> int:
        return key

    async def hits() -> None:
        for _ in range(300):
            for key in range(20):
                assert await load(key) == key

    async def misses() -> None:
        for key in range(3_000):
            assert await load(key) == key
            if key % 1_000 == 0:
                load.cache_clear()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(asyncio.run, hits()), pool.submit(asyncio.run, misses())]:
                done.result()
    finally:
        sys.setswitchinterval(interval)
    assert load.cache_info().currsize == len(load.cache_stats.__self__._tier.store.entries) <= 20  # type: ignore[attr-defined]
