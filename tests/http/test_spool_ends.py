"""How bodies on their way end: given up, broken off, cancelled, or not to be kept."""

import asyncio

import pytest

from asynccache.http.answering import spool as spools
from asynccache.http.answering.sinks import NullSink
from asynccache.http.answering.spool import SHORT, WINDOW, Spool
from tests.flight.gates import turns
from tests.http.spool_scenes import PIECE, Reader, Scene


@pytest.fixture
def scene() -> Scene:
    """A new scene."""
    return Scene()


async def test_the_last_to_leave(scene: Scene) -> None:
    """With nobody left the rest is not read, what was written is deleted, and the origin is let go."""
    readers = [Reader(), Reader()]
    task = scene.start(*readers)
    scene.source.send(b"one")
    await turns()
    scene.spool.leave(readers[0])
    await turns()
    assert not task.done()
    scene.spool.leave(readers[1])
    assert not scene.spool.may_be_joined
    await asyncio.wait([task])
    assert task.cancelled()
    assert (scene.writer.is_abandoned, scene.let_go, scene.told) == (True, 1, [])
    assert scene.source.is_closed


async def test_a_short_rest_is_read_for_nobody() -> None:
    """Who does not mind leaves a short body to be read to its end, and kept."""
    scene = Scene(length=SHORT)
    reader = Reader()
    task = scene.start(reader)
    scene.source.send(b"one")
    await turns()
    scene.spool.leave(reader, may_be_finished=True)
    assert not scene.spool.is_wanted
    scene.source.send(b"two")
    scene.source.end()
    await task
    assert (scene.writer.content, scene.told, scene.let_go) == (b"onetwo", [True], 0)


@pytest.mark.parametrize("length", [None, SHORT + 1])
async def test_a_long_rest_is_not(length: int | None) -> None:
    """A body that is long, or may be, is not read for nobody."""
    scene = Scene(length=length)
    task = scene.start(reader := Reader())
    await turns()
    scene.spool.leave(reader, may_be_finished=True)
    await asyncio.wait([task])
    assert (scene.writer.is_abandoned, scene.let_go) == (True, 1)


async def test_a_short_rest_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is short and does not come for a while is given up after all."""
    monkeypatch.setattr(spools, "PATIENCE", 0.01)
    scene = Scene(length=SHORT)
    task = scene.start(reader := Reader())
    await turns()
    scene.spool.leave(reader, may_be_finished=True)
    await asyncio.wait([task], timeout=3)
    assert (scene.writer.is_abandoned, scene.let_go) == (True, 1)


async def test_a_body_that_breaks_off(scene: Scene) -> None:
    """The error that it breaks off with is each reader's, what was written is deleted, and nobody may come."""
    readers = [Reader(), Reader()]
    task = scene.start(*readers)
    scene.source.send(b"one")
    scene.source.end(error := OSError("cut"))
    await task
    assert [reader.end for reader in readers] == [error] * 2
    assert (scene.writer.is_abandoned, scene.let_go, scene.told) == (True, 1, [])
    assert not scene.spool.may_be_joined


async def test_what_is_not_kept_is_read_all_the_same() -> None:
    """If the store takes no more, readers do not notice."""
    scene = Scene(most=4)
    task = scene.start(reader := Reader())
    scene.source.send(b"one", b"two", b"six")
    scene.source.end()
    await task
    assert (reader.content, reader.end, scene.told) == (b"onetwosix", "whole", [False])


async def test_storing_that_fails_is_no_readers_affair(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Who has got all of it need not know that it could not be stored; a log does."""

    async def fail(_: bool) -> None:
        raise ZeroDivisionError

    spool = Spool(scene.source.chunks(), done=fail)
    task = spool.start()
    spool.attach(reader := Reader())
    scene.source.end()
    await task
    assert reader.end == "whole"
    assert "ZeroDivisionError" in caplog.text


async def test_cancelled_before_it_has_begun(scene: Scene) -> None:
    """A spool that is ended in the turn in which it was made lets the origin go, and tells its readers."""
    task = scene.start(reader := Reader())
    task.cancel()
    await asyncio.wait([task])
    await turns()
    assert scene.let_go == 1
    assert isinstance(reader.end, ConnectionResetError)


@pytest.mark.parametrize("turn", range(1, 12))
async def test_cancelled_after_any_turn(scene: Scene, turn: int) -> None:
    """Ended at any time, it leaves nothing written, lets the origin go once, and tells its readers; or it is whole."""
    reader = Reader()
    task = scene.start(reader)
    scene.source.send(b"one", b"two")
    scene.source.end()
    await turns(turn)
    task.cancel()
    await asyncio.wait([task])
    if scene.told:
        assert (reader.end, scene.let_go) == ("whole", 0)
    else:
        assert isinstance(reader.end, ConnectionResetError)
        assert (scene.writer.is_abandoned, scene.let_go) == (True, 1)


async def test_a_slow_store_is_waited_for(scene: Scene) -> None:
    """Of a large body no more lies in memory than the window and a piece, if the store does not keep up."""
    scene.writer.gate = asyncio.Event()
    task = scene.start(Reader())
    scene.source.send(*[bytes(PIECE)] * 20)
    scene.source.end()
    await turns(60)
    assert scene.source.taken * PIECE <= WINDOW
    scene.writer.gate.set()
    await task
    assert scene.told == [True]


async def test_given_up_while_a_piece_is_written(scene: Scene) -> None:
    """If all go while a piece is on its way to the store, nothing of it stays."""
    task = scene.start(reader := Reader())
    scene.source.send(*[bytes(PIECE)] * 8)
    await turns(40)
    scene.writer.gate = asyncio.Event()
    scene.source.send(bytes(PIECE))
    await turns(10)
    scene.spool.leave(reader)
    await asyncio.wait([task], timeout=3)
    assert (scene.writer.is_abandoned, scene.let_go) == (True, 1)


async def test_the_leader_that_is_not_coming(scene: Scene) -> None:
    """If the one for whom it was begun has gone, and nobody else comes in a moment, it is given up."""
    task = scene.start()
    scene.spool.expect_no_leader()
    await asyncio.wait([task], timeout=3)
    await turns()
    assert scene.let_go == 1


async def test_a_null_sink_waits_for_the_end(scene: Scene) -> None:
    """Who reads for nobody is told when it is over, and what broke."""
    sink = NullSink()
    task = scene.spool.start()
    scene.spool.attach(sink)
    assert not scene.spool.is_wanted
    assert scene.spool.is_read
    scene.source.end(OSError("cut"))
    with pytest.raises(OSError, match="cut"):
        await sink.wait()
    await task
