"""What holds for every test: which event loops it runs on, and what it must leave behind (nothing).

An async test runs once for each kind of loop, unless it is marked `one_loop`. After each test that passed, the fixtures
below look for what asyncio complains about, and for tasks and flights that nobody ended.
"""

import asyncio
import gc
import importlib
import importlib.util
import itertools
import logging
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import Any, Final, TypeAlias

import hypothesis
import pytest
from pytest_asyncio import is_async_test

pytest_plugins = ["tests.servers.fixtures"]

LoopFactory: TypeAlias = Callable[[], asyncio.AbstractEventLoop]
LoopErrors: TypeAlias = list[dict[str, Any]]

FAILED: Final = pytest.StashKey[bool]()
COMPLAINTS: Final = ("was destroyed", "never retrieved")
TESTS_TO_FREEZE: Final = 50
finished: Final = itertools.count(1)
TURNS_TO_END: Final = 5
"""Turns of the loop that a cancelled task gets to reach its end."""

# The same examples in every run: what fails here fails for everybody. To look for new ones, run pytest with
# --hypothesis-profile=search.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile("repeatable")


def loop_kinds() -> dict[str, LoopFactory]:
    """Every kind of event loop that is to be had here."""
    kinds: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        kinds["uvloop"] = EndingUvloop
    if sys.version_info >= (3, 12):
        kinds["eager"] = eager_loop
    return kinds


if sys.platform != "win32":
    import uvloop

    class EndingUvloop(uvloop.Loop):
        """uvloop's, which ends also when something was left open on it.

        uvloop (0.23) warns of each such thing before it closes it. Where warnings are errors, it does not come to that,
        and waits for it for ever.
        """

        def close(self) -> None:
            """Close it, and warn afterwards."""
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                super().close()
            for warning in heard:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


if sys.version_info >= (3, 12):

    def eager_loop() -> asyncio.AbstractEventLoop:
        """A loop whose tasks run up to their first wait as soon as they are made."""
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Tell pytest-asyncio which loops `item` runs on."""
    if item.get_closest_marker("one_loop"):
        return {"asyncio": asyncio.new_event_loop}
    return loop_kinds()


def pytest_collection_finish() -> None:
    """Take what was imported out of the collector's sight: a full collection after each test then costs little.

    Measured with 1,200 empty tests on 3.13: 3 seconds instead of 76.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_logfinish() -> None:
    """Do so again now and then: the reports of thousands of tests are looked at after each test as well."""
    if next(finished) % TESTS_TO_FREEZE == 0:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which tests failed: their traceback keeps alive what the checks would then find as well."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def failed(request: pytest.FixtureRequest) -> bool:
    """Whether the test itself has failed already."""
    node: pytest.Item = request.node
    return node.stash.get(FAILED, False)


class Complaints(logging.Handler):
    """Keeps what asyncio logs about tasks and futures that were dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text if it is a complaint."""
        message = record.getMessage()
        if any(words in message for words in COMPLAINTS):
            self.messages.append(message)


@pytest.fixture(autouse=True)
def no_complaints(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test after which asyncio logs that a task was destroyed or an exception never retrieved."""
    complaints = Complaints()
    logger = logging.getLogger("asyncio")
    logger.addHandler(complaints)
    yield
    gc.collect()
    logger.removeHandler(complaints)
    if not failed(request):
        assert complaints.messages == []


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest, no_complaints: None) -> None:
    """Watch the loop of a test that has one."""
    if is_async_test(request.node):
        request.getfixturevalue("watched_loop")


@pytest.fixture
async def watched_loop(request: pytest.FixtureRequest, no_complaints: None) -> AsyncIterator[LoopErrors]:
    """Fail a test that leaves a task or a flight, or a message to the loop's exception handler."""
    heard: LoopErrors = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    yield heard
    gc.collect()
    left = await tasks_left()
    if failed(request):
        return
    assert left == set()
    assert live_flights() == []
    assert heard == [] or "loop_errors" in request.fixturenames


async def tasks_left() -> set[asyncio.Task[Any]]:
    """Tasks that do not end by themselves within a few turns of the loop."""
    for _ in range(TURNS_TO_END):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


def live_flights() -> list[object]:
    """Loads that are in the air, as far as the package can tell."""
    if importlib.util.find_spec("asynccache.testing") is None:
        return []
    testing = importlib.import_module("asynccache.testing")
    return list(testing.live_flights()) if hasattr(testing, "live_flights") else []


@pytest.fixture
def loop_errors(watched_loop: LoopErrors) -> LoopErrors:
    """The contexts given to the loop's exception handler so far; a test that asks for them may cause some."""
    return watched_loop
