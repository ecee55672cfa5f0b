"""Old values, tags, time limits and failures in any order, step by step, against an obvious model."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.flight.test_model import end_all, loops
from tests.freshness.model_promises import Promises
from tests.freshness.model_world import KEYS, TAGS, Command, World

Step: TypeAlias = tuple[str, int, int]

COMMANDS: Final[tuple[Command, ...]] = ("give", "give", "outage", "answer", "passing answer", "cancelled", "hang")
TIMES: Final = (0.25, 0.75, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0, 12.0)
KEY: Final = len(KEYS)


def advance_and_call(world: World, a: int, b: int) -> None:
    """Let a call come at an edge that time has just reached."""
    world.advance(TIMES[a])
    world.call(b % KEY)


STEPS: Final[dict[str, Callable[[World, int, int], object]]] = {
    "call": lambda world, a, _b: world.call(a % KEY),
    "call again": lambda world, a, _b: world.call(a % KEY),
    "call key 0": lambda world, _a, _b: world.call(0),
    "call by several": lambda world, a, b: world.call(a % KEY, 2 + b % 2),
    "refresh": lambda world, a, _b: world.call(a % KEY, refresh=True),
    "advance": lambda world, a, _b: world.advance(TIMES[a]),
    "advance again": lambda world, a, _b: world.advance(TIMES[a]),
    "advance, call": advance_and_call,
    "loads will": lambda world, a, _b: setattr(world, "command", COMMANDS[a % len(COMMANDS)]),
    "loads will hang": lambda world, _a, _b: setattr(world, "command", "hang"),
    "loads will fail": lambda world, _a, _b: setattr(world, "command", "outage"),
    "loads will be stubborn": lambda world, a, _b: setattr(world.model, "stubborn", a % 2 == 0),
    "finish": lambda world, a, b: world.finish(a, COMMANDS[b % len(COMMANDS)]),
    "finish well": lambda world, a, _b: world.finish(a, "give"),
    "invalidate": lambda world, a, _b: world.invalidate(a % KEY),
    "invalidate tag": lambda world, a, _b: world.invalidate_tag(TAGS[a % len(TAGS)]),
    "invalidate all": lambda world, _a, _b: world.invalidate_tag("fixed"),
    "put": lambda world, a, _b: world.put(a % KEY),
    "clear": lambda world, _a, _b: world.clear(),
    "look": lambda world, a, _b: world.look(a % KEY),
    "cancel": lambda world, a, _b: world.cancel(a),
}


@st.composite
def promises(draw: st.DrawFn) -> Promises:
    """Options that may stand together."""
    ttl: Any = draw(st.sampled_from([10.0, 10.0, 4.0, "by value", None]))
    after: dict[str, Any] = {}
    if ttl is not None:
        after["stale"] = draw(st.sampled_from([0.0, 3.0, 20.0]))
        after["stale_if_error"] = draw(st.sampled_from([0.0, 5.0, 12.0]))
        after["refresh_ahead"] = draw(st.sampled_from([1.0, 0.5, 0.75]))
        after["soft_timeout"] = draw(st.sampled_from([None, 2.0])) if after["stale_if_error"] else None
    return Promises(
        ttl=ttl,
        **after,
        error_backoff=draw(st.sampled_from([1.0, 0.0, 2.0, 7.0])),
        idle=draw(st.sampled_from([None, None, 6.0, 11.0])),
        remembers=draw(st.sampled_from([None, 5.0])),
        tags=draw(st.sampled_from(["none", "fixed", "by value"])),
        timeout=draw(st.sampled_from([None, 6.0])),
        picky=draw(st.booleans()),
        on_abandon=draw(st.sampled_from(["cancel", "finish", 5.5])),
        max_refreshes=draw(st.sampled_from([1, 32])),
    )


HISTORIES: Final = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=15, max_size=60
)


@pytest.fixture(params=loops())
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is turned by hand."""
    kinds: dict[str, Any] = loops()
    with contextlib.closing(kinds[request.param]()) as made:
        yield made


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(promises=promises(), history=HISTORIES)
def test_whatever_happens_everybody_is_given_what_was_promised(
    loop: asyncio.AbstractEventLoop, promises: Promises, history: list[Step]
) -> None:
    """Callers get what the model says and when, no load too many is started, and all that is counted adds up."""
    world = World(loop, promises)
    try:
        for name, a, b in history:
            STEPS[name](world, a, b)
            world.settle()
            world.count()
        world.end()
    finally:
        end_all(loop)
