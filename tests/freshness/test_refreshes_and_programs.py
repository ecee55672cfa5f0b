"""Refreshes, slow loads and the ends of programs and loops: nothing to complain about, nothing lost."""

import pytest

from tests.flight.scripts import output_of, run_script

SETTING = """
    import asyncio, sys
    from asynccache import async_cached
    from asynccache.testing import ManualClock, live_flights

    clock, calls = ManualClock(), []

    async def stuck():
        await asyncio.get_running_loop().create_future()

    @async_cached(ttl=10, stale=1000, stale_if_error=1000, timeout=500, soft_timeout=300, clock=clock)
    async def load(key):
        calls.append(key)
        if len(calls) == 2:
            await second()
        return len(calls)

    second = stuck

    async def read():
        value = await load(1)
        for _ in range(5):
            await asyncio.sleep(0)
        return value

    async def grow_old():
        await read()
        clock.advance(11)
        return await read()
"""


@pytest.mark.parametrize("after", ["", "sys.exit()", "raise SystemExit(0)"])
def test_a_program_that_ends_while_it_refreshes(after: str) -> None:
    """It ends at once, with nothing to say: not of a task that is pending, nor of an exception."""
    script = f"{SETTING}\n    print(asyncio.run(grow_old()), calls)\n    {after}\n"
    assert output_of(script) == "1 [1, 1]\n"


def test_a_loop_that_is_closed_by_hand_while_it_refreshes() -> None:
    """There is nothing to say either, at once or at the interpreter's end."""
    script = (
        SETTING
        + """
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(grow_old()))
    loop.close()
    del loop
    print(asyncio.run(read()), asyncio.run(read()), calls)
"""
    )
    assert output_of(script) == "1\n1 3 [1, 1, 1]\n"


def test_the_next_loop_after_one_that_ended_while_it_refreshed() -> None:
    """The refresh was cancelled with its loop: that is a failure, and after a second the next loop refreshes."""
    script = (
        SETTING
        + """
    print(asyncio.run(grow_old()), live_flights())
    print(asyncio.run(read()), calls)
    clock.advance(1)
    print(asyncio.run(read()), asyncio.run(read()), calls)
"""
    )
    assert output_of(script) == "1 []\n1 [1, 1]\n1 3 [1, 1, 1]\n"


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_an_interrupt_in_a_refresh(error: str) -> None:
    """It ends the loop's run, as it would anywhere; the old value stays, and is served in the next run."""
    script = (
        SETTING
        + f"""
    async def interrupted():
        raise {error}(3)

    second = interrupted
    try:
        asyncio.run(grow_old())
    except {error} as error:
        print(repr(error), live_flights())
    print(asyncio.run(read()), calls)
"""
    )
    assert output_of(script) == f"{error}(3) []\n1 [1, 1]\n"


def test_an_interrupt_that_nobody_catches() -> None:
    """It ends the program as it would anywhere, with one traceback and nothing else."""
    script = (
        SETTING
        + """
    async def interrupted():
        raise SystemExit("the end")

    second = interrupted
    asyncio.run(grow_old())
"""
    )
    done = run_script(script)
    assert (done.returncode, done.stderr.strip()) == (1, "the end")
