"""What a hit costs a client, in requests a second beside other caches of HTTP; and how much memory a large body takes.

    python benchmarks/http_client.py [hits|memory] [--rounds 7] [--seconds 0.5] [--callers 1,20] [--megabytes 200]
                                     [--only NAME ...] [--json] [--profile]

    hits      50 small JSON documents, fresh and kept, asked for one after the other by so many callers at a time
              floor: aiohttp without a cache
    memory    the growth of a process through which a large body comes, once from its server and once from the cache

Without a word both are measured. The server is a process of its own. Contenders take turns in each round, so a machine
whose speed drifts drifts for all; figures are medians, and "in its round" is the median of the multiples of what the
floor did in the same round. Peers that are not installed are left out. "a dict" is what a middleware could be at best:
it looks up a dict, and makes a response; no rule of HTTP is looked at.

With --profile it is told instead in which functions of ours a hit spends its time.

Decides what is asked, and of whom.
"""

import argparse
import asyncio
import contextlib
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession, web

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a clone that is not installed can be measured too

from asynccache.http import CacheMiddleware  # noqa: E402
from asynccache.http.client.responses import _arguments  # noqa: E402  # what this aiohttp makes a response of
from benchmarks.tables import Row, Table  # noqa: E402

HOST = "127.0.0.1"
URLS = 50
BODY = json.dumps({"id": 1, "name": "example", "tags": ["a", "b", "c"], "values": list(range(20))}).encode()
FLOOR = "aiohttp, no cache"

Get = Callable[[str], Awaitable[object]]
Contender = Callable[[Path], AbstractAsyncContextManager[Get]]
"""Opens a client, which may keep files in a folder."""


# --- the server -------------------------------------------------------------------------------------------------------


async def serve() -> None:
    """Serve on a free port, tell it, and end with the standard input."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="application/json", headers={"Cache-Control": "max-age=86400"})

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start the server; give the beginning of its URLs."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://{HOST}:{int(process.stdout.readline())}"
        finally:
            process.communicate("")


# --- who asks ---------------------------------------------------------------------------------------------------------


def reader(session: Any) -> Get:
    async def get(url: str) -> None:
        async with session.get(url) as response:
            await response.read()

    return get


@asynccontextmanager
async def uncached(_folder: Path) -> AsyncIterator[Get]:
    async with ClientSession() as session:
        yield reader(session)


@asynccontextmanager
async def ours(_folder: Path) -> AsyncIterator[Get]:
    async with CacheMiddleware() as cache, ClientSession(middlewares=(cache,)) as session:
        yield reader(session)


@asynccontextmanager
async def ours_in_a_file(folder: Path) -> AsyncIterator[Get]:
    store = f"sqlite:///{folder / 'ours.db'}"
    async with CacheMiddleware(store) as cache, ClientSession(middlewares=(cache,)) as session:
        yield reader(session)


class Room:
    """A middleware that looks up a dict and makes a response."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[ClientResponse, bytes]] = {}

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        key = str(request.url)
        if key not in self.kept:
            first = await handler(request)
            self.kept[key] = (first, await first.read())
            return first
        first, body = self.kept[key]
        arguments = _arguments(request, asyncio.get_running_loop())
        response: Any = ClientResponse(request.method, request.original_url, **arguments)
        response.version, response.status, response.reason = first.version, first.status, first.reason
        response._headers, response._raw_headers, response._body = first.headers, first.raw_headers, body
        return response


@asynccontextmanager
async def room(_folder: Path) -> AsyncIterator[Get]:
    async with ClientSession(middlewares=(Room(),)) as session:
        yield reader(session)


@asynccontextmanager
async def client_cache(_folder: Path) -> AsyncIterator[Get]:
    from aiohttp_client_cache import CacheBackend, CachedSession

    async with CachedSession(cache=CacheBackend(cache_control=True)) as session:
        yield reader(session)


@asynccontextmanager
async def client_cache_in_a_file(folder: Path) -> AsyncIterator[Get]:
    from aiohttp_client_cache import CachedSession, SQLiteBackend

    backend = SQLiteBackend(str(folder / "peer.sqlite"), cache_control=True, autoclose=True)
    async with CachedSession(cache=backend) as session:
        yield reader(session)


@asynccontextmanager
async def hishel_in_a_file(folder: Path) -> AsyncIterator[Get]:
    import hishel
    from hishel.httpx import AsyncCacheClient

    storage = hishel.AsyncSqliteStorage(database_path=folder / "hishel.db")
    async with AsyncCacheClient(storage=storage, rfc=hishel.CacheOptions(shared=False)) as client:

        async def get(url: str) -> None:
            await (await client.get(url)).aread()

        yield get


