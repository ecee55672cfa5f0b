"""What tests of the engine are made of: an origin that answers when the test says so, and a cache around it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from asynccache.http.answering.counts import HttpStats
from asynccache.http.answering.engine import HttpCache
from asynccache.http.answering.exchange import Answer, Kind, Lines
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.stored import InlineBody
from asynccache.http.settings.policy import Policy
from asynccache.http.settings.rules import Rule, Rules
from asynccache.http.syntax.message import Fields, Request, Response
from asynccache.stores import MemoryStore
from asynccache.testing import Chaos, ManualClock
from tests.flight.gates import turns

START: Final = 1_000_000.0
URI: Final = "https://example.com/a"
FRESH: Final = (("Cache-Control", "max-age=60"),)
TAGGED: Final = (("ETag", '"1"'), ("Cache-Control", "max-age=60"))


class Arrived:
    """A response that has come. Implements `Arrival`."""

    is_decoded = False
    is_untouched = False
    length: int | None = None
    tags: tuple[str, ...] = ()

    def __init__(self, response: Response, pieces: Sequence[bytes | BaseException | asyncio.Event]) -> None:
        self.response = response
        self.native = self
        self.pieces = pieces
        self.discarded = 0
        self.is_read = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body: pieces, errors, and events that it waits for."""
        for piece in self.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, BaseException):
                raise piece
            else:
                yield piece
        self.is_read = True

    def discard(self) -> None:
        """Note that it is not read."""
        self.discarded += 1


class Asked:
    """A request that has come to the origin."""

    def __init__(self, lines: Lines, without: Sequence[str], request: Request) -> None:
        self.lines = dict(lines)
        self.without = tuple(without)
        self.request = request
        self.reply: asyncio.Future[tuple[int, Sequence[tuple[str, str]], Sequence[Any]]] = (
            asyncio.get_running_loop().create_future()
        )
        self.is_cancelled = False
        self.arrival: Arrived | None = None

    def answer(
        self,
        *pieces: bytes | BaseException | asyncio.Event,
        status: int = 200,
        fields: Sequence[tuple[str, str]] = FRESH,
    ) -> None:
        """Let the answer come."""
        self.reply.set_result((status, fields, pieces))

    def fail(self, error: Exception) -> None:
        """Let there be no answer."""
        self.reply.set_exception(error)


class World:
    """A cache, its store, and its origin.

    Attributes:
        asked: what has come to the origin.
        chaos: the store; can be held and made to fail.
    """

    def __init__(self, *rules: Rule, **policy: Any) -> None:
        self.clock = ManualClock(START)
        self.inside = MemoryStore(clock=self.clock)
        self.chaos = Chaos(self.inside)
        self.asked: list[Asked] = []
        self.counts = HttpStats()
        self.store = ResponseStore(self.chaos, clock=self.clock, retention=86_400)
        judged = Rules(Policy(**policy), rules)
        self.cache = HttpCache(self.store, judged, clock=self.clock, counts=self.counts, name="tests")

    def origin(self, request: Request) -> "Way":
        """Give a way to the origin."""
        return Way(self, request)

    async def number(self, number: int) -> Asked:
        """Wait for the request of that number to come to the origin, from 1 on."""
        async with asyncio.timeout(3):
            while len(self.asked) < number:  # noqa: ASYNC110  # turns are what is counted here
                await asyncio.sleep(0)
        return self.asked[number - 1]

    async def respond(self, method: str = "GET", uri: str = URI, /, **fields: str) -> Answer:
        """Ask the cache."""
        headers = Fields((name.replace("_", "-"), value) for name, value in fields.items())
        request = Request(method, uri, headers)
        return await self.cache.respond(request, self.origin(request))

    def ask(self, method: str = "GET", uri: str = URI, /, **fields: str) -> "asyncio.Task[Answer]":
        """Ask the cache in a task."""
        return asyncio.create_task(self.respond(method, uri, **fields))

    async def aclose(self) -> None:
        """End it."""
        await self.cache.aclose()
        await self.inside.aclose()


class Way:
    """One request's way to the origin. Implements `Origin`."""

    def __init__(self, world: World, request: Request) -> None:
        self._world = world
        self._request = request

    async def fetch(self, lines: Lines, *, without: Sequence[str] = ()) -> Arrived:
        """Send it."""
        asked = Asked(lines, without, self._request)
        sent = self._world.clock()
        self._world.asked.append(asked)
        try:
            status, fields, pieces = await asked.reply
        except asyncio.CancelledError:
            asked.is_cancelled = True
            raise
        asked.arrival = Arrived(Response(status, Fields(fields), sent, self._world.clock()), pieces)
        return asked.arrival

    def later(self) -> "Way":
        """Give this way."""
        return self


class Collected:
    """Reads a body to its end. Implements `Sink`."""

    has_room = True

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._over: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def feed(self, chunk: bytes) -> None:
        """Take a piece."""
        self.pieces.append(chunk)

    def finish(self) -> None:
        """That was all."""
        self._over.set_result(None)

    def fail(self, error: BaseException) -> None:
        """The rest will not come."""
        self._over.set_result(error)

    async def wait_for_room(self) -> None:
        """There is room."""

    async def wait(self) -> bytes:
        """Give all of it."""
        async with asyncio.timeout(3):
            error = await self._over
        if error is not None:
            raise error
        return b"".join(self.pieces)


async def read(answer: Answer) -> bytes:
    """Read what an answer holds."""
    if answer.spool is not None:
        sink = Collected()
        answer.spool.attach(sink)
        return await sink.wait()
    if answer.kind is Kind.PASSED:
        assert isinstance(answer.arrival, Arrived)
        return b"".join([piece async for piece in answer.arrival.chunks()])
    assert answer.body is None or isinstance(answer.body, InlineBody)
    return b"" if answer.body is None else answer.body.content


async def keep(world: World, *pieces: bytes, fields: tuple[tuple[str, str], ...] = FRESH) -> None:
    """Let a response be kept."""
    number = len(world.asked) + 1
    asking = world.ask()
    (await world.number(number)).answer(*pieces, fields=fields)
    await read(await asking)
    await turns()
