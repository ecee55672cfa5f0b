"""`python -m examples.gateway`: visitors come all at once, a product changes, and the slow service fails."""

import asyncio
import time
from collections import Counter

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from asynccache.testing import ManualClock
from examples.gateway.service import application
from examples.gateway.upstream import Upstream


async def visit(client: TestClient[web.Request, web.Application], upstream: Upstream, what: str) -> None:
    """Let fifty visitors come, and print what they saw, and what the service was asked for that."""
    upstream.asked.clear()

    async def page() -> str:
        async with client.get("/products/A1") as response:
            return await response.text()

    seen = Counter(await asyncio.gather(*(page() for _ in range(50))))
    pages = ", ".join(f"{count} x {text!r}" for text, count in seen.items())
    print(f"{what}: {pages}; requests to the service: {upstream.asked.total()}")


async def main() -> None:
    """Tell the story."""
    clock = ManualClock(time.time())  # so that time passes by `advance`
    upstream = Upstream()
    async with TestServer(upstream.application()) as slow:
        gateway = application(str(slow.make_url("")).rstrip("/"), clock)
        async with TestClient(TestServer(gateway)) as client:
            await visit(client, upstream, "fifty at once")
            await visit(client, upstream, "fifty more")

            upstream.names["A1"] = "Desk lamp"
            await client.post("/hooks/products/A1")
            await visit(client, upstream, "it has another name")

            upstream.is_down = True
            clock.advance(7200)
            await visit(client, upstream, "two hours later, the service is down")


if __name__ == "__main__":
    asyncio.run(main())
