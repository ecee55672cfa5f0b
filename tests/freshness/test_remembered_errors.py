"""`errors`: exceptions that are answers are remembered for so long, and raised as if for the first time."""

import asyncio
import gc
import traceback
import weakref

import pytest

from asynccache import async_cached
from asynccache.errors import LoadTimeout
from asynccache.testing import ManualClock
from tests.flight.gates import callers, outcome, turns
from tests.freshness.aging import MOMENT, Scene


class NotFound(LookupError):
    """An answer."""


class NoSuchUser(NotFound):
    """A more special answer."""


class Big:
    """Stands for much memory."""


async def answered(scene: Scene, error: Exception, key: int = 1) -> object:
    """Let a load end with an error; tell what its caller got."""
    (caller,) = await callers(scene.load, 1, key)
    scene.gate.fail(error)
    return await outcome(caller)


async def test_an_answer_is_remembered_for_its_time() -> None:
    """Calls within the given seconds get the error without a load; at their end the next call loads."""
    scene = Scene(errors={NotFound: 5})
    await answered(scene, NotFound("user 7"))
    scene.clock.advance(5 - MOMENT)
    for _ in range(3):
        error = await scene.read()
        assert (type(error), str(error)) == (NotFound, "user 7")
    assert scene.gate.calls == [1]
    scene.clock.advance(MOMENT)
    await scene.fill("value")
    assert await scene.read() == "value"


async def test_other_errors_are_not_remembered() -> None:
    """An error that no type names reaches those who wait, and the next call loads."""
    scene = Scene(errors={NotFound: 5})
    for _ in range(2):
        assert isinstance(await answered(scene, LookupError()), LookupError)
    assert scene.gate.calls == [1, 1]
    assert scene.load.cache_info().currsize == 0


@pytest.mark.parametrize(("error", "remembered"), [(NoSuchUser(), 2), (NotFound(), 5), (KeyError(), 9), (OSError(), 0)])
async def test_the_most_special_type_decides(error: Exception, remembered: float) -> None:
    """Of several types that fit, the nearest to the error's own counts, in whatever order they are written."""
    scene = Scene(errors={LookupError: 9, NotFound: 5, NoSuchUser: 2})
    await answered(scene, error)
    if remembered:
        scene.clock.advance(remembered - MOMENT)
        assert type(await scene.read()) is type(error)
        scene.clock.advance(MOMENT)
    assert await scene.read() == "waits"


async def test_a_time_of_nothing_and_a_time_without_end() -> None:
    """0 remembers a special type not at all, though a more general one is; None remembers for ever."""
    scene = Scene(errors={LookupError: None, NotFound: 0})
    await answered(scene, KeyError(), 1)
    await answered(scene, NotFound(), 2)
    scene.clock.advance(1e9)
    assert isinstance(await scene.read(1), KeyError)
    assert await scene.read(2) == "waits"


@pytest.mark.parametrize("error", [asyncio.CancelledError(), MemoryError(), RecursionError()], ids=repr)
async def test_what_is_no_answer_is_not_remembered(error: BaseException) -> None:
    """A load that was cancelled, or for which there was no memory or stack, has no answer, whatever types are named."""
    scene = Scene(errors={Exception: 5})
    for _ in range(2):
        (caller,) = await callers(scene.load, 1)
        scene.gate.fail(error)
        assert isinstance(await outcome(caller), Exception)
    assert scene.gate.calls == [1, 1]


async def test_a_load_that_takes_too_long_has_no_answer() -> None:
    """`LoadTimeout` says nothing about what was asked for: it is not remembered as any exception may be."""
    scene = Scene(errors={Exception: 5}, timeout=3)
    for _ in range(2):
        (caller,) = await callers(scene.load, 1)
        scene.clock.advance(3)
        assert isinstance(await outcome(caller), LoadTimeout)
    assert scene.gate.calls == [1, 1]


async def test_all_who_wait_and_all_who_come() -> None:
    """Those who wait share the load's own error; each later call gets a new one of the same type and words."""
    scene = Scene(errors={NotFound: 5})
    waiting = await callers(scene.load, 3)
    scene.gate.fail(NotFound("user", 7))
    first = [await outcome(task) for task in waiting]
    assert len({id(error) for error in first}) == 1
    later = [await scene.read() for _ in range(5)]
    assert len({id(error) for error in [first[0], *later]}) == 6
    assert [(type(error), error.args) for error in later if isinstance(error, NotFound)] == [
        (NotFound, ("user", 7))
    ] * 5


async def test_what_the_load_held_is_let_go() -> None:
    """A remembered error keeps no frame: what was in the load's variables dies when its callers have let go of it."""
    clock = ManualClock()
    held: list[weakref.ref[Big]] = []

    @async_cached(errors={NotFound: 5}, clock=clock)
    async def load(key: int) -> None:
        big = Big()
        held.append(weakref.ref(big))
        try:
            raise KeyError(key)
        except KeyError as error:
            raise NotFound(key) from error

    with pytest.raises(NotFound):
        await load(1)
    await turns()
    gc.collect()
    assert held[0]() is None
    with pytest.raises(NotFound):
        await load(1)
    assert len(held) == 1


async def test_tracebacks_do_not_grow() -> None:
    """However often it is raised, the traceback shows the way to this caller and nothing of others, nor a cause."""
    scene = Scene(errors={NotFound: 5})
    await answered(scene, NotFound())
    lengths: list[int] = []
    for _ in range(200):
        with pytest.raises(NotFound) as raised:
            await scene.load(1)
        lengths.append(len(traceback.extract_tb(raised.value.__traceback__)))
        assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert len(set(lengths)) == 1


async def test_what_one_caller_adds_no_other_sees() -> None:
    """A note or an attribute that a caller puts on its error stays on that one."""
    scene = Scene(errors={NotFound: 5})
    await answered(scene, NotFound())
    for _ in range(2):
        with pytest.raises(NotFound) as raised:
            await scene.load(1)
        assert not hasattr(raised.value, "__notes__")
        assert vars(raised.value) == {}
        raised.value.add_note("seen")
        vars(raised.value)["extra"] = 1
