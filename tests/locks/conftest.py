"""One store and the processes that share it, for each test that asks."""

from collections.abc import AsyncIterator

import pytest

from tests.locks.world import Process, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A store that several processes share."""
    world = World()
    yield world
    await world.aclose()


@pytest.fixture
def process(world: World) -> Process:
    """The first process."""
    return world.process()


@pytest.fixture
def other(world: World) -> Process:
    """A second one."""
    return world.process()
