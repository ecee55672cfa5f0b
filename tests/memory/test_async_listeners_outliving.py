"""Awaited listeners on several loops, and beyond the end: of their cache, of their loop, of the program."""

import asyncio
import gc
import threading
import weakref
from typing import Any, Final

import pytest

from asynccache.memory.listeners import EvictionNotices
from asynccache.protocols import EvictionCause
from tests.flight.gates import Gate, together, turns
from tests.flight.scripts import output_of, run_script
from tests.memory.listening import EVICTED, Listener, keys_of, left


@pytest.mark.one_loop
async def test_each_loop_hears_its_own() -> None:
    """What is told on a loop is heard on it; a listener at work on another loop can be stopped from here."""
    stuck = threading.Event()
    here, ended = Listener(), list[str]()

    async def hear(key: object, *removed: Any) -> None:
        if key == "here":
            await here.hear(key, *removed)
            return
        stuck.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(threading.current_thread().name)

    notices = EvictionNotices([hear], "prices")
    loops: list[asyncio.AbstractEventLoop] = []

    async def elsewhere() -> None:
        loops.append(asyncio.get_running_loop())
        notices.tell(left("there", "later"))
        await notices.drain()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()), name="another", daemon=True)
    thread.start()
    await asyncio.to_thread(stuck.wait, 10)
    notices.tell(left("here"))
    await together(notices.drain())
    assert (keys_of(here.heard), ended) == (["here"], [])
    notices.stop(loops[0])
    await asyncio.to_thread(thread.join, 10)
    assert (thread.is_alive(), ended, notices.dropped) == (False, ["another"], 1)
    notices.stop(loops[0])  # closed by now


def test_one_loop_after_the_other() -> None:
    """On a new loop listeners hear again, whatever was cut off at the end of the last one."""
    gate: Gate[None] = Gate()
    listener = Listener(gate)
    notices = EvictionNotices([listener.hear], "prices")

    async def cut_off() -> None:
        notices.tell(left(1, 2))
        await turns()

    async def whole() -> None:
        listener.gate = None
        notices.tell(left(3))
        await notices.drain()

    asyncio.run(cut_off())
    asyncio.run(whole())
    assert (keys_of(listener.heard), gate.cancelled, notices.dropped) == ([1, 3], 1, 1)


async def test_notices_are_delivered_though_the_cache_has_gone() -> None:
    """What waits when a cache is dropped is still heard; then nothing of it is kept, nor of the values."""

    class Value:
        pass

    class Owner:
        def __init__(self) -> None:
            self.notices = EvictionNotices([hear], "prices")

    gate: Gate[None] = Gate()
    heard: list[object] = []

    async def hear(key: object, _value: object, _cause: EvictionCause) -> None:
        await gate.load(key)
        heard.append(key)

    owner, value = Owner(), Value()
    owner.notices.tell([(1, value, EVICTED), (2, value, EVICTED)])
    await turns()
    owner_ref, notices_ref, value_ref = weakref.ref(owner), weakref.ref(owner.notices), weakref.ref(value)
    del owner, value
    gc.collect()
    assert owner_ref() is None
    for _ in range(2):
        gate.give(None)
        await turns()
    assert heard == [1, 2]
    gc.collect()
    assert (notices_ref(), value_ref()) == (None, None)


async def test_a_listener_at_work_is_held_when_the_cache_goes() -> None:
    """It ends its work, though nothing but what it waits for leads to it, and that is held by nobody else."""
    waits: weakref.WeakSet[asyncio.Future[None]] = weakref.WeakSet()
    heard: list[object] = []

    async def hear(key: object, *_: object) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits.add(future)
        await future
        heard.append(key)

    EvictionNotices([hear], "prices").tell(left(1))
    await turns()
    gc.collect()
    for future in waits:
        future.set_result(None)
    await turns()
    assert heard == [1]


START: Final = """
    import asyncio
    from asynccache.memory.listeners import EvictionNotices
    from asynccache.protocols import EvictionCause

    def left(*keys):
        return [(key, key, EvictionCause.CAPACITY) for key in keys]

    async def hear(key, value, cause):
        print("hears", key)
        try:
            await {waits}
        finally:
            print("ends")

    notices = EvictionNotices([hear], "prices")
"""


def test_a_loop_that_ends_under_a_listener_is_silent() -> None:
    """The end of the program cancels the listener at work, what waits is forgotten, and nobody complains."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def main():
        notices.tell(left(1, 2))
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(main())
    print(notices.dropped, notices.callback_errors)
    """
    assert output_of(script).split("\n") == ["hears 1", "ends", "1 0", ""]


def test_entries_that_leave_while_the_loop_ends_make_no_noise() -> None:
    """A task that is cleaning up may make entries leave: a listener that begins only then is not complained about."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def clean_up():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            notices.tell(left(1))

    async def main():
        task = asyncio.create_task(clean_up())
        await asyncio.sleep(0)

    asyncio.run(main())
    """
    assert output_of(script).startswith("hears 1\n")


def test_a_loop_closed_by_hand_makes_no_noise() -> None:
    """Nor is a listener that was at work when its loop was closed, without being cancelled."""
    script = f"""{START.format(waits="asyncio.get_running_loop().create_future()")}
    async def main():
        notices.tell(left(1, 2))
        for _ in range(5):
            await asyncio.sleep(0)

    import gc

    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        notices.stop(loop)
    del loop
    gc.collect()
    print(notices.callback_errors)
    """
    said = output_of(script).split("\n")[:4]  # the first one ends when its loop is collected, sooner or later
    assert (sorted(said[:3]), said[3]) == (["ends", "hears 1", "hears 1"], "0")


def test_system_exit_in_a_listener_ends_the_program() -> None:
    """With the exit code that it gives, and in silence."""
    script = f"""{START.format(waits="leave()")}
    async def leave():
        raise SystemExit(7)

    async def main():
        notices.tell(left(1))
        await asyncio.get_running_loop().create_future()

    asyncio.run(main())
    """
    done = run_script(script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hears 1\nends\n", "")


def test_a_forked_child_starts_clean() -> None:
    """A child hears what is told in the child, and nothing of what waits in the parent."""
    script = f"""{START.format(waits="asyncio.sleep(0)")}
    import os

    async def child():
        notices.tell(left("child"))
        await notices.drain()

    async def main():
        notices.tell(left("parent"))
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            await notices.drain()
            return
        asyncio._set_running_loop(None)
        asyncio.run(child())
        os._exit(0)

    asyncio.run(main())
    """
    assert output_of(script, "-u").split("\n") == ["hears child", "ends", "hears parent", "ends", ""]
