"""Old values, tags, time limits and failures in any order, step by step, against an obvious model."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.flight.test_model import end_all, loops
from tests.freshness.model_words import Promises
from tests.freshness.model_world import TAGS, Command, World

Step: TypeAlias = tuple[str, int, int]

COMMANDS: Final[tuple[Command, ...]] = ("give", "give", "outage", "answer", "passing answer", "cancelled", "hang")
TIMES: Final = (0.25, 0.75, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 10.0)
TO_ZERO: Final = 7
"""Of ten calls so many are for key 0: a history is about few keys, or nothing happens to any."""


def key_of(number: int) -> int:
    """Choose a key by a number from 0 to 9."""
    return 0 if number < TO_ZERO else 1


def advance_and_call(world: World, a: int, b: int) -> None:
    """Let a call come at an edge that time has just reached, and what it has cancelled has ended."""
    world.advance(TIMES[a])
    world.settle()
    world.call(key_of(b))


def call_often(world: World, a: int, b: int) -> None:
    """Let calls come again and again, a little later each time."""
    for _ in range(1 + b % 4):
        advance_and_call(world, a % 5, 0)
        world.settle()


def rarely(step: Callable[[World, int, int], object]) -> Callable[[World, int, int], object]:
    """Make a step one that is mostly left out: what forgets everything ends what was interesting before."""
    return lambda world, a, b: step(world, a, b) if b > TO_ZERO else None


STEPS: Final[dict[str, tuple[int, Callable[[World, int, int], object]]]] = {
    "call": (3, lambda world, a, _b: world.call(key_of(a))),
    "call by several": (1, lambda world, a, b: world.call(key_of(a), 2 + b % 2)),
    "refresh": (1, lambda world, a, _b: world.call(key_of(a), refresh=True)),
    "advance": (3, lambda world, a, _b: world.advance(TIMES[a])),
    "advance, call": (5, advance_and_call),
    "call often": (3, call_often),
    "loads will": (1, lambda world, a, _b: setattr(world, "command", COMMANDS[a % len(COMMANDS)])),
    "loads will give": (2, lambda world, _a, _b: setattr(world, "command", "give")),
    "loads will hang": (1, lambda world, _a, _b: setattr(world, "command", "hang")),
    "loads will fail": (2, lambda world, _a, _b: setattr(world, "command", "outage")),
    "loads will be stubborn": (1, lambda world, a, _b: setattr(world.model, "stubborn", a % 2 == 0)),
    "finish": (1, lambda world, a, b: world.finish(a, COMMANDS[b % len(COMMANDS)])),
    "finish well": (1, lambda world, a, _b: world.finish(a, "give")),
    "invalidate": (1, rarely(lambda world, a, _b: world.invalidate(key_of(a)))),
    "invalidate tag": (1, lambda world, a, _b: world.invalidate_tag(TAGS[a % len(TAGS)])),
    "invalidate all": (1, lambda world, _a, _b: world.invalidate_tag("fixed")),
    "put": (1, rarely(lambda world, a, _b: world.put(key_of(a)))),
    "clear": (1, rarely(lambda world, _a, _b: world.clear())),
    "look": (1, lambda world, a, _b: world.look(key_of(a))),
    "cancel": (1, lambda world, a, _b: world.cancel(a)),
}
"""What can happen, and how often it is to, each by two numbers from 0 to 9."""


@st.composite
def some_promises(draw: st.DrawFn) -> Promises:
    """Options that may stand together."""
    ttl: Any = draw(st.sampled_from([10.0, 10.0, 10.0, 4.0, "by value", None]))
    after: dict[str, Any] = {}
    if ttl is not None:
        after["stale"] = draw(st.sampled_from([3.0, 0.0, 20.0]))
        after["stale_if_error"] = draw(st.sampled_from([12.0, 5.0, 12.0, 0.0]))
        after["refresh_ahead"] = draw(st.sampled_from([0.5, 1.0, 0.75, 1.0]))
        after["soft_timeout"] = draw(st.sampled_from([None, 2.0])) if after["stale_if_error"] else None
    return Promises(
        ttl=ttl,
        **after,
        error_backoff=draw(st.sampled_from([2.0, 1.0, 7.0, 0.0])),
        idle=draw(st.sampled_from([None, 6.0, None, 11.0])),
        remembers=draw(st.sampled_from([None, 5.0])),
        tags=draw(st.sampled_from(["none", "fixed", "by value"])),
        timeout=draw(st.sampled_from([None, 6.0])),
        picky=draw(st.sampled_from([False, False, True])),
        on_abandon=draw(st.sampled_from(["cancel", "finish", 5.5])),
        max_refreshes=draw(st.sampled_from([1, 32])),
    )


HISTORIES: Final = st.lists(
    st.tuples(
        st.sampled_from([name for name, (weight, _) in STEPS.items() for _ in range(weight)]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=30,
    max_size=80,
)


@pytest.fixture(params=loops())
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is turned by hand."""
    kinds: dict[str, Any] = loops()
    with contextlib.closing(kinds[request.param]()) as made:
        yield made


