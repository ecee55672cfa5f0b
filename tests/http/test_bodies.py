"""Bodies, small and large: what is written comes back, in whatever pieces and parts, or it is said that it is lost."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.errors import StoreError
from asynccache.http.bodies import GRACE, Bodies, BodyLimits, BodyLost, BodyWriter
from asynccache.http.spelling import Spelling
from asynccache.http.store_counts import StoreCounts
from asynccache.http.store_link import StoreLink
from asynccache.http.stored import Body, ChunkedBody, InlineBody
from asynccache.serializers.envelope import Sealer
from asynccache.stores import Item, MemoryStore, Store
from asynccache.testing import Chaos, ManualClock

LIMITS: Final = BodyLimits(inline=4, piece=10, most=100)
TEXT: Final = bytes(range(33))


class Place:
    """A store in memory that can be made to fail, and the bodies in it."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = ManualClock(1_000.0)
        self.inside = store or MemoryStore(clock=self.clock)
        self.store = Chaos(self.inside)
        self.counts = StoreCounts("test")
        self.bodies = Bodies(
            StoreLink(
                store=self.store, sealer=Sealer(), spelling=Spelling("test"), clock=self.clock, counts=self.counts
            ),
            LIMITS,
        )

    async def keys(self) -> list[bytes]:
        """All keys in the store."""
        assert isinstance(self.inside, MemoryStore)
        return sorted([key async for some in self.inside.scan(b"") for key in some])

    async def write(self, *chunks: bytes) -> Body:
        """Write a body in these chunks."""
        writer = BodyWriter(self.bodies, 60.0)
        for chunk in chunks:
            assert await writer.write(chunk)
        body = await writer.finish()
        assert body is not None
        return body

    async def read(self, body: Body, first: int = 0, last: int | None = None) -> bytes:
        """Read a body, or a part of it."""
        return b"".join([piece async for piece in self.bodies.read(body, first, last)])


async def turns() -> None:
    """Let everything happen that needs nothing from outside."""
    for _ in range(10):
        await asyncio.sleep(0)


@given(content=st.binary(max_size=100), cuts=st.lists(st.integers(0, 100)), first=st.integers(0, 101), data=st.data())
def test_any_part_of_any_body_comes_back(content: bytes, cuts: list[int], first: int, data: Any) -> None:
    """However a body was cut when it came, every range of it is what slicing gives."""
    last = data.draw(st.none() | st.integers(first, 110))
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[start:end] for start, end in pairwise(edges)]

    async def check() -> None:
        place = Place()
        body = await place.write(*chunks)
        assert body.size == len(content)
        assert isinstance(body, InlineBody) == (len(content) <= LIMITS.inline)
        assert await place.read(body) == content
        assert await place.read(body, first, last) == content[first : None if last is None else last + 1]

    asyncio.run(check())


async def test_small_bodies_cost_the_store_nothing() -> None:
    """A body up to the limit is kept by its record alone, and an empty one gives no piece."""
    place = Place()
    assert await place.write(b"ab", b"cd") == InlineBody(b"abcd")
    empty = await place.write()
    assert [piece async for piece in place.bodies.read(empty)] == []
    assert place.store.calls == {}


async def test_pieces_are_of_one_size() -> None:
    """Whatever chunks it came in, a large body is kept in pieces of one size, and read only where it is asked for."""
    place = Place()
    body = await place.write(TEXT[:25], TEXT[25:])
    assert isinstance(body, ChunkedBody)
    assert (body.size, body.chunk_size, body.kept_until) == (33, 10, 1_060.0)
    assert len(await place.keys()) == 4
    assert [len(piece) async for piece in place.bodies.read(body)] == [10, 10, 10, 3]
    place.store.keys.clear()
    assert await place.read(body, 10, 19) == TEXT[10:20]
    assert place.store.keys["get_many"] == 1


