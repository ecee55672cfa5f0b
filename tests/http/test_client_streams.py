"""Bodies as streams: handed on as they come, read in whatever way aiohttp offers, and by several at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from asynccache.http import CacheMiddleware, is_from_cache
from asynccache.http.answering.spool import WINDOW
from tests.flight.gates import turns
from tests.http.clients import fetch, opened, started, together, until
from tests.http.sites import Site

TEXT = b"".join(b"line %d\n" % number for number in range(60_000))
"""Larger than what lies in one record, and than what is read ahead of a slow reader's stream."""

JSON = json.dumps(list(range(120_000))).encode()

Read = Callable[[aiohttp.ClientResponse], Awaitable[bytes]]


async def by_read(response: aiohttp.ClientResponse) -> bytes:
    """All at once, twice."""
    content = await response.read()
    assert await response.read() is content
    return content


async def by_content_read(response: aiohttp.ClientResponse) -> bytes:
    """All at once, from the stream."""
    content = await response.content.read()
    assert response.content.at_eof()
    return content


async def by_pieces(response: aiohttp.ClientResponse) -> bytes:
    """So many bytes at a time."""
    pieces = []
    while piece := await response.content.read(1_000):
        assert len(piece) <= 1_000
        pieces.append(piece)
    return b"".join(pieces)


async def by_exact_pieces(response: aiohttp.ClientResponse) -> bytes:
    """Exactly so many bytes at a time."""
    pieces = [await response.content.readexactly(1_111) for _ in range(8)]
    return b"".join((*pieces, await response.content.read()))


async def by_line(response: aiohttp.ClientResponse) -> bytes:
    """Line by line."""
    lines = []
    while line := await response.content.readline():
        assert line.endswith(b"\n")
        lines.append(line)
    return b"".join(lines)


async def by_separator(response: aiohttp.ClientResponse) -> bytes:
    """Up to a separator."""
    return await response.content.readuntil(b"line 9\n") + await response.content.read()


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    """Whatever comes, together."""
    return b"".join([piece async for piece in pieces])


async def by_chunks(response: aiohttp.ClientResponse) -> bytes:
    """As the stream has its pieces."""
    return b"".join([piece async for piece, _ in response.content.iter_chunks()])


async def by_readchunk(response: aiohttp.ClientResponse) -> bytes:
    """One piece after the other."""
    pieces = []
    while (found := await response.content.readchunk()) != (b"", False):
        pieces.append(found[0])
    return b"".join(pieces)


async def by_text(response: aiohttp.ClientResponse) -> bytes:
    """As text."""
    return (await response.text()).encode()


READS: dict[str, Read] = {
    "read": by_read,
    "content.read": by_content_read,
    "read(n)": by_pieces,
    "readexactly": by_exact_pieces,
    "readline": by_line,
    "readuntil": by_separator,
    "iter lines": lambda response: joined(aiter(response.content)),
    "iter_chunked": lambda response: joined(response.content.iter_chunked(7_777)),
    "iter_any": lambda response: joined(response.content.iter_any()),
    "iter_chunks": by_chunks,
    "readchunk": by_readchunk,
    "text": by_text,
}


@pytest.fixture(params=list(READS))
def read(request: pytest.FixtureRequest) -> Read:
    """Each way to read a body."""
    name: str = request.param
    return READS[name]


@pytest.mark.parametrize("size", [8_890, len(TEXT)], ids=["in its record", "in pieces"])
async def test_each_way_to_read(site: Site, session: aiohttp.ClientSession, read: Read, size: int) -> None:
    """A leader, two followers and a hit read the same, in whatever way they read."""
    content = TEXT[:size]

    async def ask() -> bytes:
        async with session.get(site / "a") as response:
            return await read(response)

    visits = site.wait("a")
    tasks = [asyncio.create_task(ask()) for _ in range(3)]
    visit = await visits.first()
    await turns()
    visit.answer(content)
    assert await together(*tasks) == [content] * 3
    async with session.get(site / "a") as hit:
        assert is_from_cache(hit)
        assert await read(hit) == content
    assert len(visits) == 1


async def test_json(site: Site, session: aiohttp.ClientSession) -> None:
    """JSON is read from the origin and from the cache, be it large."""
    site.say("a", JSON, content_type="application/json")
    for _ in range(2):
        async with session.get(site / "a") as response:
            assert await response.json() == list(range(120_000))
    assert len(site.asked) == 1


