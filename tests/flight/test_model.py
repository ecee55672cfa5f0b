"""Callers, cancellations, invalidations and loads in any order, step by step, against an obvious model."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.flight.model import Promises
from tests.flight.world import KEYS, World

Step: TypeAlias = tuple[str, int, int]

COMMANDS: Final = ("give", "give", "fail", "cancel", "ask", "ask")

STEPS: Final[dict[str, Callable[[World, int, int], object]]] = {
    "turn": lambda world, _a, _b: world.turn(),
    "turn again": lambda world, _a, _b: world.turn(),
    "turn often": lambda world, a, _b: world.turn(a % 4),
    "call": lambda world, a, b: world.call(a % len(KEYS), b % 3),
    "call too": lambda world, a, b: world.call(a % len(KEYS), b % 3),
    "call key 0": lambda world, _a, b: world.call(0, b % 3),
    "refresh": lambda world, a, b: world.call(a % len(KEYS), b % 3, refresh=True),
    "cancel": lambda world, a, _b: world.cancel(a),
    "cancel another": lambda world, a, _b: world.cancel(a),
    "tell": lambda world, a, b: world.tell(a, (COMMANDS[b % len(COMMANDS)], a)),
    "tell to ask": lambda world, a, b: world.tell(a, ("ask", b)),
    "invalidate": lambda world, a, _b: world.invalidate(a % len(KEYS)),
    "put": lambda world, a, _b: world.put(a % len(KEYS)),
    "clear": lambda world, _a, _b: world.clear(),
    "advance": lambda world, a, _b: world.advance(a % 4),
    "loads begin by": lambda world, a, b: setattr(world, "opening", (COMMANDS[b % len(COMMANDS)], a)),
    "loads begin by asking": lambda world, a, _b: setattr(world, "opening", ("ask", a)),
    "loads begin by waiting": lambda world, _a, _b: setattr(world, "opening", None),
    "loads at once": lambda world, a, _b: setattr(world, "at_once", a % 2 == 0),
}

PROMISES: Final = st.builds(
    Promises,
    on_abandon=st.sampled_from(["cancel", "finish", 5.0]),
    maxsize=st.sampled_from([None, 1, 0]),
    ttl=st.sampled_from([None, 7.0]),
)
HISTORIES: Final = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=40, max_size=80
)


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every kind of loop that is to be had here."""
    kinds: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop,
        "uvloop": uvloop.new_event_loop,
    }
    if sys.version_info >= (3, 12):
        kinds["eager"] = eager_loop
    return kinds


if sys.version_info >= (3, 12):

    def eager_loop() -> asyncio.AbstractEventLoop:
        """A loop whose tasks run up to their first wait as soon as they are made."""
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop


@pytest.fixture(params=loops())
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is turned by hand."""
    kinds: dict[str, Any] = loops()
    with contextlib.closing(kinds[request.param]()) as made:
        yield made


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(promises=PROMISES, history=HISTORIES)
def test_whatever_happens_in_whatever_order_the_promises_hold(
    loop: asyncio.AbstractEventLoop, promises: Promises, history: list[Step]
) -> None:
    """Everybody gets what the model says, nothing stale is stored, no load is lost, and nothing is left."""
    world = World(loop, promises)
    try:
        for name, a, b in history:
            STEPS[name](world, a, b)
            world.look()
            assert world.errors_of_callers() == []
        world.finish()
        assert world.errors_of_callers() == []
    finally:
        end_all(loop)


def end_all(loop: asyncio.AbstractEventLoop) -> None:
    """Leave no task to the next history, whatever became of this one."""
    for _ in range(20):
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()
