"""Programs that end without closing their `Cache`, and programs that fork."""

import pytest

from tests.flight.scripts import output_of


@pytest.mark.one_loop
def test_an_interpreter_that_ends_without_closing() -> None:
    """Nothing complains at a program's end of values, a sweeper, loads and refreshes under way."""
    script = """
        import asyncio
        from asynccache import Cache

        async def forget(key, value, cause):
            pass

        cache = Cache(ttl=0, stale=1000, on_evict=forget)

        async def load():
            await asyncio.sleep(1000)

        async def load_many(keys):
            await asyncio.sleep(1000)

        async def main():
            await cache.set("old", "old")
            await cache.set("swept", "swept", ttl=1000, tags=["t"])
            await cache.namespace("n").set("key", "value")
            await cache.invalidate_tags("t")
            await cache.delete("swept")
            print(await cache.get_or_load("old", load))
            tasks = [
                asyncio.create_task(cache.get_or_load("key", load)),
                asyncio.create_task(cache.get_or_load_many([1, 2], load_many)),
            ]
            await asyncio.sleep(0)
            print(cache.stats().in_flight >= 1)

        asyncio.run(main())
        print(asyncio.run(cache.get("old", "expired")))
    """
    assert output_of(script) == "old\nTrue\nexpired\n"


@pytest.mark.one_loop
def test_a_fork() -> None:
    """The child has the values and none of the loads; what it changes is its own, and it can close what it has."""
    script = """
        import asyncio, os, signal, sys, warnings
        from asynccache import Cache
        from asynccache.testing import live_flights
        warnings.simplefilter("ignore")  # of forking while a loop runs: that is what this is about

        cache = Cache()
        part = cache.namespace("n")

        async def load():
            return "loaded"

        async def child():
            print(await cache.get("key"), part.keys(), live_flights())
            print(await cache.get_or_load("slow", load), await part.get_or_load_many([1], many))
            await part.clear()
            await cache.aclose()

        async def many(keys):
            return keys

        async def main():
            go_on = asyncio.Event()

            async def slow():
                await go_on.wait()
                return "parent's"

            await cache.set("key", "value")
            await part.set("key", "value")
            task = asyncio.create_task(cache.get_or_load("slow", slow))
            for _ in range(5):
                await asyncio.sleep(0)
            pid = await asyncio.to_thread(fork)
            go_on.set()
            print(await task, part.keys())

        def fork():
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                signal.alarm(20)
                code = 1
                try:
                    asyncio.run(child())
                    sys.stdout.flush()
                    code = 0
                finally:
                    os._exit(code)
            assert os.waitpid(pid, 0)[1] == 0

        asyncio.run(main())
    """
    assert output_of(script).splitlines() == ["value ['key'] []", "loaded {1: 1}", "parent's ['key']"]