CONTENDERS: dict[str, Contender] = {
    FLOOR: uncached,
    "asynccache": ours,
    "asynccache, SQLite": ours_in_a_file,
    "a dict": room,
    "aiohttp-client-cache": client_cache,
    "aiohttp-client-cache, SQLite": client_cache_in_a_file,
    "hishel (httpx), SQLite": hishel_in_a_file,
}


# --- how it is measured -----------------------------------------------------------------------------------------------


async def turn(opened: Contender, folder: Path, base: str, callers: int, seconds: float) -> tuple[float, float]:
    """Let a contender ask for so long; give its requests per second, and its microseconds of CPU for each."""
    urls = [f"{base}/{number}" for number in range(URLS)]
    async with opened(folder) as get:
        for url in (*urls, *urls):
            await get(url)
        done = 0
        start, cpu = time.perf_counter(), time.process_time()
        end = start + seconds

        async def ask(at: int) -> None:
            nonlocal done
            while time.perf_counter() < end:
                await get(urls[at % URLS])
                at += 1
                done += 1

        await asyncio.gather(*(ask(7 * number) for number in range(callers)))
        return done / (time.perf_counter() - start), (time.process_time() - cpu) / done * 1e6


def hits(base: str, callers: int, given: argparse.Namespace) -> Table:
    """Measure hits of all who are there."""
    table = Table(f"hits of {len(BODY)} bytes, {callers} at a time", "requests/s", FLOOR)
    names = [name for name in CONTENDERS if name == FLOOR or not given.only or any(o in name for o in given.only)]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for name in [name for name in names if name in found]:
                try:
                    found[name].append(
                        asyncio.run(turn(CONTENDERS[name], Path(folder), base, callers, given.seconds))
                    )  # fmt: skip
                except ImportError:
                    del found[name]
                except Exception as error:
                    table.failures[name] = f"{type(error).__name__}: {error}"
                    del found[name]
    for name, turns in found.items():
        ratio = statistics.median(mine / floor for (mine, _), (floor, _) in zip(turns, found[FLOOR], strict=True))
        cpu = statistics.median(each for _, each in turns)
        extra: dict[str, float | str] = {"in its round: x": round(ratio, 2), "us of CPU:": round(cpu, 1)}
        table.rows[name] = Row(statistics.median(rate for rate, _ in turns), extra)
    return table


def memory(megabytes: int) -> Table:
    """Measure what a large body takes, each time in a process of its own."""
    table = Table(f"a body of {megabytes} MiB", "MiB more", None)
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("asynccache", "memory"), ("asynccache, SQLite", f"sqlite:///{folder}/cache.db")):
            command = [sys.executable, "-m", "tests.http.memory_probe", store, str(megabytes)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            first, second, _ = (int(line) for line in done.stdout.split())
            table.rows[name] = Row(first / 1024, {"after reading it twice:": round(second / 1024, 1)})
    return table


def profile(base: str, seconds: float) -> None:
    """Tell in which functions a hit in memory spends its time."""
    profiler = cProfile.Profile()

    async def run() -> None:
        async with ours(Path()) as get:
            for _ in range(2):
                await get(f"{base}/0")
            end = time.perf_counter() + seconds
            profiler.enable()
            while time.perf_counter() < end:
                await get(f"{base}/0")
            profiler.disable()

    asyncio.run(run())
    stats = pstats.Stats(profiler)
    stats.sort_stats("tottime").print_stats(os.sep + "asynccache" + os.sep, 25)


def main(words: list[str] | None = None) -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=["hits", "memory", "all"])
    parser.add_argument("--rounds", type=int, default=7, help="turns that each contender gets")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn is")
    parser.add_argument("--callers", default="1,20", help="callers at a time, with commas between")
    parser.add_argument("--megabytes", type=int, default=200, help="MiB of the large body")
    parser.add_argument("--only", nargs="*", default=[], help="parts of names; others but the floor are left out")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--profile", action="store_true", help="tell where a hit spends its time")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.serve:
        asyncio.run(serve())
        return
    tables: list[Table] = []
    if given.profile or given.what != "memory":
        with server() as base:
            if given.profile:
                profile(base, given.seconds)
                return
            tables += [hits(base, int(callers), given) for callers in given.callers.split(",")]
    if given.what != "hits":
        tables.append(memory(given.megabytes))
    if given.json:
        print(json.dumps([table.as_json() for table in tables], indent=2))
    else:
        print("\n\n".join("\n".join(table.lines()) for table in tables))


if __name__ == "__main__":
    main()
