"""`python -m examples.github`: two users look at the issues of a repository, and the server tells what reached it."""

import asyncio
import time

from aiohttp.test_utils import TestServer

from asynccache.http import CacheMiddleware
from asynccache.testing import ManualClock
from examples.github.client import GitHub
from examples.github.server import LIMIT, Server

REPOSITORY = "ada/engine"


async def look(server: Server, client: GitHub, what: str) -> None:
    """List the open issues, and print what was sent for that."""
    server.log.clear()
    numbers = [issue["number"] async for issue in client.issues(REPOSITORY)]
    sent = [line.rpartition(" ")[2] for line in server.log]
    print(f"{what}: issues {numbers}, sent: {' '.join(sent) or 'nothing'}, left: {client.remaining}")


async def main() -> None:
    """Read, read again, wait, change something, run into the limit."""
    clock = ManualClock(time.time())  # so that a minute passes by `advance`
    server = Server(clock)
    async with TestServer(server.application()) as running, CacheMiddleware(clock=clock) as cache:
        base = str(running.make_url("")).rstrip("/")
        async with GitHub(base, "token-of-ada", cache) as ada, GitHub(base, "token-of-bob", cache) as bob:
            await look(server, ada, "Ada, the first time")
            await look(server, ada, "Ada again, at once")
            clock.advance(90)
            await look(server, ada, "Ada, 90 s later")
            await look(server, bob, "Bob, by the same cache")
            print(f"they are {await ada.login()} and {await bob.login()}")

            await ada.close_issue(REPOSITORY, 3)
            await look(server, ada, "Ada has closed one")

            clock.advance(90)
            await look(server, bob, "Bob, 90 s later")

            clock.advance(90)
            server.used["Bearer token-of-bob"] = LIMIT
            await look(server, bob, "Bob, who has used up his limit")


if __name__ == "__main__":
    asyncio.run(main())
