"""KeyboardInterrupt and SystemExit in a load end the program, as they do anywhere else, and leave no loose ends."""

import pytest

from tests.flight.scripts import run_script

SCRIPT = """
    import asyncio
    from asynccache import async_cached
    from asynccache.testing import live_flights

    ended = []

    @async_cached
    async def load(key):
        for _ in range({turns}):
            await asyncio.sleep(0)
        raise {error}

    async def caller():
        try:
            await load(1)
        except asyncio.CancelledError:
            ended.append("CancelledError")
            raise
        except Exception as error:
            ended.append(type(error).__name__)

    async def main():
        await asyncio.wait([asyncio.create_task(caller()) for _ in range({callers})])

    try:
        asyncio.run(main())
    finally:
        told = set(ended) <= {{"LoadCancelled", "CancelledError"}}
        print(len(ended), told, live_flights(), load.cache_info().currsize)
"""


@pytest.mark.parametrize(("callers", "turns"), [(1, 0), (3, 1), (3, 3)])
def test_system_exit_in_a_load_ends_the_program(callers: int, turns: int) -> None:
    """With the exit code that it gives and in silence; every caller has ended, and nothing is in the air or stored."""
    done = run_script(SCRIPT.format(error="SystemExit(7)", callers=callers, turns=turns))
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{callers} True [] 0\n"


@pytest.mark.parametrize(("callers", "turns"), [(1, 0), (3, 1), (3, 3)])
def test_keyboard_interrupt_in_a_load_ends_the_program(callers: int, turns: int) -> None:
    """With Python's own message, and with no complaint of asyncio's beside it."""
    done = run_script(SCRIPT.format(error="KeyboardInterrupt", callers=callers, turns=turns))
    assert done.returncode != 0
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "never retrieved" not in done.stderr
    assert "was destroyed" not in done.stderr
    assert done.stdout == f"{callers} True [] 0\n"


def test_several_loads_that_exit_in_one_turn_end_the_program_once() -> None:
    """The first ends the loop; the others do not get in the way of its tidying up."""
    done = run_script(SCRIPT.format(error="SystemExit(7)", callers=3, turns=0).replace("load(1)", "load(object())"))
    assert (done.returncode, done.stderr) == (7, "")
