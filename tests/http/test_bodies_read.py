"""Reading large bodies: what is lost is told, what comes next is asked for in time, and what nobody reads goes."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from asynccache.errors import StoreError
from asynccache.http.kept.bodies import GRACE, BodyLost
from asynccache.http.kept.spelling import Spelling
from asynccache.http.kept.stored import ChunkedBody, InlineBody
from asynccache.stores import Item, MemoryStore
from tests.http.body_scenes import TEXT, Place, turns

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
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert all(task.cancelling() for task in left)
    await turns()
    assert not any(task in asyncio.all_tasks() for task in left)
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