async def test_a_response_is_there_before_its_body(site: Site, session: aiohttp.ClientSession) -> None:
    """The caller has the response as soon as its head has come, and each piece as soon as it is there."""
    response, visit = await opened(session, site, content_length="9")
    assert response.status == 200
    for piece in (b"one", b"two", b"six"):
        visit.send(piece)
        assert await response.content.readany() == piece
    visit.end()
    assert await response.content.read() == b""
    response.release()
    assert (await fetch(session, site / "a")).body == b"onetwosix"


async def test_who_has_read_it_all_finds_it_stored(site: Site, session: aiohttp.ClientSession) -> None:
    """When a reader is told that this was all, the next request is a hit."""
    site.say("a", TEXT)
    for _ in range(2):
        async with session.get(site / "a") as response:
            assert await response.read() == TEXT
    assert len(site.asked) == 1


async def test_a_slow_reader_slows_the_origin(site: Site, session: aiohttp.ClientSession) -> None:
    """With a reader that does not read, no more than some windows are taken from the origin."""
    size, piece = 64 * WINDOW, bytes(WINDOW // 4)
    response, visit = await opened(session, site)
    sent = 0

    async def pour() -> None:
        nonlocal sent
        assert visit.response is not None
        while sent < size:
            await visit.response.write(piece)
            sent += len(piece)
        visit.end()

    pouring = asyncio.create_task(pour())
    before = -1
    while sent != before:  # until nothing moves any more
        before = sent
        await asyncio.sleep(0.05)
    assert sent < size / 2
    read = 0
    async for each in response.content.iter_any():
        read += len(each)
    await pouring
    assert read == size
    response.release()


async def test_a_slow_follower_slows_nobody(site: Site, session: aiohttp.ClientSession) -> None:
    """Of several readers the quickest sets the pace, and the others find all of it when they come to read."""
    visits = site.wait("a")
    leading = asyncio.create_task(fetch(session, site / "a"))
    visit = await visits.first()
    visit.head()
    follower = await session.get(site / "a")
    for number in range(32):
        visit.send(bytes([number]) * (WINDOW // 4))
    visit.end()
    content = (await leading).body
    assert len(content) == 8 * WINDOW
    assert await follower.read() == content


async def test_two_hits_have_streams_of_their_own(site: Site, session: aiohttp.ClientSession) -> None:
    """Two readers of one stored body do not take bytes from each other."""
    site.say("a", TEXT)
    await fetch(session, site / "a")
    async with session.get(site / "a") as one, session.get(site / "a") as two:
        assert one is not two
        assert await one.content.read(100) == TEXT[:100]
        assert await two.content.read() == TEXT
        assert await one.content.read() == TEXT[100:]


async def test_a_follower_that_comes_too_late_asks_for_itself(site: Site, session: aiohttp.ClientSession) -> None:
    """Who comes when the beginning of a body is not there any more does not wait for its end."""
    leader, visit = await opened(session, site)
    for _ in range(6):
        visit.send(bytes(WINDOW // 4))
        await leader.content.readexactly(WINDOW // 4)
    site.say("a", "its own")
    assert (await fetch(session, site / "a")).body == b"its own"
    visit.end()
    assert await leader.content.read() == b""
    leader.release()


async def test_events_are_neither_kept_nor_held_back(
    site: Site, session: aiohttp.ClientSession, cache: CacheMiddleware
) -> None:
    """A stream of events comes as it is sent, each reader has its own, and nothing of it is stored."""
    visits = site.wait("a")
    opening = [asyncio.create_task(started(session, site / "a")) for _ in range(2)]
    for number in (1, 2):
        visit = await visits.number(number)
        visit.head(content_type="text/event-stream")
    responses = await together(*opening)
    for number, visit in enumerate(visits.all, 1):
        visit.send(b"data: %d\n\n" % number)
    assert sorted([await each.content.readuntil(b"\n\n") for each in responses]) == [b"data: 1\n\n", b"data: 2\n\n"]
    for response in responses:
        response.close()
    await until(lambda: all(visit.gone.is_set() for visit in visits.all))
    assert (cache.stats().passed, cache.stats().misses) == (2, 0)
