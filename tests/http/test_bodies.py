"""Bodies, small and large: what is written comes back, in whatever pieces and parts, or nothing is kept."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.http.kept.bodies import BodyLost, BodyWriter
from asynccache.http.kept.stored import ChunkedBody, InlineBody
from tests.http.body_scenes import LIMITS, TEXT, Place


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
