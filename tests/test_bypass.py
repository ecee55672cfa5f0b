"""A switch's modes hold for the code inside of the `with`, and for the tasks started there; for nobody else."""

import asyncio
import contextvars
import gc
import threading
import weakref
from contextlib import ExitStack

import pytest

from asynccache.bypass import Bypass, Switch

DISABLED, REFRESHING = Bypass.DISABLED, Bypass.REFRESHING


def test_a_mode_holds_inside_and_ends_with_it() -> None:
    """Nothing holds before and after; the inner of two counts, and then the outer again."""
    switch = Switch()
    seen = [switch.mode()]
    with switch.turn(DISABLED):
        seen.append(switch.mode())
        with switch.turn(REFRESHING):
            seen.append(switch.mode())
        seen.append(switch.mode())
    assert [*seen, switch.mode()] == [None, DISABLED, REFRESHING, DISABLED, None]


def test_used_is_true_for_ever_from_the_first_use() -> None:
    """Making the context manager is no use; entering it is, and stays one after leaving."""
    switch, other = Switch(), Switch()
    turn = switch.turn(DISABLED)
    assert not switch.used
    with turn:
        assert switch.used
    assert switch.used
    assert not other.used


def test_switches_do_not_know_of_each_other() -> None:
    """Each cache has its own mode, whichever is turned inside the other, and in whatever order they are left."""
    one, two = Switch(), Switch()
    outer, inner = one.turn(DISABLED), two.turn(REFRESHING)
    with outer, inner:
        assert (one.mode(), two.mode()) == (DISABLED, REFRESHING)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert (one.mode(), two.mode()) == (None, REFRESHING)
    inner.__exit__(None, None, None)
    assert (one.mode(), two.mode()) == (None, None)


def test_left_in_the_wrong_order_nothing_stays() -> None:
    """Of one switch's turns the innermost that has not been left counts, and in the end there is none."""
    switch = Switch()
    outer, inner = switch.turn(DISABLED), switch.turn(REFRESHING)
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert switch.mode() is REFRESHING
    inner.__exit__(None, None, None)
    assert switch.mode() is None


def test_a_context_manager_can_be_used_again_and_within_itself() -> None:
    """One object serves for many `with`, also nested, with others in between."""
    switch = Switch()
    turn = switch.turn(DISABLED)
    for _ in range(2):
        with turn, switch.turn(REFRESHING), turn:
            assert switch.mode() is DISABLED
            with ExitStack() as stack:
                stack.enter_context(turn)
            assert switch.mode() is DISABLED
        assert switch.mode() is None


def test_used_again_within_itself_the_order_is_kept() -> None:
    """Leaving the inner use of one object gives back what held between the two."""
    switch = Switch()
    turn = switch.turn(DISABLED)
    with turn, switch.turn(REFRESHING):
        with turn:
            assert switch.mode() is DISABLED
        assert switch.mode() is REFRESHING


def test_exceptions_pass_through() -> None:
    """What is raised inside comes out, and the mode is over."""
    switch = Switch()
    with pytest.raises(LookupError), switch.turn(DISABLED):
        raise LookupError
    assert switch.mode() is None


async def test_tasks_started_inside_have_the_mode_and_others_not() -> None:
    """A child has its parent's mode, also after the parent has left; a task that ran before has none."""
    switch = Switch()
    begin = asyncio.Event()

    async def look() -> Bypass | None:
        await begin.wait()
        return switch.mode()

    before = asyncio.create_task(look())
    with switch.turn(DISABLED):
        inside = asyncio.create_task(look())
        await asyncio.sleep(0)
    after = asyncio.create_task(look())
    begin.set()
    assert list(await asyncio.gather(before, inside, after)) == [None, DISABLED, None]


async def test_a_child_leaves_its_parent_alone() -> None:
    """What a child turns holds in the child only, and one object may be inside in several tasks at once."""
    switch = Switch()
    disabled, refreshing = switch.turn(DISABLED), switch.turn(REFRESHING)
    reached, leave = asyncio.Event(), asyncio.Event()

    async def child() -> list[Bypass | None]:
        seen = [switch.mode()]
        with refreshing, disabled:
            reached.set()
            await leave.wait()
            seen.append(switch.mode())
        return [*seen, switch.mode()]

    with refreshing:
        running = asyncio.create_task(child())
        await reached.wait()
        assert switch.mode() is REFRESHING
    assert switch.mode() is None
    with disabled:
        leave.set()
        assert await running == [REFRESHING, DISABLED, REFRESHING]
    assert switch.mode() is None


def test_threads_are_others() -> None:
    """Another thread has no mode, except in a copy of the context."""
    switch = Switch()
    seen: list[Bypass | None] = []

    def look() -> None:
        seen.append(switch.mode())

    with switch.turn(DISABLED):
        context = contextvars.copy_context()
        for target in (lambda: contextvars.Context().run(look), lambda: context.run(look)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [None, DISABLED]


def test_left_in_another_context_than_entered() -> None:
    """As generators and fixtures may be: it raises nothing, and changes nothing there."""
    switch = Switch()
    turn = switch.turn(DISABLED)
    context = contextvars.copy_context()
    context.run(turn.__enter__)
    with switch.turn(REFRESHING):
        turn.__exit__(None, None, None)
        assert switch.mode() is REFRESHING
    assert context.run(switch.mode) is DISABLED


def test_after_the_with_nothing_is_kept() -> None:
    """A switch that was turned can be freed afterwards, though contexts were copied before and after."""

    class Cache:
        def __init__(self) -> None:
            self.switch = Switch()

    cache = Cache()
    switch_is_freed = threading.Event()
    contexts = [contextvars.copy_context()]
    with cache.switch.turn(DISABLED):
        pass
    contexts.append(contextvars.copy_context())
    weakref.finalize(cache.switch, switch_is_freed.set)
    del cache
    gc.collect()
    assert switch_is_freed.is_set()
    assert len(contexts) == 2


def test_a_context_copied_inside_does_not_keep_the_cache() -> None:
    """A task that outlives its cache, and was started inside, holds the switch and nothing more."""

    class Cache:
        def __init__(self) -> None:
            self.switch = Switch()

    cache = Cache()
    alive = weakref.ref(cache)
    with cache.switch.turn(DISABLED):
        context = contextvars.copy_context()
        del cache
        gc.collect()
        assert alive() is None
    assert context is not None
