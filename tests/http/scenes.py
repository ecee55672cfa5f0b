"""What tests of stored responses are made of: responses, and a store that two processes share."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from asynccache.http.kept.memo import Variants
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.stored import InlineBody, StoredResponse
from asynccache.http.syntax.message import Fields
from asynccache.stores import MemoryStore
from asynccache.testing import Chaos, ManualClock

KEY: Final = "https://example.com/a?secret=1"
OTHER: Final = "https://example.com/b"
START: Final = 1_000_000.0
TTL: Final = 3_600.0


def response(asked: float = START, /, **other: Any) -> StoredResponse:
    """A response that was asked for at that moment."""
    said: dict[str, Any] = {
        "method": "GET", "status": 200, "reason": "OK", "fields": Fields([("Cache-Control", "max-age=60")]),
        "request_time": asked, "response_time": asked, "body": InlineBody(b"body"),
    }  # fmt: skip
    return StoredResponse(**(said | other))


def variant(name: str, asked: float = START, /, **other: Any) -> StoredResponse:
    """One of several responses to a key, told apart by a request field."""
    return response(asked, **{"vary": ("accept",), "selecting": name.encode(), "reason": name, **other})


def reasons(found: Variants) -> list[str]:
    """The reason phrases of what was found, which tests tell responses by."""
    return [each.reason for each in found.responses]


async def keep(store: ResponseStore, each: StoredResponse, *, key: str = KEY, ttl: float = TTL) -> bool:
    """Look what is there, and store a response."""
    return await store.keep(key, await store.find(key), each, ttl=ttl)


async def body_of(store: ResponseStore, each: StoredResponse) -> bytes:
    """Read the body of a response."""
    return b"".join([piece async for piece in store.read(each.body)])


class Scene:
    """A store in memory that can be held and made to fail, and two processes that share it."""

    def __init__(self, *, without: Sequence[type] = ()) -> None:
        self.clock = ManualClock(START)
        self.inside = MemoryStore(clock=self.clock)
        self.engine = Chaos(self.inside, without=without)
        self.store = ResponseStore(self.engine, clock=self.clock)
        self.another = ResponseStore(self.inside, clock=self.clock)

    async def keep_until(self, point: str, each: StoredResponse) -> "asyncio.Task[bool]":
        """Begin to store a response, and stop at a point on the way."""
        found = await self.store.find(KEY)
        self.engine.hold(point)
        task = asyncio.create_task(self.store.keep(KEY, found, each, ttl=TTL))
        await self.engine.held(point)
        return task

    async def keys(self) -> list[bytes]:
        """All keys in the store."""
        return [key async for some in self.inside.scan(b"") for key in some]
