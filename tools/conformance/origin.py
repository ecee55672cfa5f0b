"""The suite's own origin server, run with Node on a free port of this machine, and what is told to it and asked of it.

Decides nothing about caching: it does what each test says, and remembers what it saw.
"""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypedDict, cast

import aiohttp

from tools.conformance.suite import HERE, Step

OLDEST_NODE: Final = 18
START_SECONDS: Final = 20.0
LISTENING: Final = re.compile(rb"Listening on (http://127\.0\.0\.1:\d+)")


class Seen(TypedDict):
    """A request as the origin saw it, and the fields that it answered and wants to be handed on."""

    request_num: int
    request_method: str
    request_headers: dict[str, str]
    response_headers: list[tuple[str, str | int | list[str]]]


class Origin:
    """The running server; what goes through here bypasses the cache under test.

    Attributes:
        url: where it is, without a slash at the end.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def prepare(self, token: str, steps: list[Step]) -> None:
        """Tell it what the requests to `/test/TOKEN` will be, and how it shall answer."""
        async with self._session.put(f"{self.url}/config/{token}", json=steps) as response:
            if response.status != 201:
                raise RuntimeError(f"the origin does not take the test: {response.status} {await response.text()}")

    async def seen(self, token: str) -> list[Seen]:
        """Ask which of those requests it got."""
        async with self._session.get(f"{self.url}/state/{token}") as response:
            state: list[Seen] = await response.json(content_type=None) if response.status == 200 else []
            return state


def require_node() -> None:
    """Refuse to go on without a Node that is new enough."""
    command = ("node", "--version")
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        told = ""
    match = re.match(r"v(\d+)", told)
    if match is None or int(match[1]) < OLDEST_NODE:
        raise SystemExit(
            f"make conformance needs Node {OLDEST_NODE} or newer, which runs the suite's origin server "
            f"(found: {told.strip() or 'none'}); see https://nodejs.org"
        )


@asynccontextmanager
async def origin(checkout: Path) -> AsyncGenerator[Origin, None]:
    """Run the origin server of a checkout."""
    places = ("test-engine/server/server.mjs", "server/server.mjs")  # of newer and of older revisions
    server = next(place for place in places if (checkout / place).exists())
    with tempfile.TemporaryDirectory() as scratch:
        told = {"npm_config_protocol": "http", "npm_config_port": "0", "npm_config_pidfile": f"{scratch}/pid"}
        command = ("node", "--no-warnings", "--require", str(HERE / "loopback.cjs"), server)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=checkout, env={**os.environ, **told}, stdout=subprocess.PIPE
        )
        output = cast(asyncio.StreamReader, process.stdout)  # there is one, as it is a pipe
        try:
            url = await asyncio.wait_for(_listening(output), START_SECONDS)
            draining = asyncio.create_task(_drain(output))
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:
                yield Origin(url, session)
            draining.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _listening(output: asyncio.StreamReader) -> str:
    """Where the server says that it listens."""
    async for line in output:
        if match := LISTENING.search(line):
            return match[1].decode()
    raise RuntimeError("the suite's origin server did not start")


async def _drain(output: asyncio.StreamReader) -> None:
    """Read on, so that the server never waits for us to read what it logs."""
    while await output.read(65_536):
        pass
