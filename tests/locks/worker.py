"""A process that wants a lock: run by the tests of several processes, as `python -m tests.locks.worker`."""

import asyncio
import sys
from pathlib import Path

from asynccache import Cache

TASKS = 100


async def count(cache: Cache, folder: Path) -> None:
    """Add 1 to the number in a file, in steps between which others could do the same; note who has done so."""
    async with cache.lock("counter", ttl=10, wait=50) as lease:
        number = int((folder / "number").read_text())
        await asyncio.sleep(0)
        (folder / "number").write_text(str(number + 1))
        with (folder / "fences").open("a") as fences:
            fences.write(f"{lease.fence}\n")


async def hold(cache: Cache) -> None:
    """Hold the lock until it is lost."""
    async with cache.lock("counter", ttl=1) as lease:
        print("held", flush=True)
        await lease.lost.wait()
        print("lost", flush=True)


async def load(cache: Cache, folder: Path) -> None:
    """Ask for one cold key, many times at once; note each load."""

    async def answer() -> int:
        with (folder / "loads").open("a") as loads:
            loads.write("x")
        await asyncio.sleep(0.2)
        return 42

    assert set(await asyncio.gather(*(cache.get_or_load("answer", answer) for _ in range(TASKS)))) == {42}


async def main(what: str, url: str, folder: Path) -> None:
    """Do what the test says, as soon as it says so."""
    async with Cache(url, namespace="shop", coalesce="fleet", ttl=60) as cache:
        await cache.get("warm")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        if what == "count":
            await asyncio.gather(*(count(cache, folder) for _ in range(TASKS)))
        elif what == "hold":
            await hold(cache)
        else:
            await load(cache, folder)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