async def test_pieces_are_kept_as_long_as_is_said() -> None:
    """Until the time that a body names, all its pieces are there; later none is."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    await writer.write(TEXT[:15])
    place.clock.advance(30.0)
    await writer.write(TEXT[15:])
    body = await writer.finish()
    assert isinstance(body, ChunkedBody)
    place.clock.advance(body.kept_until - place.clock() - 1)
    assert await place.read(body) == TEXT
    place.clock.advance(61.0)
    with pytest.raises(BodyLost):
        await place.read(body)


async def test_what_is_too_large_is_given_up_and_leaves_nothing() -> None:
    """One byte too many, and nothing is kept; whoever writes is told, and told again."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    assert await writer.write(bytes(100))
    assert not await writer.write(b"x")
    assert not await writer.write(b"")
    assert await writer.finish() is None
    assert await place.keys() == []
    assert (place.counts.too_large, place.counts.errors) == (1, 0)


@pytest.mark.parametrize("lose_reply", [False, True], ids=["not done", "reply lost"])
async def test_a_store_that_fails_ends_the_writing(lose_reply: bool) -> None:
    """Whoever writes goes on without, is told so once and for all, and what was written does not stay."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    assert await writer.write(TEXT[:10])
    place.store.down, place.store.loses_replies = not lose_reply, lose_reply
    assert not await writer.write(TEXT[10:20])
    place.store.down = place.store.loses_replies = False
    assert not await writer.write(TEXT[20:])
    assert await writer.finish() is None
    assert place.counts.errors == 2  # the piece, and the deletion
    assert len(await place.keys()) == (0 if lose_reply else 1)


async def test_the_last_piece_may_fail_too() -> None:
    """A body whose end cannot be written is none."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    assert await writer.write(TEXT)
    place.store.down = True
    assert await writer.finish() is None


async def test_an_abandoned_body_is_deleted() -> None:
    """What was written goes at once, and nothing more is written."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    await writer.write(TEXT)
    assert len(await place.keys()) == 3
    await writer.abandon()
    await writer.abandon()
    assert await place.keys() == []
    assert not await writer.write(TEXT)
    assert await writer.finish() is None


async def test_a_finished_body_is_not_abandoned() -> None:
    """Whoever tidies up after all was done deletes nothing."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    await writer.write(TEXT)
    body = await writer.finish()
    await writer.abandon()
    assert body is not None
    assert await place.read(body) == TEXT


async def test_a_writer_cancelled_in_the_middle_leaves_nothing() -> None:
    """The piece that was being written when its writer was cancelled is deleted with the others."""
    place = Place()
    writer = BodyWriter(place.bodies, 60.0)
    await writer.write(TEXT[:10])
    place.store.hold("after set_many")
    task = asyncio.create_task(writer.write(TEXT[10:20]))
    await place.store.held("after set_many")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    place.store.release()
    assert len(await place.keys()) == 2
    await writer.abandon()
    assert await place.keys() == []


# --- what is lost -----------------------------------------------------------------------------------------------------


def cut(data: bytes) -> bytes:
    """A value that lost its end."""
    return data[:-1]


def of_another(data: bytes) -> bytes:
    """A sealed value of another kind."""
    del data
    return b"no piece at all"


@pytest.mark.parametrize("harm", [None, cut, of_another], ids=["gone", "cut", "another"])
async def test_a_lost_piece_is_told(harm: Callable[[bytes], bytes] | None) -> None:
    """What comes before it is given; then it is said that the body is lost, and counted, and nothing follows."""
    place = Place()
    body = await place.write(TEXT)
    assert isinstance(body, ChunkedBody)
    key = Spelling("test").piece(body.id, 2)
    if harm is None:
        await place.inside.delete_many([key])
    else:
        await place.inside.set_many({key: Item(harm((await place.inside.get_many([key]))[key]))})
    read: list[bytes] = []
    with pytest.raises(BodyLost):
        read.extend([piece async for piece in place.bodies.read(body)])
    assert await place.read(body, 0, 19) == TEXT[:20]
    assert place.counts.lost == 1
    assert sum(place.counts.unreadable.values()) == (harm is not None)


