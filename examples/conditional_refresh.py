"""When the time of a value is over, ask whether it has changed, and transfer it only then.

`current_load()` gives the load the old value, whose ETag goes along with the request. If the server says "304 Not
Modified", the old value stays for another term.

Run it with `python -m examples.conditional_refresh`.
"""

import asyncio
from dataclasses import dataclass

from asynccache import async_cached, current_load
from asynccache.testing import ManualClock

clock = ManualClock()


@dataclass(frozen=True)
class Document:
    """A body, and the ETag it came with."""

    etag: str
    body: str


class Server:
    """Stand for a server far away; it counts what it sends."""

    def __init__(self) -> None:
        self.body = "a long list of rates"
        self.sent = 0

    async def get(self, if_none_match: str | None) -> tuple[int, Document | None]:
        """Answer 200 and the document, or 304 if the client has it already."""
        etag = f'"{len(self.body)}"'
        if etag == if_none_match:
            return 304, None
        self.sent += len(self.body)
        return 200, Document(etag, self.body)


server = Server()


@async_cached(ttl=60, stale_if_error=3600, clock=clock)
async def rates() -> Document:
    """Read the rates, or learn that those we have still hold."""
    load = current_load()
    old = load.stale
    status, document = await server.get(old.etag if isinstance(old, Document) else None)
    print(f"  server: {status}")
    if document is None:
        kept: Document = load.not_modified()
        return kept
    return document


async def main() -> None:
    """Ask before and after the time is over, and after a change."""
    print(f"first: {(await rates()).body}, {server.sent} characters sent")

    clock.advance(30)
    print(f"30 s later, from the cache: {(await rates()).body}")

    clock.advance(31)
    print(f"61 s later: {(await rates()).body}, {server.sent} characters sent")

    server.body = "a longer list of rates"
    clock.advance(61)
    print(f"after a change: {(await rates()).body}, {server.sent} characters sent")


if __name__ == "__main__":
    asyncio.run(main())
