"""What a hit of the server's cache costs: requests per second against a handler that returns a constant.

Every server is a process of its own, and so is the load: connections that are kept open, each of which sends the next
request when it has read the answer. The servers take turns, so that whatever else the machine does meets all of them.

    python benchmarks/http_server.py [--rounds 5] [--requests 5000] [--connections 16] [--json FILE]
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from asynccache.http.server.handlers import ResponseCache
from benchmarks.tables import Row, Table

BODY: Final = b'{"item": "' + b"x" * 1000 + b'"}'
KINDS: Final = ("a constant", "a hit", "a hit, decorated", "a hit, 304", "passed by the cache")
HOST: Final = "127.0.0.1"


def application(kind: str) -> web.Application:
    """Make the server of one kind."""

    async def handler(_: web.Request) -> web.Response:
        control = "no-store" if kind == "passed by the cache" else "max-age=3600"
        headers = {"Cache-Control": control, "ETag": '"1"'}
        return web.Response(body=BODY, content_type="application/json", headers=headers)

    cache = ResponseCache()
    is_decorated = kind == "a hit, decorated"
    app = web.Application(middlewares=[] if kind == "a constant" or is_decorated else [cache])
    app.router.add_get("/item", cache.cached(ttl=3600)(handler) if is_decorated else handler)
    app.router.add_get("/cpu", spent)
    app.cleanup_ctx.append(cache.cleanup_ctx)
    return app


async def spent(_: web.Request) -> web.Response:
    """Tell how many seconds the server has computed."""
    return web.Response(text=str(time.process_time()), headers={"Cache-Control": "no-store"})


async def serve(kind: str) -> None:
    """Serve on a free port, tell it, and end with the standard input."""
    runner = web.AppRunner(application(kind), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


class Connection(asyncio.Protocol):
    """Sends one request after the other."""

    def __init__(self, request: bytes, number: int, done: asyncio.Future[None]) -> None:
        self.request = request
        self.left = number
        self.done = done
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(rest) < int(length or b"0"):
            return
        self.buffer = b""
        self.left -= 1
        if self.left:
            self.transport.write(self.request)
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server has closed the connection"))


def _same(connection: Connection) -> Connection:
    return connection


def cpu_of(port: int) -> float:
    """Ask a server how many seconds it has computed."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/cpu") as response:
        return float(response.read())


async def rate(port: int, kind: str, requests: int, connections: int) -> float:
    """Measure requests per second."""
    condition = 'If-None-Match: "1"\r\n' if kind == "a hit, 304" else ""
    request = (
        f"GET /item HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: */*\r\nUser-Agent: load\r\n{condition}\r\n".encode()
    )
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    ends = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        connection = Connection(request, requests // connections, done)
        await loop.create_connection(partial(_same, connection), HOST, port)
        ends.append((done, connection))
    for done, _ in ends:
        await done
    seconds = time.perf_counter() - start
    for _, connection in ends:
        connection.transport.close()
    return requests / seconds


def measure(rounds: int, requests: int, connections: int) -> Table:
    """Start all servers, and let them take turns."""
    command = [sys.executable, "-m", "benchmarks.http_server", "--serve"]
    root = Path(__file__).parents[1]
    servers = {
        kind: subprocess.Popen([*command, kind], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for kind in KINDS
    }
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    computed: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        ports = {kind: int(server.stdout.readline()) for kind, server in servers.items() if server.stdout}
        for number in range(rounds + 1):
            for kind, port in ports.items():
                before = cpu_of(port)
                figure = asyncio.run(rate(port, kind, requests, connections))
                if number:  # the first warms up
                    found[kind].append(figure)
                    computed[kind].append((cpu_of(port) - before) / requests * 1e6)
    finally:
        for server in servers.values():
            server.communicate("")
    table = Table("aiohttp.web, a body of 1 kB", "requests/s", KINDS[0])
    for kind, figures in found.items():
        cpu = round(statistics.median(computed[kind]), 1)
        table.rows[kind] = Row(statistics.median(figures), {"us of the server's CPU a request:": cpu})
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="requests per second of a server with a cache")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve))
        return
    table = measure(given.rounds, given.requests, given.connections)
    print(*table.lines(), sep="\n")
    if given.json:
        given.json.write_text(json.dumps([table.as_json()], indent=1), "utf-8")


if __name__ == "__main__":
    main()