async def test_pieces_do_not_take_one_anothers_place() -> None:
    """A piece that was moved to another number, or to another body, is not believed."""
    place = Place()
    body, other = await place.write(TEXT), await place.write(TEXT[::-1])
    assert isinstance(body, ChunkedBody)
    assert isinstance(other, ChunkedBody)
    spelling = Spelling("test")
    for moved in (spelling.piece(body.id, 1), spelling.piece(other.id, 0)):
        data = (await place.inside.get_many([moved]))[moved]
        await place.inside.set_many({spelling.piece(body.id, 0): Item(data)})
        with pytest.raises(BodyLost):
            await place.read(body)


async def test_a_body_of_another_size_than_its_pieces_is_lost() -> None:
    """What the record says, and the pieces do not, is never made up."""
    place = Place()
    body = await place.write(TEXT)
    assert isinstance(body, ChunkedBody)
    with pytest.raises(BodyLost):
        await place.read(ChunkedBody(body.id, 32, 10))


async def test_a_store_that_fails_loses_bodies() -> None:
    """To whoever reads, a store that does not answer is a body that is lost; the store's own error is the cause."""
    place = Place()
    body = await place.write(TEXT)
    place.store.down = True
    with pytest.raises(BodyLost) as caught:
        await place.read(body)
    assert isinstance(caught.value, StoreError)
    assert isinstance(caught.value.__cause__, StoreError)
    assert (place.counts.lost, place.counts.errors) == (1, 1)


# --- reading ahead ----------------------------------------------------------------------------------------------------


async def test_the_next_piece_is_asked_for_while_one_is_used() -> None:
    """While a reader is busy with a piece, the next one is on its way, and no more than that."""
    place = Place()
    body = await place.write(TEXT)
    async with aclosing(place.bodies.read(body)) as pieces:
        assert await anext(pieces) == TEXT[:10]
        await turns()
        assert place.store.calls["get_many"] == 2
        assert await anext(pieces) == TEXT[10:20]


@pytest.mark.parametrize("down", [False, True], ids=["held", "failed"])
async def test_a_reader_may_stop_anywhere(down: bool) -> None:
    """What was asked for ahead is given up without a trace, whether it is under way or has failed."""
    place = Place()
    body = await place.write(TEXT)
    async with aclosing(place.bodies.read(body)) as pieces:
        assert await anext(pieces) == TEXT[:10]
        place.store.down = down
        if not down:
            place.store.hold("get_many")
        await turns()
    place.store.release()


async def test_a_reader_may_be_cancelled() -> None:
    """A reader that is cancelled while it waits for a piece leaves nothing behind."""
    place = Place()
    body = await place.write(TEXT)
    place.store.hold("get_many")
    task = asyncio.create_task(place.read(body))
    await place.store.held("get_many")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    place.store.release()
    assert await place.read(body) == TEXT


# --- what goes --------------------------------------------------------------------------------------------------------


async def test_bodies_that_no_record_names_are_deleted_after_a_while() -> None:
    """Not before those who read them had time to come to the end; what others read stays."""
    place = Place(MemoryStore())
    old, other = await place.write(TEXT), await place.write(TEXT)
    place.bodies.let_go([old, InlineBody(b"small")])
    place.clock.advance(GRACE - 1)
    await place.bodies.sweep()
    assert await place.read(old) == TEXT
    place.clock.advance(1)
    await place.bodies.sweep()
    assert await place.read(other) == TEXT
    assert len(await place.keys()) == 4


async def test_what_is_being_read_is_not_deleted() -> None:
    """A slow reader comes to the end; after that the body goes like any other."""
    place = Place(MemoryStore())
    body = await place.write(TEXT)
    async with aclosing(place.bodies.read(body)) as pieces:
        assert await anext(pieces) == TEXT[:10]
        place.bodies.let_go([body])
        place.clock.advance(GRACE)
        await place.bodies.sweep()
        assert b"".join([piece async for piece in pieces]) == TEXT[10:]
    place.clock.advance(GRACE)
    await place.bodies.sweep()
    assert await place.keys() == []


async def test_a_store_that_fails_to_delete_harms_nobody() -> None:
    """What cannot be deleted goes when its time is over."""
    place = Place()
    body = await place.write(TEXT)
    place.bodies.let_go([body])
    place.clock.advance(GRACE)
    place.store.down = True
    await place.bodies.sweep()
    assert place.counts.errors == 1
