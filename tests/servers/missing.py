"""What a machine lacks: a test says so and is skipped, or fails where everything is meant to be there."""

import os
import shutil
from typing import NoReturn

import pytest

VARIABLE = "ASYNCCACHE_TEST_SERVERS"
"""Set to `all`, nothing may be missing."""


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test, and say what is missing and how to have it; fail it where nothing may be missing."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get(VARIABLE) == "all":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def program(name: str, remedy: str) -> str:
    """Give the path of a program."""
    return shutil.which(name) or missing(name, remedy)
