"""Messages about keys: none is lost between looking and waiting, and nobody is woken for another's key."""

import asyncio
import gc
import threading
import weakref

import pytest

from asynccache.locks.wakeups import Wakeups
from asynccache.testing import ManualClock
from tests.locks.world import turns


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def wakeups(clock: ManualClock) -> Wakeups:
    """Nobody listens yet."""
    return Wakeups(clock=clock)


async def test_a_message_while_waiting(wakeups: Wakeups) -> None:
    """Whoever waits for a key is woken by a message about it, and told that there was one."""
    with wakeups.listen([b"a", b"b"]) as call:
        waiting = asyncio.ensure_future(call.wait(60))
        await turns()
        wakeups.ring([b"c"])
        await turns()
        assert not waiting.done()
        wakeups.ring([b"c", b"b"])
        assert await waiting is True


async def test_a_message_before_waiting(wakeups: Wakeups) -> None:
    """A message that comes between listening and waiting ends the wait before it begins."""
    with wakeups.listen([b"a"]) as call:
        wakeups.ring([b"a"])
        assert await call.wait(60) is True


async def test_no_message(wakeups: Wakeups, clock: ManualClock) -> None:
    """When its time is over, one who waits is told that there was no message."""
    with wakeups.listen([b"a"]) as call:
        waiting = asyncio.ensure_future(call.wait(60))
        await turns()
        clock.advance(59)
        await turns()
        assert not waiting.done()
        clock.advance(1)
        assert await waiting is False


async def test_no_limit(wakeups: Wakeups, clock: ManualClock) -> None:
    """Without a limit one waits until there is a message."""
    with wakeups.listen([b"a"]) as call:
        waiting = asyncio.ensure_future(call.wait(None))
        await turns()
        clock.advance(1_000_000)
        await turns()
        assert not waiting.done()
        wakeups.ring([b"a"])
        assert await waiting is True


async def test_any_key_may_have_changed(wakeups: Wakeups) -> None:
    """A message about no key in particular wakes all."""
    with wakeups.listen([b"a"]) as one, wakeups.listen([b"b"]) as another:
        wakeups.ring(None)
        assert await one.wait(60) is True
        assert await another.wait(60) is True


async def test_several_who_listen(wakeups: Wakeups) -> None:
    """All who listen for a key are woken; one who has left is not, and keeps nobody from hearing."""
    with wakeups.listen([b"a"]) as one:
        with wakeups.listen([b"a"]) as left:
            pass
        with wakeups.listen([b"a"]) as another:
            wakeups.ring([b"a"])
            assert await one.wait(60) is True
            assert await another.wait(60) is True
    assert await left.wait(0) is False


async def test_nothing_is_kept(wakeups: Wakeups) -> None:
    """Who has left is forgotten, also after an error."""
    with pytest.raises(ZeroDivisionError), wakeups.listen([b"a"]) as call:
        raise ZeroDivisionError
    gone = weakref.ref(call)
    del call
    gc.collect()
    assert gone() is None


async def test_from_another_thread(wakeups: Wakeups) -> None:
    """A message from a thread without a loop arrives."""
    with wakeups.listen([b"a"]) as call:
        thread = threading.Thread(target=wakeups.ring, args=([b"a"],))
        thread.start()
        assert await call.wait(None) is True
        thread.join()


async def test_on_another_loop(wakeups: Wakeups) -> None:
    """A message reaches those who wait on a loop in another thread."""
    listening, heard = threading.Event(), threading.Event()

    async def wait() -> None:
        with wakeups.listen([b"a"]) as call:
            listening.set()
            if await call.wait(None):
                heard.set()

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    await asyncio.to_thread(listening.wait, 10)
    wakeups.ring([b"a"])
    await asyncio.to_thread(thread.join, 10)
    assert heard.is_set()


def test_a_loop_that_is_closed(wakeups: Wakeups) -> None:
    """A message for one whose loop was closed under it disturbs nobody."""

    async def listen() -> None:
        wakeups.listen([b"a"]).__enter__()

    asyncio.run(listen())
    wakeups.ring([b"a"])
