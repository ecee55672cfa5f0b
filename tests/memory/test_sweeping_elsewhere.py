"""Sweeping in threads, on several loops, after a fork, and at the end of the program."""

import asyncio
import subprocess
import sys
import threading
from typing import Any, Final

import pytest

from asynccache import async_cached
from asynccache.testing import ManualClock


async def turns_until_idle(function: Any) -> int:
    """Let the loop turn until nothing is planned, and count the turns."""
    for turn in range(10_000):
        if not function.cache_stats().sweeper_alive:
            return turn
        await asyncio.sleep(0)
    raise AssertionError


@pytest.mark.one_loop
def test_each_loop_sweeps() -> None:
    """A sweep that was planned on a loop that has ended is planned anew on the next, by what is stored there."""
    clock = ManualClock()

    @async_cached(ttl=10, clock=clock)
    async def load(x: int) -> int:
        return x

    async def sweep_the_rest() -> None:
        await load(2)
        clock.advance(20)
        await turns_until_idle(load)

    asyncio.run(load(1))
    asyncio.run(sweep_the_rest())
    assert load.cache_info().currsize == 0


@pytest.mark.one_loop
def test_sweeping_in_threads() -> None:
    """Two loops in two threads may sweep one cache while entries come and are cleared: nobody falls over."""
    errors: list[object] = []

    @async_cached(ttl=0.000_1, maxsize=None)
    async def load(x: int) -> int:
        return x

    async def work(offset: int) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
        for number in range(3_000):
            assert await load(number % 50 + offset) == number % 50 + offset
            if number % 20 == 0:
                await asyncio.sleep(0)
            if number % 500 == 0:
                load.cache_clear()

    threads = [threading.Thread(target=lambda n=n: asyncio.run(work(25 * n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert load.cache_info().currsize <= 100


PROGRAM: Final = """
import asyncio
from asynccache import async_cached

@async_cached(ttl=60)
async def load(x):
    return x

class Service:
    @async_cached(ttl=60, on_abandon="finish")
    async def load(self, x):
        await asyncio.sleep(0)
        return x

service = Service()

async def main():
    await load(1)
    await service.load(1)
    global kept
    kept = asyncio.get_running_loop()
    print("done")

ENDING
"""


@pytest.mark.parametrize(
    "ending",
    [
        "asyncio.run(main())",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main()); loop.close()",
        "asyncio.run(main()); asyncio.run(main())",
    ],
)
def test_interpreter_ends_in_silence(ending: str) -> None:
    """A program that ends while sweeps are planned ends at once and without a word, in development mode too."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM.replace("ENDING", ending)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("done")


FORKING: Final = """
import asyncio, os, sys
from asynccache import async_cached

@async_cached(ttl=60)
async def load(x):
    await asyncio.sleep(0)
    return os.getpid()

async def main():
    asyncio.ensure_future(load(2))
    return await load(1)

parent = asyncio.run(main())
child = os.fork()
if not child:
    assert asyncio.run(load(1)) == parent
    assert asyncio.run(load(3)) == os.getpid()
    assert load.cache_stats().in_flight == 0
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert asyncio.run(load(1)) == parent
print("done")
"""


def test_cache_can_be_used_after_a_fork() -> None:
    """A forked child finds what the parent has stored, loads what it needs itself, and neither disturbs the other."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
