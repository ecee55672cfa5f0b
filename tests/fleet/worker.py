"""A process that loads with others: run by tests as `python -m tests.fleet.worker URL FOLDER SECONDS LEASE_TTL`.

It says "ready", waits for a line, lets many callers ask for one cold key at once, and says how long the slowest waited.
Each load leaves a mark in the folder when it begins.
"""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path

from asynccache import Cache

CALLERS = 100


async def main(url: str, folder: Path, seconds: float, lease_ttl: float) -> None:
    """Do so."""

    async def load() -> list[str]:
        with (folder / "loads").open("a") as loads:
            loads.write(f"{os.getpid()}\n")
        await asyncio.sleep(seconds)
        return ["answer"]

    async with Cache(url, namespace=f"herd-{folder.name}", coalesce="fleet", lease_ttl=lease_ttl, ttl=60) as cache:
        await cache.get("warm")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begin = time.monotonic()
        answers = await asyncio.gather(*(cache.get_or_load("key", load) for _ in range(CALLERS)))
        assert answers == [["answer"]] * CALLERS
        print(time.monotonic() - begin, flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
