"""What the files of this folder begin with."""

from collections.abc import AsyncIterator

import pytest

from tests.shared.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A store, a clock that stands still, and as many processes as the test starts."""
    async with World() as world:
        yield world