def run(world: World, history: list[Step]) -> None:
    """Let a history happen, and compare after each step and at the end."""
    try:
        for name, a, b in history:
            STEPS[name][1](world, a, b)
            world.settle()
            world.count()
        world.end()
    finally:
        end_all(world.loop)


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(promises=some_promises(), history=HISTORIES)
def test_whatever_happens_everybody_is_given_what_was_promised(
    loop: asyncio.AbstractEventLoop, promises: Promises, history: list[Step]
) -> None:
    """Callers get what the model says and when, no load too many is started, and all that is counted adds up."""
    run(World(loop, promises), history)


SCRIPTS: Final[dict[str, tuple[Promises, list[Step]]]] = {
    "a refresh goes on though who joined it leaves": (
        Promises(ttl=10.0, stale=3.0),
        [
            ("call", 0, 0),
            ("loads will hang", 0, 0),
            ("advance", 9, 0),
            ("call", 0, 0),
            ("refresh", 0, 0),
            ("cancel", 0, 0),
            ("finish well", 0, 0),
            ("call", 0, 0),
        ],
    ),
    "a late load goes on though who joined it leaves": (
        Promises(ttl=10.0, stale_if_error=12.0, soft_timeout=2.0),
        [
            ("call", 0, 0),
            ("loads will hang", 0, 0),
            ("advance, call", 9, 0),
            ("advance", 4, 0),
            ("refresh", 0, 0),
            ("cancel", 0, 0),
            ("finish well", 0, 0),
            ("call", 0, 0),
        ],
    ),
    "a late load goes on though nobody waited when it came to be late": (
        Promises(ttl=10.0, stale_if_error=12.0, soft_timeout=2.0, on_abandon=5.5),
        [
            ("call", 0, 0),
            ("loads will hang", 0, 0),
            ("advance, call", 9, 0),
            ("advance", 2, 0),
            ("cancel", 0, 0),
            ("advance, call", 4, 0),
            ("advance", 8, 0),
            ("finish well", 0, 0),
            ("call", 0, 0),
        ],
    ),
    "what was put meanwhile is not served to those who wait for a load": (
        Promises(ttl=10.0, stale_if_error=12.0, soft_timeout=2.0),
        [
            ("call", 0, 0),
            ("loads will hang", 0, 0),
            ("advance, call", 9, 0),
            ("put", 0, 9),
            ("advance", 4, 0),
            ("finish well", 0, 0),
        ],
    ),
    "a failure just before the end of stale_if_error": (
        Promises(ttl=10.0, stale=20.0, stale_if_error=5.0),
        [
            ("call", 0, 0),
            ("loads will fail", 0, 0),
            ("advance", 9, 0),
            ("advance", 6, 0),
            ("advance", 3, 0),
            ("advance", 1, 0),
            ("refresh", 0, 0),
        ],
    ),
    "a failure at the end of stale_if_error, within stale": (
        Promises(ttl=10.0, stale=20.0, stale_if_error=5.0),
        [("call", 0, 0), ("loads will fail", 0, 0), ("advance", 9, 0), ("advance", 8, 0), ("refresh", 0, 0)],
    ),
    "who is served an old value while nobody asks has read it": (
        Promises(ttl=4.0, stale_if_error=12.0, idle=6.0, error_backoff=2.0),
        [
            ("call", 0, 0),
            ("loads will fail", 0, 0),
            ("advance, call", 8, 0),
            ("advance, call", 1, 0),
            ("advance, call", 8, 0),
            ("look", 0, 0),
        ],
    ),
    "between two invalidations": (
        Promises(tags="fixed"),
        [
            ("loads will hang", 0, 0),
            ("call", 0, 0),
            ("invalidate all", 0, 0),
            ("call", 0, 0),
            ("invalidate all", 0, 0),
            ("call", 0, 0),
            ("finish well", 0, 0),
            ("finish well", 0, 0),
        ],
    ),
}
"""What chance comes by too seldom."""


@pytest.mark.parametrize(("promises", "history"), SCRIPTS.values(), ids=SCRIPTS)
def test_what_chance_comes_by_too_seldom(
    loop: asyncio.AbstractEventLoop, promises: Promises, history: list[Step]
) -> None:
    """The same holds for histories that somebody has thought of."""
    run(World(loop, promises), history)
