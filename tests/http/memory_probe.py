"""A process that fetches a large body through a cache, and tells how much memory that took: run by tests.

python -m tests.http.memory_probe STORE MEGABYTES [held]
"""

import asyncio
import resource
import sys
import threading
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from asynccache.http import CacheMiddleware

MIB = 1024 * 1024
PIECE = bytes(64 * 1024)


async def pour(request: web.Request) -> web.StreamResponse:
    """Answer with as many MiB as the path says."""
    response = web.StreamResponse(headers={"Cache-Control": "max-age=600"})
    await response.prepare(request)
    for _ in range(int(request.match_info["size"]) * MIB // len(PIECE)):
        await response.write(PIECE)
    return response


def serve(told: "asyncio.Future[int]", loop: asyncio.AbstractEventLoop) -> None:
    """Serve in a thread, until the process ends."""

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{size}", pour)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        loop.call_soon_threadsafe(told.set_result, runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def peak() -> int:
    """Tell the most memory that the process has had, in KiB.

    Where the system tells it of the program alone, that is asked for: what `getrusage` tells begins with the memory of
    the process that has started this one.
    """
    told = Path("/proc/self/status")
    if told.exists():
        return next(int(line.split()[1]) for line in told.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def read(session: aiohttp.ClientSession, url: str, *, holds: bool = False) -> int:
    """Read a body to its end, and keep nothing of it unless that is said."""
    size = 0
    async with session.get(url) as response:
        if holds:
            return len(await response.read())
        async for piece in response.content.iter_any():
            size += len(piece)
    return size


async def main(store: str, megabytes: str, held: str = "") -> None:
    """Fetch a small body, and then a large one twice; tell the growth after each, in KiB."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[int] = loop.create_future()
    threading.Thread(target=serve, args=(told, loop), daemon=True).start()
    base = f"http://127.0.0.1:{await told}"
    options: Any = {} if store == "memory" else {"store": store, "max_body": 1024 * MIB}
    async with CacheMiddleware(**options) as cache, aiohttp.ClientSession(middlewares=(cache,)) as session:
        await read(session, f"{base}/2")
        await read(session, f"{base}/2")
        before = peak()
        for _ in range(2):
            assert await read(session, f"{base}/{megabytes}", holds=bool(held)) == int(megabytes) * MIB
            print(peak() - before, flush=True)
        print(cache.stats().hits, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
