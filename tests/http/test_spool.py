"""One body, read by several: who is waited for, who gets what, and what becomes of it when they go."""

import pytest

from asynccache.http.answering import spool as spools
from asynccache.http.answering.spool import LAG, WINDOW, Spool
from tests.flight.gates import turns
from tests.http.spool_scenes import PIECE, Reader, Scene


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_all_get_all(scene: Scene) -> None:
    """Each reader gets each piece, in order, and so does the store; then all are told that this was all."""
    readers = [Reader(), Reader(), Reader()]
    task = scene.start(*readers)
    scene.source.send(b"one", b"two")
    scene.source.end()
    await task
    assert [reader.content for reader in readers] == [b"onetwo"] * 3
    assert [reader.end for reader in readers] == ["whole"] * 3
    assert (scene.writer.content, scene.told, scene.let_go) == (b"onetwo", [True], 0)
    assert scene.source.is_closed


async def test_it_is_stored_before_readers_are_told(scene: Scene) -> None:
    """Nobody hears of the end before what is stored can be found."""
    reader = Reader()
    ends: list[object] = []

    async def done(_: bool) -> None:
        ends.append(reader.end)

    spool = Spool(scene.source.chunks(), writer=scene.writer, done=done)
    task = spool.start()
    spool.attach(reader)
    scene.source.end()
    await task
    assert (ends, reader.end) == ([None], "whole")


async def test_nothing_is_read_for_nobody(scene: Scene) -> None:
    """Before the first reader has come, nothing is taken."""
    task = scene.start()
    scene.source.send(b"one")
    scene.source.end()
    await turns()
    assert scene.source.taken == 0
    scene.spool.attach(reader := Reader())
    await task
    assert reader.content == b"one"


async def test_who_comes_late_gets_the_beginning(scene: Scene) -> None:
    """As long as all of it is still there, one may come."""
    task = scene.start(Reader())
    scene.source.send(b"one")
    await turns()
    assert scene.spool.may_be_joined
    scene.spool.attach(late := Reader())
    scene.source.send(b"two")
    scene.source.end()
    await task
    assert late.content == b"onetwo"


async def test_who_comes_after_the_end_gets_all(scene: Scene) -> None:
    """What is whole may still be read by who comes in that moment."""
    task = scene.start(Reader())
    scene.source.send(b"one")
    scene.source.end()
    await task
    assert scene.spool.may_be_joined
    scene.spool.attach(late := Reader())
    assert (late.content, late.end) == (b"one", "whole")


async def test_who_comes_too_late(scene: Scene) -> None:
    """Beyond the window the beginning is gone, and nobody may come any more."""
    task = scene.start(Reader())
    scene.source.send(*[bytes(PIECE)] * (WINDOW // PIECE))
    await turns(30)
    assert scene.spool.may_be_joined
    scene.source.send(b"one more")
    await turns(30)
    assert not scene.spool.may_be_joined
    scene.source.end()
    await task


@pytest.mark.parametrize(("length", "may"), [(None, True), (LAG, True), (LAG + 1, False)])
async def test_what_is_too_long_is_not_shared(length: int | None, may: bool) -> None:
    """A body that is known to be so long that readers could be too far apart is for one reader."""
    scene = Scene(length=length)
    assert scene.spool.may_be_joined is may


async def test_a_single_slow_reader_is_waited_for(scene: Scene) -> None:
    """No more than the window is read ahead of a reader that does not read."""
    reader = Reader(has_room=False)
    task = scene.start(reader)
    scene.source.send(*[bytes(PIECE)] * 100)
    scene.source.end()
    await turns(100)
    assert scene.source.taken * PIECE <= WINDOW + PIECE
    reader.room.set()
    await task
    assert len(reader.content) == 100 * PIECE


async def test_the_quickest_sets_the_pace(scene: Scene) -> None:
    """One that does not read takes nothing from one that does."""
    quick, slow = Reader(), Reader(has_room=False)
    task = scene.start(quick, slow)
    scene.source.send(*[bytes(PIECE)] * 20)
    scene.source.end()
    await task
    assert quick.content == slow.content == bytes(20 * PIECE)


async def test_several_slow_readers_are_waited_for(scene: Scene) -> None:
    """If nobody has room, nothing is read; as soon as one has, it goes on."""
    readers = [Reader(has_room=False), Reader(has_room=False)]
    task = scene.start(*readers)
    scene.source.send(*[bytes(PIECE)] * 20)
    scene.source.end()
    await turns(100)
    assert not task.done()
    assert scene.source.taken * PIECE <= WINDOW + PIECE
    readers[1].room.set()
    await task
    assert [reader.end for reader in readers] == ["whole"] * 2


async def test_who_is_too_far_behind_goes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not read at all is left behind after a while, and is told so; the others get all."""
    monkeypatch.setattr(spools, "PATIENCE", 0.01)
    quick, stuck = Reader(), Reader(has_room=False)
    task = scene.start(quick, stuck)
    count = LAG // PIECE + 8
    scene.source.send(*[bytes(PIECE)] * count)
    scene.source.end()
    await task
    assert len(quick.content) == count * PIECE
    assert quick.end == "whole"
    assert isinstance(stuck.end, Exception)
    assert len(stuck.content) <= LAG + 2 * PIECE


async def test_who_is_behind_and_reads_again_stays(scene: Scene) -> None:
    """One that is far behind and begins to read again within that time gets all."""
    quick, slow = Reader(), Reader(has_room=False)
    task = scene.start(quick, slow)
    count = LAG // PIECE + 8
    scene.source.send(*[bytes(PIECE)] * count)
    scene.source.end()
    await turns(3 * count)
    assert not task.done()
    slow.room.set()
    await task
    assert slow.content == quick.content
    assert slow.end == "whole"
